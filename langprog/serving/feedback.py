"""What a client says later about an answer: what was right, or how good it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langprog.errors import InputError
from langprog.evaluation import Range
from langprog.serving.interface import Interface
from langprog.serving.kept_answers import Place
from langprog.serving.refusals import Refusal, wrong_input

_NAMES = frozenset({"request_id", "row", "expected", "score"})


@dataclass(frozen=True)
class Feedback:
    """What is said about an answer; either ``expected`` or ``score``.

    Args:
        place: Which answer.
        expected: The right outputs, and whatever else the metric reads.
        score: How good the answer was.
    """

    place: Place
    expected: Mapping[str, Any] | None
    score: float | None


def feedback_schema(output_schema: Mapping[str, Any], score_range: Range | None) -> dict[str, Any]:
    """Return the JSON schema of feedback.

    Args:
        output_schema: The schema of the program's outputs.
        score_range: The range of scores; ``None`` where only the right outputs are of use.
    """
    fields = output_schema.get("properties", {})
    expected = {"type": "object", "minProperties": 1, "properties": fields}
    if "$defs" in output_schema:
        expected["$defs"] = output_schema["$defs"]
    schema: dict[str, Any] = {
        "type": "object",
        "required": ["request_id"],
        "properties": {
            "request_id": {"type": "string", "minLength": 1},
            "row": {"type": "integer", "minimum": 0},
            "expected": expected,
        },
        "additionalProperties": False,
    }
    if score_range is None:
        schema["required"].append("expected")
        return schema
    low, high = score_range
    schema["properties"]["score"] = {"type": "number", "minimum": low, "maximum": high}
    schema["oneOf"] = [{"required": ["expected"]}, {"required": ["score"]}]
    return schema


def read_feedback(data: Any, interface: Interface, score_range: Range) -> Feedback:
    """Return feedback from the JSON of a request.

    Args:
        data: The JSON.
        interface: What the program takes and returns.
        score_range: The range of scores.

    Raises:
        Refusal: It is not feedback, or a value does not fit the program's output.
    """
    if not isinstance(data, dict):
        raise _wrong("the body must be a JSON object: request_id, and expected or score")
    for name in data:
        if name not in _NAMES:
            raise _wrong(f"feedback has no {name!r:.80}", name[:80])
    request_id, row = data.get("request_id"), data.get("row")
    if not isinstance(request_id, str) or not request_id:
        raise _wrong("'request_id' names the answer: the one that it came with", "request_id")
    if isinstance(row, float) and row.is_integer():  # to a JSON schema, 2.0 is an integer
        row = int(row)
    if "row" in data and (not isinstance(row, int) or isinstance(row, bool) or row < 0):
        raise _wrong("'row' is the number of the row in its batch", "row")
    if ("expected" in data) == ("score" in data):
        raise _wrong("give either 'expected', the right outputs, or 'score'")
    if "score" in data:
        return Feedback((request_id, row), None, _read_score(data["score"], score_range))
    return Feedback((request_id, row), _read_expected(data["expected"], interface), None)


def _read_score(value: Any, score_range: Range) -> float:
    low, high = score_range
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise _wrong(f"'score' is a number from {low:g} to {high:g}", "score")
    return float(value)


def _read_expected(values: Any, interface: Interface) -> dict[str, Any]:
    if not isinstance(values, dict) or not values:
        raise _wrong("'expected' is a JSON object with the right outputs", "expected")
    expected = {}
    for name, value in values.items():
        if name in interface.names:
            raise _wrong(f"{name!r:.80} is an input, which is known already", name[:80])
        field = interface.outputs.get(name)
        try:
            expected[name] = value if field is None else field.validate(value)
        except InputError as error:
            raise wrong_input(error, name) from None
        except RecursionError:
            raise _wrong("'expected' is nested too deeply", name) from None
    return expected


def _wrong(message: str, field: str | None = None) -> Refusal:
    return Refusal(422, "invalid_input", message, field=field)
