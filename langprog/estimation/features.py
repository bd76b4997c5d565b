"""What a program's rows look like: few features with few values each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from langprog.errors import InputError
from langprog.example import Example
from langprog.modules import Prediction

Features = Callable[[Example, Prediction], Mapping[str, Any] | Any]

# A feature with more values is divided into ranges.
MOST_VALUES, RANGES = 8, 4
# A value that fewer labelled rows have is put together with others like it.
FEWEST = 5
RARE = "(rare)"
ABSENT = "(absent)"


def default_features(example: Example, prediction: Prediction) -> dict[str, Any]:
    """Return all inputs and outputs of a row."""
    return {**example, **{f"output {name}": value for name, value in prediction.items()}}


def read_features(
    rows: Sequence[tuple[Example, Prediction | None]], features: Features, inputs: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the features of rows; those without a prediction have none but that.

    Args:
        rows: Examples, each with what the program returned; ``None`` where it failed.
        features: Gives them by name, or a single value.
        inputs: What the program sees of an example; nothing else is a feature by default.

    Raises:
        InputError: A feature is neither text nor a number.
    """
    seen = []
    for example, prediction in rows:
        values: dict[str, Any] = {"answered": prediction is not None}
        if prediction is not None:
            shown = example
            if features is default_features:
                shown = Example(**{name: example[name] for name in inputs if name in example})
            given = features(shown, prediction)
            more = given if isinstance(given, Mapping) else {"feature": given}
            values |= {str(name): _plain(name, value) for name, value in more.items()}
        seen.append(values)
    return seen


def _plain(name: Any, value: Any) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Real):
        if value != value:
            raise InputError(f"the feature {name!r} is nan: give a number, a text or None")
        return float(value)
    return str(value)


def code_features(
    labelled: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]]
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the value of every feature of every row as one of few texts, by feature.

    Numbers with many values are divided into ranges with as many labelled rows in each, and so are
    texts with many values, by their length. A feature that has one value everywhere is left out.
    """
    names = dict.fromkeys(name for row in labelled for name in row)
    first, second = {}, {}
    for name in names:
        values = [row.get(name, ABSENT) for row in labelled]
        more = [row.get(name, ABSENT) for row in others]
        code = _coder(values)
        coded = [code(value) for value in values]
        counts = Counter(coded)
        kept = {value for value, count in counts.items() if count >= FEWEST}
        coded, rest = (
            [value if value in kept else RARE for value in each]
            for each in (coded, [code(value) for value in more])
        )
        if len({*coded, *rest}) > 1:
            first[name], second[name] = coded, rest
    return first, second


def _coder(values: Sequence[Any]) -> Callable[[Any], str]:
    """Return what makes one of few texts of a value."""
    if len(set(map(str, values))) <= MOST_VALUES:
        return str
    numbers = [value for value in values if isinstance(value, float)]
    by_length = len(numbers) < len(values) / 2
    sizes = [float(len(str(value))) for value in values] if by_length else numbers
    ordered = sorted(sizes)
    edges = [ordered[len(ordered) * cut // RANGES] for cut in range(1, RANGES)]

    def code(value: Any) -> str:
        if not by_length and not isinstance(value, float):
            return str(value)
        size = float(len(str(value))) if by_length else value
        place = sum(size >= edge for edge in edges)
        low = "" if place == 0 else f"{edges[place - 1]:g} <= "
        high = "" if place == len(edges) else f" < {edges[place]:g}"
        return f"{low}{'length' if by_length else 'value'}{high}"

    return code
