"""The wrapper that prices completions."""

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
    """Adds dollars to every completion that reports its tokens.

    Args:
        inner: The model.
        price: Its price, or ``None`` if unknown: completions then have no dollars, and a budget
            in dollars refuses the call rather than count it as free.
    """

    def __init__(self, inner: LanguageModel, price: Price | None) -> None:
        super().__init__(inner)
        self.price = price

    async def complete(self, request: Request) -> Completion:
        """Answer ``request`` and price the completion."""
        return self._add_price(await self.inner.complete(request), request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer; the final completion is priced."""
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
    """Return whether a prompt contains audio, for which some endpoints charge more."""
    return any(
        isinstance(part, Audio)
        for message in request.messages
        if not isinstance(message.content, str)
        for part in message.content
    )


def reprice(completion: Completion, request: Request, model: LanguageModel) -> Completion:
    """Return a remembered completion with today's price, where the model has one.

    Args:
        completion: The completion, as it was remembered.
        request: What was asked.
        model: The model that would be asked now.
    """
    price = price_in(model)
    if price is None or not completion.usage.total_tokens:
        return completion
    dollars = price.of(completion.usage, audio=has_audio(request))
    return replace(completion, dollars=dollars, priced_in="")


def price_in(model: LanguageModel) -> Price | None:
    """Return the price that a model applies to its completions, or ``None``."""
    return next((layer.price for layer in layers_of(model) if isinstance(layer, Priced)), None)
