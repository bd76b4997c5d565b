"""What a message is made of where it is more than text."""

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
    """A model's wish to have a tool called; part of an assistant's message.

    Args:
        id: Names the call, so that its result can be told apart from others.
        name: The tool.
        arguments: JSON text, as the model wrote it: it may be no valid JSON.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a tool call gave; part of a message with the role ``tool``.

    Args:
        call_id: The ``id`` of the call.
        text: The result, or what went wrong.
    """

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What a model thought before it answered; sent back where an endpoint wants it.

    Args:
        text: The thoughts.
        signature: The endpoint's proof that they are its own, where it gives one.
    """

    text: str
    signature: str = ""


Part = Text | Image | Audio | File | ToolCall | ToolResult | Reasoning
Content = str | tuple[Part, ...]

PARTS: tuple[type[Part], ...] = (Text, Image, Audio, File, ToolCall, ToolResult, Reasoning)


def text_of(content: Content) -> str:
    """Return the text in a message's content, its other parts left out."""
    if isinstance(content, str):
        return content
    return "".join(part.text for part in content if isinstance(part, Text))


def identity_of(content: Content) -> Any:
    """Return a message's content as JSON data that differs where the content does.

    Bytes stand as their digest, so that a key over many images stays short.
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
