"""What an OpenAI-compatible endpoint's refusals mean."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Mapping
from typing import Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    RateLimitError,
    ServerError,
    TimeoutError,
)

CONTEXT_WORDS = (
    "context_length",
    "context length",
    "context window",
    "maximum context",
    "too many tokens",
    "prompt is too long",
)
FILTER_WORDS = ("content_filter", "content_policy", "content management policy", "safety system")


def error_of(status: int, headers: Mapping[str, str], body: str, model: str) -> LMError:
    """Return the error that a reply with this status stands for."""
    said = said_in(body)
    words = said.casefold()
    message = f"{model}: HTTP {status}: {said}" if said else f"{model}: HTTP {status}"
    if status == 429:
        if "insufficient_quota" in words:
            return AuthError(message, model=model)
        return RateLimitError(message, model=model, retry_after=retry_after(headers))
    if status in (401, 403):
        return AuthError(message, model=model)
    if status == 408:
        return TimeoutError(message, model=model, retry_after=retry_after(headers))
    if status >= 500 or status < 400:
        return ServerError(message, model=model, retry_after=retry_after(headers))
    if any(word in words for word in CONTEXT_WORDS):
        return ContextWindowError(message, model=model)
    if any(word in words for word in FILTER_WORDS):
        return ContentFilterError(message, model=model)
    return BadRequestError(message, model=model)


def said_in(body: str) -> str:
    """Return what an error body says, in one short line."""
    try:
        data: Any = json.loads(body)
    except ValueError:
        return _line(body)
    inside = data.get("error", data) if isinstance(data, dict) else data
    if isinstance(inside, dict):
        parts = [str(inside[key]) for key in ("code", "message") if inside.get(key)]
        return _line(": ".join(parts))
    return _line(str(inside))


def _line(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 300 else text[:297] + "..."


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the Retry-After header asks for, as a number or a date."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())
