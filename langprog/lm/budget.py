"""A hard cap on what is spent, kept by reserving before each call.

A call first reserves the most that it could take, and settles for what it took. So the cap holds
at any concurrency: two calls can never both take the last dollar. Where only calls that are still
under way stand in the way of the next one, it waits for them to settle instead of giving up.

What is guaranteed: calls are counted here, so their cap holds whatever an endpoint does. Tokens
and dollars are what the endpoint reports: their caps hold as far as it honours ``max_tokens`` and
makes no more tokens of a prompt than it has bytes (and a few for each message; what is reserved
for images and sounds is a guess). A reply without a count is charged with all that was reserved,
and so is a call that may have been answered and billed though no answer came: one that timed out,
broke off or was cancelled. A call that the endpoint refused (429, a bad request, a wrong key), or
that never reached it, is not paid and does not count.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from langprog.errors import BudgetExceeded, Charge
from langprog.knobs import check_knobs, takes_number
from langprog.lm.types import Completion, LanguageModel

# Of a dollar; a millionth of a token's price where a million tokens cost a dollar.
DECIMALS = 12
# The largest cap on calls or tokens.
MOST = 10**15


@dataclass(frozen=True, slots=True)
class Budget:
    """The most that may be spent; ``None`` leaves a resource open.

    Args:
        calls: Requests sent, retries among them; refused ones do not count.
        tokens: Prompt and completion tokens together. Under a cap on tokens or dollars a request
            that names no ``max_tokens`` is sent with 4096; a warning says so once for a model.
        dollars: Price of all calls together; models whose price is not known are refused.
        seconds: Time from the first use; no call starts later.

    Raises:
        InputError: A cap is negative, or not a finite number.
    """

    calls: int | None = field(default=None, metadata=takes_number(0, MOST, whole=True))
    tokens: int | None = field(default=None, metadata=takes_number(0, MOST, whole=True))
    dollars: float | None = field(default=None, metadata=takes_number(0))
    seconds: float | None = field(default=None, metadata=takes_number(0))

    def __post_init__(self) -> None:
        check_knobs(self)


@dataclass(frozen=True, slots=True)
class Spend:
    """What was spent: requests, tokens and dollars.

    Sums of dollars are kept to ``DECIMALS``, so that what is added and taken away again leaves
    nothing, and three times 0.1 is 0.3.
    """

    calls: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            self.calls + other.calls,
            self.tokens + other.tokens,
            round(self.dollars + other.dollars, DECIMALS),
        )

    def __sub__(self, other: Spend) -> Spend:
        return Spend(
            self.calls - other.calls,
            self.tokens - other.tokens,
            round(self.dollars - other.dollars, DECIMALS),
        )


def spend_of(completion: Completion) -> Spend:
    """Return what one completion took."""
    return Spend(1, completion.usage.total_tokens, completion.dollars or 0.0)


class Reservation:
    """A place in a ledger, to be settled or released exactly once."""

    def __init__(self, ledger: Ledger, most: Spend) -> None:
        self._ledger = ledger
        self._most = most

    def settle(self, completion: Completion) -> None:
        """Turn the reservation into what ``completion`` took.

        Where the endpoint counted no tokens, that is all that was reserved: a cap must hold there,
        too.
        """
        counted = completion.usage.total_tokens > 0
        self._ledger._close(self._most, spend_of(completion) if counted else self._most)

    def close(self, charge: Charge) -> None:
        """Settle a call that failed.

        Args:
            charge: ``nothing`` gives everything back, ``call`` keeps the call without tokens,
                ``everything`` keeps all that was reserved.
        """
        taken = {"nothing": Spend(), "call": Spend(calls=1), "everything": self._most}
        self._ledger._close(self._most, taken[charge])


class Ledger:
    """What is spent under a budget; shared by tasks, threads and event loops.

    Args:
        budget: The caps; none by default, which only counts.

    Two accounts are kept: ``paid``, and ``uncached``, as if nothing had been cached.
    """

    def __init__(self, budget: Budget = Budget()) -> None:
        self.budget = budget
        self._paid = Spend()
        self._cached = Spend()
        self._reserved = Spend()
        self._under_way = 0
        self._started: float | None = None
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        # What reserves for models that do not do so themselves, by the model's id.
        self.guards: dict[int, LanguageModel] = {}

    @property
    def paid(self) -> Spend:
        """What was really sent and billed."""
        with self._lock:
            return self._paid

    @property
    def uncached(self) -> Spend:
        """What it would have been without any cache or journal."""
        with self._lock:
            return self._paid + self._cached

    @property
    def reserved(self) -> Spend:
        """What calls under way could still take at most."""
        with self._lock:
            return self._reserved

    @property
    def seconds(self) -> float:
        """Seconds since the first reservation."""
        return 0.0 if self._started is None else time.monotonic() - self._started

    def start(self) -> None:
        """Start the clock, if it is not running yet."""
        with self._lock:
            if self._started is None:
                self._started = time.monotonic()

    def remaining(self) -> Budget:
        """Return what is left of each cap."""
        budget = self.budget
        with self._lock:
            used = self._paid + self._reserved
        return Budget(
            calls=None if budget.calls is None else max(0, budget.calls - used.calls),
            tokens=None if budget.tokens is None else max(0, budget.tokens - used.tokens),
            dollars=None if budget.dollars is None else max(0.0, budget.dollars - used.dollars),
            seconds=None if budget.seconds is None else max(0.0, budget.seconds - self.seconds),
        )

    def note_cached(self, completion: Completion) -> None:
        """Count a completion that nobody had to pay for."""
        with self._lock:
            self._cached += spend_of(completion)

    async def reserve(self, most: Spend) -> Reservation:
        """Reserve the most that a call could take, waiting for calls under way if need be.

        Raises:
            BudgetExceeded: Even with nothing under way the call would not fit.
        """
        self.start()
        while True:
            with self._lock:
                self._check_time()
                if self._lacks(most, self._reserved) is None:
                    self._reserved += most
                    self._under_way += 1
                    return Reservation(self, most)
                lacking = self._lacks(most)
                if lacking is not None:
                    raise BudgetExceeded(self._refusal(lacking, most))
                loop = asyncio.get_running_loop()
                settled: asyncio.Future[None] = loop.create_future()
                self._waiting.append((loop, settled))
            await settled

    def _check_time(self) -> None:
        limit = self.budget.seconds
        if limit is not None and self.seconds >= limit:
            raise BudgetExceeded(f"the budget of {limit:g} seconds is used up")

    def _lacks(self, most: Spend, reserved: Spend = Spend()) -> str | None:
        """Return the resource of which there is too little, if there is one."""
        budget, paid = self.budget, self._paid
        calls, tokens, dollars = budget.calls, budget.tokens, budget.dollars
        if calls is not None and paid.calls + reserved.calls + most.calls > calls:
            return "calls"
        if tokens is not None and paid.tokens + reserved.tokens + most.tokens > tokens:
            return "tokens"
        if dollars is not None and (paid + reserved + most).dollars > dollars:
            return "dollars"
        return None

    def _refusal(self, resource: str, most: Spend) -> str:
        cap = getattr(self.budget, resource)
        spent, wanted = getattr(self._paid, resource), getattr(most, resource)
        if resource == "calls" or spent >= cap:
            return f"the budget of {cap:.15g} {resource} is used up"
        return (
            f"the next call could take {wanted:.4g} {resource}, too much for the budget of "
            f"{cap:.15g} {resource}, of which {spent:.4g} are spent: raise it, or lower max_tokens"
        )

    def _close(self, most: Spend, taken: Spend) -> None:
        with self._lock:
            self._under_way -= 1
            # With nothing under way nothing is reserved, whatever rounding left over.
            self._reserved = self._reserved - most if self._under_way else Spend()
            self._paid += taken
            waiting, self._waiting = self._waiting, []
        for loop, settled in waiting:
            with suppress(RuntimeError):  # a loop that was closed has nobody waiting any more
                loop.call_soon_threadsafe(_wake, settled)


def _wake(settled: asyncio.Future[None]) -> None:
    if not settled.done():
        settled.set_result(None)
