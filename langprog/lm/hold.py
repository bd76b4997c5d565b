"""Several calls reserved together: all of them or none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable

from langprog.errors import Charge
from langprog.lm.budget import Budget, Ledger, Reservation
from langprog.lm.cost import Cost

# What the parts of a sum in dollars may exceed it by.
_ROUNDING = Cost(dollars=1e-9)


class Hold(Ledger):
    """A ledger for several calls that are reserved together: all of them or none.

    A vote that a budget breaks off has paid for samples that nobody counts. So its first call
    reserves for all of them, at what that call could cost, and the others draw on it. If they need
    more, what is left is returned, and each further call reserves for itself; so it is where one
    of them waits for the identical call of another, which may wait for what is held.

    Args:
        ledger: The ledger that pays.
        calls: Expected number of calls.
    """

    def __init__(self, ledger: Ledger, calls: int) -> None:
        super().__init__(ledger.budget)
        self.guards = ledger.guards
        self._ledger = ledger
        self._calls = calls
        self._left: Cost | None = None
        self._released = False
        self._turn = threading.RLock()
        self._together: tuple[Hold, ...] = (self,)

    @classmethod
    def open(cls, ledgers: Iterable[Ledger], calls: int) -> tuple[Hold, ...]:
        """Return holds of the same calls in several ledgers."""
        holds = tuple(cls(ledger, calls) for ledger in ledgers)
        for hold in holds:
            hold._together = holds
        return holds

    @property
    def paid(self) -> Cost:
        """What the ledger has paid."""
        return self._ledger.paid

    @property
    def uncached(self) -> Cost:
        """What the ledger would have paid without caches and journals."""
        return self._ledger.uncached

    @property
    def reserved(self) -> Cost:
        """What the ledger has reserved."""
        return self._ledger.reserved

    @property
    def seconds(self) -> float:
        """Seconds since the ledger's first reservation."""
        return self._ledger.seconds

    @property
    def order(self) -> int:
        """Where the ledger comes among those of one call."""
        return self._ledger.order

    def start(self) -> None:
        """Start the ledger's clock unless it is running."""
        self._ledger.start()

    def remaining(self) -> Budget:
        """Return what is left of each cap of the ledger."""
        return self._ledger.remaining()

    def note_cached(self, cost: Cost) -> None:
        """Count a cached completion in the ledger: one call less to reserve for."""
        self._ledger.note_cached(cost)
        with self._turn:
            self._calls -= 1

    async def reserve(self, most: Cost) -> Reservation:
        """Reserve for the next call, and for those after it if it is the first.

        Raises:
            BudgetExceeded: They would not fit even with nothing in flight.
        """
        self.start()
        while True:
            with self._turn:
                opened = self._open(most)
                held = None if opened is not None else self._take(most)
            if held is not None:
                return held
            if opened is None:
                break
            await opened
        # Nothing may be held while this waits for others, who may wait for it.
        for hold in self._together:
            hold.release()
        return await self._ledger.reserve(most)

    def _open(self, most: Cost) -> asyncio.Future[None] | None:
        """Reserve for all calls if that is still to do; return what to wait for, if anything."""
        if self._left is not None or self._released:
            return None
        whole = most * max(1, self._calls)
        reserved = self._ledger._try_to_reserve(whole)
        if not isinstance(reserved, Reservation):
            return reserved
        self._left = whole
        return None

    def _take(self, most: Cost) -> Reservation | None:
        if self._left is None or self._released:
            return None
        if not most <= self._left + _ROUNDING:
            return None
        self._left -= most
        self._ledger._divide()
        return _Held(self, most)

    def _give_back(self, most: Cost) -> None:
        with self._turn:
            if self._left is None or self._released:
                self._ledger._close(most, Cost())
            else:
                self._left += most
                self._ledger._close(Cost(), Cost())

    def _close(self, most: Cost, taken: Cost) -> None:
        self._ledger._close(most, taken)

    def release(self) -> None:
        """Return what is left to the ledger."""
        with self._turn:
            if not self._released and self._left is not None:
                self._ledger._close(self._left, Cost())
            self._released = True


class _Held(Reservation):
    """A part of a hold; it goes back there if its call cost nothing."""

    def __init__(self, hold: Hold, most: Cost) -> None:
        super().__init__(hold, most)
        self._hold = hold

    def close(self, charge: Charge) -> None:
        if charge == "nothing":
            self._hold._give_back(self._most)
        else:
            super().close(charge)
