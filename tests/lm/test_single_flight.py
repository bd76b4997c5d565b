from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from langprog.errors import BadRequestError, BudgetExceeded, ServerError
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completion,
    Ledger,
    MemoryCache,
    Request,
    ScriptedLM,
)
from tests.lm.endpoint import asking, client, good, refuses, says


class Gated(ScriptedLM):
    """Answers when the test lets it."""

    def __init__(self, script: Callable[[Request], str | Exception] = lambda r: "fine") -> None:
        super().__init__(script)
        self.gate = asyncio.Event()
        self.cancelled = 0

    async def complete(self, request: Request) -> Completion:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().complete(request)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_fifty_identical_requests_at_once_send_one() -> None:
    ledger = Ledger(Budget(calls=200))

    async def run() -> tuple[list[Completion], int]:
        async with client(says(good())) as (model, seen):
            cached = Cached(Budgeted(model), MemoryCache())
            request = asking("same", ledgers=(ledger,))
            done = await asyncio.gather(*(cached.complete(request) for _ in range(50)))
            return list(done), seen.calls

    done, sent = asyncio.run(run())
    assert sent == 1
    assert [one.text for one in done] == ["fine"] * 50
    assert sum(not one.cached for one in done) == 1, "exactly one of them was paid for"
    assert (ledger.paid.calls, ledger.uncached.calls) == (1, 50)


def test_cancelling_the_one_who_asked_first_loses_nobody() -> None:
    async def run() -> tuple[list[str], Gated]:
        model = Gated()
        cached = Cached(model, MemoryCache())
        leader, *others = (asyncio.create_task(cached.complete(asking())) for _ in range(5))
        await settle()
        leader.cancel()
        await settle()
        model.gate.set()
        done = await asyncio.wait_for(asyncio.gather(*others), 5)
        assert leader.cancelled()
        return [one.text for one in done], model

    texts, model = asyncio.run(run())
    assert texts == ["fine"] * 4
    assert (model.calls, model.cancelled) == (1, 0)


def test_when_everybody_is_cancelled_so_is_the_request() -> None:
    async def run() -> Gated:
        model = Gated()
        cached = Cached(model, MemoryCache())
        tasks = [asyncio.create_task(cached.complete(asking())) for _ in range(3)]
        await settle()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await settle()
        assert (model.calls, model.cancelled) == (0, 1)
        model.gate.set()
        assert (await cached.complete(asking())).text == "fine", "and the next one starts anew"
        return model

    asyncio.run(run())


def test_a_failure_is_not_kept_and_the_others_ask_once_more() -> None:
    async def run() -> tuple[list[object], int, str]:
        failure, success = refuses(500), says(good())
        async with client(failure, success) as (model, seen):
            cached = Cached(model, MemoryCache())
            done = await asyncio.gather(
                *(cached.complete(asking()) for _ in range(5)), return_exceptions=True
            )
            later = await cached.complete(asking())
            return list(done), seen.calls, later.text

    done, sent, later = asyncio.run(run())
    first, *others = done
    assert isinstance(first, ServerError)
    assert [one.text for one in others if isinstance(one, Completion)] == ["fine"] * 4
    assert (sent, later) == (2, "fine")


def test_where_it_keeps_failing_nobody_asks_for_ever() -> None:
    async def run() -> tuple[set[type], int]:
        async with client(refuses(500)) as (model, seen):
            cached = Cached(model, MemoryCache())
            done = await asyncio.gather(
                *(cached.complete(asking()) for _ in range(50)), return_exceptions=True
            )
            return {type(one) for one in done}, seen.calls

    kinds, sent = asyncio.run(run())
    assert kinds == {ServerError}
    assert sent <= 3


def test_a_refused_request_is_refused_for_all_at_once() -> None:
    model = ScriptedLM(lambda request: BadRequestError("no such thing"))
    cached = Cached(model, MemoryCache())

    async def run() -> list[object]:
        asked = (cached.complete(asking()) for _ in range(20))
        return list(await asyncio.gather(*asked, return_exceptions=True))

    assert {type(one) for one in asyncio.run(run())} == {BadRequestError}
    assert model.calls == 1


def test_nobody_fails_by_the_budget_of_another() -> None:
    model = ScriptedLM(lambda request: "fine")
    cached = Cached(Budgeted(model), MemoryCache())
    empty, full = Ledger(Budget(calls=0)), Ledger(Budget(calls=1))

    async def run() -> list[object]:
        ledgers = (empty, empty, full, full, empty)
        asked = (cached.complete(asking(ledgers=(ledger,))) for ledger in ledgers)
        return list(await asyncio.gather(*asked, return_exceptions=True))

    first, *others = asyncio.run(run())
    assert isinstance(first, BudgetExceeded)
    answered = [one for one in others if isinstance(one, Completion)]
    assert len(answered) >= 2 and model.calls == 1
    assert full.paid.calls == 1 and empty.paid.calls == 0


def test_two_event_loops_do_not_wait_for_each_other() -> None:
    model = ScriptedLM(lambda request: "fine")
    cached = Cached(model, MemoryCache())
    texts: list[str] = []

    def ask() -> None:
        async def run() -> None:
            done = await asyncio.gather(*(cached.complete(asking()) for _ in range(10)))
            texts.extend(one.text for one in done)

        asyncio.run(run())

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == ["fine"] * 40
    assert model.calls <= 4


@pytest.mark.parametrize("count", [1, 7])
def test_different_requests_do_not_wait_for_each_other(count: int) -> None:
    model = ScriptedLM(lambda request: request.messages[0].content)
    cached = Cached(model, MemoryCache())

    async def run() -> list[str]:
        asked = (cached.complete(asking(str(i))) for i in range(count))
        return [one.text for one in await asyncio.gather(*asked)]

    assert asyncio.run(run()) == [str(i) for i in range(count)]
    assert model.calls == count
