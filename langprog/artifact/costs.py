"""Limits on small files with large costs: patterns when compiled, samples when drawn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from langprog.errors import ArtifactError

# About 30 bytes each. A single expression of more than 10 MB is refused when it is compiled.
MOST = 30_000_000
MOST_SAMPLES = 10_000
_LARGEST = 300_000
_CLASS = 1_000  # \w, \d, \p{...}: hundreds of ranges of letters
_REPEAT = re.compile(r"\{(\d{0,9})(,?)(\d{0,9})\}")
_SET = re.compile(r"\[\^?\]?(?:[^\]\\]|\\.)*+\]?")


def check_costs(data: Any) -> None:
    """Refuse a program whose patterns or samples would be unreasonably expensive.

    Raises:
        ArtifactError: They would.
    """
    most = max(_counts(data), default=0)
    if most > MOST_SAMPLES:
        raise ArtifactError(
            f"the program draws more than {MOST_SAMPLES:,} samples for one answer: "
            "lower k, and compile again"
        )
    if sum(min(weight(text), _LARGEST) for text in _patterns(data)) > MOST:
        raise ArtifactError(
            "the patterns in the program would need over a gigabyte: langprog did not write it"
        )


def _patterns(data: Any) -> Iterator[str]:
    for part in _objects(data):
        if isinstance(part.get("pattern"), str):
            yield part["pattern"]


def _counts(data: Any) -> Iterator[int]:
    # Only in modules and signals; a user's own settings may have any k.
    for part in _objects(data):
        if isinstance(part.get("k"), int) and ("module" in part or "signal" in part):
            yield part["k"]


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    left = [data]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


def weight(pattern: str) -> int:
    """Return the approximate size of an expression with its repetitions expanded."""
    sums, last, place = [0], 0, 0
    while place < len(pattern):
        repeat = _REPEAT.match(pattern, place)
        if repeat is not None:
            low, _, high = repeat.groups()
            sums[-1] += last * (max(int(low or 1), int(high or 1)) - 1)
            place = repeat.end()
            continue
        sign = pattern[place]
        end = place + (2 if sign == "\\" else 1)
        last = 1
        if sign == "[":
            end = _SET.match(pattern, place).end()  # type: ignore[union-attr]  # it begins so
            last = end - place + _CLASS * pattern.count("\\", place, end)
        elif sign == "\\":
            last = _CLASS if pattern[place + 1 : end].isalpha() else 1
        elif sign == "(":
            sums.append(0)
            last = 0
        elif sign == ")" and len(sums) > 1:
            last = sums.pop()
        sums[-1] += last
        place = end
    return sum(sums)
