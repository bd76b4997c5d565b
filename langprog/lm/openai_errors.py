"""What an OpenAI-compatible endpoint's refusals mean."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
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

# Of an error's body no more than this is read for its meaning.
LONGEST_SAID = 20_000
_LENGTH = (
    r"context[_ ]?(?:length|window|size|limit)|maximum context|too many tokens"
    r"|(?:prompt|input|request|message)s?(?: is| are)? too (?:long|large)"
    r"|reduce the length|exceeds? the (?:maximum|max|model'?s)[^.]{0,40}tokens"
    r"|input token count|token limit exceeded|maximum (?:input|prompt|sequence) length"
)
CONTEXT = re.compile(_LENGTH)
FILTER = re.compile(
    r"content_filter|content_policy|content management policy|safety system|requires moderation"
    r"|flagged as potentially|responsible ?ai policy"
)
_WORDS = ("message", "msg", "detail", "reason", "description", "error_description")
_PLACES = ("param", "loc", "field", "parameter", "path")


@dataclass(frozen=True, slots=True)
class Said:
    """What an error's body says.

    Args:
        line: It in one short line, for people.
        words: It in full, in lower case.
        params: The parts of the request that it names as wrong, such as ``temperature``.
    """

    line: str
    words: str
    params: tuple[str, ...] = ()


def error_of(status: int, headers: Mapping[str, str], body: str, model: str) -> LMError:
    """Return the error that a reply with this status stands for."""
    said = read_error(body)
    words = said.words
    message = f"{model}: HTTP {status}: {said.line}" if said.line else f"{model}: HTTP {status}"
    wait = retry_after(headers)
    filtered = FILTER.search(words) is not None
    if status == 429:
        if "insufficient_quota" in words:
            return AuthError(message, model=model)
        return RateLimitError(message, model=model, retry_after=wait)
    if status == 403 and filtered:
        return ContentFilterError(message, model=model)
    if status in (401, 402, 403):
        return AuthError(message, model=model)
    if status in (408, 504):
        return TimeoutError(message, model=model, retry_after=wait)
    if status >= 500 or status < 300:
        return ServerError(message, model=model, retry_after=wait)
    if status < 400:
        return BadRequestError(_moved(model, status, headers), model=model)
    if status == 413 or CONTEXT.search(words):
        return ContextWindowError(message, model=model)
    if filtered:
        return ContentFilterError(message, model=model)
    return BadRequestError(message, model=model, said=words, params=said.params)


def _moved(model: str, status: int, headers: Mapping[str, str]) -> str:
    place = _named(headers).get("location", "")
    where = f" to {_line(place.partition('?')[0])!r}" if place else ""
    return (
        f"{model}: the endpoint redirects{where} (HTTP {status}), which is not followed: a prompt "
        "and a key go only where base_url says; name the new address there"
    )


def said_in(body: str) -> str:
    """Return what an error body says, in one short line."""
    return read_error(body).line


def read_error(body: str) -> Said:
    """Return what the body of an error says."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return Said(_line(body), body[:LONGEST_SAID].casefold())
    inside = data.get("error", data) if isinstance(data, dict) else data
    told = list(_messages(inside, 6)) or [str(inside)]
    code = inside.get("code") if isinstance(inside, dict) else None
    line = ": ".join([str(code), told[0]] if code and str(code) != told[0] else told[:1])
    params = tuple(dict.fromkeys(_params(data, 6)))
    return Said(_line(line), body[:LONGEST_SAID].casefold(), params)


def _messages(data: Any, depth: int) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, list) and depth:
        for item in data[:5]:
            yield from _messages(item, depth - 1)
    elif isinstance(data, dict) and depth:
        place = next((_place(data[key]) for key in _PLACES if data.get(key)), "")
        for key in _WORDS:
            for text in _messages(data.get(key), depth - 1):
                yield f"{place}: {text}" if place and key == "msg" else text


def _params(data: Any, depth: int) -> Iterator[str]:
    if isinstance(data, list) and depth:
        for item in data[:50]:
            yield from _params(item, depth - 1)
    elif isinstance(data, dict) and depth:
        for key, value in list(data.items())[:50]:
            if key in _PLACES and value:
                yield _place(value).removeprefix("body.").casefold()
            else:
                yield from _params(value, depth - 1)


def _place(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return ".".join(str(part) for part in parts[:6])[:100]


def _line(text: str) -> str:
    text = " ".join(text[:2000].split())
    return text if len(text) <= 300 else text[:297] + "..."


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.casefold(): value.strip() for name, value in headers.items()}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the Retry-After header asks for, as a number or a date."""
    value = _named(headers).get("retry-after", "")
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
