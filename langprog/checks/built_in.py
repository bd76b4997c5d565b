"""The functions that make the built-in checks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Set
from types import MappingProxyType
from typing import Any

from langprog.checks.check import Check, Level
from langprog.checks.patterns import Pattern
from langprog.checks.rules import (
    UNITS,
    InRange,
    JSONSchema,
    Length,
    NoPersonalData,
    OneOf,
    Regex,
    Unit,
)
from langprog.checks.schemas import Schema
from langprog.errors import InputError
from langprog.hints import Words, with_hints
from langprog.knobs import check_argument, takes_one_of, takes_whole

# Words for arguments of checks that are used elsewhere.
_ELSEWHERE: Words = MappingProxyType(
    {
        **dict.fromkeys(("max", "maximum", "max_length"), "write most=, or high="),
        **dict.fromkeys(("min", "minimum", "min_length"), "write least=, or low="),
        **dict.fromkeys(("choices", "options", "allowed"), "write values="),
        "error": "write message=",
        "severity": "write level=, 'require' or 'suggest'",
    }
)
# Most values that one_of takes.
MOST_VALUES = 10_000


@with_hints(_ELSEWHERE)
def regex(
    field: str,
    pattern: str,
    message: str | None = None,
    *,
    whole: bool = True,
    level: Level = "require",
) -> Check:
    """Check that a text, or every text of a list, matches a pattern.

    Patterns have RE2's syntax: no look-around, no backreferences, no flag ``x``. A pattern has at
    most 1,000 characters with its repetitions written out (a class or a set counts as one), and
    texts of more than 50,000 characters fail; so no pattern takes more than seconds.

    Args:
        field: The field to look at.
        pattern: The pattern, such as ``"[A-Z]{3}-[0-9]+"``.
        message: What the model is told; by default the pattern.
        whole: Whether the whole text has to match, or a part of it suffices.
        level: ``require`` or ``suggest``.

    Raises:
        InputError: The pattern cannot be used.
    """
    if not isinstance(whole, bool):
        raise InputError(f"whole of lp.checks.regex must be True or False, not {whole!r:.60}")
    rule = Regex(_check_field(field, "regex"), Pattern(pattern, whole))
    return Check.of_rule(rule, message, level)


@with_hints(_ELSEWHERE)
def in_range(
    field: str,
    low: float | None = None,
    high: float | None = None,
    message: str | None = None,
    *,
    level: Level = "require",
) -> Check:
    """Check that a number, or every number of a list, lies between two bounds.

    Args:
        field: The field to look at.
        low: The smallest number that passes; ``None`` for no bound.
        high: The largest number that passes; ``None`` for no bound.
        message: What the model is told; by default the bounds and the number.
        level: ``require`` or ``suggest``.

    Raises:
        InputError: There is no bound, or the bounds are not numbers in order.
    """
    for name, bound in (("low", low), ("high", high)):
        if bound is not None and not _is_number(bound):
            raise InputError(f"{name} of lp.checks.in_range must be a number, not {bound!r:.60}")
    _check_span(low, high, "in_range", "low", "high")
    return Check.of_rule(InRange(_check_field(field, "in_range"), low, high), message, level)


@with_hints(_ELSEWHERE)
def length(
    field: str,
    least: int | None = None,
    most: int | None = None,
    message: str | None = None,
    *,
    unit: Unit = "characters",
    level: Level = "require",
) -> Check:
    """Check the length of a text or of a list.

    Args:
        field: The field to look at.
        least: The smallest length that passes; ``None`` for no bound.
        most: The largest length that passes; ``None`` for no bound.
        message: What the model is told; by default the bounds and the length.
        unit: ``characters``, ``words`` (separated by white space) or ``items`` of a list.
        level: ``require`` or ``suggest``.

    Raises:
        InputError: There is no bound, or an argument is invalid.
    """
    check_argument("lp.checks.length", "unit", unit, takes_one_of(UNITS))
    for name, bound in (("least", least), ("most", most)):
        check_argument("lp.checks.length", name, bound, takes_whole(0), optional=True)
    _check_span(least, most, "length", "least", "most")
    return Check.of_rule(Length(_check_field(field, "length"), least, most, unit), message, level)


@with_hints(_ELSEWHERE)
def one_of(
    field: str,
    values: Iterable[str | int | float | bool],
    message: str | None = None,
    *,
    level: Level = "require",
) -> Check:
    """Check that a value, or every value of a list, is one of those listed.

    For a fixed set of labels, a field of type ``Literal`` is better: the model then sees them.

    Args:
        field: The field to look at.
        values: Texts, numbers or bools.
        message: What the model is told; by default the first 20 values.
        level: ``require`` or ``suggest``.

    Raises:
        InputError: There are no values, too many, or values of another type.
    """
    # A set has another order in each process, and with it another message and another digest.
    if isinstance(values, (str, Mapping, Set)) or not isinstance(values, Iterable):
        raise InputError(f"values of lp.checks.one_of must be a list, not {values!r:.60}")
    listed = tuple(values)
    if not 1 <= len(listed) <= MOST_VALUES:
        raise InputError(
            f"lp.checks.one_of takes 1 to {MOST_VALUES:,} values, not {len(listed):,}"
        )
    for value in listed:
        if type(value) not in (str, int, bool) and not _is_number(value):
            raise InputError(f"lp.checks.one_of takes texts, numbers and bools, not {value!r:.60}")
    return Check.of_rule(OneOf(_check_field(field, "one_of"), listed), message, level)


@with_hints(_ELSEWHERE)
def json_schema(
    field: str,
    schema: Mapping[str, Any] | bool,
    message: str | None = None,
    *,
    level: Level = "require",
) -> Check:
    """Check that a value, or the JSON in a text, follows a JSON schema.

    Needs ``pip install 'langprog[schema]'``. Nothing is fetched; a schema may refer to its own
    parts (``#/...``), but not to itself, and comes to at most 5,000 parts with its references
    and patterns written out; JSON of more than 50,000 characters fails. Where the field's type can
    say it (a pydantic model), that is better: the model then sees it.

    Args:
        field: The field to look at.
        schema: The schema, as plain JSON data.
        message: What the model is told; by default the first error.
        level: ``require`` or ``suggest``.

    Raises:
        InputError: The schema is invalid, too large or not supported.
    """
    rule = JSONSchema(_check_field(field, "json_schema"), Schema(schema))
    return Check.of_rule(rule, message, level)


@with_hints(_ELSEWHERE)
def no_pii(field: str, message: str | None = None, *, level: Level = "require") -> Check:
    """Check that no text of a value contains personal data, as far as its form gives it away.

    Detected are: e-mail addresses; phone numbers in international form (``+44 20 7946 0958``) and
    in the American form (``555-010-9999``); payment card numbers with a right Luhn checksum; IBANs
    with a right checksum; American social security numbers (``078-05-1120``); IPv4 addresses.
    Names, postal addresses, birthdays and the like are not: what only the meaning gives away needs
    a check of your own. Texts of more than 50,000 characters fail.

    Args:
        field: The field to look at.
        message: What the model is told; by default the kind of data, never the data itself.
        level: ``require`` or ``suggest``.
    """
    return Check.of_rule(NoPersonalData(_check_field(field, "no_pii")), message, level)


def _check_field(field: Any, owner: str) -> str:
    if not isinstance(field, str) or not field:
        raise InputError(f"field of lp.checks.{owner} must be a field's name, not {field!r:.60}")
    return field


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _check_span(low: Any, high: Any, owner: str, lowest: str, highest: str) -> None:
    if low is None and high is None:
        raise InputError(f"lp.checks.{owner} needs {lowest}= or {highest}=")
    if low is not None and high is not None and low > high:
        raise InputError(
            f"{lowest} of lp.checks.{owner} is {low}, above {highest}, which is {high}"
        )
