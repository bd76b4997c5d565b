"""Renders a call as messages: its texts, its images and files, and earlier turns.

An adapter writes only text. For an image, a sound or a file it writes a unique placeholder, and
the text is split there.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from langprog.errors import InputError
from langprog.lm import Audio, Content, File, Image, Message, Part, Text
from langprog.media import Media, Turn, is_message
from langprog.signature import FieldSpec, SignatureSpec

# Writes the values of these fields as one text.
Write = Callable[[Mapping[str, FieldSpec], Mapping[str, Any]], str]
# Returns the messages of an answer with these outputs, for the turn of that number.
Answer = Callable[[Mapping[str, Any], int], tuple[Message, ...]]

_NOWHERE = "https://langprog.invalid"


def render_call(
    signature: SignatureSpec, values: Mapping[str, Any], write: Write, answer: Answer | None = None
) -> tuple[Message, ...]:
    """Return the messages of a call.

    Args:
        signature: The signature.
        values: The inputs; missing ones are omitted.
        write: Writes the values of fields as one text.
        answer: Returns earlier answers as messages; by default one message from ``write``.

    Raises:
        InputError: A value does not fit its field.
    """
    if signature.asks_in_text:
        return (Message("user", write(signature.inputs, values)),)
    told = answer or (lambda turn, number: (Message("assistant", write(signature.outputs, turn)),))
    fields = {name: field for name, field in signature.inputs.items() if not field.is_history}
    earlier: list[Message] = []
    for name, field in signature.inputs.items():
        history = field.validate(values[name]) if field.is_history and name in values else None
        for number, turn in enumerate(history or (), start=1):
            try:
                earlier += _render_past_input(signature, fields, turn, write)
                if _is_answered(signature, turn):
                    earlier += told(turn, number)
            except InputError as error:
                raise InputError(f"turn {number} of {name!r}: {error}") from None
    if fields:
        return (*earlier, Message("user", _content(fields, values, write)))
    if not earlier:
        raise InputError(f"{signature.name} is asked nothing: its conversation has no turns")
    return tuple(earlier)


def _is_answered(signature: SignatureSpec, turn: Turn) -> bool:
    return not is_message(turn) and any(name in turn for name in signature.outputs)


def _render_past_input(
    signature: SignatureSpec, fields: Mapping[str, FieldSpec], turn: Turn, write: Write
) -> list[Message]:
    if is_message(turn):
        content = turn["content"]
        return [Message(turn["role"], content if isinstance(content, str) else _parts(content))]
    unknown = [name for name in turn if name not in fields and name not in signature.outputs]
    if unknown:
        known = ", ".join((*fields, *signature.outputs))
        raise InputError(
            f"it has {unknown[0]!r}, which is not a field of {signature.name} ({known}); a "
            'message is written {"role": "user", "content": "..."}'
        )
    if not any(name in turn for name in fields):
        return []
    return [Message("user", _content(fields, turn, write))]


def _parts(pieces: tuple[str | Media, ...]) -> tuple[Part, ...]:
    return tuple(Text(piece) if isinstance(piece, str) else _part(piece) for piece in pieces)


def _part(media: Media) -> Part:
    assert isinstance(media, (Image, Audio, File))
    return media


def _content(fields: Mapping[str, FieldSpec], values: Mapping[str, Any], write: Write) -> Content:
    given = {name: field for name, field in fields.items() if name in values}
    if not any(field.holds_media for field in given.values()):
        return write(given, values)
    # Derived from the whole content, so that no input can contain it.
    plain = {name: field.write(values[name], repr) for name, field in given.items()}
    nonce = hashlib.sha256(json.dumps(plain).encode("utf-8", "surrogatepass")).hexdigest()
    media: list[Media] = []

    def place(part: Media) -> str:
        media.append(part)
        return f"{_NOWHERE}/{nonce}/{len(media) - 1}"

    text = write(given, {name: field.write(values[name], place) for name, field in given.items()})
    pieces = re.split(rf"{re.escape(_NOWHERE)}/{nonce}/(\d+)", text)
    parts = [
        _part(media[int(piece)]) if at % 2 else Text(piece) for at, piece in enumerate(pieces)
    ]
    return tuple(part for part in parts if not isinstance(part, Text) or part.text)
