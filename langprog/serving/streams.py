"""A program's run as server-sent events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_core import to_jsonable_python

from langprog.modules import Event, Prediction
from langprog.observe import (
    ElementFinished,
    FieldDelta,
    StepFailed,
    StepFinished,
    StepReset,
    StepStarted,
    ThinkingDelta,
)
from langprog.serving.requests import encode_json

# Seconds without an event after which a comment keeps proxies from closing the connection.
SILENCE = 15.0


def event_bytes(name: str, data: Any) -> bytes:
    """Return a server-sent event; its data is one line of JSON."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode_json(data))


def describe_event(event: Event) -> tuple[str, dict[str, Any]] | None:
    """Return the name and data of what a client is told; ``None`` for nothing.

    Inputs and outputs of steps, which may be long and internal, are in the trace alone.
    """
    match event:
        case FieldDelta(path=path, call=call, field=field, text=text):
            return "delta", {"path": path, "call": call, "field": field, "text": text}
        case ThinkingDelta(path=path, call=call, text=text):
            return "thinking", {"path": path, "call": call, "text": text}
        case StepReset(path=path, call=call):
            # The reason may quote an endpoint.
            return "reset", {"path": path, "call": call}
        case StepStarted(path=path, call=call, parent=parent, module=module):
            about = {"path": path, "call": call, "parent": parent, "module": module}
            return "step", {**about, "state": "started"}
        case StepFinished(path=path, call=call):
            return "step", {"path": path, "call": call, "state": "finished"}
        case StepFailed(path=path, call=call):
            return "step", {"path": path, "call": call, "state": "failed"}
        case ElementFinished(path=path, call=call, index=index, result=result):
            outputs = result.to_dict() if isinstance(result, Prediction) else None
            plain = to_jsonable_python(outputs, fallback=str)
            return "element", {"path": path, "call": call, "index": index, "outputs": plain}
    return None


class EventWriter:
    """Writes a run as server-sent events.

    Args:
        start: Sends the head of the response.
        send: Sends a piece of its body.
    """

    def __init__(
        self, start: Callable[[], Awaitable[None]], send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self._start, self._send = start, send
        self._held: list[bytes] = []
        self._lock = asyncio.Lock()
        self._last = 0.0
        # Until something is written, a failure can still have a status of its own.
        self.started = False

    async def tell(self, event: Event) -> None:
        """Write an event of the run."""
        described = describe_event(event)
        if described is None:
            return
        self._held.append(event_bytes(*described))
        if self.started or described[0] not in ("step", "reset"):
            await self._flush()

    async def end(self, name: str, data: Any) -> None:
        """Write the last event, ``result`` or ``error``."""
        self._held.append(event_bytes(name, data))
        await self._flush()

    async def _flush(self) -> None:
        pieces, self._held = b"".join(self._held), []
        async with self._lock:
            if not self.started:
                self.started = True
                await self._start()
            self._last = time.monotonic()
            await self._send(pieces)

    async def keep_alive(self) -> None:
        """Write a comment whenever nothing else has been written for a while."""
        while True:
            await asyncio.sleep(SILENCE)
            if self.started and time.monotonic() - self._last >= SILENCE:
                async with self._lock:
                    await self._send(b": still running\n\n")
