"""The wrapper that answers from a memo first: how a journal replays a compile."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from langprog.lm.cache import mark_cached
from langprog.lm.keys import request_key
from langprog.lm.pricing import reprice
from langprog.lm.single_flight import SingleFlight
from langprog.lm.streaming import Completed, Delta, replay_completion, stream_completion
from langprog.lm.types import FROM_CACHE, Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper


class CallMemo(Protocol):
    """Remembers completions by request key."""

    def get(self, key: str) -> Completion | None:
        """Return the completion for ``key``, or ``None``."""
        ...

    def put(self, key: str, completion: Completion) -> None:
        """Store a completion that was just paid for."""
        ...


class Recorded(Wrapper):
    """Answers from a memo, and stores new completions in it.

    Args:
        inner: The model.
        memo: Stores completions; looked up before any cache.
    """

    def __init__(self, inner: LanguageModel, memo: CallMemo) -> None:
        super().__init__(inner)
        self._memo = memo
        self._flights = SingleFlight[Completion]()

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``; identical concurrent requests are sent once."""
        key = self._key(request)
        known = self._get(key, request)
        if known is None:

            async def ask() -> Completion:
                completion = _mark_origin(await self.inner.complete(request))
                self._memo.put(key, completion)
                return completion

            known, mine = await self._flights.run(key, ask, request.hold_nothing)
            if mine:
                return known
        return mark_cached(known, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer, from the memo if possible."""
        key = self._key(request)
        known = self._get(key, request)
        if known is None:
            deltas = stream_completion(self.inner, request)
        else:
            deltas = replay_completion(mark_cached(known, request))
        async with aclosing(deltas):
            async for delta in deltas:
                if known is None and isinstance(delta, Completed):
                    self._memo.put(key, _mark_origin(delta.completion))
                yield delta

    def _key(self, request: Request) -> str:
        return request_key(self.inner, request)

    def _get(self, key: str, request: Request) -> Completion | None:
        known = self._memo.get(key)
        return None if known is None else reprice(known, request, self.inner)


class RecordedEach(Recorded):
    """Sends each of several identical requests; the memo keeps their completions in order.

    Args:
        inner: As for :class:`Recorded`.
        memo: As for :class:`Recorded`.
    """

    def __init__(self, inner: LanguageModel, memo: CallMemo) -> None:
        super().__init__(inner, memo)
        self._seen: Counter[str] = Counter()

    def _key(self, request: Request) -> str:
        key = super()._key(request)
        self._seen[key] += 1
        return f"{key} {self._seen[key]}"


def _mark_origin(completion: Completion) -> Completion:
    """Return a new completion; one from a cache of the model's own is of an unknown time."""
    if not completion.cached or completion.timed_in:
        return completion
    return replace(completion, timed_in=FROM_CACHE, priced_in=completion.priced_in or FROM_CACHE)
