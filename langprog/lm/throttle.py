"""The wrapper that limits concurrency and rates, and adapts to 429s and to time-outs."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress

from langprog.errors import RateLimitError, TimeoutError
from langprog.knobs import MOST_NUMBER, check_argument, takes_whole
from langprog.lm.streaming import Completed, Delta, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

MINUTE = 60.0


class Throttle(Wrapper):
    """Adapts the number of concurrent requests to what the endpoint accepts.

    Follows: additive increase, multiplicative decrease (Chiu and Jain, 1989). Differs: a 429
    halves the width only if its request started after the last cut, so that a burst of 429s from
    one overload counts once. So does a time-out, unless a request that started later was answered
    before it: a server that lets requests wait for a free slot answers in the order of arrival, so
    that only a request that hangs is overtaken.

    Args:
        inner: The model.
        width: Maximum number of concurrent requests, also for the adaptive width. ``None``: no
            limit until the first 429 or time-out.
        rpm: Maximum requests per minute.
        tpm: Maximum tokens per minute. A request counts from its start with the average so far
            (the first ones with the characters of their prompt), and is corrected once its usage
            is known.
        clock: Replaces the clock in tests; returns seconds.
        sleep: Replaces ``asyncio.sleep`` in tests.

    Raises:
        InputError: A limit is not a whole number of 1 or more.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        width: int | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(inner)
        for name, value in (("width", width), ("rpm", rpm), ("tpm", tpm)):
            check_argument("Throttle", name, value, takes_whole(1, MOST_NUMBER), optional=True)
        self._most = math.inf if width is None else float(width)
        self._width = self._most
        self._rpm, self._tpm = rpm, tpm
        self._clock, self._sleep = clock, sleep
        self._running = 0
        self._cut_at = self._answered_start = float("-inf")
        self._minute: deque[_RecentRequest] = deque()
        self._tokens = 0
        self._finished = self._finished_tokens = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._lock = threading.Lock()

    @property
    def width(self) -> float:
        """The current limit on concurrent requests; ``inf`` if there is none yet."""
        # `inf // 1` is NaN.
        return max(1.0, self._width if math.isinf(self._width) else self._width // 1)

    async def complete(self, request: Request) -> Completion:
        """Answer ``request`` when its turn comes."""
        start = await self._enter(request)
        try:
            completion = await self.inner.complete(request)
        except (RateLimitError, TimeoutError) as error:
            self._slow_down(start.at, error)
            raise
        else:
            self._speed_up(start, completion.usage.total_tokens)
            return completion
        finally:
            self._leave()

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer when its turn comes."""
        start = await self._enter(request)
        try:
            async with aclosing(stream_completion(self.inner, request)) as deltas:
                async for delta in deltas:
                    if isinstance(delta, Completed):
                        self._speed_up(start, delta.completion.usage.total_tokens)
                    yield delta
        except (RateLimitError, TimeoutError) as error:
            self._slow_down(start.at, error)
            raise
        finally:
            self._leave()

    def _leave(self) -> None:
        with self._lock:
            self._running -= 1
        self._wake_next()

    async def _enter(self, request: Request) -> _RecentRequest:
        turn: asyncio.Future[None] | None = None
        try:
            while True:
                with self._lock:
                    pause = 0.0
                    if self._running < self.width:
                        start = _RecentRequest(self._clock(), self._estimate(request))
                        pause = self._pause(start)
                        if pause <= 0.0:
                            self._count(start)
                            return start
                    else:
                        loop = asyncio.get_running_loop()
                        turn = loop.create_future()
                        self._waiting.append((loop, turn))
                if pause > 0.0:
                    await self._sleep(pause)
                elif turn is not None:
                    await turn
        except asyncio.CancelledError:
            # Its turn, granted or not, goes to the next in line.
            self._wake_next()
            raise

    def _estimate(self, request: Request) -> int:
        if self._tpm is None:
            return 0
        if self._finished:
            return self._finished_tokens // self._finished
        return sum(len(message.text) for message in request.messages)

    def _pause(self, start: _RecentRequest) -> float:
        if self._rpm is None and self._tpm is None:
            return 0.0
        minute = self._minute
        while minute and minute[0].at <= start.at - MINUTE:
            self._tokens -= minute.popleft().expire()
        full = self._rpm is not None and len(minute) >= self._rpm
        # A request that exceeds the limit on its own has to start eventually.
        if self._tpm is not None and minute:
            full = full or self._tokens + start.tokens > self._tpm
        return minute[0].at + MINUTE - start.at if full else 0.0

    def _count(self, start: _RecentRequest) -> None:
        self._running += 1
        if self._rpm is not None or self._tpm is not None:
            self._minute.append(start)
            self._tokens += start.tokens

    def _wake_next(self) -> None:
        with self._lock:
            free = self.width - self._running
            while free > 0 and self._waiting:
                loop, turn = self._waiting.popleft()
                # A cancelled waiter, or one whose loop was closed, uses up no turn.
                if turn.done() or loop.is_closed():
                    continue
                with suppress(RuntimeError):  # closed in the meantime
                    loop.call_soon_threadsafe(_wake, turn)
                    free -= 1

    def _slow_down(self, started: float, error: RateLimitError | TimeoutError) -> None:
        with self._lock:
            alone = isinstance(error, TimeoutError) and (
                self._running == 1 or started < self._answered_start
            )
            if started >= self._cut_at and not alone:
                open_ended = math.isinf(self._width)
                self._width = max(1.0, (self._running if open_ended else self._width) / 2)
                self._cut_at = self._clock()

    def _speed_up(self, start: _RecentRequest, tokens: int) -> None:
        with self._lock:
            self._answered_start = max(self._answered_start, start.at)
            self._width = min(self._most, self._width + 1.0 / self._width)
            if self._tpm is not None:
                self._finished += 1
                self._finished_tokens += tokens
                self._tokens += start.correct(tokens)


class _RecentRequest:
    """A request that counts toward the limits for a minute after its start."""

    __slots__ = ("_counts", "at", "tokens")

    def __init__(self, at: float, tokens: int) -> None:
        self.at, self.tokens = at, tokens
        self._counts = True

    def correct(self, tokens: int) -> int:
        """Replace the estimate with the actual tokens; return the difference."""
        if not self._counts:
            return 0
        more, self.tokens = tokens - self.tokens, tokens
        return more

    def expire(self) -> int:
        """Stop counting; return the tokens to subtract."""
        self._counts = False
        return self.tokens


def _wake(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
