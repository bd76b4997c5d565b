"""What a driver knows about one worker, and how it talks to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Protocol

from langprog.engines.messages import (
    Client,
    Lease,
    Made,
    ModelId,
    Revoke,
    Share,
    ToDriver,
    ToWorker,
)
from langprog.engines.shipping import pack, pack_messages, unpack
from langprog.engines.worker import PAUSE
from langprog.lm import Completion, LanguageModel, Request


class WorkerLost(Exception):
    """A worker's process has ended, or cannot be reached."""


class Link(Protocol):
    """A worker process, as its engine reaches it."""

    def tell(self, number: int, data: bytes) -> None:
        """Send messages; does not wait."""
        ...

    async def poll(self) -> bytes:
        """Wait for messages.

        Raises:
            WorkerLost: The process is not there any more.
        """
        ...

    def kill(self) -> None:
        """End the process."""
        ...


@dataclass
class Task:
    """A piece of work that a caller waits for.

    Args:
        number: Its number.
        shares: What it shares with other work.
        data: Its function and arguments.
        settings: The settings in force.
        context: The context of its caller: settings, ledgers, journal.
        result: What it comes to.
        answered: The model calls that were answered so far, for work that has to begin anew.
        earlier: Those of workers that died during it.
        deaths: How many did.
    """

    number: int
    shares: tuple[int, ...]
    data: bytes
    settings: bytes
    context: Context
    result: asyncio.Future[Any]
    answered: list[tuple[ModelId, Request, Completion]] = field(default_factory=list)
    earlier: deque[tuple[ModelId, Request, Completion]] = field(default_factory=deque)
    deaths: int = 0
    worker: WorkerLink | None = None

    def begin_anew(self) -> None:
        """Note that a worker died; what was answered is not asked again."""
        self.deaths += 1
        self.earlier.extendleft(reversed(self.answered))
        self.answered = []

    def replay(self, model: ModelId, request: Request) -> Completion | None:
        """Return the answer to a call that a dead worker had already got."""
        for place, (asked, before, completion) in enumerate(self.earlier):
            if asked == model and before == request:
                del self.earlier[place]
                return completion
        return None


class WorkerLink:
    """One worker: the work it has, and the calls leased to it.

    Args:
        link: Reaches the process.
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.alive = True
        self.tasks: dict[int, Task] = {}
        self.asks: dict[int, asyncio.Task[None]] = {}
        self._calls: dict[int, asyncio.Future[Made]] = {}
        self._shares: set[int] = set()
        self._clients: dict[int, tuple[LanguageModel, int]] = {}
        self._outbox: list[ToWorker] = []
        self._sent = 0
        self._flushed = 0.0
        self._next_call = 0

    def say(self, message: ToWorker) -> None:
        """Send a message, together with others of these moments."""
        if not self._outbox:
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._flushed + PAUSE), self._flush)
        self._outbox.append(message)

    def _flush(self) -> None:
        self._flushed = asyncio.get_running_loop().time()
        said, self._outbox = self._outbox, []
        if self.alive:
            self.link.tell(self._sent, pack_messages(said))
            self._sent += 1

    async def listen(self, take: Callable[[WorkerLink, ToDriver], None]) -> None:
        """Take messages until the process ends.

        Raises:
            WorkerLost: It has ended.
        """
        while True:
            for message in unpack(await self.link.poll()):
                take(self, message)

    def share(self, number: int, data: bytes) -> None:
        """Send a shared value, unless the worker has it."""
        if number not in self._shares:
            self._shares.add(number)
            self.say(Share(number, data))

    def unshare(self, number: int) -> None:
        """Let the worker forget a shared value."""
        if number in self._shares:
            self._shares.discard(number)
            self.say(Share(number, None))

    async def make(self, client: LanguageModel, request: Request, ask: int | None) -> Made:
        """Lease a call to the worker, and return what became of it.

        Args:
            client: The client to make it with.
            request: The request.
            ask: The question of the worker's own that it answers; ``None`` if another's.

        Raises:
            WorkerLost: The worker ended before it said.
        """
        known = self._clients.get(id(client))
        if known is None:
            # The client is kept, so that its id is not used again.
            known = self._clients[id(client)] = client, len(self._clients) + 1
            self.say(Client(known[1], pack(client)))
        number = self._next_call = self._next_call + 1
        made: asyncio.Future[Made] = asyncio.get_running_loop().create_future()
        self._calls[number] = made
        self.say(Lease(number, known[1], ask, request))
        try:
            return await made
        except asyncio.CancelledError:
            self.say(Revoke(number))
            raise
        finally:
            del self._calls[number]

    def hear(self, made: Made) -> None:
        """Take what became of a leased call."""
        waiting = self._calls.get(made.call)
        if waiting is not None and not waiting.done():
            waiting.set_result(made)

    def lose_calls(self) -> None:
        """Let everyone who waits for a leased call know that the worker has ended."""
        for waiting in self._calls.values():
            if not waiting.done():
                waiting.set_exception(WorkerLost())


Launch = Callable[[], Awaitable[Link]]
