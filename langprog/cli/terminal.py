r"""Writes for every command: text from models, artifacts and servers can't control a terminal.

Foreign text can hold escape sequences, which move the cursor, set the window's title or hide a
link's target, and marks that reverse the direction of writing. They are always escaped: in plain
text as in Python (``\x1b``), in JSON as in JSON (``\u001b``), so that the JSON reads back the
same. Nor is rich's markup (``[red]``) in foreign text interpreted.

No other file of the command line prints: a rule of the tests.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from langprog.errors import LangprogWarning

# C0 except tab and newline, DEL, C1; marks, embeddings, overrides and isolates of direction; line
# and paragraph separators; halves of characters, which no terminal accepts.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return ``text`` with every character that could control a terminal escaped."""
    return STEERING.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def json_visible(value: Any) -> str:
    """Return ``value`` as one line of JSON with control characters escaped."""
    text = json.dumps(value, ensure_ascii=False)
    # Such characters occur only inside strings: outside, JSON is plain ASCII.
    return STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


class _Screen(Console):
    """A console that writes text literally, with control characters escaped."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return ``text`` for rich; escaped already, so that widths are right."""
        return super().render_str(self._escape(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """Yield the output; text that bypassed :meth:`render_str` is escaped, too."""
        for segment in super().render(renderable, options):
            # Segments with control codes are rich's own, such as cursor moves of a bar.
            own = segment.control is not None
            yield segment if own else Segment(self._escape(segment.text), segment.style)

    def _escape(self, text: str) -> str:
        return _encodable(visible(text), self.encoding)


def _encodable(text: str, encoding: str) -> str:
    """Return ``text`` with characters that ``encoding`` lacks escaped."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


class _Count(MofNCompleteColumn):
    """Steps done, of how many; nothing where the number is not known."""

    def render(self, task: Task) -> Text:
        """Return the text."""
        return Text() if task.total is None else super().render(task)


class Terminal:
    """Standard output, or standard error, for people.

    Args:
        stderr: Whether to write to standard error.
        wrap: Whether to wrap long lines at the terminal's width.
    """

    def __init__(self, *, stderr: bool = False, wrap: bool = False) -> None:
        self._screen = _Screen(
            stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=not wrap
        )

    def say(self, text: str = "", *, bold: bool = False) -> None:
        """Write ``text`` and a newline."""
        self._screen.print(text, style="bold" if bold else None)

    def table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Write a table with a header line."""
        table = Table(*headings)
        for row in rows:
            table.add_row(*row)
        self._screen.print(table)

    def pairs(self, values: Iterable[tuple[str, str]]) -> None:
        """Write names and values in two columns."""
        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for row in values:
            table.add_row(*row)
        self._screen.print(table)

    def bar(self, *beside: str, width: int = 40) -> Progress:
        """Return a bar for the last line, with texts beside it.

        Args:
            *beside: Names of the text fields of the bar's tasks.
            width: Columns of the bar itself.
        """
        texts = [TextColumn(f"{{task.fields[{name}]}}", markup=False) for name in beside]
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(width),
            _Count(),
            TimeElapsedColumn(),
            *texts,
            console=self._screen,
            transient=True,
        )


def write_json(value: Any) -> None:
    """Write one JSON value and a newline to standard output."""
    text = json_visible(value)
    encoding = sys.stdout.encoding or "utf-8"
    if _encodable(text, encoding) != text:
        text = json.dumps(value)
    print(text, flush=True)  # noqa: T201 - the one place that prints


class _Record(logging.LogRecord):
    """A log record whose message is escaped, whichever handler writes it."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        if self.exc_info and self.exc_info[1] is not None:
            self.exc_text = trace_of(self.exc_info[1]).rstrip("\n")  # handlers keep it

    def getMessage(self) -> str:
        """Return the message."""
        return visible(super().getMessage())


def trace_of(error: BaseException) -> str:
    """Return an error's traceback in Python's format, with control characters escaped."""
    return visible("".join(traceback.format_exception(error)))


def guard_process() -> None:
    """Escape what Python itself writes to standard error, until this process ends.

    Warnings, log records and errors of threads can quote what a server said, too.
    """
    plain = warnings.formatwarning

    def report_warning(
        message: Warning | str, category: type[Warning], *given: Any, **options: Any
    ) -> str:
        # Source lines of the library would not help the user.
        if issubclass(category, LangprogWarning):
            return visible(f"langprog: warning: {message}\n")
        return visible(plain(message, category, *given, **options))

    def report_thread(given: threading.ExceptHookArgs) -> None:
        if given.exc_value is not None and not isinstance(given.exc_value, SystemExit):
            name = given.thread.name if given.thread else "a thread"
            Terminal(stderr=True).say(f"Exception in {name}:\n{trace_of(given.exc_value)}")

    def report_unraisable(given: sys.UnraisableHookArgs) -> None:
        if given.exc_value is not None:
            what = f"{given.err_msg or 'Exception ignored in'}: {given.object!r}"
            Terminal(stderr=True).say(f"{what}\n{trace_of(given.exc_value)}")

    warnings.formatwarning = report_warning
    logging.setLogRecordFactory(_Record)
    threading.excepthook = report_thread
    sys.unraisablehook = report_unraisable
