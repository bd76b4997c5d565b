"""What a test of promptfoo asserts about an output, as a metric.

Follows: the assertion types of the same names in https://github.com/promptfoo/promptfoo.
Differs: patterns run on an engine that never backtracks (no look-around, no backreferences), and
blanks around an output do not count, as replies are read without theirs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pydantic_core import to_jsonable_python

from langprog.checks import LONGEST_TEXT, Pattern, Schema
from langprog.errors import InputError, MetricError
from langprog.evaluation import Score
from langprog.example import Example
from langprog.modules import Prediction

ASSERT, THRESHOLD = "assert", "threshold"
SET = "assert-set"
_MOST_OBJECTS = 1_000

# Whether an output fits the value of an assertion.
Fits = Callable[[str, Any], bool]


def text_of(value: Any) -> str:
    """Return a value as JavaScript writes it into a text."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _listed(value: Any) -> list[str]:
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [text_of(part) for part in value]


def _equals(output: str, value: Any) -> bool:
    if isinstance(value, (dict, list)):
        try:
            return bool(json.loads(output) == value)
        except (ValueError, RecursionError):
            return False
    return output == text_of(value).strip()


def _is_json(output: str, value: Any) -> bool:
    try:
        data = json.loads(output)
    except (ValueError, RecursionError):
        return False
    schema = _schema_of(value)
    return schema is None or schema.find_problem(data) is None


def _contains_json(output: str, value: Any) -> bool:
    schema = _schema_of(value)
    decoder = json.JSONDecoder()
    at, tried = 0, 0
    while tried < _MOST_OBJECTS:
        at = min((place for sign in "{[" if (place := output.find(sign, at)) >= 0), default=-1)
        if at < 0:
            return False
        tried += 1
        try:
            data, at = decoder.raw_decode(output, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if schema is None or schema.find_problem(data) is None:
            return True
    return False


def _regex(output: str, value: Any) -> bool:
    return len(output) <= LONGEST_TEXT and _pattern(value).search(output)


@lru_cache(maxsize=256)
def _pattern(text: str) -> Pattern:
    return Pattern(text, whole=False)


def _schema_of(value: Any) -> Schema | None:
    return None if value in (None, "") else _schema(json.dumps(value))


@lru_cache(maxsize=256)
def _schema(text: str) -> Schema:
    return Schema(json.loads(text))


TYPES: Mapping[str, Fits] = MappingProxyType(
    {
        "equals": _equals,
        "contains": lambda output, value: text_of(value) in output,
        "icontains": lambda output, value: text_of(value).lower() in output.lower(),
        "contains-any": lambda output, value: any(part in output for part in _listed(value)),
        "contains-all": lambda output, value: all(part in output for part in _listed(value)),
        "icontains-any": lambda output, value: any(
            part.lower() in output.lower() for part in _listed(value)
        ),
        "icontains-all": lambda output, value: all(
            part.lower() in output.lower() for part in _listed(value)
        ),
        "starts-with": lambda output, value: output.startswith(text_of(value)),
        "regex": _regex,
        "is-json": _is_json,
        "contains-json": _contains_json,
    }
)
"""The types of assertions that are understood, also with ``not-`` before them."""

_LISTS = ("contains-any", "contains-all", "icontains-any", "icontains-all")


def check_value(kind: str, value: Any) -> None:
    """Check the value of an assertion before anything is paid.

    Args:
        kind: The type, without ``not-``.
        value: The value.

    Raises:
        InputError: It does not fit the type.
    """
    if kind == "regex":
        if not isinstance(value, str):
            raise InputError(f"regex takes a text, not {value!r:.40}")
        _pattern(value)
    elif kind.endswith("-json"):
        _schema_of(value)
    elif kind in _LISTS:
        if not value or not isinstance(value, (str, list)):
            raise InputError(f"{kind} takes a list of texts, not {value!r:.40}")
    elif kind == "equals":
        if value is None:
            raise InputError("equals takes a value")
    elif value in (None, "") or isinstance(value, (bool, dict, list)):
        raise InputError(f"{kind} takes a text, not {value!r:.40}")


def promptfoo(field: str | None = None) -> PromptfooMetric:
    """Return a metric: 1 if an output passes the test of its row, as promptfoo decides.

    A test passes if all its assertions hold, or, with a threshold, if the weighted share of those
    that hold reaches it.
    """
    return PromptfooMetric(field)


class PromptfooMetric:
    """Scores a prediction by the column ``assert`` of its example.

    Args:
        field: The prediction's field; ``None`` for its only one.
    """

    def __init__(self, field: str | None) -> None:
        self.__qualname__ = f"promptfoo({field!r})" if field else "promptfoo"
        self._field = field

    def __call__(self, example: Example, prediction: Prediction) -> Score:
        """Score ``prediction`` with 0 or 1.

        Raises:
            MetricError: The example has no assertions, or it is not clear which field is meant.
        """
        asserts = self._assertions(example)
        output = text_of(to_jsonable_python(prediction[self._name(tuple(prediction))])).strip()
        try:
            passes, _, failed = judge(output, asserts, example.get(THRESHOLD))
        except (InputError, KeyError, TypeError, AttributeError) as error:
            raise MetricError(
                f"{self.__qualname__}: an assertion cannot be read: {error}"
            ) from None
        return Score(float(passes), None if passes else f"answered {output!r:.200}; {failed}")

    def check_row(self, example: Example, outputs: Collection[str] | None) -> None:
        """Check that the example has assertions, and the program the field.

        Args:
            example: A row of the data.
            outputs: Names of the program's outputs; ``None`` if it does not declare them all.

        Raises:
            MetricError: One of them has not.
        """
        self._assertions(example)
        if outputs is not None:
            self._name(outputs)

    def _assertions(self, example: Example) -> list[Any]:
        asserts = example.get(ASSERT)
        if not isinstance(asserts, list) or not asserts:
            raise MetricError(f"{self.__qualname__}: the example has no assertions in {ASSERT!r}")
        return asserts

    def _name(self, prediction: Collection[str]) -> str:
        names = [name for name in prediction if name != "reasoning"]
        name = self._field or (names[0] if len(names) == 1 else "")
        if name not in prediction:
            raise MetricError(
                f"{self.__qualname__}: the prediction has the fields {', '.join(names)}: say "
                f"which is meant, promptfoo:{names[0] if names else 'answer'}"
            )
        return name

    def __repr__(self) -> str:
        return self.__qualname__


def judge(
    output: str, asserts: Sequence[Mapping[str, Any]], threshold: float | None
) -> tuple[bool, float, str]:
    """Return whether an output passes, the weighted share that holds, and what does not.

    Args:
        output: The output.
        asserts: The assertions; those of type ``assert-set`` have assertions of their own.
        threshold: The share that has to hold; ``None`` for all.
    """
    held, weights, failed = 0.0, 0.0, []
    for each in asserts:
        weight = float(each.get("weight", 1))
        kind = str(each["type"])
        if kind == SET:
            holds, share, why = judge(output, each["assert"], each.get(THRESHOLD))
        else:
            bare = kind.removeprefix("not-")
            holds = TYPES[bare](output, each.get("value")) != (kind != bare)
            share, why = float(holds), f"wanted {kind} {each.get('value', '')!r:.200}"
        held += share * weight
        weights += weight
        if not holds:
            failed.append(why)
    score = held / weights if weights else 0.0
    passes = not failed if threshold is None else score >= threshold
    return passes, score, "; ".join(failed) or f"{score:.2f} is below the threshold"
