"""Loopback endpoints of the simulated model that refuse settings, each in words of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from aiohttp import web

from langprog.lm.chat_body import read_request
from tests.optimizers.simulated import answers

Body = Mapping[str, Any]
Refusal = tuple[Callable[[Body], bool], int, Any]


def _error(message: str, param: str | None = None, code: str | None = None) -> Any:
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error",
            "param": param,
            "code": code,
        }
    }


def _has_system(body: Body) -> bool:
    return any(message["role"] == "system" for message in body["messages"])


# What is refused, and how: as OpenAI, Mistral, vLLM and others put it.
REFUSALS: Mapping[str, Refusal] = MappingProxyType(
    {
        "temperature": (
            lambda body: body.get("temperature") not in (None, 1),
            400,
            _error(
                "Unsupported value: 'temperature' does not support 0.7 with this model. Only the "
                "default (1) value is supported.",
                "temperature",
                "unsupported_value",
            ),
        ),
        "seed": (
            lambda body: "seed" in body,
            422,
            {"detail": [{"type": "extra_forbidden", "loc": ["body", "seed"], "msg": "Extra"}]},
        ),
        "stop": (
            lambda body: "stop" in body,
            400,
            _error("Argument not supported on this model: stop"),
        ),
        "logprobs": (
            lambda body: bool(body.get("logprobs")),
            400,
            _error("You are not allowed to request logprobs from this model", "logprobs"),
        ),
        "n": (lambda body: "n" in body, 400, _error("only one candidate: 'n' must be 1", "n")),
        "response_format": (
            lambda body: "response_format" in body,
            400,
            _error("This response_format type is unavailable now"),
        ),
        "system": (
            _has_system,
            400,
            _error("Developer instruction is not enabled for this model"),
        ),
        "max_tokens": (
            lambda body: "max_tokens" in body,
            400,
            _error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.",
                "max_tokens",
                "unsupported_parameter",
            ),
        ),
    }
)


@dataclass
class Refusing:
    """What came in.

    Args:
        base_url: The endpoint's address.
        answered: Bodies that were answered.
        refused: The settings that were refused, one for each refusal.
    """

    base_url: str = ""
    answered: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


@contextmanager
def refusing(*settings: str) -> Iterator[Refusing]:
    """Serve the simulated model from a thread of its own; it refuses ``settings``."""
    seen, reply = Refusing(), answers()

    async def handle(request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        for setting in settings:
            refuses, status, said = REFUSALS[setting]
            if refuses(body):
                seen.refused.append(setting)
                return web.json_response(said, status=status)
        asked = read_request(
            {name: body[name] for name in body if name != "max_completion_tokens"}
        )
        seen.answered.append(body)
        # It has learned marked sections alone.
        text = reply(asked) if "[[" in asked.messages[0].text else "no idea"
        logprobs = {"content": [{"token": "x", "logprob": -0.25}]} if asked.logprobs else None
        choice = {
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            "logprobs": logprobs,
        }
        usage = {"prompt_tokens": 20, "completion_tokens": 5}
        return web.json_response({"choices": [choice] * asked.n, "usage": usage})

    ready: Future[str] = Future()
    loop, stop = asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    seen.base_url = ready.result()
    try:
        yield seen
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
