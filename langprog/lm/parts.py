"""The parts of a message that is more than text."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from langprog.media import Audio as Audio
from langprog.media import File as File
from langprog.media import Image as Image


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text."""

    text: str


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
