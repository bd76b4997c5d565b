"""A hard cap on spending, enforced by a reservation before each call.

A call first reserves the most it could cost and later settles for what it did cost, so the cap
holds at any concurrency: two calls can never both spend the last dollar. If a call would fit once
the calls in flight have settled, it waits for them instead of failing.

Guarantees: calls are counted here, so their cap holds whatever an endpoint does. Tokens and
dollars come from the endpoint's own counts; their caps hold as long as it honors ``max_tokens``
and makes no more tokens from a prompt than the prompt has bytes (plus a few per message; images
and audio are reserved by an estimate). A reply without a token count is charged the full
reservation, and so is a call that may have been answered and billed although no answer arrived:
one that timed out, broke off or was cancelled. A call that the endpoint rejected (429, a bad
request, a wrong key), or that never reached it, costs nothing.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import BudgetExceeded, Charge, InputError
from langprog.hints import with_hinted_fields
from langprog.knobs import check_knobs, takes_number
from langprog.lm.cost import Cost
from langprog.lm.elsewhere import OF_BUDGET

# The largest cap on calls or tokens.
MOST = 10**15


@with_hinted_fields(OF_BUDGET)
@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent; ``None`` means no limit.

    Args:
        calls: Requests sent, including retries; rejected ones do not count.
        tokens: Prompt plus completion tokens. Under a cap on tokens or dollars, a request without
            ``max_tokens`` is sent with 4096, with one warning per model.
        dollars: Price of all calls; models without a known price are refused.
        seconds: Time since the first use; no call starts later.

    Raises:
        InputError: A cap is negative, or not a finite number.
    """

    calls: int | None = field(default=None, metadata=takes_number(0, MOST, whole=True))
    tokens: int | None = field(default=None, metadata=takes_number(0, MOST, whole=True))
    dollars: float | None = field(default=None, metadata=takes_number(0))
    seconds: float | None = field(default=None, metadata=takes_number(0))

    def __post_init__(self) -> None:
        check_knobs(self)


def check_budget(budget: Any) -> None:
    """Check that a budget is one: a bare number does not say what it counts.

    Raises:
        InputError: It is something else.
    """
    if not isinstance(budget, Budget):
        raise InputError(
            f"budget={budget!r:.60} is a {type(budget).__name__}: pass lp.Budget(calls=300), or "
            "lp.Budget(tokens=..., dollars=..., seconds=...)"
        )


class Reservation:
    """Money set aside in a ledger, to be settled or released exactly once."""

    def __init__(self, ledger: Ledger, most: Cost) -> None:
        self._ledger = ledger
        self._most = most

    def settle(self, cost: Cost) -> None:
        """Replace the reservation with what the call actually cost.

        If the endpoint reported no tokens, the whole reservation is charged, so that the cap
        still holds.
        """
        self._ledger._close(self._most, cost if cost.tokens > 0 else self._most)

    def close(self, charge: Charge) -> None:
        """Settle a call that failed.

        Args:
            charge: ``nothing`` releases the reservation, ``call`` charges one call without tokens,
                ``everything`` charges the full reservation.
        """
        taken = {"nothing": Cost(), "call": Cost(calls=1), "everything": self._most}
        self._ledger._close(self._most, taken[charge])


class Ledger:
    """Spending under a budget; shared by tasks, threads and event loops.

    Args:
        budget: The caps; without any, the ledger only counts.

    It keeps two totals: ``paid``, and ``uncached``, which counts cached completions as well.

    Raises:
        InputError: The budget is not a Budget.
    """

    def __init__(self, budget: Budget = Budget()) -> None:
        check_budget(budget)
        self.budget = budget
        self._paid = Cost()
        self._cached = Cost()
        self._reserved = Cost()
        self._under_way = 0
        self._started: float | None = None
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        # Wrappers that reserve for models that do not do so themselves, by the model's id. They
        # are models: this file is below that type, which has ledgers in its requests.
        self.guards: dict[int, Any] = {}

    @property
    def paid(self) -> Cost:
        """What was actually sent and billed."""
        with self._lock:
            return self._paid

    @property
    def uncached(self) -> Cost:
        """What would have been paid without caches and journals."""
        with self._lock:
            return self._paid + self._cached

    @property
    def reserved(self) -> Cost:
        """The most that the calls in flight could still cost."""
        with self._lock:
            return self._reserved

    @property
    def seconds(self) -> float:
        """Seconds since the first reservation."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    @property
    def order(self) -> int:
        """Where this comes among ledgers of one call: so that no two calls wait for each other."""
        return id(self)

    def start(self) -> None:
        """Start the clock unless it is running."""
        with self._lock:
            if self._started is None:
                self._started = time.monotonic()

    def remaining(self) -> Budget:
        """Return what is left of each cap."""
        budget = self.budget
        with self._lock:
            used = self._paid + self._reserved
        return Budget(
            calls=None if budget.calls is None else max(0, budget.calls - int(used.calls)),
            tokens=None if budget.tokens is None else max(0, budget.tokens - int(used.tokens)),
            dollars=None if budget.dollars is None else max(0.0, budget.dollars - used.dollars),
            seconds=None if budget.seconds is None else max(0.0, budget.seconds - self.seconds),
        )

    def note_cached(self, cost: Cost) -> None:
        """Count a completion that came from a cache, at its original price."""
        with self._lock:
            self._cached += cost

    def note_paid(self, cost: Cost) -> None:
        """Count what was paid without a reservation: by an earlier process, say."""
        with self._lock:
            self._paid += cost

    def release(self) -> None:
        """Return what is held for calls to come: nothing, unless it is a ``Hold``."""

    @property
    def waits(self) -> bool:
        """Whether a call waits for what the calls in flight leave over."""
        with self._lock:
            return bool(self._waiting)

    async def reserve(self, most: Cost) -> Reservation:
        """Reserve the most that a call could cost, waiting for calls in flight if necessary.

        Raises:
            BudgetExceeded: The call would not fit even with nothing in flight.
        """
        self.start()
        while not isinstance(reserved := self._try_to_reserve(most), Reservation):
            await reserved
        return reserved

    def _try_to_reserve(self, most: Cost) -> Reservation | asyncio.Future[None]:
        """Return a reservation, or what to wait for before the next try."""
        with self._lock:
            self._check_time()
            if self._lacking_resource(most, self._reserved) is None:
                self._reserved += most
                self._under_way += 1
                return Reservation(self, most)
            lacking = self._lacking_resource(most)
            if lacking is not None:
                raise BudgetExceeded(self._refusal(lacking, most))
            loop = asyncio.get_running_loop()
            settled: asyncio.Future[None] = loop.create_future()
            self._waiting.append((loop, settled))
            return settled

    def _check_time(self) -> None:
        limit = self.budget.seconds
        if limit is not None and self.seconds >= limit:
            raise BudgetExceeded(f"the budget of {limit:g} seconds is used up")

    def _lacking_resource(self, most: Cost, reserved: Cost = Cost()) -> str | None:
        """Return the first resource that does not suffice, if any."""
        budget, paid = self.budget, self._paid
        calls, tokens, dollars = budget.calls, budget.tokens, budget.dollars
        if calls is not None and paid.calls + reserved.calls + most.calls > calls:
            return "calls"
        if tokens is not None and paid.tokens + reserved.tokens + most.tokens > tokens:
            return "tokens"
        if dollars is not None and (paid + reserved + most).dollars > dollars:
            return "dollars"
        return None

    def _refusal(self, resource: str, most: Cost) -> str:
        cap = getattr(self.budget, resource)
        spent, wanted = getattr(self._paid, resource), getattr(most, resource)
        if most.calls > 1 and spent < cap:
            return (
                f"the next {most.calls:g} calls are made together (a vote) and could cost up to "
                f"{wanted:.4g} {resource}, which the budget of {cap:.15g} {resource} ({spent:.4g} "
                "spent) does not cover: raise it, or ask for fewer samples"
            )
        if resource == "calls" or spent >= cap:
            return f"the budget of {cap:.15g} {resource} is used up"
        return (
            f"the next call could cost up to {wanted:.4g} {resource}, which the budget of "
            f"{cap:.15g} {resource} ({spent:.4g} spent) does not cover: raise it, or lower "
            "max_tokens"
        )

    def _divide(self) -> None:
        """Count a part of a reservation as one of its own."""
        with self._lock:
            self._under_way += 1

    def _close(self, most: Cost, taken: Cost) -> None:
        with self._lock:
            self._under_way -= 1
            # With nothing in flight nothing is reserved, whatever rounding left over.
            self._reserved = self._reserved - most if self._under_way else Cost()
            self._paid += taken
            waiting, self._waiting = self._waiting, []
        for loop, settled in waiting:
            with suppress(RuntimeError):  # nobody waits on a closed loop
                loop.call_soon_threadsafe(_wake, settled)


def _wake(settled: asyncio.Future[None]) -> None:
    if not settled.done():
        settled.set_result(None)
