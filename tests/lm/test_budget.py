"""A budget is a hard cap: never passed, at any concurrency, and never given away."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

import langprog as lp
from langprog.errors import (
    BudgetExceeded,
    InputError,
    LangprogWarning,
    ModelError,
    ServerError,
)
from langprog.evaluation import compare_programs
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completion,
    Cost,
    Ledger,
    MemoryCache,
    Message,
    Negotiated,
    Price,
    Priced,
    Request,
    Reservation,
    Retry,
    Sampling,
    ScriptedLM,
    Throttle,
    Usage,
)
from tests.lm.endpoint import asking, at_once, client, good, refuses, says

ONE = Price(1.0, 1.0)  # a dollar for a million tokens of either kind


class Gate:
    """A model whose calls end when told; for tests of what happens meanwhile."""

    name, endpoint, defaults = "test/gate", "in-process", Sampling()

    def __init__(self, usage: Usage | None = None) -> None:
        self.open = asyncio.Event()
        self.running = 0
        self.most = 0
        self.calls = 0
        self._usage = usage or Usage(1, 1)

    async def complete(self, request: Request) -> Completion:
        self.calls += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self.open.wait()
        finally:
            self.running -= 1
        return Completion(("fine",) * request.n, self.name, self._usage)

    async def aclose(self) -> None: ...


async def settle_down() -> None:
    """Let every task run until it can go no further."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_64_workers_send_exactly_200_requests_and_the_200_succeed() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(calls=200))
        ends: list[str] = []

        async def worker(model: Retry, left: list[int]) -> None:
            while left:
                request = asking(f"number {left.pop()}", ledgers=(ledger,))
                try:
                    ends.append((await model.complete(request)).text)
                except BudgetExceeded:
                    ends.append("refused")

        async with client(says(good())) as (inner, seen):
            model = Retry(Throttle(Budgeted(Priced(inner, ONE))), sleep=at_once)
            left = list(range(300))
            await asyncio.gather(*(worker(model, left) for _ in range(64)))
            assert seen.calls == 200
        assert (ends.count("fine"), ends.count("refused")) == (200, 100)
        assert ledger.paid == ledger.uncached == Cost(200, 2000, 0.002)
        assert ledger.reserved == Cost()
        assert ledger.remaining().calls == 0

    asyncio.run(run())


def test_retries_are_calls_too_and_refused_ones_are_none() -> None:
    async def run() -> None:
        refused = refuses(400, message="response_format is not supported")
        answers = [refuses(500), refused, refuses(429), refuses(500), says(good())]
        for calls, sent in ((1, 1), (2, 4)):
            ledger = Ledger(Budget(calls=calls))
            async with client(*answers) as (inner, seen):
                model = Retry(Negotiated(Budgeted(inner)), sleep=at_once)
                with pytest.raises(BudgetExceeded, match=f"{calls} calls"):
                    await model.complete(asking(response_schema={}, ledgers=(ledger,)))
                assert (seen.calls, ledger.paid.calls) == (sent, calls)
        ledger = Ledger(Budget(calls=3))
        async with client(*answers) as (inner, seen):
            model = Retry(Negotiated(Budgeted(inner)), sleep=at_once)
            await model.complete(asking(response_schema={}, ledgers=(ledger,)))
            assert (seen.calls, ledger.paid.calls) == (5, 3)

    asyncio.run(run())


class Watched(Ledger):
    """A ledger that checks its caps whenever something changes."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget)
        self.broken: list[Cost] = []

    def _close(self, most: Cost, taken: Cost) -> None:
        super()._close(most, taken)
        paid = self.paid
        for cap, used in (
            (self.budget.calls, paid.calls),
            (self.budget.tokens, paid.tokens),
            (self.budget.dollars, paid.dollars),
        ):
            if cap is not None and used > cap:
                self.broken.append(paid)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "budget",
    [Budget(calls=37), Budget(tokens=9000), Budget(dollars=0.009), Budget(50, 9000, 0.008)],
    ids=["calls", "tokens", "dollars", "all"],
)
def test_no_cap_is_ever_passed(budget: Budget, seed: int) -> None:
    async def run() -> None:
        rng = random.Random(seed)
        ledger = Watched(budget)

        async def reply(request: web.Request) -> web.StreamResponse:
            sent = await request.json()
            if rng.random() < 0.1:
                return web.json_response({}, status=500)
            usage = {
                "prompt_tokens": rng.randint(1, len(sent["messages"][0]["content"])),
                "completion_tokens": rng.randint(1, sent["max_tokens"]),
            }
            return web.json_response({**good(), "usage": usage})

        async with client(reply) as (inner, seen):
            model = Retry(Budgeted(Priced(inner, ONE)), sleep=at_once)
            requests = [
                asking(
                    "x" * rng.randint(1, 200),
                    sampling=Sampling(max_tokens=rng.randint(1, 300)),
                    ledgers=(ledger,),
                )
                for _ in range(80)
            ]
            done = await asyncio.gather(
                *(model.complete(request) for request in requests), return_exceptions=True
            )
        assert not ledger.broken
        assert ledger.reserved == Cost()
        completions = [one for one in done if isinstance(one, Completion)]
        assert completions
        assert all(isinstance(one, (Completion, BudgetExceeded, ServerError)) for one in done), (
            done
        )
        assert ledger.paid.calls == seen.calls
        assert ledger.paid.tokens == sum(one.usage.total_tokens for one in completions)

    asyncio.run(run())


def test_a_call_that_could_fit_later_waits_for_those_under_way() -> None:
    async def run() -> None:
        gate = Gate(Usage(1, 9))
        # Room for one call at its worst (16 + 2 + 82 tokens), but for ten as they turn out.
        ledger = Ledger(Budget(tokens=199))
        model = Budgeted(gate)
        request = Request((Message("user", "hi"),), Sampling(max_tokens=82), ledgers=(ledger,))
        tasks = [asyncio.create_task(model.complete(request)) for _ in range(5)]
        await settle_down()
        assert gate.running == 1
        assert not any(task.done() for task in tasks)
        gate.open.set()
        done = await asyncio.gather(*tasks)
        assert [completion.text for completion in done] == ["fine"] * 5
        assert gate.most == 1
        assert ledger.paid == Cost(5, 50)

    asyncio.run(run())


def test_a_call_that_can_never_fit_is_refused_at_once() -> None:
    async def run() -> None:
        gate = Gate()
        ledger = Ledger(Budget(tokens=100))
        model = Budgeted(gate)
        first = asyncio.create_task(
            model.complete(asking(sampling=Sampling(max_tokens=5), ledgers=(ledger,)))
        )
        await settle_down()
        with pytest.raises(BudgetExceeded, match="100 tokens"):
            await model.complete(asking(sampling=Sampling(max_tokens=99), ledgers=(ledger,)))
        gate.open.set()
        await first

    asyncio.run(run())


def test_where_there_is_no_bound_one_is_sent() -> None:
    lm = ScriptedLM(lambda request: "fine")
    model = Budgeted(Priced(lm, ONE))

    async def run() -> None:
        await model.complete(asking())
        await model.complete(asking(ledgers=(Ledger(Budget(calls=9)),)))
        await model.complete(asking(ledgers=(Ledger(Budget(tokens=99_999)),)))
        await model.complete(asking(ledgers=(Ledger(Budget(dollars=9)),)))
        await model.complete(
            asking(sampling=Sampling(max_tokens=7), ledgers=(Ledger(Budget(dollars=1)),))
        )

    with pytest.warns(LangprogWarning, match="max_tokens=4096") as said:
        asyncio.run(run())
    assert [request.sampling.max_tokens for request in lm.requests] == [None, None, 4096, 4096, 7]
    assert len(said) == 1


def test_the_bound_covers_every_completion_and_the_schema() -> None:
    async def run() -> None:
        ledger = Ledger()
        gate = Gate()
        model = Budgeted(Priced(gate, Price(2.0, 3.0)))
        schema = {"type": "object", "description": "d" * 500}
        ledger.budget = Budget(tokens=100_000, dollars=1.0)
        task = asyncio.create_task(
            model.complete(
                asking(
                    "\u00fc" * 50,
                    sampling=Sampling(max_tokens=10),
                    n=4,
                    response_schema=schema,
                    ledgers=(ledger,),
                )
            )
        )
        await settle_down()
        assert ledger.reserved.calls == 1
        assert ledger.reserved.tokens >= 100 + 500 + 4 * 10
        assert ledger.reserved.dollars == pytest.approx(
            ((ledger.reserved.tokens - 40) * 2 + 40 * 3) / 1e6
        )
        gate.open.set()
        await task

    asyncio.run(run())


def test_text_that_has_no_utf_8_can_be_paid_for() -> None:
    ledger = Ledger(Budget(tokens=10_000))
    model = Budgeted(ScriptedLM(["fine"]))
    request = asking("a \ud800 b", sampling=Sampling(max_tokens=9), ledgers=(ledger,))
    completion = asyncio.run(model.complete(request))
    assert completion.text == "fine"


def test_where_the_endpoint_counts_no_tokens_the_worst_is_taken() -> None:
    async def run() -> None:
        silent = good()
        del silent["usage"]
        async with client(says(silent)) as (inner, seen):
            ledger = Ledger(Budget(tokens=1000, dollars=1.0))
            model = Budgeted(Priced(inner, ONE))
            request = asking(sampling=Sampling(max_tokens=100), ledgers=(ledger,))
            done = await asyncio.gather(
                *(model.complete(request) for _ in range(30)), return_exceptions=True
            )
            served = [one for one in done if isinstance(one, Completion)]
            assert len(served) == seen.calls == 1000 // (100 + 16 + len("hello"))
            assert 500 < ledger.paid.tokens <= 1000
            assert ledger.paid.dollars == pytest.approx(ledger.paid.tokens / 1e6)

    asyncio.run(run())


def test_dollars_add_up_to_the_cap_exactly() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(dollars=0.3))
        for _ in range(3):
            reservation = await ledger.reserve(Cost(1, 10, 0.1))
            reservation.settle(Completion(("x",), "m", Usage(5, 5), dollars=0.1).cost)
        assert ledger.paid.dollars <= 0.3
        with pytest.raises(BudgetExceeded, match="0.3 dollars"):
            await ledger.reserve(Cost(1, 1, 0.000001))

    asyncio.run(run())


@pytest.mark.parametrize("scale", [0.001, 1.0, 1000.0])
@pytest.mark.parametrize("seed", range(3))
def test_rounding_never_leaves_a_call_waiting_for_nobody(seed: int, scale: float) -> None:
    async def run() -> None:
        rng = random.Random(seed)
        ledger = Ledger(Budget(dollars=scale))
        reservations: list[Reservation] = []
        for _ in range(2000):
            if reservations and rng.random() < 0.5:
                reservations.pop(rng.randrange(len(reservations))).close("nothing")
            elif ledger.reserved.dollars < 0.9 * scale:
                reservations.append(await ledger.reserve(Cost(1, 1, scale * rng.random() / 100)))
        for reservation in reservations:
            reservation.close("nothing")
        assert ledger.reserved == Cost()
        await asyncio.wait_for(ledger.reserve(Cost(1, 1, scale)), timeout=5)

    asyncio.run(run())


def test_every_ledger_has_to_agree_and_a_refusal_gives_all_back() -> None:
    async def run() -> None:
        wide, narrow = Ledger(Budget(calls=10)), Ledger(Budget(calls=1))
        lm = ScriptedLM(lambda request: "fine")
        model = Budgeted(lm)
        await model.complete(asking(ledgers=(wide, narrow)))
        with pytest.raises(BudgetExceeded, match="1 calls"):
            await model.complete(asking(ledgers=(wide, narrow)))
        assert (wide.paid.calls, narrow.paid.calls) == (1, 1)
        assert wide.reserved == narrow.reserved == Cost()
        await model.complete(asking(ledgers=(wide,)))
        assert (wide.paid.calls, lm.calls) == (2, 2)

    asyncio.run(run())


def test_ledgers_in_any_order_do_not_wait_for_each_other() -> None:
    async def run() -> None:
        one, two = Ledger(Budget(calls=40)), Ledger(Budget(calls=40))
        tight = [Ledger(Budget(tokens=60)), Ledger(Budget(tokens=60))]
        model = Budgeted(ScriptedLM(lambda request: "x"))
        small = Sampling(max_tokens=5)
        orders = [(one, *tight, two), (two, *reversed(tight), one)] * 20
        calls = (model.complete(asking("hi", sampling=small, ledgers=order)) for order in orders)
        done = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), timeout=5)
        served = [one for one in done if isinstance(one, Completion)]
        assert served
        assert tight[0].paid == tight[1].paid == one.paid == two.paid
        assert one.paid.calls == len(served)

    asyncio.run(run())


def test_a_ledger_that_is_named_twice_pays_once() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(calls=1))
        model = Cached(Budgeted(ScriptedLM(["fine"])), MemoryCache())
        request = asking(ledgers=(ledger, ledger))
        await asyncio.wait_for(model.complete(request), timeout=5)
        await model.complete(request)
        assert ledger.paid.calls == 1
        assert ledger.uncached.calls == 2

    asyncio.run(run())


def test_a_dollar_cap_needs_a_price() -> None:
    lm = ScriptedLM(lambda request: "fine", dollars=None)
    calls, dollars = Ledger(Budget(calls=5)), Ledger(Budget(dollars=5.0))
    for model in (Budgeted(lm), Budgeted(Priced(lm, None))):
        with pytest.raises(ModelError, match=r"scripted/lm has no known price.* price="):
            asyncio.run(model.complete(asking(ledgers=(calls, dollars))))
    assert lm.calls == 0
    assert calls.paid == calls.reserved == dollars.paid == Cost()
    asyncio.run(Budgeted(Priced(lm, None)).complete(asking(ledgers=(calls,))))
    assert calls.paid == Cost(1, 2)


def test_time_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("langprog.lm.budget.time.monotonic", lambda: now[0])
    lm = ScriptedLM(lambda request: "fine")
    model = Budgeted(lm)
    ledger = Ledger(Budget(seconds=10))
    request = asking(ledgers=(ledger,))

    def ask() -> None:
        asyncio.run(model.complete(request))

    assert ledger.seconds == 0.0
    ask()
    now[0] += 9.9
    ask()
    assert ledger.remaining().seconds == pytest.approx(0.1)
    now[0] += 0.1
    with pytest.raises(BudgetExceeded, match="10 seconds"):
        ask()
    assert lm.calls == ledger.paid.calls == 2
    assert ledger.remaining().seconds == 0.0


def test_no_seconds_no_call() -> None:
    with pytest.raises(BudgetExceeded, match="0 seconds"):
        asyncio.run(
            Budgeted(ScriptedLM(["x"])).complete(asking(ledgers=(Ledger(Budget(seconds=0)),)))
        )


def test_a_failure_counts_as_a_call_and_as_nothing_else() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(calls=3, tokens=100_000))
        model = Budgeted(ScriptedLM(lambda request: ServerError("no")))
        request = asking(sampling=Sampling(max_tokens=9), ledgers=(ledger,))
        for _ in range(3):
            with pytest.raises(ServerError):
                await model.complete(request)
        assert ledger.paid == Cost(calls=3)
        assert ledger.reserved == Cost()
        with pytest.raises(BudgetExceeded):
            await model.complete(request)

    asyncio.run(run())


def test_cancelling_a_call_that_waits_gives_nothing_away() -> None:
    async def run() -> None:
        gate = Gate()
        outer, ledger = Ledger(Budget(calls=9)), Ledger(Budget(tokens=40))
        model = Budgeted(gate)
        request = asking("hi", sampling=Sampling(max_tokens=20), ledgers=(outer, ledger))
        first, waiting, last = (asyncio.create_task(model.complete(request)) for _ in range(3))
        await settle_down()
        assert gate.calls == 1
        waiting.cancel()
        await settle_down()
        assert gate.calls == 1
        assert waiting.cancelled()
        gate.open.set()
        await asyncio.gather(first, last)
        assert outer.paid == ledger.paid == Cost(2, 4)
        assert outer.reserved == ledger.reserved == Cost()

    asyncio.run(run())


def test_cancelling_a_call_that_was_sent_counts_it() -> None:
    async def run() -> None:
        gate = Gate()
        ledger = Ledger(Budget(calls=2))
        task = asyncio.create_task(Budgeted(gate).complete(asking(ledgers=(ledger,))))
        await settle_down()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert ledger.paid == Cost(calls=1)
        assert ledger.reserved == Cost()

    asyncio.run(run())


def test_two_accounts_what_is_paid_and_what_it_would_be_uncached() -> None:
    async def run() -> None:
        first, second = Ledger(Budget(calls=1)), Ledger(Budget(calls=0))
        model = Cached(
            Budgeted(Priced(ScriptedLM(lambda request: "a b"), Price(1e6, 1e6))), MemoryCache()
        )
        await model.complete(asking(ledgers=(first,)))
        for _ in range(3):
            await model.complete(asking(ledgers=(first, second)))
        assert first.paid == Cost(1, 3, 3.0)
        assert first.uncached == Cost(4, 12, 12.0)
        assert (second.paid, second.uncached) == (Cost(), Cost(3, 9, 9.0))
        with pytest.raises(BudgetExceeded):
            await model.complete(asking("something else", ledgers=(second,)))

    asyncio.run(run())


def test_one_ledger_for_several_threads_and_their_loops() -> None:
    lm = ScriptedLM(lambda request: "fine")
    model = Budgeted(lm)
    ledger = Ledger(Budget(calls=100, tokens=100_000))
    refused: list[int] = []

    async def work() -> None:
        done = await asyncio.gather(
            *(
                model.complete(asking(sampling=Sampling(max_tokens=200), ledgers=(ledger,)))
                for _ in range(30)
            ),
            return_exceptions=True,
        )
        refused.append(sum(isinstance(one, BudgetExceeded) for one in done))

    threads = [threading.Thread(target=lambda: asyncio.run(work())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lm.calls == ledger.paid.calls == 100
    assert sum(refused) == 50
    assert ledger.reserved == Cost()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Budget(calls=-1),
        lambda: Budget(dollars=float("nan")),
        lambda: Budget(tokens="many"),  # type: ignore[arg-type]  # the mistake under test
        lambda: Budget(seconds=True),
        lambda: Budget(calls=1.5),  # type: ignore[arg-type]  # the mistake under test
    ],
)
def test_a_cap_that_is_none(make: Callable[[], Budget]) -> None:
    with pytest.raises(InputError, match=r"Budget\(\w+="):
        make()


def test_what_remains() -> None:
    async def run() -> None:
        ledger = Ledger(Budget(calls=5, tokens=100, dollars=1.0))
        reservation = await ledger.reserve(Cost(1, 40, 0.25))
        left = ledger.remaining()
        assert (left.calls, left.tokens, left.dollars, left.seconds) == (4, 60, 0.75, None)
        reservation.close("nothing")
        assert replace(ledger.remaining(), seconds=None) == ledger.budget

    asyncio.run(run())


def test_a_refusal_says_what_the_call_could_have_taken() -> None:
    model = Budgeted(Priced(ScriptedLM(lambda request: "x"), Price(0.0, 1000.0)))
    ledger = Ledger(Budget(dollars=0.05))
    request = asking(sampling=Sampling(max_tokens=100), ledgers=(ledger,))
    message = r"cost up to 0\.1 dollars.* of 0\.05 dollars.*max_tokens"
    with pytest.raises(BudgetExceeded, match=message):
        asyncio.run(model.complete(request))
    assert ledger.paid == ledger.reserved == Cost()


def test_a_price_is_found_below_other_wrappers() -> None:
    ledger = Ledger(Budget(dollars=1.0))
    deep = Budgeted(Throttle(Retry(Priced(ScriptedLM(["one two"]), ONE))))
    asyncio.run(deep.complete(asking(sampling=Sampling(max_tokens=9), ledgers=(ledger,))))
    assert ledger.paid.calls == 1 and 0 < ledger.paid.dollars < 1


def test_what_could_not_even_be_sent_is_no_call() -> None:
    ledger = Ledger(Budget(calls=1))
    model = Budgeted(ScriptedLM(lambda request: ModelError("no key: set SOME_KEY")))
    with pytest.raises(ModelError, match="SOME_KEY"):
        asyncio.run(model.complete(asking(ledgers=(ledger,))))
    assert ledger.paid == ledger.reserved == Cost()


@pytest.mark.parametrize("budget", [500, 0, 1.5, "500", {"calls": 5}, True])
def test_what_is_no_budget_is_refused_wherever_it_is_given(budget: Any) -> None:
    program, rows = lp.Predict("x -> y"), [lp.Example(x="a", y="b")]
    lm = lp.ScriptedLM(lambda request: "[[y]]\nb")

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        return bool(example.y == prediction.y)

    def use() -> None:
        with lp.using(budget=budget):
            program(x="a")

    for call in (
        use,
        lambda: lp.evaluate(program, rows, metric, lm=lm, budget=budget),
        lambda: compare_programs(program, program, rows, metric, lm=lm, budget=budget),
    ):
        with pytest.raises(InputError, match=r"budget=.* pass lp\.Budget\(calls=300\)"):
            call()
    assert lm.calls == 0
