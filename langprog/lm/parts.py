"""The parts of a message that is more than text."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from langprog.errors import InputError


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True)
class Media:
    """Bytes of a media type, or a URL from which the endpoint fetches them.

    Args:
        data: The bytes; ``None`` if there is a URL.
        url: The URL; ``None`` if there are bytes.
        media_type: Such as ``image/png``; required with bytes.

    Raises:
        InputError: Both are given, or neither, or the data are not bytes.
    """

    data: bytes | None = None
    url: str | None = None
    media_type: str = ""

    def __post_init__(self) -> None:
        if (self.data is None) == (self.url is None):
            kind = type(self).__name__
            raise InputError(f"a part {kind} takes exactly one of data= and url=")
        if self.data is not None and not isinstance(self.data, (bytes, bytearray)):
            raise InputError(
                f"data= of a part {type(self).__name__} is a {type(self.data).__name__}, not "
                "bytes: pass pathlib.Path(name).read_bytes(), or a URL as url="
            )

    @property
    def address(self) -> str:
        """The URL, or the bytes as a ``data:`` URL."""
        if self.data is None:
            return self.url or ""
        return f"data:{self.media_type};base64,{self.base64}"

    @property
    def base64(self) -> str:
        """The bytes in Base64."""
        return base64.b64encode(self.data or b"").decode("ascii")


@dataclass(frozen=True, slots=True)
class Image(Media):
    """An image."""

    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class Audio(Media):
    """An audio clip."""

    media_type: str = "audio/wav"


@dataclass(frozen=True, slots=True)
class File(Media):
    """A document.

    Args:
        name: Its file name, which the model may see.
    """

    media_type: str = "application/pdf"
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's call of a tool; part of an assistant's message.

    Args:
        id: Identifies the call, so that its result can be matched to it.
        name: The tool.
        arguments: JSON text, as the model wrote it; may be invalid.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call; part of a message with the role ``tool``.

    Args:
        call_id: The ``id`` of the call.
        text: The result, or an error message.
    """

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """The model's reasoning before its answer; sent back to endpoints that require it.

    Args:
        text: The reasoning.
        signature: The endpoint's proof that the reasoning is its own, if it gives one.
    """

    text: str
    signature: str = ""


Part = Text | Image | Audio | File | ToolCall | ToolResult | Reasoning
Content = str | tuple[Part, ...]

PARTS: tuple[type[Part], ...] = (Text, Image, Audio, File, ToolCall, ToolResult, Reasoning)


def text_of(content: Content) -> str:
    """Return the text of a message's content, without its other parts."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, Text))


def identity_of(content: Content) -> Any:
    """Return JSON data that identifies a message's content.

    Bytes appear as their digest, so that a key over many images stays short.
    """
    return content if isinstance(content, str) else [_identity(part) for part in content]


def _identity(part: Part) -> list[str]:
    match part:
        case Text() | Reasoning():
            return [type(part).__name__, part.text, getattr(part, "signature", "")]
        case ToolCall():
            return ["ToolCall", part.id, part.name, part.arguments]
        case ToolResult():
            return ["ToolResult", part.call_id, part.text]
    digest = "" if part.data is None else hashlib.sha256(part.data).hexdigest()
    name = getattr(part, "name", "")
    return [type(part).__name__, part.url or "", digest, part.media_type, name]
