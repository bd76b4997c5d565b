"""Completions with a price on them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from langprog.lm.parts import Audio
from langprog.lm.price import Price
from langprog.lm.streaming import Completed, Delta, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper, layers_of


class Priced(Wrapper):
    """Puts a price on every completion that says how many tokens it took.

    Args:
        inner: The model.
        price: Its price, or ``None`` where none is known: then a completion has no dollars, and a
            budget in dollars refuses the call rather than take it for free.
    """

    def __init__(self, inner: LanguageModel, price: Price | None) -> None:
        super().__init__(inner)
        self.price = price

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``, with its price."""
        return self._add_price(await self.inner.complete(request), request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece; the whole at the end has its price."""
        async with aclosing(stream_completion(self.inner, request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Completed):
                    delta = Completed(self._add_price(delta.completion, request))
                yield delta

    def _add_price(self, completion: Completion, request: Request) -> Completion:
        if self.price is None or not completion.usage.total_tokens:
            return completion
        dollars = self.price.of(completion.usage, audio=has_audio(request))
        return replace(completion, dollars=dollars)


def has_audio(request: Request) -> bool:
    """Return whether a prompt holds sounds, which some endpoints charge more for."""
    return any(
        isinstance(part, Audio)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def price_in(model: LanguageModel) -> Price | None:
    """Return the price that a model's answers are marked with, else ``None``."""
    return next((layer.price for layer in layers_of(model) if isinstance(layer, Priced)), None)
