"""What an OpenAI-compatible endpoint's refusals mean."""

from __future__ import annotations

import email.utils
import json
import math
import time
from collections.abc import Mapping
from datetime import UTC
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
    "context size",
    "maximum context",
    "too many tokens",
    "prompt is too long",
)
FILTER_WORDS = (
    "content_filter",
    "content_policy",
    "content management policy",
    "safety system",
    "requires moderation",
)


def error_of(status: int, headers: Mapping[str, str], body: str, model: str) -> LMError:
    """Return the error that a reply with this status stands for."""
    said = said_in(body)
    words = said.casefold()
    message = f"{model}: HTTP {status}: {said}" if said else f"{model}: HTTP {status}"
    if status == 429:
        if "insufficient_quota" in words:
            return AuthError(message, model=model)
        return RateLimitError(message, model=model, retry_after=retry_after(headers))
    if status == 403 and any(word in words for word in FILTER_WORDS):
        return ContentFilterError(message, model=model)
    if status in (401, 402, 403):
        return AuthError(message, model=model)
    if status in (408, 504):
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
    except (ValueError, RecursionError):
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
    named = {name.casefold(): value.strip() for name, value in headers.items()}
    value = named.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _seconds_until(value)
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _seconds_until(date: str) -> float:
    try:
        moment = email.utils.parsedate_to_datetime(date)
    except (ValueError, OverflowError):
        return math.nan
    # A date without a zone is in UTC, as HTTP says, not in this machine's time.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
