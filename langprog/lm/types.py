"""What a language model is asked, what it answers, and the one method between the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from langprog.lm.budget import Ledger

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a prompt."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is drawn. ``None`` leaves a setting to the endpoint.

    A program stores a Sampling for every predictor, so it is part of the artifact.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None

    def over(self, other: Sampling) -> Sampling:
        """Return these settings, with ``other``'s wherever this one says nothing."""
        return Sampling(
            temperature=other.temperature if self.temperature is None else self.temperature,
            max_tokens=other.max_tokens if self.max_tokens is None else self.max_tokens,
            top_p=other.top_p if self.top_p is None else self.top_p,
            stop=self.stop or other.stop,
            seed=other.seed if self.seed is None else self.seed,
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that decides a completion.

    Args:
        messages: The prompt; what stays the same across calls comes first.
        sampling: How the completion is drawn.
        n: Number of completions wanted from this one prompt.
        response_schema: A JSON schema that the reply should follow, where the endpoint can.
        logprobs: Whether log-probabilities of the chosen tokens are wanted.
        ledgers: Who pays; not part of what is asked (ignored by ``==`` and by the cache key).
    """

    messages: tuple[Message, ...]
    sampling: Sampling = Sampling()
    n: int = 1
    response_schema: Mapping[str, Any] | None = None
    logprobs: bool = False
    ledgers: tuple[Ledger, ...] = field(default=(), compare=False, repr=False)

    @property
    def payers(self) -> tuple[Ledger, ...]:
        """The ledgers, each of them once."""
        return tuple(dict.fromkeys(self.ledgers))

    def with_ledgers(self, ledgers: Sequence[Ledger]) -> Request:
        """Return the same request, paid by ``ledgers``."""
        return replace(self, ledgers=tuple(ledgers))


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more calls, as the endpoint counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_prompt_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_prompt_tokens + other.cached_prompt_tokens,
        )


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered.

    Args:
        texts: ``n`` completions.
        model: The model's name, as the program knows it (``provider/model``).
        usage: Tokens that the request took.
        finish_reasons: ``stop``, ``length`` or what the endpoint says, one for each text.
        logprobs: For each text the log-probability of every chosen token, where asked for.
        dollars: What the request cost, or ``None`` where no price is known.
        latency: Seconds from request to full answer (of the original call when cached).
        cached: Whether this answer was paid for earlier.
    """

    texts: tuple[str, ...]
    model: str
    usage: Usage = Usage()
    finish_reasons: tuple[str, ...] = ()
    logprobs: tuple[tuple[float, ...], ...] | None = None
    dollars: float | None = None
    latency: float = 0.0
    cached: bool = False

    @property
    def text(self) -> str:
        """The first completion."""
        return self.texts[0]


@runtime_checkable
class LanguageModel(Protocol):
    """Anything that answers a Request; clients and wrappers share this shape, so they stack."""

    @property
    def name(self) -> str:
        """``provider/model``, as it stands in programs, artifacts and reports."""
        ...

    @property
    def endpoint(self) -> str:
        """Where requests go (a URL without secrets, or ``in-process``); part of the cache key."""
        ...

    @property
    def defaults(self) -> Sampling:
        """Sampling used where a request says nothing; part of what is asked."""
        ...

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``.

        Raises:
            LMError: One of its subclasses, told apart by what a caller should do.
            BudgetExceeded: One of ``request.ledgers`` cannot take the call.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections; the model can be used again afterwards."""
        ...
