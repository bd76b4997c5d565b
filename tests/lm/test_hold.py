"""Calls that are reserved together are paid together or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import BudgetExceeded, RateLimitError
from langprog.lm import Budget, Completion, Cost, Hold, Ledger, Message, Recorded

ASK = "question -> answer"


def vote(k: int = 5) -> lp.Vote:
    return lp.Vote(lp.Predict(ASK), k=k)


def differing() -> Callable[[lp.Request], str]:
    """Answer each call differently, so that a vote needs all of its samples."""
    numbers = iter(range(10**6))
    return lambda request: f"[[answer]]\n{next(numbers)}"


def test_a_vote_that_does_not_fit_pays_for_nothing() -> None:
    model, ledger = lp.ScriptedLM(differing()), Ledger(Budget(calls=4))
    with (
        lp.using(lm=model, budget=ledger),
        pytest.raises(BudgetExceeded, match=r"5 calls are made together .* 4 calls \(0 spent"),
    ):
        vote()(question="?")
    assert model.calls == 0
    assert ledger.paid == ledger.reserved == Cost()


def test_a_budget_in_dollars_holds_for_the_whole_vote() -> None:
    model = lp.ScriptedLM(differing(), defaults=lp.Sampling(max_tokens=10))
    priced = lp.lm.Priced(model, lp.Price(1000.0, 1000.0))
    single = Ledger(Budget(dollars=10.0))
    with lp.using(lm=priced, budget=single):
        lp.Predict(ASK)(question="?")
        with pytest.raises(BudgetExceeded, match="made together"):
            vote(500)(question="?")
    assert model.calls == 1


def test_what_an_early_decision_leaves_over_is_free_again() -> None:
    model, ledger = lp.ScriptedLM(lambda request: "[[answer]]\n7"), Ledger(Budget(calls=8))
    with lp.using(lm=model, budget=ledger):
        assert vote()(question="a").answer == vote()(question="b").answer == "7"  # 3 calls each
        with pytest.raises(BudgetExceeded):
            vote()(question="c")
        lp.Predict(ASK)(question="d")
    assert ledger.paid.calls == model.calls == 7
    assert ledger.reserved == Cost()


def test_votes_side_by_side_are_whole_or_absent() -> None:
    model, ledger = lp.ScriptedLM(differing()), Ledger(Budget(calls=23))

    async def run() -> list[lp.Prediction | BaseException]:
        with lp.using(lm=model, budget=ledger):
            votes = (vote().acall(question=str(n)) for n in range(12))
            return await asyncio.gather(*votes, return_exceptions=True)

    ends = asyncio.run(asyncio.wait_for(run(), 30))
    assert sum(isinstance(end, lp.Prediction) for end in ends) == 4
    assert sum(isinstance(end, BudgetExceeded) for end in ends) == 8
    assert ledger.paid.calls == model.calls == 20


def test_a_vote_in_a_vote_reserves_once() -> None:
    model, ledger = lp.ScriptedLM(differing()), Ledger(Budget(calls=9))
    with lp.using(lm=model, budget=ledger):
        assert lp.Vote(vote(3), k=3)(question="?")
        with pytest.raises(BudgetExceeded):
            lp.Predict(ASK)(question="?")
    assert ledger.paid.calls == 9


def test_a_refused_call_goes_back_to_its_vote() -> None:
    ends = iter([RateLimitError("slow down", model="m")] * 2)
    answer = differing()

    def reply(request: lp.Request) -> str:
        refusal = next(ends, None)
        if refusal is not None:
            raise refusal
        return answer(request)

    model, ledger = lp.ScriptedLM(reply), Ledger(Budget(calls=3))
    with lp.using(lm=lp.lm.Retry(lp.lm.Budgeted(model), first_wait=0.0), budget=ledger):
        assert vote(3)(question="?").usage.calls == 3
    assert ledger.paid.calls == 3


def test_what_is_cached_needs_no_reservation() -> None:
    model, ledger = lp.ScriptedLM(differing()), Ledger(Budget(calls=6))
    cached = lp.lm.Cached(lp.lm.Budgeted(model), lp.lm.MemoryCache())
    with lp.using(lm=cached, budget=ledger):
        assert vote()(question="?").answer == vote()(question="?").answer
    assert ledger.paid.calls == 5


amounts = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@given(st.lists(amounts, min_size=1, max_size=6), st.integers(1, 60), st.integers(1, 60))
def test_holds_never_pass_a_cap_nor_wait_for_each_other(
    works: list[list[int]], tokens: int, calls: int
) -> None:
    """Calls of any size, more of them than expected, in two ledgers."""
    ledgers = (Ledger(Budget(tokens=tokens)), Ledger(Budget(calls=calls)))
    taken: list[int] = []

    async def work(sizes: list[int]) -> None:
        holds = Hold.open(ledgers, max(1, len(sizes) - 2))

        async def call(size: int) -> None:
            reserved = []
            try:
                for hold in holds:
                    reserved.append(await hold.reserve(Cost(calls=1, tokens=size)))
            except BudgetExceeded:
                for each in reserved:
                    each.close("nothing")
                raise
            await asyncio.sleep(0)
            for each in reserved:
                each.settle(Cost(calls=1, tokens=size))
            taken.append(size)

        try:
            await asyncio.gather(*map(call, sizes), return_exceptions=True)
        finally:
            for hold in holds:
                hold.release()

    async def run() -> None:
        await asyncio.gather(*map(work, works))

    asyncio.run(asyncio.wait_for(run(), 30))
    assert sum(taken) <= tokens and len(taken) <= calls
    for ledger in ledgers:
        assert ledger.paid == Cost(calls=len(taken), tokens=sum(taken))
        assert ledger.reserved == Cost()


class Memo(dict[str, Completion]):
    put = dict.__setitem__


@pytest.mark.parametrize(
    "remembering",
    [
        lambda model: lp.lm.Cached(model, lp.lm.MemoryCache()),
        lambda model: Recorded(model, Memo()),
    ],
    ids=["cached", "recorded"],
)
def test_a_vote_that_joins_the_call_of_another_holds_nothing_that_it_waits_for(
    remembering: Callable[[lp.lm.LanguageModel], lp.lm.LanguageModel],
) -> None:
    ledger = Ledger(Budget(calls=3))
    model = remembering(lp.lm.Budgeted(lp.ScriptedLM(differing())))
    holds = Hold.open([ledger], 3)

    def ask(text: str, payers: tuple[Ledger, ...]) -> Coroutine[object, object, Completion]:
        return model.complete(lp.Request((Message("user", text),)).with_ledgers(payers))

    async def run() -> None:
        await ask("first", holds)  # two more are held
        other = asyncio.create_task(ask("second", (ledger,)))
        while not ledger.waits:
            await asyncio.sleep(0)
        assert await ask("second", holds) == replace(await other, cached=True)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert ledger.paid.calls == 2 and ledger.reserved == Cost()


def test_votes_that_two_ledgers_pay_for_reserve_in_the_same_order() -> None:
    first, second = Ledger(Budget(calls=3)), Ledger(Budget(calls=3))
    opened: list[tuple[Hold, ...]] = []

    def open_where(lower_first: bool) -> tuple[Hold, ...]:
        while True:
            opened.append(Hold.open((first, second), 2))
            if (id(opened[-1][0]) < id(opened[-1][1])) is lower_first:
                return opened[-1]

    async def ask(holds: tuple[Hold, ...]) -> None:
        model = lp.lm.Budgeted(lp.ScriptedLM(differing()))
        await model.complete(lp.Request((Message("user", "?"),)).with_ledgers(holds))
        for hold in holds:
            hold.release()

    async def run() -> None:
        running = await first.reserve(Cost(calls=2))
        one = asyncio.create_task(ask(open_where(True)))
        while not first.waits:
            await asyncio.sleep(0)
        other = asyncio.create_task(ask(open_where(False)))
        for _ in range(10):
            await asyncio.sleep(0)
        running.close("nothing")
        await asyncio.gather(one, other)

    asyncio.run(asyncio.wait_for(run(), 10))
    assert first.paid.calls == second.paid.calls == 2
