"""Send again what failed on the way."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from langprog.errors import ConnectError, TransportError
from langprog.knobs import check_argument, takes_number, takes_whole
from langprog.lm.streaming import Delta, Restarted, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

Sleep = Callable[[float], Awaitable[None]]


class Retry(Wrapper):
    """Sends a request again after a transport error, later each time.

    Waits as long as the endpoint asked (Retry-After) and a little more, so that callers which
    were refused together come back apart; otherwise ``first_wait * 2**k`` seconds with full
    jitter. It never waits longer than ``longest_wait``, nor past the end of a budget's seconds.
    Other errors pass through at once.

    An endpoint that took no connection for as many attempts in a row as one request has is dead:
    until it answers again, each further request is sent once and fails at once.

    Args:
        inner: The model.
        attempts: How often a request is sent at most.
        first_wait: Seconds before the second attempt, on average half of it.
        longest_wait: Seconds that are waited at most; also for Retry-After.
        sleep: How to wait; for tests.

    Raises:
        InputError: A number is out of range.
    """

    def __init__(
        self,
        inner: LanguageModel,
        *,
        attempts: int = 6,
        first_wait: float = 0.5,
        longest_wait: float = 60.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(inner)
        check_argument("Retry", "attempts", attempts, takes_whole(1))
        check_argument("Retry", "first_wait", first_wait, takes_number(0))
        check_argument("Retry", "longest_wait", longest_wait, takes_number(0))
        self._attempts = attempts
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._sleep = sleep
        self._unreached = 0
        self._lock = threading.Lock()
        # Its own, so that a user who seeds the module's random numbers draws the same ones.
        self._jitter = random.Random()

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            TransportError: The last attempt failed on the way, too.
        """
        attempt = 0
        while True:
            try:
                completion = await self.inner.complete(request)
            except TransportError as error:
                await self._before_next(attempt, error, request)
                attempt += 1
            else:
                self._unreached = 0
                return completion

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece; says ``Restarted`` where pieces are void.

        Raises:
            TransportError: The last attempt failed on the way, too.
        """
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(stream_completion(self.inner, request)) as deltas:
                    async for delta in deltas:
                        begun = True
                        yield delta
            except TransportError as error:
                await self._before_next(attempt, error, request)
                attempt += 1
                if begun:
                    yield Restarted(str(error))
            else:
                self._unreached = 0
                return

    async def _before_next(self, attempt: int, error: TransportError, request: Request) -> None:
        """Wait before the next attempt, or raise ``error`` where there is none."""
        with self._lock:
            dead = self._unreached >= self._attempts
            unreached = isinstance(error, ConnectError) and error.charge == "nothing"
            self._unreached = self._unreached + 1 if unreached else 0
        if attempt + 1 >= self._attempts or (dead and unreached):
            raise error
        wait = self._wait(attempt, error)
        if max(wait, error.retry_after or 0.0) > _seconds_left(request):
            raise error
        await self._sleep(wait)

    def _wait(self, attempt: int, error: TransportError) -> float:
        # Jitter spreads out callers that failed together; it decides nothing but the moment.
        if error.retry_after is not None:
            asked = max(0.0, error.retry_after)
            return float(min(asked + self._jitter.uniform(0.0, asked / 10), self._longest_wait))
        return self._jitter.uniform(
            0.0, min(self._first_wait * 2.0 ** min(attempt, 100), self._longest_wait)
        )


def _seconds_left(request: Request) -> float:
    left = (ledger.remaining().seconds for ledger in request.payers)
    return min((seconds for seconds in left if seconds is not None), default=float("inf"))
