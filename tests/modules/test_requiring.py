"""A condition in a program's own code has an answer asked for again, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import logging
import re
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

import langprog as lp
from langprog.errors import (
    BudgetExceeded,
    CheckError,
    InputError,
    LangprogWarning,
    ParseError,
    ServerError,
)
from langprog.runtime import run_sync


class Steps(lp.Module):
    """Three predictors in a row, with a condition on the second one's answer at the end."""

    def __init__(self, judge: Callable[[Any, Any, Any], None]) -> None:
        self.first = lp.Predict("q -> a")
        self.second = lp.Predict("a -> b")
        self.third = lp.Predict("b -> c")
        self.judge = judge

    def forward(self, q: str) -> dict[str, Any]:
        a = self.first(q=q)
        b = self.second(a=a.a)
        c = self.third(b=b.b)
        self.judge(self, b, c)
        return {"a": a.a, "b": b.b, "c": c.c}


def field_of(request: lp.Request) -> str:
    """Return the output that a request asks for."""
    head = str(request.messages[0].content)
    return re.findall(r"Output fields:\n- `?(\w)", head)[0]


def counting(request: lp.Request) -> str:
    """Answer with the number of the answer in this conversation, and what it was asked."""
    question = [m for m in request.messages if m.role == "user"][0]
    asked = str(question.content).split("\n")[-1]
    name = field_of(request)
    number = sum(message.role == "assistant" for message in request.messages)
    return f"[[{name}]]\n{asked}>{name}{number}"


def call(program: lp.Module, lm: Any, **inputs: Any) -> lp.Prediction:
    with lp.using(lm=lm):
        return program(**(inputs or {"q": "q"}))


def test_the_predictor_that_made_the_answer_is_asked_again_and_the_rest_runs_anew() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(b.b.endswith("b2"), "more, please", at=b)

    lm = lp.ScriptedLM(counting)
    answer = call(Steps(judge), lm)
    assert answer.to_dict() == {"a": "q>a0", "b": "q>a0>b2", "c": "q>a0>b2>c0"}
    # The first is asked once; the second in one conversation; the third for every answer.
    assert [field_of(request) for request in lm.requests] == list("abcbcbc")
    again = lm.requests[5].messages
    assert [message.content for message in again[-4:]] == [
        "[[b]]\nq>a0>b0",
        "That answer is not accepted: more, please. Answer again, in the same form.",
        "[[b]]\nq>a0>b1",
        "That answer is not accepted: more, please. Answer again, in the same form.",
    ]
    assert (answer.usage.calls, answer.usage.reasks, answer.usage.unmet) == (7, 2, 0)


def test_the_trace_says_which_answers_counted() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(b.b.endswith("b1"), "more, please", at=self.second)

    answer = call(Steps(judge), lp.ScriptedLM(counting))
    assert [(step.path, step.outputs, step.reasks, step.failure) for step in answer.trace] == [
        ("first", {"a": "q>a0"}, 0, None),
        ("second", {}, 0, "more, please"),
        ("third", {}, 0, "not used: an answer before it was asked for again"),
        ("second", {"b": "q>a0>b1"}, 1, None),
        ("third", {"c": "q>a0>b1>c0"}, 0, None),
    ]
    assert answer.trace[1].failed_with is CheckError
    assert answer.trace[1].text == "[[b]]\nq>a0>b0"


def test_without_at_it_is_the_last_call_before() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(c.c.endswith("c1"), "more, please")

    lm = lp.ScriptedLM(counting)
    assert call(Steps(judge), lm).c == "q>a0>b0>c1"
    assert [field_of(request) for request in lm.requests] == list("abcc")


def test_a_requirement_that_fails_to_the_end_is_a_check_error() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(False, "never", reasks=1)

    lm = lp.ScriptedLM(counting)
    with lp.record_trace() as trace, pytest.raises(CheckError) as raised:
        call(Steps(judge), lm)
    assert str(raised.value) == "an answer is not accepted, also after 1 more attempts: never"
    assert raised.value.text == "[[c]]\nq>a0>b0>c1"
    assert [step.failure for step in trace.steps()] == [None, None, "never", "never"]
    assert lm.calls == 4


def test_a_requirement_that_may_not_ask_again_fails_at_once() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(False, "never", reasks=0)

    with pytest.raises(CheckError, match="^an answer is not accepted: never$"):
        call(Steps(judge), lp.ScriptedLM(counting))


def test_a_suggestion_that_fails_to_the_end_passes_with_a_note() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.suggest(False, "be nicer", at=self.second)
        lp.suggest(c.c.endswith("c1"), "be shorter")

    answer = call(Steps(judge), lp.ScriptedLM(counting))
    assert answer.to_dict() == {"a": "q>a0", "b": "q>a0>b2", "c": "q>a0>b2>c1"}
    assert (answer.usage.unmet, answer.usage.reasks) == (1, 3)
    assert [step.unmet for step in answer.trace if step.unmet] == [("be nicer",)]


def test_the_program_may_go_on_after_a_check_error() -> None:
    class Fallback(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        def forward(self, q: str) -> dict[str, Any]:
            try:
                answer = self.answer(q=q)
                lp.require(False, "never")
            except CheckError:
                return {"a": "unknown", "last": answer.a}
            except Exception:  # noqa: BLE001 - must not see that forward is going to run again
                return {"a": "swallowed"}
            return {"a": answer.a}

    assert call(Fallback(), lp.ScriptedLM(counting)).to_dict() == {"a": "unknown", "last": "q>a2"}


def test_an_asynchronous_forward_asks_concurrent_calls_again_one_by_one() -> None:
    class Both(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        async def aforward(self, q: str) -> dict[str, Any]:
            one, two, three = await asyncio.gather(
                *(self.answer.acall(q=f"{q}{n}") for n in "123")
            )
            lp.require(one.a.endswith("1"), "more", at=one)
            lp.require(three.a.endswith("2"), "more", at=three)
            return {"a": [one.a, two.a, three.a]}

    lm = lp.ScriptedLM(counting)
    assert call(Both(), lm).a == ["q1>a1", "q2>a0", "q3>a2"]
    assert lm.calls == 6


@pytest.mark.parametrize("how", ["gather", "group", "threads", "task"])
def test_a_condition_in_a_concurrent_part_works_as_well(how: str) -> None:
    class Parts(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        async def part(self, q: str) -> str:
            answer = await self.answer.acall(q=q)
            lp.require(answer.a.endswith("1"), "more", at=answer)
            return answer.a

        def part_in_thread(self, q: str) -> str:
            answer = self.answer(q=q)
            lp.require(answer.a.endswith("1"), "more", at=answer)
            return answer.a

        async def aforward(self, q: str) -> dict[str, Any]:
            questions = [f"{q}{number}" for number in range(4)]
            if how == "gather":
                return {"a": await asyncio.gather(*map(self.part, questions))}
            if how == "group":
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self.part(question)) for question in questions]
                return {"a": [task.result() for task in tasks]}
            if how == "task":
                tasks = [asyncio.create_task(self.part(question)) for question in questions]
                await asyncio.wait(tasks)  # which raises nothing
                return {"a": ["lost" if task.exception() else task.result() for task in tasks]}
            with ThreadPoolExecutor(2) as pool:
                return {"a": list(pool.map(self.part_in_thread, questions))}

    assert call(Parts(), lp.ScriptedLM(counting)).a == [f"q{number}>a1" for number in range(4)]


def test_a_condition_inside_a_module_may_be_about_an_answer_outside() -> None:
    class Inner(lp.Module):
        def forward(self, a: str) -> dict[str, Any]:
            lp.require(a.endswith("a1"), "more")
            return {"b": a.upper()}

    class Outer(lp.Module):
        def __init__(self) -> None:
            self.first = lp.Predict("q -> a")
            self.inner = Inner()

        def forward(self, q: str) -> lp.Prediction:
            return self.inner(a=self.first(q=q).a)

    assert call(Outer(), lp.ScriptedLM(counting)).b == "Q>A1"


class Twice(lp.Module):
    def __init__(self) -> None:
        self.first = lp.Predict("q -> a")
        self.second = lp.Predict("a -> b")

    def forward(self, q: str) -> lp.Prediction:
        return self.second(a=self.first(q=q).a)


@pytest.mark.parametrize(
    ("part", "asked"),
    [
        (lambda: Twice(), "abb"),
        (lambda: lp.Pipeline(x=lp.Predict("q -> a"), y=lp.Predict("a -> b")), "abb"),
        (lambda: lp.Predict("q -> b"), "bb"),
        (lambda: lp.Refine(lp.Predict("q -> b"), lp.Predict("b -> good: bool"), rounds=1), "bgbg"),
    ],
)
def test_inside_a_module_it_is_the_predictor_that_gave_the_answer(
    part: Callable[[], lp.Module], asked: str
) -> None:
    class Around(lp.Module):
        def __init__(self) -> None:
            self.part = part()

        def forward(self, q: str) -> lp.Prediction:
            answer = self.part(q=q)
            lp.require(answer.b.endswith("b1"), "more")
            return answer

    def reply(request: lp.Request) -> str:
        return "[[good]]\ntrue" if field_of(request) == "g" else counting(request)

    lm = lp.ScriptedLM(reply)
    assert call(Around(), lm).b.endswith("b1")
    assert "".join(field_of(request) for request in lm.requests) == asked


def test_all_samples_of_a_vote_are_asked_again() -> None:
    class Voting(lp.Module):
        def __init__(self) -> None:
            self.vote = lp.Vote(lp.Predict("q -> a"), k=3)

        def forward(self, q: str) -> lp.Prediction:
            answer = self.vote(q=q)
            lp.require(answer.a.endswith("a1"), "more")
            return answer

    lm = lp.ScriptedLM(counting)
    assert call(Voting(), lm).a == "q>a1"
    # Two samples that agree decide a vote of three.
    seeds = [request.sampling.seed for request in lm.requests]
    assert len(seeds) == 4 and len(set(seeds)) == 2


def test_what_forward_changes_in_inputs_and_answers_is_not_reused() -> None:
    @dataclass
    class Note:
        text: str

    class Changing(lp.Module):
        def __init__(self) -> None:
            self.names = lp.Predict("q, seen: list[str] -> names: list[str]")
            self.last = lp.Predict("q, names: list[str] -> a")
            self.plain = Plain()

        def forward(self, q: str) -> dict[str, Any]:
            seen: list[str] = []
            note = Note("old")
            for _ in range(2):
                names = self.names(q=q, seen=seen).names
                names.append("more")
                seen.extend(names)
                self.plain(note=note)
                note.text = "new"
            answer = self.last(q=q, names=names)
            lp.require(answer.a == "good", "be good")
            return {"a": answer.a, "seen": seen, "texts": texts}

    class Plain(lp.Module):
        def forward(self, note: Note) -> dict[str, Any]:
            texts.append(note.text)
            return {"text": note.text}

    texts: list[str] = []
    replies = ['[[names]]\n["x"]', '[[names]]\n["y"]', "[[a]]\nbad", "[[a]]\ngood"]
    lm = lp.ScriptedLM(replies)
    answer = call(Changing(), lm)
    assert answer.seen == ["x", "more", "y", "more"]
    assert lm.calls == 4
    assert texts == ["old", "new"]


def test_a_module_without_a_model_is_not_run_again_either() -> None:
    class Shop(lp.Module):
        def forward(self, q: str) -> dict[str, Any]:
            orders.append(q)
            return {"order": len(orders)}

    class Buyer(lp.Module):
        def __init__(self) -> None:
            self.shop, self.answer = Shop(), lp.Predict("q, order: int -> a")

        def forward(self, q: str) -> lp.Prediction:
            answer = self.answer(q=q, order=self.shop(q=q).order)
            lp.require(answer.a.endswith("a1"), "more")
            return answer

    orders: list[str] = []
    call(Buyer(), lp.ScriptedLM(counting))
    assert orders == ["q"]


@pytest.mark.parametrize("error", [ServerError("down"), ParseError("?")])
def test_what_fails_in_a_reask_stays_what_it_is(error: Exception) -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(False, "never")

    lm = lp.ScriptedLM(["[[a]]\n1", "[[b]]\n2", "[[c]]\n3", error])
    with pytest.raises(type(error)):
        call(Steps(judge), lm)


def test_a_budget_that_cannot_afford_the_reask_is_spent() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(False, "never")

    lm = lp.ScriptedLM(counting)
    with lp.using(lm=lm, budget=lp.Budget(calls=4)), pytest.raises(BudgetExceeded):
        Steps(judge)(q="q")
    assert lm.calls == 4


def test_the_checks_of_a_predictor_hold_for_a_reask_as_well() -> None:
    class Checked(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a", checks=[lp.checks.regex("a", ".*(1|3)")])

        def forward(self, q: str) -> lp.Prediction:
            answer = self.answer(q=q)
            lp.require(answer.a.endswith("3"), "three")
            return answer

    answer = call(Checked(), lp.ScriptedLM(counting))
    assert answer.a == "q>a3"
    assert (answer.usage.calls, answer.usage.reasks) == (4, 3)


def test_a_check_may_use_require() -> None:
    def good(a: str) -> bool:
        lp.require(a.endswith("1"), "one more")
        return True

    program = lp.Predict("q -> a", checks=[lp.Check(good, "be good")])

    class Around(lp.Module):
        def __init__(self) -> None:
            self.first, self.second = lp.Predict("q -> a"), program

        def forward(self, q: str) -> lp.Prediction:
            return self.second(q=self.first(q=q).a)

    lm = lp.ScriptedLM(counting)
    assert call(Around(), lm).a == "q>a0>a1"
    assert "not accepted: one more." in str(lm.requests[2].messages[-1].content)


def test_runs_at_once_do_not_mix() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(b.b.endswith("b1"), "more", at=b)

    async def run() -> list[str]:
        program = Steps(judge)
        calls = [program.acall(q=f"q{number}") for number in range(20)]
        return [answer.c for answer in await asyncio.gather(*calls)]

    with lp.using(lm=lp.ScriptedLM(counting)):
        assert run_sync(run()) == [f"q{number}>a0>b1>c0" for number in range(20)]


def test_a_stream_says_which_answers_are_void() -> None:
    def judge(self: Steps, b: Any, c: Any) -> None:
        lp.require(b.b.endswith("b1"), "more", at=b)

    async def run() -> list[Any]:
        return [event async for event in Steps(judge).astream(q="q")]

    with lp.using(lm=lp.ScriptedLM(counting)):
        events = run_sync(run())
    void = [(e.path, e.reason) for e in events if isinstance(e, lp.StepReset)]
    assert void[0] == ("second", "more")
    assert void[-1] == ("third", "not used: an answer before it was asked for again")
    assert events[-1].c == "q>a0>b1>c0"


def test_a_streamed_run_pays_for_no_more_calls() -> None:
    class Around(lp.Module):
        def __init__(self) -> None:
            self.part = Twice()

        def forward(self, q: str) -> lp.Prediction:
            answer = self.part(q=q)
            lp.require(answer.b.endswith("b1"), "more")
            return answer

    async def run() -> list[Any]:
        return [event async for event in Around().astream(q="q")]

    lm = lp.ScriptedLM(counting)
    with lp.using(lm=lm):
        assert run_sync(run())[-1].b == "q>a0>b1"
    assert [field_of(request) for request in lm.requests] == list("abb")


@pytest.mark.parametrize("nested", [False, True])
def test_inputs_that_differ_from_run_to_run_end_after_as_many_reasks(nested: bool) -> None:
    class Random(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q, number: int -> a")

        def forward(self, q: str) -> lp.Prediction:
            answer = self.answer(q=q, number=next(numbers))
            if not nested:
                lp.require(False, "never")
            return answer

    class Around(lp.Module):
        def __init__(self) -> None:
            self.inner = Random()

        def forward(self, q: str) -> lp.Prediction:
            answer = self.inner(q=q)
            if nested:
                lp.require(False, "never")
            return answer

    numbers = itertools.count()
    lm = lp.ScriptedLM(counting)
    with pytest.raises(CheckError, match="also after 2 more attempts: never"):
        call(Around(), lm)
    assert lm.calls == 3


class Same:
    """Equal to nothing, and not to be copied."""

    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")

    __hash__ = object.__hash__

    def __deepcopy__(self, memo: object) -> Any:
        raise TypeError("not to be copied")


def test_inputs_that_cannot_be_compared_are_asked_anew_and_end() -> None:
    class Inner(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        def forward(self, q: str, thing: Same) -> lp.Prediction:
            return self.answer(q=q)

    class Around(lp.Module):
        def __init__(self) -> None:
            self.inner = Inner()

        def forward(self, q: str) -> lp.Prediction:
            answer = self.inner(q=q, thing=Same())
            lp.require(False, "never", reasks=1)
            return answer

    lm = lp.ScriptedLM(counting)
    with pytest.raises(CheckError, match="also after 1 more attempts: never"):
        call(Around(), lm)
    assert lm.calls == 2


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_two_rejected_answers_are_asked_again_in_any_order(order: str) -> None:
    class Both(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        async def part(self, q: str) -> str:
            answer = await self.answer.acall(q=q)
            lp.require(answer.a.endswith("1"), "more", at=answer, reasks=1)
            return answer.a

        async def aforward(self, q: str) -> dict[str, Any]:
            return {"a": await asyncio.gather(*map(self.part, order))}

    lm = lp.ScriptedLM(counting)
    assert call(Both(), lm).a == [f"{q}>a1" for q in order]
    assert lm.calls == 4


def test_outside_of_a_module_nobody_can_be_asked() -> None:
    lp.require(True, "fine")
    with pytest.raises(CheckError, match="^be good$"):
        lp.require(False, "be good")
    with pytest.warns(LangprogWarning, match="a suggestion about no answer.*be good"):
        lp.suggest(False, "be good")


class Wrong(lp.Module):
    def __init__(self, demand: Callable[[lp.Prediction], None]) -> None:
        self.answer = lp.Predict("q -> a")
        self.demand = demand

    def forward(self, q: str) -> lp.Prediction:
        answer = self.answer(q=q)
        self.demand(answer)
        return answer


@pytest.mark.parametrize(
    ("demand", "words"),
    [
        (lambda a: lp.require(a, "x"), "a Prediction, which is always true"),
        (lambda a: lp.require(a.a, ""), "must be a text that tells the model"),
        (lambda a: lp.suggest(True, "x", reasks=11), "reasks"),
        (lambda a: lp.suggest(True, "x", reasks=1.5), "reasks"),
        (
            lambda a: lp.require(False, "x", at="answer"),
            "at= of lp.require is 'answer', which has",
        ),
        (lambda a: lp.require(False, "x", at=lp.Predict("x -> y")), "has given no answer"),
    ],
)
def test_wrong_arguments_are_refused(demand: Callable[[Any], None], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call(Wrong(demand), lp.ScriptedLM(counting))


def test_a_forgotten_await_is_refused() -> None:
    class Forgetful(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")

        async def aforward(self, q: str) -> Any:
            pending = self.answer.acall(q=q)
            try:
                lp.require(pending, "x")
            finally:
                pending.close()

    with pytest.raises(InputError, match="a coroutine, which is always true"):
        call(Forgetful(), lp.ScriptedLM(counting))


def test_a_task_left_behind_by_the_first_run_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Leaving(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a")
            self.runs = [0]

        async def late(self, q: str) -> None:
            await gate.wait()
            lp.require(False, "too late")

        async def aforward(self, q: str) -> dict[str, Any]:
            self.runs[0] += 1
            answer = await self.answer.acall(q=q)
            if self.runs[0] == 1:
                tasks.append(asyncio.create_task(self.late(q)))
            else:
                gate.set()
                await asyncio.wait(tasks)
            lp.require(answer.a.endswith("a1"), "more")
            return {"a": answer.a}

    async def run() -> str:
        return (await Leaving().acall(q="q")).a

    gate = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []
    with lp.using(lm=lp.ScriptedLM(counting)), caplog.at_level(logging.ERROR):
        assert run_sync(run()) == "q>a1"
    assert "after `forward` had returned" in str(tasks[0].exception())


def test_the_example_in_its_docstring_runs() -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(lp.require) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})


def wrong_at_first(wrong: int) -> Callable[[lp.Request], str]:
    """Answer wrongly to the first requests, and refuse to go on for ever."""
    count = itertools.count(1)

    def reply(request: lp.Request) -> str:
        number = next(count)
        assert number < 20, "asked for ever"
        return f"[[reasoning]]\nr\n[[a]]\n{'wrong' if number <= wrong else 'right'}"

    return reply


class Fickle(lp.Module):
    """Calls its predictor with other inputs in each run."""

    def __init__(self, demand: Callable[..., None]) -> None:
        self.inside = lp.Predict("q, now: int -> a")
        self.demand = demand
        self.clock = itertools.count()

    def forward(self, q: str) -> lp.Prediction:
        answer = self.inside(q=q, now=next(self.clock))
        self.demand(answer.a == "right", "be right")
        return answer


def test_code_that_calls_with_other_inputs_each_time_does_not_ask_for_ever() -> None:
    lm = lp.ScriptedLM(wrong_at_first(100))
    with pytest.raises(CheckError, match="also after 2 more attempts: be right.*other inputs"):
        call(Fickle(lp.require), lm)
    assert lm.calls == 3
    lm = lp.ScriptedLM(wrong_at_first(100))
    answer = call(Fickle(lp.suggest), lm)
    assert (lm.calls, answer.usage.unmet, answer.a) == (3, 1, "wrong")
