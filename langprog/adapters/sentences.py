"""The one option that a sentence names, as in "the sentiment of the review is positive".

Read conservatively: a sentence that denies, doubts, compares or asks names nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from langprog.signature import Choice, Maybe, Plain, Shape, without_limits

LONGEST = 1000  # characters; more is no sentence

_EMPHASIS = re.compile(r"[*`\"\u201c\u201d]+|(?<!\w)_+|_+(?!\w)")
_DENIAL = re.compile(
    r"\b(?:not|no|non|never|none|neither|nor|nothing|without|cannot|isnt|hardly|barely|scarcely"
    r"|either|whether|if|unless|except|than|instead|rather|opposite|contrary|lacks?|lacking"
    r"|far from|anything but|fails?|wrong|incorrect|false|unclear|unsure|uncertain|unlikely"
    r"|unknown|maybe|perhaps|possibly|but|however|although|though)\b|n['\u2019]t\b|\?",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"\d")
_FIRST = re.compile(r"\W*(yes|no|true|false)\b\s*(?:[.,;:!\n\u2014\u2013]|-\s|\Z)", re.IGNORECASE)
_OPPOSITE = re.compile(
    r"\b(?:yes|no|true|false|but|however|although|though|unless|except)\b", re.I
)
_TRUE = frozenset({"yes", "true"})


def named_in(shape: Shape, text: str) -> Any:
    """Return what a sentence names as the value of a choice or of true and false.

    Args:
        shape: The type of the only output.
        text: What the model wrote.

    Returns:
        The value, or ``None`` where the sentence names none, or several.
    """
    inner = without_limits(shape)
    if isinstance(inner, Maybe):
        inner = without_limits(inner.of)
    if len(text) > LONGEST:
        return None
    plain = _EMPHASIS.sub(" ", text)
    if inner == Plain(bool):
        return _truth(plain)
    if not isinstance(inner, Choice):
        return None
    polar = {key.casefold(): key for key in inner.choices}
    if polar.keys() in ({"yes", "no"}, {"true", "false"}):
        says = _truth(plain)
        words = ("yes", "true") if says else ("no", "false")
        named = next((polar[word] for word in words if word in polar), None)
        return None if says is None or named is None else inner.choices[named]
    return _choice(inner.choices, plain)


def _choice(choices: Mapping[str, Any], text: str) -> Any:
    pattern = _options(tuple(choices))
    spans = [(match.start(1), match.end(1)) for match in pattern.finditer(text)]
    # Of options inside each other the longest is meant.
    widest = [
        (start, end)
        for start, end in spans
        if not any(a <= start and end <= b and (a, b) != (start, end) for a, b in spans)
    ]
    named = {key for start, end in widest for key in _keys(choices, text, start, end)}
    rest = _outside(text, widest)
    if len(named) != 1 or _DENIAL.search(rest):
        return None
    (key,) = named
    if _DIGIT.search(key) and _DIGIT.search(rest):  # another number: which one is counted?
        return None
    return choices[key]


def _keys(choices: Mapping[str, Any], text: str, start: int, end: int) -> Iterable[str]:
    written = text[start:end]
    if len(written) > 1:
        alike = [key for key in choices if _folded(key) == _folded(written)]
        # "it" is no IT, and "us" no US.
        return [written] if written in choices else [key for key in alike if not _is_short(key)]
    # A letter by itself is an option where it is written as one, and no word of the sentence.
    if written not in choices:
        return []
    closes = not text[end:].strip() or text[end] in ".,;:)]!\n"
    return [written] if written.lower() not in "ai" or closes else [written, ""]


def _is_short(key: str) -> bool:
    return len(key) <= 4 and key.isupper()


def _outside(text: str, spans: Iterable[tuple[int, int]]) -> str:
    parts, at = [], 0
    for start, end in sorted(spans):
        parts.append(text[at:start])
        at = max(at, end)
    return " ".join([*parts, text[at:]])


def _folded(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.casefold())


@lru_cache(maxsize=256)
def _options(options: tuple[str, ...]) -> re.Pattern[str]:
    written = sorted((option for option in options if option.strip()), key=len, reverse=True)
    either = "|".join(
        r"[\s_-]+".join(re.escape(word) for word in re.split(r"[\s_-]+", option) if word)
        for option in written
    )
    # A hyphen or an apostrophe makes a longer word of it; a sign or a point another number.
    return re.compile(
        rf"(?=(?<![\w'\u2019-])(?<!\d[.,])({either or '(?!)'})(?![\w'\u2019-]|[.,]\d|\s?%))",
        re.IGNORECASE,
    )


def _truth(text: str) -> bool | None:
    first = _FIRST.match(text)
    if first is None:
        return None
    rest = text[first.end() :]
    says = first[1].casefold() in _TRUE
    if _OPPOSITE.search(rest) or "?" in rest or (says and _DENIAL.search(rest)):
        return None
    return says
