"""A metric that would not find its field is refused before anything is paid for."""

from __future__ import annotations

from typing import Any

import pytest

import langprog as lp
from langprog.errors import MetricError
from langprog.evaluation import all_of, contains, exact, f1, macro_f1
from langprog.interop import match, promptfoo
from optimizers import LabeledFewShot

ROWS = [lp.Example(question=f"question {n}", answer="yes") for n in range(40)]
PROGRAM = lp.Predict("question -> answer, reason")


class Asker(lp.Module):
    def __init__(self) -> None:
        self.ask = lp.Predict("question -> answer, reason")

    def forward(self, question: str) -> lp.Prediction:
        return self.ask(question=question)


class Counted:
    def __init__(self) -> None:
        self.calls = 0
        self.lm = lp.ScriptedLM(self.reply)

    def reply(self, request: object) -> str:
        self.calls += 1
        return "[[answer]]\nyes\n\n[[reason]]\nso it is"


@pytest.fixture
def counted() -> Counted:
    return Counted()


def own(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(prediction.answer == example.answer)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (exact("label"), "the example has no 'label'; it has question, answer"),
        (contains("label"), "the example has no 'label'"),
        (macro_f1("label"), "the example has no 'label'"),
        (all_of(own, f1("label"), weights=[1, 1]), "the example has no 'label'"),
        (match("label"), "the prediction has no 'label'"),
        (promptfoo("answer"), "the example has no assertions"),
        (match(None), "say which is compared"),
    ],
)
def test_a_field_that_rows_lack_costs_nothing(metric: Any, message: str, counted: Counted) -> None:
    with pytest.raises(MetricError, match=message) as caught:
        lp.evaluate(PROGRAM, ROWS, metric, lm=counted.lm)
    assert "example 1 (question='question 0')" in str(caught.value)
    assert counted.calls == 0


@pytest.mark.parametrize(
    ("metric", "row"),
    [
        (match("answer"), {"label": "yes"}),
        (match("answer"), {"ideal": 7}),
        (promptfoo("answer"), {"assert": []}),
        (all_of(exact("label"), match("answer")), {"label": "yes"}),
    ],
)
def test_a_program_that_declares_no_outputs_costs_nothing_either(
    metric: Any, row: dict[str, Any], counted: Counted
) -> None:
    with pytest.raises(MetricError, match="cannot score example 1"):
        lp.evaluate(Asker(), [lp.Example(question="q", **row)], metric, lm=counted.lm)
    assert counted.calls == 0


def test_a_list_of_right_answers_may_have_a_name_of_its_own(counted: Counted) -> None:
    rows = [lp.Example(question="q", ideal=["no", "yes"])]
    assert lp.evaluate(PROGRAM, rows, match("answer"), lm=counted.lm).mean == 1.0


def test_a_field_that_the_program_lacks_costs_nothing(counted: Counted) -> None:
    rows = [row.with_(label="yes") for row in ROWS]
    with pytest.raises(MetricError, match="the prediction has no 'label'; it has answer, reason"):
        lp.evaluate(PROGRAM, rows, exact("label"), lm=counted.lm)
    assert counted.calls == 0


def test_the_row_without_a_label_is_named(counted: Counted) -> None:
    rows = [*ROWS, lp.Example(question="without"), *ROWS]
    with pytest.raises(MetricError, match=r"example 41 \(question='without'\)"):
        lp.evaluate(PROGRAM, rows, exact("answer"), lm=counted.lm)
    assert counted.calls == 0


@pytest.mark.parametrize("program", [PROGRAM, Asker()])
def test_a_compile_names_the_users_row(program: lp.Module, counted: Counted) -> None:
    rows = [*ROWS[20:], lp.Example(question="without")]
    with (
        lp.using(lm=counted.lm),
        pytest.raises(MetricError, match=r"holdout\[20\]: exact\('answer'\): the example has no"),
    ):
        LabeledFewShot().compile(
            program, ROWS[:10], valset=ROWS[10:20], holdout=rows, metric=exact("answer")
        )
    assert counted.calls == 0


def test_rows_that_only_make_demonstrations_need_no_label(counted: Counted) -> None:
    train = [lp.Example(question=f"only a question {n}") for n in range(3)] + ROWS[:10]
    with lp.using(lm=counted.lm):
        compiled = LabeledFewShot().compile(
            Asker(), train, valset=ROWS[10:20], holdout=ROWS[20:], metric=exact("answer")
        )
    assert compiled.certificate.finding != "better"


def test_modules_of_ones_own_may_return_more_than_they_declare(counted: Counted) -> None:
    class More(Asker):
        signature = "question -> answer"

        def forward(self, question: str) -> lp.Prediction:
            answer = self.ask(question=question).answer
            return lp.Prediction(answer=answer, label=answer.upper())

    rows = [row.with_(label="YES") for row in ROWS]
    assert lp.evaluate(More(), rows, exact("label"), lm=counted.lm).mean == 1.0
