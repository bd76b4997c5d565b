"""Answer, have the answer judged, answer again with what the judge said."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, SignatureError
from langprog.modules.around import SURVIVED, Around, checked_module, verdict_fits
from langprog.modules.base import Module
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.predict import Predict
from langprog.modules.prediction import Prediction
from langprog.modules.tree import Parameter
from langprog.signature import FieldSpec, SignatureSpec

# What the second and later answers are given beside the inputs.
PREVIOUS, FEEDBACK = "previous_answer", "feedback"
AGAIN = (
    "A previous answer was not good enough. Answer again, better, and take the feedback into "
    "account."
)
# How many rounds a search tries, beside what there are now.
ROUNDS = (0, 1, 2, 3)


class RefineNode(Node):
    """An answer that is judged and written again.

    Args:
        module: Its kind.
        asks: What answers first.
        judge: Its first output is a truth value or a number; the others are feedback.
        reviser: What answers again.
        rounds: Further answers at most.
        threshold: From this verdict on an answer is taken.
    """

    module: Literal["Refine"]
    asks: AnyNode
    judge: AnyNode
    reviser: AnyNode
    rounds: int
    threshold: float

    def children(self) -> dict[str, Node]:
        """Return the nodes inside, by the names that the module has for them."""
        return {"module": self.asks, "judge": self.judge, "reviser": self.reviser}


class Refine(Around):
    """Ask a module, have a judge look at the answer, ask again with its feedback.

    The first call is that of the module alone. A later one is made by ``reviser``, a predictor of
    its own with its own instruction and demonstrations: it has the inputs and outputs of the
    module and two inputs more, ``previous_answer`` and ``feedback``, the outputs of the judge but
    the first. The first answer that the judge accepts is returned, else the one with the best
    verdict, the later one where two are equal.

    Follows: Self-Refine: Iterative Refinement with Self-Feedback (Madaan et al., 2023). Differs:
    feedback has a verdict beside its words, so that it stops when it is good enough; a later
    answer is given the one before it and not all of them; a worse answer replaces none.

    Example::

        judge = lp.Predict("question, answer -> right: bool, feedback")
        lp.Refine(lp.ChainOfThought("question -> answer"), judge, rounds=2)

    Args:
        module: What answers.
        judge: A module whose first output is a bool or a number; it gets the inputs and outputs
            that it has an input for.
        rounds: Further answers at most; with 0 the module is asked as it is.
        threshold: From this verdict on an answer is taken; a bool counts as 0 or 1.
        reviser: What answers again, with ``previous_answer`` and ``feedback`` among its inputs;
            made from the module if left out.

    Raises:
        InputError: Something of this is not as said.
        SignatureError: The module does not say what goes in and out.
    """

    node: ClassVar[type[Node]] = RefineNode
    module: Module
    judge: Module
    reviser: Module
    rounds: int
    threshold: float

    def __init__(
        self,
        module: Module,
        judge: Module,
        *,
        rounds: int = 2,
        threshold: float = 1.0,
        reviser: Module | None = None,
    ) -> None:
        self.module = checked_module(module, "what a Refine asks")
        self.judge = checked_module(judge, "the judge of a Refine")
        verdict_fits(judge, "the judge of a Refine")
        self.reviser = _reviser(module) if reviser is None else _checked_reviser(reviser, module)
        self.rounds = _checked_rounds(rounds)
        if not math.isfinite(threshold):
            raise InputError(f"threshold of a Refine is a number, not {threshold}")
        self.threshold = float(threshold)

    @property
    def inner(self) -> Module:
        """The module that answers first."""
        return self.module

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the number of rounds."""
        return {"rounds": Parameter("k", self.rounds)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with so many rounds."""
        return super().with_own_parameters(
            {
                name: _checked_rounds(value) if name == "rounds" else value
                for name, value in values.items()
            }
        )

    def search_space(self) -> dict[str, Sequence[int]]:
        """Return a few numbers of rounds."""
        return {"rounds": ROUNDS}

    def calls_per_example(self) -> int:
        """Return the calls of all rounds, as if no answer were accepted early."""
        if not self.rounds:
            return self.module.calls_per_example()
        judged = self.rounds + (0 if self._accepts() else 1)
        return (
            self.module.calls_per_example()
            + self.rounds * self.reviser.calls_per_example()
            + judged * self.judge.calls_per_example()
        )

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "Refine",
            "asks": parts["module"],
            "judge": parts["judge"],
            "reviser": parts["reviser"],
            "rounds": self.rounds,
            "threshold": self.threshold,
        }

    @classmethod
    def from_node(cls, node: RefineNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(
            parts["module"],
            parts["judge"],
            rounds=node.rounds,
            threshold=node.threshold,
            reviser=parts["reviser"],
        )

    async def aforward(self, **inputs: Any) -> Prediction:
        """Answer, and answer again until the judge is content or the rounds are over."""
        answer = best = await self.module.acall(**inputs)
        highest = -math.inf
        for left in range(self.rounds, -1, -1):
            if not left and (self._accepts() or not self.rounds):
                return answer  # no verdict could change what is returned
            try:
                verdict, feedback = await self._judged(inputs, answer)
                if verdict >= highest:
                    best, highest = answer, verdict
                if verdict >= self.threshold or not left:
                    return best
                answer = await self.reviser.acall(
                    **inputs, **{PREVIOUS: _written(answer), FEEDBACK: feedback}
                )
            except SURVIVED:
                return best  # what there was before stands
        return best

    def _accepts(self) -> bool:
        # Of answers that are refused alike the last is returned, and it needs no verdict for that.
        return next(iter(self.judge.outputs.values())).annotation is bool

    async def _judged(self, inputs: Mapping[str, Any], answer: Prediction) -> tuple[float, str]:
        known = {**inputs, **answer}
        names = self.judge.input_names()
        missing = [n for n in names if n not in known and self.judge.needs_input(n)]
        if missing:
            raise SignatureError(
                f"the judge of a Refine takes {', '.join(missing)}, but there is only "
                f"{', '.join(known)}"
            )
        said = await self.judge.acall(**{name: known[name] for name in names if name in known})
        verdict, *words = said.items()
        # A judge without words still says how the answer was found.
        return float(verdict[1]), _written(dict(words or [verdict]))

    def __repr__(self) -> str:
        return f"Refine({self.module!r}, judge={self.judge!r}, rounds={self.rounds})"


def _checked_rounds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"rounds of a Refine is a number, 0 or more, not {value!r}")
    return value


def _reviser(module: Module) -> Predict:
    """Return a predictor with the fields of a module, and the two for another answer."""
    predictors = list(module.predictors().values())
    only = predictors[0] if len(predictors) == 1 else None
    fields = (*module.inputs.values(), *module.outputs.values())
    if only is not None and (*only.inputs.values(), *only.outputs.values()) == fields:
        options = {"model": only.model, "adapter": only.adapter, "sampling": only.sampling}
        return Predict(_with_feedback(only.signature), **options)
    names = f"{', '.join(module.inputs)} -> {', '.join(module.outputs)}"
    return Predict(_with_feedback(SignatureSpec(names, "", fields)))


def _with_feedback(signature: SignatureSpec) -> SignatureSpec:
    taken = [name for name in (PREVIOUS, FEEDBACK) if name in signature.inputs]
    if taken or {PREVIOUS, FEEDBACK} & signature.outputs.keys():
        raise InputError(
            f"a Refine adds the inputs {PREVIOUS} and {FEEDBACK}, but {signature.name} has a "
            "field of that name: rename it, or give the Refine a reviser="
        )
    for name, description in (
        (PREVIOUS, "what was answered before"),
        (FEEDBACK, "what is wrong with it"),
    ):
        signature = signature.with_field(FieldSpec(name, "input", str, description))
    return signature.with_instruction(f"{signature.instruction}\n\n{AGAIN}".strip())


def _checked_reviser(reviser: Module, module: Module) -> Module:
    checked_module(reviser, "the reviser of a Refine")
    wanted = {*module.inputs, PREVIOUS, FEEDBACK}
    if set(reviser.inputs) != wanted or list(reviser.outputs) != list(module.outputs):
        raise InputError(
            f"the reviser of a Refine takes {', '.join(sorted(wanted))} and gives "
            f"{', '.join(module.outputs)}; this one takes {', '.join(reviser.inputs)} and gives "
            f"{', '.join(reviser.outputs)}"
        )
    return reviser


def _written(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items())
