"""Bodies of replies: bounded, whole, and unpacked as they say; nothing follows a redirect."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import textwrap
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import pytest
from aiohttp import web

from langprog.errors import (
    AuthError,
    BadRequestError,
    ConnectError,
    LMError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from langprog.lm import Completed, Completion, OpenAICompatible
from langprog.lm.openai_errors import error_of
from langprog.lm.refusals import refusal_in
from tests.lm.endpoint import Answer, asking, client, endpoint, good, says
from tests.lm.test_refusals import EVERYTHING

BODY = json.dumps(good()).encode()
EVENT = {"choices": [{"index": 0, "delta": {"content": "fine"}, "finish_reason": "stop"}]}
EVENTS = f"data: {json.dumps(EVENT)}\n\ndata: [DONE]\n\n".encode()


def raw(head: str, *pieces: bytes, repeat: int = 1) -> Answer:
    """Write a reply to the socket byte by byte as given, then close the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        transport.write(f"HTTP/1.1 {head}\r\nConnection: close\r\n\r\n".encode())
        for _ in range(repeat):
            for piece in pieces:
                if transport.is_closing():
                    break
                transport.write(piece)
                await asyncio.sleep(0)
        transport.close()
        raise ConnectionResetError

    return answer


def packed(data: bytes, encoding: str, kind: str = "application/json") -> Answer:
    head = f"200 OK\r\nContent-Type: {kind}\r\nContent-Encoding: {encoding}"
    return raw(f"{head}\r\nContent-Length: {len(data)}", data)


def later(make: Callable[[], Answer]) -> Answer:
    """Make an answer when it is asked for: a large one not while tests are collected."""
    made = cache(make)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await made()(request)

    return answer


def chunked(*pieces: bytes) -> Answer:
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*pieces, b""))
    return raw("200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked", body)


def bare_deflate(data: bytes) -> bytes:
    pack = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return pack.compress(data) + pack.flush()


def ask(*answers: Answer, **options: Any) -> Completion:
    async def run() -> Completion:
        async with client(*answers, **options) as (model, _):
            return await model.complete(asking())

    return asyncio.run(run())


def ask_in_pieces(*answers: Answer) -> Completion:
    async def run() -> Completion:
        async with client(*answers) as (model, _):
            *_, last = [delta async for delta in model.stream(asking())]
            assert isinstance(last, Completed)
            return last.completion

    return asyncio.run(run())


@pytest.mark.parametrize(
    "answer",
    [
        packed(gzip.compress(BODY), "gzip"),
        packed(gzip.compress(BODY), "x-gzip"),
        packed(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]), "gzip"),
        packed(gzip.compress(BODY) + b"\0" * 20, "gzip"),
        packed(zlib.compress(BODY), "deflate"),
        packed(bare_deflate(BODY), "deflate"),
        packed(BODY, "identity"),
        chunked(BODY[:5], BODY[5:9], BODY[9:]),
        raw("200 OK\r\nContent-Type: application/json", BODY),
    ],
)
def test_bodies_that_are_read(answer: Answer) -> None:
    assert ask(answer).text == "fine"


@pytest.mark.parametrize(
    "answer",
    [
        packed(gzip.compress(BODY)[:-12], "gzip"),
        packed(b"no gzip at all", "gzip"),
        packed(BODY, "br"),
        packed(gzip.compress(gzip.compress(BODY)), "gzip, gzip"),
        raw(f"200 OK\r\nContent-Length: {len(BODY) + 50}", BODY),
        raw(f"200 OK\r\nContent-Length: {len(BODY) - 5}", BODY),
        raw("200 OK\r\nContent-Length: 99999999999", BODY),
        raw("200 OK\r\nTransfer-Encoding: chunked", b"5\r\nabc"),
        later(lambda: packed(gzip.compress(b" " * 2**26, 1), "gzip")),
        later(
            lambda: packed(
                gzip.compress(b"data: x\n\n" * 2**23)[: 2**17], "gzip", "text/event-stream"
            )
        ),
        raw("200 OK\r\nContent-Type: application/json", b" " * 2**20, repeat=64),
    ],
)
def test_bodies_that_are_none(answer: Answer) -> None:
    for way in (ask, ask_in_pieces):
        with pytest.raises((ServerError, ConnectError)) as caught:
            way(answer)
        assert caught.value.charge == "everything"


def test_a_packed_bomb_takes_little_memory() -> None:
    script = textwrap.dedent("""
        import asyncio, gzip, resource
        from langprog.errors import ServerError
        from tests.lm.endpoint import asking, client
        from tests.lm.test_http_body import packed
        bomb = gzip.compress(gzip.compress(b"")) and gzip.compress(b" " * 2**28, 1) * 4
        async def run():
            async with client(packed(bomb, "gzip")) as (model, _):
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                try:
                    await model.complete(asking())
                except ServerError as error:
                    assert "larger" in str(error)
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(asyncio.run(run()))
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 150 * 1024  # kilobytes


@pytest.mark.parametrize(
    ("status", "kind"), [(429, RateLimitError), (401, AuthError), (400, BadRequestError)]
)
def test_an_error_of_any_size_is_told_by_its_status(status: int, kind: type[LMError]) -> None:
    start = b'{"error": {"message": "Unsupported parameter: seed", "more": "'
    head = f"{status} No\r\nContent-Type: application/json"
    for answer in (
        raw(f"{head}\r\nContent-Length: 100000000", start, b"x" * 2**20, repeat=100),
        raw(head, start, b"x" * 2**20, repeat=8),
        raw(f"{head}\r\nContent-Length: 500", start),
        raw(f"{head}\r\nContent-Encoding: gzip", gzip.compress(start + b"x" * 2**26, 1)),
        raw(f"{head}\r\nContent-Encoding: br", b"???"),
    ):
        with pytest.raises(kind) as caught:
            ask(answer)
        assert (type(caught.value), caught.value.charge) == (kind, "nothing")
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nothing_is_sent_where_an_endpoint_redirects_to(status: int) -> None:
    async def run() -> None:
        async with endpoint() as other:
            for place in (other.base_url, "/v1/elsewhere", "//127.0.0.1:1/?key=secret-abc"):
                to = says({}, status, Location=f"{place}/chat/secret-abc")
                async with client(to, api_key="secret-abc") as (model, seen):
                    with pytest.raises(BadRequestError, match="redirects") as caught:
                        await model.complete(asking())
                    with pytest.raises(BadRequestError, match="redirects"):
                        [delta async for delta in model.stream(asking())]
                    assert (seen.calls, other.calls) == (2, 0)
                    assert "secret" not in str(caught.value)

    asyncio.run(run())


@pytest.mark.parametrize(
    "text",
    [
        EVENTS,
        EVENTS.replace(b"\n", b"\r\n"),
        b": hello\n\nevent: ping\ndata:\n\n" + EVENTS,
        EVENTS.replace(b"data: ", b"data:"),
        EVENTS.removesuffix(b"data: [DONE]\n\n"),
        EVENTS + b"data: trailing\n\n",
        EVENTS.replace(b"data: [DONE]", b'data: {"choices": [], "usage": {"prompt_tokens": 7}}'),
    ],
)
def test_streams_that_are_read(text: bytes) -> None:
    head = "200 OK\r\nContent-Type: text/event-stream"
    assert ask_in_pieces(raw(head, text)).text == "fine"
    assert ask_in_pieces(
        raw(head, *[text[at : at + 7] for at in range(0, len(text), 7)])
    ).text == ("fine")


def test_a_whole_reply_where_a_stream_was_asked_for() -> None:
    assert ask_in_pieces(says(good())).text == "fine"


@pytest.mark.parametrize(
    "text",
    [
        b"", b"data: [DONE]\n\n", b": only comments\n\n", b'data: {"choices": []}\n\ndata: [DONE]',
        b'data: {"object": "error", "message": "no"}\n\ndata: [DONE]\n\n',
        b'{"error": {"message": "no"}}', b'event: error\ndata: {"error": "no"}\n\n',
        EVENTS.split(b"\n\n")[0].replace(b'"stop"', b"null"),
    ],
)  # fmt: skip
def test_streams_that_hold_no_completion(text: bytes) -> None:
    with pytest.raises(ServerError) as caught:
        ask_in_pieces(raw("200 OK\r\nContent-Type: text/event-stream", text))
    assert caught.value.charge == "everything"


def test_a_stream_that_stalls_ends_and_keeps_what_was_reserved() -> None:
    async def stalling(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(EVENTS[:20])
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def run() -> None:
        async with client(stalling, timeout=0.05) as (model, _):
            with pytest.raises(TimeoutError) as caught:
                [delta async for delta in model.stream(asking())]
            assert caught.value.charge == "everything"

    asyncio.run(run())


@asynccontextmanager
async def one_connection(*answers: Answer) -> AsyncIterator[OpenAICompatible]:
    async with client(*answers, connections=1, timeout=5.0) as (model, _):
        yield model


def test_streams_that_are_left_give_their_connections_back() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(EVENTS[: EVENTS.index(b"\n") + 2])
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def run() -> None:
        async with one_connection(slow, slow, says(good())) as model:
            for _ in range(2):
                stream = model.stream(asking())
                await anext(stream)
                await stream.aclose()
            assert (await model.complete(asking())).text == "fine"

    asyncio.run(run())


HOSTILE = {
    "words": "not ", "quotes": "'", "places": "'loc': (", "roles": "role system ",
    "spaces": " ", "names": "field 'a", "hints": "supported params ", "when": "when ",
    "lengths": "exceeds the maximum ", "json": '["message", ', "functions": "function 'f",
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_reading_an_error_takes_no_longer_than_its_length_says(kind: str) -> None:
    def seconds(size: int) -> float:
        text = (HOSTILE[kind] * size)[:size]
        start = time.process_time()
        for body in (text, json.dumps({"error": {"message": text}}), json.dumps({"detail": text})):
            refused = error_of(400, {}, body, "test/model")
            if isinstance(refused, BadRequestError):
                refusal_in(refused, EVERYTHING)
            bare = BadRequestError(text)  # as a client that knows nothing of bodies raises it
            refusal_in(bare, EVERYTHING)
        return time.process_time() - start

    seconds(1000)
    small = max(seconds(100_000), 0.01)
    assert seconds(1_000_000) < 15 * small
