"""Draw several samples and take the most frequent answer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Literal, Self, TypeVar

from langprog.errors import InputError, LangprogError, SignatureError
from langprog.hints import with_hints
from langprog.modules.around import (
    SURVIVED,
    Around,
    check_count,
    check_module,
    check_verdict,
    judge_answer,
)
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_VOTE
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.prediction import Prediction
from langprog.modules.tree import Parameter
from langprog.notebook import shorten
from langprog.runtime import gather_in_order, reserve_together, sample_draw

M = TypeVar("M", bound=Module)

# Numbers of samples that a search tries, in addition to the current one.
SIZES = (1, 3, 5, 9)

# Outputs that explain an answer: equal answers may differ in them.
_ASIDE = frozenset({"reasoning"})


@dataclass(frozen=True, slots=True)
class Tally:
    """The result of a vote.

    Args:
        winner: The earliest sample with the winning answer.
        share: Its share of the votes, above 0 and up to 1.
        votes: Number of samples that voted.
    """

    winner: Prediction
    share: float
    votes: int


class VoteNode(Node):
    """A module that is sampled several times for the most frequent answer.

    Args:
        module: Its kind.
        asks: The module to sample.
        k: Maximum number of samples.
        temperature: For predictors without a temperature.
        voted_on: Outputs to vote on; empty for all but the reasoning.
        keep: The module that filters samples; null for none.
    """

    module: Literal["Vote"]
    asks: AnyNode
    k: int
    temperature: float
    voted_on: list[str]
    keep: AnyNode | None

    def children(self) -> dict[str, Node]:
        """Return the sampled module's node as ``module``, and the filter's as ``keep``."""
        sampled = {"module": self.asks}
        return sampled if self.keep is None else {**sampled, "keep": self.keep}


class Vote(Around):
    """Sample a module k times and return the most frequent answer.

    Sampling ends as soon as no further sample could change the winner. A sample that fails (in
    transit, or because it cannot be read) has no vote. With ``k=1``, the module is simply called.

    Follows: Self-Consistency Improves Chain of Thought Reasoning in Language Models (Wang et al.,
    2023); ``keep``: Filter Vote of Are More LLM Calls All You Need? (Chen et al., 2024). Differs:
    stops early; in a tie, the earliest answer wins.

    Example::

        lp.Vote(lp.ChainOfThought("question -> answer: int"), k=5)

    Args:
        module: The module to sample.
        k: Maximum number of samples.
        temperature: For predictors without a temperature, or with 0.
        on: Outputs to vote on; by default all but ``reasoning``.
        keep: A filter: a module whose first output is a bool. Samples that it rejects have no
            vote, unless it rejects all. It receives the inputs and outputs that match its inputs.

    Raises:
        InputError: An argument is invalid.
    """

    node: ClassVar[type[Node]] = VoteNode
    module: Module
    k: int
    temperature: float
    on: list[str]
    keep: Module | None

    @with_hints(OF_VOTE)
    def __init__(
        self,
        module: Module,
        *,
        k: int = 5,
        temperature: float = 0.7,
        on: Sequence[str] = (),
        keep: Module | None = None,
    ) -> None:
        self.module = check_module(module, "the module of a Vote")
        self.k = check_count(k, "k of a Vote")
        if not (temperature > 0.0 and math.isfinite(temperature)):
            raise InputError(f"temperature of a Vote must be above 0, not {temperature}")
        self.temperature = float(temperature)
        self.on = [on] if isinstance(on, str) else list(on)
        self.keep = keep
        if keep is not None:
            check_verdict(check_module(keep, "keep of a Vote"), "keep of a Vote")

    @property
    def inner(self) -> Module:
        """The module to sample."""
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
        """Return the calls of k samples and of the filter."""
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
        """Sample, count, and return the winner."""
        if self.k == 1:
            single: Prediction = await self.module.acall(**inputs)
            return single
        return (await self.tally(inputs)).winner

    async def tally(self, inputs: Mapping[str, Any], *, early: bool = True) -> Tally:
        """Sample and count.

        Args:
            inputs: The module's inputs.
            early: Whether to stop once the winner is certain; the share of votes is then not that
                of k samples.

        Raises:
            LangprogError: Every sample failed; the first failure is raised.
            BudgetExceeded: A budget cannot afford all samples; nothing was paid then.
        """
        with reserve_together(self.calls_per_example()):
            return await self._tally(inputs, early=early)

    async def _tally(self, inputs: Mapping[str, Any], *, early: bool) -> Tally:
        drawn: list[tuple[Prediction, bool]] = []
        failures: list[LangprogError] = []
        started = 0
        while started < self.k:
            wave = samples_needed(_votes(drawn, self.on), self.k - started) if early else self.k
            if not wave:
                break
            works = [
                partial(self._draw, number, inputs) for number in range(started, started + wave)
            ]
            for outcome in await gather_in_order(works, wave):
                if isinstance(outcome, LangprogError):
                    failures.append(outcome)
                else:
                    drawn.append(outcome)
            started += wave
        if not drawn:
            raise failures[0]
        kept = [answer for answer, good in drawn if good] or [answer for answer, _ in drawn]
        votes = Counter(answer_key(answer, self.on) for answer in kept)
        top, count = votes.most_common(1)[0]
        winner = next(answer for answer in kept if answer_key(answer, self.on) == top)
        return Tally(winner, count / len(kept), len(kept))

    async def _draw(
        self, number: int, inputs: Mapping[str, Any]
    ) -> tuple[Prediction, bool] | LangprogError:
        try:
            with sample_draw(number, self.temperature):
                answer = await self.module.acall(**inputs)
            # Outside the draw, so that the verdict itself is not sampled.
            return answer, self.keep is None or await judge_answer(self.keep, inputs, answer) > 0
        except SURVIVED as error:
            return error

    def __repr__(self) -> str:
        return shorten(f"Vote({self.module!r}, k={self.k})")


def with_count(module: M, values: Mapping[str, Any]) -> M:
    """Return a copy with another ``k`` of a module whose only own parameter it is."""
    if values.keys() != {"k"}:
        raise InputError(f"a {type(module).__name__} has only the parameter k")
    new = module.with_children(module.children())
    vars(new)["k"] = check_count(values["k"], f"k of a {type(module).__name__}")
    return new


def _votes(drawn: Sequence[tuple[Prediction, bool]], on: Sequence[str]) -> Counter[str]:
    return Counter(answer_key(answer, on) for answer, good in drawn if good)


def samples_needed(votes: Counter[str], left: int) -> int:
    """Return the fewest further samples that could decide a vote; 0 if it is decided.

    Example: none of 5 samples drawn: 3; 3 drawn with 2 of them equal, 2 left: 1.

    Args:
        votes: Votes so far, by answer.
        left: Samples that may still be drawn.
    """
    counts = [count for _, count in votes.most_common(2)] + [0, 0]
    lead = counts[0] - counts[1]
    if not left or lead > left:
        return 0
    # With this many more for the leader, the rest could not catch up.
    return (left - lead) // 2 + 1


def answer_key(answer: Mapping[str, Any], on: Sequence[str]) -> str:
    """Return a key that is equal for answers that count as equal.

    Args:
        answer: Outputs by name.
        on: Outputs to compare; empty for all but ``reasoning``.

    Raises:
        SignatureError: An output to compare is missing.
    """
    names = on or [name for name in answer if name not in _ASIDE]
    missing = [name for name in names if name not in answer]
    if missing:
        raise SignatureError(
            f"the vote is on {', '.join(missing)}, but the outputs are {', '.join(answer)}"
        )
    return repr([_normalize(answer[name]) for name in names])


def _normalize(value: Any) -> Any:
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
