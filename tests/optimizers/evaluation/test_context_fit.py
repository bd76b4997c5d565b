from __future__ import annotations

import asyncio

import pytest

import langprog as lp
from langprog.errors import ContextWindowError
from optimizers import BootstrapRandomSearch, LabeledFewShot
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.context_fit import ContextFit
from optimizers.evaluation.scoring import Scoring

ROWS = [lp.Example(ticket=f"{'word ' * 40}ticket {n}", team="ab"[n % 2]) for n in range(80)]
PROGRAM = lp.Predict("ticket -> team")


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def size(request: lp.Request) -> int:
    return sum(len(str(message.content)) for message in request.messages)


def narrow(most: int) -> lp.ScriptedLM:
    def reply(request: lp.Request) -> str | Exception:
        if size(request) > most:
            return ContextWindowError("maximum context length exceeded", model="s")
        return "[[team]]\na"

    return lp.ScriptedLM(reply)


def fit(lm: lp.ScriptedLM, *counts: int) -> list[tuple[int, str]]:
    fitting = ContextFit(PROGRAM, ROWS[:10], Scoring(right))

    async def fit_all() -> list[tuple[int, str]]:
        results = []
        for count in counts:
            demos = tuple(row for row in ROWS[20 : 20 + count])
            candidate = Candidate.of(PROGRAM, {"predict.demos": demos}, f"{count} demos")
            fitted, said = await fitting.halve_until_it_fits(candidate)
            results.append((len(fitted.parameters.get("predict.demos", ())), said))
        return results

    with lp.using(lm=lm):
        return asyncio.run(fit_all())


def test_demonstrations_are_halved_until_they_fit() -> None:
    lm = narrow(1_500)
    ((kept, said),) = fit(lm, 16)
    assert kept == 4
    assert said == ("16 demonstrations do not fit into the model's context window: 4 are kept")
    assert lm.calls == 3


def test_what_is_known_not_to_fit_is_not_tried_again() -> None:
    lm = narrow(1_500)
    assert [kept for kept, _ in fit(lm, 16, 16, 12, 4)] == [4, 4, 3, 4]
    assert lm.calls == 3 + 1  # 6 of 12 are a new length; 4 and 3 are known to fit


def test_short_demonstrations_and_those_known_to_fit_cost_nothing() -> None:
    lm = narrow(10**9)
    assert [kept for kept, _ in fit(lm, 2, 20, 19, 20)] == [2, 20, 19, 20]
    assert lm.calls == 1


def test_where_nothing_fits_no_demonstration_is_left() -> None:
    ((kept, said),) = fit(narrow(10), 9)
    assert kept == 0 and said.endswith("0 are kept")


@pytest.mark.parametrize("optimizer", [LabeledFewShot(), BootstrapRandomSearch(sets=4)])
def test_a_compile_shows_what_fits_and_says_so(optimizer: LabeledFewShot) -> None:
    lm = narrow(1_500)
    with lp.using(lm=lm):
        compiled = optimizer.compile(PROGRAM, ROWS, metric=right, accept="best")
    assert any("context window" in note.text for note in compiled.report.notes)
    shown = compiled.candidate.parameters.get("predict.demos", ROWS[:1])
    assert 0 < len(shown) <= 5
    assert sum(size(request) > 1_500 for request in lm.requests) < 40
