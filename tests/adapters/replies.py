"""Replies as completions, for tests that care about their text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import langprog as lp
from langprog.adapters import Adapter, adapter_named
from langprog.lm import Message, ToolCall
from langprog.signature import SignatureSpec


def said(text: str, *, calls: tuple[ToolCall, ...] = (), reason: str = "stop") -> lp.Completion:
    """A completion with this text."""
    return lp.Completion(
        (text,), "test/model", finish_reasons=(reason,), tool_calls=(calls,) if calls else ()
    )


def completion_of(message: Message) -> lp.Completion:
    """The completion that says what an assistant's message says."""
    if isinstance(message.content, str):
        return said(message.content)
    calls = tuple(part for part in message.content if isinstance(part, ToolCall))
    return said(message.text, calls=calls, reason="tool_calls")


class TextAdapter:
    """An adapter, by name, whose replies are texts."""

    def __init__(self, name: str) -> None:
        self.inner: Adapter = adapter_named(name)

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return self.inner.render(signature, demos, inputs)

    def response_schema(self, signature: SignatureSpec) -> Mapping[str, Any] | None:
        return self.inner.response_schema(signature)

    def parse(self, signature: SignatureSpec, text: str) -> dict[str, Any]:
        return self.inner.parse(signature, said(text))
