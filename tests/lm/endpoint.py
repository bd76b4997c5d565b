"""Loopback endpoints that misbehave as told: an answer for each request, in order."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from langprog.lm import Message, OpenAICompatible, Request

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def asking(text: str = "hello", **options: Any) -> Request:
    return Request((Message("user", text),), **options)


def choice(text: str | None = "fine", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {"index": 0, "message": message, "finish_reason": "stop", **more}


def good(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {"choices": list(choices or (choice(),)), "usage": usage, **more}


def says(data: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; header names are written with underscores."""

    async def answer(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response(data, status=status, headers=named)

    return answer


def sends(body: bytes, content_type: str = "application/json", status: int = 200) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, content_type=content_type, status=status)

    return answer


def refuses(status: int, code: str = "", message: str = "no", **headers: str) -> Answer:
    return says({"error": {"message": message, "code": code or None}}, status, **headers)


def stalls() -> Answer:
    """Answer never; the connection stays open."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return answer


def resets(first: bytes = b"") -> Answer:
    """Write ``first`` to the socket as it is, then reset the connection."""

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        if first:
            request.transport.write(first)
        linger = struct.pack("ii", 1, 0)  # on, for 0 seconds: closing sends a reset
        socket = request.transport.get_extra_info("socket")
        socket.setsockopt(1, 13, linger)
        await asyncio.sleep(0)
        request.transport.abort()
        raise ConnectionResetError

    return answer


@dataclass
class Endpoint:
    """What came in, and where."""

    base_url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    transports: list[asyncio.Transport] = field(default_factory=list)
    loop: asyncio.AbstractEventLoop | None = None

    @property
    def calls(self) -> int:
        return len(self.requests)

    @property
    def connections(self) -> int:
        return len(self.transports)

    def hang_up(self) -> None:
        """Close every connection; called from another thread than the endpoint's."""

        async def close() -> None:
            for transport in self.transports:
                transport.close()
            for _ in range(3):  # the socket is closed some turns later
                await asyncio.sleep(0)

        assert self.loop is not None
        asyncio.run_coroutine_threadsafe(close(), self.loop).result()


@asynccontextmanager
async def endpoint(*answers: Answer) -> AsyncIterator[Endpoint]:
    """Serve ``answers`` one after the other, the last one for ever."""
    seen = Endpoint()
    queue = list(answers or (says(good()),))

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.requests.append(json.loads(await request.read()))
        seen.headers.append(dict(request.headers))
        if request.transport is not None and request.transport not in seen.transports:
            seen.transports.append(request.transport)
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        return await answer(request)

    app = web.Application()
    app.router.add_post("/v1/chat/completions", handle)
    app.router.add_post("/v1/embeddings", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    seen.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    seen.loop = asyncio.get_running_loop()
    try:
        yield seen
    finally:
        await runner.cleanup()


@contextmanager
def endpoint_in_thread(*answers: Answer) -> Iterator[Endpoint]:
    """Serve ``answers`` from a thread of its own, for synchronous callers."""
    ready: Future[Endpoint] = Future()
    stop = asyncio.Event()

    async def serve() -> None:
        async with endpoint(*answers) as seen:
            ready.set_result(seen)
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    seen = ready.result()
    try:
        yield seen
    finally:
        assert seen.loop is not None
        seen.loop.call_soon_threadsafe(stop.set)
        thread.join()


@asynccontextmanager
async def client(
    *answers: Answer, **options: Any
) -> AsyncIterator[tuple[OpenAICompatible, Endpoint]]:
    """Serve ``answers`` and yield a client of them."""
    async with endpoint(*answers) as seen:
        model = OpenAICompatible("test/model", base_url=seen.base_url, **options)
        try:
            yield model, seen
        finally:
            await model.aclose()


async def at_once(seconds: float) -> None:
    """Wait no time at all, but let others run."""
    await asyncio.sleep(0)
