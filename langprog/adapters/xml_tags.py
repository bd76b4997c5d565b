"""The elements of the adapter ``xml``: tags with the names of fields, and escaped text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType

Names = tuple[str, ...]

CDATA, CDATA_END = "<![CDATA[", "]]>"
ENTITY = re.compile(r"&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#[xX]([0-9a-fA-F]{1,6}));")
_CHARACTERS: Mapping[str, str] = MappingProxyType(
    {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
)


def escape(text: str, names: Names) -> str:
    """Return ``text`` with the tags of fields escaped, so that reading restores it."""
    if "<" not in text and "&" not in text:
        return text
    return _forgeable_pattern(names).sub(lambda sign: "&amp;" if sign[0] == "&" else "&lt;", text)


def unescape(text: str) -> str:
    """Undo :func:`escape`; text in a CDATA section is literal."""
    pieces = []
    for raw, section in _sections(text):
        pieces.append(section if raw else ENTITY.sub(character_of, section))
    return "".join(pieces)


@lru_cache(maxsize=256)
def _forgeable_pattern(names: Names) -> re.Pattern[str]:
    # Nothing else is escaped: markup and code are easier to read that way, also for models.
    return re.compile(
        rf"<(?=/?{_either(names)}(?:[\s/>]|\Z)|!\[CDATA\[)|&(?={ENTITY.pattern[1:]})",
        _flags(names),
    )


def character_of(entity: re.Match[str]) -> str:
    """Return the character that an entity stands for."""
    name, decimal, hexadecimal = entity.groups()
    if name:
        return _CHARACTERS[name]
    code = int(decimal) if decimal else int(hexadecimal, 16)
    valid = 0 < code <= 0x10FFFF and not 0xD800 <= code < 0xE000
    return chr(code) if valid else entity[0]


def _sections(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a text, and whether each was in a CDATA section."""
    at = 0
    while True:
        start = text.find(CDATA, at)
        end = text.find(CDATA_END, start) if start >= 0 else -1
        if end < 0:
            yield False, text[at:]
            return
        yield False, text[at:start]
        yield True, text[start + len(CDATA) : end]
        at = end + len(CDATA_END)


def _either(names: Names) -> str:
    return f"(?:{'|'.join(re.escape(name).replace('_', '[_-]') for name in names)})"


def _flags(names: Names) -> re.RegexFlag:
    # Case matters only where it alone distinguishes two fields.
    return re.IGNORECASE if len(_names_by_folded(names)) == len(names) else re.NOFLAG


@lru_cache(maxsize=256)
def _names_by_folded(names: Names) -> Mapping[str, str]:
    return {name.casefold(): name for name in names}


@lru_cache(maxsize=256)
def tag_pattern(names: Names) -> re.Pattern[str]:
    """Return the pattern of a tag of any of these fields, or the beginning of a CDATA section."""
    return re.compile(
        rf"<(?P<closing>/?)(?P<name>{_either(names)})(?:[\s/][^<>]*)?>|<!\[CDATA\[", _flags(names)
    )


def field_named(written: str, names: Names) -> str:
    """Return the field that a tag names."""
    if written in names:
        return written
    return _names_by_folded(names).get(written.casefold().replace("-", "_"), written)
