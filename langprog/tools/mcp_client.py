"""Tools of an MCP server: a process of its own, or a server on the network."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

from langprog.errors import ConnectError, InputError, LangprogError, ModelError, ToolError
from langprog.knobs import check_argument, takes_number
from langprog.tools.tool import Tool

if TYPE_CHECKING:
    from mcp import Client

_ODD = re.compile(r"[^A-Za-z0-9_-]")
_ADDRESSES = ("http://", "https://")


class MCPTools(Sequence[Tool]):
    """The tools of an MCP server while it is connected; see :func:`mcp_tools`."""

    def __init__(
        self, make_client: Callable[[AsyncExitStack], Any], place: str, limits: Mapping[str, Any]
    ) -> None:
        self._make_client = make_client
        self._place = place
        self._limits = dict(limits)
        self._tools: tuple[Tool, ...] | None = None
        self._session: _Session | None = None

    def __enter__(self) -> MCPTools:
        """Connect.

        Raises:
            ConnectError: The server cannot be started or reached.
            ModelError: The package mcp is missing.
        """
        listed = self._start()
        try:
            return self._take(listed.result())
        except BaseException:
            self._end()
            raise

    def __exit__(self, *error: object) -> None:
        """Disconnect, and end a process that was started."""
        self._end()

    async def __aenter__(self) -> MCPTools:
        """Connect; raises as for ``with``."""
        listed = self._start()
        try:
            return self._take(await asyncio.wrap_future(listed))
        except BaseException:
            await asyncio.to_thread(self._end)
            raise

    async def __aexit__(self, *error: object) -> None:
        """Disconnect, and end a process that was started."""
        await asyncio.to_thread(self._end)

    def _start(self) -> Future[list[Any]]:
        if self._session is not None:
            raise InputError(f"{self._place} is connected already: call lp.mcp_tools again")
        self._session = _Session(self._make_client, self._place, self._limits["connecting"])
        return self._session.listed

    def _take(self, listed: list[Any]) -> MCPTools:
        assert self._session is not None
        wanted = self._limits["names"]
        if wanted is not None:
            known = {each.name: each for each in listed}
            missing = [name for name in wanted if name not in known]
            if missing:
                raise InputError(
                    f"{self._place} has no tool {missing[0]!r:.80}; it has "
                    f"{', '.join(known) or 'none'}"
                )
            listed = [known[name] for name in wanted]
        tools = [self._make_tool(each, self._session) for each in listed]
        self._tools = tuple(tools)
        return self

    def _make_tool(self, listed: Any, session: _Session) -> Tool:
        name = self._limits["prefix"] + listed.name
        return Tool.from_schema(
            partial(_call, session, listed.name),
            name=_ODD.sub("_", name)[:64],
            description=listed.description or "",
            parameters=listed.input_schema,
            timeout=self._limits["timeout"],
            max_result=self._limits["max_result"],
        )

    def _end(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _known(self) -> tuple[Tool, ...]:
        if self._tools is None:
            raise InputError(
                f"{self._place} is not connected yet: write `with lp.mcp_tools(...) as tools:`, "
                "or `async with` in asynchronous code"
            )
        return self._tools

    def __getitem__(self, place: Any) -> Any:
        return self._known()[place]

    def __len__(self) -> int:
        return len(self._known())

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._known())

    def __repr__(self) -> str:
        names = "not connected" if self._tools is None else [tool.name for tool in self._tools]
        return f"MCPTools({self._place}, {names})"


class _Session:
    """A connection in a thread of its own, so that programs in any event loop can use it."""

    def __init__(
        self, make_client: Callable[[AsyncExitStack], Any], place: str, connecting: float
    ) -> None:
        self.listed: Future[list[Any]] = Future()
        self.place = place
        self._make_client, self._connecting = make_client, connecting
        self._client: Client | None = None
        self._loop = Context().run(asyncio.new_event_loop)
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._work, name="langprog-mcp", daemon=True)
        Context().run(self._thread.start)

    def _work(self) -> None:
        task = self._loop.create_task(self._connect())
        task.add_done_callback(self._tell_failure)
        try:
            self._loop.run_until_complete(asyncio.wait([task]))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    async def _connect(self) -> None:
        async with AsyncExitStack() as stack:
            async with asyncio.timeout(self._connecting):
                client = await self._make_client(stack)
                listed = await _list_tools(client)
            self._client = client
            self.listed.set_result(listed)
            await self._stop.wait()
        self._client = None

    def _tell_failure(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        self._client = None
        if not self.listed.done():
            self.listed.set_exception(_explain(error, self.place, self._connecting))

    async def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool, from any event loop."""
        client = self._client
        if client is None or self._loop.is_closed():
            raise ToolError(f"{self.place} is not connected any more", outage=True)
        work = client.call_tool(name, dict(arguments))
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    def close(self) -> None:
        """Disconnect, and wait until that is done."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


async def _list_tools(client: Client) -> list[Any]:
    listed = await client.list_tools()
    tools = list(listed.tools)
    while listed.next_cursor:
        listed = await client.list_tools(cursor=listed.next_cursor)
        tools += listed.tools
    return tools


async def _call(session: _Session, tool: str, /, **arguments: Any) -> str:
    from mcp import MCPError  # noqa: PLC0415 - an extra, which is there once it is connected
    from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT  # noqa: PLC0415 - likewise

    try:
        result = await session.call(tool, arguments)
    except MCPError as error:
        outage = error.code in (CONNECTION_CLOSED, REQUEST_TIMEOUT)
        raise ToolError(str(error), outage=outage) from error
    text = "\n".join(map(_read_block, result.content))
    if result.is_error:
        raise ToolError(text or "it failed without saying why")
    if not text and result.structured_content is not None:
        return str(result.structured_content)
    return text


def _read_block(block: Any) -> str:
    """Return a piece of a result as text; of what is not text, what it is."""
    kind = block.type
    if kind == "text":
        return str(block.text)
    inside = getattr(block, "resource", block)
    text = getattr(inside, "text", None)
    if isinstance(text, str):
        return text
    about = getattr(inside, "mime_type", None) or getattr(inside, "uri", "")
    return f"({kind} {about}, which is not text)".replace(" ,", ",")


def _explain(error: BaseException | None, place: str, connecting: float) -> LangprogError:
    """Return why a server cannot be used, from whatever its client raised."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, LangprogError):
        return error
    if isinstance(error, TimeoutError):
        return ConnectError(f"{place} gave no answer within {connecting:g} seconds")
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    return ConnectError(f"{place} cannot be used: {told}")


def mcp_tools(
    server: str | Sequence[str],
    *,
    names: Sequence[str] | None = None,
    prefix: str = "",
    env: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = 60.0,
    max_result: int = 20_000,
    connecting: float = 30.0,
) -> MCPTools:
    """Return the tools of an MCP server, while it is connected.

    Needs ``pip install 'langprog[mcp]'``. The tools work in synchronous and asynchronous code,
    whichever way they were connected::

        with lp.mcp_tools(["python", "server.py"]) as tools:
            program = lp.ReAct("question -> answer", tools)
            program(question="...")

        async with lp.mcp_tools("https://example.org/mcp", headers={...}) as tools:
            await lp.ReAct("question -> answer", tools).acall(question="...")

    An artifact holds what a model sees of the tools; they are handed over when it is loaded:
    ``lp.load(path, tools=tools)``. A tool of a server that is gone is an outage.

    Args:
        server: The command that starts a server which talks over stdin and stdout, as a list; or
            the address of a server that talks streamable HTTP.
        names: The tools to take, as the server names them; by default all.
        prefix: Stands before their names, to tell those of several servers apart.
        env: Environment variables of the process, beside a few of this one (such as ``PATH``).
        headers: Additional HTTP headers, such as ``Authorization``; never stored.
        timeout: As for a Tool.
        max_result: As for a Tool.
        connecting: Seconds to start or reach the server.

    Raises:
        InputError: An argument is invalid.
    """
    check_argument("mcp_tools", "connecting", connecting, takes_number(0, above=True))
    remote = isinstance(server, str)
    if isinstance(server, str) and not server.startswith(_ADDRESSES):
        raise InputError(
            f"mcp_tools({server!r:.80}): give an address, https://..., or a command as a list, "
            '["python", "server.py"]'
        )
    if isinstance(names, str):
        raise InputError(f"names= of mcp_tools is a list of tools: names=[{names!r:.60}]")
    if not remote and (
        not isinstance(server, Sequence)
        or not server
        or not all(isinstance(part, str) for part in server)
    ):
        raise InputError(f"mcp_tools: the command {server!r:.80} is not a list of texts")
    if env is not None and remote or headers is not None and not remote:
        raise InputError("mcp_tools: env= is for a command, headers= for an address")
    place = f"the MCP server {_name_of(server)}"
    limits = {
        "names": None if names is None else list(names),
        "prefix": prefix,
        "timeout": timeout,
        "max_result": max_result,
        "connecting": connecting,
    }
    return MCPTools(partial(_make_client, server, env, headers), place, limits)


def _name_of(server: str | Sequence[str]) -> str:
    """Return a name for messages, without what may be secret."""
    if isinstance(server, str):
        return re.sub(r"//[^/@]*@", "//", server.partition("?")[0])
    return " ".join(server[:2])


async def _make_client(
    server: str | Sequence[str],
    env: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    stack: AsyncExitStack,
) -> Client:
    try:
        # Slow to import, and an extra.
        import httpx2  # noqa: PLC0415 - see above
        from mcp import Client, StdioServerParameters  # noqa: PLC0415 - see above
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - see above
    except ImportError:
        raise ModelError(
            "lp.mcp_tools needs the package mcp, version 2 or later: pip install 'langprog[mcp]'"
        ) from None
    if isinstance(server, str):
        limits = httpx2.Timeout(30.0, read=300.0)
        client = httpx2.AsyncClient(headers=dict(headers or {}), timeout=limits)
        http = await stack.enter_async_context(client)
        target: Any = streamable_http_client(server, http_client=http)
    else:
        command, *arguments = server
        target = StdioServerParameters(
            command=command, args=arguments, env=None if env is None else dict(env)
        )
    return await stack.enter_async_context(Client(target))
