"""A panel of judges: no position is preferred, and weights follow from labels."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.lm import Request
from programs.judge import Panel, calibrate, examples, metric

ROW = lp.Example(question="What is 11 plus 12?", first="It is 23.", second="24!", verdict="first")


def judges(compared: Callable[[str, str], str], stars: Callable[[str], int]) -> lp.ScriptedLM:
    """Return a model that compares and rates as told, by what the prompt holds."""

    def reply(request: Request) -> str:
        fields = dict(re.findall(r"\[\[(\w+)\]\]\n(.*)", request.messages[-1].content))
        if "answer" in fields:
            return f"[[stars]]\n{stars(fields['answer'])}"
        return f"[[better]]\n{compared(fields['first'], fields['second'])}"

    return lp.ScriptedLM(reply)


def right(first: str, second: str) -> str:
    return "first" if "23" in first else "second"


def judged(model: lp.ScriptedLM, panel: Panel | None = None) -> lp.Prediction:
    with lp.using(lm=model):
        return (panel or Panel())(**{name: ROW[name] for name in ("question", "first", "second")})


def test_both_judges_are_joined() -> None:
    prediction = judged(judges(right, lambda answer: 5 if "23" in answer else 1))
    assert prediction.verdict == "first" and prediction.votes == {"compared": 1, "rated": 1}
    assert prediction.confidence == pytest.approx(0.881, abs=0.001)
    assert prediction.usage.calls == 4


@pytest.mark.parametrize("position", ["first", "second"])
def test_a_judge_that_prefers_a_position_votes_for_nobody(position: str) -> None:
    model = judges(lambda first, second: position, lambda answer: 3)
    prediction = judged(model)
    assert prediction.votes == {"compared": 0, "rated": 0} and prediction.verdict == "tie"
    assert prediction.confidence == 0.5 and metric(ROW, prediction).value == 0.5
    # The other judge then decides.
    assert judged(judges(lambda a, b: position, lambda a: min(5, len(a)))).verdict == "first"


def test_calibration_trusts_the_judge_that_is_right() -> None:
    # Longer answers look better to the raters, and they are the wrong ones.
    def sums(first: str, second: str) -> str:
        return "first" if first.startswith("It is") else "second"

    model = judges(sums, lambda answer: min(5, len(answer) // 8))
    rows = examples(20)
    with lp.using(lm=model):
        panel = calibrate(Panel(), rows)
        assert panel.weights["compared"] > 2 > -2 > panel.weights["rated"]
        assert lp.evaluate(panel, rows, metric).mean == 1.0
        assert lp.evaluate(Panel(), rows, metric).mean == 0.5


def test_calibration_learns_nothing_from_ties_and_refuses_other_verdicts() -> None:
    rows = examples(10)
    ties = [row.with_(verdict="tie") for row in rows]
    with lp.using(lm=judges(right, lambda answer: 3)):
        weights = calibrate(Panel(), rows).weights
        assert calibrate(Panel(), [*rows, *ties]).weights == weights
        for wrong, said in (
            ([rows[0].with_(verdict="First")], r"rows\[0\] has the verdict 'First'"),
            (ties, "nothing to fit to"),
            ([], "nothing to fit to"),
        ):
            with pytest.raises(InputError, match=said):
                calibrate(Panel(), wrong)
    assert metric(ties[0], lp.Prediction(verdict="tie")).value == 1
    assert metric(ties[0], lp.Prediction(verdict="first")).value == 0
