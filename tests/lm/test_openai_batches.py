"""The batch API on the wire: odd answers are errors, and files of any size are read in pieces."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from langprog.errors import LMError, ServerError
from langprog.lm import BatchAPI, OpenAICompatible, Usage, read_reply, request_line
from langprog.lm.http_body import read_capped_lines

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def client(handler: Handler) -> AsyncIterator[OpenAICompatible]:
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made = OpenAICompatible(
        "test/model",
        base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1",
        api_key="sk-secret-1",
    )
    try:
        yield made
    finally:
        await made.aclose()
        await runner.cleanup()


def serve(handler: Handler, work: Callable[[OpenAICompatible], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with client(handler) as made:
            return await work(made)

    return asyncio.run(run())


ODD: list[Any] = [
    [],
    None,
    "text",
    {},
    {"id": 7},
    {"id": "batch_1"},
    {"id": "batch_1", "status": None},
    {"id": "../files", "status": "completed"},
]


def test_an_odd_answer_is_an_error_and_not_a_batch() -> None:
    answers = iter(ODD)

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(next(answers))

    async def work(made: OpenAICompatible) -> int:
        for _ in ODD:
            with pytest.raises(ServerError, match="the reply of the batch API is not"):
                await BatchAPI(made).retrieve("batch_1")
        return len(ODD)

    assert serve(handle, work) == len(ODD)


def test_what_other_providers_write_is_read() -> None:
    data = {
        "id": "batch_1",
        "status": "FAILED",
        "request_counts": None,
        "metadata": None,
        "errors": [{"message": "no, sk-secret-123456", "code": "odd"}],
    }

    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response(data)

    batch = serve(handle, lambda made: BatchAPI(made).retrieve("batch_1"))
    assert (batch.status, batch.is_final, batch.total) == ("failed", True, 0)
    assert batch.problem.startswith("no, ") and batch.problem_code == "odd"


@pytest.mark.parametrize("ends", [{"has_more": True}, {"has_more": False}, {}])
def test_a_list_that_never_ends_is_left(ends: dict[str, Any]) -> None:
    asked = []

    async def handle(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("after"))
        return web.json_response({"data": [{"id": "b", "status": "completed"}], **ends})

    async def work(made: OpenAICompatible) -> list[str]:
        return [batch.id async for batch in BatchAPI(made).batches()]

    assert set(serve(handle, work)) == {"b"}
    assert len(asked) == (2 if ends.get("has_more") else 1)


def test_keys_are_not_in_messages() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.json_response({"error": {"message": "the key sk-secret-1 is bad"}}, status=400)

    async def work(made: OpenAICompatible) -> str:
        with pytest.raises(LMError) as caught:
            await BatchAPI(made).cancel("batch_1")
        return str(caught.value)

    assert "sk-secret-1" not in serve(handle, work)


def test_lines_come_one_by_one_and_an_overlong_one_is_empty() -> None:
    pieces = [b"a", b"b\nc", b"\n", b"x" * 50, b"y" * 60, b"z\nshort\nlast"]

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        return response

    async def work(made: OpenAICompatible) -> list[bytes]:
        async with made.open("GET", "/files/1/content") as response:
            return [line async for line in read_capped_lines(response, 100)]

    assert serve(handle, work) == [b"ab", b"c", b"", b"short", b"last"]


@pytest.mark.parametrize(
    "line",
    [b"", b"null", b"7", b"[]", b"{", b'{"custom_id": 1}', b"\xff", b"[" * 100_000],
)
def test_a_line_that_says_nothing_is_no_reply(line: bytes) -> None:
    assert read_reply(line) is None


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        ({"response": {"status_code": 200, "body": {"usage": {"total_tokens": 3}}}}, 200, ""),
        ({"response": {"status_code": 200, "body": {"usage": "many"}}}, 200, ""),
        ({"response": {"status_code": 200, "body": "half \ud800"}}, 200, ""),
        ({"response": {"status_code": 429, "body": None}, "error": None}, 429, ""),
        ({"response": {"status_code": True}}, 500, ""),
        ({"response": None, "error": {"code": "batch_expired"}}, 500, "batch_expired"),
        ({"error": {"code": "invalid_request"}}, 400, "invalid_request"),
        ({"error": "odd"}, 500, ""),
        ({}, 500, ""),
    ],
)
def test_a_reply_has_a_status_and_a_body(data: dict[str, Any], status: int, code: str) -> None:
    reply = read_reply(json.dumps({"custom_id": "a", **data}).encode())
    assert reply is not None and (reply.id, reply.status, reply.code) == ("a", status, code)
    assert isinstance(reply.usage, Usage)
    reply.body.encode()


def test_a_request_is_a_line() -> None:
    line = request_line("a", "/v1/chat/completions", {"text": "two\nlines"})
    assert line.count(b"\n") == 1 and json.loads(line)["body"] == {"text": "two\nlines"}
