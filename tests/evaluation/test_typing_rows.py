"""Values of rows are typed by the program's signature where they are used."""

from __future__ import annotations

import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from pydantic import BaseModel

import langprog as lp
from langprog.errors import InputError, LangprogWarning, MetricError
from langprog.signature import FieldSpec, SignatureSpec


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Cat(BaseModel):
    lives: int


def program(annotation: Any, **inputs: Any) -> lp.Predict:
    fields = [FieldSpec(name, "input", kind) for name, kind in {"q": str, **inputs}.items()]
    return lp.Predict(
        SignatureSpec("S", "Do it.", (*fields, FieldSpec("a", "output", annotation)))
    )


@pytest.mark.parametrize(
    ("annotation", "cell", "reply"),
    [
        (int, "7", "7"),
        (float, "2.5", "2.5"),
        (bool, "true", "true"),
        (Decimal, "9.90", "9.90"),
        (datetime.date, "2024-01-05", "2024-01-05"),
        (Team, "billing", "billing"),
        (Cat, {"lives": 9}, '{"lives": 9}'),
        (Cat, '{"lives": 9}', '{"lives": 9}'),
        (list[str], '["a"]', '["a"]'),
        (set[int], [2, 1], "[1, 2]"),
        (tuple[int, str], '[1, "a"]', '[1, "a"]'),
        (int | None, "", "null"),
        (int | Literal["unknown"], "5", "5"),
        (Team, Team.NETWORK, "network"),
    ],
)
def test_labels_equal_what_they_stand_for(annotation: Any, cell: Any, reply: str) -> None:
    rows = [{"q": "x", "a": cell}]
    with lp.using(lm=lp.ScriptedLM([f"[[a]]\n{reply}"])):
        report = lp.evaluate(program(annotation), rows, lambda row, got: row.a == got.a)
    assert report.mean == 1.0
    assert report.rows[0].example == lp.Example(q="x", a=cell)


@pytest.mark.parametrize("label", ["many", ["7", "8"], None, {"a": 1}])
def test_a_label_of_another_type_stays_as_it_is(label: Any) -> None:
    seen = []
    with lp.using(lm=lp.ScriptedLM(["[[a]]\n7"])):
        lp.evaluate(
            program(int), [{"q": "x", "a": label}], lambda row, got: seen.append(row.a) or 1
        )
    assert seen == [label]


def test_labels_that_no_answer_can_equal_are_told() -> None:
    lm = lp.ScriptedLM(lambda request: "[[a]]\n7")
    with lp.using(lm=lm):
        with pytest.warns(LangprogWarning, match="labels 'a' are not of the type"):
            wrong = lp.evaluate(program(int), [{"q": "x", "a": "many"}] * 6, lambda row, got: 0)
        right = lp.evaluate(program(int), [{"q": "x", "a": "7"}] * 6, lambda row, got: 1)
        several = lp.evaluate(program(str), [{"q": "x", "a": ["7", "8"]}] * 6, lambda row, got: 1)
    assert "6 of 6 labels 'a' are not of the type that the program declares (integer)" in (
        wrong.advice
    )
    assert right.advice == several.advice == ""


@pytest.mark.parametrize(
    ("annotation", "label"),
    [(Level, "HIGH"), (Literal["a", "b"], "A"), (str, 7), (datetime.date, "5 May"), (int, 7.5)],
)
def test_a_single_label_that_no_answer_can_equal_is_told(annotation: Any, label: Any) -> None:
    replies = {Level: "2", str: "7", datetime.date: "2024-05-05", int: "7"}
    lm = lp.ScriptedLM(lambda request: f"[[a]]\n{replies.get(annotation, 'a')}")
    rows = [{"q": "x", "a": label}]
    with lp.using(lm=lm), pytest.warns(LangprogWarning, match="1 of 1 labels 'a' are not of"):
        lp.evaluate(program(annotation), rows, lambda row, got: row.a == got.a)


def test_a_metric_that_makes_something_of_a_label_is_believed() -> None:
    lm = lp.ScriptedLM(lambda request: "[[a]]\n7")
    with lp.using(lm=lm):
        report = lp.evaluate(
            program(int), [{"q": "x", "a": "7 or 8"}], lambda row, got: str(got.a) in row.a
        )
    assert report.advice == ""


def test_inputs_are_typed_too() -> None:
    lm = lp.ScriptedLM(lambda request: "[[a]]\n7")
    rows = [{"q": "x", "days": '["2024-01-05"]', "a": "7"}]
    with lp.using(lm=lm):
        report = lp.evaluate(program(int, days=list[datetime.date]), rows, lambda row, got: 1)
        assert report.mean == 1.0
        with pytest.raises(InputError, match="example 1 .*: 'days' does not fit"):
            lp.evaluate(program(int, days=list[datetime.date]), [{**rows[0], "days": "x"}], print)
    assert "2024-01-05" in lm.requests[0].messages[-1].text


def test_an_optional_input_may_be_missing_from_a_row() -> None:
    rows = [{"q": "x", "a": "7"}, {"q": "y", "context": "c", "a": "7"}]
    lm = lp.ScriptedLM(lambda request: "[[a]]\n7")
    with lp.using(lm=lm):
        report = lp.evaluate(program(int, context=str | None), rows, lambda row, got: row.a == 7)
        assert report.mean == 1.0
        with pytest.raises(InputError, match="example 1 .*has no field 'context'"):
            lp.evaluate(program(int, context=str), rows, lambda row, got: 1)


# --- metrics of other libraries ------------------------------------------------------------------


def three(gold: Any, pred: Any, trace: Any) -> float:
    assert trace is None
    return float(gold.a == pred.a)


async def awaited(gold: Any, pred: Any, trace: Any) -> tuple[float, str]:
    return float(gold.a == pred.a), "well done"


def five(gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any) -> Any:
    return lp.Prediction(score=float(gold.a == pred.a), feedback="well done")


@pytest.mark.parametrize(
    "metric",
    [
        three,
        awaited,
        five,
        lambda gold, pred, trace=None: gold.a == pred.a,
        lambda gold, pred: {"score": gold.a == pred.a, "feedback": "well done"},
        lambda gold, pred: (gold.a == pred.a, None),
    ],
)
def test_metrics_of_other_libraries_are_taken(metric: Any) -> None:
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[a]]\n7")):
        report = lp.evaluate(program(int), [{"q": "x", "a": "7"}], metric)
    assert report.mean == 1.0
    score = report.rows[0].score
    assert score is not None and score.feedback in (None, "well done")
    assert report.metric == metric.__qualname__.replace("<locals>.", "")


def test_a_metric_with_too_many_arguments_is_told_where_the_trace_is() -> None:
    with pytest.raises(MetricError, match="prediction.trace"):
        lp.evaluate(program(int), [{"q": "x"}], lambda a, b, c, d: 1)  # type: ignore[arg-type, misc]  # the mistake
