"""Serve language models as an OpenAI-compatible endpoint on this machine."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Mapping, Sequence
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
    TimeoutError,
)
from langprog.lm.types import Completion, LanguageModel, Message, Request, Sampling

if TYPE_CHECKING:
    from aiohttp import web

LARGEST_BODY = 8 * 2**20
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class BadBody(LangprogError):
    """A request that is no chat completion request.

    Args:
        message: What is wrong.
        status: HTTP status.
        code: OpenAI's error code.
        param: The field that is wrong.
    """

    def __init__(
        self, message: str, *, status: int = 400, code: str | None = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


def application(models: Mapping[str, LanguageModel]) -> web.Application:
    """Return the endpoint as an aiohttp application.

    Args:
        models: What is served, by the name that requests use.
    """
    from aiohttp import web  # noqa: PLC0415 - only a server needs it

    async def completions(request: web.Request) -> web.StreamResponse:
        try:
            body = _body(await request.read())
            model = _model(models, body)
            asked, stream = _request(body), bool(body.get("stream"))
            completion = await model.complete(asked)
        except LangprogError as error:
            status, content = _error(error)
            return web.json_response(content, status=status)
        if stream:
            return await _stream(request, body, completion)
        return web.json_response(_completion(body, completion))

    async def listing(request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [_entry(name) for name in models]})

    async def one(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in models:
            status, content = _error(_unknown(name, models))
            return web.json_response(content, status=status)
        return web.json_response(_entry(name))

    async def health(request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application(client_max_size=LARGEST_BODY)
    for prefix in ("/v1", ""):
        app.router.add_post(f"{prefix}/chat/completions", completions)
        app.router.add_get(f"{prefix}/models", listing)
        app.router.add_get(f"{prefix}/models/{{name:.+}}", one)
    app.router.add_get("/health", health)
    return app


class Server:
    """A running endpoint; an asynchronous context manager.

    Args:
        models: What is served, by the name that requests use.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.

    Example::

        async with Server({"pocket/small": lp.LM("pocket/small")}) as server:
            print(server.base_url)
    """

    def __init__(
        self, models: Mapping[str, LanguageModel], *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        if not models:
            raise InputError("a server needs at least one model")
        self._models = dict(models)
        self._host, self._wanted = host, port
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://{self._host}:{self.port}/v1"

    async def __aenter__(self) -> Server:
        from aiohttp import web  # noqa: PLC0415 - only a server needs it

        runner = web.AppRunner(application(self._models), access_log=None)
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


def _body(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadBody("the body is not JSON") from None
    if not isinstance(body, dict):
        raise BadBody("the body must be a JSON object")
    return body


def _model(models: Mapping[str, LanguageModel], body: Mapping[str, Any]) -> LanguageModel:
    name = body.get("model")
    if not isinstance(name, str):
        raise BadBody("'model' must be a string", param="model")
    # Clients such as litellm take a provider prefix away, so the last part is enough if unique.
    found = models.get(name) or next(
        (model for key, model in models.items() if key.rpartition("/")[2] == name), None
    )
    if found is None:
        raise _unknown(name, models)
    return found


def _unknown(name: str, models: Mapping[str, LanguageModel]) -> BadBody:
    return BadBody(
        f"the model {name!r} is not served here; there are {', '.join(models)}",
        status=404,
        code="model_not_found",
        param="model",
    )


def _request(body: Mapping[str, Any]) -> Request:
    stop = body.get("stop")
    stops = (stop,) if isinstance(stop, str) else tuple(stop or ())
    if not all(isinstance(item, str) for item in stops):
        raise BadBody("'stop' must be a string or a list of strings", param="stop")
    limit = _number(body, "max_completion_tokens", int, 1)
    sampling = Sampling(
        temperature=_number(body, "temperature", float, 0),
        max_tokens=limit if limit is not None else _number(body, "max_tokens", int, 1),
        top_p=_number(body, "top_p", float, 0),
        stop=stops,
        seed=_number(body, "seed", int, None),
    )
    return Request(
        messages=_messages(body.get("messages")),
        sampling=sampling,
        n=_number(body, "n", int, 1) or 1,
        response_schema=_schema(body.get("response_format")),
        logprobs=bool(body.get("logprobs")),
    )


def _number(body: Mapping[str, Any], key: str, kind: type, least: float | None) -> Any:
    value = body.get(key)
    if value is None:
        return None
    fits = isinstance(value, int) if kind is int else isinstance(value, (int, float))
    if not fits or isinstance(value, bool) or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least:g}"
        word = "an integer" if kind is int else "a number"
        raise BadBody(f"{key!r} must be {word}{bound}", param=key)
    return kind(value)


def _messages(data: Any) -> tuple[Message, ...]:
    if not isinstance(data, list) or not data:
        raise BadBody("'messages' must be a list with at least one message", param="messages")
    messages = []
    for index, item in enumerate(data):
        place = f"messages[{index}]"
        if not isinstance(item, dict) or item.get("role") not in ROLES:
            raise BadBody(f"'{place}.role' must be one of {', '.join(ROLES)}", param=place)
        messages.append(Message(ROLES[item["role"]], _text(item.get("content"), place)))  # type: ignore[arg-type]  # ROLES holds roles alone
    return tuple(messages)


def _text(content: Any, place: str) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        for part in content
    ):
        return "".join(part["text"] for part in content)
    raise BadBody(f"'{place}.content' must be text", param=place)


def _schema(data: Any) -> Mapping[str, Any] | None:
    if not isinstance(data, dict) or data.get("type") != "json_schema":
        return None
    schema = (data.get("json_schema") or {}).get("schema")
    return schema if isinstance(schema, dict) else None


# HTTP status, type and code of an error, so that a client can tell apart what the model met.
STATUSES: tuple[tuple[type[LangprogError], tuple[int, str, str | None]], ...] = (
    (ContextWindowError, (400, "invalid_request_error", "context_length_exceeded")),
    (ContentFilterError, (400, "invalid_request_error", "content_filter")),
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
    content = {"message": str(error), "type": kind, "param": param, "code": code}
    return status, {"error": content}


def _entry(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "langprog"}


def _completion(body: Mapping[str, Any], completion: Completion) -> dict[str, Any]:
    reasons = completion.finish_reasons or ("stop",) * len(completion.texts)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "finish_reason": reason,
            "logprobs": _logprobs(completion.logprobs, index),
        }
        for index, (text, reason) in enumerate(zip(completion.texts, reasons, strict=True))
    ]
    return {**_frame(body, "chat.completion"), "choices": choices, "usage": _usage(completion)}


def _frame(body: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": body["model"],
    }


def _usage(completion: Completion) -> dict[str, Any]:
    usage = completion.usage
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_prompt_tokens},
    }


def _logprobs(logprobs: Sequence[Sequence[float]] | None, index: int) -> dict[str, Any] | None:
    if logprobs is None:
        return None
    content: list[dict[str, Any]] = [
        {"token": "", "logprob": value, "bytes": None, "top_logprobs": []}
        for value in logprobs[index]
    ]
    return {"content": content, "refusal": None}


async def _stream(
    request: web.Request, body: Mapping[str, Any], completion: Completion
) -> web.StreamResponse:
    from aiohttp import web  # noqa: PLC0415 - only a server needs it

    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    frame = _frame(body, "chat.completion.chunk")
    reasons = completion.finish_reasons or ("stop",) * len(completion.texts)
    for index, (text, reason) in enumerate(zip(completion.texts, reasons, strict=True)):
        pieces = text.splitlines(keepends=True)
        deltas = [{"role": "assistant", "content": ""}, *({"content": piece} for piece in pieces)]
        for delta in deltas:
            choice = {"index": index, "delta": delta, "finish_reason": None}
            await _event(response, {**frame, "choices": [choice]})
            await asyncio.sleep(0)
        last = {"index": index, "delta": {}, "finish_reason": reason}
        await _event(response, {**frame, "choices": [last]})
    if (body.get("stream_options") or {}).get("include_usage"):
        await _event(response, {**frame, "choices": [], "usage": _usage(completion)})
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


async def _event(response: web.StreamResponse, data: Mapping[str, Any]) -> None:
    await response.write(f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())
