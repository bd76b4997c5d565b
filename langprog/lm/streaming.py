"""Streams: completions in pieces.

Deltas are provisional: after :class:`Restarted`, earlier ones are void, and only the completion at
the end is final.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from langprog.errors import ServerError
from langprog.lm.types import Completion, LanguageModel, Request


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of a text.

    Args:
        text: The text to append.
        index: Which of ``n`` completions it belongs to.
    """

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning; arguments as for :class:`TextDelta`."""

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of a tool call.

    Args:
        place: Which of the completion's tool calls.
        id: The call's id; empty if already sent.
        name: The tool; empty if already sent.
        arguments: The text to append to the arguments' JSON.
        index: Which of ``n`` completions it belongs to.
    """

    place: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Restarted:
    """The request is sent again: all earlier deltas are void.

    Args:
        reason: What went wrong.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a stream.

    Args:
        completion: The full completion, as ``complete`` would have returned it.
    """

    completion: Completion


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Restarted | Completed


async def replay_completion(completion: Completion) -> AsyncGenerator[Delta, None]:
    """Yield a finished completion as the deltas of a stream."""
    for index, thought in enumerate(completion.reasoning):
        if thought:
            yield ReasoningDelta(thought, index)
    for index, text in enumerate(completion.texts):
        if text:
            yield TextDelta(text, index)
    for index, calls in enumerate(completion.tool_calls):
        for place, call in enumerate(calls):
            yield ToolCallDelta(place, call.id, call.name, call.arguments, index)
    yield Completed(completion)


async def stream_completion(model: LanguageModel, request: Request) -> AsyncGenerator[Delta, None]:
    """Yield the deltas of a model's answer; the last one is :class:`Completed`.

    If a model has no ``stream``, its complete answer is replayed.

    Raises:
        LMError: As for ``complete``; earlier deltas are then void.
        BudgetExceeded: As for ``complete``.
        ServerError: The deltas end without the completion.
    """
    own = getattr(model, "stream", None)
    if own is None:
        deltas: AsyncIterator[Delta] = replay_completion(await model.complete(request))
    else:
        deltas = own(request)
    try:
        async for delta in deltas:
            yield delta
            if isinstance(delta, Completed):
                return
    finally:
        # A user's own iterator may have no ``aclose``.
        if isinstance(deltas, AsyncGenerator):
            await deltas.aclose()
    raise ServerError(
        f"{model.name}: the stream ended without its completion",
        model=model.name,
        charge="everything",
    )
