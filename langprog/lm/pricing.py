"""What a call costs: dollars per million tokens, for each model."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from numbers import Real

from langprog.errors import ModelError
from langprog.lm.streaming import Completed, Delta, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request, Usage
from langprog.lm.wrapper import Wrapper, layers_of


@dataclass(frozen=True, slots=True)
class Price:
    """A price list's line.

    Args:
        input: Dollars per million prompt tokens.
        output: Dollars per million completion tokens.
        cached_input: Dollars per million prompt tokens that the endpoint had in its own cache;
            as ``input`` where it is left out.

    Raises:
        ModelError: A price is negative, or no number.
    """

    input: float
    output: float
    cached_input: float | None = None

    def __post_init__(self) -> None:
        cached = self.input if self.cached_input is None else self.cached_input
        for value in (self.input, self.output, cached):
            number = isinstance(value, Real) and not isinstance(value, bool)
            if not number or not 0 <= value < float("inf"):
                raise ModelError(f"a price must be 0 or more dollars per million, not {value!r}")

    def of(self, usage: Usage) -> float:
        """Return the dollars that ``usage`` costs."""
        cached = min(usage.cached_prompt_tokens, usage.prompt_tokens)
        cached_rate = self.input if self.cached_input is None else self.cached_input
        fresh = usage.prompt_tokens - cached
        total = fresh * self.input + cached * cached_rate + usage.completion_tokens * self.output
        return total / 1_000_000


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
        return self._priced(await self.inner.complete(request))

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece; the whole at the end has its price."""
        async with aclosing(stream_completion(self.inner, request)) as deltas:
            async for delta in deltas:
                if isinstance(delta, Completed):
                    delta = Completed(self._priced(delta.completion))
                yield delta

    def _priced(self, completion: Completion) -> Completion:
        if self.price is None or not completion.usage.total_tokens:
            return completion
        return replace(completion, dollars=self.price.of(completion.usage))


@lru_cache(maxsize=1)
def _table() -> dict[str, Price]:
    text = resources.files("langprog.lm").joinpath("prices.json").read_text(encoding="utf-8")
    return {name: Price(**line) for name, line in json.loads(text)["models"].items()}


def price_of(name: str) -> Price | None:
    """Return the price that is known for a model by name, else ``None``."""
    provider = name.partition("/")[0]
    if provider in ("ollama", "vllm", "sglang", "llamacpp"):
        return Price(0.0, 0.0)  # runs on the user's own machine; nobody bills the tokens
    return _table().get(name)


def price_in(model: LanguageModel) -> Price | None:
    """Return the price that a model's answers are marked with, else ``None``."""
    return next((layer.price for layer in layers_of(model) if isinstance(layer, Priced)), None)
