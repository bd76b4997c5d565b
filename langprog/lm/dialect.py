"""What an endpoint does not take is found out from its refusals, and left out from then on.

No list of models says who takes a temperature: the endpoint itself does, once.
"""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Set
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from langprog.errors import BadRequestError, LangprogWarning, LMError, TransportError
from langprog.lm.fallbacks import cut_at_stop, drop_settings, join_completions, with_own_seed
from langprog.lm.refusals import NAMED, QUIET, Refusal, Setting, refusal_in, uses_setting
from langprog.lm.streaming import Delta, Restarted, replay_completion, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request, Sampling
from langprog.lm.wrapper import Wrapper, layers_of

Learned = Callable[[frozenset[Setting]], None]
T = TypeVar("T")
# Answers a request; carefully where a part of it alone may show that it is refused.
Answer = Callable[[Request, bool], Awaitable[T]]
# After so many searches that led nowhere an endpoint's vague refusals are the user's errors.
SEARCHES = 3


@dataclass(frozen=True, slots=True)
class _Started:
    """A stream whose first delta has come: it is not refused any more."""

    first: Delta
    rest: AsyncGenerator[Delta, None]


class Negotiated(Wrapper):
    """Asks an endpoint again without an optional setting that it refuses, and remembers that.

    It sits inside what retries and caches, and outside of what reserves money: a refusal takes no
    attempt, and keys are those of what was asked for in the first place. What is left out:

    - ``temperature``, ``seed``, ``top_p``, ``stop`` (the text is then cut here),
      ``reasoning_effort``, ``tool_choice``: with a warning, once, where a user set it.
    - ``logprobs``, ``response_format``, ``stream_options``.
    - ``n``: completions are asked for one at a time. ``system``: its text goes into the first
      message of the user. ``max_tokens`` is sent as ``max_completion_tokens``; it is left out
      only where no budget counts on it.

    A value that is out of range is the user's error, and so is all else that the endpoint refuses.
    A setting counts as refused once leaving it out has made a difference; one that is refused
    only beside something else, in requests with the same settings.

    Of many requests at once the first that is refused finds out what is wrong; the others wait
    for it, so that each of them is refused once and not once for every setting.

    Args:
        inner: The model, without sampling defaults of its own.
        defaults: Sampling where a request says nothing.
    """

    def __init__(self, inner: LanguageModel, defaults: Sampling = Sampling()) -> None:
        super().__init__(inner)
        self._defaults = defaults
        self._refused: frozenset[Setting] = frozenset()
        self._schemas: set[str] = set()
        self._beside: dict[frozenset[str], frozenset[Setting]] = {}
        self._warned: set[Setting] = set()
        self._failed_searches = 0
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._lock = threading.Lock()
        self._listeners: list[Learned] = []

    @property
    def defaults(self) -> Sampling:
        """Sampling used where a request says nothing."""
        return self._defaults

    @property
    def refused(self) -> frozenset[Setting]:
        """The settings that the endpoint is known to refuse."""
        return self._refused

    def refuse(self, settings: Iterable[Setting]) -> None:
        """Take it as known that the endpoint refuses these settings."""
        with self._lock:
            more = frozenset(settings) - self._refused
            self._refused |= more
            told = list(self._listeners)
        if more:
            for tell in told:
                tell(self._refused)

    def subscribe(self, learned: Learned) -> None:
        """Call ``learned`` with all refused settings whenever one is found out.

        It is then for ``learned`` to say so; nobody is warned.
        """
        with self._lock:
            self._listeners.append(learned)

    def unsubscribe(self, learned: Learned) -> None:
        """Undo :meth:`subscribe`."""
        with self._lock:
            self._listeners.remove(learned)

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            BadRequestError: The endpoint refuses what cannot be left out.
        """
        whole = request.with_defaults(self._defaults)
        if not (self._turns or self._refused):  # nothing was ever refused: the usual case
            try:
                return await self.inner.complete(whole)
            except BadRequestError as error:
                first: BadRequestError | None = error
        else:
            first = None

        async def answer(asked: Request, careful: bool) -> Completion:
            return await self._ask(asked, whole.n, careful)

        completion, asked = await self._settle(whole, answer, first)
        self._adapt(whole)  # so that what is left out from now on is said at once
        return cut_at_stop(completion, whole, asked)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece; raises as ``complete``.

        Several completions, and a ``stop`` that the endpoint does not take, come whole.
        """
        whole = request.with_defaults(self._defaults)

        async def begin(asked: Request, careful: bool) -> _Started:
            if whole.n > asked.n or whole.sampling.stop != asked.sampling.stop:
                completion = await self._ask(asked, whole.n, careful)
                deltas = replay_completion(cut_at_stop(completion, whole, asked))
            else:
                deltas = stream_completion(self.inner, asked)
            return _Started(await anext(deltas), deltas)

        while True:
            begun, asked = await self._settle(whole, begin, streamed=True)
            try:
                async with aclosing(begun.rest) as rest:
                    self._adapt(whole)
                    yield begun.first
                    async for delta in rest:
                        yield delta
            except BadRequestError as error:
                # That there are too few completions shows only at the end.
                refusal = refusal_in(error, asked, streamed=True)
                if refusal is None or refusal.setting is None:
                    raise
                self._learn(refusal, whole)
                yield Restarted(str(error))
            else:
                return

    async def _settle(
        self,
        whole: Request,
        answer: Answer[T],
        error: BadRequestError | None = None,
        *,
        streamed: bool = False,
    ) -> tuple[T, Request]:
        """Return the answer to ``whole``, and as what it was asked for in the end.

        Args:
            whole: What is wanted.
            answer: Answers a request.
            error: The refusal of ``whole`` as it is, where that was asked already.
            streamed: Whether a stream is wanted.
        """
        asked = whole
        while True:
            if error is None:
                turn = self._turns.get(asyncio.get_running_loop())
                if turn is not None and turn.locked():
                    async with turn:  # somebody finds out; what is sent now is refused as well
                        pass
                asked = self._adapt(whole)
                try:
                    return await answer(asked, False), asked
                except BadRequestError as refused:
                    error = refused
            if refusal_in(error, asked, streamed=streamed) is None:
                raise error
            async with self._lock_for_loop():
                if _is_same(self._adapt(whole), asked):
                    return await self._probe(whole, asked, error, answer, streamed)
            error = None

    def _lock_for_loop(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        with self._lock:
            for other in [other for other in self._turns if other.is_closed()]:
                del self._turns[other]
            return self._turns.setdefault(loop, asyncio.Lock())

    async def _probe(
        self,
        whole: Request,
        asked: Request,
        error: BadRequestError,
        answer: Answer[T],
        streamed: bool,
    ) -> tuple[T, Request]:
        guesses: list[Refusal] = []
        while True:
            refusal = refusal_in(error, asked, streamed=streamed)
            if refusal is None:
                raise error
            if refusal.setting is None:
                result = await self._search(whole, asked, error, answer, guesses)
                if result is not None:
                    return result
            else:
                guesses.append(refusal)
            asked = self._adapt(whole, guesses)
            try:
                answered = await answer(asked, True)
            except BadRequestError as again:
                if again.said != error.said:
                    self._learn_all(guesses, whole, sure=True)
                error = again
            except TransportError:
                raise  # nobody knows what the endpoint thinks of it
            except LMError:
                self._learn_all(guesses, whole, sure=True)
                raise
            else:
                await self._confirm(guesses, whole, answered)
                return answered, asked

    async def _search(
        self,
        whole: Request,
        asked: Request,
        error: BadRequestError,
        answer: Answer[T],
        guesses: list[Refusal],
    ) -> tuple[T, Request] | None:
        """Try settings one by one, then more and more of them.

        Returns:
            The answer that shows which one it was; ``None`` where it was one of several: what is
            known then is put to the endpoint again.
        """
        held = [name for name in NAMED if name in _DOUBTFUL and uses_setting(asked, name)]
        trials = [[name] for name in held] + [held[:many] for many in range(2, len(held) + 1)]
        for trial in trials if self._failed_searches < SEARCHES else []:
            tried = [*guesses, *map(Refusal, trial)]
            put = self._adapt(whole, tried)
            try:
                answered = await answer(put, True)
            except BadRequestError:
                continue
            self._failed_searches = 0
            await self._confirm([*guesses, tried[-1]], whole, answered)
            guesses.clear()
            if len(trial) == 1:
                return answered, put
            await _close_stream(answered)
            return None
        self._failed_searches += 1
        raise error

    def _adapt(self, whole: Request, guesses: Iterable[Refusal] = ()) -> Request:
        known = beside = frozenset[Setting]()
        if self._beside:
            beside = self._beside.get(_settings_used(whole), beside)
        if not self._listeners:
            known = self._refused
        self._warn((known | beside) - self._warned, whole)
        known = self._refused | beside
        settings = {*known, *(guess.setting for guess in guesses if guess.setting is not None)}
        if self._schemas and _schema_text(whole.response_schema) in self._schemas:
            settings.add("response_format")
        return drop_settings(whole, settings)

    async def _ask(self, asked: Request, n: int, careful: bool) -> Completion:
        if asked.n == n:
            return await self.inner.complete(asked)
        # Each a request of its own in every budget; a seed would make them all the same.
        parts = [
            replace(asked, sampling=with_own_seed(asked.sampling, place)) for place in range(n)
        ]
        first = [await self.inner.complete(parts.pop(0))] if careful else []
        tasks = [asyncio.create_task(self.inner.complete(part)) for part in parts]
        try:
            return join_completions([*first, *await asyncio.gather(*tasks)])
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _confirm(self, guesses: list[Refusal], whole: Request, answered: object) -> None:
        try:
            self._learn_all(guesses, whole)
        except BaseException:  # of those who are told
            await _close_stream(answered)
            raise

    def _learn_all(self, guesses: list[Refusal], whole: Request, *, sure: bool = False) -> None:
        """Take guesses as true; ``sure``: only what the endpoint said outright."""
        for guess in guesses:
            if guess.sure or not sure:
                self._learn(guess, whole)

    def _learn(self, refusal: Refusal, whole: Request) -> None:
        setting = refusal.setting
        assert setting is not None
        if refusal.one_schema:
            self._schemas.add(_schema_text(whole.response_schema))
        elif refusal.together:
            shape = _settings_used(whole)
            self._beside[shape] = self._beside.get(shape, frozenset()) | {setting}
        else:
            self.refuse({setting})

    def _warn(self, settings: Set[Setting], whole: Request) -> None:
        for setting in sorted(settings - QUIET - whole.optional):
            renamed = setting == "max_tokens" and "max_completion_tokens" not in self._refused
            if renamed or not uses_setting(whole, setting):
                continue
            self._warned.add(setting)
            warnings.warn(
                f"{self.name} does not take {setting}: it is asked without it from now on",
                LangprogWarning,
                stacklevel=2,
            )


_DOUBTFUL: frozenset[str] = frozenset(NAMED) - {
    "max_tokens",
    "max_completion_tokens",
    "stream_options",
}


def dialect_of(model: LanguageModel) -> Negotiated | None:
    """Return the layer of a model that knows its endpoint's dialect, if it has one."""
    return next((layer for layer in layers_of(model) if isinstance(layer, Negotiated)), None)


async def _close_stream(answered: object) -> None:
    if isinstance(answered, _Started):
        await answered.rest.aclose()


def _settings_used(request: Request) -> frozenset[str]:
    """Return what a request makes use of, whatever its values are."""
    tools = {"tools"} if request.tools else set()
    return frozenset({*(name for name in NAMED if uses_setting(request, name)), *tools})


def _is_same(left: Request, right: Request) -> bool:
    return (left, left.token_limit, left.stream_usage) == (
        right,
        right.token_limit,
        right.stream_usage,
    )


def _schema_text(schema: Mapping[str, Any] | None) -> str:
    return json.dumps(schema, default=dict)
