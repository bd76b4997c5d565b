"""Errors as responses: an HTTP status and typed JSON, without anything internal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.errors import (
    AuthError,
    BudgetExceeded,
    CheckError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LangprogError,
    LMError,
    ParseError,
    RateLimitError,
    TimeoutError,
    TransportError,
    TruncatedError,
)
from langprog.lm import BadBody, ServerBusy, redact


class Refusal(LangprogError):
    """A request is not answered, and why.

    Args:
        status: HTTP status.
        kind: What went wrong, as a word that a client can test.
        message: The same for people; it is sent to the client.
        field: The input at fault, if there is one.
        retry_after: Seconds after which a retry makes sense, if it does.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        field: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.kind, self.field = status, kind, field
        self.retry_after = retry_after

    def to_json(self, request_id: str) -> dict[str, Any]:
        """Return the body of the response."""
        content = {"type": self.kind, "message": str(self), "field": self.field}
        return {"error": {**content, "status": self.status, "request_id": request_id}}

    def headers(self) -> dict[str, str]:
        """Return the headers that belong to it."""
        if self.retry_after is None:
            return {}
        return {"retry-after": str(max(1, math.ceil(self.retry_after)))}


# Status, kind, and a message where the error's own would name addresses, models or keys.
_UPSTREAM: tuple[tuple[type[LangprogError], tuple[int, str, str]], ...] = (
    (ContextWindowError, (422, "context_window", "the input is too long for the model")),
    (ContentFilterError, (422, "content_filter", "the model's provider refused the content")),
    (TruncatedError, (502, "truncated", "the model's reply was cut off at its token limit")),
    (ParseError, (502, "unreadable_reply", "the model's reply cannot be read as the outputs")),
    (CheckError, (502, "failed_check", "the model's answer fails a check of the program")),
    (BudgetExceeded, (503, "budget_spent", "the server's budget is spent")),
    (RateLimitError, (429, "rate_limited", "the model's endpoint asks to slow down")),
    (TimeoutError, (504, "timeout", "the model's endpoint did not answer in time")),
    (TransportError, (502, "transport", "the model's endpoint cannot be reached, or failed")),
    (AuthError, (502, "upstream_auth", "the model's endpoint did not accept the server's key")),
    (LMError, (502, "upstream", "the model's endpoint rejected the request")),
)
KINDS: Mapping[int, str] = MappingProxyType(
    {
        400: "bad_request",
        401: "unauthorized",
        404: "not_found",
        405: "method_not_allowed",
        408: "upload_timeout",
        413: "too_large",
        415: "unsupported_media_type",
        421: "misdirected",
    }
)


def refusal_of(error: Exception, *, unasked: bool = False) -> Refusal:
    """Return the response to an error; only messages about the request itself are passed on.

    Args:
        error: The error.
        unasked: Whether no model had been asked yet, so that an input is to blame.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, ServerBusy):
        return Refusal(429, "busy", str(error), retry_after=error.retry_after)
    if isinstance(error, BadBody):
        return Refusal(error.status, KINDS.get(error.status, "bad_request"), str(error))
    for known, (status, kind, message) in _UPSTREAM:
        if isinstance(error, known):
            wait = error.retry_after if isinstance(error, TransportError) else None
            if status == 429 and wait is None:
                wait = 1.0
            return Refusal(status, kind, message, retry_after=wait)
    if unasked and type(error) is InputError:  # not one of the kinds that a program causes
        return Refusal(422, "invalid_input", redact(str(error)))
    return Refusal(500, "internal", "the program failed; the server's log says why")


def describe_cause(error: Exception) -> str:
    """Return an error for the server's log, in one line without keys."""
    said = str(error) if isinstance(error, LangprogError) else f"{type(error).__name__}: {error}"
    return redact(" ".join(said.split()))[:2000]


def wrong_input(error: InputError, field: str) -> Refusal:
    """Return the response to a value that does not fit its field."""
    return Refusal(422, "invalid_input", redact(str(error)), field=field)
