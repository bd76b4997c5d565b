"""The addresses of programs: one answer, the events of a run, a batch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from langprog.lm import ServerBusy
from langprog.serving.batches import BatchRun
from langprog.serving.calls import Answer, Calls
from langprog.serving.feedback import read_feedback
from langprog.serving.guard import Exchange
from langprog.serving.refusals import Refusal
from langprog.serving.requests import (
    JSON_TYPES,
    LINE_TYPES,
    accepted_types,
    check_type,
    declared_length,
    discard_body,
    encode_json,
    parse_json,
    parse_rows,
    read_body,
)
from langprog.serving.service import Call, Service
from langprog.serving.streams import EventWriter
from langprog.serving.traces import describe_trace
from langprog.serving.trials import Trials


class Endpoint:
    """A route that reads and writes by itself, so that it can watch for a client that leaves.

    Args:
        answer: Answers a request.
    """

    def __init__(self, answer: Callable[[Request, Send], Awaitable[None]]) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._answer(Request(scope, receive), send)


class ProgramEndpoints:
    """Answers requests to programs.

    Args:
        services: The services by name.
        calls: Runs their programs.
        traces: Whether a client may see the steps of its requests.
    """

    def __init__(self, services: Mapping[str, Service], calls: Calls, *, traces: bool) -> None:
        self._services, self._calls, self._traces = services, calls, traces
        self.trials = Trials(calls)

    async def run(self, request: Request, send: Send) -> None:
        """Answer with a program's outputs, or with the events of its run if the client asks."""
        if "text/event-stream" in accepted_types(request):
            await self.stream(request, send)
            return
        async with self._asked(request) as (service, call):
            place = exchange_of(request).id, None
            work = self.trials.answer(service, call, place)
            answer = await self._calls.while_connected(request.receive, work)
            response = _json(self._content(request, answer))
        await response(request.scope, request.receive, send)

    async def stream(self, request: Request, send: Send) -> None:
        """Answer with the events of a program's run."""
        async with self._asked(request) as (service, call):
            writer = EventWriter(
                partial(_start, send, "text/event-stream"), partial(_send_part, send)
            )

            async def work() -> None:
                beating = asyncio.create_task(writer.keep_alive())
                try:
                    place = exchange_of(request).id, None
                    answer = await self.trials.answer(service, call, place, tell=writer.tell)
                    await writer.end("result", self._content(request, answer))
                finally:
                    beating.cancel()

            try:
                await self._calls.while_connected(request.receive, work())
            except Refusal as refusal:
                if not writer.started:
                    raise
                # The status has been sent, so the error carries its own.
                content = refusal.to_json(exchange_of(request).id)
                await writer.end("error", content["error"])
            await _end(send)

    async def batch(self, request: Request, send: Send) -> None:
        """Answer with the results of many inputs, in order."""
        service = self._service(request)
        kind = check_type(request, JSON_TYPES | LINE_TYPES)
        async with self._admitted(request) as raw:
            rows = parse_rows(raw, kind, self._calls.limits.rows)
            request_id, key = exchange_of(request).id, _split_key(request)
            run = BatchRun(self._calls, self.trials, service, rows, request_id, key)
            if LINE_TYPES & set(accepted_types(request)):
                await self._stream_batch(request, send, run)
                return
            async with self._batch_time():
                results = await self._calls.while_connected(request.receive, run.results())
            response = _json({"results": results, "failed": run.failed})
        await response(request.scope, request.receive, send)

    async def _stream_batch(self, request: Request, send: Send, run: BatchRun) -> None:
        await _start(send, "application/jsonl")

        async def work() -> None:
            async with aclosing(run.stream()) as results:
                async for result in results:
                    await _send_part(send, encode_json(result) + b"\n")

        with suppress(Refusal):  # the lines that are missing say that the rest did not come
            async with self._batch_time():
                await self._calls.while_connected(request.receive, work())
        await _end(send)

    @asynccontextmanager
    async def _batch_time(self) -> AsyncIterator[None]:
        seconds = self._calls.limits.batch_seconds
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            message = f"the batch was not done within {seconds:g} s"
            raise Refusal(504, "timeout", message) from None

    async def feedback(self, request: Request, send: Send) -> None:
        """Take what a client says about an answer, where an artifact is on trial."""
        service = self._service(request)
        if service.trial is None:
            raise Refusal(404, "not_found", "nothing is compared: no artifact is on trial")
        check_type(request, JSON_TYPES)
        async with self._admitted(request) as raw:
            interface, comparison = service.stable.interface, service.comparison
            feedback = read_feedback(parse_json(raw), interface, comparison.score_range)
            work = self.trials.learn(service, feedback)
            scored = await self._calls.while_connected(request.receive, work)
            response = _json({"request_id": feedback.place[0], "scored": scored})
        await response(request.scope, request.receive, send)

    # --- reading ---

    @asynccontextmanager
    async def _asked(self, request: Request) -> AsyncIterator[tuple[Service, Call]]:
        service = self._service(request)
        check_type(request, JSON_TYPES)
        async with self._admitted(request) as raw:
            call = service.assign(parse_json(raw), _split_key(request))
            exchange_of(request).digest = call.deployment.digest
            yield service, call

    @asynccontextmanager
    async def _admitted(self, request: Request) -> AsyncIterator[bytes]:
        largest, arrived = self._calls.limits.body, False
        try:
            length = declared_length(request, largest)
            read = partial(read_body, request, largest)
            async with self._calls.admission.admit(length, read) as raw:
                arrived = True
                yield raw
        except (Refusal, ServerBusy) as refusal:
            if not arrived:
                busy = isinstance(refusal, ServerBusy)
                await discard_body(request, 2**20 if busy else max(4 * largest, 2**20))
            raise

    def _service(self, request: Request) -> Service:
        name = request.path_params["name"]
        service = self._services.get(name)
        if service is None:
            message = "there is no such program; GET /programs lists them"
            raise Refusal(404, "unknown_program", message)
        exchange = exchange_of(request)
        exchange.program, exchange.digest = name, service.stable.digest
        return service

    def _content(self, request: Request, answer: Answer) -> dict[str, Any]:
        content = answer.to_json(exchange_of(request).id)
        if self._traces and request.query_params.get("trace") == "1":
            content["trace"] = describe_trace(answer.prediction)
        return content


def exchange_of(request: Request) -> Exchange:
    """Return what is known about a request."""
    exchange: Exchange = request.scope["exchange"]
    return exchange


def _split_key(request: Request) -> str | None:
    return request.headers.get("x-request-id")


def _json(content: Any, status: int = 200) -> Response:
    return Response(encode_json(content), status, media_type="application/json")


async def _start(send: Send, kind: str) -> None:
    headers = [(b"content-type", f"{kind}; charset=utf-8".encode()), (b"x-accel-buffering", b"no")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})


async def _send_part(send: Send, content: bytes) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": True})


async def _end(send: Send) -> None:
    await send({"type": "http.response.body", "body": b"", "more_body": False})
