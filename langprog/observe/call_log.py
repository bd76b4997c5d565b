"""A log of model and tool calls in a file: one JSON object a line, bounded in size."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.knobs import check_argument, takes_whole
from langprog.lm import (
    Completion,
    Message,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolResult,
    redact,
)
from langprog.observe.callback import Callback
from langprog.observe.events import (
    CallFailed,
    ModelFinished,
    ModelStarted,
    ToolFinished,
    ToolStarted,
)

# Longest text in an entry, in characters.
LONGEST = 20_000


class CallLog(Callback):
    """Logs every call of a model or a tool, for ``langprog show --last``.

    A line holds time, path, model, seconds, tokens, dollars, the error, and the texts of prompt
    and reply. What looks like a key or a password is left out of the texts, and longer ones are
    cut. Images and files are named, not kept. Only the user can read the file.

    With the environment variable ``LANGPROG_LOG``, a process logs to that file by itself.

    Example::

        with lp.callbacks(lp.CallLog("calls.jsonl")):
            program(ticket="my invoice is wrong")

    Args:
        path: The file; appended to, created on the first call.
        content: Whether to log texts.
        max_bytes: Size from which on the file is moved to ``<path>.1``, in place of an earlier
            one, and a new file begins; so the two together have at most twice that size.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, content: bool = True, max_bytes: int = 10 * 2**20
    ) -> None:
        check_argument("CallLog", "max_bytes", max_bytes, takes_whole(1, 2**50))
        self.path = Path(path).expanduser()
        self._content = content
        self._max_bytes = max_bytes
        self._begun: dict[int, tuple[ModelStarted | ToolStarted, float]] = {}
        self._lock = threading.Lock()

    def on_model_start(self, event: ModelStarted) -> None:
        """Note the start of a call."""
        self._begun[event.call] = (event, time.monotonic())

    def on_tool_start(self, event: ToolStarted) -> None:
        """Note the start of a call."""
        self._begun[event.call] = (event, time.monotonic())

    def on_model_end(self, event: ModelFinished) -> None:
        """Log a call."""
        reply = _reply_of(event.completion) if self._content else {}
        self._end(event.call, {**_usage_of(event.completion), **reply})

    def on_tool_end(self, event: ToolFinished) -> None:
        """Log a call."""
        self._end(event.call, {"result": _text(event.result)} if self._content else {})

    def on_model_error(self, event: CallFailed) -> None:
        """Log a failed call."""
        self._end(event.call, _error_of(event))

    def on_tool_error(self, event: CallFailed) -> None:
        """Log a failed call."""
        self._end(event.call, _error_of(event))

    def _end(self, call: int, end: Mapping[str, Any]) -> None:
        start, begun = self._begun.pop(call, (None, 0.0))
        if start is None:
            return
        entry: dict[str, Any] = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "kind": "tool" if isinstance(start, ToolStarted) else "model",
            "call": call,
            "parent": start.parent,
            "seconds": round(time.monotonic() - begun, 6),
        }
        if isinstance(start, ToolStarted):
            entry["name"] = start.tool
            if self._content:
                entry["arguments"] = _text(json.dumps(dict(start.arguments), default=str))
        else:
            entry |= {"path": start.path, "name": start.model, "endpoint": start.endpoint}
            if self._content:
                entry["messages"] = _messages_of(start.request)
        self._write({**entry, **end})

    def _write(self, entry: Mapping[str, Any]) -> None:
        line = (json.dumps(entry) + "\n").encode()
        with self._lock:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if _size(self.path) + len(line) > self._max_bytes and _size(self.path):
                os.replace(self.path, _earlier(self.path))
            # One write, so that processes that share the file write whole lines.
            file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(file, line)
            finally:
                os.close(file)


def read_calls(path: str | os.PathLike[str], last: int) -> list[dict[str, Any]]:
    """Return the last entries of a log, oldest first; a damaged line is left out.

    Raises:
        InputError: There is no such file, or it cannot be read.
    """
    place = Path(path).expanduser()
    try:
        entries = list(_entries(place))
        if len(entries) < last and _earlier(place).exists():
            entries = [*_entries(_earlier(place)), *entries]
    except OSError as error:
        raise InputError(
            f"the log {place} cannot be read ({error.strerror}): run the program with "
            "LANGPROG_LOG=FILE, or inside lp.callbacks(lp.CallLog(FILE))"
        ) from None
    return entries[-last:]


def _entries(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                yield entry


def _earlier(path: Path) -> Path:
    return path.with_name(f"{path.name}.1")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _messages_of(request: Request) -> list[dict[str, str]]:
    return [
        {"role": message.role, "content": _text(_content_of(message))}
        for message in request.messages
    ]


def _content_of(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    return "\n".join(map(_text_of_part, message.content))


def _text_of_part(part: Part) -> str:
    match part:
        case Text() | Reasoning():
            return part.text
        case ToolCall():
            return f"{part.name} {part.arguments} ({part.id})"
        case ToolResult():
            return f"{part.text} ({part.call_id})"
    return repr(part)


def _reply_of(completion: Completion) -> dict[str, Any]:
    reply: dict[str, Any] = {"texts": [_text(text) for text in completion.texts]}
    if any(completion.reasoning):
        reply["reasoning"] = [_text(text) for text in completion.reasoning]
    if completion.tool_calls:
        reply["tool_calls"] = [
            {"name": tool.name, "arguments": _text(tool.arguments)}
            for tool in completion.first_tool_calls
        ]
    return reply


def _usage_of(completion: Completion) -> dict[str, Any]:
    return {
        "prompt_tokens": completion.usage.prompt_tokens,
        "completion_tokens": completion.usage.completion_tokens,
        "dollars": completion.dollars,
        "cached": completion.cached,
        "finish_reason": completion.finish_reason,
    }


def _error_of(event: CallFailed) -> dict[str, str]:
    return {"error": type(event.error).__name__, "message": _text(str(event.error))}


def _text(text: str) -> str:
    # Redacted before it is cut: half a key is a secret, too.
    text = redact(text)
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}... ({len(text) - LONGEST:,} more characters)"
