"""The built-in checks: plain data that artifacts store in full; ``None`` passes all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from pydantic_core import to_jsonable_python

from langprog.checks.patterns import LONGEST_TEXT, Pattern
from langprog.checks.personal_data import kinds_in
from langprog.checks.schemas import Schema

Unit = Literal["characters", "words", "items"]
UNITS = ("characters", "words", "items")
# Most values that a message names.
SHOWN = 20


@dataclass(frozen=True)
class Regex:
    """A text, or every text of a list, matches a pattern."""

    field: str
    pattern: Pattern
    kind = "regex"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        return {"pattern": self.pattern.text, "whole": self.pattern.whole}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        left = LONGEST_TEXT
        for text in _texts_in(value):
            left -= len(text)
            if left < 0:
                return _too_long(self.field)
            if not self.pattern.search(text):
                verb = "match" if self.pattern.whole else "contain"
                return f"{self.field} must {verb} the pattern {self.pattern.text}"
        return None


@dataclass(frozen=True)
class InRange:
    """A number, or every number of a list, lies between two bounds."""

    field: str
    low: float | None
    high: float | None
    kind = "in_range"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        return {"low": self.low, "high": self.high}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        for number in _parts_of(value):
            if isinstance(number, bool) or not isinstance(number, (int, float, Decimal)):
                return f"{self.field} must be a number"
            # Written so that NaN fails.
            if not (
                (self.low is None or number >= self.low)
                and (self.high is None or number <= self.high)
            ):
                return f"{self.field} must be {_span(self.low, self.high)}, not {number}"
        return None


@dataclass(frozen=True)
class Length:
    """A text or a list has a length between two bounds."""

    field: str
    least: int | None
    most: int | None
    unit: Unit
    kind = "length"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        return {"least": self.least, "most": self.most, "unit": self.unit}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        if value is None:
            return None
        plain = _plain(value)
        if self.unit == "items":
            has = len(plain) if isinstance(plain, (list, dict)) else 1
        else:
            text = plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
            has = len(text) if self.unit == "characters" else len(text.split())
        if (self.least is None or has >= self.least) and (self.most is None or has <= self.most):
            return None
        return f"{self.field} must have {_span(self.least, self.most)} {self.unit}; it has {has}"


@dataclass(frozen=True)
class OneOf:
    """A value, or every value of a list, is one of those listed."""

    field: str
    values: tuple[str | int | float | bool, ...]
    kind = "one_of"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        return {"values": list(self.values)}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        known = {(type(each), each) for each in self.values}
        for part in _parts_of(_plain(value)):
            if not isinstance(part, (str, int, float)) or (type(part), part) not in known:
                shown = ", ".join(map(str, self.values[:SHOWN]))
                more = f" and {len(self.values) - SHOWN} more" if len(known) > SHOWN else ""
                return f"{self.field} must be one of {shown}{more}"
        return None


@dataclass(frozen=True, eq=False)
class JSONSchema:
    """A value, or the JSON in a text, follows a schema."""

    field: str
    schema: Schema
    kind = "json_schema"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data."""
        return {"schema": self.schema.plain}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value."""
        if value is None:
            return None
        try:
            data = _plain(value)
            text = data if isinstance(data, str) else json.dumps(data)
            if len(text) > LONGEST_TEXT:
                return _too_long(self.field)
            data = json.loads(text)
        except (ValueError, RecursionError):
            return f"{self.field} must be JSON"
        problem = self.schema.find_problem(data)
        return None if problem is None else f"{self.field} does not follow its schema: {problem}"


@dataclass(frozen=True)
class NoPersonalData:
    """No text of a value contains personal data."""

    field: str
    kind = "no_pii"

    def options(self) -> dict[str, Any]:
        """Return its other arguments as plain JSON data: none."""
        return {}

    def find_problem(self, value: Any) -> str | None:
        """Return what is wrong with a value; never the data itself."""
        left = LONGEST_TEXT
        for text in _texts_in(value):
            left -= len(text)
            if left < 0:
                return _too_long(self.field)
            kind = next(kinds_in(text), None)
            if kind is not None:
                return f"{self.field} contains {kind}: leave out personal data"
        return None


# --- reading values ------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Return a value as plain JSON data: an Enum's value, a model's fields, a date's text."""
    return to_jsonable_python(value, fallback=str)


def _parts_of(value: Any) -> Iterator[Any]:
    """Yield the items of a list or the like, or the value itself; nothing for ``None``."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _parts_of(item)
    elif value is not None:
        yield value


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a value; numbers and the like as text."""
    waiting = [_plain(value)]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, dict):
            waiting.extend([*part, *part.values()])
        elif isinstance(part, list):
            waiting.extend(part)
        elif part is not None:
            yield part if isinstance(part, str) else json.dumps(part)


def _too_long(field: str) -> str:
    return f"{field} must have at most {LONGEST_TEXT:,} characters"


def _span(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high:,}"
    if high is None:
        return f"at least {low:,}"
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
