from __future__ import annotations

import asyncio
import gc
import inspect
import re
import textwrap
import tracemalloc
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import (
    AuthError,
    BudgetExceeded,
    ConnectError,
    InputError,
    ParseError,
    SignatureError,
)
from langprog.lm import Completion
from langprog.runtime import run_sync

EACH = lp.Predict("document -> fact")
BAD = re.compile(r"bad \d+")


def echo(request: lp.Request) -> str | Exception:
    text = request.messages[-1].content.split("\n")[1]
    return ConnectError("away") if BAD.fullmatch(text) else f"[[fact]]\nof {text}"


class Gated(lp.ScriptedLM):
    """Answers with an echo; says how many calls run, and which were cancelled."""

    def __init__(self, hold: Callable[[str], bool] = lambda text: False) -> None:
        super().__init__(echo)
        self.hold = hold
        self.running = self.most = self.cancelled = 0
        self.gate = asyncio.Event()
        self.started = asyncio.Event()

    async def complete(self, request: lp.Request) -> Completion:
        self.running += 1
        self.most = max(self.most, self.running)
        self.started.set()
        try:
            await asyncio.sleep(0)
            if self.hold(request.messages[-1].content):
                await self.gate.wait()
            return await super().complete(request)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1


class Echo:
    """Answers with an echo and keeps nothing."""

    name, endpoint, defaults = "test/echo", "in-process", lp.Sampling()

    def __init__(self) -> None:
        self.calls = 0

    async def complete(self, request: lp.Request) -> Completion:
        self.calls += 1
        said = echo(request)
        if isinstance(said, Exception):
            raise said
        return Completion((said,), self.name)

    async def aclose(self) -> None:
        """Nothing is open."""


def facts(prediction: lp.Prediction) -> list[Any]:
    return list(prediction.fact)


def test_the_outputs_are_lists_in_the_order_of_the_elements() -> None:
    with lp.using(lm=lp.ScriptedLM(echo)):
        prediction = lp.Map(EACH, over="documents")(documents=["a", "b", "a"])
    assert prediction.fact == ["of a", "of b", "of a"]
    assert prediction.documents_failures == []
    assert [step.path for step in prediction.trace] == ["module"] * 3
    assert [step.inputs["document"] for step in prediction.trace] == ["a", "b", "a"]


def test_an_empty_list_asks_nothing() -> None:
    model = lp.ScriptedLM(echo)
    with lp.using(lm=model):
        prediction = lp.Map(EACH, over="documents")(documents=[])
    assert (prediction.fact, prediction.documents_failures, model.calls) == ([], [], 0)


@settings(max_examples=40, deadline=None)
@given(
    flags=st.lists(st.booleans(), min_size=1, max_size=30).filter(any),
    at_once=st.integers(1, 9),
    keep=st.booleans(),
)
def test_failures_are_where_they_happened_at_any_width(
    flags: list[bool], at_once: int, keep: bool
) -> None:
    documents = [f"doc {n}" if good else f"bad {n}" for n, good in enumerate(flags)]
    program = lp.Map(EACH, over="documents", at_once=at_once, on_error="keep" if keep else "drop")
    with lp.using(lm=lp.ScriptedLM(echo)):
        prediction = program(documents=documents)
    failed = [n for n, good in enumerate(flags) if not good]
    assert [each.index for each in prediction.documents_failures] == failed
    assert {each.error for each in prediction.documents_failures} <= {"ConnectError"}
    good = [f"of doc {n}" for n, good in enumerate(flags) if good]
    if keep:
        assert len(prediction.fact) == len(flags)
        places = [
            n for n, fact in enumerate(facts(prediction)) if isinstance(fact, lp.ElementFailure)
        ]
        assert places == failed
    else:
        assert prediction.fact == good


def test_a_thousand_elements_of_which_some_fail_stay_in_order_and_memory_stays_flat() -> None:
    model = Gated()
    documents = [f"bad {n}" if n % 33 == 7 else f"doc {n}" for n in range(1000)]

    async def run() -> tuple[lp.Prediction, int, int]:
        with lp.using(lm=model):
            tracemalloc.start()
            prediction = await lp.Map(EACH, over="documents", at_once=16).acall(
                documents=documents
            )
            peak = tracemalloc.get_traced_memory()[1]
            gc.collect()
            kept = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        return prediction, kept, peak

    prediction, kept, peak = run_sync(run())
    wrong = [n for n in range(1000) if n % 33 == 7]
    assert [each.index for each in prediction.documents_failures] == wrong
    assert 0.029 < len(wrong) / 1000 < 0.032
    for number, fact in enumerate(facts(prediction)):
        if number in wrong:
            assert fact == lp.ElementFailure(number, "ConnectError", "away")
        else:
            assert fact == f"of doc {number}"
    assert model.most <= 16
    # The result and its trace are kept; the work itself takes next to nothing beside them.
    assert peak - kept < 1_000_000, (peak, kept)


def test_the_first_result_is_out_before_the_last_element_is_known_and_nothing_piles_up() -> None:
    model = Echo()
    asked: list[int] = []

    async def documents(count: int, go: asyncio.Event) -> AsyncIterator[str]:
        for number in range(count):
            if number == count - 1:
                await go.wait()
            asked.append(number)
            yield f"doc {number}"

    async def run(count: int) -> tuple[int, int]:
        go = asyncio.Event()
        program = lp.Map(EACH, over="documents", at_once=8)
        received = 0
        tracemalloc.start()
        async with aclosing(program.aresults(documents=documents(count, go))) as results:
            async for result in results:
                assert isinstance(result, lp.Prediction)
                assert result.fact == f"of doc {received}"
                if not received:
                    assert len(asked) < count and not go.is_set()
                received += 1
                # Read ahead of what was taken is bounded.
                assert len(asked) - received <= 5 * 8 + 2
                if received == count - 1:
                    go.set()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        asked.clear()
        return received, peak

    with lp.using(lm=model):
        run_sync(run(20))
        received, small = run_sync(run(200))
        assert received == 200
        received, large = run_sync(run(2000))
    assert received == 2000
    assert large < small + 300_000, (small, large)


def test_a_call_takes_what_is_iterated_over() -> None:
    async def later() -> AsyncIterator[str]:
        for text in "ab":
            await asyncio.sleep(0)
            yield text

    program = lp.Map(EACH, over="documents")
    with lp.using(lm=lp.ScriptedLM(echo)):
        assert program(documents=later()).fact == ["of a", "of b"]
        assert program(documents=(text for text in "ab")).fact == ["of a", "of b"]
        # One program feeds another.
        chained = (program(documents=[text]).fact[0] for text in "ab")
        assert program(documents=chained).fact == ["of of a", "of of b"]


def test_a_source_that_fails_ends_the_call_and_what_produces_it() -> None:
    closed: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            raise ValueError("the source broke")
        finally:
            closed.append("yes")

    async def endless() -> AsyncIterator[str]:
        try:
            while True:
                yield "bad 1"
        finally:
            closed.append("yes")

    with lp.using(lm=lp.ScriptedLM(echo)):
        with pytest.raises(ValueError, match="the source broke"):
            lp.Map(EACH, over="documents")(documents=source())
        with pytest.raises(ConnectError, match="3 of the first 3 elements.*away"):
            lp.Map(EACH, over="documents", max_failures=2)(documents=endless())
    assert closed == ["yes", "yes"]


def test_cancelling_stops_the_running_calls() -> None:
    model = Gated(lambda text: True)

    async def run() -> None:
        with lp.using(lm=model):
            task = asyncio.create_task(
                lp.Map(EACH, over="documents", at_once=4).acall(documents=["x"] * 50)
            )
            await model.started.wait()
            while model.running < 4:
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    run_sync(run())
    assert (model.running, model.cancelled, model.most) == (0, 4, 4)


def test_leaving_the_results_early_stops_the_running_calls() -> None:
    model = Gated(lambda text: "doc 0" not in text)

    async def run() -> None:
        program = lp.Map(EACH, over="documents", at_once=4)
        with lp.using(lm=model):
            documents = [f"doc {n}" for n in range(100)]
            async with aclosing(program.aresults(documents=documents)) as results:
                async for _ in results:
                    break
        assert model.running == 0

    run_sync(run())
    assert model.cancelled > 0


@pytest.mark.parametrize(
    ("error", "said"), [(AuthError("wrong key"), "wrong key"), (RuntimeError("bug"), "bug")]
)
def test_what_all_elements_share_ends_the_call(error: Exception, said: str) -> None:
    def reply(request: lp.Request) -> str | Exception:
        return error if "doc 3" in request.messages[-1].content else echo(request)

    model = lp.ScriptedLM(reply)
    with lp.using(lm=model), pytest.raises(type(error), match=said):
        lp.Map(EACH, over="documents", at_once=2)(documents=[f"doc {n}" for n in range(90)])
    assert model.calls < 12


def test_a_budget_ends_the_call() -> None:
    model = lp.ScriptedLM(echo)
    with lp.using(lm=model, budget=lp.Budget(calls=5)), pytest.raises(BudgetExceeded):
        lp.Map(EACH, over="documents")(documents=[f"doc {n}" for n in range(90)])
    assert model.calls <= 5


def test_if_all_fail_the_first_error_is_raised_with_their_number() -> None:
    program = lp.Map(EACH, over="documents")
    with lp.using(lm=lp.ScriptedLM(echo)):
        with pytest.raises(ConnectError, match="2 of the first 2 elements of a Map failed.*away"):
            program(documents=["bad 1", "bad 2"])
        with pytest.raises(ConnectError, match="^away$"):
            program(documents=["bad 1"])
    unreadable = lp.ScriptedLM(lambda request: "no fields")
    typed = lp.Map(lp.Predict("document -> a: int, b: int"), over="documents")
    with lp.using(lm=unreadable), pytest.raises(ParseError, match="2 of the first 2") as error:
        typed(documents=["x", "y"])
    assert isinstance(error.value.__cause__, ParseError) and error.value.text == "no fields"


def test_more_failures_than_allowed_end_the_call() -> None:
    documents = ["a", "bad 1", "b", "bad 2", *"cdefgh"]
    with lp.using(lm=lp.ScriptedLM(echo)):
        allowed = lp.Map(EACH, over="documents", max_failures=2)(documents=documents)
        assert len(allowed.documents_failures) == 2
        with pytest.raises(ConnectError, match="2 of the first 4"):
            lp.Map(EACH, over="documents", max_failures=1)(documents=documents)
        with pytest.raises(ConnectError, match="1 of the first 2"):
            lp.Map(EACH, over="documents", on_error="raise")(documents=documents)


def test_an_element_of_the_wrong_type_is_a_failure_of_its_own() -> None:
    program = lp.Map(lp.Predict("number: int -> fact"), over="numbers")
    with lp.using(lm=lp.ScriptedLM(echo)):
        prediction = program(numbers=[1, "many", 3])
    assert [type(fact) for fact in prediction.fact] == [str, lp.ElementFailure, str]
    assert "number" in prediction.numbers_failures[0].message


def test_an_outage_that_a_map_survives_is_missing_data_to_an_evaluation() -> None:
    rows = [lp.Example(documents=["a", "bad 1"]), lp.Example(documents=["a", "b"])]
    with lp.using(lm=lp.ScriptedLM(echo)):
        report = lp.evaluate(lp.Map(EACH, over="documents"), rows, lambda row, prediction: 1.0)
    assert [row.score is None for row in report.rows] == [True, False]


def test_it_is_a_step_of_a_pipeline_with_inputs_that_all_elements_share() -> None:
    def reply(request: lp.Request) -> str | Exception:
        if "[[facts]]" in request.messages[-1].content:
            return "[[answer]]\nboth"
        return echo(request)

    program = lp.Pipeline(
        each=lp.Map(
            lp.Predict("document, question -> fact"),
            over="documents",
            item="document",
            outputs={"fact": "facts"},
            on_error="drop",
        ),
        answer=lp.Predict("question, facts: list[str] -> answer"),
    )
    assert list(program.inputs) == ["documents", "question"]
    model = lp.ScriptedLM(reply)
    with lp.using(lm=model):
        prediction = program(documents=["a", "bad 1", "b"], question="why?")
    assert (prediction.facts, prediction.answer) == (["of a", "of b"], "both")
    assert [each.index for each in prediction.documents_failures] == [1]
    assert "why?" in model.requests[0].messages[-1].content
    assert list(program.predictors()) == ["each.module", "answer"]


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    program = lp.Map(
        lp.Predict("document, question -> fact", instruction="One fact."),
        over="documents",
        item="document",
        outputs={"fact": "facts"},
        at_once=3,
        on_error="drop",
        max_failures=7,
        expected_length=20,
    )
    lp.save(program, tmp_path / "map.json")
    loaded = lp.load(tmp_path / "map.json")
    assert isinstance(loaded, lp.Map) and loaded.frozen
    assert (loaded.at_once, loaded.on_error, loaded.max_failures) == (3, "drop", 7)
    assert loaded.inputs == program.inputs and loaded.outputs == program.outputs
    assert loaded.calls_per_example() == 20
    with lp.using(lm=lp.ScriptedLM(echo)):
        assert loaded(documents=["a"], question="?").facts == ["of a"]


def test_a_copy_with_another_instruction_maps_alike() -> None:
    program = lp.Map(EACH, over="documents").with_parameters({"module.instruction": "Be brief."})
    model = lp.ScriptedLM(echo)
    with lp.using(lm=model):
        assert program(documents=["a"]).fact == ["of a"]
    assert "Be brief." in model.requests[0].messages[0].content


@pytest.mark.parametrize(
    ("value", "said"),
    [("text", "is a str: give a list"), ({"a": 1}, "is a dict"), (None, "NoneType"), (3, "int")],
)
def test_what_is_no_list_is_refused(value: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"documents of a Map {said}|{said}"):
        lp.Map(EACH, over="documents")(documents=value)


def test_inputs_are_checked_before_anything_is_asked() -> None:
    program = lp.Map(lp.Predict("document, question -> fact"), over="documents", item="document")
    with pytest.raises(InputError, match="lacks question"):
        program(documents=["a"])
    with pytest.raises(InputError, match="unknown more"):
        program(documents=["a"], question="?", more=1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"over": "documents"}, "needs item=.*document, question"),
        ({"over": "documents", "item": "text"}, "has item='text'"),
        ({"over": 3, "item": "document"}, "over= of a Map"),
        ({"over": "documents", "item": "document", "at_once": 0}, "at_once has to be"),
        ({"over": "documents", "item": "document", "on_error": "hide"}, "on_error has to be"),
        ({"over": "documents", "item": "document", "max_failures": -1}, "max_failures has to be"),
        ({"over": "documents", "item": "document", "expected_length": 0}, "expected_length"),
        ({"over": "documents", "item": "document", "outputs": {"x": "y"}}, "renames 'x'"),
        ({"over": "documents", "item": "document", "outputs": {"fact": 3}}, "to 3: use a name"),
        ({"over": "documents", "item": "document", "outputs": "fact"}, "dict of names"),
    ],
)
def test_bad_arguments_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.Map(lp.Predict("document, question -> fact"), **options)


def test_names_that_clash_are_refused() -> None:
    with pytest.raises(SignatureError, match="two fields named 'question'"):
        lp.Map(lp.Predict("document, question -> fact"), over="question", item="document")
    with pytest.raises(InputError, match="not a module"):
        lp.Map(lambda text: text, over="documents")  # type: ignore[arg-type]


def test_the_example_in_its_docstring_runs() -> None:
    example = re.search(r"Example::\n\n((?:    .*\n|\n)+)", inspect.getdoc(lp.Map) or "")
    assert example is not None
    exec(textwrap.dedent(example[1]), {})
