"""A completion piece by piece.

The pieces are provisional: after :class:`Restarted` those before it count for nothing, and only
the completion at the end is what a caller may keep.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from langprog.errors import ServerError
from langprog.lm.types import Completion, LanguageModel, Request


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of a text.

    Args:
        text: What is added.
        index: Which of ``n`` completions it belongs to.
    """

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks; arguments as for :class:`TextDelta`."""

    text: str
    index: int = 0


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call.

    Args:
        place: Which of the completion's tool calls.
        id: The call's id; empty where it was said before.
        name: The tool; empty where it was said before.
        arguments: What is added to the arguments' JSON text.
        index: Which of ``n`` completions it belongs to.
    """

    place: int
    id: str = ""
    name: str = ""
    arguments: str = ""
    index: int = 0


@dataclass(frozen=True, slots=True)
class Restarted:
    """The request is sent again: everything before this counts for nothing.

    Args:
        reason: What went wrong, in words.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a stream.

    Args:
        completion: The whole of it, as ``complete`` would have returned it.
    """

    completion: Completion


Delta = TextDelta | ReasoningDelta | ToolCallDelta | Restarted | Completed


async def replay_completion(completion: Completion) -> AsyncGenerator[Delta, None]:
    """Yield a completion that is there already as the deltas of a stream."""
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

    A model without a ``stream`` of its own answers whole.

    Raises:
        LMError: As for ``complete``; deltas that came before count for nothing.
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
        # An iterator of a user's own may have nothing to let go of.
        if isinstance(deltas, AsyncGenerator):
            await deltas.aclose()
    raise ServerError(
        f"{model.name}: the stream ended without its completion",
        model=model.name,
        charge="everything",
    )
