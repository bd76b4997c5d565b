"""Which exceptions mean that something a program calls was not there: missing data, not an answer.

A program's own tools raise the exceptions of Python and of its libraries, not ours. Libraries are
known by the names of their classes, so that none has to be installed or imported.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Any

from langprog.errors import LangprogError

# The machine or its network failed: no connection, or no memory, files or buffers left.
_ERRNO_NAMES = frozenset(
    "ECONNABORTED ECONNREFUSED ECONNRESET EHOSTDOWN EHOSTUNREACH ENETDOWN ENETRESET "
    "ENETUNREACH ENOTCONN EPIPE ESHUTDOWN ETIMEDOUT EADDRNOTAVAIL EMFILE ENFILE ENOBUFS "
    "ENOMEM EIO ENOSPC".split()
)
# errorcode lists the names that this platform has.
_ERRORS = frozenset(number for number, name in errno.errorcode.items() if name in _ERRNO_NAMES)
_CLASSES = frozenset(
    {
        "aiohttp.client_exceptions.ClientConnectionError",
        "aiohttp.client_exceptions.ClientPayloadError",
        "botocore.exceptions.HTTPClientError",
        "http.client.IncompleteRead",
        "httpcore.NetworkError",
        "httpcore.TimeoutException",
        "httpx.TransportError",
        "requests.exceptions.ChunkedEncodingError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
        "urllib3.exceptions.MaxRetryError",
        "urllib3.exceptions.NewConnectionError",
        "urllib3.exceptions.ProtocolError",
        "urllib3.exceptions.TimeoutError",
    }
)
# Replies of a server that is overloaded or broken; other refusals blame the request.
_RETRYABLE = frozenset({408, 425, 429})


def is_outage(error: BaseException) -> bool:
    """Return whether an exception says that a service, the network or the machine failed.

    Args:
        error: What was raised; its causes are not looked at.
    """
    if isinstance(error, LangprogError):
        return False
    status = _status_of(error)
    if status is not None:
        return status in _RETRYABLE or 500 <= status <= 599
    # TimeoutError and ConnectionError are Python's own, with or without an errno.
    outages = (ConnectionError, TimeoutError, MemoryError, socket.gaierror, ssl.SSLError)
    if isinstance(error, outages):
        return True
    if isinstance(error, OSError):
        if error.errno in _ERRORS:
            return True
        reason = getattr(error, "reason", None)  # that of urllib
        if isinstance(reason, BaseException):
            return is_outage(reason)
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not names.isdisjoint(_CLASSES)


def _status_of(error: BaseException) -> int | None:
    """Return the status of an HTTP reply that a library turned into an exception."""
    holders: tuple[Any, ...] = (error, getattr(error, "response", None))
    for holder in holders:
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value <= 599:
                return value
    return None
