"""What an endpoint does not take is found out from its refusals, and left out from then on.

No list of models says who takes a temperature: the endpoint itself does, once.
"""

from __future__ import annotations

import asyncio
import json
import threading
import warnings
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from langprog.errors import BadRequestError, LangprogWarning
from langprog.lm.parts import Text
from langprog.lm.refusals import (
    NAMED,
    ONE_SCHEMA,
    QUIET,
    UNSUPPORTED,
    Setting,
    holds,
    refused_setting,
)
from langprog.lm.streaming import Delta, replay_completion, stream_completion
from langprog.lm.types import Completion, LanguageModel, Message, Request, Sampling, Usage
from langprog.lm.wrapper import Wrapper, layers_of

Learned = Callable[[frozenset[Setting]], None]


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

    Args:
        inner: The model, without sampling defaults of its own.
        defaults: Sampling where a request says nothing.
    """

    def __init__(self, inner: LanguageModel, defaults: Sampling = Sampling()) -> None:
        super().__init__(inner)
        self._defaults = defaults
        self._refused: frozenset[Setting] = frozenset()
        self._refused_schemas: set[str] = set()
        self._lock = threading.Lock()
        self._told: list[Learned] = []

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
            told = list(self._told)
        if more:
            for tell in told:
                tell(self._refused)

    def tell(self, learned: Learned) -> None:
        """Call ``learned`` with all refused settings whenever one is found out.

        It is then for ``learned`` to say so; nobody is warned.
        """
        with self._lock:
            self._told.append(learned)

    def tell_no_more(self, learned: Learned) -> None:
        """Undo :meth:`tell`."""
        with self._lock:
            self._told.remove(learned)

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            BadRequestError: The endpoint refuses what cannot be left out.
        """
        whole = self._whole(request)
        doubted: tuple[Setting, ...] = ()
        while True:
            asked = self._put(whole, doubted)
            try:
                completion = await self._ask(asked, whole.n)
            except BadRequestError as error:
                doubted = self._next(error, whole, asked, doubted)
            else:
                self._confirm(doubted, whole)
                return _stopped(completion, whole, asked)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece; raises as ``complete``.

        Several completions, and a ``stop`` that the endpoint does not take, come whole.
        """
        whole = self._whole(request)
        doubted: tuple[Setting, ...] = ()
        while True:
            asked = self._put(whole, doubted)
            if whole.n > asked.n or _stops(whole) != _stops(asked):
                deltas = replay_completion(await self.complete(request))
            else:
                deltas = stream_completion(self.inner, asked)
            try:
                async with aclosing(deltas):
                    async for delta in deltas:
                        yield delta
            except BadRequestError as error:
                doubted = self._next(error, whole, asked, doubted)
            else:
                self._confirm(doubted, whole)
                return

    def _whole(self, request: Request) -> Request:
        return replace(request, sampling=request.resolve(self._defaults), extra=None)

    def _put(self, whole: Request, doubted: tuple[Setting, ...]) -> Request:
        settings = {*self._refused, *doubted}
        if self._refused_schemas and _written(whole.response_schema) in self._refused_schemas:
            settings.add("response_format")
        return without(whole, settings)

    async def _ask(self, asked: Request, n: int) -> Completion:
        if asked.n == n:
            return await self.inner.complete(asked)
        # Each a request of its own in every budget; a seed would make them all the same.
        parts = [replace(asked, sampling=_reseeded(asked.sampling, place)) for place in range(n)]
        tasks = [asyncio.create_task(self.inner.complete(part)) for part in parts]
        try:
            return joined(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _next(
        self,
        error: BadRequestError,
        whole: Request,
        asked: Request,
        doubted: tuple[Setting, ...],
    ) -> tuple[Setting, ...]:
        """Return the settings to leave out next time on trial; learn the one that is named.

        Raises:
            BadRequestError: The refusal, where nothing can be left out.
        """
        if not _same(asked, self._put(whole, doubted)):
            return doubted  # somebody else has learned meanwhile
        named = refused_setting(error, asked)
        if named == "response_format" and ONE_SCHEMA.search(error.said):
            self._refused_schemas.add(_written(whole.response_schema))
            return doubted
        if named is not None:
            self._learn(named, whole)
            return doubted
        if not UNSUPPORTED.search(error.said) or error.params:
            raise error
        # It says that something is not known to it, and not what: try settings one by one.
        left = [name for name in NAMED if name in _DOUBTFUL and holds(asked, name)]
        if not left:
            raise error
        return (*doubted, left[0])

    def _confirm(self, doubted: tuple[Setting, ...], whole: Request) -> None:
        # The last one that was left out made the difference; those before it are tried again.
        if doubted:
            self._learn(doubted[-1], whole)

    def _learn(self, setting: Setting, whole: Request) -> None:
        known = setting in self._refused
        self.refuse({setting})
        if known or self._told or setting in QUIET or setting in whole.optional:
            return
        if setting == "max_tokens" and "max_completion_tokens" not in self._refused:
            return  # it is sent under its other name
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


def without(request: Request, settings: set[Setting]) -> Request:
    """Return ``request`` as it is put to an endpoint that refuses ``settings``."""
    if not settings:
        return request
    sampling = request.sampling
    if settings & {"temperature", "seed", "top_p", "reasoning_effort"}:
        sampling = replace(
            sampling,
            temperature=None if "temperature" in settings else sampling.temperature,
            seed=None if "seed" in settings else sampling.seed,
            top_p=None if "top_p" in settings else sampling.top_p,
            reasoning_effort=None if "reasoning_effort" in settings else sampling.reasoning_effort,
        )
    if "stop" in settings:
        sampling = replace(sampling, stop=())
    if "max_completion_tokens" in settings and "max_tokens" in settings:
        sampling = replace(sampling, max_tokens=None)
    messages = request.messages
    return replace(
        request,
        messages=without_system(messages) if "system" in settings else messages,
        sampling=sampling,
        n=1 if "n" in settings else request.n,
        response_schema=None if "response_format" in settings else request.response_schema,
        logprobs=request.logprobs and "logprobs" not in settings,
        tool_choice=None if "tool_choice" in settings else request.tool_choice,
        token_limit="max_completion_tokens" if "max_tokens" in settings else "max_tokens",
        stream_usage="stream_options" not in settings,
    )


def without_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a prompt with the system's text at the head of the user's first message."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    for place, message in enumerate(others):
        if message.role == "user":
            content = message.content
            merged = (
                f"{system}\n\n{content}"
                if isinstance(content, str)
                else (Text(f"{system}\n\n"), *content)
            )
            return (*others[:place], Message("user", merged), *others[place + 1 :])
    return (Message("user", system), *others)


def joined(completions: list[Completion]) -> Completion:
    """Return several completions of one text each as one of several texts."""
    first = completions[0]
    dollars = [completion.dollars for completion in completions]
    logprobs = [completion.logprobs for completion in completions]
    calls = tuple(completion.first_tool_calls for completion in completions)
    reasoning = tuple("".join(completion.reasoning[:1]) for completion in completions)
    return Completion(
        tuple(completion.text for completion in completions),
        first.model,
        sum((completion.usage for completion in completions), Usage()),
        tuple(completion.finish_reason for completion in completions),
        None if None in logprobs else tuple(values[0] for values in logprobs if values),
        None if None in dollars else sum(value for value in dollars if value is not None),
        max(completion.latency for completion in completions),
        tool_calls=calls if any(calls) else (),
        reasoning=reasoning if any(reasoning) else (),
    )


def _reseeded(sampling: Sampling, place: int) -> Sampling:
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + place)


def _stops(request: Request) -> tuple[str, ...]:
    return request.sampling.stop


def _stopped(completion: Completion, whole: Request, asked: Request) -> Completion:
    """Cut texts where the endpoint would have stopped, had it taken ``stop``."""
    if _stops(asked) == _stops(whole):
        return completion
    texts, reasons = [], []
    for text, reason in zip(completion.texts, completion.finish_reasons, strict=True):
        ends = [at for stop in _stops(whole) if stop and (at := text.find(stop)) >= 0]
        texts.append(text[: min(ends)] if ends else text)
        reasons.append("stop" if ends else reason)
    return replace(completion, texts=tuple(texts), finish_reasons=tuple(reasons))


def _same(left: Request, right: Request) -> bool:
    return (left, left.token_limit, left.stream_usage) == (
        right,
        right.token_limit,
        right.stream_usage,
    )


def _written(schema: Mapping[str, Any] | None) -> str:
    return json.dumps(schema, default=dict)
