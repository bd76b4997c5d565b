"""Removes keys, and tokens in addresses, from everything that is kept or shown."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from langprog.lm.types import Completion

HIDDEN = "***"
# Names of headers and query parameters whose values are credentials.
_NAMES = re.compile(r"auth|key|token|secret|cookie|password|signature|credential", re.IGNORECASE)
# A token in a path: a known prefix, or a long mixed run of letters and digits.
_TOKEN = re.compile(
    r"(?:sk|pk|rk|gh[pousr]|hf|xox[abprs])[-_][A-Za-z0-9_-]{8,}"
    r"|(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,}"
)


def public_address(endpoint: str) -> str:
    """Return an endpoint without user, password and query; tokens in its path become digests.

    Different tokens give different addresses, and a digest does not reveal its token.
    """
    if "://" not in endpoint:
        return endpoint.rpartition("@")[2]
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, _public_path(parts.path), "", parts.fragment))


def _public_path(path: str) -> str:
    return "/".join(_digest_of(part) if _TOKEN.search(part) else part for part in path.split("/"))


def _digest_of(token: str) -> str:
    return f"{HIDDEN}{hashlib.sha256(token.encode()).hexdigest()[:8]}"


def tokens_in_path(path: str) -> tuple[str, ...]:
    """Return the parts of an address's path that are tokens."""
    return tuple(part for part in path.split("/") if _TOKEN.search(part))


def credentials_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of headers, or of a query, whose names mark credentials."""
    return tuple(
        word
        for name, value in values.items()
        if _NAMES.search(name)
        for word in {value, *value.split()[-1:]}
    )


def is_distinct(credential: str) -> bool:
    """Return whether a credential is so distinctive that no reply contains it by chance.

    Servers without keys are given ``none``, ``not-needed``, ``anything``.
    """
    mixed = any(map(str.isdigit, credential)) and any(map(str.isalpha, credential))
    return len(credential) >= 24 or (len(credential) >= 12 and mixed)


def hide_secrets(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` without secrets."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def without_secrets(completion: Completion, secrets: Sequence[str]) -> Completion:
    """Return a completion without credentials that the endpoint echoed.

    Replies end up in caches, journals, demonstrations and outputs, which must not hold keys.
    """
    said = [*completion.texts, *completion.reasoning]
    said += [call.arguments for calls in completion.tool_calls for call in calls]
    if not any(secret in text for secret in secrets for text in said):
        return completion
    calls = tuple(
        tuple(replace(call, arguments=hide_secrets(call.arguments, secrets)) for call in several)
        for several in completion.tool_calls
    )
    return replace(
        completion,
        texts=tuple(hide_secrets(text, secrets) for text in completion.texts),
        reasoning=tuple(hide_secrets(text, secrets) for text in completion.reasoning),
        tool_calls=calls,
    )
