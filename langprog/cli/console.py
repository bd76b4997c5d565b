"""Showing a compile's progress: rich on a terminal, plain lines elsewhere, JSON for machines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from langprog.cli.terminal import Terminal, write_json

Describe = Callable[[Any], Mapping[str, Any]]


class Display(Protocol):
    """Shows an optimizer's events; closed when the compile ends."""

    def on(self, event: Any, /) -> None:
        """Show one event."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


def make_display(describe: Describe, *, as_json: bool) -> Display:
    """Return the display for this terminal.

    Args:
        describe: Turns an event into plain data with its kind under ``event``.
        as_json: Whether to write JSON lines.
    """
    if as_json:
        return JSONLines(describe)
    if sys.stderr.isatty():
        return Live(describe)
    return Lines(describe)


class JSONLines:
    """One JSON object per line on standard output."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe

    def on(self, event: Any, /) -> None:
        """Print one event."""
        write_json(self._describe(event))

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """A line for every stage, best candidate and note; a few more for long stages."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._terminal = Terminal(stderr=True)
        self._shown = -1

    def on(self, event: Any, /) -> None:
        """Print one event if it is news."""
        data = self._describe(event)
        if data["event"] == "stage":
            self._shown = -1
        if data["event"] == "step":
            total = data["total"] or 0
            quarter = data["done"] * 4 // total if total else -1
            if quarter <= self._shown or quarter in (0, 4):
                return
            self._shown = quarter
        text = line_of(data)
        if text:
            self._terminal.say(text)

    def close(self) -> None:
        """Do nothing."""


class Live:
    """A progress bar for the current stage, with lines above it."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._terminal = Terminal(stderr=True, wrap=True)
        self._progress = self._terminal.bar("spent", "left")
        self._task = self._progress.add_task("", total=None, spent="", left="")
        self._expected: tuple[float, float] | None = None
        self._progress.start()

    def on(self, event: Any, /) -> None:
        """Show one event."""
        data = self._describe(event)
        if data["event"] == "step":
            self._progress.update(self._task, completed=data["done"], total=data["total"])
        elif data["event"] == "spent":
            left = time_left(data, self._expected)
            self._progress.update(self._task, spent=spent_text(data), left=left)
        elif data["event"] == "foreseen":
            self._expected = data["calls"]
            self._terminal.say(line_of(data))
        else:
            if data["event"] == "stage":
                # A new task: resetting one would lose the fields shown next to it.
                beside = self._progress.tasks[0].fields
                self._progress.remove_task(self._task)
                self._task = self._progress.add_task(data["stage"], total=data["total"], **beside)
            text = line_of(data)
            if text:
                self._terminal.say(text)

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def line_of(data: Mapping[str, Any]) -> str:
    """Return an event as one line of text; empty if it is not worth one."""
    kind = data["event"]
    if kind == "stage":
        return f"{data['stage']}: {data['text']}"
    if kind == "step":
        return f"  {data['done']} of {data['total']}"
    if kind == "best":
        return (
            f"  best so far {data['mean']:.3f} [{data['low']:.3f}, {data['high']:.3f}] "
            f"on {data['n']}: {data['label']}"
        )
    if kind == "foreseen":
        return "\n".join(f"  {line}" for line in data["lines"])
    if kind == "note":
        return f"{'warning: ' if data['warning'] else ''}{data['text']}"
    return ""


def time_left(spent: Mapping[str, Any], expected: tuple[float, float] | None) -> str:
    """Return how long a compile may still take, from the speed of its calls so far.

    Args:
        spent: The spending so far.
        expected: Lower and upper estimate of the compile's total calls.
    """
    done = spent["calls"] + spent["reused"]
    if expected is None or spent["calls"] < 20 or done >= expected[1]:
        return ""
    each = spent["seconds"] / spent["calls"]
    low, high = (max(0.0, calls - done) * each for calls in expected)
    return f"{_clock(low)} to {_clock(high)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def spent_text(data: Mapping[str, Any]) -> str:
    """Return the spending next to its caps."""
    calls = f"{data['calls']:,}"
    if data["cap_calls"] is not None:
        calls += f"/{data['cap_calls']:,}"
    parts = [f"{calls} calls"]
    if data["dollars"] is not None:
        cap = "" if data["cap_dollars"] is None else f"/{data['cap_dollars']:g}"
        parts.append(f"${data['dollars']:.4f}{cap}")
    return ", ".join(parts)
