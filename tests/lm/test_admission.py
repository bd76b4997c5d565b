"""Clients that leave, that are too many, or that are there when the server is to end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from langprog.lm import Completion, Request, Sampling, Server
from langprog.lm import admission as admission_file


class Gate:
    """A model that answers once it is told to, and knows who gave up."""

    name = "test/model"
    endpoint = "in-process"
    defaults = Sampling()

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.asked = asyncio.Semaphore(0)
        self.left = asyncio.Semaphore(0)

    async def complete(self, request: Request) -> Completion:
        self.asked.release()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.left.release()
            raise
        return Completion(("fine",), self.name, finish_reasons=("stop",))

    async def aclose(self) -> None:
        pass


def body(**more: Any) -> bytes:
    message = {"role": "user", "content": "hi"}
    return json.dumps({"model": "test/model", "messages": [message], **more}).encode()


@asynccontextmanager
async def serving(**options: Any) -> AsyncIterator[tuple[Gate, Server, aiohttp.ClientSession]]:
    gate = Gate()
    async with (
        Server({"test/model": gate}, **options) as server,
        aiohttp.ClientSession() as session,
    ):
        yield gate, server, session


async def ask(server: Server, session: aiohttp.ClientSession, **more: Any) -> tuple[int, Any]:
    url = f"{server.base_url}/chat/completions"
    async with session.post(url, data=body(**more)) as reply:
        return reply.status, await reply.text()


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_takes_its_request_along(stream: bool) -> None:
    async def run() -> None:
        async with serving() as (gate, server, session):
            client = asyncio.create_task(ask(server, session, stream=stream))
            await gate.asked.acquire()
            client.cancel()
            await gate.left.acquire()
            gate.open.set()
            status, _ = await ask(server, session, stream=stream)
            assert status == 200

    asyncio.run(asyncio.wait_for(run(), 20))


def test_more_clients_than_fit_are_told_to_come_back() -> None:
    async def run() -> None:
        async with serving(most=2) as (gate, server, session):
            inside = [asyncio.create_task(ask(server, session)) for _ in range(2)]
            for _ in inside:
                await gate.asked.acquire()
            url = f"{server.base_url}/chat/completions"
            async with session.post(url, data=body()) as reply:
                assert reply.status == 429
                assert reply.headers["Retry-After"] == "1"
                assert (await reply.json())["error"]["type"] == "rate_limit_error"
            gate.open.set()
            assert [status for status, _ in await asyncio.gather(*inside)] == [200, 200]
            assert (await ask(server, session))[0] == 200

    asyncio.run(asyncio.wait_for(run(), 20))


def test_bodies_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langprog.lm.server.MOST_BYTES", 3000)

    async def run() -> None:
        async with serving() as (gate, server, session):
            padding = "x" * 2000
            first = asyncio.create_task(ask(server, session, user=padding))
            await gate.asked.acquire()
            assert (await ask(server, session, user=padding))[0] == 429
            gate.open.set()
            assert (await first)[0] == 200
            assert (await ask(server, session, user=padding))[0] == 200

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_body_that_never_comes_holds_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission_file, "LONGEST_UPLOAD", 0.05)

    async def run() -> bytes:
        async with serving(most=1) as (gate, server, session):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(
                b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
            )
            line = await reader.readline()
            writer.close()
            gate.open.set()
            assert (await ask(server, session))[0] == 200
            return line

    assert b" 408 " in asyncio.run(asyncio.wait_for(run(), 20))


def test_requests_under_way_are_answered_before_the_server_ends() -> None:
    async def run() -> None:
        gate = Gate()
        server = Server({"test/model": gate})
        await server.__aenter__()
        async with aiohttp.ClientSession() as session:
            client = asyncio.create_task(ask(server, session))
            await gate.asked.acquire()
            closing = asyncio.create_task(server.__aexit__())
            # Once nobody listens any more, the end has begun.
            while await listens(server.port):
                await asyncio.sleep(0)
            assert not closing.done() and not client.done()
            gate.open.set()
            assert (await client)[0] == 200
            await closing

    asyncio.run(asyncio.wait_for(run(), 20))


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


def test_requests_that_take_too_long_do_not_keep_the_server() -> None:
    async def run() -> None:
        gate = Gate()
        server = Server({"test/model": gate}, drain=0.05)
        await server.__aenter__()
        async with aiohttp.ClientSession() as session:
            client = asyncio.create_task(ask(server, session))
            await gate.asked.acquire()
            await server.__aexit__()
            await gate.left.acquire()
            with pytest.raises(aiohttp.ClientError):
                await client

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize(
    "stop", [["x"] * 65, ["x" * 5000], ["x"] * 100_000], ids=["many", "long", "very many"]
)
def test_stop_strings_are_bounded(stop: list[str]) -> None:
    async def run() -> tuple[int, Any]:
        async with serving() as (_, server, session):
            return await ask(server, session, stop=stop)

    status, text = asyncio.run(asyncio.wait_for(run(), 20))
    assert status == 400 and json.loads(text)["error"]["param"] == "stop"
