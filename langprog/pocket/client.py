"""``pocket/<size>`` as a LanguageModel: in process, without key or network."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from langprog.errors import BadRequestError, ContextWindowError
from langprog.lm import Completion, Content, Part, Request, Sampling, Text, Usage
from langprog.pocket.generate import Settings
from langprog.pocket.models import Size, find_size, load_runner, weights_folder

_DEFAULTS = Sampling(temperature=0.0, max_tokens=256)


@cache
def _worker() -> ThreadPoolExecutor:
    # One thread for all sizes: the work is CPU-bound, and the event loop stays free.
    return ThreadPoolExecutor(1, thread_name_prefix="pocket")


class PocketLM:
    """An embedded language model; its weights are loaded with the first request.

    Args:
        size: ``small`` or ``pocket/small``.
        defaults: Sampling for what a request leaves open; by default greedy, at most 256 tokens.

    Raises:
        ModelError: There is no such size, or the weights are not installed.
    """

    def __init__(self, size: str = "small", defaults: Sampling | None = None) -> None:
        self._size = find_size(size)
        weights_folder()  # said here, before anything is begun
        self._defaults = (defaults or Sampling()).over(_DEFAULTS)

    @property
    def name(self) -> str:
        """``pocket/<size>``."""
        return f"pocket/{self._size.name}"

    @property
    def endpoint(self) -> str:
        """``in-process``."""
        return "in-process"

    @property
    def defaults(self) -> Sampling:
        """Sampling for what a request leaves open."""
        return self._defaults

    @property
    def size(self) -> Size:
        """The size, with its nominal price."""
        return self._size

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``; concurrent requests never change the answer.

        A JSON schema is not enforced: the model was trained on our adapters' formats.

        Raises:
            BadRequestError: A setting is out of range.
            ContextWindowError: The prompt leaves no room for an answer.
        """
        settings = self._settings(request)
        started = time.perf_counter()
        loop = asyncio.get_running_loop()
        left = threading.Event()
        try:
            completion = await loop.run_in_executor(
                _worker(), self._answer, request, settings, left
            )
        finally:
            left.set()  # a caller that was cancelled takes its work along
        dollars = self._price(completion.usage)
        return Completion(
            completion.texts,
            self.name,
            completion.usage,
            completion.finish_reasons,
            completion.logprobs,
            dollars,
            time.perf_counter() - started,
        )

    def _answer(self, request: Request, settings: Settings, left: threading.Event) -> Completion:
        messages = [(m.role, m.text) for m in request.messages]
        try:
            model = load_runner(self._size.name)
            prompt, drawn, kept = model.answer(messages, settings, request.n, left)
        except ContextWindowError as error:
            raise ContextWindowError(f"{self.name}: {error}", model=self.name) from error
        made = sum(len(d.logprobs) for d in drawn)
        return Completion(
            tuple(d.text for d in drawn),
            self.name,
            Usage(prompt.length, made, kept),
            tuple(d.reason for d in drawn),
            tuple(d.logprobs for d in drawn) if request.logprobs else None,
        )

    def _settings(self, request: Request) -> Settings:
        sampling = request.sampling.over(self._defaults)
        problem = _unsupported(request, sampling)
        if not request.messages:
            problem = "a request needs at least one message"
        if problem:
            raise BadRequestError(f"{self.name}: {problem}", model=self.name)
        return Settings(
            sampling.temperature or 0.0,
            sampling.top_p or 1.0,
            sampling.max_tokens or 256,
            tuple(s for s in sampling.stop if s),
            sampling.seed,
        )

    def _price(self, usage: Usage) -> float:
        size = self._size
        return (
            usage.prompt_tokens * size.input_price + usage.completion_tokens * size.output_price
        ) / 1e6

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""


def _unsupported(request: Request, sampling: Sampling) -> str | None:
    """Describe what an embedded model does not support in a request, if anything."""
    parts = [part for message in request.messages for part in _parts(message.content)]
    other = next((type(part).__name__ for part in parts if not isinstance(part, Text)), None)
    if other is not None:
        return f"an embedded model reads only text, not the part {other}"
    if request.tools:
        return "an embedded model calls no tools"
    if sampling.reasoning_effort is not None:
        return "an embedded model has no reasoning_effort"
    if sampling.extra:
        return f"an embedded model has no setting {next(iter(sampling.extra))!r}"
    return None


def _parts(content: Content) -> tuple[Part, ...]:
    return () if isinstance(content, str) else content
