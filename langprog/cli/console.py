"""Show a compile's progress: rich on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import sys
from typing import Protocol

from langprog.cli.terminal import Terminal, write_json
from optimizers import (
    Estimated,
    Event,
    Finished,
    SpendUpdated,
    StageAdvanced,
    StageStarted,
    Tried,
    event_to_json,
)


class ProgressView(Protocol):
    """A view of an optimizer's events; closed after the compile."""

    def on(self, event: Event, /) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


def open_progress_view(*, as_json: bool) -> ProgressView:
    """Return the view of a compile's progress that suits the output.

    Args:
        as_json: Whether a machine reads it.
    """
    if as_json:
        return JSONLines()
    return Live() if sys.stderr.isatty() else Lines()


class JSONLines:
    """One JSON object a line on standard output."""

    def on(self, event: Event, /) -> None:
        """Print one event."""
        write_json(event_to_json(event))

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """One line per stage, best candidate and message, and a few more during long stages."""

    def __init__(self) -> None:
        self._terminal = Terminal(stderr=True)
        self._shown = -1
        self._left = ""
        self._expected: tuple[float, float] | None = None

    def on(self, event: Event, /) -> None:
        """Print one event, if it is news."""
        if isinstance(event, SpendUpdated):
            self._left = describe_time_left(event, self._expected)
        elif isinstance(event, Estimated):
            self._expected = event.calls
        if isinstance(event, StageStarted):
            self._shown = -1
        if isinstance(event, StageAdvanced):
            quarter = event.done * 4 // event.total if event.total else -1
            if quarter <= self._shown or quarter in (0, 4):
                return
            self._shown = quarter
        text = describe_event(event)
        if text and self._left and isinstance(event, StageAdvanced):
            text += f", {self._left}"
        if text:
            self._terminal.say(text)

    def close(self) -> None:
        """Do nothing."""


class Live:
    """A bar for the current stage, with permanent lines above it."""

    def __init__(self) -> None:
        self._terminal = Terminal(stderr=True, wrap=True)
        self._progress = self._terminal.bar("spent", "left")
        self._task = self._progress.add_task("", total=None, spent="", left="")
        self._expected: tuple[float, float] | None = None
        self._progress.start()

    def on(self, event: Event, /) -> None:
        """Show one event."""
        if isinstance(event, StageAdvanced):
            self._progress.update(self._task, completed=event.done, total=_steps(event))
        elif isinstance(event, SpendUpdated):
            left = describe_time_left(event, self._expected)
            self._progress.update(self._task, spent=str(event), left=left)
        else:
            if isinstance(event, Estimated):
                self._expected = event.calls
            if isinstance(event, StageStarted):
                # A new task, because resetting one loses the text beside it.
                beside = self._progress.tasks[0].fields
                self._progress.remove_task(self._task)
                self._task = self._progress.add_task(event.stage, total=_steps(event), **beside)
            text = describe_event(event)
            if text:
                self._terminal.say(text)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def _steps(event: StageStarted | StageAdvanced) -> int | None:
    """Return how many steps a stage has; a bar of one step would stand still, and moves so."""
    return None if event.total == 1 else event.total


def describe_event(event: Event) -> str:
    """Return an event as lines of text; empty if it is not worth one."""
    if isinstance(event, (SpendUpdated, Finished)) or (
        isinstance(event, Tried) and not event.best
    ):
        return ""
    if isinstance(event, (StageAdvanced, Tried, Estimated)):
        return "\n".join(f"  {line}" for line in str(event).splitlines())
    return str(event)


def describe_time_left(event: SpendUpdated, expected: tuple[float, float] | None) -> str:
    """Return how long a compile may still take, judging by its calls so far.

    Args:
        event: The spending so far.
        expected: Smallest and largest number of calls that the whole compile may take.
    """
    paid = event.paid
    requested = paid.calls + event.reused
    if expected is None or paid.calls < 20 or requested >= expected[1]:
        return ""
    each = paid.seconds / paid.calls
    low, high = (max(0.0, calls - requested) * each for calls in expected)
    return f"{_clock(low)} to {_clock(high)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"
