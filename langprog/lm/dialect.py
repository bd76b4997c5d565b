"""The wrapper that learns which settings an endpoint rejects, and drops them from then on.

There is no list of models that take a temperature: the endpoint's own answer decides.
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Set
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from langprog.errors import BadRequestError, LangprogWarning, LMError, TransportError
from langprog.lm.fallbacks import (
    cut_at_stop,
    drop_settings,
    is_same,
    join_completions,
    mark_without_tools,
    with_own_seed,
)
from langprog.lm.ignored_tools import ToolWatch
from langprog.lm.refusals import (
    DOUBTFUL,
    NAMED,
    QUIET,
    Refusal,
    Setting,
    refusal_in,
    schema_text,
    settings_used,
    uses_setting,
)
from langprog.lm.sampling import Sampling
from langprog.lm.streaming import Completed, Delta, Restarted, replay_completion, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper, layers_of

Learned = Callable[[frozenset[Setting]], None]
T = TypeVar("T")
# Answers a request; if careful, one part first, which may show that it is rejected.
Answer = Callable[[Request, bool], Awaitable[T]]
# After this many fruitless searches, an endpoint's vague rejections count as the user's errors.
SEARCHES = 3


@dataclass(frozen=True, slots=True)
class _Started:
    """A stream whose first delta has arrived: it was not rejected."""

    first: Delta
    rest: AsyncGenerator[Delta, None]


class Negotiated(Wrapper):
    """Repeats a request without an optional setting that the endpoint rejects, and remembers it.

    It belongs inside retries and caches, and outside budgets: a rejection uses no attempt, and
    cache keys are those of the original request. What is dropped:

    - ``temperature``, ``seed``, ``top_p``, ``stop`` (the text is then cut here),
      ``reasoning_effort``, ``tool_choice``: with one warning if the user set it.
    - ``tools``: the request goes out in its form without tools, if it has one; with a warning.
      They count as rejected also where they are ignored without a word (see ToolWatch).
    - ``logprobs``, ``response_format``, ``stream_options``, and the reasoning of earlier messages;
      an endpoint that misses it in some of them gets an empty one there.
    - ``n``: completions are requested one at a time. ``system``: its text moves to the first user
      message. ``max_tokens`` is sent as ``max_completion_tokens``, and dropped only if no budget
      relies on it.

    A value out of range is the user's error, and so is anything else that the endpoint rejects. A
    setting counts as rejected once dropping it has helped; a setting that is rejected only in
    combination is dropped only from requests with the same settings.

    Among concurrent requests, the first one rejected finds the cause while the others wait, so
    that each of them is rejected once and not once per setting.

    Args:
        inner: The model, without sampling defaults of its own.
        defaults: Sampling for what a request leaves open.
    """

    def __init__(self, inner: LanguageModel, defaults: Sampling = Sampling()) -> None:
        super().__init__(inner)
        self._defaults = defaults
        self._refused: frozenset[Setting] = frozenset()
        self._schemas: set[str] = set()
        self._beside: dict[frozenset[str], frozenset[Setting]] = {}
        self._warned: set[Setting] = set()
        self._failed_searches = 0
        self._tools = ToolWatch(self._ask, self._ignores_tools)
        self._turns: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}
        self._lock = threading.Lock()
        self._listeners: list[Learned] = []

    @property
    def defaults(self) -> Sampling:
        """Sampling for what a request leaves open."""
        return self._defaults

    @property
    def refused(self) -> frozenset[Setting]:
        """The settings that the endpoint is known to reject."""
        return self._refused

    def refuse(self, settings: Iterable[Setting]) -> None:
        """Record that the endpoint rejects these settings."""
        with self._lock:
            more = frozenset(settings) - self._refused
            self._refused |= more
            listeners = list(self._listeners)
        if more:
            for notify in listeners:
                notify(self._refused)

    def subscribe(self, learned: Learned) -> None:
        """Call ``learned`` with all rejected settings whenever a new one is found.

        Reporting it is then up to ``learned``; no warning is issued.
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
            BadRequestError: The endpoint rejects something that cannot be dropped.
        """
        whole = request.with_defaults(self._defaults)
        first: BadRequestError | None = None
        if not (self._turns or self._refused):  # nothing was rejected so far: the usual case
            try:
                completion = await self.inner.complete(whole)
            except BadRequestError as error:
                first = error
            else:
                return await self._tools.settle(completion, whole, whole)

        async def answer(sent: Request, careful: bool) -> Completion:
            return await self._ask(sent, whole.n, careful)

        completion, sent = await self._settle(whole, answer, first)
        self._adapt(whole)  # warns now about what is dropped from now on
        completion = mark_without_tools(cut_at_stop(completion, whole, sent), whole, sent)
        return await self._tools.settle(completion, whole, sent)

    def _ignores_tools(self, request: Request) -> None:
        self.refuse({"tools"})
        self._adapt(request)  # warns

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; raises like ``complete``.

        Several completions, or a ``stop`` that the endpoint rejects, come as a whole.
        """
        whole = request.with_defaults(self._defaults)

        async def begin(sent: Request, careful: bool) -> _Started:
            if whole.n > sent.n or whole.sampling.stop != sent.sampling.stop:
                completion = await self._ask(sent, whole.n, careful)
                deltas = replay_completion(cut_at_stop(completion, whole, sent))
            else:
                deltas = stream_completion(self.inner, sent)
            return _Started(await anext(deltas), deltas)

        while True:
            begun, sent = await self._settle(whole, begin, streamed=True)
            try:
                async with aclosing(begun.rest) as rest:
                    self._adapt(whole)
                    yield begun.first
                    async for delta in rest:
                        if isinstance(delta, Completed):
                            async for last in self._end(delta.completion, whole, sent):
                                yield last
                        else:
                            yield delta
            except BadRequestError as error:
                # Too few completions show only at the end.
                refusal = refusal_in(error, sent, streamed=True)
                if refusal is None or refusal.setting is None:
                    raise
                self._learn(refusal, whole)
                yield Restarted(str(error))
            else:
                return

    async def _end(
        self, completion: Completion, whole: Request, sent: Request
    ) -> AsyncGenerator[Delta, None]:
        completion = mark_without_tools(completion, whole, sent)
        settled = await self._tools.settle(completion, whole, sent)
        if settled.without_tools == completion.without_tools:
            yield Completed(settled)
            return
        yield Restarted(f"{self.name} ignores tools")
        async for delta in replay_completion(settled):
            yield delta

    async def _settle(
        self,
        whole: Request,
        answer: Answer[T],
        error: BadRequestError | None = None,
        *,
        streamed: bool = False,
    ) -> tuple[T, Request]:
        """Return the answer to ``whole``, and the request that was finally sent.

        Args:
            whole: The original request.
            answer: Answers a request.
            error: The rejection of ``whole`` itself, if it was already sent.
            streamed: Whether the caller wants a stream.
        """
        sent = whole
        while True:
            if error is None:
                turn = self._turns.get(asyncio.get_running_loop())
                if turn is not None and turn.locked():
                    async with turn:  # another request is finding the cause
                        pass
                sent = self._adapt(whole)
                try:
                    return await answer(sent, False), sent
                except BadRequestError as refused:
                    error = refused
            if refusal_in(error, sent, streamed=streamed) is None:
                raise error
            async with self._lock_for_loop():
                if is_same(self._adapt(whole), sent):
                    return await self._probe(whole, sent, error, answer, streamed)
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
        sent: Request,
        error: BadRequestError,
        answer: Answer[T],
        streamed: bool,
    ) -> tuple[T, Request]:
        guesses: list[Refusal] = []
        while True:
            refusal = refusal_in(error, sent, streamed=streamed)
            if refusal is None:
                raise error
            if refusal.setting is None:
                result = await self._search(whole, sent, error, answer, guesses)
                if result is not None:
                    return result
            else:
                guesses.append(refusal)
            sent = self._adapt(whole, guesses)
            try:
                answered = await answer(sent, True)
            except BadRequestError as again:
                if again.said != error.said:
                    self._learn_all(guesses, whole, sure=True)
                error = again
            except TransportError:
                raise  # says nothing about the setting
            except LMError:
                self._learn_all(guesses, whole, sure=True)
                raise
            else:
                await self._confirm(guesses, whole, answered)
                return answered, sent

    async def _search(
        self,
        whole: Request,
        sent: Request,
        error: BadRequestError,
        answer: Answer[T],
        guesses: list[Refusal],
    ) -> tuple[T, Request] | None:
        """Drop settings one by one, then more and more of them.

        Returns:
            The answer that shows which setting it was; ``None`` if it was one of several, and the
            request has to be sent again with what is known now.
        """
        held = [name for name in NAMED if name in DOUBTFUL and uses_setting(sent, name)]
        trials = [[name] for name in held] + [held[:many] for many in range(2, len(held) + 1)]
        for trial in trials if self._failed_searches < SEARCHES else []:
            tried = [*guesses, *map(Refusal, trial)]
            adapted = self._adapt(whole, tried)
            try:
                answered = await answer(adapted, True)
            except BadRequestError:
                continue
            self._failed_searches = 0
            await self._confirm([*guesses, tried[-1]], whole, answered)
            guesses.clear()
            if len(trial) == 1:
                return answered, adapted
            await _close_stream(answered)
            return None
        self._failed_searches += 1
        raise error

    def _adapt(self, whole: Request, guesses: Iterable[Refusal] = ()) -> Request:
        known = beside = frozenset[Setting]()
        if self._beside:
            beside = self._beside.get(settings_used(whole), beside)
        if not self._listeners:
            known = self._refused
        self._warn((known | beside) - self._warned, whole)
        known = self._refused | beside
        settings = {*known, *(guess.setting for guess in guesses if guess.setting is not None)}
        if self._schemas and schema_text(whole.response_schema) in self._schemas:
            settings.add("response_format")
        return drop_settings(whole, settings)

    async def _ask(self, sent: Request, n: int, careful: bool = False) -> Completion:
        if sent.n == n:
            return await self.inner.complete(sent)
        # Separate requests for every budget; with one seed they would all be the same.
        parts = [replace(sent, sampling=with_own_seed(sent.sampling, place)) for place in range(n)]
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
        except BaseException:  # raised by a listener
            await _close_stream(answered)
            raise

    def _learn_all(self, guesses: list[Refusal], whole: Request, *, sure: bool = False) -> None:
        """Record guesses; ``sure``: only those that the endpoint stated explicitly."""
        for guess in guesses:
            if guess.sure or not sure:
                self._learn(guess, whole)

    def _learn(self, refusal: Refusal, whole: Request) -> None:
        setting = refusal.setting
        assert setting is not None
        if refusal.one_schema:
            self._schemas.add(schema_text(whole.response_schema))
        elif refusal.together:
            shape = settings_used(whole)
            self._beside[shape] = self._beside.get(shape, frozenset()) | {setting}
        else:
            self.refuse({setting})

    def _warn(self, settings: Set[Setting], whole: Request) -> None:
        for setting in sorted(settings - QUIET - whole.optional):
            renamed = setting == "max_tokens" and "max_completion_tokens" not in self._refused
            if renamed or not uses_setting(whole, setting):
                continue
            self._warned.add(setting)
            instead = "prompts describe them" if setting == "tools" else "it is left out"
            warnings.warn(
                f"{self.name} does not accept {setting}: {instead} from now on",
                LangprogWarning,
                stacklevel=2,
            )


def dialect_of(model: LanguageModel) -> Negotiated | None:
    """Return the wrapper in a model that knows its endpoint's dialect, if any."""
    return next((layer for layer in layers_of(model) if isinstance(layer, Negotiated)), None)


async def _close_stream(answered: object) -> None:
    if isinstance(answered, _Started):
        await answered.rest.aclose()
