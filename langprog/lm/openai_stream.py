"""Assembling the events of an OpenAI-compatible stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import ServerError
from langprog.lm.finish import FinishReason
from langprog.lm.openai_reply import (
    MISSHAPEN,
    SILENT,
    arguments_in,
    calls_of,
    check_completion,
    finish_of,
    is_at_limit,
    is_incomplete,
    is_refusal,
    raise_error_in,
    read_usage,
    reasoning_in,
    reasoning_member_of,
    signature_in,
    text_of_content,
)
from langprog.lm.parts import ToolCall
from langprog.lm.streaming import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from langprog.lm.types import Completion, Request, Usage

# Tool calls of one stream; more than any endpoint sends.
MOST_CALLS = 100_000


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Choice:
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    calls: dict[int, _Call] = field(default_factory=dict)
    logprobs: list[float] = field(default_factory=list)
    # The call to continue, by the endpoint's index.
    places: dict[int, int] = field(default_factory=dict)
    reason: FinishReason | None = None
    refused: bool = False

    @property
    def has_begun(self) -> bool:
        """Whether anything of it has arrived."""
        return bool(self.reason or self.texts or self.thoughts or self.calls or self.refused)


def data_of(line: str) -> str:
    """Return the data of a stream's line; empty for comments and event names."""
    line = line.strip()
    if line.startswith("data:"):
        return line[5:].strip()
    # An endpoint that fails before its first event may send a bare error.
    return line if line.startswith("{") else ""


class Assembly:
    """A completion in progress.

    Args:
        request: The request.
        name: The model's name.
        secrets: Keys and header values that were sent; masked in errors.
    """

    def __init__(self, request: Request, name: str, secrets: Sequence[str] = ()) -> None:
        self._request = request
        self._name = name
        self._secrets = secrets
        self._choices = [_Choice() for _ in range(request.n)]
        self._usage = Usage()
        self._cut_off = False
        # Under which name the endpoint sends reasoning.
        self.reasoning_member: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether every completion that has begun has a finish reason."""
        begun = [choice for choice in self._choices if choice.has_begun]
        return bool(begun) and all(choice.reason is not None for choice in begun)

    def add(self, data: str) -> list[Delta]:
        """Process one event and return its deltas.

        Raises:
            ServerError: The event does not belong to a completion; if it contains an error, that
                error.
        """
        try:
            event = json.loads(data)
            raise_error_in(event, self._name, self._secrets)
            if event.get("usage"):
                self._usage = read_usage(event["usage"])
            self._cut_off = self._cut_off or is_incomplete(event)
            return [
                delta for choice in event.get("choices") or () for delta in self._choice(choice)
            ]
        except MISSHAPEN:
            raise ServerError(
                f"{self._name}: the stream contains no completion",
                model=self._name,
                charge="everything",
            ) from None

    def _choice(self, data: Mapping[str, Any]) -> Iterator[Delta]:
        index = int(data.get("index") or 0)
        if not 0 <= index < len(self._choices):
            return
        choice = self._choices[index]
        delta = data.get("delta") or data.get("message") or {}
        thought, text = reasoning_in(delta), text_of_content(delta.get("content"))
        signature = signature_in(delta)
        if signature:
            choice.signatures.append(signature)
        if thought:
            self.reasoning_member = reasoning_member_of(delta) or self.reasoning_member
            choice.thoughts.append(thought)
            yield ReasoningDelta(thought, index)
        if text:
            choice.texts.append(text)
            yield TextDelta(text, index)
        for place, call in enumerate(calls_of(delta) or ()):
            at = call.get("index")
            yield _call_delta(choice, call, place if at is None else int(at), index)
        for token in (data.get("logprobs") or {}).get("content") or ():
            choice.logprobs.append(float(token["logprob"]))
        choice.refused = choice.refused or is_refusal(delta)
        if data.get("finish_reason") not in SILENT:
            choice.reason = finish_of(data)

    def completion(self, latency: float) -> Completion:
        """Return the assembled completion.

        Raises:
            ServerError: The endpoint interrupted the reply.
            ContentFilterError: The provider refused the content.
        """
        choices = [choice for choice in self._choices if choice.has_begun]
        calls = tuple(map(_calls, choices))
        if not choices or any(not call.name for several in calls for call in several):
            raise ServerError(
                f"{self._name}: the stream contains no completion",
                model=self._name,
                charge="everything",
            )
        silent = all(choice.reason is None for choice in choices)
        if self._cut_off or (silent and is_at_limit(self._request, self._usage)):
            for choice in choices:
                choice.reason = "length"
        reasoning = tuple("".join(choice.thoughts) for choice in choices)
        signatures = tuple(map(_signature, choices))
        logprobs = tuple(tuple(choice.logprobs) for choice in choices)
        completion = Completion(
            tuple("".join(choice.texts) for choice in choices),
            self._name,
            self._usage,
            tuple(map(_reason, choices)),
            logprobs if self._request.logprobs and any(logprobs) else None,
            latency=latency,
            tool_calls=calls if any(calls) else (),
            reasoning=reasoning if any(reasoning) else (),
            signatures=signatures if any(signatures) else (),
        )
        return check_completion(completion, self._request)


def _signature(choice: _Choice) -> str:
    # Several sign several blocks, which have become one text here.
    return choice.signatures[0] if len(set(choice.signatures)) == 1 else ""


def _calls(choice: _Choice) -> tuple[ToolCall, ...]:
    return tuple(
        ToolCall(call.id or f"call_{place}", call.name, "".join(call.arguments) or "{}")
        for place, call in sorted(choice.calls.items())
    )


def _call_delta(choice: _Choice, data: Mapping[str, Any], place: int, index: int) -> ToolCallDelta:
    if not 0 <= place < MOST_CALLS:
        raise ValueError("a tool call with an invalid index")
    id, function = str(data.get("id") or ""), data.get("function") or {}
    name, arguments = function.get("name") or "", arguments_in(function)
    known = choice.calls.get(choice.places.get(place, place))
    # Some give every call the same index; a name with another id begins a new one.
    if known is None or (name and id and known.id not in ("", id)):
        choice.places[place] = place if known is None else len(choice.calls)
    place = choice.places[place]
    call = choice.calls.setdefault(place, _Call())
    call.id = call.id or id
    call.name = call.name or name + ""  # raises TypeError if it is not a text
    call.arguments.append(arguments)
    return ToolCallDelta(place, id, name, arguments, index)


def _reason(choice: _Choice) -> FinishReason:
    if choice.refused and not choice.texts:
        return "content_filter"
    if choice.reason in (None, "stop") and choice.calls:
        return "tool_calls"
    return choice.reason or "stop"
