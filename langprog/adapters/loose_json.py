"""JSON as models write it: read strictly first, then repaired; never beyond a cut or a hole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
# A key without a value, or a comma with nothing before it: a repair would make something up.
_HOLE = re.compile(r":\s*(?:[,}\]]|\Z)|[\[{,]\s*,")
_FENCED = re.compile(r"^[ \t]*```[\w+-]*[ \t]*\n(.*?)\n[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_LAST = re.compile(r'(?:["}\]]|true|false|null)\Z')


class CutOff(ValueError):
    """The text ends before its value does."""


class Ambiguous(ValueError):
    """The text holds several values, and they differ."""


def loose_json(text: str, kind: type, *, closed: bool = False) -> Any:
    """Return the list or the object that ``text`` holds, or ``None``.

    Args:
        text: What a model wrote; words and a code fence around the value are passed over.
        kind: ``list`` or ``dict``.
        closed: Whether every part of the value is known beforehand, so that nothing can have
            been lost where no more than its last bracket is missing.

    Raises:
        CutOff: It ends before the value does.
        Ambiguous: It holds several values that differ, or an object with a key twice.
    """
    whole = _strict(text)
    if whole is not _NOTHING:
        return whole if type(whole) is kind else None
    fenced = [match.group(1) for match in _FENCED.finditer(text)]
    for body in [*fenced, text] if len(fenced) == 1 else [text]:
        found = list(_tops(body, "[" if kind is list else "{"))
        if found:
            return _only(found)
        value = _repaired(body, kind, closed)
        if value is not None:
            return value
    return None


_NOTHING = object()


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if found[name] != value:
                raise Ambiguous(f"the key {name!r} comes twice, with different values")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


# Line breaks and tabs as they are inside a string are a slip of form.
_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_number, strict=False)


def _strict(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        return _NOTHING


def _tops(text: str, opening: str) -> Iterator[Any]:
    # Only values that stand by themselves: what is inside a broken one is a part of it.
    at = text.find(opening)
    while at >= 0:
        try:
            value, at = _DECODER.raw_decode(text, at)
        except Ambiguous:
            raise
        except (ValueError, RecursionError):
            return
        yield value
        at = text.find(opening, at)


def _only(found: list[Any]) -> Any:
    if any(value != found[0] for value in found[1:]):
        raise Ambiguous("it holds several JSON values that differ")
    return found[0]


def _repaired(text: str, kind: type, closed: bool) -> Any:
    opening, closing = ("[", "]") if kind is list else ("{", "}")
    start, end = text.find(opening), text.rfind(closing)
    if start < 0:
        return None
    _check_end(text[start:].rstrip("` \t\r\n"), closed)
    body = text[start : end + 1] if end > start else text[start:].rstrip("` \t\r\n")
    if _HOLE.search(_STRING.sub('""', body)):
        return None
    import json_repair  # noqa: PLC0415 - slow to import, and needed for broken replies alone

    try:
        value = json_repair.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is kind and (value or body == opening + closing) else None


def _check_end(text: str, closed: bool) -> None:
    bare = _STRING.sub('""', text)
    opened, last = [], 0
    for index, char in enumerate(bare):
        if char in "[{":
            opened.append(char)
        elif char in "]}" and opened:
            opened.pop()
            last = index
            if not opened:
                return
    rest = bare[last:].replace('""', "")
    if '"' in rest:
        if not bare.endswith(("]", "}")):
            raise CutOff("a text in it has no end")
        return
    if not closed or len(opened) > 1 or not _LAST.search(bare):
        raise CutOff("its last bracket is missing")
