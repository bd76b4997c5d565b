"""Ready-made metrics that compare a field of the prediction with that of the example.

Each is a factory: ``exact("team")`` is a metric. Without a name, a metric compares all fields that
example and prediction share, except ``reasoning``, which has no single right wording. If a field
is text and the example has a list, each item is a right answer.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection
from decimal import Decimal
from typing import Any

from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.errors import InputError, MetricError
from langprog.evaluation.score import Score
from langprog.example import Example
from langprog.knobs import check_argument, takes_number
from langprog.modules import Prediction

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = re.compile(r"[^\w\s]")
_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d[\d,]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|\d+(?:\.\d+)?")
_LONGEST_FEEDBACK = 200

Compare = Callable[[Any, Any], Score]


class FieldMetric:
    """Compares fields by name and takes the mean over them.

    Args:
        name: The metric's name, for reports.
        field: The field, or ``None`` for all that example and prediction share.
        compare: Scores one pair: (wanted, given), both as plain JSON data.

    Raises:
        InputError: The field is not a name.
    """

    def __init__(self, name: str, field: str | None, compare: Compare) -> None:
        if field is not None and not (isinstance(field, str) and field):
            raise InputError(f"{name}({field!r:.60}): give the name of a field, such as 'answer'")
        self.__qualname__ = f"{name}({field!r})" if field else name
        self._field = field
        self._compare = compare

    def __call__(self, example: Example, prediction: Prediction) -> Score:
        """Score ``prediction``.

        Raises:
            MetricError: The example or the prediction lacks the field.
        """
        scores = [
            (name, self._compare(_plain(example[name]), _plain(prediction[name])))
            for name in self._fields(example, tuple(prediction))
        ]
        value = math.fsum(score.value for _, score in scores) / len(scores)
        words = [f"{name}: {score.feedback}" for name, score in scores if score.feedback]
        return Score(value, "; ".join(words) or None)

    def check_row(self, example: Example, outputs: Collection[str] | None) -> None:
        """Check, before anything is paid for, that there will be something to compare.

        Args:
            example: A row of the data.
            outputs: Names of the program's outputs; ``None`` if it does not declare them all.

        Raises:
            MetricError: The example or the outputs lack the field.
        """
        self._fields(example, example.keys() if outputs is None else outputs)

    def _fields(self, example: Example, prediction: Collection[str]) -> list[str]:
        if self._field is None:
            shared = [name for name in prediction if name in example]
            fields = [name for name in shared if name != "reasoning"] or shared
            if not fields:
                raise MetricError(
                    f"{self.__qualname__}: example and prediction share no field "
                    f"({', '.join(example)} against {', '.join(prediction)})"
                )
            return fields
        for what, values in (("example", example), ("prediction", prediction)):
            if self._field not in values:
                raise MetricError(
                    f"{self.__qualname__}: the {what} has no {self._field!r}; "
                    f"it has {', '.join(values) or 'none'}"
                )
        return [self._field]

    def __repr__(self) -> str:
        return self.__qualname__


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):  # sets have no order
        return sorted((_plain(item) for item in value), key=lambda item: json.dumps(item))
    if isinstance(value, Decimal) and value.is_finite():  # 9.90 is 9.9
        return f"{value.normalize():f}"
    try:
        return to_jsonable_python(value)
    except (PydanticSerializationError, ValueError):
        return str(value)


def _best(compare: Compare) -> Compare:
    """Return ``compare`` over every right answer, if there is a list of them for a text."""

    def best(wanted: Any, given: Any) -> Score:
        if not (isinstance(wanted, list) and isinstance(given, str)):
            return compare(wanted, given)
        scores = [compare(answer, given) for answer in wanted]
        value = max((score.value for score in scores), default=0.0)
        return Score(value, None if value == 1.0 else _describe_difference(wanted, given))

    return best


def _describe_difference(wanted: Any, given: Any) -> str:
    return f"answered {_shorten(given)}, wanted {_shorten(wanted)}"


def _shorten(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_FEEDBACK else text[: _LONGEST_FEEDBACK - 3] + "..."


def normalize(value: Any) -> str:
    """Return text without case, punctuation, articles and extra blanks, as in SQuAD."""
    text = _PUNCTUATION.sub(" ", str(value).casefold())
    return " ".join(_ARTICLES.sub(" ", text).split())


# --- exact ---------------------------------------------------------------------------------------


def exact(field: str | None = None) -> FieldMetric:
    """Return a metric: 1 if the values are equal, ignoring case and outer blanks of text.

    A value that the data has as text (a table cell) equals the value itself.
    """

    def compare(wanted: Any, given: Any) -> Score:
        same = _same(wanted, given)
        return Score(float(same), None if same else _describe_difference(wanted, given))

    return FieldMetric("exact", field, _best(compare))


def _same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, str) and not isinstance(given, str):
        return _stands_for(wanted, given)
    if isinstance(given, str) and not isinstance(wanted, str):
        return _stands_for(given, wanted)
    return bool(_fold(wanted) == _fold(given))


def _fold(value: Any) -> Any:
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, list):
        return [_fold(item) for item in value]
    if isinstance(value, dict):
        return {name: _fold(item) for name, item in value.items()}
    return value


def _stands_for(text: str, value: Any) -> bool:
    bare = text.strip().casefold()
    if value is None:
        return bare in ("", "none", "null")
    if isinstance(value, bool):
        return bare == str(value).casefold()
    try:
        read = json.loads(text)
    except ValueError:
        return False
    return not isinstance(read, bool) and bool(_fold(read) == _fold(value))


# --- contains, numeric, f1 -----------------------------------------------------------------------


def contains(field: str | None = None) -> FieldMetric:
    """Return a metric: 1 if the text contains the wanted words, both normalized."""

    def compare(wanted: Any, given: Any) -> Score:
        words, text = normalize(wanted), normalize(given)
        if words:
            inside = f" {words} " in f" {text} "
        else:  # nothing but punctuation or articles
            inside = str(wanted).strip().casefold() in str(given).casefold()
        return Score(float(inside), None if inside else _describe_difference(wanted, given))

    return FieldMetric("contains", field, _best(compare))


def numeric(field: str | None = None, *, tolerance: float = 1e-6) -> FieldMetric:
    """Return a metric: 1 if the last number in the given value is the wanted number.

    Args:
        field: The field.
        tolerance: Largest difference, relative to the wanted number (absolute near zero).

    Raises:
        InputError: The tolerance is not a number from 0 to below 1.
    """
    check_argument("numeric", "tolerance", tolerance, takes_number(0, 1, below=True))

    def compare(wanted: Any, given: Any) -> Score:
        target, number = _number(wanted), _number(given)
        if target is None:
            raise MetricError(f"numeric: the wanted value {_shorten(wanted)} holds no number")
        same = number is not None and math.isclose(
            number, target, rel_tol=tolerance, abs_tol=tolerance
        )
        return Score(float(same), None if same else _describe_difference(wanted, given))

    return FieldMetric("numeric", field, compare)


def _number(value: Any) -> float | None:
    try:
        if isinstance(value, (int, float)):
            return float(value)
        numbers = _NUMBER.findall(str(value).replace("\N{MINUS SIGN}", "-"))
        return float(numbers[-1].replace(",", "")) if numbers else None
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def f1(field: str | None = None) -> FieldMetric:
    """Return a metric: token F1 of the normalized texts, as in SQuAD."""

    def compare(wanted: Any, given: Any) -> Score:
        target, words = normalize(wanted).split(), normalize(given).split()
        common = sum((Counter(target) & Counter(words)).values())
        # F1 = 2PR / (P + R) with P = common / words, R = common / target.
        value = 2 * common / (len(target) + len(words)) if target and words else target == words
        return Score(value, None if value == 1.0 else _describe_difference(wanted, given))

    return FieldMetric("f1", field, _best(compare))
