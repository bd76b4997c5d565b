"""Passes a compile's events on, keeps its notes, and reads what was paid."""

from __future__ import annotations

import time

from langprog import Budget
from langprog.lm import Ledger
from optimizers.journal import Journal
from optimizers.meter import Metered
from optimizers.progress import Event, Noted, Progress, Spent


class Teller:
    """The one voice of a compile.

    Args:
        progress: Whoever shows it.
        budget: The caps that were asked for.
        ledger: What is paid in this session.
        journal: What earlier sessions of the same compile paid, and which prices are known.
    """

    def __init__(
        self, progress: Progress, budget: Budget, ledger: Ledger, journal: Journal
    ) -> None:
        self._progress = progress
        self._budget = budget
        self._ledger = ledger
        self._earlier = journal.earlier.paid
        self._meter = journal.meter
        self._started = time.monotonic()
        self.notes: list[Noted] = []

    def tell(self, event: Event) -> None:
        """Pass ``event`` on."""
        self._progress.on(event)

    def note(self, noted: Noted) -> None:
        """Pass a note on, and keep it for the report."""
        self.notes.append(noted)
        self._progress.on(noted)

    def notice(self, text: str) -> None:
        """Pass on what a person should know, once."""
        if all(noted.text != text for noted in self.notes):
            self.note(Noted(text, True))

    def paid(self) -> Metered:
        """Return what was paid so far, over all sessions."""
        spend = self._ledger.paid
        # A ledger takes a call of unknown price for free; the meter knows that it was one.
        unknown = self._earlier.dollars is None or self._meter.read().dollars is None
        dollars = None if unknown else spend.dollars + (self._earlier.dollars or 0.0)
        return Metered(
            spend.calls + self._earlier.calls, spend.tokens + self._earlier.tokens, dollars
        )

    def spent(self) -> None:
        """Say what was paid so far."""
        paid, caps = self.paid(), self._budget
        self.tell(
            Spent(
                calls=paid.calls,
                tokens=paid.tokens,
                dollars=paid.dollars,
                seconds=time.monotonic() - self._started,
                cap_calls=caps.calls,
                cap_tokens=caps.tokens,
                cap_dollars=caps.dollars,
                cap_seconds=caps.seconds,
                reused=self._ledger.uncached.calls - self._ledger.paid.calls,
            )
        )
