"""Who is told about a run, and where in it the code is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from langprog.observe.callback import Listener
from langprog.observe.channel import Channel


@dataclass(frozen=True, slots=True)
class Watch:
    """The listeners of a run, and the call around the code that asks for them.

    Args:
        listeners: The callbacks, outermost first.
        stream: Takes the events of a stream; ``None`` where nobody streams.
        call: The number of the call around; ``None`` outside of any.
        path: The path of its module.
        index: The place of the next call among elements or samples.
        number: The number of the next call, where one has been given out for it.
        next_call: Returns the number of a new call.
    """

    listeners: tuple[Listener, ...] = ()
    stream: Channel[Any] | None = None
    call: int | None = None
    path: str = ""
    index: int | None = None
    number: int | None = None
    next_call: Callable[[], int] = field(default_factory=lambda: itertools.count(1).__next__)

    def with_listeners(self, listeners: Iterable[Listener]) -> Watch:
        """Return the watch of these listeners, too."""
        return replace(self, listeners=(*self.listeners, *listeners))

    def inside(self, call: int, path: str) -> Watch:
        """Return the watch for what is called inside this call."""
        return replace(self, call=call, path=path, index=None, number=None)

    def at(self, index: int) -> Watch:
        """Return the watch for an element or a sample."""
        return replace(self, index=index)

    def to_stream(self, stream: Channel[Any]) -> Watch:
        """Return the watch for what is streamed to another consumer."""
        return replace(self, stream=stream)
