"""How a completion is drawn: temperature, length and the like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import InputError
from langprog.hints import with_hinted_fields
from langprog.knobs import MOST_TOKENS, check_knobs, takes_number, takes_whole
from langprog.lm.elsewhere import OF_SAMPLING

# Body members that langprog sets from the request; ``extra`` must not contain them.
OWN_MEMBERS = frozenset(
    {
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "n",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)


@with_hinted_fields(OF_SAMPLING)
@dataclass(frozen=True, slots=True)
class Sampling:
    """How a completion is drawn. ``None`` leaves a setting to the endpoint.

    A program stores a Sampling for every predictor, so it is part of the artifact.

    Args:
        temperature: 0 or more.
        max_tokens: The longest reply, in tokens; includes thinking if the endpoint counts it.
        top_p: Above 0, at most 1.
        stop: Texts that end the reply.
        seed: Makes samples repeatable if the endpoint supports it.
        reasoning_effort: ``low``, ``medium``, ``high`` or another value that the endpoint knows.
        extra: Additional members of the request's body, plain JSON, for endpoint-specific
            settings (``{"top_k": 20}``).

    Raises:
        InputError: A setting is out of range, or a member of ``extra`` is one that langprog sets
            itself.
    """

    temperature: float | None = field(default=None, metadata=takes_number(0, 100))
    max_tokens: int | None = field(default=None, metadata=takes_whole(1, MOST_TOKENS))
    top_p: float | None = field(default=None, metadata=takes_number(0, 1, above=True))
    stop: tuple[str, ...] = ()
    seed: int | None = field(default=None, metadata=takes_whole(-(2**63), 2**63 - 1))
    reasoning_effort: str | None = None
    extra: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        check_knobs(self)
        if self.extra:
            check_extra(self.extra)

    def over(self, other: Sampling) -> Sampling:
        """Return these settings, with unset ones taken from ``other``."""
        if other == _UNSET:
            return self
        return Sampling(
            temperature=other.temperature if self.temperature is None else self.temperature,
            max_tokens=other.max_tokens if self.max_tokens is None else self.max_tokens,
            top_p=other.top_p if self.top_p is None else self.top_p,
            stop=self.stop or other.stop,
            seed=other.seed if self.seed is None else self.seed,
            reasoning_effort=other.reasoning_effort
            if self.reasoning_effort is None
            else self.reasoning_effort,
            extra={**(other.extra or {}), **(self.extra or {})} or None,
        )


_UNSET = Sampling()


def check_extra(extra: Mapping[str, Any]) -> None:
    """Refuse members of a body that would bypass budgets, dialects and the parsing of replies.

    Raises:
        InputError: There is one.
    """
    taken = sorted(OWN_MEMBERS.intersection(extra))
    if taken:
        raise InputError(
            f"extra contains {taken[0]!r}, which langprog sets itself: use its own setting instead"
        )
