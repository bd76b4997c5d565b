"""Reading requests: their bodies within the limits, and their JSON strictly."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from langprog.serving.refusals import Refusal
from langprog.strict_json import strict_json

if TYPE_CHECKING:
    from starlette.requests import Request

JSON_TYPES = frozenset({"application/json"})
LINE_TYPES = frozenset({"application/jsonl", "application/x-ndjson", "application/x-jsonlines"})
# Seconds for the rest of a body that is refused.
LINGERING = 5.0
# What may stand in a header again as it came.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def id_of(given: str | None) -> str:
    """Return a request's id: the client's, if it is plain, or a new one."""
    if given is not None and _REQUEST_ID.fullmatch(given):
        return given
    return secrets.token_hex(12)


def media_type(request: Request) -> str:
    """Return the type of a request's body, in lower case and without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def check_type(request: Request, accepted: frozenset[str]) -> str:
    """Return the type of a request's body.

    A page of another site cannot send these types without the browser asking first.

    Raises:
        Refusal: It is not accepted.
    """
    kind = media_type(request)
    if kind not in accepted:
        message = f"send the body as {' or '.join(sorted(accepted))}"
        raise Refusal(415, "unsupported_media_type", message)
    return kind


def declared_length(request: Request, largest: int) -> int | None:
    """Return the declared length of a body; ``None`` if there is none.

    Raises:
        Refusal: It is too large.
    """
    text = request.headers.get("content-length", "")
    length = int(text) if text.isdecimal() else None
    if length is not None and length > largest:
        raise _too_large(largest)
    return length


async def read_body(request: Request, largest: int) -> bytes:
    """Return a request's body.

    Raises:
        Refusal: It is too large.
        ClientDisconnect: The client left.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        parts.append(part)
    return b"".join(parts)


async def discard_body(request: Request, most: int) -> None:
    """Read what is left of a body that is refused, so that its client gets to read why.

    Args:
        request: The request.
        most: Bytes that are read at most.
    """
    if "expect" in request.headers:  # the client waits for a word before it sends the body
        return
    size = 0
    with suppress(TimeoutError, RuntimeError):
        async with asyncio.timeout(LINGERING):
            while size <= most:
                message = await request.receive()
                size += len(message.get("body", b""))
                if not message.get("more_body"):
                    return


def _too_large(largest: int) -> Refusal:
    return Refusal(413, "too_large", f"the body is larger than {largest:,} bytes")


def parse_json(raw: bytes, place: str = "the body") -> Any:
    """Return JSON data.

    Raises:
        Refusal: It is not JSON.
    """
    try:
        return strict_json(raw.decode("utf-8"))
    except UnicodeDecodeError:
        raise Refusal(400, "malformed_json", f"{place} is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        message = f"{place} is not JSON: {error.msg} at character {error.pos}"
        raise Refusal(400, "malformed_json", message) from None
    except ValueError as error:
        message = f"{place} is not JSON that can be read: {error}"[:300]
        raise Refusal(400, "malformed_json", message) from None


def parse_rows(raw: bytes, kind: str, most: int) -> list[bytes | Any]:
    """Return the rows of a batch: a JSON list's items, or lines that are not parsed yet.

    Raises:
        Refusal: It is not JSON or not a list, or has no row or too many.
    """
    rows: list[Any]
    if kind in LINE_TYPES:
        rows = [line for line in raw.split(b"\n") if line.strip()]
    else:
        rows = parse_json(raw)
        if not isinstance(rows, list):
            raise Refusal(422, "invalid_input", "the body must be a JSON list of inputs")
    if not rows:
        raise Refusal(422, "invalid_input", "the batch has no rows")
    if len(rows) > most:
        raise Refusal(413, "too_large", f"the batch has {len(rows):,} rows; {most:,} are allowed")
    return rows


def canonical(value: Any) -> str:
    """Return JSON data as a text that equal data share."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def encode_json(value: Any) -> bytes:
    """Return JSON data as bytes: plain ASCII, which no text can break."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def accepted_types(request: Request) -> Iterator[str]:
    """Yield the types that a client accepts, in lower case."""
    for part in request.headers.get("accept", "").split(","):
        yield part.partition(";")[0].strip().lower()
