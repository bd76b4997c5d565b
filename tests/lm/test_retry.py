from __future__ import annotations

import asyncio
import random

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    ConnectError,
    ContentFilterError,
    ContextWindowError,
    LangprogError,
    ParseError,
    RateLimitError,
    ServerError,
    TimeoutError,
    TransportError,
)
from langprog.lm import Budget, Budgeted, Ledger, Request, Retry, ScriptedLM
from tests.lm.endpoint import asking


class Sleep:
    """Notes how long it was to wait, and does not."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def always(error: Exception) -> ScriptedLM:
    return ScriptedLM(lambda request: error)


@pytest.mark.parametrize("kind", [RateLimitError, ServerError, ConnectError, TimeoutError])
def test_what_failed_on_the_way_is_sent_again(kind: type[TransportError]) -> None:
    lm, sleep = ScriptedLM([kind("no"), kind("no"), "fine"]), Sleep()
    completion = asyncio.run(Retry(lm, attempts=3, sleep=sleep).complete(asking()))
    assert completion.text == "fine"
    assert (lm.calls, len(sleep.waits)) == (3, 2)
    assert lm.requests[0] == lm.requests[2]


@pytest.mark.parametrize(
    "kind",
    [AuthError, BadRequestError, ContextWindowError, ContentFilterError, ParseError]
    + [BudgetExceeded],
)
def test_what_no_attempt_can_mend_passes_at_once(kind: type[LangprogError]) -> None:
    lm, sleep = always(kind("no")), Sleep()
    with pytest.raises(kind):
        asyncio.run(Retry(lm, sleep=sleep).complete(asking()))
    assert (lm.calls, sleep.waits) == (1, [])


def test_after_the_last_attempt_its_error_is_raised_without_another_wait() -> None:
    lm, sleep = ScriptedLM([ServerError("first"), ServerError("second"), ConnectError("last")]), []

    async def wait(seconds: float) -> None:
        sleep.append(seconds)

    with pytest.raises(ConnectError, match="last"):
        asyncio.run(Retry(lm, attempts=3, sleep=wait).complete(asking()))
    assert (lm.calls, len(sleep)) == (3, 2)


def test_one_attempt_is_one() -> None:
    lm, sleep = always(ServerError("no")), Sleep()
    with pytest.raises(ServerError):
        asyncio.run(Retry(lm, attempts=1, sleep=sleep).complete(asking()))
    assert (lm.calls, sleep.waits) == (1, [])


def test_waits_grow_are_jittered_and_bounded() -> None:
    seen: list[list[float]] = []
    for _ in range(40):
        sleep = Sleep()
        model = Retry(
            always(ServerError("no")), attempts=9, first_wait=1.0, longest_wait=20.0, sleep=sleep
        )
        with pytest.raises(ServerError):
            asyncio.run(model.complete(asking()))
        seen.append(sleep.waits)
    for step, waits in enumerate(zip(*seen, strict=True)):
        bound = min(2.0**step, 20.0)
        assert all(0.0 <= wait <= bound for wait in waits)
        assert max(waits) > bound / 2
        assert len(set(waits)) > 30


@pytest.mark.parametrize(
    ("asked", "waited"), [(7.0, 7.0), (0.0, 0.0), (-5.0, 0.0), (1e9, 60.0), (float("inf"), 60.0)]
)
def test_the_endpoint_says_how_long_to_wait(asked: float, waited: float) -> None:
    lm, sleep = ScriptedLM([RateLimitError("no", retry_after=asked), "fine"]), Sleep()
    asyncio.run(Retry(lm, sleep=sleep).complete(asking()))
    [wait] = sleep.waits
    # A little more than asked for, so that many who were refused together come back apart.
    assert waited <= wait <= min(1.1 * waited, 60.0)


def test_the_users_random_numbers_are_left_alone() -> None:
    random.seed(7)
    before = random.getstate()
    lm = ScriptedLM([ServerError("no"), ServerError("no"), "fine"])
    asyncio.run(Retry(lm, sleep=Sleep()).complete(asking()))
    assert random.getstate() == before


def test_cancelling_while_it_waits_sends_nothing_more() -> None:
    lm = always(ServerError("no"))

    async def run() -> None:
        waiting = asyncio.Event()

        async def forever(seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(Retry(lm, sleep=forever).complete(asking()))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert lm.calls == 1


def test_a_budget_ends_the_attempts() -> None:
    lm, ledger = always(ServerError("no")), Ledger(Budget(calls=3))
    with pytest.raises(BudgetExceeded):
        asyncio.run(Retry(Budgeted(lm), sleep=Sleep()).complete(asking(ledgers=(ledger,))))
    assert lm.calls == 3


def test_it_does_not_wait_past_the_end_of_a_budget_of_seconds() -> None:
    for asked in (20.0, 3600.0):
        lm, sleep = always(RateLimitError("later", retry_after=asked)), Sleep()
        ledger = Ledger(Budget(seconds=15.0))
        with pytest.raises(RateLimitError, match="later"):
            asyncio.run(Retry(Budgeted(lm), sleep=sleep).complete(asking(ledgers=(ledger,))))
        assert (lm.calls, sleep.waits) == (1, [])
    # Below the longest wait and past what is left: an hour is asked for, a minute would be waited.
    lm, sleep, ledger = always(RateLimitError("later", retry_after=3600.0)), Sleep(), Ledger()
    ledger.budget = Budget(seconds=600.0)
    with pytest.raises(RateLimitError):
        asyncio.run(Retry(Budgeted(lm), sleep=sleep).complete(asking(ledgers=(ledger,))))
    assert (lm.calls, sleep.waits) == (1, [])


def test_a_dead_endpoint_fails_fast_and_one_that_is_back_is_used_at_once() -> None:
    up = [False]

    def answer(request: Request) -> str | Exception:
        return "fine" if up[0] else ConnectError("nobody listens", charge="nothing")

    lm, sleep = ScriptedLM(answer), Sleep()
    model = Retry(lm, attempts=3, sleep=sleep)
    calls = []
    for _ in range(4):
        before = lm.calls
        with pytest.raises(ConnectError):
            asyncio.run(model.complete(asking()))
        calls.append(lm.calls - before)
    assert calls == [3, 1, 1, 1]
    up[0] = True
    assert asyncio.run(model.complete(asking())).text == "fine"
    up[0] = False
    before = lm.calls
    with pytest.raises(ConnectError):
        asyncio.run(model.complete(asking()))
    assert lm.calls - before == 3  # it is given its time again


def test_any_number_of_attempts_will_do() -> None:
    lm, sleep = always(ServerError("no")), Sleep()
    with pytest.raises(ServerError):
        asyncio.run(Retry(lm, attempts=1200, sleep=sleep).complete(asking()))
    assert (lm.calls, len(sleep.waits), max(sleep.waits) <= 60.0) == (1200, 1199, True)
