"""Models whose calls wait for the next batch."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from langprog.batch.provider.queues import Queue
from langprog.batch.provider.waves import Waves
from langprog.errors import ModelError, TransportError
from langprog.lm import (
    IN_PROCESS,
    Budgeted,
    Cached,
    Completion,
    Declared,
    LanguageModel,
    Negotiated,
    NegotiatedTogether,
    OpenAICompatible,
    Price,
    Priced,
    Recorded,
    Request,
    Retry,
    Sampling,
    Setting,
    Throttle,
    dialect_of,
    largest_cost,
    layers_of,
    price_in,
)

# Wrappers that batches have in their own form, or do not need.
_KNOWN = (Budgeted, Cached, Declared, Negotiated, Priced, Recorded, Retry, Throttle)


class BatchedModel:
    """A client whose requests are sent in batches.

    Args:
        waves: Collects and sends them.
        queue: The model's queue.
    """

    def __init__(self, waves: Waves, queue: Queue) -> None:
        self._waves, self._queue, self._client = waves, queue, queue.client
        self._priced = Priced(self, queue.price)

    @property
    def name(self) -> str:
        """The client's name."""
        return self._client.name

    @property
    def endpoint(self) -> str:
        """The client's endpoint."""
        return self._client.endpoint

    @property
    def defaults(self) -> Sampling:
        """The client's defaults."""
        return self._client.defaults

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``, hours later.

        Raises:
            LMError: One of its subclasses.
            ModelError: The request has headers of its own, which a batch cannot send.
        """
        if request.headers:
            raise ModelError(
                f"{self.name}: a request with headers of its own cannot be sent in a batch: pass "
                "headers= to lp.LM"
            )
        most = largest_cost(request, self._priced)
        while True:
            started = time.monotonic()
            reply = await self._waves.ask(self._queue, request, most)
            if reply.status != 200:
                raise self._client.error(reply.status, reply.body, request)
            try:
                completion = self._client.read(reply.body, request, time.monotonic() - started)
            except TransportError:
                self._waves.spoil(self._queue, request)
                raise
            if not reply.replayed:
                return completion
            if not self._waves.retry_refused or (completion.whole and request.accepts(completion)):
                return replace(completion, cached=True)
            self._waves.spoil(self._queue, request)

    async def aclose(self) -> None:
        """Close the client."""
        await self._client.aclose()


class _Remembering(NegotiatedTogether):
    """Remembers an endpoint's dialect beyond this process."""

    def __init__(
        self,
        inner: LanguageModel,
        defaults: Sampling,
        remember: Callable[[Iterable[str]], None],
    ) -> None:
        super().__init__(inner, defaults)
        self._remember = remember

    def refuse(self, settings: Iterable[Setting]) -> None:
        before = self.refused
        super().refuse(settings)
        if self.refused != before:
            self._remember(self.refused)


class ProviderModels:
    """Replaces models by ones that send their requests in batches.

    Args:
        waves: Collects and sends the requests.
    """

    def __init__(self, waves: Waves) -> None:
        self._waves = waves
        self._made: dict[int, tuple[LanguageModel, LanguageModel]] = {}
        self._lock = threading.Lock()

    def wrap(self, model: LanguageModel) -> LanguageModel:
        """Return the model to call in place of ``model``; one in this process is called as it is.

        Raises:
            ModelError: It is not a model of an OpenAI-compatible endpoint, or has wrappers of the
                user's own.
        """
        with self._lock:
            # The first model is kept, so that its id is not used again.
            if id(model) not in self._made:
                self._made[id(model)] = model, self._make(model)
            return self._made[id(model)][1]

    def _make(self, model: LanguageModel) -> LanguageModel:
        if model.endpoint == IN_PROCESS:
            return model
        client = client_of(model)
        options = self._waves.options
        list_price = price_in(model)
        price: Price | None = None
        if list_price is not None:
            price = list_price.times(1.0 - options.discount)
        queue = self._waves.open(client, price)
        inner: LanguageModel = BatchedModel(self._waves, queue)
        for layer in layers_of(model):
            if isinstance(layer, Declared):
                inner = Declared(inner, layer.capabilities)
        paid = Budgeted(Priced(inner, price))
        dialect = dialect_of(model)
        negotiated = _Remembering(
            paid, model.defaults, lambda settings: self._waves.note_refused(queue, settings)
        )
        known: set[Setting] = {*(dialect.refused if dialect is not None else ())}
        negotiated.refuse(known | self._waves.refused_by(queue))
        made: LanguageModel = Retry(negotiated, attempts=options.attempts, first_wait=0.0)
        for layer in layers_of(model):
            if isinstance(layer, Cached):
                made = Cached(made, layer.cache)
        return made


def client_of(model: LanguageModel) -> OpenAICompatible:
    """Return the client in a model.

    Raises:
        ModelError: There is none, or it has wrappers that batches would leave out.
    """
    *wrappers, client = layers_of(model)
    if not isinstance(client, OpenAICompatible):
        raise ModelError(
            f"{model.name} is not a model of an OpenAI-compatible endpoint, so it cannot be asked "
            "in batches: leave out --engine provider, or name another model"
        )
    own = [type(layer).__name__ for layer in wrappers if not isinstance(layer, _KNOWN)]
    if own:
        raise ModelError(
            f"{model.name} is wrapped in {', '.join(own)}, which batches would leave out: pass "
            "the model without it"
        )
    return client
