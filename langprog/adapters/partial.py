"""Reading a reply while it arrives: the base class of readers, and what they share.

A reader is cautious: where a reply is unusual, it stops, and the rest of the fields comes when
the reply is complete. What it returned is compared with the parsed reply then, so it never has
the last word.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, Protocol

from langprog.adapters.thinking import head_end, tag_at
from langprog.adapters.values import decode
from langprog.signature import FieldSpec, SignatureSpec

# Field names with text to append.
Pieces = list[tuple[str, str]]

# The longest tag or marker that a reader waits for, in characters, beside the field's name.
LONGEST_TAG = 120
# The longest end of a text that is kept back because it may not belong to the value.
LONGEST_END = 1000
_BRACKET = re.compile("[<[\u25c1]")
_QUOTES = ('"', "`")


class PartialReader(Protocol):
    """Reads the outputs of a signature from a reply that comes in pieces, in linear time."""

    @abstractmethod
    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the fields."""
        ...

    def feed_call(self, place: int, name: str, arguments: str) -> Pieces:
        """Return what the next piece of a tool call adds to the fields.

        Args:
            place: Which of the reply's calls.
            name: The tool; empty if it was told before.
            arguments: The text to append to the arguments.
        """
        return []

    def read(self, field: FieldSpec, text: str) -> Any:
        """Return the value of a field from all its pieces together.

        Raises:
            ParseError: They are not a value of the field.
        """
        return decode(field, text)


class Pending:
    """The pieces for a field, with an end that is kept back until more follows it.

    Args:
        unquoted: Fields that are taken out of quotes or a fence; in either, nothing is returned,
            as only the end tells whether they belong to the value.
    """

    def __init__(self, unquoted: Collection[str] = ()) -> None:
        self.field: str | None = None
        self._unquoted = unquoted
        self.begun = False  # whether anything of the field was returned
        self._held: list[str] = []
        self._size = 0

    def open(self, field: str | None) -> None:
        """Go on with another field; the end that was kept back is dropped."""
        self.field, self.begun = field, False
        self.drop()

    def drop(self) -> None:
        """Drop what is kept back."""
        self._held, self._size = [], 0

    @property
    def holds(self) -> bool:
        """Whether something is kept back."""
        return bool(self._held)

    def hold(self, text: str, pieces: Pieces) -> None:
        """Keep ``text`` back, unless that becomes too much."""
        if self.field is None:
            return
        self._held.append(text)
        self._size += len(text)
        if self._size > LONGEST_END:
            self.add("", pieces)

    def add(self, text: str, pieces: Pieces) -> None:
        """Append ``text``, after what was kept back."""
        if self.field is None or not (text or self._held):
            return
        if not (self.begun or self._held) and text[:1] in _QUOTES and self.field in self._unquoted:
            self.field = None
            return
        if self._held:
            text = "".join((*self._held, text))
            self.drop()
        self.begun = True
        pieces.append((self.field, text))


def texts_of(signature: SignatureSpec) -> frozenset[str]:
    """Return the outputs that are plain text."""
    return frozenset(name for name, field in signature.outputs.items() if field.exact is str)


def merge(pieces: Pieces) -> Pieces:
    """Return pieces with consecutive ones of a field joined."""
    merged: list[tuple[str, list[str]]] = []
    for field, text in pieces:
        if merged and merged[-1][0] == field:
            merged[-1][1].append(text)
        else:
            merged.append((field, [text]))
    return [(field, "".join(texts)) for field, texts in merged]


class Opening:
    """Removes the thinking at the beginning of a reply.

    Args:
        own: Names of fields, in lower case, whose tags do not enclose thinking.
    """

    def __init__(self, own: frozenset[str] = frozenset()) -> None:
        self._own = own
        self._rest = ""
        self._closing: str | None = None  # the tag that ends the thinking
        self._over = False

    def feed(self, text: str) -> str:
        """Return the part of ``text`` that belongs to the answer, possibly with earlier text."""
        if self._over:
            return text
        text = self._rest + text
        self._rest = ""
        while not self._over:
            if self._closing is None:
                text, go_on = self._begin(text)
            else:
                text, go_on = self._think(text)
            if not go_on:
                self._rest = text
                return ""
        return text

    def _begin(self, text: str) -> tuple[str, bool]:
        """Look at the beginning; return what is left and whether to go on."""
        begin = text.lstrip()
        if not begin:
            return text[:LONGEST_TAG], False
        if begin[0] not in "<[\u25c1" or begin.startswith("[["):
            self._over = True
            return text, True
        head = head_end(begin)
        if head:
            return begin[head:], True
        tag = tag_at(begin)
        if tag is not None and tag.opens and tag.name not in self._own:
            self._closing = tag.name
            return begin[tag.end :], True
        if tag is None and len(begin) < LONGEST_TAG and not _is_closed(begin):
            return text, False
        self._over = True
        return text, True

    def _think(self, text: str) -> tuple[str, bool]:
        for bracket in _BRACKET.finditer(text):
            at = bracket.start()
            tag = tag_at(text, at)
            if tag is not None and not tag.opens and tag.name == self._closing:
                self._closing = None
                return text[tag.end :], True
            if tag is None and len(text) - at < LONGEST_TAG and not _is_closed(text[at:]):
                return text[at:], False
        return "", False


def _is_closed(tag: str) -> bool:
    # `<|channel|>analysis` goes on behind its bracket.
    return any(sign in tag for sign in ">]\u25b7\n") and not tag.startswith("<|")
