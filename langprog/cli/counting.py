"""Shows a batch's progress: a bar on a terminal, occasional lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import Protocol

from langprog.batch import BatchProgress, BatchStatus
from langprog.cli.terminal import Terminal

# Seconds from the first result to the first line, and between lines.
FIRST_LINE, NEXT_LINE = 10.0, 30.0
WIDTH = 80


class BatchShower(Protocol):
    """A view of a batch's progress; closed after the batch."""

    def on(self, progress: BatchProgress, /) -> None:
        """Show the progress."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def batch_shower() -> BatchShower:
    """Return the view of a batch's progress that suits the output."""
    return Bar() if sys.stderr.isatty() else Lines()


class Bar:
    """A bar in the last line."""

    def __init__(self) -> None:
        self._bar = Terminal(stderr=True, wrap=True).bar("beside", width=12)
        self._task = self._bar.add_task("rows", total=None, beside="")
        self._bar.start()

    def on(self, progress: BatchProgress, /) -> None:
        """Move the bar."""
        beside = ", ".join(details(progress))
        self._bar.update(self._task, completed=progress.done, total=progress.total, beside=beside)

    def close(self) -> None:
        """Remove the bar."""
        self._bar.stop()


class Lines:
    """A line after ten seconds, then every half minute."""

    def __init__(self) -> None:
        self._terminal = Terminal(stderr=True)
        self._due: float | None = None

    def on(self, progress: BatchProgress, /) -> None:
        """Write a line if it is time."""
        now = time.monotonic()
        if self._due is None:
            self._due = now + FIRST_LINE
        if now >= self._due and progress.done != progress.total:
            self._due = now + NEXT_LINE
            self._terminal.say(line_of(progress))

    def close(self) -> None:
        """Do nothing."""


class StatusLines:
    """A line for each new status of a provider's batch, and every half minute while it changes."""

    def __init__(self) -> None:
        self._terminal = Terminal(stderr=True)
        self._shown: dict[str, tuple[str, float]] = {}
        self.running: list[str] = []

    def on(self, status: BatchStatus, /) -> None:
        """Write a line if there is news."""
        now = time.monotonic()
        known, due = self._shown.get(status.batch, ("", now))
        if status.status != known or now >= due:
            self._shown[status.batch] = status.status, now + NEXT_LINE
            self._terminal.say(f"  {status}")
        if status.status in ("completed", "failed", "expired", "cancelled"):
            self.running = [batch for batch in self.running if batch != status.batch]
        elif status.batch not in self.running:
            self.running.append(status.batch)


def line_of(progress: BatchProgress) -> str:
    """Return how far a batch is as one line of at most 80 columns."""
    total = "" if progress.total is None else f" of {progress.total:,}"
    rows, parts = f"  {progress.done:,}{total} rows", details(progress)
    while len(line := ", ".join([rows, *parts])) > WIDTH:
        parts.pop(0)  # failures, the last part, matter most
    return line


def details(progress: BatchProgress) -> list[str]:
    """Return rows a second, dollars, time left and failures."""
    parts = [f"{progress.rate:,.0f} rows/s"]
    if progress.dollars:
        parts.append(f"${progress.dollars:.2f}")
    if progress.seconds_left is not None:
        parts.append(f"{clock(progress.seconds_left)} left")
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    return parts


def clock(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
