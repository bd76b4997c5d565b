"""Our errors as DSPy's, for programs that handle them.

Code inside a DSPy program may handle DSPy's errors: ReAct shortens its trajectory where a prompt
is too long, and a user's module may ask another model when one is overloaded. What the models here
raise is both: DSPy's code sees its own errors, and a search sees ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import dspy
from dspy.utils import exceptions as theirs

from langprog import errors as ours
from langprog.errors import LangprogError, LMError, ParseError


class ContextWindowError(ours.ContextWindowError, theirs.ContextWindowExceededError):
    """The prompt exceeds the model's context window."""


class RateLimitError(ours.RateLimitError, theirs.LMRateLimitError):
    """The endpoint asked to slow down."""


class ServerError(ours.ServerError, theirs.LMServerError):
    """The endpoint failed."""


class ConnectError(ours.ConnectError, theirs.LMTransportError):
    """The connection failed."""


class TimeoutError(ours.TimeoutError, theirs.LMTimeoutError):
    """No answer in time."""


class AuthError(ours.AuthError, theirs.LMAuthError):
    """The endpoint did not accept the key."""


class BadRequestError(ours.BadRequestError, theirs.LMInvalidRequestError):
    """The endpoint rejects the request."""


_BOTH: Mapping[type[LMError], type[LMError]] = MappingProxyType(
    {
        ours.ContextWindowError: ContextWindowError,
        ours.RateLimitError: RateLimitError,
        ours.ServerError: ServerError,
        ours.ConnectError: ConnectError,
        ours.TimeoutError: TimeoutError,
        ours.AuthError: AuthError,
        ours.BadRequestError: BadRequestError,
    }
)


def as_both(error: LMError) -> LMError:
    """Return an error as one that DSPy's code can handle as well, if DSPy has such an error."""
    kind = _BOTH.get(type(error))
    if kind is None:
        return error
    both = kind.__new__(kind, str(error))
    both.__dict__.update(vars(error))
    both.__dict__.update(
        message=str(error),
        code=getattr(kind, "default_code", None),
        provider=None,
        provider_code=None,
        status=None,
        request_id=None,
        retry_after=getattr(error, "retry_after", None),
    )
    return both


def as_lm_error(error: Exception, name: str) -> LMError:
    """Return an error of a model of DSPy as ours; one of an unknown kind is a transport failure.

    Args:
        error: The error.
        name: The model's name.
    """
    for kind, both in _BOTH.items():
        if isinstance(error, both.__bases__[1]):  # the one of DSPy
            return kind(str(error), model=name)
    return ours.TransportError(str(error), model=name)


def failure_of(error: BaseException) -> tuple[str, type[Exception] | None]:
    """Return what a trace says of an error: its message, and its type among our errors."""
    if isinstance(error, dspy.AdapterParseError):
        return describe_unreadable(error), ParseError
    if isinstance(error, LangprogError):
        return str(error), type(error)
    if isinstance(error, Exception):
        return f"{type(error).__name__}: {error}", type(error)
    return "cancelled", None


def as_ours(error: Exception) -> Exception:
    """Return an error of DSPy's adapter as ours; any other error as it is."""
    if not isinstance(error, dspy.AdapterParseError):
        return error
    unreadable = ParseError(describe_unreadable(error), text=str(error.lm_response))
    unreadable.__cause__ = error
    return unreadable


def describe_unreadable(error: dspy.AdapterParseError) -> str:
    """Return in one line why DSPy's adapter could not read a reply."""
    wanted = ", ".join(error.signature.output_fields)
    fields = error.parsed_result
    said = f"; it found {', '.join(fields) or 'none'}" if isinstance(fields, dict) else ""
    return (
        f"DSPy's {error.adapter_name} cannot read the reply as {wanted}{said}: "
        f"{str(error.lm_response)[:200]!r}"
    )
