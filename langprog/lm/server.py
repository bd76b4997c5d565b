"""Serves language models as an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    ConnectError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LangprogError,
    RateLimitError,
    ServerError,
    TimeoutError,
    TransportError,
    TruncatedError,
)
from langprog.lm.admission import Admission
from langprog.lm.chat_body import read_body, read_request
from langprog.lm.chat_messages import BadBody
from langprog.lm.chat_reply import ReplyChunks, completion_body
from langprog.lm.streaming import Delta, stream_completion
from langprog.lm.types import LanguageModel

if TYPE_CHECKING:
    from aiohttp import web

# Room for the images and documents of a prompt.
LARGEST_BODY = 32 * 2**20
MOST_BYTES = 8 * LARGEST_BODY
MOST_REQUESTS = 256
# Seconds that requests in progress have left when the server closes.
DRAIN = 30.0


class _Endpoint:
    """The handlers, which answer failures with error objects."""

    def __init__(self, models: Mapping[str, LanguageModel], admission: Admission) -> None:
        self._models, self._admission = models, admission

    async def completions(self, request: web.Request) -> web.StreamResponse:
        try:
            async with self._admission.admit(request.content_length, request.read) as raw:
                body = read_body(raw)
                model = _model(self._models, body)
                asked = read_request(body)
                if body.get("stream"):
                    return await _stream(request, body, stream_completion(model, asked))
                return _json(completion_body(body["model"], await model.complete(asked)))
        except LangprogError as error:
            return _refuse(error)

    async def listing(self, request: web.Request) -> web.Response:
        return _json({"object": "list", "data": [_entry(name) for name in self._models]})

    async def describe(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        known = name in self._models
        return _json(_entry(name)) if known else _refuse(_unknown(name, self._models))

    async def health(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})


def application(
    models: Mapping[str, LanguageModel], *, most: int = MOST_REQUESTS
) -> web.Application:
    """Return the endpoint as an aiohttp application.

    Args:
        models: What is served, by the name that requests use.
        most: Maximum number of requests in progress or waiting; more are answered 429.
    """
    from aiohttp import web  # noqa: PLC0415 - only a server needs it

    @web.middleware
    async def report_errors(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPClientError as error:
            return _refuse(BadBody(error.reason, status=error.status))

    endpoint = _Endpoint(models, Admission(most, MOST_BYTES, LARGEST_BODY))
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[report_errors])
    for prefix in ("/v1", ""):
        app.router.add_post(f"{prefix}/chat/completions", endpoint.completions)
        app.router.add_get(f"{prefix}/models", endpoint.listing)
        app.router.add_get(f"{prefix}/models/{{name:.+}}", endpoint.describe)
    app.router.add_get("/health", endpoint.health)
    return app


class Server:
    """A running endpoint; an asynchronous context manager.

    A request is cancelled when its client disconnects. On leaving the context, no more connections
    are accepted, and requests in progress are answered.

    Args:
        models: What is served, by the name that requests use.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        most: Maximum number of requests in progress or waiting; more are answered 429.
        drain: Seconds that requests in progress have left when it closes; then they are cancelled.

    Example::

        async with Server({"pocket/small": lp.LM("pocket/small")}) as server:
            print(server.base_url)
    """

    def __init__(
        self,
        models: Mapping[str, LanguageModel],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        most: int = MOST_REQUESTS,
        drain: float = DRAIN,
    ) -> None:
        if not models:
            raise InputError("a server needs at least one model")
        if most < 1:
            raise InputError(f"most={most}: must be 1 or more")
        self._models, self._most, self._drain = dict(models), most, drain
        self._host, self._wanted = host, port
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """The base URL for clients."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}/v1"

    async def __aenter__(self) -> Server:
        from aiohttp import web  # noqa: PLC0415 - only a server needs it

        runner = web.AppRunner(
            application(self._models, most=self._most),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=self._drain,
        )
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._wanted)
        try:
            await site.start()
        except OSError as error:
            await runner.cleanup()
            raise InputError(
                f"cannot listen on {self._host}:{self._wanted}: {error.strerror}"
            ) from None
        self._runner = runner
        self.port = int(runner.addresses[0][1])
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


def _model(models: Mapping[str, LanguageModel], body: Mapping[str, Any]) -> LanguageModel:
    name = body.get("model")
    if not isinstance(name, str):
        raise BadBody("'model' must be a string", param="model")
    # Clients such as litellm strip a provider prefix, so the last part is enough if unique.
    ends = [model for key, model in models.items() if key.rpartition("/")[2] == name]
    if name not in models and len(ends) != 1:
        raise _unknown(name, models)
    return models[name] if name in models else ends[0]


def _unknown(name: str, models: Mapping[str, LanguageModel]) -> BadBody:
    return BadBody(
        f"the model {name!r} is not served here; there are {', '.join(models)}",
        status=404,
        code="model_not_found",
        param="model",
    )


# HTTP status, type and code of an error, so that a client can distinguish them.
STATUSES: tuple[tuple[type[LangprogError], tuple[int, str, str | None]], ...] = (
    (ContextWindowError, (400, "invalid_request_error", "context_length_exceeded")),
    (ContentFilterError, (400, "invalid_request_error", "content_filter")),
    (TruncatedError, (400, "invalid_request_error", "truncated")),  # a retry would fail again
    (BadRequestError, (400, "invalid_request_error", None)),
    (InputError, (400, "invalid_request_error", None)),
    (AuthError, (401, "authentication_error", None)),
    (RateLimitError, (429, "rate_limit_error", None)),
    (BudgetExceeded, (429, "insufficient_quota", "insufficient_quota")),
    (ConnectError, (502, "server_error", None)),
    (TimeoutError, (504, "server_error", None)),
    (LangprogError, (500, "server_error", None)),
)


def _error(error: LangprogError) -> tuple[int, dict[str, Any]]:
    param: str | None = None
    if isinstance(error, BadBody):
        status, code, param = error.status, error.code, error.param
        kind = "invalid_request_error"
    else:
        status, kind, code = next(told for ours, told in STATUSES if isinstance(error, ours))
    if isinstance(error, BadRequestError):
        param = next(iter(error.params), None)
    content = {"message": str(error), "type": kind, "param": param, "code": code}
    return status, {"error": content}


def _refuse(error: LangprogError) -> web.Response:
    status, content = _error(error)
    wait = error.retry_after if isinstance(error, TransportError) else None
    return _json(content, status, {} if wait is None else {"Retry-After": str(math.ceil(wait))})


def _json(
    data: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    from aiohttp import web  # noqa: PLC0415 - only a server needs it

    return web.json_response(data, status=status, headers=headers)


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "langprog"}


async def _stream(
    request: web.Request, body: Mapping[str, Any], deltas: AsyncGenerator[Delta, None]
) -> web.StreamResponse:
    """Send deltas as they come.

    Raises:
        LangprogError: There was no first delta, and nothing has been sent.
    """
    from aiohttp import web  # noqa: PLC0415 - only a server needs it

    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    chunks = ReplyChunks(body["model"], usage=usage)
    async with aclosing(deltas):
        first = await anext(deltas, None)
        if first is None:
            raise ServerError("the model's stream holds nothing")
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        try:
            for chunk in chunks.add(first):
                await _event(response, chunk)
            async for delta in deltas:
                for chunk in chunks.add(delta):
                    await _event(response, chunk)
            if not chunks.ended:
                raise ServerError("the model's stream ended early")
        except LangprogError as error:
            # The status has been sent, so the error carries its own; without the end marker of a
            # complete stream, nobody mistakes it for one.
            status, content = _error(error)
            await _event(response, {"error": {**content["error"], "status": status}})
        else:
            await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _event(response: web.StreamResponse, data: Mapping[str, Any]) -> None:
    await response.write(f"data: {json.dumps(data)}\n\n".encode())
