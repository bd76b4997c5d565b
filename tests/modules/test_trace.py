"""A call that belongs to a call which is over is refused: nothing would know of it."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.errors import LangprogError, ParseError
from langprog.modules import record_trace
from langprog.runtime import run_sync

Ask = Callable[[int], int]
TOLD = "a thread or task started by `forward`"


def doubling() -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: "[[double]]\n2")


class Asking(lp.Module):
    """Asks its predictor in the given way."""

    def __init__(self, way: Callable[[Ask], int]) -> None:
        self.predictor = lp.Predict("number: int -> double: int")
        self.way = way

    def forward(self, number: int) -> dict[str, int]:
        return {"total": self.way(lambda n: int(self.predictor(number=number + n).double))}


def test_a_thread_that_outlives_its_call_is_told() -> None:
    go_on = threading.Event()
    failed: list[Exception] = []
    threads: list[threading.Thread] = []

    def leave(ask: Ask) -> int:
        def late() -> None:
            go_on.wait()
            try:
                ask(0)
            except LangprogError as error:
                failed.append(error)

        threads.append(threading.Thread(target=late))
        threads[0].start()
        return ask(1)

    model = doubling()
    with lp.using(lm=model):
        Asking(leave)(number=0)
        go_on.set()
        threads[0].join()
        assert model.calls == 1
    assert TOLD in str(failed[0])
    assert "run" not in vars(threads[0])


def test_a_task_that_outlives_its_call_is_told() -> None:
    class Leaving(lp.Module):
        def __init__(self) -> None:
            self.predictor = lp.Predict("number: int -> double: int")

        async def aforward(self, number: int) -> lp.Prediction:
            async def late() -> None:
                await go_on.wait()
                await self.predictor.acall(number=number)

            tasks.append(asyncio.create_task(late()))
            return await self.predictor.acall(number=number)

    async def main() -> None:
        await Leaving().acall(number=1)
        go_on.set()
        with pytest.raises(LangprogError, match=TOLD):
            await tasks[0]

    tasks: list[asyncio.Task[None]] = []
    go_on = asyncio.Event()
    with lp.using(lm=doubling()):
        asyncio.run(main())


def test_a_forward_that_nobody_waits_for_any_more_calls_nothing_more() -> None:
    at_work, go_on, over = threading.Event(), threading.Event(), threading.Event()
    failed: list[Exception] = []

    def in_two_steps(ask: Ask) -> int:
        first = ask(0)
        at_work.set()
        go_on.wait()
        try:
            return first + ask(1)
        except LangprogError as error:
            failed.append(error)
            raise
        finally:
            over.set()

    async def main() -> None:
        task = asyncio.create_task(Asking(in_two_steps).acall(number=0))
        await asyncio.to_thread(at_work.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await asyncio.to_thread(over.wait)

    model = doubling()
    with lp.using(lm=model):
        run_sync(main())
        assert model.calls == 1
    assert len(failed) == 1


def test_what_a_failed_part_has_left_running_ends_with_it() -> None:
    failing = lp.Predict("number: int -> double: int")
    refused: list[BaseException] = []

    class Part(lp.Module):
        def __init__(self) -> None:
            self.failing = failing

        async def aforward(self, number: int) -> lp.Prediction:
            async def late() -> None:
                await go_on.wait()
                try:
                    await working.acall(number=2)
                except LangprogError as error:
                    refused.append(error)

            late_tasks.append(asyncio.create_task(late()))
            return await self.failing.acall(number=number)

    class Whole(lp.Module):
        def __init__(self) -> None:
            self.part = Part()

        async def aforward(self, number: int) -> lp.Prediction:
            with pytest.raises(ParseError):
                await self.part.acall(number=number)
            go_on.set()
            await late_tasks[0]
            return await working.acall(number=number)

    async def main() -> lp.Prediction:
        return await Whole().acall(number=1)

    working = lp.Predict("number: int -> double: int", model=doubling())
    late_tasks: list[asyncio.Task[None]] = []
    go_on = asyncio.Event()
    with lp.using(lm=lp.ScriptedLM(lambda request: "no number", name="test/failing")):
        prediction = asyncio.run(main())
    assert prediction.double == 2
    assert len(refused) == 1


def test_a_part_may_leave_work_for_the_rest_of_the_program() -> None:
    class Ahead(lp.Module):
        def __init__(self) -> None:
            self.predictor = lp.Predict("number: int -> double: int")

        async def aforward(self, number: int) -> dict[str, Any]:
            return {"ahead": asyncio.create_task(self.predictor.acall(number=number))}

    class Whole(lp.Module):
        def __init__(self) -> None:
            self.ahead = Ahead()

        async def aforward(self, number: int) -> lp.Prediction:
            started = await self.ahead.acall(number=number)
            result: lp.Prediction = await started.ahead
            return result

    with lp.using(lm=doubling()):
        prediction = asyncio.run(Whole().acall(number=1))
    assert (prediction.double, prediction.usage.calls) == (2, 1)


def test_a_recorded_block_that_is_over_records_nothing_more() -> None:
    async def main() -> None:
        with record_trace() as trace:
            late = asyncio.create_task(later())
        go_on.set()
        with pytest.raises(LangprogError, match=TOLD):
            await late
        assert trace.steps() == ()

    async def later() -> None:
        await go_on.wait()
        await lp.Predict("number: int -> double: int").acall(number=1)

    go_on = asyncio.Event()
    with lp.using(lm=doubling()):
        asyncio.run(main())


def test_no_thread_that_stays_keeps_a_call_that_is_over() -> None:
    model = doubling()
    gone = weakref.ref(model)

    def from_another_thread(ask: Ask) -> int:
        thread = threading.Thread(target=ask, args=(1,))
        thread.start()
        thread.join()
        return lp.parallel(ask, [2])[0]

    with lp.using(lm=model):
        Asking(from_another_thread)(number=0)
    del model
    gc.collect()
    assert gone() is None


def test_a_forked_process_is_told_that_nothing_of_it_would_be_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class InAFork(lp.Module):
        def __init__(self) -> None:
            self.predictor = lp.Predict("number: int -> double: int")

        async def aforward(self, number: int) -> dict[str, int]:
            with monkeypatch.context() as patch:
                patch.setattr(os, "getpid", lambda: -1)
                return {"total": (await self.predictor.acall(number=number)).double}

    lm = doubling()
    with lp.using(lm=lm), pytest.raises(LangprogError, match="a process forked by `forward`"):
        InAFork()(number=1)
    assert lm.calls == 0
