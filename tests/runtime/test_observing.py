from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogWarning, ParseError
from langprog.observe import (
    AdapterFinished,
    AdapterStarted,
    CallFailed,
    EvaluationFinished,
    EvaluationStarted,
    ModelFinished,
    ModelStarted,
    ToolFinished,
    ToolStarted,
)
from langprog.runtime import current, run_sync
from optimizers import LabeledFewShot

CHAIN = lp.ChainOfThought("question -> answer")
REPLY = "[[reasoning]]\nIt is large.\n[[answer]]\nParis"
EXAMPLES = [lp.Example(question=f"q{n}", answer="Paris") for n in range(60)]


def is_right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(prediction.answer == example.answer)


def test_every_kind_of_call_is_told_in_order() -> None:
    events: list[Any] = []
    with lp.using(lm=lp.ScriptedLM([REPLY])), lp.callbacks(events.append):
        CHAIN(question="Which city?")
    kinds = [type(event) for event in events]
    assert kinds == [
        lp.StepStarted,
        lp.StepStarted,
        AdapterStarted,
        AdapterFinished,
        ModelStarted,
        ModelFinished,
        AdapterStarted,
        AdapterFinished,
        lp.StepFinished,
        lp.StepFinished,
    ]
    program, predictor, render, rendered, asked, answered, parse, parsed, *_ = events
    assert (program.path, program.parent, program.inputs) == (
        "program",
        None,
        {"question": "Which city?"},
    )
    assert (predictor.path, predictor.parent) == ("predict", program.call)
    assert (render.action, render.adapter, render.parent) == ("render", "chat", predictor.call)
    assert rendered.result == asked.request.messages
    assert (asked.model, asked.path, asked.parent) == (
        "scripted/lm",
        "predict",
        predictor.call,
    )
    assert answered.completion.text == REPLY
    assert parse.value is answered.completion
    assert parsed.result == {"reasoning": "It is large.", "answer": "Paris"}
    starts = [event for event in events if hasattr(event, "parent")]
    assert len({event.call for event in starts}) == len(starts) == 5


def test_errors_are_told_where_they_are_raised() -> None:
    events: list[Any] = []
    broken = lp.errors.AuthError("no key")
    with (
        lp.using(lm=lp.ScriptedLM([broken])),
        lp.callbacks(events.append),
        pytest.raises(lp.errors.AuthError),
    ):
        CHAIN(question="?")
    failures = [event for event in events if isinstance(event, (CallFailed, lp.StepFailed))]
    assert [type(event) for event in failures] == [CallFailed, lp.StepFailed, lp.StepFailed]
    assert failures[0].kind == "model"
    assert all(event.error is broken for event in failures)
    events.clear()
    with (
        lp.using(lm=lp.ScriptedLM(["", ""])),
        lp.callbacks(events.append),
        pytest.raises(ParseError),
    ):
        CHAIN(question="?")
    failed = [event.kind for event in events if isinstance(event, CallFailed)]
    assert failed == ["adapter", "adapter"]


def test_the_methods_of_a_callback() -> None:
    class Counting(lp.Callback):
        def __init__(self) -> None:
            self.seen: Counter[str] = Counter()

        def on_event(self, event: Any, /) -> None:
            super().on_event(event)

    names = [name for name in vars(lp.Callback) if name.startswith("on_") and name != "on_event"]
    assert len(names) == 18
    for name in names:

        def method(self: Counting, event: Any, name: str = name) -> None:
            self.seen[name] += 1

        setattr(Counting, name, method)
    counting = Counting()

    def look_up(word: str) -> str:
        """Look a word up."""
        if word == "bad":
            raise ValueError("no such word")
        return word.upper()

    tool = lp.Tool(look_up)
    with lp.callbacks(counting), lp.using(lm=lp.ScriptedLM(lambda request: REPLY)):
        lp.evaluate(CHAIN, EXAMPLES[:2], is_right)
        with pytest.raises(InputError):
            lp.evaluate(CHAIN, EXAMPLES[:2], lambda example, prediction: 7.0)
        run_sync(tool.run({"word": "a"}))
        with pytest.raises(lp.errors.ToolError):
            run_sync(tool.run({"word": "bad"}))
        LabeledFewShot(k=1).compile(CHAIN, EXAMPLES, metric=is_right)
        with (
            lp.using(lm=lp.ScriptedLM(lambda request: lp.errors.AuthError("no"))),
            pytest.raises(lp.errors.AuthError),
        ):
            LabeledFewShot(k=1).compile(CHAIN, EXAMPLES, metric=is_right)
    with (
        lp.callbacks(counting),
        lp.using(lm=lp.ScriptedLM(["", "", lp.errors.AuthError("no")])),
    ):
        for error in (ParseError, lp.errors.AuthError):
            with pytest.raises(error):
                CHAIN(question="?")
    assert set(names) == counting.seen.keys()
    for kind in ("module", "model", "adapter", "tool", "evaluation", "compile"):
        ended = counting.seen[f"on_{kind}_end"] + counting.seen[f"on_{kind}_error"]
        assert counting.seen[f"on_{kind}_start"] == ended
    assert counting.seen["on_compile_end"] == 1


def test_evaluations_and_tools_tell_what_they_are() -> None:
    events: list[Any] = []
    with lp.using(lm=lp.ScriptedLM(lambda request: REPLY)), lp.callbacks(events.append):
        report = lp.evaluate(CHAIN, EXAMPLES[:3], is_right)
    started, finished = events[0], events[-1]
    assert isinstance(started, EvaluationStarted)
    assert (started.program, started.examples, started.metric) == ("ChainOfThought", 3, "is_right")
    assert isinstance(finished, EvaluationFinished)
    assert finished.result is report
    programs = [e for e in events if isinstance(e, lp.StepStarted) and e.path == "program"]
    assert [event.parent for event in programs] == [started.call] * 3

    events.clear()
    with lp.callbacks(events.append):
        run_sync(lp.Tool(lambda: "x", name="f", description="").run({}))
    assert isinstance(events[0], ToolStarted)
    assert (events[0].tool, events[0].arguments, events[0].parent) == ("f", {}, None)
    assert isinstance(events[1], ToolFinished)
    assert events[1].result == "x"


@pytest.mark.filterwarnings("default")
def test_a_callback_that_raises_loses_nothing_and_is_said_once() -> None:
    seen: list[Any] = []

    def broken(event: Any) -> None:
        raise ValueError(f"cannot take it, key sk-{'a1' * 12}")

    with lp.using(lm=lp.ScriptedLM([REPLY] * 2)), lp.callbacks(broken, seen.append):
        with pytest.warns(LangprogWarning, match="callback broken raised ValueError") as said:
            assert CHAIN(question="?").answer == "Paris"
            assert CHAIN(question="?").answer == "Paris"
    assert len(said) == 1
    assert "a1a1" not in str(said[0].message)
    assert len(seen) == 20


def test_callbacks_add_up_and_end_with_their_block() -> None:
    outer: list[Any] = []
    inner: list[Any] = []
    always: list[Any] = []
    lp.configure(lm=lp.ScriptedLM([REPLY] * 3), callbacks=[always.append])
    with lp.callbacks(outer.append):
        with lp.using(callbacks=[inner.append]):
            CHAIN(question="?")
        CHAIN(question="?")
    CHAIN(question="?")
    assert (len(inner), len(outer), len(always)) == (10, 20, 30)
    lp.configure(callbacks=[])
    assert not (current().watch and current().watch.listeners)


def test_numbers_are_unique_where_a_callback_is_in_force_twice() -> None:
    started: list[int] = []

    def note(event: Any) -> None:
        if isinstance(event, lp.StepStarted):
            started.append(event.call)

    async def run() -> None:
        async def call() -> None:
            with lp.callbacks(note):
                await CHAIN.acall(question="?")

        await asyncio.gather(*(call() for _ in range(5)))

    with lp.using(lm=lp.ScriptedLM([REPLY] * 5)):
        asyncio.run(run())
    assert len(started) == len(set(started)) == 10


class Threaded(lp.Module):
    def __init__(self) -> None:
        self.part = lp.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(self.part(question=question)))
        thread.start()
        thread.join()
        return answers[0]


def test_parents_are_right_across_threads_and_tasks() -> None:
    events: list[Any] = []
    program = lp.Pipeline(one=_with_signature(), two=lp.Vote(CHAIN, k=3))
    with lp.using(lm=lp.ScriptedLM(lambda request: REPLY)):
        with lp.callbacks(events.append):
            program(question="?")
    starts = {event.call: event for event in events if isinstance(event, lp.StepStarted)}
    paths = {
        event.path: starts[event.parent].path
        for event in starts.values()
        if event.parent is not None
    }
    assert paths == {
        "one": "program",
        "one.part": "one",
        "two": "program",
        "two.module": "two",
        "two.module.predict": "two.module",
    }
    samples = [event.index for event in starts.values() if event.path == "two.module"]
    assert sorted(samples) == [*range(len(samples))]


def _with_signature() -> lp.Module:
    class Titled(Threaded):
        signature = "question -> title"

        def forward(self, question: str) -> Any:
            return {"title": super().forward(question).answer}

    return Titled()


def test_what_is_no_callback_is_refused() -> None:
    async def wrong(event: Any) -> None: ...

    for bad in (3, lp.Callback, wrong):
        with pytest.raises(InputError, match=r"callback"):
            lp.using(callbacks=[bad]).__enter__()  # type: ignore[list-item]
    with pytest.raises(InputError, match=r"pass a callback, Callback\(\)"):
        lp.using(callbacks=[lp.Callback]).__enter__()  # type: ignore[list-item]
    with pytest.raises(InputError, match="takes a list"):
        lp.configure(callbacks=print)  # type: ignore[arg-type]


def test_a_stream_and_callbacks_at_the_same_time() -> None:
    told: list[Any] = []
    with lp.using(lm=lp.ScriptedLM([REPLY])), lp.callbacks(told.append):
        events = list(CHAIN.stream(question="?"))
    streamed = [event for event in events if isinstance(event, lp.StepStarted)]
    assert streamed == [event for event in told if isinstance(event, lp.StepStarted)]
    assert not any(isinstance(event, lp.FieldDelta) for event in told)


def test_the_docstring_example_runs() -> None:
    doc = lp.Callback.__doc__ or ""
    code = doc.split("Example::\n\n")[1].rstrip()
    lines = [line[8:] for line in code.split("\n")]
    exec("\n".join(lines), {})


def test_nothing_is_kept_of_calls_that_ended(tmp_path: Path) -> None:
    log = lp.CallLog(tmp_path / "log.jsonl")
    with lp.using(lm=lp.ScriptedLM([REPLY] * 3)), lp.callbacks(log), warnings.catch_warnings():
        for _ in range(3):
            CHAIN(question="?")
    gc.collect()
    assert not log._begun
