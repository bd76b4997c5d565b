"""The running server: listening, watching files, and stopping without losing a request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from langprog.errors import InputError
from langprog.serving.application import Application

# Seconds that a connection stays open without a request.
IDLE = 30.0
# Seconds between looks at the artifact files.
WATCHED = 1.0


class ProgramServer:
    """A running server; an asynchronous context manager.

    On leaving the context, no more connections are accepted, requests under way are answered
    within ``limits.drain`` seconds, and what is left then is cancelled: its clients are told.

    Args:
        app: What is served.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        watch: Whether a new artifact in a file is served as soon as it is there.
        grace: Seconds between the end of readiness and the end of listening, in which a load
            balancer notices; requests are answered meanwhile.

    Example::

        async with ProgramServer(Application([service])) as server:
            print(server.base_url)
    """

    def __init__(
        self,
        app: Application,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        watch: bool = True,
        grace: float = 0.0,
    ) -> None:
        self.app, self._host, self._wanted = app, host, port
        self._watch, self._grace = watch, grace
        self._tasks: list[asyncio.Task[None]] = []
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    @property
    def base_url(self) -> str:
        """The server's address."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    async def __aenter__(self) -> ProgramServer:
        listener = self._listen()
        self.port = int(listener.getsockname()[1])
        config = uvicorn.Config(
            self.app,
            http=type("Protocol", (_Protocol,), {"seconds": self.app.limits.upload}),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=int(IDLE),
            log_level="error",  # or every stranger could write to the log
        )
        self._server = _Server(config)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started:
            await asyncio.sleep(0.001)
            if self._serving.done():
                self._serving.result()
        if self._watch:
            watching = asyncio.create_task(self._watch_files())
            watching.add_done_callback(self._tell_end)
            self._tasks.append(watching)
        return self

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio sends small pieces at once only where the protocol is spelled out.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._wanted))
        except OSError as error:
            listener.close()
            raise InputError(
                f"cannot listen on {self._host}:{self._wanted}: {error.strerror}"
            ) from None
        return listener

    async def _watch_files(self) -> None:
        while True:
            await asyncio.sleep(WATCHED)
            await self.app.reload(always=False)

    def _tell_end(self, watching: asyncio.Task[None]) -> None:
        if not watching.cancelled() and watching.exception() is not None:
            error = watching.exception()
            self.app.log(f"the artifact files are not watched any more: {error!r}")

    async def __aexit__(self, *error: object) -> None:
        server, serving = self._server, self._serving
        if server is None or serving is None:
            return
        phase = self.app.phase
        phase.ready = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._grace:
            await asyncio.sleep(self._grace)
        phase.open = False
        server.should_exit = True
        await asyncio.wait((serving,), timeout=self.app.limits.drain)
        await self.app.close()
        await asyncio.wait((serving,), timeout=1.0)
        server.force_exit = True
        for connection in list(server.server_state.connections):
            connection.transport.abort()
        await serving
        self._server = self._serving = None


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it, and does not raise them again."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _Protocol(H11Protocol):
    """Closes connections whose client takes too long to send a request's head, or to read."""

    seconds: ClassVar[float]
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._waits():
            self._set_deadline()
        else:
            self._clear_deadline()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)

    def _waits(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _set_deadline(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.seconds, self._close_if_waiting)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_waiting(self) -> None:
        self._deadline = None
        if self._waits() and not self.transport.is_closing():
            self.transport.abort()
