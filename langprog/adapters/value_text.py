"""Values as text for a prompt.

A value is written plainly if that reads back as the same value, and as a JSON string otherwise, so
that outer blanks, an empty text or the text ``"null"`` survive.
"""

from __future__ import annotations

import json
from typing import Any

from langprog.adapters.scalars import Mismatch, unquote_text
from langprog.adapters.values import text_data
from langprog.errors import InputError
from langprog.media import Media
from langprog.signature import FieldSpec, Plain, whole_text, without_limits

_WRITER = json.JSONEncoder(ensure_ascii=False)


def encode(field: FieldSpec, value: Any) -> str:
    """Return ``value`` as text for a prompt.

    Raises:
        InputError: It does not fit the field.
    """
    if type(value) is str and value.isascii() and field.exact is str:  # the most frequent case
        data: Any = value
    else:
        data = prompt_data(field, value)
    return data if isinstance(data, str) and _reads_back(field, data) else json_text(data)


def prompt_data(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` as plain data for a prompt.

    Raises:
        InputError: It does not fit the field, or cannot be text: an image, or a conversation.
    """
    if not field.special:
        return field.plain(value)
    if field.is_history:
        raise InputError(_ASKED.format(name=field.name, kind="History"))
    return field.write(value, lambda media: _address(field, media))


_ASKED = (
    "{name!r} is an lp.{kind}, which is not sent as text: an adapter that takes it writes its "
    "inputs with langprog.adapters.render_call"
)


def _address(field: FieldSpec, media: Media) -> str:
    # Bytes would become base 64, which costs tokens and which no model reads.
    if media.data is not None:
        raise InputError(_ASKED.format(name=field.name, kind=type(media).__name__))
    return media.url or ""


def json_text(data: Any) -> str:
    """Return plain data as JSON on one line, without escaping letters.

    Raises:
        InputError: A text in it holds half of a character.
    """
    text = _WRITER.encode(data)
    if not whole_text(text):
        raise InputError("a text in it holds half of a character")
    return text


def _reads_back(field: FieldSpec, text: str) -> bool:
    shape = field.shape
    if not isinstance(shape, Plain):
        shape = without_limits(shape)
    if isinstance(shape, Plain):
        # The most frequent case, decided without parsing.
        return text == text.strip() and (
            not text or text[0] not in '"`' or unquote_text(text) == text
        )
    try:
        again = text_data(shape, text)
        if field.special:
            return bool(field.plain(again) == text)
    except (Mismatch, InputError):
        return False
    # A choice is identified by its text, whatever its type.
    plain = getattr(again, "value", again)
    return type(plain) is str and bool(plain == text)
