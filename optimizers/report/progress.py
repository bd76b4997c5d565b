"""Where a compile's events go: to the user's callback, or to the log and a notebook's bar.

The notebook's bar is plain HTML that is replaced as the compile proceeds; it needs no widgets.
"""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any

from langprog.errors import InputError
from optimizers.events import (
    Event,
    Finished,
    Message,
    Progress,
    ProgressLike,
    SpendUpdated,
    StageAdvanced,
    StageStarted,
    Tried,
)

# Seconds between two drawings of a notebook's bar.
REDRAW = 0.1


def open_progress(progress: ProgressLike | None) -> Progress:
    """Return a view for a compile's events.

    Args:
        progress: An object with a method ``on(event)``, a function that takes an event, or
            ``None`` for the log, plus a bar in a notebook.

    Raises:
        InputError: ``progress`` is something else.
    """
    if progress is None:
        display = find_notebook()
        return LogView() if display is None else NotebookView(display)
    on = getattr(progress, "on", None) or progress
    if not callable(on) or isinstance(progress, type):
        raise InputError(
            f"progress is a {type(progress).__name__}: give an object with a method on(event), "
            "or a function that takes an event, such as print"
        )
    if any(map(inspect.iscoroutinefunction, (on, type(on).__call__))):
        raise InputError(
            "progress is asynchronous: events are sent in order while the compile runs, so give a "
            "plain function that returns quickly"
        )
    return _FunctionView(on)


def find_notebook() -> Callable[[str], Callable[[str], None]] | None:
    """Return a function that shows HTML in a running notebook, or ``None`` outside of one.

    The function shows HTML and returns another function that replaces it.
    """
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is None:
        return None
    display = importlib.import_module("IPython.display")

    def show(html: str) -> Callable[[str], None]:
        handle = display.display(display.HTML(html), display_id=True)
        return lambda newer: handle.update(display.HTML(newer))

    return show


class _FunctionView:
    """A function as a view."""

    def __init__(self, function: Callable[[Event], Any]) -> None:
        self._function = function

    def on(self, event: Event, /) -> None:
        self._function(event)


class LogView:
    """Writes to the logger ``langprog``: warnings as warnings, everything else at lower levels.

    If logging is not configured, Python shows the warnings on standard error.
    """

    def __init__(self) -> None:
        self._log = logging.getLogger("langprog")

    def on(self, event: Event, /) -> None:
        """Log one event."""
        if isinstance(event, Message) and event.warning:
            self._log.warning("%s", event.text)
        elif isinstance(event, (StageAdvanced, SpendUpdated)):
            self._log.debug("%s", event)
        else:
            self._log.info("%s", event)


class NotebookView:
    """A progress bar below a notebook's cell, in addition to :class:`LogView`.

    Args:
        show: Shows HTML and returns a function that replaces it, as from :func:`find_notebook`.
    """

    def __init__(self, show: Callable[[str], Callable[[str], None]]) -> None:
        self._log = LogView()
        self._stage = self._spent = self._best = self._ended = ""
        self._done = 0
        self._total: int | None = None
        self._drawn = time.monotonic()
        self._replace = show(self._html())

    def on(self, event: Event, /) -> None:
        """Handle one event; steps and spend are redrawn at most ten times a second."""
        self._log.on(event)
        if isinstance(event, StageStarted):
            self._stage, self._done, self._total = str(event), 0, event.total
        elif isinstance(event, StageAdvanced):
            self._done, self._total = event.done, event.total
        elif isinstance(event, SpendUpdated):
            self._spent = str(event)
        elif isinstance(event, Tried) and event.best:
            self._best = str(event)
        elif isinstance(event, Finished):
            self._ended = str(event)
        else:
            return
        frequent = isinstance(event, (StageAdvanced, SpendUpdated))
        now = time.monotonic()
        if not frequent or now - self._drawn >= REDRAW:
            self._drawn = now
            self._replace(self._html())

    def _html(self) -> str:
        if self._ended:
            bar = ""
        elif self._total:
            bar = f"<progress max='{self._total}' value='{self._done}'></progress> "
            bar += f"{self._done} of {self._total}<br>"
        else:
            bar = "<progress></progress><br>"
        lines = [self._ended or self._stage, self._best, self._spent]
        return f"<div>{bar}{'<br>'.join(escape(line) for line in lines if line)}</div>"
