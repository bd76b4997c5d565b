"""The files and batches of an OpenAI-compatible API: many requests at once, at a lower price."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

from langprog.errors import BadRequestError, ServerError
from langprog.lm.http_body import LARGEST_REPLY, read_capped_lines, read_whole
from langprog.lm.openai_compatible import OpenAICompatible
from langprog.lm.openai_reply import MISSHAPEN, read_usage
from langprog.lm.types import Usage

if TYPE_CHECKING:
    import aiohttp

# States in which nothing changes any more.
FINAL = frozenset({"completed", "failed", "expired", "cancelled"})
# Seconds that an endpoint may be silent while it takes or prepares a large file.
SILENCE = 300.0
# Batches or files of one page of a list, and pages that are read.
_PAGE, _PAGES = 100, 100
_LARGEST_ANSWER = 2 * 2**20


@dataclass(frozen=True, slots=True)
class ProviderBatch:
    """A batch as its endpoint describes it.

    Args:
        id: Its name at the endpoint.
        status: ``validating``, ``in_progress``, ``finalizing``, ``cancelling``, or a final one:
            ``completed``, ``failed``, ``expired``, ``cancelled``.
        input_file: The file with its requests.
        output_file: The file with its replies; empty if there is none.
        error_file: The file with the requests that failed; empty if there is none.
        completed: Requests that were answered.
        failed: Requests that failed.
        total: Requests altogether; 0 until they are counted.
        problem: Why it failed as a whole; empty if it did not.
        problem_code: The code of that.
        metadata: What it was created with.
    """

    id: str
    status: str
    input_file: str = ""
    output_file: str = ""
    error_file: str = ""
    completed: int = 0
    failed: int = 0
    total: int = 0
    problem: str = ""
    problem_code: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return self.status in FINAL


class BatchAPI:
    """Calls the files and batches of an endpoint; each method is one HTTP request.

    Args:
        client: The client of the endpoint.
    """

    def __init__(self, client: OpenAICompatible) -> None:
        self._client = client

    async def upload(self, content: IO[bytes], name: str) -> str:
        """Upload a file of requests, and return its id.

        Args:
            content: JSON lines.
            name: The file's name at the endpoint.

        Raises:
            LMError: One of its subclasses.
        """
        import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", content, filename=name, content_type="application/jsonl")
        async with self._client.open("POST", "/files", seconds=SILENCE, data=form) as response:
            return self._text(await self._read(response), "id")

    async def create(
        self, file: str, endpoint: str, window: str, tag: str, *, labelled: bool = True
    ) -> ProviderBatch:
        """Create a batch of an uploaded file.

        Args:
            file: The file's id.
            endpoint: What each request is for, such as ``/v1/chat/completions``.
            window: The time within which it is to be done, such as ``24h``.
            tag: By which the batch can be recognized in a list. Endpoints that know idempotency
                keys get it as one, too.
            labelled: Whether the tag is in its metadata, which some endpoints refuse.

        Raises:
            LMError: One of its subclasses; after a TransportError, it may exist nonetheless.
        """
        body: dict[str, Any] = {
            "input_file_id": file,
            "endpoint": endpoint,
            "completion_window": window,
        }
        if labelled:
            body["metadata"] = {TAG: tag}
        headers = {"Idempotency-Key": tag}
        opened = self._client.open("POST", "/batches", json=body, headers=headers)
        async with opened as response:
            return self._batch(await self._read(response))

    async def retrieve(self, batch: str) -> ProviderBatch:
        """Return the present state of a batch.

        Raises:
            LMError: One of its subclasses.
        """
        async with self._client.open("GET", f"/batches/{batch}") as response:
            return self._batch(await self._read(response))

    async def cancel(self, batch: str) -> ProviderBatch:
        """Cancel a batch; requests that are being answered are finished, and paid.

        Raises:
            LMError: One of its subclasses.
        """
        async with self._client.open("POST", f"/batches/{batch}/cancel", json={}) as response:
            return self._batch(await self._read(response))

    async def delete_file(self, file: str) -> None:
        """Delete a file.

        Raises:
            LMError: One of its subclasses.
        """
        async with self._client.open("DELETE", f"/files/{file}"):
            pass

    async def batches(self) -> AsyncGenerator[ProviderBatch, None]:
        """Yield the batches of the account, newest first.

        Raises:
            LMError: One of its subclasses.
        """
        async with aclosing(self._pages("/batches", {})) as items:
            async for item in items:
                yield self._batch(item)

    async def lines(self, file: str) -> AsyncGenerator[bytes, None]:
        """Yield the lines of a file as they arrive; an overlong one comes as an empty line.

        Raises:
            LMError: One of its subclasses.
        """
        path = f"/files/{file}/content"
        async with self._client.open("GET", path, seconds=SILENCE) as response:
            async with aclosing(read_capped_lines(response, LARGEST_REPLY)) as lines:
                async for line in lines:
                    yield line

    async def _pages(
        self, path: str, query: dict[str, str]
    ) -> AsyncGenerator[dict[str, Any], None]:
        after = ""
        for _ in range(_PAGES):
            params = {**query, "limit": str(_PAGE), **({"after": after} if after else {})}
            async with self._client.open("GET", path, params=params) as response:
                page = await self._read(response)
            items = page.get("data")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise self._odd("a list")
            for item in items:
                yield item
            if not items or page.get("has_more") is not True:
                return
            last = str(page.get("last_id") or items[-1].get("id") or "")
            if not last or last == after:
                return
            after = last

    async def _read(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        raw = await read_whole(response, _LARGEST_ANSWER)
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError):
            data = None
        if not isinstance(data, dict):
            raise self._odd("JSON object")
        return data

    def _batch(self, data: dict[str, Any]) -> ProviderBatch:
        counts = data.get("request_counts")
        counts = counts if isinstance(counts, dict) else {}
        metadata = data.get("metadata")
        code, problem = _first_problem(data.get("errors"))
        return ProviderBatch(
            id=self._text(data, "id"),
            status=self._text(data, "status").casefold(),  # some write it in capitals
            input_file=_text_or_empty(data, "input_file_id"),
            output_file=_text_or_empty(data, "output_file_id"),
            error_file=_text_or_empty(data, "error_file_id"),
            completed=_count(counts, "completed"),
            failed=_count(counts, "failed"),
            total=_count(counts, "total"),
            problem=self._client.hide_credentials(problem),
            problem_code=code,
            metadata=dict(metadata) if isinstance(metadata, dict) else {},
        )

    def _text(self, data: Mapping[str, Any], name: str) -> str:
        value = data.get(name)
        if not isinstance(value, str) or not value or "/" in value or len(value) > 500:
            raise self._odd(f"an object with {name!r}")
        return value

    def _odd(self, wanted: str) -> ServerError:
        name = self._client.name
        return ServerError(f"{name}: the reply of the batch API is not {wanted}", model=name)


# The key of the metadata by which a batch is recognized.
TAG = "langprog"


@dataclass(frozen=True, slots=True)
class BatchReply:
    """The reply to a request of a batch.

    Args:
        id: The request's ``custom_id``.
        status: The HTTP status of the reply, or the one that says best why there is none.
        body: The reply's body.
        code: Why it was not answered, such as ``batch_expired``.
        usage: Tokens that it used, as far as the endpoint says.
    """

    id: str
    status: int
    body: str
    code: str = ""
    usage: Usage = Usage()


def request_line(id: str, endpoint: str, body: Mapping[str, Any]) -> bytes:
    """Return the line of a file that asks for one completion."""
    line = {"custom_id": id, "method": "POST", "url": endpoint, "body": body}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def read_reply(line: bytes) -> BatchReply | None:
    """Return the reply in a line of an output or error file; ``None`` if there is none."""
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    id = data.get("custom_id") if isinstance(data, dict) else None
    if not isinstance(id, str):
        return None
    response, error = data.get("response"), data.get("error")
    status = response.get("status_code") if isinstance(response, dict) else None
    if isinstance(response, dict) and type(status) is int and 100 <= status < 600:
        body = response.get("body")
        usage = _usage_in(body) if status == 200 else Usage()
        text = body if isinstance(body, str) else _text_of(body)
        return BatchReply(id, status, text.encode(errors="replace").decode(), "", usage)
    code = _text_or_empty(error, "code") if isinstance(error, dict) else ""
    return BatchReply(id, 400 if "invalid" in code else 500, _text_of({"error": error}), code)


def _text_of(body: Any) -> str:
    # Half characters stay escaped: no file takes them.
    return json.dumps(body, separators=(",", ":"))


def _usage_in(body: Any) -> Usage:
    usage = body.get("usage") if isinstance(body, dict) else None
    try:
        return read_usage(usage) if isinstance(usage, dict) else Usage()
    except MISSHAPEN:
        return Usage()


def is_missing(error: BadRequestError) -> bool:
    """Return whether an error says that something, or a part of the API, is not there."""
    return "http 404" in str(error).casefold() or "http 405" in str(error).casefold()


def _first_problem(errors: Any) -> tuple[str, str]:
    """Return the code and the words of the first error of a batch."""
    listed = errors.get("data") if isinstance(errors, dict) else errors
    first = listed[0] if isinstance(listed, list) and listed else None
    if not isinstance(first, dict):
        return "", ""
    code, line = _text_or_empty(first, "code"), first.get("line")
    words = _text_or_empty(first, "message") or code
    place = f"line {line}: " if isinstance(line, int) else ""
    return code, f"{place}{words}"[:500]


def _text_or_empty(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _count(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    return value if isinstance(value, int) and value > 0 else 0
