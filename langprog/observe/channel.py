"""A bounded channel between event loops, from many senders to one receiver."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

T = TypeVar("T")

_Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


class Channel(Generic[T]):
    """Passes items on, and makes senders wait while too many are waiting to be received.

    Args:
        room: How many items may wait.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._senders: deque[_Waiter] = deque()
        self._receiver: _Waiter | None = None
        self._tasks: dict[asyncio.Task[object], asyncio.AbstractEventLoop] = {}
        self._ended = self._closed = False
        self._lock = threading.Lock()

    async def send(self, item: T) -> None:
        """Pass ``item`` on once there is room; drop it if nobody receives any more."""
        while (turn := self._put(item)) is not None:
            try:
                await turn
            except asyncio.CancelledError:
                self._wake_sender()  # its turn, granted or not, goes to the next in line
                raise

    def _put(self, item: T) -> asyncio.Future[None] | None:
        """Put ``item`` in line, or return what is done when there may be room."""
        with self._lock:
            if not self._closed and len(self._items) >= self._room:
                loop = asyncio.get_running_loop()
                turn = loop.create_future()
                self._senders.append((loop, turn))
                return turn
            if not self._closed:
                self._items.append(item)
            receiver, self._receiver = self._receiver, None
        if receiver is not None:
            _wake(receiver)
        return None

    async def receive(self) -> T | None:
        """Return the next item; ``None`` when there are none left and :meth:`end` was called."""
        while True:
            with self._lock:
                item = self._items.popleft() if self._items else None
                if item is None and self._ended:
                    return None
                loop = asyncio.get_running_loop()
                turn = loop.create_future() if item is None else None
                if turn is not None:
                    self._receiver = (loop, turn)
            if turn is None:
                self._wake_sender()
                return item
            await turn

    def end(self) -> None:
        """Say that no more items follow."""
        with self._lock:
            self._ended = True
            receiver, self._receiver = self._receiver, None
        if receiver is not None:
            _wake(receiver)

    def close(self) -> None:
        """Receive no more: what waits is dropped, and work in :meth:`cancelling` is cancelled."""
        with self._lock:
            self._closed = self._ended = True
            self._items.clear()
            senders = list(self._senders)
            self._senders.clear()
            tasks = list(self._tasks.items())
        for sender in senders:
            _wake(sender)
        for task, loop in tasks:
            with suppress(RuntimeError):  # the loop was closed in the meantime
                loop.call_soon_threadsafe(task.cancel)

    @contextmanager
    def cancelling(self) -> Iterator[None]:
        """Have the task inside the block cancelled when the channel is closed.

        Raises:
            CancelledError: It was closed before.
        """
        task = asyncio.current_task()
        assert task is not None
        with self._lock:
            if self._closed:
                raise asyncio.CancelledError
            nested = task in self._tasks
            self._tasks[task] = asyncio.get_running_loop()
        try:
            yield
        finally:
            if not nested:
                with self._lock:
                    self._tasks.pop(task, None)

    def _wake_sender(self) -> None:
        while True:
            with self._lock:
                if not self._senders or len(self._items) >= self._room:
                    return
                sender = self._senders.popleft()
            if _wake(sender):
                return


def _wake(waiter: _Waiter) -> bool:
    loop, turn = waiter
    if turn.done() or loop.is_closed():
        return False
    if asyncio._get_running_loop() is loop:
        turn.set_result(None)
        return True
    with suppress(RuntimeError):  # closed in the meantime
        loop.call_soon_threadsafe(_grant, turn)
        return True
    return False


def _grant(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
