"""The wrapper that retries transport errors."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from langprog.errors import ConnectError, TransportError
from langprog.knobs import check_argument, takes_number, takes_whole
from langprog.lm.streaming import Completed, Delta, Restarted, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

Sleep = Callable[[float], Awaitable[None]]


class Retry(Wrapper):
    """Retries a request after a transport error, with growing delays.

    It waits as long as the endpoint asked (Retry-After) plus a little, so that callers refused
    together do not return together; otherwise ``first_wait * 2**k`` seconds with full jitter. It
    never waits longer than ``longest_wait``, nor past a budget's seconds. Other errors pass
    through immediately.

    An endpoint is dead once it has refused as many connections in a row as a request has
    attempts. Until it answers again, each further request is tried only once.

    Args:
        inner: The model.
        attempts: Maximum number of times a request is sent.
        first_wait: Upper bound in seconds on the first delay; half of it on average.
        longest_wait: Upper bound in seconds on every delay, including Retry-After.
        sleep: Replaces ``asyncio.sleep`` in tests.

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
        # Its own generator: a user who seeds ``random`` must get the same numbers with retries.
        self._jitter = random.Random()

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            TransportError: The last attempt failed as well.
        """
        attempt = 0
        while True:
            try:
                completion = await self.inner.complete(request)
            except TransportError as error:
                await self._wait_or_raise(attempt, error, request)
                attempt += 1
            else:
                self._unreached = 0
                return completion

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; yields ``Restarted`` when earlier deltas are void.

        Raises:
            TransportError: The last attempt failed as well.
        """
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(stream_completion(self.inner, request)) as deltas:
                    async for delta in deltas:
                        begun = True
                        if isinstance(delta, Completed):  # nobody asks for more after it
                            self._unreached = 0
                        yield delta
            except TransportError as error:
                await self._wait_or_raise(attempt, error, request)
                attempt += 1
                if begun:
                    yield Restarted(str(error))
            else:
                return

    async def _wait_or_raise(self, attempt: int, error: TransportError, request: Request) -> None:
        """Wait for the next attempt, or raise ``error`` if there is none."""
        with self._lock:
            dead = self._unreached >= self._attempts
            unreached = isinstance(error, ConnectError) and error.charge == "nothing"
            self._unreached = self._unreached + 1 if unreached else 0
        if attempt + 1 >= self._attempts or (dead and unreached):
            raise error
        wait = self._delay(attempt, error)
        if max(wait, error.retry_after or 0.0) > _seconds_left(request):
            raise error
        await self._sleep(wait)

    def _delay(self, attempt: int, error: TransportError) -> float:
        # Jitter spreads out callers that failed together; it affects only the timing.
        if error.retry_after is not None:
            asked = max(0.0, error.retry_after)
            return float(min(asked + self._jitter.uniform(0.0, asked / 10), self._longest_wait))
        return self._jitter.uniform(
            0.0, min(self._first_wait * 2.0 ** min(attempt, 100), self._longest_wait)
        )


def _seconds_left(request: Request) -> float:
    left = (ledger.remaining().seconds for ledger in request.payers)
    return min((seconds for seconds in left if seconds is not None), default=float("inf"))
