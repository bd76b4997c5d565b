"""What an OpenAI-compatible endpoint's replies hold. What is no completion is a ServerError."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from langprog.errors import BadRequestError, ContentFilterError, ServerError
from langprog.lm.openai_errors import error_of
from langprog.lm.types import Completion, Request, Usage

# What reading data of any shape can meet.
MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def read_completion(text: str, request: Request, name: str, latency: float) -> Completion:
    """Read the body of a reply with status 200.

    Args:
        text: The body.
        request: What was asked.
        name: The model's name.
        latency: Seconds that the call took.

    Raises:
        ServerError: The body is no completion; or, where it holds an error, that error.
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than asked for.
    """
    try:
        data = json.loads(text)
        if "choices" not in data and isinstance(data.get("error"), dict):
            raise error_of(_status(data["error"]), {}, text, name)
        choices = data["choices"]
        texts = tuple(_text(choice["message"]["content"]) for choice in choices)
        reasons = tuple(_reason(choice) for choice in choices)
        usage = read_usage(data.get("usage") or {})
        logprobs = _logprobs(choices) if request.logprobs else None
        if not texts:
            raise TypeError("there is no choice")
    except MISSHAPEN:
        raise ServerError(f"{name}: the reply is no completion", model=name) from None
    return checked(Completion(texts, name, usage, reasons, logprobs, None, latency), request)


def checked(completion: Completion, request: Request) -> Completion:
    """Return ``completion`` if it answers ``request``.

    Raises:
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than asked for.
    """
    name = completion.model
    if all(reason == "content_filter" for reason in completion.finish_reasons):
        raise ContentFilterError(f"{name}: the content was refused", model=name)
    if len(completion.texts) < request.n:
        raise BadRequestError(
            f"{name}: the endpoint gives {len(completion.texts)} completion(s) where "
            f"n={request.n} are asked for: ask for one at a time",
            model=name,
        )
    return completion


def read_usage(data: Mapping[str, Any]) -> Usage:
    """Read the count of tokens; what is left out is 0.

    Raises:
        ValueError: A count is negative (others of ``MISSHAPEN`` for other shapes).
    """
    details = data.get("prompt_tokens_details") or {}
    counts = (
        int(data.get("prompt_tokens") or 0),
        int(data.get("completion_tokens") or 0),
        int(details.get("cached_tokens") or 0),
    )
    if min(counts) < 0:
        raise ValueError("a count of tokens is negative")
    return Usage(*counts)


def read_delta(data: str, name: str) -> str:
    """Read one event of a stream; its text, empty where it holds none.

    Raises:
        ServerError: The event is none of a completion; or, where it holds an error, that error.
    """
    try:
        event = json.loads(data)
        if "choices" not in event and isinstance(event.get("error"), dict):
            raise error_of(_status(event["error"]), {}, data, name)
        choices = event["choices"]
        return _text((choices[0].get("delta") or {}).get("content")) if choices else ""
    except MISSHAPEN:
        raise ServerError(f"{name}: the stream holds no completion", model=name) from None


def _status(error: Mapping[str, Any]) -> int:
    code = error.get("code")
    return code if isinstance(code, int) and 400 <= code < 600 else 500


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part["text"]) for part in content if part["type"] == "text")
    raise TypeError("content is no text")


def _reason(choice: Mapping[str, Any]) -> str:
    message = choice["message"]
    if message["content"] is None and message.get("refusal"):
        return "content_filter"
    return str(choice.get("finish_reason") or "stop")


def _logprobs(choices: list[dict[str, Any]]) -> tuple[tuple[float, ...], ...] | None:
    found = []
    for choice in choices:
        inside = (choice.get("logprobs") or {}).get("content")
        if inside is None:
            return None
        found.append(tuple(float(token["logprob"]) for token in inside))
    return tuple(found)
