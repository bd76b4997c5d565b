"""The events of an OpenAI-compatible stream, put together."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import ServerError
from langprog.lm.finish import FinishReason, finish_reason_of
from langprog.lm.openai_reply import (
    MISSHAPEN,
    check_completion,
    raise_error_in,
    read_usage,
    reasoning_in,
)
from langprog.lm.parts import ToolCall
from langprog.lm.streaming import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from langprog.lm.types import Completion, Request, Usage

# Texts, tool calls and completions of one stream; more than any endpoint sends.
MOST_CALLS = 1_000


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[float] = field(default_factory=list)
    reason: FinishReason | None = None


class Assembly:
    """A completion under way.

    Args:
        request: What was asked.
        name: The model's name.
    """

    def __init__(self, request: Request, name: str) -> None:
        self._request = request
        self._name = name
        self._choices = [_Choice() for _ in range(request.n)]
        self._usage = Usage()

    @property
    def ended(self) -> bool:
        """Whether every completion has said why it ended."""
        return all(choice.reason is not None for choice in self._choices)

    def add(self, data: str) -> list[Delta]:
        """Take in one event; return what it adds.

        Raises:
            ServerError: The event is none of a completion; or, where it holds an error, that one.
        """
        try:
            event = json.loads(data)
            raise_error_in(event, self._name)
            if event.get("usage"):
                self._usage = read_usage(event["usage"])
            return [
                delta for choice in event.get("choices") or () for delta in self._choice(choice)
            ]
        except MISSHAPEN:
            raise ServerError(
                f"{self._name}: the stream holds no completion",
                model=self._name,
                charge="everything",
            ) from None

    def _choice(self, data: Mapping[str, Any]) -> Iterator[Delta]:
        index = int(data.get("index") or 0)
        if not 0 <= index < len(self._choices):
            return
        choice = self._choices[index]
        delta = data.get("delta") or data.get("message") or {}
        thought, text = reasoning_in(delta), delta.get("content") or ""
        if thought:
            choice.thoughts.append(thought)
            yield ReasoningDelta(thought, index)
        if isinstance(text, list):
            text = "".join(str(part["text"]) for part in text if part["type"] == "text")
        if text:
            choice.texts.append(text + "")  # or a TypeError: it is no text
            yield TextDelta(text, index)
        for place, call in enumerate(delta.get("tool_calls") or ()):
            yield _call_delta(choice, call, int(call.get("index", place)), index)
        for token in (data.get("logprobs") or {}).get("content") or ():
            choice.logprobs.append(float(token["logprob"]))
        if data.get("finish_reason"):
            choice.reason = finish_reason_of(data["finish_reason"])
        if delta.get("refusal") and not choice.texts:
            choice.reason = "content_filter"

    def completion(self, latency: float) -> Completion:
        """Return the whole.

        Raises:
            ServerError: The endpoint broke off.
            ContentFilterError: The provider refused the content.
        """
        calls = tuple(
            tuple(
                ToolCall(call.id or f"call_{place}", call.name, "".join(call.arguments) or "{}")
                for place, call in sorted(choice.calls.items())
            )
            for choice in self._choices
        )
        reasoning = tuple("".join(choice.thoughts) for choice in self._choices)
        logprobs = tuple(tuple(choice.logprobs) for choice in self._choices)
        completion = Completion(
            tuple("".join(choice.texts) for choice in self._choices),
            self._name,
            self._usage,
            tuple(_reason(choice) for choice in self._choices),
            logprobs if self._request.logprobs and any(logprobs) else None,
            latency=latency,
            tool_calls=calls if any(calls) else (),
            reasoning=reasoning if any(reasoning) else (),
        )
        return check_completion(completion, self._request)


def _call_delta(choice: _Choice, data: Mapping[str, Any], place: int, index: int) -> ToolCallDelta:
    if not 0 <= place < MOST_CALLS:
        raise ValueError("a tool call at an odd place")
    call = choice.calls.setdefault(place, _Call())
    function = data.get("function") or {}
    name, arguments = function.get("name") or "", function.get("arguments") or ""
    if not (isinstance(name, str) and isinstance(arguments, str)):
        raise TypeError("a tool call is no text")
    call.id = call.id or str(data.get("id") or "")
    call.name = call.name or name
    call.arguments.append(arguments)
    return ToolCallDelta(place, str(data.get("id") or ""), name, arguments, index)


def _reason(choice: _Choice) -> FinishReason:
    if choice.reason == "stop" and choice.calls:
        return "tool_calls"
    return choice.reason or "stop"
