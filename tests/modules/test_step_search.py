from __future__ import annotations

import asyncio
import hashlib
import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import (
    ArtifactError,
    AuthError,
    BudgetExceeded,
    ConnectError,
    InputError,
    SignatureError,
)
from langprog.lm import Completion, Usage

STRATEGIES = ["beam", "particles", "astar"]
TARGET = "10110"
JUDGE = lp.Predict("question, steps: list[str] -> promise: float")


def steps_in(prompt: str) -> list[str]:
    return re.findall(r'"([01])"', prompt)


def kind_of(request: lp.Request) -> str:
    outputs = request.messages[0].content.rsplit("order:", 1)[-1]
    return next(name for name in ("step", "promise", "answer") if f"[[{name}]]" in outputs)


def reply(request: lp.Request) -> str:
    """Propose a bit that the sampling seed decides; judge by the bits that are right so far."""
    steps = steps_in(request.messages[-1].content)
    if kind_of(request) == "step":
        text = f"{request.sampling.seed} {steps}"
        bit = hashlib.sha256(text.encode()).digest()[0] % 2
        return f"[[step]]\n{bit}\n[[finished]]\n{len(steps) + 1 == len(TARGET)}"
    if kind_of(request) == "promise":
        return f"[[promise]]\n{right(steps)}"
    return f"[[answer]]\n{''.join(steps)}"


def right(steps: list[str]) -> float:
    good = 0
    while good < len(steps) and steps[good] == TARGET[good]:
        good += 1
    return good / len(TARGET)


def check(inputs: dict[str, Any], steps: list[str]) -> float:
    assert inputs == {"question": "bits?"}
    return right(steps)


def ask(program: lp.Module, model: Any = None) -> lp.Prediction:
    with lp.using(lm=model or lp.ScriptedLM(reply)):
        return program(question="bits?")


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("judge", [JUDGE, check], ids=["module", "function"])
def test_the_right_path_is_found_within_the_calls_that_were_announced(
    strategy: Any, judge: Any
) -> None:
    program = lp.StepSearch(
        "question -> answer",
        judge=judge,
        strategy=strategy,
        width=8,
        depth=5,
        branch=None if strategy == "particles" else 6,
        resampling=0.1,
    )
    model = lp.ScriptedLM(reply)
    prediction = ask(program, model)
    assert prediction.answer == TARGET
    assert model.calls <= program.calls_per_example()
    kinds = Counter(map(kind_of, model.requests))
    assert kinds["answer"] == 1 and kinds["step"] <= 8 * program.branch * 5
    assert prediction.trace[-1].inputs["steps"] == list(TARGET)
    assert {step.path for step in prediction.trace} <= {"step", "judge", "answer"}


def test_a_search_finds_what_a_single_chain_does_not() -> None:
    chain = lp.StepSearch("question -> answer", judge=check, width=1, branch=1, depth=5)
    model = lp.ScriptedLM(reply)
    assert ask(chain, model).answer != TARGET
    assert model.calls == chain.calls_per_example() == 6  # nothing to choose, nothing to judge


class Slow(lp.ScriptedLM):
    """Answers a few requests at a time, the last that came first."""

    def __init__(self, at_once: int) -> None:
        super().__init__(reply)
        self.gate = asyncio.Semaphore(at_once)
        self.turn = 0

    async def complete(self, request: lp.Request) -> Completion:
        async with self.gate:
            self.turn += 1
            for _ in range(7 * self.turn % 5):
                await asyncio.sleep(0)
            return await super().complete(request)


def asked(model: lp.ScriptedLM) -> Counter[str]:
    return Counter(
        f"{request.messages[-1].content} {request.sampling.seed}" for request in model.requests
    )


@settings(max_examples=12, deadline=None)
@given(
    strategy=st.sampled_from(STRATEGIES),
    width=st.integers(1, 4),
    at_once=st.integers(1, 9),
    seed=st.integers(0, 3),
)
def test_the_same_seed_gives_the_same_search_at_any_width_of_concurrency(
    strategy: Any, width: int, at_once: int, seed: int
) -> None:
    program = lp.StepSearch(
        "question -> answer", judge=JUDGE, strategy=strategy, width=width, depth=4, seed=seed
    )
    wide, narrow = Slow(100), Slow(at_once)
    first, second = ask(program, wide), ask(program, narrow)
    assert first == second
    assert asked(wide) == asked(narrow)
    assert wide.calls <= program.calls_per_example()
    assert [step.inputs for step in first.trace] == [step.inputs for step in second.trace]


def test_another_seed_draws_other_particles() -> None:
    def search(seed: int) -> Counter[str]:
        model = lp.ScriptedLM(reply)
        ask(
            lp.StepSearch(
                "question -> answer",
                judge=check,
                strategy="particles",
                width=4,
                seed=seed,
                resampling=1.0,
            ),
            model,
        )
        return asked(model)

    assert len({tuple(sorted(search(seed).items())) for seed in range(6)}) > 1


def test_particles_of_a_high_score_are_drawn_more_often() -> None:
    def scored(request: lp.Request) -> str:
        steps = steps_in(request.messages[-1].content)
        if kind_of(request) == "step" and not steps:
            bit = request.sampling.seed % 2
            return f"[[step]]\n{bit}\n[[finished]]\nfalse"
        return reply(request)

    model = lp.ScriptedLM(scored)
    program = lp.StepSearch(
        "question -> answer",
        judge=lambda inputs, steps: steps[0] == "1",
        strategy="particles",
        width=6,
        depth=2,
        resampling=0.05,
    )
    ask(program, model)
    second = [
        steps_in(request.messages[-1].content)
        for request in model.requests
        if kind_of(request) == "step"
    ][6:]
    assert second == [["1"]] * 6


def logprob_reply(bits: dict[str, float]) -> Callable[[lp.Request], Completion]:
    def answer(request: lp.Request) -> Completion:
        text = reply(request)
        if kind_of(request) != "step":
            return Completion((text,), "scripted/lm")
        assert request.logprobs
        bit = text.split("\n")[1]
        return Completion((text,), "scripted/lm", Usage(1, 2), logprobs=((bits[bit], bits[bit]),))

    return answer


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_log_probabilities_score_without_a_call(strategy: Any) -> None:
    class Sure(lp.ScriptedLM):
        async def complete(self, request: lp.Request) -> Completion:
            await super().complete(request)
            return logprob_reply({"1": -0.01, "0": -5.0})(request)

    model = Sure(reply)
    program = lp.StepSearch(
        "question -> answer",
        judge="logprob",
        strategy=strategy,
        width=8,
        depth=5,
        branch=None if strategy == "particles" else 6,
        resampling=0.05,
    )
    assert ask(program, model).answer == "11111"
    assert {kind_of(request) for request in model.requests} == {"step", "answer"}
    assert model.calls <= program.calls_per_example()


def test_branches_that_fail_are_dropped() -> None:
    count = 0

    def flaky(request: lp.Request) -> str | Exception:
        nonlocal count
        count += kind_of(request) != "answer"
        if kind_of(request) != "answer" and count % 3 == 0:
            return ConnectError("away") if count % 2 else "unreadable"
        return reply(request)

    program = lp.StepSearch("question -> answer", judge=JUDGE, width=4, depth=5)
    prediction = ask(program, lp.ScriptedLM(flaky))
    assert set(prediction.answer) <= {"0", "1"}
    assert any(step.failure for step in prediction.trace)


def test_if_the_search_breaks_off_the_best_path_so_far_answers() -> None:
    def breaks(request: lp.Request) -> str | Exception:
        if kind_of(request) == "step" and len(steps_in(request.messages[-1].content)) == 2:
            return ConnectError("away")
        return reply(request)

    program = lp.StepSearch("question -> answer", judge=check, width=4, depth=5)
    assert len(ask(program, lp.ScriptedLM(breaks)).answer) == 2


def test_if_all_first_steps_fail_so_does_the_search() -> None:
    program = lp.StepSearch("question -> answer", judge=check)
    with pytest.raises(ConnectError, match="away"):
        ask(program, lp.ScriptedLM(lambda request: ConnectError("away")))


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_wrong_key_and_a_spent_budget_stop_it(strategy: Any) -> None:
    program = lp.StepSearch("question -> answer", judge=check, strategy=strategy)
    with pytest.raises(AuthError):
        ask(program, lp.ScriptedLM(lambda request: AuthError("key")))
    model = lp.ScriptedLM(reply)
    with lp.using(budget=lp.Budget(calls=7)), pytest.raises(BudgetExceeded):
        ask(program, model)
    assert model.calls <= 7


def test_paths_below_the_limit_are_rejected_early() -> None:
    def run(reject_below: float | None) -> tuple[str, int]:
        model = lp.ScriptedLM(reply)
        program = lp.StepSearch(
            "question -> answer",
            judge=check,
            strategy="astar",
            width=6,
            depth=5,
            branch=6,
            reject_below=reject_below,
        )
        return ask(program, model).answer, model.calls

    assert run(0.2) == (TARGET, run(0.2)[1])
    answer, calls = run(2.0)
    assert len(answer) == 1 and calls == 7  # nothing is good enough: the best that there was


def test_cancelling_stops_the_running_calls() -> None:
    class Held(lp.ScriptedLM):
        running = 0

        async def complete(self, request: lp.Request) -> Completion:
            self.running += 1
            try:
                await asyncio.Event().wait()
            finally:
                self.running -= 1
            raise AssertionError

    async def run() -> None:
        model = Held(reply)
        with lp.using(lm=model):
            task = asyncio.create_task(
                lp.StepSearch("question -> answer", judge=check).acall(question="bits?")
            )
            while model.running < 8:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert model.running == 0

    asyncio.run(run())


def test_outputs_are_typed_by_the_signature() -> None:
    program = lp.StepSearch("question -> answer: int, sure: bool", judge=check, depth=5)

    def typed(request: lp.Request) -> str:
        said = reply(request)
        return said if kind_of(request) != "answer" else "[[answer]]\n7\n[[sure]]\nyes"

    prediction = ask(program, lp.ScriptedLM(typed))
    assert prediction.to_dict() == {"answer": 7, "sure": True}
    assert list(program.outputs) == ["answer", "sure"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("judge", [JUDGE, "logprob"], ids=["module", "logprob"])
def test_it_is_saved_and_loaded(strategy: Any, judge: Any, tmp_path: Path) -> None:
    program = lp.StepSearch(
        "question -> answer",
        judge=judge,
        strategy=strategy,
        width=3,
        depth=2,
        reject_below=0.1,
        temperature=0.5,
        resampling=0.3,
        seed=4,
    ).with_parameters({"step.instruction": "Think."})
    lp.save(program, tmp_path / "search.json")
    loaded = lp.load(tmp_path / "search.json")
    assert isinstance(loaded, lp.StepSearch) and loaded.frozen
    for name in ("strategy", "width", "depth", "branch", "reject_below", "resampling", "seed"):
        assert getattr(loaded, name) == getattr(program, name)
    assert loaded.step.predictors()["predict"].signature.instruction == "Think."
    assert loaded.inputs == program.inputs and loaded.outputs == program.outputs
    if judge is JUDGE:
        assert ask(loaded) == ask(program)


def test_a_function_is_code_which_no_artifact_holds(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="make it an lp.Module whose forward takes steps"):
        lp.save(lp.StepSearch("question -> answer", judge=check), tmp_path / "search.json")


def test_width_and_depth_are_searched() -> None:
    program = lp.StepSearch("question -> answer", judge=JUDGE)
    assert set(program.search_space()) == {"width", "depth"}
    smaller = program.with_parameters({"program.width": 1, "program.depth": 3})
    assert (smaller.width, smaller.depth) == (1, 3)
    assert smaller.calls_per_example() == 1 * 2 * 3 * 2 + 1
    with pytest.raises(InputError, match="width has to be a whole number"):
        program.with_parameters({"program.width": 0})
    assert list(program.predictors()) == ["step", "answer", "judge"]


def test_a_judge_that_returns_something_else_is_an_error() -> None:
    program = lp.StepSearch("question -> answer", judge=lambda inputs, steps: "good")
    with pytest.raises(InputError, match="judge of a StepSearch returned 'good'"):
        ask(program)


def test_a_judge_may_be_asynchronous() -> None:
    async def later(inputs: dict[str, Any], steps: list[str]) -> float:
        await asyncio.sleep(0)
        return right(steps)

    assert ask(lp.StepSearch("question -> answer", judge=later, branch=6)).answer == TARGET


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"judge": "best"}, "judge= of a StepSearch is a module, a function"),
        ({"judge": lp.Predict("steps: list[str] -> words")}, "must be a bool or a number"),
        ({"judge": check, "strategy": "dfs"}, "strategy has to be one of"),
        ({"judge": check, "width": 0}, "width has to be"),
        ({"judge": check, "depth": 1.5}, "depth has to be"),
        ({"judge": check, "branch": 0}, "branch has to be"),
        ({"judge": check, "strategy": "particles", "branch": 2}, "proposes 1 step"),
        ({"judge": check, "temperature": 0}, "temperature has to be"),
        ({"judge": check, "resampling": 0}, "resampling has to be"),
        ({"judge": check, "seed": -1}, "seed has to be"),
        ({"judge": check, "reject_below": float("nan")}, "reject_below has to be"),
        ({"judge": check, "step": lp.Predict("question -> step")}, "step= of a StepSearch takes"),
        (
            {"judge": check, "step": lp.Predict("question, steps: list[str] -> step, finished")},
            "finished as a bool",
        ),
        ({"judge": check, "answer": lp.Predict("question -> answer")}, "answer= of a StepSearch"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.StepSearch("question -> answer", **options)


def test_a_field_of_its_own_name_is_refused() -> None:
    with pytest.raises(SignatureError, match="uses the fields steps"):
        lp.StepSearch("question, steps -> answer", judge=check)
    with pytest.raises(InputError, match="lacks question"), lp.using(lm=lp.ScriptedLM(reply)):
        lp.StepSearch("question -> answer", judge=check)()


def test_the_example_in_its_docstring_runs() -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(lp.StepSearch) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
