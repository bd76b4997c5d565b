"""What a compile tells while it works: a few kinds of event, handed to one method.

A renderer (rich, plain lines, JSON lines) implements :class:`Progress` and nothing else; an
optimizer never prints. Events come from one thread, in order.

Example::

    class Lines:
        def on(self, event):
            if isinstance(event, BestSoFar):
                print(f"best {event.mean:.3f} [{event.low:.3f}, {event.high:.3f}]")

    MIPRO().compile(program, trainset, metric=metric, progress=Lines())
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

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
class Stepped:
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
class BestSoFar:
    """The best candidate changed, or is known better.

    Args:
        label: The candidate, in words.
        mean: Its mean score on validation examples.
        low: Lower end of the 95 % interval.
        high: Upper end of the 95 % interval.
        n: Examples that it was scored on.
    """

    label: str
    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Spent:
    """What was paid so far, beside the cap.

    Args:
        calls: Requests paid.
        tokens: Tokens paid, prompt and completion together.
        dollars: Dollars paid, or ``None`` where a price is not known.
        seconds: Seconds since the compile began (those of killed runs of it not counted).
        cap_calls: Most requests allowed, or ``None``.
        cap_tokens: Most tokens allowed, or ``None``.
        cap_dollars: Most dollars allowed, or ``None``.
        cap_seconds: Most seconds allowed, or ``None``.
        reused: Requests that the journal or a cache answered, so that nobody paid.
    """

    calls: int
    tokens: int
    dollars: float | None
    seconds: float
    cap_calls: int | None = None
    cap_tokens: int | None = None
    cap_dollars: float | None = None
    cap_seconds: float | None = None
    reused: int = 0


@dataclass(frozen=True, slots=True)
class Foreseen:
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
class Noted:
    """Something that a person should know; a warning where it may spoil the result."""

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


Event = StageStarted | Stepped | BestSoFar | Spent | Foreseen | Noted | Finished


class Progress(Protocol):
    """Whoever shows a compile's progress."""

    def on(self, event: Event, /) -> None:
        """Take one event; must be quick and must not raise."""
        ...


class Silent:
    """Shows nothing."""

    def on(self, event: Event, /) -> None:
        """Drop the event."""


def event_to_json(event: Event) -> dict[str, Any]:
    """Return ``event`` as a JSON object, its kind under ``event``."""
    return {"event": _KINDS[type(event)], **asdict(event)}


_KINDS = {
    StageStarted: "stage",
    Stepped: "step",
    BestSoFar: "best",
    Spent: "spent",
    Foreseen: "foreseen",
    Noted: "note",
    Finished: "finished",
}
