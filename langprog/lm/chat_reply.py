"""Completions as replies of an OpenAI-compatible endpoint, whole and streamed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import ServerError
from langprog.lm.parts import ToolCall
from langprog.lm.streaming import (
    Completed,
    Delta,
    ReasoningDelta,
    Restarted,
    TextDelta,
    ToolCallDelta,
)
from langprog.lm.types import Completion

_Piece = TextDelta | ReasoningDelta | ToolCallDelta


def completion_body(model: str, completion: Completion) -> dict[str, Any]:
    """Return a complete reply.

    Args:
        model: The model's name, as the client wrote it.
        completion: The model's answer.

    Raises:
        ServerError: The completion was interrupted.
    """
    choices = [
        {
            "index": index,
            "message": _message(text, _thoughts(completion, index), _calls(completion, index)),
            "finish_reason": _reason(completion, index),
            "logprobs": _logprobs(completion, index),
        }
        for index, text in enumerate(completion.texts)
    ]
    return {**_frame(model, "chat.completion"), "choices": choices, "usage": _usage(completion)}


def _message(text: str, thoughts: str, calls: tuple[ToolCall, ...]) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
    if thoughts:
        said["reasoning_content"] = thoughts
    if calls:
        said["content"] = text or None
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return said


@dataclass(slots=True)
class _Sent:
    """What a client has been sent of one choice."""

    text: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, tuple[str, list[str]]] = field(default_factory=dict)


class ReplyChunks:
    """Turns deltas into the chunks of a streamed reply.

    What was sent cannot be taken back. So after :class:`Restarted`, nothing is sent until the
    completion is there: if it continues what was sent, the rest follows; otherwise the stream
    ends with an error.

    Args:
        model: The model's name, as the client wrote it.
        usage: Whether the client wants the usage at the end.
    """

    def __init__(self, model: str, *, usage: bool) -> None:
        self._frame = _frame(model, "chat.completion.chunk")
        self._usage = usage
        self._choices: dict[int, _Sent] = {}
        self._paused = False
        self.ended = False

    def add(self, delta: Delta) -> Iterator[dict[str, Any]]:
        """Yield the chunks for a delta.

        Raises:
            ServerError: The completion does not continue what was sent, or was interrupted.
        """
        match delta:
            case Restarted():
                self._paused = bool(self._choices)
            case Completed():
                yield from self._end(delta.completion)
                self.ended = True
            case _ if not self._paused:
                yield from self._piece(delta)

    def _piece(
        self, delta: TextDelta | ReasoningDelta | ToolCallDelta
    ) -> Iterator[dict[str, Any]]:
        if delta.index not in self._choices:
            self._choices[delta.index] = _Sent()
            yield self._chunk(delta.index, {"role": "assistant", "content": ""})
        sent = self._choices[delta.index]
        match delta:
            case TextDelta():
                sent.text.append(delta.text)
                yield self._chunk(delta.index, {"content": delta.text})
            case ReasoningDelta():
                sent.thoughts.append(delta.text)
                yield self._chunk(delta.index, {"reasoning_content": delta.text})
            case ToolCallDelta():
                call: dict[str, Any] = {"index": delta.place}
                function: dict[str, Any] = {"arguments": delta.arguments}
                if delta.place not in sent.calls:
                    sent.calls[delta.place] = (delta.name, [])
                    call |= {"id": delta.id or f"call_{delta.place}", "type": "function"}
                    function["name"] = delta.name
                sent.calls[delta.place][1].append(delta.arguments)
                yield self._chunk(delta.index, {"tool_calls": [{**call, "function": function}]})

    def _end(self, completion: Completion) -> Iterator[dict[str, Any]]:
        for index in range(len(completion.texts)):
            for delta in self._rest(completion, index):
                yield from self._piece(delta)
        for index in range(len(completion.texts)):
            reason, logprobs = _reason(completion, index), _logprobs(completion, index)
            yield self._chunk(index, {}, finish_reason=reason, logprobs=logprobs)
        if self._usage:
            yield {**self._frame, "choices": [], "usage": _usage(completion)}

    def _rest(self, completion: Completion, index: int) -> Iterator[_Piece]:
        """Yield the part of a choice that was not sent yet."""
        sent = self._choices.get(index)
        thoughts, text = _thoughts(completion, index), completion.texts[index]
        more = thoughts if sent is None else _tail("".join(sent.thoughts), thoughts)
        if more:
            yield ReasoningDelta(more, index)
        more = text if sent is None else _tail("".join(sent.text), text)
        if more or sent is None:
            yield TextDelta(more, index)
        calls = _calls(completion, index)
        if sent is not None and len(sent.calls) > len(calls):
            raise _another_answer()
        for place, call in enumerate(calls):
            name, pieces = (sent.calls if sent else {}).get(place, (call.name, None))
            if name != call.name:
                raise _another_answer()
            more = call.arguments if pieces is None else _tail("".join(pieces), call.arguments)
            if more or pieces is None:
                yield ToolCallDelta(place, call.id, call.name, more, index)

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, Any],
        finish_reason: str | None = None,
        logprobs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        choice = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": logprobs,
        }
        return {**self._frame, "choices": [choice]}


def _tail(sent: str, whole: str) -> str:
    if not whole.startswith(sent):
        raise _another_answer()
    return whole[len(sent) :]


def _another_answer() -> ServerError:
    return ServerError(
        "the request had to be retried in the middle of the answer, and the new answer differs "
        "from what was already sent: send the request again"
    )


def _frame(model: str, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _reason(completion: Completion, index: int) -> str:
    reason = completion.finish_reasons[index] if completion.finish_reasons else "stop"
    if reason == "error":
        raise ServerError("the model broke off its answer")
    return "tool_calls" if reason == "stop" and _calls(completion, index) else reason


def _calls(completion: Completion, index: int) -> tuple[ToolCall, ...]:
    return completion.tool_calls[index] if completion.tool_calls else ()


def _thoughts(completion: Completion, index: int) -> str:
    return completion.reasoning[index] if completion.reasoning else ""


def _logprobs(completion: Completion, index: int) -> dict[str, Any] | None:
    if completion.logprobs is None:
        return None
    content: list[dict[str, Any]] = [
        {"token": "", "logprob": value, "bytes": None, "top_logprobs": []}
        for value in completion.logprobs[index]
    ]
    return {"content": content, "refusal": None}


def _usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_prompt_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
