"""Hold back requests: so many at once, so many a minute, fewer when the endpoint complains."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable

from langprog.errors import InputError, RateLimitError
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

MINUTE = 60.0


class Throttle(Wrapper):
    """Adapts the number of requests under way to what the endpoint takes.

    Follows: additive increase, multiplicative decrease (Chiu and Jain, 1989). Differs: one 429
    halves the width only if the last cut is older than the request that met it, so that a burst
    of refusals for one and the same overload counts once.

    Args:
        inner: The model.
        width: Requests under way at most; the adaptive width never passes it.
        rpm: Requests a minute at most.
        tpm: Tokens a minute at most, counted when a request ends.
        clock: Seconds; for tests.
        sleep: How to wait; for tests.

    Raises:
        InputError: A limit is below 1.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        width: int = 64,
        rpm: int | None = None,
        tpm: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(inner)
        for name, value in (("width", width), ("rpm", rpm), ("tpm", tpm)):
            if value is not None and value < 1:
                raise InputError(f"{name}={value}: must be 1 or more")
        self._most = width
        self._width = float(width)
        self._rpm, self._tpm = rpm, tpm
        self._clock, self._sleep = clock, sleep
        self._running = 0
        self._cut_at = float("-inf")
        self._starts: deque[float] = deque()
        self._tokens: deque[tuple[float, int]] = deque()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()

    @property
    def width(self) -> int:
        """Requests under way at most, now."""
        return max(1, int(self._width))

    async def complete(self, request: Request) -> Completion:
        """Answer ``request`` when its turn has come."""
        await self._enter()
        started = self._clock()
        try:
            completion = await self.inner.complete(request)
        except RateLimitError:
            self._slow_down(started)
            raise
        else:
            self._speed_up(completion.usage.total_tokens)
            return completion
        finally:
            self._leave()

    async def _enter(self) -> None:
        while True:
            pause = 0.0
            with self._lock:
                if self._running < self.width:
                    pause = self._pause()
                    if pause <= 0.0:
                        self._running += 1
                        if self._rpm is not None:
                            self._starts.append(self._clock())
                        return
                    turn = None
                else:
                    loop = asyncio.get_running_loop()
                    turn = loop.create_future()
                    self._waiting.append((loop, turn))
            if turn is None:
                await self._sleep(pause)
                continue
            try:
                await turn
            except asyncio.CancelledError:
                self._wake_next()
                raise

    def _pause(self) -> float:
        now = self._clock()
        while self._starts and self._starts[0] <= now - MINUTE:
            self._starts.popleft()
        while self._tokens and self._tokens[0][0] <= now - MINUTE:
            self._tokens.popleft()
        pause = 0.0
        if self._rpm is not None and len(self._starts) >= self._rpm:
            pause = self._starts[0] + MINUTE - now
        if self._tpm is not None and sum(count for _, count in self._tokens) >= self._tpm:
            pause = max(pause, self._tokens[0][0] + MINUTE - now)
        return pause

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
        self._wake_next()

    def _wake_next(self) -> None:
        with self._lock:
            room = self.width - self._running
            turns = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        for loop, turn in turns:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, turn)

    def _slow_down(self, started: float) -> None:
        with self._lock:
            if started >= self._cut_at:
                self._width = max(1.0, self._width / 2)
                self._cut_at = self._clock()

    def _speed_up(self, tokens: int) -> None:
        with self._lock:
            self._width = min(float(self._most), self._width + 1.0 / self._width)
            if self._tpm is not None:
                self._tokens.append((self._clock(), tokens))


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
