"""How long a program's prompts are, and how much of them is the same in every call.

An endpoint that caches prefixes charges less for what a prompt has in common with earlier ones,
from its beginning. How much was cached in a search depends on what else was asked meanwhile; what
the prompts of one program have in common does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from os.path import commonprefix

from langprog import Module
from langprog.evaluation import Row
from langprog.lm import Message, Usage, price_in
from langprog.modules import TraceStep
from langprog.runtime import model_named

# Where an endpoint counts no tokens.
CHARACTERS_A_TOKEN = 4.0


@dataclass(frozen=True, slots=True)
class PromptSize:
    """The average call of a predictor.

    Args:
        calls: Calls in a run of the program.
        tokens: Tokens of the prompt.
        shared: How many of them, from the first, all its prompts have in common.
        reply: Tokens of the reply.
        unreadable: Share of the calls whose first reply could not be read.
    """

    calls: float
    tokens: float
    shared: float
    reply: float
    unreadable: float = 0.0


@dataclass(slots=True)
class _Sum:
    calls: int = 0
    characters: int = 0
    tokens: float = 0.0
    reply: float = 0.0
    unreadable: int = 0
    prefix: str = ""

    def add(self, step: TraceStep) -> None:
        text = _write(step.messages)
        # A repair has a longer prompt than the call itself.
        usage = min((c.usage for c in step.completions), key=_prompt_tokens, default=Usage())
        self.prefix = text if not self.calls else _find_common(self.prefix, text)
        self.calls += 1
        self.characters += len(text)
        self.tokens += usage.prompt_tokens or len(text) / CHARACTERS_A_TOKEN
        self.reply += usage.completion_tokens
        self.unreadable += step.repairs > 0

    def size(self, runs: int) -> PromptSize:
        # Tokens cannot be told apart here, so they are taken to be about equally long.
        common = len(self.prefix) * self.calls / self.characters if self.calls > 1 else 0.0
        tokens = self.tokens / self.calls
        return PromptSize(
            self.calls / runs,
            tokens,
            tokens * common,
            self.reply / self.calls,
            self.unreadable / self.calls,
        )


@dataclass
class PromptMeter:
    """Adds up the prompts of a program's runs, by predictor."""

    _sums: dict[str, _Sum] = field(default_factory=dict)
    _runs: int = 0

    def add(self, rows: Iterable[Row]) -> None:
        """Count the calls of some runs."""
        for row in rows:
            self._runs += bool(row.trace)
            for step in row.trace:
                if step.listed and step.messages:
                    self._sums.setdefault(step.path, _Sum()).add(step)

    @property
    def sizes(self) -> dict[str, PromptSize]:
        """The average call of each predictor that was called, by path."""
        return {path: total.size(self._runs) for path, total in self._sums.items()}


def price_query(program: Module, sizes: Mapping[str, PromptSize]) -> tuple[float | None, float]:
    """Return what a run of a program takes, once its prompts' common beginnings are cached.

    Args:
        program: The program.
        sizes: The average call of each of its predictors, by path.

    Returns:
        Dollars, with shared tokens at the price of cached ones, and all tokens; no dollars where
        a price is unknown.
    """
    dollars: float | None = 0.0
    predictors = program.predictors()
    tokens = 0.0
    for path, size in sizes.items():
        tokens += size.calls * (size.tokens + size.reply)
        predictor = predictors.get(path)
        if predictor is None:  # inside a module of another library, and the same whatever is set
            continue
        price = price_in(model_named(predictor.model))
        if price is None or dollars is None:
            dollars = None
            continue
        usage = Usage(round(size.tokens), round(size.reply), round(size.shared))
        dollars += size.calls * price.of(usage)
    return dollars, tokens


def _write(messages: Iterable[Message]) -> str:
    return "\x1e".join(f"{message.role}\x1f{message.text}" for message in messages)


def _find_common(prefix: str, text: str) -> str:
    return prefix if text.startswith(prefix) else commonprefix((prefix, text))


def _prompt_tokens(usage: Usage) -> int:
    return usage.prompt_tokens
