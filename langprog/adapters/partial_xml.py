"""Reading a reply of the adapter ``xml`` while it arrives.

An element's text is returned up to its closing tag; blanks at its end, and what may be the
beginning of a tag or an entity, are kept back until something follows them.
"""

from __future__ import annotations

import re
from functools import lru_cache

from langprog.adapters.partial import (
    LONGEST_TAG,
    Opening,
    PartialReader,
    Pending,
    Pieces,
    merge,
    texts_of,
)
from langprog.adapters.xml_tags import (
    CDATA,
    CDATA_END,
    ENTITY,
    Names,
    character_of,
    field_named,
    tag_pattern,
)
from langprog.signature import SignatureSpec

_LEAD = frozenset(" \t*_`-")
_OTHER = re.compile(r"\s+|[^<&\s]+|.", re.DOTALL)
_OUTSIDE = re.compile(r"[^<]+|<")
_ENTITY_BEGUN = re.compile(r"&(?:[a-z]{0,4}|#[0-9]{0,7}|#[xX][0-9a-fA-F]{0,6})\Z")
_TAG_BEGUN = re.compile(r"</?(?P<name>[\w-]*)(?P<more>[\s/][^<>]*)?\Z")


@lru_cache(maxsize=256)
def _folded(names: Names) -> tuple[str, ...]:
    return tuple(name.casefold().replace("-", "_") for name in names)


class PartialXML(PartialReader):
    """Reads elements.

    Args:
        signature: The signature with the outputs to read.
    """

    def __init__(self, signature: SignatureSpec) -> None:
        self._outputs = signature.outputs
        self._names = tuple(field.name for field in signature.fields)
        self._tag = tag_pattern(self._names)
        self._longest = LONGEST_TAG + max(map(len, self._names))
        self._opening = Opening(frozenset(name.casefold() for name in signature.outputs))
        self._pending = Pending(texts_of(signature))
        self._seen: set[str] = set()
        self._rest = ""
        self._over = False  # nothing more is read
        self._lead = True  # whether the line so far may precede an element
        self._raw = False  # inside a CDATA section

    def feed(self, text: str) -> Pieces:
        """Return what the next piece of the reply's text adds to the fields."""
        if self._over:
            return []
        text = self._rest + self._opening.feed(text)
        self._rest = ""
        pieces: Pieces = []
        at = 0
        while at < len(text) and not self._over:
            if self._raw:
                end = self._read_raw(text, at, pieces)
            elif self._pending.field is not None:
                end = self._read_inside(text, at, pieces)
            else:
                end = self._read_outside(text, at)
            if end == at:  # not to be read before more follows
                self._rest = text[at:]
                break
            at = end
        return merge(pieces)

    def _read_raw(self, text: str, at: int, pieces: Pieces) -> int:
        end = text.find(CDATA_END, at)
        if end >= 0:
            self._raw = False
            self._pending.add(text[at:end], pieces)
            return end + len(CDATA_END)
        sure = max(at, len(text) - len(CDATA_END) + 1)
        if sure > at:
            self._pending.add(text[at:sure], pieces)
        return sure

    def _read_inside(self, text: str, at: int, pieces: Pieces) -> int:
        if text[at] == "<":
            tag = self._tag.match(text, at)
            if tag is not None:
                return self._read_inner_tag(tag, pieces)
            if self._may_become_tag(text[at : at + self._longest]):
                return at
        if text[at] == "&":
            entity = ENTITY.match(text, at)
            if entity is not None:
                self._pending.add(character_of(entity), pieces)
                return entity.end()
            if _ENTITY_BEGUN.match(text, at):
                return at
        other = _OTHER.match(text, at)
        assert other is not None  # any character matches
        if not other.group().isspace():
            self._pending.add(other.group(), pieces)
        elif self._pending.begun:
            self._pending.hold(other.group(), pieces)
        return other.end()

    def _read_inner_tag(self, tag: re.Match[str], pieces: Pieces) -> int:
        if tag["name"] is None:
            self._raw = True
            self._pending.begun = True
        elif field_named(tag["name"], self._names) != self._pending.field:
            self._pending.add(tag.group(), pieces)
        elif tag["closing"]:
            self._pending.open(None)
            self._lead = True
        else:
            self._over = True  # an element inside itself: only the whole reply tells its end
        return tag.end()

    def _read_outside(self, text: str, at: int) -> int:
        tag = self._tag.match(text, at)
        if tag is not None:
            self._begin(tag)
            return tag.end()
        if text[at] == "<" and self._may_become_tag(text[at : at + self._longest]):
            return at
        other = _OUTSIDE.match(text, at)
        assert other is not None  # any character matches
        line = re.split(r"[\n\r>]", other.group())
        self._lead = (len(line) > 1 or self._lead) and _LEAD.issuperset(line[-1])
        return other.end()

    def _begin(self, tag: re.Match[str]) -> None:
        name = "" if tag["name"] is None else field_named(tag["name"], self._names)
        if tag["closing"] or name not in self._outputs:
            # An element that the model repeats or invents; after an answer, another turn.
            self._over = not tag["closing"] or self._over
        elif not self._lead or name in self._seen or tag.group().endswith("/>"):
            self._over = True
        else:
            self._seen.add(name)
            self._pending.open(name)

    def _may_become_tag(self, text: str) -> bool:
        if len(text) >= self._longest:
            return False
        if CDATA.startswith(text):
            return True
        begun = _TAG_BEGUN.match(text)
        if begun is None:
            return False
        name = begun["name"].casefold().replace("-", "_")
        known = _folded(self._names)
        if begun["more"] is not None:
            return name in known
        return any(other.startswith(name) for other in known)
