"""Check the knobs of a dataclass against what its fields declare.

A field declares in its metadata what it takes; ``check_knobs``, called by ``__post_init__``,
refuses everything else in one sentence that names the class, the knob, the value and the range::

    @dataclass(frozen=True)
    class Search:
        trials: int | None = field(default=None, metadata=takes_whole(1))
        threshold: float = field(default=0.5, metadata=takes_number(0, 1))

        def __post_init__(self) -> None:
            check_knobs(self)

A field whose default is ``None`` also takes ``None``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from numbers import Integral, Real
from typing import Any, Protocol

from langprog.errors import InputError

KNOB = "langprog.knob"
# Upper ends where a knob has none of its own: beyond them a value is a slip of the keyboard.
MOST_COUNT = 1_000_000
MOST_NUMBER = 10**12
MOST_TOKENS = 10**8


class Rule(Protocol):
    """What a knob takes; its text completes the sentence "it has to be ..."."""

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """Numbers in a range; no NaN, no infinity, no bool.

    Args:
        low: The smallest.
        high: The largest.
        above: Whether ``low`` itself is left out.
        below: Whether ``high`` itself is left out.
        integral: Whether it has to be an integer.
        whole: Whether a real number, such as 1e4, has to be without a fraction.
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    integral: bool = False
    whole: bool = False

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        kind = Integral if self.integral else Real
        if isinstance(value, bool) or not isinstance(value, kind):
            return False
        amount: Any = value
        over = self.low < amount if self.above else self.low <= amount
        under = amount < self.high if self.below else amount <= self.high
        return bool(over and under and not (self.whole and amount % 1))

    def __str__(self) -> str:
        kind = "a whole number" if self.whole or self.integral else "a number"
        start = f"above {self.low:,}" if self.above else f"from {self.low:,}"
        end = f"below {self.high:,}" if self.below else f"up to {self.high:,}"
        if self.above or self.below:
            return f"{kind} {start}, {end}"
        return f"{kind} {start} to {self.high:,}"


@dataclass(frozen=True, slots=True)
class Choices:
    """One of a few words."""

    values: tuple[str, ...]

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        return isinstance(value, str) and value in self.values

    def __str__(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))


@dataclass(frozen=True, slots=True)
class Flag:
    """True or False."""

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        return isinstance(value, bool)

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence of numbers.

    Args:
        item: What each of them may be.
        count: How many there have to be; ``None``: one or more.
    """

    item: Bounds
    count: int | None = None

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        if isinstance(value, str) or not isinstance(value, Sequence):
            return False
        enough = len(value) > 0 if self.count is None else len(value) == self.count
        return enough and all(map(self.item.accepts, value))

    def __str__(self) -> str:
        amount = "one or more values" if self.count is None else f"{self.count} values"
        return f"a list of {amount}, each {self.item}"


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a class."""

    kind: type

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        return isinstance(value, self.kind)

    def __str__(self) -> str:
        return f"a {self.kind.__name__}"


@dataclass(frozen=True, slots=True)
class Texts:
    """Lists of texts by name."""

    def accepts(self, value: Any) -> bool:
        """Return whether the knob takes ``value``."""
        return isinstance(value, Mapping) and all(
            isinstance(name, str)
            and isinstance(texts, Sequence)
            and not isinstance(texts, str)
            and len(texts) > 0
            and all(isinstance(text, str) and text.strip() for text in texts)
            for name, texts in value.items()
        )

    def __str__(self) -> str:
        return "a dict of lists of one or more texts"


def takes_whole(low: int, high: int = MOST_COUNT) -> Mapping[str, Rule]:
    """Return the metadata of a field that takes whole numbers from ``low`` to ``high``."""
    return {KNOB: Bounds(low, high, integral=True)}


def takes_number(
    low: float,
    high: float = MOST_NUMBER,
    *,
    above: bool = False,
    below: bool = False,
    whole: bool = False,
) -> Mapping[str, Rule]:
    """Return the metadata of a field that takes numbers from ``low`` to ``high``.

    Args:
        low: The smallest number.
        high: The largest.
        above: Whether ``low`` itself is left out.
        below: Whether ``high`` itself is left out.
        whole: Whether fractions are refused; 1e4 then counts as 10,000.
    """
    return {KNOB: Bounds(low, high, above=above, below=below, whole=whole)}


def takes_one_of(values: Sequence[str]) -> Mapping[str, Rule]:
    """Return the metadata of a field that takes one of ``values``."""
    return {KNOB: Choices(tuple(values))}


def takes_flag() -> Mapping[str, Rule]:
    """Return the metadata of a field that takes True or False."""
    return {KNOB: Flag()}


def takes_items(item: Mapping[str, Rule], count: int | None = None) -> Mapping[str, Rule]:
    """Return the metadata of a field that takes a list of numbers.

    Args:
        item: What each of them may be: ``takes_whole(...)`` or ``takes_number(...)``.
        count: How many there have to be; ``None``: one or more.
    """
    bounds = item[KNOB]
    assert isinstance(bounds, Bounds)
    return {KNOB: Items(bounds, count)}


def takes_instance(kind: type) -> Mapping[str, Rule]:
    """Return the metadata of a field that takes instances of ``kind``."""
    return {KNOB: Instance(kind)}


def takes_texts() -> Mapping[str, Rule]:
    """Return the metadata of a field that takes lists of texts by name."""
    return {KNOB: Texts()}


def check_knobs(knobs: Any, error: type[InputError] = InputError) -> None:
    """Check the fields of a dataclass instance against the rules in their metadata.

    Raises:
        InputError: A field's value breaks its rule; or the subclass given as ``error``.
    """
    kind: type = type(knobs)
    for name, rule, optional in _list_rules(kind):
        value = getattr(knobs, name)
        if not (optional and value is None):
            check_value(kind.__name__, name, value, rule, optional=optional, error=error)


def check_argument(
    owner: str, name: str, value: Any, takes: Mapping[str, Rule], *, optional: bool = False
) -> None:
    """Check an argument of a class that is not a dataclass.

    Args:
        owner: The class or function that takes it.
        name: The argument.
        value: Its value.
        takes: What it may be: ``takes_whole(...)``, ``takes_number(...)`` and so on.
        optional: Whether ``None`` is taken, too.

    Raises:
        InputError: The value breaks the rule.
    """
    if not (optional and value is None):
        check_value(owner, name, value, takes[KNOB], optional=optional)


def check_value(
    owner: str,
    name: str,
    value: Any,
    rule: Rule,
    *,
    optional: bool = False,
    error: type[InputError] = InputError,
) -> None:
    """Check one value against a rule.

    Args:
        owner: The class or function that takes it.
        name: The knob.
        value: Its value.
        rule: What it may be.
        optional: Whether the sentence offers ``None``.
        error: What is raised.

    Raises:
        InputError: The value breaks the rule; or the subclass given as ``error``.
    """
    if not rule.accepts(value):
        otherwise = " or None" if optional else ""
        raise error(f"{owner}({name}={value!r:.60}): {name} has to be {rule}{otherwise}")


@cache
def _list_rules(kind: type) -> tuple[tuple[str, Rule, bool], ...]:
    return tuple(
        (field.name, field.metadata[KNOB], field.default is None)
        for field in fields(kind)
        if KNOB in field.metadata
    )
