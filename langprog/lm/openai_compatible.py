"""The client for OpenAI-compatible endpoints: OpenAI, vLLM, SGLang, Ollama, llama.cpp and others.

One HTTP session per event loop, kept alive between calls and closed with its loop, directly on
aiohttp.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, parse_qsl, urlsplit, urlunsplit

from langprog.errors import LMError, ModelError, ServerError
from langprog.lm.connections import ConnectionBound
from langprog.lm.http_body import (
    LARGEST_ERROR,
    LARGEST_REPLY,
    read_lines,
    read_start,
    read_whole,
)
from langprog.lm.openai_body import REASONING_MEMBER, body_of
from langprog.lm.openai_errors import SHORTEST_SECRET, error_of
from langprog.lm.openai_reply import read_completion
from langprog.lm.openai_stream import Assembly, data_of
from langprog.lm.sampling import Sampling
from langprog.lm.secrecy import (
    credentials_in,
    hide_secrets,
    is_distinct,
    public_address,
    tokens_in_path,
    without_secrets,
)
from langprog.lm.streaming import Completed, Delta, replay_completion
from langprog.lm.transport import ErrorTranslator
from langprog.lm.types import Completion, Request

if TYPE_CHECKING:
    import aiohttp

    _Session = tuple[aiohttp.ClientSession, AsyncGenerator[aiohttp.ClientSession, None]]

# Azure's hosts, which take the key in a header of their own.
AZURE_HOSTS = (".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com")


class OpenAICompatible:
    """A model behind an OpenAI-compatible ``/chat/completions``.

    Redirects are not followed: prompts and keys go only to ``base_url``.

    Args:
        name: ``provider/model``, as programs and artifacts name it.
        base_url: The endpoint, up to and including ``/v1``.
        model: The model's name at the endpoint; defaults to ``name`` without its provider.
        api_key: Sent as a bearer token (to Azure as ``api-key``); optional.
        defaults: Sampling for what a request leaves open.
        timeout: Seconds for a whole call.
        headers: Additional HTTP headers of every call; never stored.
        api_version: Added to the URL as ``api-version``, as Azure requires it.
        connections: Maximum number of connections, 0 for no limit. Defaults to three quarters of
            the process's open-file limit, with a warning once requests have to wait for a
            connection. The number of requests in flight is up to callers and a throttle.

    Raises:
        ModelError: The URL is invalid or contains a user name or password, or the key is invalid.
    """

    def __init__(  # noqa: PLR0913 - an endpoint has that many settings
        self,
        name: str,
        *,
        base_url: str,
        model: str | None = None,
        api_key: str | None = None,
        defaults: Sampling = Sampling(),
        timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        api_version: str | None = None,
        connections: int | None = None,
    ) -> None:
        parts = _parts(name, base_url)
        self.name = name
        rest = name.partition("/")[2]
        self._model = model or rest or name
        self._base = urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", ""))
        # One name may be used for several models of a server; they must not share answers.
        alias = "" if self._model in (name, rest) else f"#{self._model}"
        # What is kept and shown; a token in the path stays with the requests.
        self._shown = public_address(self._base)
        self.endpoint = self._shown + alias
        self.defaults = defaults
        version = f"api-version={api_version}" if api_version else ""
        self._query = "&".join(part for part in (parts.query, version) if part)
        self._key = (api_key or "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise ModelError(f"the api_key of {name} contains a character that no key can have")
        azure = (parts.hostname or "").endswith(AZURE_HOSTS)
        self._headers = {**_key_header(self._key, azure=azure), **(headers or {})}
        asked = dict(parse_qsl(self._query))
        own = tuple(filter(None, [self._key, *tokens_in_path(parts.path)]))
        self._own_secrets = (*own, *_secrets_in([*self._headers.values(), *asked.values()]))
        named = credentials_in({**self._headers, **asked})
        self._credentials = tuple(filter(is_distinct, dict.fromkeys((*own, *named))))
        self._timeout = timeout
        self._connections = ConnectionBound(name, connections)
        self._errors = ErrorTranslator(name, self._shown, timeout)
        # As the endpoint's own replies name it; see `_read`.
        self._reasoning_member = REASONING_MEMBER
        self._sessions: dict[asyncio.AbstractEventLoop, _Session] = {}
        # Keeps the sessions reachable: collected together with the client, they would warn about
        # being unclosed before anything could close them.
        weakref.finalize(self, _close_sessions, self._sessions).atexit = False

    def __getstate__(self) -> dict[str, Any]:
        """Return everything but the sessions, which belong to this process."""
        return {name: value for name, value in vars(self).items() if name != "_sessions"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state, _sessions={})
        weakref.finalize(self, _close_sessions, self._sessions).atexit = False

    async def _session(self) -> aiohttp.ClientSession:
        loop = asyncio.get_running_loop()
        kept = self._sessions.get(loop)
        if kept is None or kept[0].closed:
            for other in [other for other in list(self._sessions) if other.is_closed()]:
                self._sessions.pop(other, None)
            opened = _open_session(self._headers, self._timeout, self._connections.most)
            kept = self._sessions[loop] = (await anext(opened), opened)
        return kept[0]

    def _url(self, path: str = "/chat/completions") -> str:
        return f"{self._base}{path}" + (f"?{self._query}" if self._query else "")

    def body(self, request: Request) -> dict[str, Any]:
        """Return the JSON body that asks for ``request``."""
        sampling = request.resolve(self.defaults)
        return {"model": self._model, **body_of(request, sampling, self._reasoning_member)}

    async def complete(self, request: Request) -> Completion:
        """Answer ``request`` with exactly one HTTP request, so that wrappers can count them.

        Raises:
            LMError: One of its subclasses; a reply that is not a completion is a ServerError.
        """
        started = time.perf_counter()
        body = self.body(request)
        with self._errors, self._connections:
            async with await self._start_post(body, request) as response:
                if response.status != 200:
                    raise await self._refusal(response, request)
                raw = await read_whole(response, LARGEST_REPLY)
        text = raw.decode("utf-8", errors="replace")
        return self.read(text, request, time.perf_counter() - started)

    def read(self, text: str, request: Request, latency: float) -> Completion:
        """Return the completion in the body of a reply with status 200.

        Args:
            text: The body.
            request: The request that it answers.
            latency: Seconds that the answer took.

        Raises:
            LMError: As for ``complete``.
        """
        if text.startswith("<"):
            raise ServerError(
                f"{self.name}: the reply is a web page, not a completion; the base_url "
                f"{self._shown} is not an OpenAI-compatible endpoint (most end in /v1)",
                model=self.name,
                charge="everything",
            )
        secrets = self._secrets(request)
        # Reasoning is sent back under the name under which it came.
        if '"reasoning_content"' not in text and '"reasoning"' in text:
            self._reasoning_member = "reasoning"
        completion = read_completion(text, request, self.name, latency, secrets=secrets)
        return self._without_secrets(completion, request)

    def _without_secrets(self, completion: Completion, request: Request) -> Completion:
        """Return a completion without credentials that the endpoint repeats."""
        own = filter(is_distinct, credentials_in(request.headers)) if request.headers else ()
        return without_secrets(completion, (*self._credentials, *own))

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; the completion comes last.

        Raises:
            LMError: As for ``complete``; also if the stream ends before it is complete.
        """
        body = {**self.body(request), "stream": True}
        if request.stream_usage:
            body["stream_options"] = {"include_usage": True}
        started = time.perf_counter()
        assembly = Assembly(request, self.name, self._secrets(request))
        finished = False
        async with self._post(body, request) as response:
            if "json" in response.headers.get("Content-Type", ""):  # not a stream
                text = (await read_whole(response, LARGEST_REPLY)).decode("utf-8", "replace")
                whole = self.read(text, request, time.perf_counter() - started)
                async for delta in replay_completion(whole):
                    yield delta
                return
            async for line in read_lines(response, LARGEST_REPLY):
                data = data_of(line.decode("utf-8", errors="replace"))
                finished = data == "[DONE]"
                if finished:
                    break
                if data:
                    for delta in assembly.add(data):
                        yield delta
        if not (finished or assembly.has_ended):
            raise ServerError(
                f"{self.name}: the stream ended early", model=self.name, charge="everything"
            )
        completion = assembly.completion(time.perf_counter() - started)
        self._reasoning_member = assembly.reasoning_member or self._reasoning_member
        yield Completed(self._without_secrets(completion, request))

    @asynccontextmanager
    async def _post(
        self, body: Mapping[str, Any], request: Request
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a body and yield the response if its status is 200."""
        with self._errors, self._connections:
            async with await self._start_post(body, request) as response:
                if response.status != 200:
                    raise await self._refusal(response, request)
                yield response

    async def _start_post(
        self, body: Mapping[str, Any], request: Request
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        """Return the context of a POST; enter it inside ``_errors`` and ``_connections``."""
        session = await self._session()
        return session.post(self._url(), json=body, headers=request.headers, allow_redirects=False)

    @asynccontextmanager
    async def open(
        self, method: str, path: str, *, seconds: float | None = None, **sent: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request to another part of the API, and yield the response.

        Args:
            method: The HTTP method.
            path: The path below ``base_url``.
            seconds: How long the endpoint may be silent, in place of a limit on the whole call:
                for bodies that are large.
            **sent: What is sent, as aiohttp takes it (``json``, ``data``, ``params``).

        Raises:
            LMError: As for ``complete``; also if the status is not 2xx.
        """
        import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

        if seconds is not None:
            sent["timeout"] = aiohttp.ClientTimeout(total=None, sock_read=seconds)
        with self._errors, self._connections:
            session = await self._session()
            url = self._url(path)
            async with session.request(method, url, allow_redirects=False, **sent) as response:
                if not 200 <= response.status < 300:
                    raise await self._refusal(response, None)
                yield response

    async def _refusal(self, response: aiohttp.ClientResponse, request: Request | None) -> LMError:
        said = (await read_start(response, LARGEST_ERROR)).decode("utf-8", errors="replace")
        return self.error(response.status, said, request, dict(response.headers))

    def error(
        self,
        status: int,
        body: str,
        request: Request | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> LMError:
        """Return the error for a reply whose status is not 200.

        Args:
            status: The HTTP status.
            body: The body.
            request: The request, if it was one for a completion.
            headers: The reply's headers.
        """
        secrets = self._secrets(request)
        return error_of(status, headers, body, self.name, secrets=secrets, address=self._shown)

    def has_credentials_of(self, other: OpenAICompatible) -> bool:
        """Return whether two clients of an endpoint send the same headers and query."""
        return (self._headers, self._query) == (other._headers, other._query)

    def hide_credentials(self, text: str) -> str:
        """Return what the endpoint said without the credentials of this client."""
        return hide_secrets(text, self._credentials)

    def _secrets(self, request: Request | None) -> tuple[str, ...]:
        """Return what messages must not contain: the key, header values and the URL's query."""
        if request is None or not request.headers:
            return self._own_secrets
        return (*self._own_secrets, *_secrets_in(request.headers.values()))

    async def aclose(self) -> None:
        """Close the connections of the running event loop."""
        kept = self._sessions.pop(asyncio.get_running_loop(), None)
        if kept is not None:
            await kept[1].aclose()


def _secrets_in(values: Collection[str]) -> tuple[str, ...]:
    # The last word covers the token of "Bearer token"; short values are not secrets.
    words = [*values, *(value.split()[-1] for value in values if value.strip())]
    return tuple(word for word in words if len(word) >= SHORTEST_SECRET)


def _key_header(key: str, *, azure: bool) -> dict[str, str]:
    if not key:
        return {}
    return {"api-key": key} if azure else {"Authorization": f"Bearer {key}"}


def _close_sessions(sessions: dict[asyncio.AbstractEventLoop, _Session]) -> None:
    """Close the sessions of a deleted client, each on its own loop when that runs next."""
    for loop, (session, _) in sessions.items():
        if not loop.is_closed():
            with suppress(RuntimeError):  # closed in the meantime, and its sessions with it
                loop.call_soon_threadsafe(_close_soon, loop, session)


def _close_soon(loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
    loop.create_task(session.close())


async def _open_session(
    headers: Mapping[str, str], timeout: float, connections: int
) -> AsyncGenerator[aiohttp.ClientSession, None]:
    """Hold a session open.

    A generator, because an event loop closes its open generators when it ends, and unreferenced
    ones as well: no socket is left behind on any loop.
    """
    import aiohttp  # noqa: PLC0415 - a quarter of a second that embedded models do not need

    session = aiohttp.ClientSession(
        headers={"Accept-Encoding": "gzip, deflate", **headers},
        connector=aiohttp.TCPConnector(limit=connections, ttl_dns_cache=300),
        timeout=aiohttp.ClientTimeout(total=timeout),
        auto_decompress=False,  # done with a size limit: a small reply may expand to gigabytes
    )
    try:
        yield session
    finally:
        await session.close()


def _parts(name: str, base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        # Reading the port validates it.
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        parts, good = SplitResult("", "", "", "", ""), False
    if "@" in parts.netloc:
        raise ModelError(f"the base_url of {name} contains a user name or password: use api_key=")
    if not good:
        raise ModelError(
            f"the base_url of {name} is not an http(s) URL; write http://host:port/v1"
        )
    return parts
