"""The client for OpenAI-compatible endpoints: OpenAI, vLLM, SGLang, Ollama, llama.cpp and others.

One HTTP session for each event loop, kept alive between calls and closed with its loop; nothing
between the request and the socket but aiohttp.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from langprog.errors import (
    BadRequestError,
    ConnectError,
    ContentFilterError,
    ModelError,
    ServerError,
    TimeoutError,
)
from langprog.lm.openai_errors import error_of
from langprog.lm.types import Completion, Request, Sampling, Usage

if TYPE_CHECKING:
    import aiohttp

    _Session = tuple[aiohttp.ClientSession, AsyncGenerator[aiohttp.ClientSession, None]]

CONNECTIONS = 256


class OpenAICompatible:
    """A model behind an OpenAI-compatible ``/chat/completions``.

    Args:
        name: ``provider/model``, as programs and artifacts name it.
        base_url: The endpoint, up to and with ``/v1``.
        model: The model's name at the endpoint; ``name`` without its provider if left out.
        api_key: Sent as a bearer token; left out where the endpoint needs none.
        defaults: Sampling where a request says nothing.
        timeout: Seconds for a whole call.

    Raises:
        ModelError: The URL is none, or carries a user name or a password.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        defaults: Sampling = Sampling(),
        timeout: float = 60.0,
    ) -> None:
        parts = urlsplit(base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ModelError(
                f"the base_url of {name} is no http(s) URL; write http://host:port/v1"
            )
        if "@" in parts.netloc:
            raise ModelError(f"the base_url of {name} holds a user name or password: use api_key=")
        self.name = name
        self.endpoint = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        self.defaults = defaults
        self._query = parts.query
        self._model = model or name.partition("/")[2] or name
        self._key = api_key
        self._timeout = timeout
        self._takes_schema = True
        self._sessions: dict[asyncio.AbstractEventLoop, _Session] = {}

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        kept = self._sessions.get(loop)
        if kept is None or kept[0].closed:
            for other in [other for other in list(self._sessions) if other.is_closed()]:
                self._sessions.pop(other, None)
            headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
            opened = _opened(headers, self._timeout)
            kept = self._sessions[loop] = (await anext(opened), opened)
        return kept[0]

    def _url(self) -> str:
        return f"{self.endpoint}/chat/completions" + (f"?{self._query}" if self._query else "")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling.over(self.defaults)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": message.content} for message in request.messages
            ],
        }
        for key in ("temperature", "max_tokens", "top_p", "seed"):
            value = getattr(sampling, key)
            if value is not None:
                body[key] = value
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.n > 1:
            body["n"] = request.n
        if request.logprobs:
            body["logprobs"] = True
        if request.response_schema is not None and self._takes_schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "outputs", "schema": dict(request.response_schema)},
            }
        return body

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: One of its subclasses; a reply that is no completion is a ServerError.
        """
        body = self._body(request)
        try:
            return await self._send(body, request)
        except BadRequestError as error:
            words = str(error).casefold()
            if "response_format" not in body or not (
                "response_format" in words or "json_schema" in words or "schema" in words
            ):
                raise
        # Some endpoints know no schemas; the prompt asks for the same form in words.
        self._takes_schema = False
        return await self._send(self._body(request), request)

    async def _send(self, body: dict[str, Any], request: Request) -> Completion:
        import aiohttp  # noqa: PLC0415 - as in _session

        started = time.perf_counter()
        try:
            async with (await self._session()).post(self._url(), json=body) as response:
                raw = await response.read()
                status, headers = response.status, dict(response.headers)
        except builtins.TimeoutError:
            raise TimeoutError(
                f"{self.name}: no answer in {self._timeout:g} s", model=self.name
            ) from None
        except aiohttp.ClientPayloadError:
            raise ServerError(f"{self.name}: the reply was cut off", model=self.name) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectError(
                f"{self.name}: {self.endpoint} cannot be reached ({type(error).__name__})",
                model=self.name,
            ) from None
        text = raw.decode("utf-8", errors="replace")
        if status != 200:
            raise error_of(status, headers, text, self.name)
        return self._read(text, request, time.perf_counter() - started)

    def _read(self, text: str, request: Request, latency: float) -> Completion:
        try:
            data = json.loads(text)
            choices = data["choices"]
            texts = tuple(choice["message"]["content"] or "" for choice in choices)
            reasons = tuple(str(choice.get("finish_reason") or "stop") for choice in choices)
            usage = _usage(data.get("usage") or {})
            logprobs = _logprobs(choices) if request.logprobs else None
            if not texts or not all(isinstance(one, str) for one in texts):
                raise TypeError("texts are missing")
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ServerError(
                f"{self.name}: the reply is no completion", model=self.name
            ) from None
        if all(reason == "content_filter" for reason in reasons):
            raise ContentFilterError(f"{self.name}: the content was refused", model=self.name)
        return Completion(texts, self.name, usage, reasons, logprobs, None, latency)

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """Yield the completion's text as it comes.

        Raises:
            LMError: As for ``complete``; also where the stream ends before it is complete.
        """
        import aiohttp  # noqa: PLC0415 - as in _session

        body = {**self._body(request), "stream": True}
        try:
            async with (await self._session()).post(self._url(), json=body) as response:
                if response.status != 200:
                    text = await response.text()
                    raise error_of(response.status, dict(response.headers), text, self.name)
                async for line in response.content:
                    data = line.decode("utf-8", errors="replace").strip()
                    if data == "data: [DONE]":
                        return
                    if data.startswith("data:"):
                        yield _delta(data[5:], self.name)
        except builtins.TimeoutError:
            raise TimeoutError(
                f"{self.name}: no answer in {self._timeout:g} s", model=self.name
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectError(
                f"{self.name}: the stream broke off ({type(error).__name__})", model=self.name
            ) from None
        raise ServerError(f"{self.name}: the stream ended early", model=self.name)

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        kept = self._sessions.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept[1].aclose()


async def _opened(
    headers: dict[str, str], timeout: float
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Hold a session open.

    A generator, because an event loop that ends closes those that are still open on it, and one
    that nobody holds any more, too: no socket is left behind, on whichever loop it was made.
    """
    import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

    session = aiohttp.ClientSession(
        headers=headers,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=300),
        timeout=aiohttp.ClientTimeout(total=timeout),
    )
    try:
        yield session
    finally:
        await session.close()


def _usage(data: dict[str, Any]) -> Usage:
    details = data.get("prompt_tokens_details") or {}
    return Usage(
        int(data.get("prompt_tokens") or 0),
        int(data.get("completion_tokens") or 0),
        int(details.get("cached_tokens") or 0),
    )


def _logprobs(choices: list[dict[str, Any]]) -> tuple[tuple[float, ...], ...] | None:
    found = []
    for choice in choices:
        inside = (choice.get("logprobs") or {}).get("content")
        if inside is None:
            return None
        found.append(tuple(float(token["logprob"]) for token in inside))
    return tuple(found)


def _delta(data: str, name: str) -> str:
    try:
        choices = json.loads(data)["choices"]
        return str(choices[0]["delta"].get("content") or "") if choices else ""
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ServerError(f"{name}: the stream holds no completion", model=name) from None
