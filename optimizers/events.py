"""What a compile reports while it runs: a few kinds of event, in order.

A view (rich, plain lines, JSON lines, a notebook's bar) implements only :class:`Progress`; a
function that takes an event works as well. An optimizer never prints. ``str(event)`` is a line
of text.

Example::

    def show(event):
        if isinstance(event, Tried) and event.best:
            print(f"best {event.score}")

    MIPRO().compile(program, trainset, metric=metric, progress=show)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from langprog import Budget
from langprog.lm import Cost, Ledger, redact
from optimizers.evaluation.scorer import Estimate
from optimizers.journal import Journal

Stage = Literal[
    "prepare", "structure", "bootstrap", "propose", "search", "final", "prune", "certify"
]


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage begins.

    Args:
        stage: Which stage; all optimizers share the same few.
        total: Steps expected, or ``None`` if unknown.
        text: What happens in it.
    """

    stage: Stage
    total: int | None
    text: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.text}"


@dataclass(frozen=True, slots=True)
class StageAdvanced:
    """A stage has advanced.

    Args:
        stage: The current stage.
        done: Steps done so far.
        total: Steps expected, or ``None`` if unknown; may differ from the first estimate.
    """

    stage: Stage
    done: int
    total: int | None

    def __str__(self) -> str:
        return f"{self.stage}: {self.done}" + ("" if self.total is None else f" of {self.total}")


@dataclass(frozen=True, slots=True)
class Tried:
    """A candidate was scored on all validation examples.

    Args:
        label: A description of the candidate.
        score: Its mean score, with the 95 % interval.
        best: Whether it is the best so far.
    """

    label: str
    score: Estimate
    best: bool

    def __str__(self) -> str:
        place = "best so far" if self.best else "tried"
        return f"{place} {self.score} on {self.score.n}: {self.label}"


@dataclass(frozen=True, slots=True)
class SpendUpdated:
    """What has been paid so far.

    Args:
        paid: Calls, tokens and dollars over all sessions; seconds of this session.
        budget: The caps.
        reused: Requests answered for free by the journal or a cache.
    """

    paid: Cost
    budget: Budget
    reused: int = 0

    def __str__(self) -> str:
        paid, caps = self.paid, self.budget
        calls = f"{paid.calls:,}" + ("" if caps.calls is None else f"/{caps.calls:,}")
        if paid.known_dollars is None:
            return f"{calls} calls"
        return f"{calls} calls, ${paid.dollars:.4f}" + (
            "" if caps.dollars is None else f"/{caps.dollars:g}"
        )


@dataclass(frozen=True, slots=True)
class Estimated:
    """What the compile is expected to cost, reported before the first request.

    Args:
        calls: Fewest and most calls expected.
        dollars: Fewest and most dollars expected, or ``None`` if a price is unknown.
        candidates: Fewest and most candidates tried.
        detectable: Smallest gain that the holdout detects with 80 % power.
        lines: The same as text.
    """

    calls: tuple[float, float]
    dollars: tuple[float, float] | None
    candidates: tuple[float, float]
    detectable: float
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(self.lines)


@dataclass(frozen=True, slots=True)
class Message:
    """A message to the user; a warning if it may affect the result."""

    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{'warning: ' if self.warning else ''}{self.text}"


@dataclass(frozen=True, slots=True)
class Finished:
    """The compile is over.

    Args:
        verdict: The certificate's: ``certified``, ``uncertified`` or ``original``.
        text: The certificate in one sentence.
    """

    verdict: str
    text: str

    def __str__(self) -> str:
        return self.text


Event = StageStarted | StageAdvanced | Tried | SpendUpdated | Estimated | Message | Finished


class Progress(Protocol):
    """A view of a compile's progress."""

    def on(self, event: Event, /) -> None:
        """Handle one event; must be quick. An error raised here does not end the compile."""
        ...


ProgressLike = Progress | Callable[[Event], Any]


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
    """Passes on a compile's events, keeps its messages, and computes what was paid.

    Args:
        progress: The view of the events.
        budget: The caps that the user set.
        ledger: What this session has paid.
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
        self._failed = False
        self.messages: list[Message] = []

    def emit(self, event: Event) -> None:
        """Pass ``event`` on; a view that raises is reported once and does not end the compile."""
        try:
            self._progress.on(event)
        except Exception as error:  # noqa: BLE001 - a view of a user's may raise anything
            self._report_view(error)

    def _report_view(self, error: Exception) -> None:
        if self._failed:
            return
        self._failed = True
        text = f"the progress callback raised {type(error).__name__}: {error}"
        text = f"{redact(text)}; the compile continues"
        self.messages.append(Message(text, warning=True))
        logging.getLogger("langprog").warning("%s", text, exc_info=error)

    def note(self, text: str, *, warning: bool = False) -> None:
        """Pass a message on, without keys that data may hold, and keep it for the report."""
        message = Message(redact(text), warning)
        self.messages.append(message)
        self.emit(message)

    def warn_once(self, text: str) -> None:
        """Pass on a warning, unless it was given before."""
        if all(message.text != redact(text) for message in self.messages):
            self.note(text, warning=True)

    def paid(self) -> Cost:
        """Return what was paid so far, over all sessions."""
        spend = self._ledger.paid
        # The ledger counts a call without a known price as free; the meter keeps it apart.
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
        reused = int(self._ledger.uncached.calls - self._ledger.paid.calls)
        self.emit(SpendUpdated(self.paid(), self._budget, reused))

    def start_stage(self, stage: Stage, total: int, text: str) -> Callable[[object], None]:
        """Emit that a stage starts, and return a callback for each completed step.

        The callback emits progress about a hundred times in all.
        """
        self.emit(StageStarted(stage, total, text))
        done = 0

        def advance(_: object) -> None:
            nonlocal done
            done += 1
            if 100 * done // total > 100 * (done - 1) // total:
                self.emit(StageAdvanced(stage, done, total))
                self.update_spend()

        return advance
