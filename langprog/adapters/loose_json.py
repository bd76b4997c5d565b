"""The JSON value in a reply: read strictly first, then with lenient punctuation."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, NamedTuple

from langprog.adapters.json_reader import STRICT, Ambiguous, CutOff, Malformed, Reader

MOST_REFUSED = 8  # brackets in the words around a value; with more, the reply is unreadable

_FENCED = re.compile(r"^[ \t]*+```[\w+-]*+[ \t]*+\n\s*+(?=[\[{])", re.MULTILINE)
_BRACKET = re.compile(r"[\[{]")
# Text that begins like this is meant as JSON, even if it cannot be read.
_MEANT = re.compile(
    r"""\{\s*+(?:["'\u201c}]|[\w$-]++\s*+:|\Z)|\[\s*+(?:["'\u201c{\[\d\]-]|(?:true|false|null)\b|\Z)"""
)
_TEXT = re.compile(r'\\.|"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_GROUP = re.compile(r"\d,\d{3}(?!\d)", re.ASCII)
_SPLIT = re.compile(r"\d,0\d\d(?!\d)", re.ASCII)  # no number begins like this
_LISTED = re.compile(r"\[[^\[\]{}]*+\]")
_NUMBERS = re.compile(r"\[[\d\s,.eE+-]*+\]", re.ASCII)
_SPACED = re.compile(r",\s+")
_COMMAS = "its commas may part numbers or thousands"
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})*+(?:\.\d++)?", re.ASCII)


class LooseValue(NamedTuple):
    """A value and the text around it, without fences and blanks."""

    value: Any
    before: str = ""
    after: str = ""


class _Span(NamedTuple):
    """A value and its position; words in brackets may be a mere remark, such as [sic]."""

    value: Any
    start: int
    end: int
    remark: bool


def loose_json(text: str, kind: type, *, closed: bool = False) -> LooseValue | None:
    """Return the list or the object in ``text``, or ``None``.

    Args:
        text: What a model wrote; words and a code fence around the value are ignored.
        kind: ``list`` or ``dict``.
        closed: Whether all parts of the value are known, so that nothing can be lost if only its
            last bracket is missing.

    Raises:
        CutOff: It ends before the value does.
        Ambiguous: It holds several different values, or can be read in several ways.
    """
    try:
        whole = STRICT.decode(text)
    except Ambiguous:
        raise
    except (ValueError, RecursionError):
        try:
            return _embedded(text, kind, closed)
        except RecursionError:
            return None
    _check_groups(text)
    return LooseValue(whole) if type(whole) is kind else None


def _embedded(text: str, kind: type, closed: bool) -> LooseValue | None:
    spans = _spans(text, kind, closed)
    spans = [span for span in spans if not span.remark] or spans
    if not spans:
        return None
    first = spans[0]
    if any(span.value != first.value for span in spans[1:]):
        raise Ambiguous("it holds several JSON values that differ")
    _check_groups(text[first.start : first.end])
    return LooseValue(first.value, text[: first.start], text[spans[-1].end :])


def _spans(text: str, kind: type, closed: bool) -> list[_Span]:
    """Return the values of that kind that are not inside others.

    If a code fence opens with a value, the words before it are talk.
    """
    fences = [match.end() for match in _FENCED.finditer(text)]
    read = _Readings(text, kind, closed)
    spans: list[_Span] = []
    refused, at = 0, 0
    while (bracket := _BRACKET.search(text, at)) is not None:
        start = bracket.start()
        later = bisect_right(fences, start)
        span = read(start, talk=later < len(fences))
        if span is not None:
            at = span.end
            if type(span.value) is kind:
                _add(spans, span, fences[later - 1 : later] == [start])
            continue
        refused += 1
        if later < len(fences):
            at = fences[later]
        elif _MEANT.match(text, start):
            return []
        else:
            at = start + 1
        if refused > MOST_REFUSED:
            return []
    fenced = set(fences)
    opened = [index for index, span in enumerate(spans) if span.start in fenced]
    return spans[opened[0] :] if opened else spans


def _add(spans: list[_Span], span: _Span, fenced: bool) -> None:
    # A repeated value is kept only once.
    last = spans[-1] if spans else None
    if last is None or fenced or (last.value, last.remark) != (span.value, span.remark):
        spans.append(span)
    else:
        spans[-1] = last._replace(end=span.end)


class _Readings:
    """Reads the values in a text, strictly as long as possible."""

    def __init__(self, text: str, kind: type, closed: bool) -> None:
        self._text = text
        self._bracket = "[" if kind is list else "{"
        self._closed = closed
        self._reader: Reader | None = None

    def __call__(self, start: int, *, talk: bool) -> _Span | None:
        """Return the value that begins at ``start``, or ``None`` if there is none.

        Raises:
            CutOff: It is of the right kind, is not mere ``talk``, and has no end.
            Ambiguous: An object has a key twice, with different values.
        """
        text = self._text
        if self._reader is None:
            try:
                value, end = STRICT.raw_decode(text, start)
            except Ambiguous:
                raise
            except (ValueError, RecursionError):
                # Only once: on failure, the decoder counts all the lines before.
                self._reader = Reader(text)
            else:
                return _Span(value, start, end, remark=False)
        own = text[start] == self._bracket
        try:
            value = self._reader.read(start, closed=self._closed and own)
        except CutOff:
            if own and not talk and _MEANT.match(text, start):
                raise
            return None
        except Malformed:
            return None
        remark = self._reader.words and isinstance(value, list) and len(value) == 1
        return _Span(value, start, self._reader.at, remark)


def _check_groups(text: str) -> None:
    """Check that no comma in a list may be a thousands separator.

    Raises:
        Ambiguous: One may be.
    """
    if not _GROUP.search(text):
        return
    bare = _TEXT.sub('""', text)
    if any(map(_SPLIT.search, _LISTED.findall(bare))):
        raise Ambiguous(_COMMAS)
    for listed in _NUMBERS.findall(bare):
        parts = _SPACED.split(listed.strip("[] \t\r\n"))
        if len(parts) > 1 and any("," in part for part in parts):
            if all(_THOUSANDS.fullmatch(part) for part in parts):
                raise Ambiguous(_COMMAS)
