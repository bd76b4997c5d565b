"""Send again what failed on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from langprog.errors import TransportError
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

Sleep = Callable[[float], Awaitable[None]]


class Retry(Wrapper):
    """Sends a request again after a transport error, later each time.

    Waits as long as the endpoint asked (Retry-After), otherwise ``first_wait * 2**k`` seconds
    with full jitter, at most ``longest_wait``. Other errors pass through at once.

    Args:
        inner: The model.
        attempts: How often a request is sent at most.
        first_wait: Seconds before the second attempt, on average half of it.
        longest_wait: Seconds that are waited at most; also for Retry-After.
        sleep: How to wait; for tests.
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
        self._attempts = max(1, attempts)
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._sleep = sleep
        # Its own, so that a user who seeds the module's random numbers draws the same ones.
        self._jitter = random.Random()

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            TransportError: The last attempt failed on the way, too.
        """
        for attempt in range(self._attempts - 1):
            try:
                return await self.inner.complete(request)
            except TransportError as error:
                await self._sleep(self._wait(attempt, error))
        return await self.inner.complete(request)

    def _wait(self, attempt: int, error: TransportError) -> float:
        if error.retry_after is not None:
            return float(min(max(0.0, error.retry_after), self._longest_wait))
        # Jitter spreads out callers that failed together; it decides nothing but the moment.
        return self._jitter.uniform(0.0, min(self._first_wait * 2**attempt, self._longest_wait))
