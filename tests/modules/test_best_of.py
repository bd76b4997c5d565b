from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError

SOLVE = lp.Predict("question -> answer")


def bench(answers: list[str | Exception], verdicts: dict[str, str]) -> lp.ScriptedLM:
    """Answers in their order, and what the judge says of each of them."""
    left = iter(answers)

    def reply(request: lp.Request) -> str:
        if "[[verdict]]" in request.messages[0].content:
            said = request.messages[-1].content.split("[[answer]]")[1].split("[[")[0].strip()
            return f"[[verdict]]\n{verdicts[said]}"
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return f"[[answer]]\n{answer}"

    return lp.ScriptedLM(reply)


def test_a_number_picks_the_best_of_all() -> None:
    judge = lp.Predict("question, answer -> verdict: float")
    with lp.using(lm=bench(["a", "b", "c"], {"a": "0.2", "b": "0.9", "c": "0.5"})):
        assert lp.BestOf(SOLVE, judge=judge, k=3)(question="?").answer == "b"


def test_a_bool_ends_it_at_the_first_accepted_answer() -> None:
    judge = lp.Predict("answer -> verdict: bool")
    model = bench(["a", "b", "never"], {"a": "false", "b": "true"})
    with lp.using(lm=model):
        assert lp.BestOf(SOLVE, judge=judge, k=9)(question="?").answer == "b"
    assert model.calls == 4


def test_of_refused_answers_the_first_is_returned() -> None:
    judge = lp.Predict("answer -> verdict: bool")
    with lp.using(lm=bench(["a", "b"], {"a": "false", "b": "false"})):
        assert lp.BestOf(SOLVE, judge=judge, k=2)(question="?").answer == "a"


def test_generators_take_turns_and_the_judge_is_not_sampled() -> None:
    def reply(request: lp.Request) -> str:
        return "[[verdict]]\n1" if "verdict" in request.messages[0].content else "[[answer]]\nx"

    models = [lp.ScriptedLM(reply, name=f"scripted/{name}") for name in "ab"]
    judge = lp.Predict("answer -> verdict: float")
    with lp.using(lm=lp.ScriptedLM(reply, name="scripted/judge"), models=models) as settings:
        solvers = [lp.Predict("question -> answer", model=model.name) for model in models]
        lp.BestOf(solvers, judge=judge, k=4)(question="?")
    assert [model.calls for model in models] == [2, 2]
    assert settings.lm is not None
    asked = settings.lm.requests  # type: ignore[attr-defined]  # a ScriptedLM
    assert {request.sampling.temperature for request in asked} == {None}


def test_an_answer_that_fails_is_out() -> None:
    judge = lp.Predict("answer -> verdict: float")
    with lp.using(lm=bench([ConnectError("reset"), "b"], {"b": "0"})):
        assert lp.BestOf(SOLVE, judge=judge, k=2)(question="?").answer == "b"
    with lp.using(lm=bench([ConnectError("reset")] * 2, {})), pytest.raises(ConnectError):
        lp.BestOf(SOLVE, judge=judge, k=2)(question="?")


def test_what_does_not_fit_is_said() -> None:
    judge = lp.Predict("wanted -> verdict: bool")
    with lp.using(lm=bench(["a"], {})), pytest.raises(InputError, match="judge takes wanted"):
        lp.BestOf(SOLVE, judge=judge, k=2)(question="?")
    with pytest.raises(InputError, match="bool or a number"):
        lp.BestOf(SOLVE, judge=SOLVE)
    with pytest.raises(InputError, match="at least one"):
        lp.BestOf([], judge=judge)
    assert lp.BestOf([SOLVE] * 4, judge=judge).k == 4
    assert lp.BestOf(SOLVE, judge=judge).parameters()["program.k"].value == 3
