"""Completions as plain JSON, for caches and journals; nothing is pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, replace
from typing import Any

from langprog.lm.parts import ToolCall
from langprog.lm.types import Completion, Usage

VERSION = 2


def freeze_completion(completion: Completion) -> Completion:
    """Return ``completion`` with tuples in place of lists, so that nothing in it can change."""
    logprobs = completion.logprobs
    parts = (
        completion.texts,
        completion.finish_reasons,
        completion.reasoning,
        completion.signatures,
        completion.tool_calls,
        *completion.tool_calls,
        *(() if logprobs is None else logprobs),
    )
    # Only a user's own model may answer with lists.
    if all(type(part) is tuple for part in parts) and type(logprobs) in (tuple, type(None)):
        return completion
    return replace(
        completion,
        texts=tuple(completion.texts),
        finish_reasons=tuple(completion.finish_reasons),
        logprobs=None if logprobs is None else tuple(tuple(values) for values in logprobs),
        tool_calls=tuple(tuple(calls) for calls in completion.tool_calls),
        reasoning=tuple(completion.reasoning),
        signatures=tuple(completion.signatures),
    )


def completion_to_json(completion: Completion) -> dict[str, Any]:
    """Return ``completion`` as plain JSON data."""
    data: dict[str, Any] = {
        "version": VERSION,
        "texts": list(completion.texts),
        "model": completion.model,
        "usage": list(astuple(completion.usage)),
        "finish": list(completion.finish_reasons),
        "logprobs": None
        if completion.logprobs is None
        else [list(values) for values in completion.logprobs],
        "dollars": completion.dollars,
        "latency": completion.latency,
    }
    if completion.tool_calls:
        data["tool_calls"] = [
            [[call.id, call.name, call.arguments] for call in calls]
            for calls in completion.tool_calls
        ]
    if completion.without_tools:
        data["without_tools"] = True
    if completion.reasoning:
        data["reasoning"] = list(completion.reasoning)
    if completion.signatures:
        data["signatures"] = list(completion.signatures)
    return data


def completion_from_json(data: Mapping[str, Any]) -> Completion:
    """Return the completion that :func:`completion_to_json` wrote, marked as cached.

    Raises:
        ValueError: The data is not a completion, or has an unknown version.
    """
    try:
        if data["version"] != VERSION:
            raise ValueError(f"a completion of version {data['version']!r:.20}, not {VERSION}")
        logprobs = data["logprobs"]
        dollars = data["dollars"]
        texts, reasons = _texts(data["texts"]), _texts(data["finish"])
        if not texts or not isinstance(data["model"], str):
            raise ValueError("not a completion: texts or model are missing")
        return Completion(
            texts=texts,
            model=data["model"],
            usage=Usage(*(int(count) for count in data["usage"])),
            finish_reasons=reasons,
            logprobs=None
            if logprobs is None
            else tuple(tuple(float(value) for value in values) for values in logprobs),
            dollars=None if dollars is None else float(dollars),
            latency=float(data["latency"]),
            cached=True,
            tool_calls=tuple(
                tuple(ToolCall(*_texts(call)) for call in calls)
                for calls in data.get("tool_calls", ())
            ),
            reasoning=_texts(data.get("reasoning", [])),
            without_tools=data.get("without_tools") is True,
            signatures=_texts(data.get("signatures", [])),
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a completion: {error!r}") from None


def _texts(data: Any) -> tuple[str, ...]:
    if not isinstance(data, list) or not all(isinstance(text, str) for text in data):
        raise TypeError("not a list of texts")
    return tuple(data)
