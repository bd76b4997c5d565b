"""Ask several times, take the answer that comes most often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Literal, Self, TypeVar

from langprog.errors import InputError, LangprogError, SignatureError
from langprog.modules.around import (
    SURVIVED,
    Around,
    checked_count,
    checked_module,
    judged,
    verdict_fits,
)
from langprog.modules.base import Module
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.prediction import Prediction
from langprog.modules.tree import Parameter
from langprog.runtime import drawing, in_order

M = TypeVar("M", bound=Module)

# How many samples a search tries, beside what there are now.
SIZES = (1, 3, 5, 9)

# Outputs that say how an answer came about; two answers may differ in them and be the same.
_ASIDE = frozenset({"reasoning"})


@dataclass(frozen=True, slots=True)
class Tally:
    """How a vote went.

    Args:
        winner: The earliest of the samples with the answer that won.
        share: Its share of the votes, above 0 to 1.
        votes: Samples that had a vote.
    """

    winner: Prediction
    share: float
    votes: int


class VoteNode(Node):
    """A module that is asked several times, and the most frequent answer taken.

    Args:
        module: Its kind.
        asks: What is asked.
        k: Samples at most.
        temperature: Used by predictors that say none themselves.
        voted_on: Outputs that are voted on; empty for all but the reasoning.
        keep: What refuses samples; null for nothing.
    """

    module: Literal["Vote"]
    asks: AnyNode
    k: int
    temperature: float
    voted_on: list[str]
    keep: AnyNode | None

    def children(self) -> dict[str, Node]:
        """Return the node of what is asked, as ``module``, and that of what refuses samples."""
        asked = {"module": self.asks}
        return asked if self.keep is None else {**asked, "keep": self.keep}


class Vote(Around):
    """Ask a module k times, with sampling, and return the answer that most samples give.

    Sampling ends as soon as no further sample could change the winner. A sample that fails (on
    the way, or because it cannot be read) has no vote. With ``k=1`` the module is asked as it is.

    Follows: Self-Consistency Improves Chain of Thought Reasoning in Language Models (Wang et al.,
    2023); ``keep``: Filter Vote of Are More LLM Calls All You Need? (Chen et al., 2024). Differs:
    stops early; of equally many votes the answer that came first wins.

    Example::

        lp.Vote(lp.ChainOfThought("question -> answer: int"), k=5)

    Args:
        module: What is asked.
        k: Samples at most.
        temperature: Used by predictors that say none themselves, or 0.
        on: Outputs that are voted on; all but ``reasoning`` if left out.
        keep: A module whose first output is a bool: samples that it refuses have no vote, unless
            it refuses all. It gets the inputs and outputs that it has an input for.

    Raises:
        InputError: Something of this is not as said.
    """

    node: ClassVar[type[Node]] = VoteNode
    module: Module
    k: int
    temperature: float
    on: list[str]
    keep: Module | None

    def __init__(
        self,
        module: Module,
        *,
        k: int = 5,
        temperature: float = 0.7,
        on: Sequence[str] = (),
        keep: Module | None = None,
    ) -> None:
        self.module = checked_module(module, "what a Vote asks")
        self.k = checked_count(k, "k of a Vote")
        if not (temperature > 0.0 and math.isfinite(temperature)):
            raise InputError(f"temperature of a Vote is above 0, not {temperature}")
        self.temperature = float(temperature)
        self.on = [on] if isinstance(on, str) else list(on)
        self.keep = keep
        if keep is not None:
            verdict_fits(checked_module(keep, "keep of a Vote"), "keep of a Vote")

    @property
    def inner(self) -> Module:
        """The module that is asked."""
        return self.module

    def own_parameters(self) -> dict[str, Parameter]:
        """Return k."""
        return {"k": Parameter("k", self.k)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with this k."""
        return with_count(self, values)

    def search_space(self) -> dict[str, Sequence[int]]:
        """Return a few sizes for k."""
        return {"k": SIZES}

    def calls_per_example(self) -> int:
        """Return the calls of k samples, and of what refuses some."""
        keep = 0 if self.keep is None or self.k == 1 else self.keep.calls_per_example()
        return self.k * (self.module.calls_per_example() + keep)

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "Vote",
            "asks": parts["module"],
            "k": self.k,
            "temperature": self.temperature,
            "voted_on": self.on,
            "keep": parts.get("keep"),
        }

    @classmethod
    def from_node(cls, node: VoteNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(
            parts["module"],
            k=node.k,
            temperature=node.temperature,
            on=node.voted_on,
            keep=parts.get("keep"),
        )

    async def aforward(self, **inputs: Any) -> Prediction:
        """Ask, count, return the winner."""
        if self.k == 1:
            return await self.module.acall(**inputs)
        return (await self.tally(inputs)).winner

    async def tally(self, inputs: Mapping[str, Any], *, early: bool = True) -> Tally:
        """Ask and count.

        Args:
            inputs: What the module is asked.
            early: Whether sampling ends once the winner is certain; the share of the votes is
                then no longer that of k samples.

        Raises:
            LangprogError: Every sample failed; the first failure is raised.
        """
        drawn: list[tuple[Prediction, bool]] = []
        failures: list[LangprogError] = []
        asked = 0
        while asked < self.k:
            wave = needed(_votes(drawn, self.on), self.k - asked) if early else self.k
            if not wave:
                break
            works = [partial(self._draw, number, inputs) for number in range(asked, asked + wave)]
            for found in await in_order(works, wave):
                if isinstance(found, LangprogError):
                    failures.append(found)
                else:
                    drawn.append(found)
            asked += wave
        if not drawn:
            raise failures[0]
        kept = [answer for answer, good in drawn if good] or [answer for answer, _ in drawn]
        votes = Counter(answer_key(one, self.on) for one in kept)
        top, count = votes.most_common(1)[0]
        winner = next(one for one in kept if answer_key(one, self.on) == top)
        return Tally(winner, count / len(kept), len(kept))

    async def _draw(
        self, number: int, inputs: Mapping[str, Any]
    ) -> tuple[Prediction, bool] | LangprogError:
        try:
            with drawing(number, self.temperature):
                answer = await self.module.acall(**inputs)
            # Outside the draw: a verdict is wanted, not a sample of one.
            return answer, self.keep is None or await judged(self.keep, inputs, answer) > 0
        except SURVIVED as error:
            return error

    def __repr__(self) -> str:
        return f"Vote({self.module!r}, k={self.k})"


def with_count(module: M, values: Mapping[str, Any]) -> M:
    """Return a copy of a module whose one own parameter is ``k``."""
    if values.keys() != {"k"}:
        raise InputError(f"a {type(module).__name__} has only the parameter k")
    new = module.with_children(module.children())
    vars(new)["k"] = checked_count(values["k"], f"k of a {type(module).__name__}")
    return new


def _votes(drawn: Sequence[tuple[Prediction, bool]], on: Sequence[str]) -> Counter[str]:
    return Counter(answer_key(answer, on) for answer, good in drawn if good)


def needed(votes: Counter[str], left: int) -> int:
    """Return how many more samples can decide a vote at the earliest; 0 where it is decided.

    Example: 5 samples in all, none drawn: 3; 3 drawn and 2 of them equal, 2 left: 1.

    Args:
        votes: Votes so far, by answer.
        left: Samples that may still be drawn.
    """
    counts = [count for _, count in votes.most_common(2)] + [0, 0]
    lead = counts[0] - counts[1]
    if not left or lead > left:
        return 0
    # After so many for the leader, those that are left could not catch up.
    return (left - lead) // 2 + 1


def answer_key(answer: Mapping[str, Any], on: Sequence[str]) -> str:
    """Return a text that is the same for answers that count as the same.

    Args:
        answer: Outputs by name.
        on: Outputs that count; all but ``reasoning`` where it is empty.

    Raises:
        SignatureError: An output that counts is not there.
    """
    names = on or [name for name in answer if name not in _ASIDE]
    missing = [name for name in names if name not in answer]
    if missing:
        raise SignatureError(
            f"the vote is on {', '.join(missing)}, but the outputs are {', '.join(answer)}"
        )
    return repr([_same(answer[name]) for name in names])


def _same(value: Any) -> Any:
    return " ".join(value.split()).casefold() if isinstance(value, str) else _shown(value)


def _shown(value: Any) -> Any:
    """Return a value in a form that looks the same wherever values are equal."""
    if isinstance(value, (set, frozenset)):
        return ["set", *sorted(repr(_shown(item)) for item in value)]
    if isinstance(value, Decimal) and value.is_finite():
        return value.normalize()
    if isinstance(value, (list, tuple)):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {key: _shown(value[key]) for key in sorted(value, key=repr)}
    return value
