"""Classifying the errors of OpenAI-compatible endpoints."""

from __future__ import annotations

import email.utils
import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    Charge,
    ContentFilterError,
    ContextWindowError,
    LMError,
    RateLimitError,
    ServerError,
    TimeoutError,
    TruncatedError,
)

# Characters of an error's body that are analyzed.
LONGEST_SAID = 20_000
SHORTEST_SECRET = 8  # characters of a header value that is masked in messages
_LENGTH = (
    r"context[_ ]?(?:length|window|size|limit)|maximum context|too many tokens"
    r"|(?:prompt|input|request|message|context)s?(?: is| are)? too (?:long|large)"
    r"|too (?:long|large) (?:a )?(?:prompt|input|context)|string too long|string_above_max_length"
    r"|reduce the length|exceeds? the (?:maximum|max|model'?s)[^.]{0,40}tokens"
    r"|(?<!max )(?<!output )(?<!completion )\btokens?\b[^.\n]{0,40} exceed(?!ed your)"
    r"|input token count|token limit exceeded|exceed(?:ed|s)? (?:the )?(?:model )?token limit"
    r"|maximum (?:input|prompt|sequence|model) length|prompt exceeds max|input length should be"
    r"|max_new_tokens[`'\"]? must be <=|must have less than \d+ tokens"
)
CONTEXT = re.compile(_LENGTH)
FILTER = re.compile(
    r"content[ _]filter|content_policy|content management policy|safety system|requires moderation"
    r"|flagged (?:as potentially|by|for)|responsible ?ai policy|data_?inspection"
    r"|(?:inappropriate|prohibited|sensitive) (?:content|words?)|content exists risk"
    r"|violat\w{1,5} (?:\w{1,9} ){0,2}polic"
)
# A rejected key or account, reported with status 400 or 429.
ACCOUNT = re.compile(
    r"insufficient_quota|api[_ ]key (?:not valid|expired|is invalid)|api_key_invalid"
    r"|(?:incorrect|invalid|missing) api[_ ]key|credit balance|insufficient (?:balance|credit)"
)
# A model that spent all its tokens on reasoning; some endpoints report it with a 400.
CUT_OFF = re.compile(r"could not finish the message because max_tokens")
# Servers that apply a model's own template answer 500 if the template rejects the messages.
TEMPLATE = re.compile(r"jinja|chat[ _]template|templateerror|raise_exception")
_KEY = "check the key and its account"
_WORDS = ("message", "msg", "detail", "reason", "description", "error_description")
_DEEPER = ("raw", "error", "errors", "details")
_PLACES = ("param", "loc", "field", "parameter", "path")
# Members that quote the request instead of describing the error.
_ECHOES = frozenset({"input", "ctx", "url", "request", "prompt", "messages", "headers"})


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """The content of an error's body.

    Args:
        line: One short line for users.
        words: The full text in lower case, without what it quotes from the request.
        params: The request parameters that it blames, such as ``temperature``.
    """

    line: str
    words: str
    params: tuple[str, ...] = ()


def error_of(
    status: int,
    headers: Mapping[str, str],
    body: str,
    model: str,
    *,
    secrets: Sequence[str] = (),
    address: str = "",
    inside: bool = False,
) -> LMError:
    """Return the error for a reply with this status.

    Args:
        status: The reply's HTTP status.
        headers: The reply's headers.
        body: The reply's body, or its beginning.
        model: The model's name.
        secrets: Keys and header values that were sent; masked in the message.
        address: The address, without secrets.
        inside: Whether the error was inside a reply with status 200.
    """
    said = read_error(body)
    line = _redact(said.line, secrets)
    what = "an error inside a reply with HTTP 200" if inside else f"HTTP {status}"
    message = f"{model}: {what}: {line}" if line else f"{model}: {what}"
    wait = retry_after(headers)
    if status == 429 and not ACCOUNT.search(said.words):
        return RateLimitError(message, model=model, retry_after=wait)
    if status in (401, 402, 403, 429):
        # Some forbid a setting or the prompt's content, not the caller.
        if status == 403 and FILTER.search(said.words):
            return ContentFilterError(message, model=model)
        if status != 403 or "allowed to request" not in said.words:
            return AuthError(f"{message} ({_KEY})", model=model)
    if status == 404 and address:
        message += f" (sent to {address}: check the base_url and the model's name there)"
    if status in (408, 504):
        return TimeoutError(message, model=model, retry_after=wait)
    if status >= 500 or status < 300:
        return _server_error(status, message, model, said, wait)
    if status < 400:
        place = _redact(_lower_case_names(headers).get("location", ""), secrets)
        return BadRequestError(_redirect_message(model, status, place), model=model)
    return _refusal_error(status, message, model, said)


def _redact(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _server_error(
    status: int, message: str, model: str, said: ErrorBody, wait: float | None
) -> LMError:
    if status == 500 and CONTEXT.search(said.words):  # some servers and gateways do not say 400
        return ContextWindowError(message, model=model)
    if status == 501 or (status == 500 and TEMPLATE.search(said.words)):
        return _bad_request(message, model, said, charge="call")
    return ServerError(message, model=model, retry_after=wait)


def _refusal_error(status: int, message: str, model: str, said: ErrorBody) -> LMError:
    if ACCOUNT.search(said.words):
        return AuthError(f"{message} ({_KEY})", model=model)
    if CUT_OFF.search(said.words):
        return TruncatedError(f"{message}: raise max_tokens", model=model)
    if status == 413 or CONTEXT.search(said.words):
        return ContextWindowError(message, model=model)
    if FILTER.search(said.words):
        return ContentFilterError(message, model=model)
    return _bad_request(message, model, said)


def _bad_request(
    message: str, model: str, said: ErrorBody, charge: Charge = "nothing"
) -> BadRequestError:
    return BadRequestError(
        message, model=model, charge=charge, said=said.words, params=said.params
    )


def _redirect_message(model: str, status: int, place: str) -> str:
    where = f" to {_line(place.partition('?')[0])!r}" if place else ""
    return (
        f"{model}: the endpoint redirects{where} (HTTP {status}), which is not followed, because "
        "prompts and keys go only to base_url: set base_url to the new address"
    )


def error_line(body: str) -> str:
    """Return one short line for an error body."""
    return read_error(body).line


def read_error(body: str) -> ErrorBody:
    """Parse the body of an error."""
    try:
        data: Any = json.loads(body)
    except (ValueError, RecursionError):
        return ErrorBody(_line(body), body[:LONGEST_SAID].casefold())
    data = _parse_nested(data, 6)
    inside = data.get("error", data) if isinstance(data, dict) else data
    messages = list(dict.fromkeys(_messages(inside, 8))) or [str(inside)[:LONGEST_SAID]]
    code = inside.get("code") if isinstance(inside, dict) else None
    start = [str(code)] if code and str(code) != messages[0] else []
    words = "\n".join(_texts(data, 8))[:LONGEST_SAID].casefold()
    params = tuple(dict.fromkeys(_params(data, 8)))
    return ErrorBody(_line(": ".join([*start, *messages[:2]])), words, params)


def _parse_nested(data: Any, depth: int) -> Any:
    """Return data in which JSON inside texts, as gateways nest it, is parsed as well."""
    if isinstance(data, str) and data[:1] in ("{", "[") and depth:
        try:
            return _parse_nested(json.loads(data), depth - 1)
        except (ValueError, RecursionError):
            return data
    if isinstance(data, list) and depth:
        return [_parse_nested(item, depth - 1) for item in data[:50]]
    if isinstance(data, dict) and depth:
        return {key: _parse_nested(value, depth - 1) for key, value in list(data.items())[:50]}
    return data


def _texts(data: Any, depth: int) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, list) and depth:
        for item in data:
            yield from _texts(item, depth - 1)
    elif isinstance(data, dict) and depth:
        for key, value in data.items():
            if key not in _ECHOES:
                yield f'"{key}"'
                yield from _texts(value, depth - 1)


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
        for key in _DEEPER:
            yield from _messages(data.get(key), depth - 1)
        yield from _messages(data.get("metadata"), depth - 1)


def _params(data: Any, depth: int) -> Iterator[str]:
    if isinstance(data, list) and depth:
        for item in data:
            yield from _params(item, depth - 1)
    elif isinstance(data, dict) and depth:
        for key, value in data.items():
            if key in _PLACES and value:
                yield _place(value).casefold()
            elif key not in _ECHOES:
                yield from _params(value, depth - 1)


def _place(value: Any) -> str:
    parts = value if isinstance(value, list) else [value]
    return ".".join(str(part) for part in parts[:6])[:100]


def _line(text: str) -> str:
    text = " ".join(text[:2000].split())
    return text if len(text) <= 300 else text[:297] + "..."


def _lower_case_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.casefold(): value.strip() for name, value in headers.items()}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of the Retry-After header, which holds a number or a date."""
    value = _lower_case_names(headers).get("retry-after", "")
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
    # HTTP dates without a zone are in UTC, not local time.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - time.time()
