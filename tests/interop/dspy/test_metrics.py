"""Metrics written for DSPy get its examples and predictions, and may call its modules."""

from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from langprog.evaluation import exact
from optimizers import GEPA
from tests.interop.dspy.programs import answer, dspy
from tests.interop.dspy.toy import toy_model

ROWS = [
    dspy.Example(word=word, kind=kind).with_inputs("word")
    for word, kind in (("a1", "vowel"), ("b2", "other"), ("e3", "other"))
]


def two(example: Any, prediction: Any) -> float:
    return float(example.kind == prediction.kind)


def three(example: Any, prediction: Any, trace: Any) -> bool:
    assert trace is None
    assert isinstance(example, dspy.Example)
    assert isinstance(prediction, dspy.Prediction)
    assert set(example.inputs().keys()) == {"word"}
    return bool(example.labels().kind == prediction.toDict()["kind"])


def five(gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any) -> Any:
    return dspy.Prediction(score=two(gold, pred), feedback=f"It is {gold.kind}.")


def both(example: Any, prediction: Any) -> float:
    assert prediction.usage.calls == len(prediction.trace) == 1
    assert example.to_dict()["word"] == example.word
    return two(example, prediction)


@pytest.mark.parametrize("metric", [two, three, five, both, exact("kind")])
def test_every_form_of_metric_is_taken(metric: Any) -> None:
    with lp.using(lm=toy_model(answer)):
        report = lp.evaluate(lp.from_dspy(dspy.Predict("word -> kind")), ROWS, metric)
    assert [row.score.value for row in report.rows if row.score] == [1.0, 1.0, 0.0]
    if metric is five:
        assert report.rows[2].score is not None
        assert report.rows[2].score.feedback == "It is other."


def test_a_judge_of_dspy_is_paid_for_and_its_outage_is_missing_data() -> None:
    judge = dspy.Predict("word, kind -> size: int")

    def metric(example: Any, prediction: Any) -> float:
        return float(judge(word=example.word, kind=prediction.kind).size) / 2

    program = lp.from_dspy(dspy.Predict("word -> kind"))
    with lp.using(lm=toy_model(answer), budget=lp.Budget(calls=6)) as settings:
        report = lp.evaluate(program, ROWS, metric)
    assert (report.mean, report.judge_calls) == (1.0, 3)
    assert settings.ledgers[-1].paid.calls == 6

    usual = toy_model(answer)._script
    assert callable(usual)
    down = lp.ScriptedLM(
        lambda request: (
            lp.errors.ServerError("down")
            if "`[[ ## size ## ]]`" in request.messages[-1].text
            else usual(request)
        ),
        name="openai/toy",
    )
    with lp.using(lm=down):
        report = lp.evaluate(program, ROWS, metric)
    assert report.n_missing == 3


def test_what_a_program_returns_without_names_is_handed_over_as_it_is() -> None:
    class Plain(dspy.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ask = dspy.Predict("word -> kind")

        def forward(self, word: str) -> str:
            return str(self.ask(word=word).kind)

    with lp.using(lm=toy_model(answer)):
        report = lp.evaluate(lp.from_dspy(Plain()), ROWS, lambda e, said: e.kind == said)
    assert report.mean == pytest.approx(2 / 3)


class Guess(dspy.Module):  # type: ignore[misc]  # DSPy has no types
    def __init__(self) -> None:
        super().__init__()
        self.size = dspy.Predict("word -> size: int")
        self.kind = dspy.Predict("word, size: int -> kind")

    def forward(self, word: str) -> Any:
        return self.kind(word=word, size=self.size(word=word).size)


@pytest.mark.parametrize("fails", [False, True])
def test_gepa_asks_for_feedback_on_the_predictor_that_it_improves(fails: bool) -> None:
    pytest.importorskip("gepa")
    asked = []

    def metric(gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any) -> Any:
        if pred_name is None:
            return dspy.Prediction(score=two(gold, pred), feedback="Of the whole.")
        asked.append(pred_name)
        if fails:
            raise KeyError(pred_name)
        [(_, inputs, outputs)] = pred_trace
        assert [each[2].toDict().keys() for each in trace] == [{"size"}, {"kind"}]
        assert inputs["word"] == gold.word
        return dspy.Prediction(score=0.5, feedback=f"{pred_name} said {outputs.toDict()}.")

    model = toy_model(answer)
    rows = [lp.Example(word=f"b{place}", kind="vowel") for place in range(60)]
    rows = [row.with_(kind="other") if place % 2 else row for place, row in enumerate(rows)]
    with lp.using(lm=model):
        result = GEPA(rounds=2).compile(
            lp.from_dspy(Guess()), rows, metric=metric, seed=1, progress=lambda event: None
        )
    prompts = "\n".join(request.messages[-1].text for request in model.requests)
    assert set(asked) == {"size", "kind"}
    assert ("kind said {'kind': 'other'}." in prompts) is not fails
    assert ("Of the whole." in prompts) is fails
    failed = [note for note in result.report.notes if "when it was asked about" in str(note)]
    assert bool(failed) is fails
