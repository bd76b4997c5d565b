"""The client for OpenAI-compatible endpoints: OpenAI, vLLM, SGLang, Ollama, llama.cpp and others.

One HTTP session for each event loop, kept alive between calls and closed with its loop; nothing
between the request and the socket but aiohttp.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

from langprog.errors import (
    BadRequestError,
    ConnectError,
    ModelError,
    ServerError,
    TimeoutError,
)
from langprog.lm.openai_errors import error_of
from langprog.lm.openai_reply import read_completion, read_delta
from langprog.lm.types import Completion, Request, Sampling

if TYPE_CHECKING:
    import aiohttp

    _Session = tuple[aiohttp.ClientSession, AsyncGenerator[aiohttp.ClientSession, None]]

CONNECTIONS = 256
# Bytes of one event of a stream; aiohttp's own bound is 128 KiB.
LARGEST_EVENT = 2**20


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
        ModelError: The URL is none, or carries a user name or a password; or the key is none.
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
        parts = _parts(name, base_url)
        self.name = name
        rest = name.partition("/")[2]
        self._model = model or rest or name
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        # One name may stand for several models of a server; they must not share answers.
        alias = "" if self._model in (name, rest) else f"#{self._model}"
        self.endpoint = self._base + alias
        self.defaults = defaults
        self._query = parts.query
        self._key = (api_key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelError(f"the api_key of {name} holds a character that no key can have")
        self._timeout = timeout
        self._refused_schemas: set[str] = set()
        self._limit = "max_tokens"
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
        return f"{self._base}/chat/completions" + (f"?{self._query}" if self._query else "")

    def _body(self, request: Request) -> dict[str, Any]:
        sampling = request.sampling.over(self.defaults)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": message.role, "content": message.content} for message in request.messages
            ],
        }
        settings = {
            "temperature": sampling.temperature,
            self._limit: sampling.max_tokens,
            "top_p": sampling.top_p,
            "seed": sampling.seed,
        }
        body |= {key: value for key, value in settings.items() if value is not None}
        if sampling.stop:
            body["stop"] = list(sampling.stop)
        if request.n > 1:
            body["n"] = request.n
        if request.logprobs:
            body["logprobs"] = True
        schema = request.response_schema
        if schema is not None and _written(schema) not in self._refused_schemas:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "outputs", "schema": dict(schema)},
            }
        return body

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``; sends exactly one, so that what counts requests counts them all.

        Raises:
            LMError: One of its subclasses; a reply that is no completion is a ServerError. A
                setting that this endpoint does not know is one, too, and is left out from then
                on: the next attempt does without it.
        """
        body = self._body(request)
        try:
            return await self._send(body, request)
        except BadRequestError as error:
            left_out = self._adapted(body, request, str(error).casefold())
            if left_out is None:
                raise
            raise ServerError(
                f"{error} (sent without {left_out} from now on)",
                model=self.name,
                retry_after=0.0,
            ) from None

    def _adapted(self, body: dict[str, Any], request: Request, said: str) -> str | None:
        if "max_completion_tokens" in said and "max_tokens" in body:
            self._limit = "max_completion_tokens"
            return "max_tokens"
        # Some endpoints know no schemas; the prompt asks for the same form in words.
        if "response_format" in body and ("response_format" in said or "schema" in said):
            self._refused_schemas.add(_written(request.response_schema))
            return "this response_format"
        return None

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
                f"{self.name}: {self._base} cannot be reached ({type(error).__name__})",
                model=self.name,
            ) from None
        text = raw.decode("utf-8", errors="replace")
        if status != 200:
            raise error_of(status, headers, self._hidden(text), self.name)
        return read_completion(self._told(text), request, self.name, time.perf_counter() - started)

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _told(self, text: str) -> str:
        # Without choices it can only be an error, which must not repeat the key; what a model
        # wrote stays as it is, for a key may be a common word such as EMPTY.
        return text if '"choices"' in text else self._hidden(text)

    async def stream(self, request: Request) -> AsyncIterator[str]:
        """Yield the completion's text as it comes.

        Raises:
            LMError: As for ``complete``; also where the stream ends before it is complete.
        """
        import aiohttp  # noqa: PLC0415 - as in _session

        body = {**self._body(request), "stream": True}
        try:
            session = await self._session()
            async with session.post(
                self._url(), json=body, read_bufsize=LARGEST_EVENT
            ) as response:
                if response.status != 200:
                    said = self._hidden((await response.read()).decode("utf-8", "replace"))
                    raise error_of(response.status, dict(response.headers), said, self.name)
                async for line in response.content:
                    data = line.decode("utf-8", errors="replace").strip()
                    if data == "data: [DONE]":
                        return
                    if data.startswith("data:"):
                        yield read_delta(self._told(data[5:]), self.name)
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


def _parts(name: str, base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        # The port is read here to be checked: it is a number only when it is asked for.
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, good = SplitResult("", "", "", "", ""), False
    if "@" in parts.netloc:
        raise ModelError(f"the base_url of {name} holds a user name or password: use api_key=")
    if not good:
        raise ModelError(f"the base_url of {name} is no http(s) URL; write http://host:port/v1")
    return parts


def _written(schema: Mapping[str, Any] | None) -> str:
    return json.dumps(schema, default=dict)
