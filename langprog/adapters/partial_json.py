"""Reading a reply of the adapters ``json`` and ``tools`` while it arrives.

Of the object, the members at the top are followed: a text is returned as it is meant, anything
else as it is written. Only proper JSON is followed; from the first irregularity on, the fields
come when the reply is complete.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from langprog.adapters.json_reader import STRICT
from langprog.adapters.key_names import fold_key
from langprog.adapters.partial import Opening, PartialReader, Pending, Pieces, merge
from langprog.adapters.values import from_data
from langprog.errors import ParseError
from langprog.signature import FieldSpec, SignatureSpec

_BLANKS = re.compile(r"\s*+")
_PLAIN = re.compile(r'[^"\\]++')
# Both halves of a character beyond the basic plane belong together.
_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r'|\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4})'
)
_ESCAPE_BEGUN = re.compile(
    r"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u[0-9a-fA-F]{0,3})?)?|[0-9a-fA-F]{0,3}))?\Z"
)
_BEGINS_VALUE = re.compile(r"[\[{tfn\d-]")
_PART = re.compile(r'[\[\]{},"]|\s+|[^\[\]{},"\s]+')
_LONGEST_KEY = 1000
_WAIT = -1  # more has to follow


class PartialObject:
    """Reads the members of one JSON object.

    Args:
        signature: The signature with the outputs to read.
    """

    def __init__(self, signature: SignatureSpec) -> None:
        self._fields = _fields_by_key(signature)
        self._pending = Pending()
        self._seen: set[str] = set()
        self._rest = ""
        self._read: Callable[[str, int, Pieces], int] = self._find_object
        self._depth = 0
        #: The fields whose values are JSON strings.
        self.texts: set[str] = set()
        self._over = False  # nothing more is read

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the object adds to the fields."""
        if self._over:
            return []
        text = self._rest + text
        self._rest = ""
        pieces: Pieces = []
        at = 0
        while at < len(text) and not self._over:
            end = self._read(text, at, pieces)
            if end == _WAIT:
                self._rest = text[at:]
                break
            at = end
        return merge(pieces)

    def _stop(self, text: str) -> int:
        self._over = True
        return len(text)

    def _find_object(self, text: str, at: int, pieces: Pieces) -> int:
        begin = text.find("{", at)
        if begin < 0:
            return len(text)
        self._read = self._read_key
        return begin + 1

    def _read_key(self, text: str, at: int, pieces: Pieces) -> int:
        begin = _past_blanks(text, at)
        if begin == len(text):
            return begin
        if text[begin] != '"':
            return self._stop(text)
        end = text.find('"', begin + 1)
        if end < 0:
            return _WAIT if len(text) - begin < _LONGEST_KEY else self._stop(text)
        colon = _past_blanks(text, end + 1)
        if colon == len(text) and colon - end < _LONGEST_KEY:
            return _WAIT
        key = text[begin + 1 : end]
        if "\\" in key or text[colon : colon + 1] != ":":
            return self._stop(text)
        return self._open(key, text, colon + 1)

    def _open(self, key: str, text: str, at: int) -> int:
        field = self._fields.get(key) or self._fields.get(fold_key(key))
        if field is not None and field in self._seen:
            return self._stop(text)
        self._pending.open(field)
        if field is not None:
            self._seen.add(field)
        self._read = self._begin_value
        return at

    def _begin_value(self, text: str, at: int, pieces: Pieces) -> int:
        begin = _past_blanks(text, at)
        if begin == len(text):
            return begin
        if text[begin] == '"':
            if self._pending.field is not None:
                self.texts.add(self._pending.field)
            self._read = self._read_text
            return begin + 1
        if not _BEGINS_VALUE.match(text, begin):
            return self._stop(text)
        self._depth = 0
        self._read = self._read_value
        return begin

    def _read_text(self, text: str, at: int, pieces: Pieces) -> int:
        plain = _PLAIN.match(text, at)
        if plain is not None:
            self._pending.add(plain.group(), pieces)
            return plain.end()
        if text[at] == '"':
            self._read = self._end_value
            return at + 1
        escape = _ESCAPE.match(text, at)
        if escape is None:
            return _WAIT if _ESCAPE_BEGUN.match(text, at) else self._stop(text)
        self._pending.add(json.loads(f'"{escape.group()}"'), pieces)
        return escape.end()

    def _read_value(self, text: str, at: int, pieces: Pieces) -> int:
        part = _PART.match(text, at)
        assert part is not None  # any character is a part
        sign = part.group()
        if sign in ",}" and self._depth == 0:
            self._read = self._end_value
            return at
        if sign.isspace():
            self._pending.hold(sign, pieces)
            return part.end()
        if sign in "[{":
            self._depth += 1
        elif sign in "]}":
            self._depth -= 1
        elif sign == '"':
            self._read = self._read_inner_text
        self._pending.add(sign, pieces)
        return part.end()

    def _read_inner_text(self, text: str, at: int, pieces: Pieces) -> int:
        plain = _PLAIN.match(text, at)
        if plain is not None:
            end = plain.end()
        elif text[at] == '"':
            end = at + 1
            self._read = self._read_value
        elif at + 1 == len(text):
            return _WAIT  # what is escaped follows
        else:
            end = at + 2
        self._pending.add(text[at:end], pieces)
        return end

    def _end_value(self, text: str, at: int, pieces: Pieces) -> int:
        sign = _past_blanks(text, at)
        if sign == len(text):
            return sign
        if text[sign] != ",":
            return self._stop(text)
        self._pending.open(None)
        self._read = self._read_key
        return sign + 1


class PartialJSON(PartialReader):
    """Reads an object, from text or from a tool call; arguments as for PartialObject."""

    def __init__(self, signature: SignatureSpec) -> None:
        self._opening = Opening()
        self._text = PartialObject(signature)
        self._arguments = PartialObject(signature)

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the fields."""
        return self._text.feed(self._opening.feed(text))

    def feed_call(self, place: int, name: str, arguments: str) -> Pieces:
        """Return what the next piece of a tool call adds to the fields, if it is the first."""
        return [] if place else self._arguments.feed(arguments)

    def read(self, field: FieldSpec, text: str) -> Any:
        """Return the value of a field from all its pieces together.

        Raises:
            ParseError: They are not a value of the field.
        """
        if field.name in self._text.texts | self._arguments.texts:
            return from_data(field, text)
        try:
            data = STRICT.decode(text)
        except (ValueError, RecursionError):
            raise ParseError(f"{field.name!r} holds no JSON", text=text) from None
        return from_data(field, data)


def _past_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _fields_by_key(signature: SignatureSpec) -> dict[str, str]:
    """Return the outputs by their names, and by their folded names where these are unambiguous."""
    fields: dict[str, str] = {}
    for name in signature.outputs:
        folded = fold_key(name)
        alike = [other for other in signature.outputs if fold_key(other) == folded]
        if len(alike) == 1:
            fields[folded] = name
    return {**fields, **{name: name for name in signature.outputs}}
