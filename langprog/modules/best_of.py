"""Draw several answers and let a judge pick one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, LangprogError
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
from langprog.modules.elsewhere import OF_BEST_OF
from langprog.modules.node import AnyNode, Node, Types, parts_of_list
from langprog.modules.prediction import Prediction
from langprog.modules.tree import Parameter
from langprog.modules.vote import SIZES, with_count
from langprog.notebook import shorten
from langprog.runtime import gather_in_order, sample_draw


class BestOfNode(Node):
    """Generators and the judge that picks one of their answers.

    Args:
        module: Its kind.
        generators: The generators, which take turns.
        judge: The judge; its first output is a bool or a number.
        k: Maximum number of answers.
        temperature: For predictors without a temperature.
    """

    module: Literal["BestOf"]
    generators: list[AnyNode]
    judge: AnyNode
    k: int
    temperature: float


class BestOf(Around):
    """Call one or several generators k times and return the answer that a judge rates best.

    A judge with a bool output sees one answer at a time, and the first answer that it accepts is
    returned: a later one could not win. A judge with a numeric output sees all answers. Answers
    that fail, or whose verdict fails, are dropped.

    Follows: Networks of Networks: Complexity Class Principles Applied to Compound AI Systems
    Design (Davis et al., 2024), K generators and a verifier. Differs: generators may be different
    programs; stops at the first accepted answer.

    Example::

        lp.BestOf(solve, judge=lp.Predict("question, answer -> right: bool"), k=4)

    Args:
        generators: A module, or several that take turns.
        judge: A module whose first output is a bool or a number; it receives the inputs and
            outputs that match its inputs.
        k: Maximum number of answers; by default the number of generators, or 3 for a single one.
        temperature: For the generators' predictors without a temperature, or with 0.

    Raises:
        InputError: An argument is invalid.
    """

    node: ClassVar[type[Node]] = BestOfNode
    generators: list[Module]
    judge: Module
    k: int
    temperature: float

    @with_hints(OF_BEST_OF)
    def __init__(
        self,
        generators: Module | Sequence[Module],
        *,
        judge: Module,
        k: int | None = None,
        temperature: float = 0.7,
    ) -> None:
        several = [generators] if isinstance(generators, Module) else list(generators)
        if not several:
            raise InputError("a BestOf needs at least one generator")
        self.generators = [check_module(each, "a generator of a BestOf") for each in several]
        self.judge = check_module(judge, "the judge of a BestOf")
        check_verdict(judge, "the judge of a BestOf")
        default = len(several) if len(several) > 1 else 3
        self.k = check_count(default if k is None else k, "k of a BestOf")
        if not (temperature > 0.0 and math.isfinite(temperature)):
            raise InputError(f"temperature of a BestOf must be above 0, not {temperature}")
        self.temperature = float(temperature)

    @property
    def inner(self) -> Module:
        """The first generator."""
        return self.generators[0]

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
        """Return the calls of k answers and their verdicts."""
        judge = self.judge.calls_per_example() if self.k > 1 else 0
        return self.k * (self.inner.calls_per_example() + judge)

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "BestOf",
            "generators": parts_of_list(parts, "generators"),
            "judge": parts["judge"],
            "k": self.k,
            "temperature": self.temperature,
        }

    @classmethod
    def from_node(cls, node: BestOfNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        generators = parts_of_list(parts, "generators")
        return cls(generators, judge=parts["judge"], k=node.k, temperature=node.temperature)

    async def aforward(self, **inputs: Any) -> Prediction:
        """Generate, judge, and return the best answer; in a tie, the earliest."""
        if self.k == 1:
            single: Prediction = await self.inner.acall(**inputs)
            return single
        # With a bool, the first accepted answer ends the search, so draw one at a time.
        accepts = next(iter(self.judge.outputs.values())).annotation is bool
        wave = 1 if accepts else self.k
        judged: list[tuple[Prediction, float]] = []
        failures: list[LangprogError] = []
        for first in range(0, self.k, wave):
            works = [partial(self._draw, number, inputs) for number in range(first, first + wave)]
            for outcome in await gather_in_order(works, wave):
                if isinstance(outcome, LangprogError):
                    failures.append(outcome)
                else:
                    judged.append(outcome)
            if accepts and judged and judged[-1][1] > 0:
                break
        if not judged:
            raise failures[0]
        return max(judged, key=lambda pair: pair[1])[0]

    async def _draw(
        self, number: int, inputs: Mapping[str, Any]
    ) -> tuple[Prediction, float] | LangprogError:
        generator = self.generators[number % len(self.generators)]
        try:
            with sample_draw(number, self.temperature):
                answer = await generator.acall(**inputs)
            # Outside the draw, so that the verdict itself is not sampled.
            return answer, await judge_answer(self.judge, inputs, answer)
        except SURVIVED as error:
            return error

    def __repr__(self) -> str:
        return shorten(f"BestOf({self.generators!r}, judge={self.judge!r}, k={self.k})")
