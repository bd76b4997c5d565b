"""Generating completions: greedy or sampled, with stop strings and log-probabilities."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from langprog.errors import ContextWindowError
from langprog.pocket.engine import Network, Prefixes, State
from langprog.pocket.tokenizer import ASSISTANT, END, SYSTEM, USER, Tokenizer

_MARKS = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}


@dataclass(frozen=True)
class Prompt:
    """A conversation as token ids, split before its last user message."""

    prefix: tuple[int, ...]
    rest: tuple[int, ...]

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.prefix) + len(self.rest)


@dataclass(frozen=True)
class Settings:
    """How a completion is drawn."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True)
class Drawn:
    """A completion: its text, why it ended, and the log-probability of each chosen token."""

    text: str
    reason: str
    logprobs: tuple[float, ...]


def prompt_of(tokenizer: Tokenizer, messages: Sequence[tuple[str, str]]) -> Prompt:
    """Return (role, content) pairs as token ids."""
    parts = [(_MARKS[role], *tokenizer.encode(text), END) for role, text in messages]
    last = max((i for i, (role, _) in enumerate(messages) if role == "user"), default=0)
    prefix = tuple(t for part in parts[:last] for t in part)
    return Prompt(prefix, (*(t for part in parts[last:] for t in part), ASSISTANT))


class Generator:
    """A network with its vocabulary and cached prefixes; one request at a time."""

    def __init__(
        self, network: Network, tokenizer: Tokenizer, prefixes: Prefixes | None = None
    ) -> None:
        self.network, self.tokenizer = network, tokenizer
        self.prefixes = prefixes or Prefixes()

    def draw(self, prompt: Prompt, settings: Settings, n: int = 1) -> tuple[list[Drawn], int]:
        """Return ``n`` completions and how many prompt tokens were cached.

        Raises:
            ContextWindowError: The prompt leaves no room for an answer.
        """
        context = self.network.shape.context
        if prompt.length >= context:
            raise ContextWindowError(
                f"the prompt has {prompt.length} tokens; this model reads at most {context - 1}: "
                "use fewer or shorter demonstrations"
            )
        prefix, kept = self.prefixes.state(self.network, prompt.prefix)
        limit = min(settings.max_tokens, context - prompt.length)
        state = prefix.grow(prompt.length)
        last = self.network.read(state, prompt.rest)[-1]
        drawn = []
        for i in range(n):
            rng = _make_generator(prompt, settings, i) if settings.temperature > 0 else None
            drawn.append(
                self._complete(state.grow(prompt.length + limit), last, settings, limit, rng)
            )
        return drawn, len(prompt.prefix) if kept else 0

    def _complete(
        self,
        state: State,
        last: NDArray[np.float32],
        settings: Settings,
        limit: int,
        rng: np.random.Generator | None,
    ) -> Drawn:
        ids: list[int] = []
        logprobs: list[float] = []
        while len(ids) < limit:
            if ids:
                last = self.network.read(state, ids[-1:])[-1]
            token, logprob = _choose(self.network.logits(last), settings, rng)
            logprobs.append(logprob)
            if token <= END:
                return Drawn(self.tokenizer.decode(ids), "stop", tuple(logprobs))
            ids.append(token)
            cut = _stop_at(self.tokenizer.decode(ids), settings.stop) if settings.stop else None
            if cut is not None:
                return Drawn(self.tokenizer.decode(ids)[:cut], "stop", tuple(logprobs))
        return Drawn(self.tokenizer.decode(ids), "length", tuple(logprobs))


def _stop_at(text: str, stop: Sequence[str]) -> int | None:
    return min((text.find(s) for s in stop if s in text), default=None)


def _make_generator(prompt: Prompt, settings: Settings, index: int) -> np.random.Generator:
    """Return a generator that depends only on the seed, the prompt and the index."""
    if settings.seed is None:
        return np.random.default_rng(secrets.randbits(128))
    text = f"{settings.seed}/{index}/{prompt.prefix}/{prompt.rest}"
    digest = hashlib.sha256(text.encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))


def _choose(
    scores: NDArray[np.float32], settings: Settings, rng: np.random.Generator | None
) -> tuple[int, float]:
    """Return a token and its log-probability, at temperature 1 if greedy, else as sampled."""
    high = scores.astype(np.float64)
    if rng is not None:
        high = high / settings.temperature
    high -= high.max()
    weights = np.exp(high)
    total = weights.sum()
    if rng is None:
        token = int(np.argmax(scores))
        return token, float(high[token] - np.log(total))
    probabilities = weights / total
    order = np.argsort(-probabilities, kind="stable")
    below = np.cumsum(probabilities[order])
    count = int(np.searchsorted(below, settings.top_p)) + 1 if settings.top_p < 1 else len(order)
    point = rng.random() * below[min(count, len(order)) - 1]
    token = int(order[min(int(np.searchsorted(below, point, side="right")), count - 1)])
    return token, float(high[token] - np.log(total))
