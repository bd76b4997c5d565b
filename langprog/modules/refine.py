"""Answer, have the answer judged, and answer again with the judge's feedback."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, SignatureError
from langprog.hints import with_hints
from langprog.modules.around import SURVIVED, Around, check_module, check_verdict
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_REFINE
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.predict import Predict
from langprog.modules.prediction import Prediction
from langprog.modules.react import ReAct
from langprog.modules.tree import Parameter
from langprog.notebook import shorten
from langprog.signature import FieldSpec, SignatureSpec

# Additional inputs of the second and later answers.
PREVIOUS, FEEDBACK = "previous_answer", "feedback"
AGAIN = (
    "A previous answer was not good enough. Answer again, better, and take the feedback into "
    "account."
)
# Numbers of rounds that a search tries, in addition to the current one.
ROUNDS = (0, 1, 2, 3)


class RefineNode(Node):
    """An answer that is judged and revised.

    Args:
        module: Its kind.
        asks: The module that answers first.
        judge: The judge; its first output is a bool or a number, the others are feedback.
        reviser: The module that answers again.
        rounds: Maximum number of further answers.
        threshold: Lowest verdict at which an answer is taken.
    """

    module: Literal["Refine"]
    asks: AnyNode
    judge: AnyNode
    reviser: AnyNode
    rounds: int
    threshold: float

    def children(self) -> dict[str, Node]:
        """Return the nodes inside, by the names in the module."""
        return {"module": self.asks, "judge": self.judge, "reviser": self.reviser}


class Refine(Around):
    """Run a module, have a judge rate the answer, and revise it with the judge's feedback.

    The module gives the first answer. Later ones come from ``reviser``, a separate predictor with
    its own instruction and demonstrations: it has the module's inputs and outputs plus the inputs
    ``previous_answer`` and ``feedback`` (the judge's outputs after the first). The first answer
    that the judge accepts is returned, else the one with the best verdict; in a tie, the later
    one.

    Follows: Self-Refine: Iterative Refinement with Self-Feedback (Madaan et al., 2023). Differs:
    feedback comes with a verdict, so that refining stops when an answer is good enough; each
    revision sees only the previous answer; a worse answer never replaces a better one.

    Example::

        judge = lp.Predict("question, answer -> right: bool, feedback")
        lp.Refine(lp.ChainOfThought("question -> answer"), judge, rounds=2)

    Args:
        module: The module that answers.
        judge: A module whose first output is a bool or a number; it receives the inputs and
            outputs that match its inputs.
        rounds: Maximum number of further answers; with 0, the module is simply called.
        threshold: Lowest verdict at which an answer is taken; a bool counts as 0 or 1.
        reviser: The module that answers again, with ``previous_answer`` and ``feedback`` among its
            inputs; by default a predictor of the module's fields, or of a ReAct another one with
            the same tools.

    Raises:
        InputError: An argument is invalid.
        SignatureError: The module declares no inputs and outputs.
    """

    node: ClassVar[type[Node]] = RefineNode
    module: Module
    judge: Module
    reviser: Module
    rounds: int
    threshold: float

    @with_hints(OF_REFINE)
    def __init__(
        self,
        module: Module,
        judge: Module,
        *,
        rounds: int = 2,
        threshold: float = 1.0,
        reviser: Module | None = None,
    ) -> None:
        self.module = check_module(module, "the module of a Refine")
        self.judge = check_module(judge, "the judge of a Refine")
        check_verdict(judge, "the judge of a Refine")
        self.reviser = (
            _make_reviser(module) if reviser is None else _check_reviser(reviser, module)
        )
        self.rounds = _check_rounds(rounds)
        if not math.isfinite(threshold):
            raise InputError(f"threshold of a Refine must be a number, not {threshold}")
        self.threshold = float(threshold)

    @property
    def inner(self) -> Module:
        """The module that answers first."""
        return self.module

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the number of rounds."""
        return {"rounds": Parameter("k", self.rounds)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with this number of rounds."""
        return super().with_own_parameters(
            {
                name: _check_rounds(value) if name == "rounds" else value
                for name, value in values.items()
            }
        )

    def search_space(self) -> dict[str, Sequence[int]]:
        """Return a few numbers of rounds to try."""
        return {"rounds": ROUNDS}

    def calls_per_example(self) -> int:
        """Return the calls of all rounds, as if no answer were accepted early."""
        if not self.rounds:
            return self.module.calls_per_example()
        judged = self.rounds + (0 if self._judges_with_bool() else 1)
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
        """Answer, and answer again until the judge accepts or no rounds are left."""
        answer: Prediction = await self.module.acall(**inputs)
        best = answer
        highest = -math.inf
        for left in range(self.rounds, -1, -1):
            if not left and (self._judges_with_bool() or not self.rounds):
                return answer  # no verdict could change the result
            try:
                verdict, feedback = await self._judge(inputs, answer)
                if verdict >= highest:
                    best, highest = answer, verdict
                if verdict >= self.threshold or not left:
                    return best
                answer = await self.reviser.acall(
                    **inputs, **{PREVIOUS: _as_text(answer), FEEDBACK: feedback}
                )
            except SURVIVED:
                return best  # keep the best answer so far
        return best

    def _judges_with_bool(self) -> bool:
        # With a bool, all rejected answers tie and the last is returned, which needs no verdict.
        return next(iter(self.judge.outputs.values())).annotation is bool

    async def _judge(self, inputs: Mapping[str, Any], answer: Prediction) -> tuple[float, str]:
        known = {**inputs, **answer}
        names = self.judge.input_names()
        missing = [n for n in names if n not in known and self.judge.needs_input(n)]
        if missing:
            raise SignatureError(
                f"the judge of a Refine takes {', '.join(missing)}, but available are only "
                f"{', '.join(known)}"
            )
        ruling = await self.judge.acall(**{name: known[name] for name in names if name in known})
        verdict, *words = ruling.items()
        # A judge without further outputs still reports its verdict.
        return float(verdict[1]), _as_text(dict(words or [verdict]))

    def __repr__(self) -> str:
        return shorten(f"Refine({self.module!r}, judge={self.judge!r}, rounds={self.rounds})")


def _check_rounds(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InputError(f"rounds of a Refine must be a number, 0 or more, not {value!r}")
    return value


def _make_reviser(module: Module) -> Module:
    """Return a predictor with a module's fields and the two inputs for revising.

    Of a ReAct it is a ReAct, as a revision without tools could only make things up.
    """
    if isinstance(module, ReAct):
        return module.for_signature(_with_feedback(module.asked_signature))
    predictors = list(module.predictors().values())
    only = predictors[0] if len(predictors) == 1 else None
    fields = (*module.inputs.values(), *module.outputs.values())
    if only is not None and (*only.inputs.values(), *only.outputs.values()) == fields:
        return Predict(
            _with_feedback(only.signature),
            model=only.model,
            adapter=only.adapter,
            sampling=only.sampling,
            checks=only.checks,
            reasks=only.reasks,
        )
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


def _check_reviser(reviser: Module, module: Module) -> Module:
    check_module(reviser, "the reviser of a Refine")
    wanted = {*module.inputs, PREVIOUS, FEEDBACK}
    if set(reviser.inputs) != wanted or list(reviser.outputs) != list(module.outputs):
        raise InputError(
            f"the reviser of a Refine takes {', '.join(sorted(wanted))} and gives "
            f"{', '.join(module.outputs)}; this one takes {', '.join(reviser.inputs)} and gives "
            f"{', '.join(reviser.outputs)}"
        )
    return reviser


def _as_text(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in values.items())
