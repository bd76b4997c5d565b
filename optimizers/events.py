"""What a compile tells while it works: a few kinds of event, handed to one method.

A renderer (rich, plain lines, JSON lines) implements :class:`Progress` and nothing else; an
optimizer never prints. Events come from one thread, in order.

Example::

    class Lines:
        def on(self, event):
            if isinstance(event, Tried) and event.best:
                print(f"best {event.score}")

    MIPRO().compile(program, trainset, metric=metric, progress=Lines())
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from langprog import Budget
from langprog.errors import InputError, LangprogWarning
from langprog.lm import Cost, Ledger
from optimizers.evaluation.scorer import Estimate
from optimizers.journal import Journal

Stage = Literal["prepare", "bootstrap", "propose", "search", "final", "certify"]


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins.

    Args:
        stage: Which of the stages, which every member takes from the same few.
        total: Steps expected, or ``None`` where that is not known.
        text: What is done, in words for a person.
    """

    stage: Stage
    total: int | None
    text: str


@dataclass(frozen=True, slots=True)
class StageAdvanced:
    """Work of a stage went on.

    Args:
        stage: The stage that is on.
        done: Steps done so far.
        total: Steps expected, or ``None``; may differ from what was said at the start.
    """

    stage: Stage
    done: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate was scored on all validation examples.

    Args:
        label: The candidate, in words.
        score: Its mean score, with the 95 % interval.
        best: Whether it is the best so far.
    """

    label: str
    score: Estimate
    best: bool


@dataclass(frozen=True, slots=True)
class SpendUpdated:
    """What was paid so far.

    Args:
        paid: Calls, tokens and dollars; seconds since the compile began, those of killed runs of
            it not counted.
        budget: The caps.
        reused: Requests that the journal or a cache answered, so that nobody paid.
    """

    paid: Cost
    budget: Budget
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Estimated:
    """What the compile is expected to take, said before it asks for anything.

    Args:
        calls: Fewest and most calls expected.
        dollars: Fewest and most dollars expected, or ``None`` where a price is not known.
        candidates: Fewest and most candidates tried.
        detectable: Smallest gain that the holdout can show four times in five.
        lines: The same in words.
    """

    calls: tuple[float, float]
    dollars: tuple[float, float] | None
    candidates: tuple[float, float]
    detectable: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """Something a person should know; a warning where it may spoil the result."""

    text: str
    warning: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """The compile is over.

    Args:
        verdict: The certificate's: ``certified``, ``uncertified`` or ``original``.
        text: The certificate in one sentence.
    """

    verdict: str
    text: str


Event = StageStarted | StageAdvanced | Tried | SpendUpdated | Estimated | Message | Finished


class Progress(Protocol):
    """Whoever shows a compile's progress."""

    def on(self, event: Event, /) -> None:
        """Take one event; must be quick and must not raise."""
        ...


class Silent:
    """Shows nothing."""

    def on(self, event: Event, /) -> None:
        """Drop the event."""


class Guarded:
    """Passes events on; what only shows progress cannot end a compile.

    Args:
        show: Takes an event.
    """

    def __init__(self, show: Callable[[Event], object]) -> None:
        self._show = show
        self._warned = False

    def on(self, event: Event, /) -> None:
        """Pass ``event`` on; the first error is warned about, later ones are not."""
        try:
            self._show(event)
        except Exception as error:  # noqa: BLE001 - code of the user's own, which may raise anything
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"the progress raised {type(error).__name__}: {error}; the compile goes on, "
                    "and later errors of the progress are not shown",
                    LangprogWarning,
                    stacklevel=2,
                )


def guard_progress(progress: Progress | Callable[[Event], object] | None) -> Progress:
    """Return a progress that never raises, from an object with ``on`` or a function of an event.

    Raises:
        InputError: It is neither.
    """
    if progress is None:
        return Silent()
    show = getattr(progress, "on", progress)
    if not callable(show):
        raise InputError(
            f"progress={progress!r:.60}: pass a function that takes an event, or an object with "
            "a method on(event)"
        )
    return Guarded(show)


def event_to_json(event: Event) -> dict[str, Any]:
    """Return ``event`` as a JSON object, its kind under ``event``."""
    return {"event": _KINDS[type(event)], **asdict(event)}


_KINDS = {
    StageStarted: "stage",
    StageAdvanced: "step",
    Tried: "tried",
    SpendUpdated: "spend",
    Estimated: "estimated",
    Message: "message",
    Finished: "finished",
}


class Reporter:
    """Passes a compile's events on, keeps its messages, and reads what was paid.

    Args:
        progress: Whoever shows the events.
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
        self.messages: list[Message] = []

    def emit(self, event: Event) -> None:
        """Pass ``event`` on."""
        self._progress.on(event)

    def note(self, text: str, *, warning: bool = False) -> None:
        """Pass a message on, and keep it for the report."""
        message = Message(text, warning)
        self.messages.append(message)
        self._progress.on(message)

    def warn_once(self, text: str) -> None:
        """Pass a warning on, unless the same one was given before."""
        if all(message.text != text for message in self.messages):
            self.note(text, warning=True)

    def paid(self) -> Cost:
        """Return what was paid so far, over all sessions."""
        spend = self._ledger.paid
        # A ledger takes a call of unknown price for free; the meter knows that it was one.
        unpriced = self._earlier.unpriced + self._meter.read().unpriced
        return Cost(
            spend.calls + self._earlier.calls,
            spend.tokens + self._earlier.tokens,
            spend.dollars + self._earlier.dollars,
            time.monotonic() - self._started,
            unpriced,
        )

    def update_spend(self) -> None:
        """Emit what was paid so far."""
        reused = self._ledger.uncached.calls - self._ledger.paid.calls
        self.emit(SpendUpdated(self.paid(), self._budget, reused))
