from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from langprog.errors import ServerError
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completion,
    Ledger,
    MemoryCache,
    Recorded,
    Sampling,
    ScriptedLM,
    request_key,
)
from tests.lm.endpoint import asking


class Memo:
    def __init__(self) -> None:
        self.kept: dict[str, Completion] = {}
        self.puts = 0
        self.full = False

    def get(self, key: str) -> Completion | None:
        return self.kept.get(key)

    def put(self, key: str, completion: Completion) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.puts += 1
        self.kept[key] = completion


def test_what_was_recorded_is_replayed_without_a_call() -> None:
    memo = Memo()
    lm = ScriptedLM(lambda request: f"said {request.messages[0].content}")
    first = asyncio.run(Recorded(lm, memo).complete(asking("a")))
    silent = ScriptedLM([], name=lm.name)
    again = asyncio.run(Recorded(silent, memo).complete(asking("a")))
    assert (first.text, first.cached) == ("said a", False)
    assert again == replace(first, cached=True)
    assert (lm.calls, silent.calls) == (1, 0)


def test_the_memo_is_asked_before_the_cache_and_learns_from_it() -> None:
    memo, cache, lm = Memo(), MemoryCache(), ScriptedLM(["paid"])
    asyncio.run(Cached(lm, cache).complete(asking()))
    recorded = Recorded(Cached(lm, cache), memo)
    assert asyncio.run(recorded.complete(asking())).text == "paid"
    key = request_key(lm, asking())
    memo.kept[key] = replace(memo.kept[key], texts=("from the memo",))
    assert asyncio.run(recorded.complete(asking())).text == "from the memo"
    assert (lm.calls, memo.puts) == (1, 1)


def test_identical_requests_at_once_are_asked_and_recorded_once() -> None:
    memo, lm = Memo(), ScriptedLM(lambda request: "fine")
    model, ledger = Recorded(Budgeted(lm), memo), Ledger(Budget(calls=1))

    async def run() -> list[Completion]:
        requests = [asking(ledgers=(ledger,)) for _ in range(20)]
        return list(await asyncio.gather(*(model.complete(request) for request in requests)))

    done = asyncio.run(run())
    assert [completion.text for completion in done] == ["fine"] * 20
    assert (lm.calls, memo.puts) == (1, 1)
    assert (ledger.paid.calls, ledger.uncached.calls) == (1, 20)


def test_a_failure_is_not_recorded() -> None:
    memo, lm = Memo(), ScriptedLM([ServerError("no"), "fine"])
    model = Recorded(lm, memo)
    with pytest.raises(ServerError):
        asyncio.run(model.complete(asking()))
    assert memo.puts == 0
    assert asyncio.run(model.complete(asking())).text == "fine"
    assert memo.puts == 1


def test_draws_with_other_seeds_are_other_requests() -> None:
    memo, lm = Memo(), ScriptedLM(lambda request: f"draw {request.sampling.seed}")
    model = Recorded(lm, memo)
    for _ in range(2):
        for seed in range(3):
            request = asking(sampling=Sampling(temperature=1.0, seed=seed))
            assert asyncio.run(model.complete(request)).text == f"draw {seed}"
    assert lm.calls == 3


def test_a_journal_that_cannot_be_written_stops_the_run_rather_than_lose_what_was_paid() -> None:
    memo, lm = Memo(), ScriptedLM(lambda request: "fine")
    memo.full = True
    with pytest.raises(OSError, match="No space"):
        asyncio.run(Recorded(lm, memo).complete(asking()))


def test_a_replayed_call_counts_in_no_budget_but_in_the_uncached_account() -> None:
    memo, lm = Memo(), ScriptedLM(["one two"])
    ledger = Ledger(Budget(calls=1))
    model = Recorded(Budgeted(lm), memo)
    for _ in range(4):
        asyncio.run(model.complete(asking("a", ledgers=(ledger,))))
    assert (ledger.paid.calls, ledger.paid.tokens) == (1, 3)
    assert (ledger.uncached.calls, ledger.uncached.tokens) == (4, 12)
