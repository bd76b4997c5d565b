"""Ask a cheap step first, a dearer one only where the answer is not sure enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, LangprogError
from langprog.knobs import MOST_NUMBER, check_knobs, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from
from langprog.modules.around import SURVIVED, Around, checked_module, verdict_fits
from langprog.modules.base import Module
from langprog.modules.node import AnyNode, Node, Types, listed_parts
from langprog.modules.prediction import Prediction
from langprog.modules.signals import Signal, signal_from
from langprog.modules.trace import TraceStep, recorder
from langprog.modules.tree import Parameter

# Thresholds that a search tries for all steps in their order.
THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Tier:
    """A step in the order in which a cascade asks.

    Args:
        step: Its place among the steps.
        threshold: From here on its answer is taken; ``None``: always, and nobody asks how sure.
    """

    step: int = field(metadata=takes_whole(0))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))

    def __post_init__(self) -> None:
        check_knobs(self)

    def to_json(self) -> list[Any]:
        """Return ``[step, threshold]``."""
        return [self.step, self.threshold]


class CascadeNode(Node):
    """Steps that are asked until an answer is sure enough.

    Args:
        module: Its kind.
        steps: The steps.
        tiers: Which step is asked when: ``[step, threshold]``, null for a step that is the last.
        signal: How sure an answer is: its name and its settings.
        check: The judge of the signal ``check``; null for none.
    """

    module: Literal["Cascade"]
    steps: list[AnyNode]
    tiers: list[tuple[int, float | None]]
    signal: dict[str, Any]
    check: AnyNode | None


class Cascade(Around):
    """Ask steps in an order, and take the first answer that is sure enough.

    Which step comes first, and how sure an answer has to be, is for
    :class:`optimizers.FrugalCascade` to find; until then the last step alone answers, unless
    thresholds are given. A step that fails on an input passes it on; where the last one fails, the
    last answer there was is taken.

    Follows: FrugalGPT: How to Use Large Language Models While Reducing Cost and Improving
    Performance (Chen et al., 2023). Differs: several signals to choose from; steps are programs.

    Example::

        lp.Cascade.over(lp.Predict(Triage), ["pocket/small", "pocket/large"], thresholds=[0.9])

    Args:
        steps: Modules with the same inputs and outputs, the cheapest first.
        thresholds: One for every step but the last.
        signal: How sure an answer is: ``logprob``, ``agreement``, ``check`` or a Signal.
        check: A judge for ``signal="check"``; its first output is a bool or a number, and it gets
            the inputs and outputs that it has an input for.
        tiers: Instead of thresholds: the steps that are asked, in order.

    Raises:
        InputError: Something of this is not as said.
    """

    node: ClassVar[type[Node]] = CascadeNode
    steps: list[Module]
    signal: Signal
    check: Module | None
    tiers: tuple[Tier, ...]

    def __init__(
        self,
        steps: Sequence[Module],
        *,
        thresholds: Sequence[float] | None = None,
        signal: str | Mapping[str, Any] | Signal = "logprob",
        check: Module | None = None,
        tiers: Sequence[Tier | Sequence[Any]] | None = None,
    ) -> None:
        if isinstance(steps, Module) or not steps:
            raise InputError("a Cascade takes a list of one or more modules")
        self.steps = [checked_module(step, "a step of a Cascade") for step in steps]
        self.signal = signal_from(signal)
        self.check = check
        if check is not None:
            verdict_fits(checked_module(check, "check of a Cascade"), "check of a Cascade")
        if thresholds is not None and tiers is not None:
            raise InputError("a Cascade takes thresholds or tiers, not both")
        if thresholds is not None:
            if len(thresholds) != len(steps) - 1:
                raise InputError(
                    f"a Cascade of {len(steps)} steps takes {len(steps) - 1} thresholds, "
                    f"not {len(thresholds)}"
                )
            tiers = list(enumerate([*thresholds, None]))
        self.tiers = _tiers([(len(steps) - 1, None)] if tiers is None else tiers, len(steps))

    @classmethod
    def over(
        cls, program: Module, models: Sequence[str | ModelRef | LanguageModel], **options: Any
    ) -> Self:
        """Return a cascade of one program on several models, the cheapest first.

        Args:
            program: Its predictors that name a model keep it.
            models: Models, or their names.
            **options: As for Cascade.

        Raises:
            InputError: No predictor of the program leaves its model open.
        """
        return cls([on_model(program, model) for model in models], **options)

    @property
    def inner(self) -> Module:
        """The first step."""
        return self.steps[0]

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the tiers and the signal, as plain data."""
        return {
            "tiers": Parameter("threshold", [tier.to_json() for tier in self.tiers]),
            "signal": Parameter("threshold", self.signal.to_json()),
        }

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these tiers, this signal."""
        new = self.with_children(self.children())
        for name, value in values.items():
            if name == "tiers":
                vars(new)["tiers"] = _tiers(value, len(self.steps))
            elif name == "signal":
                vars(new)["signal"] = signal_from(value)
            else:
                raise InputError(f"a Cascade has no parameter {name!r}")
        return new

    def search_space(self) -> dict[str, Sequence[Any]]:
        """Return each step alone, and all in order at a few thresholds if the signal is ready."""
        steps = range(len(self.steps))
        tiers: list[Any] = [[[step, None]] for step in steps]
        if len(steps) > 1 and self.signal.is_ready(len(steps)):
            *early, last = steps
            tiers += [[*([step, sure] for step in early), [last, None]] for sure in THRESHOLDS]
        return {"tiers": tiers}

    def value_label(self, name: str, value: Any) -> str:
        """Return tiers in words."""
        if name != "tiers":
            return super().value_label(name, value)
        return " > ".join(
            f"step {step}" + ("" if threshold is None else f" from {threshold:.3g}")
            for step, threshold in value
        )

    def calls_per_example(self) -> int:
        """Return the calls of one step: of those that stand in for one another, one counts."""
        return max(step.calls_per_example() for step in self.steps)

    def alternative_steps(self) -> tuple[Module, ...]:
        """Return the steps."""
        return tuple(self.steps)

    def escalation_signal(self) -> Signal:
        """Return its signal."""
        return self.signal

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "Cascade",
            "steps": listed_parts(parts, "steps"),
            "tiers": [tier.to_json() for tier in self.tiers],
            "signal": self.signal.to_json(),
            "check": parts.get("check"),
        }

    @classmethod
    def from_node(cls, node: CascadeNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        steps = listed_parts(parts, "steps")
        return cls(steps, tiers=node.tiers, signal=node.signal, check=parts.get("check"))

    async def aforward(self, **inputs: Any) -> Prediction:
        """Ask tier by tier."""
        answer: Prediction | None = None
        failure: LangprogError | None = None
        for tier in self.tiers:
            step = self.steps[tier.step]
            try:
                if tier.threshold is None:
                    return await step.acall(**inputs)
                answer, sure = await self.signal.answer(step, tier.step, inputs, self.check)
            except SURVIVED as error:
                failure = error
                continue
            self._record(tier, inputs, answer, sure)
            if sure >= tier.threshold:
                return answer
        if answer is not None:
            return answer
        assert failure is not None
        raise failure

    def _record(
        self, tier: Tier, inputs: Mapping[str, Any], answer: Prediction, sure: float
    ) -> None:
        trace = recorder.get()
        if trace is not None:
            path = trace.paths.get(id(self), "cascade")
            outputs = {
                "step": tier.step,
                "sure": sure,
                "threshold": tier.threshold,
                "answer": answer.to_dict(),
            }
            trace.add(TraceStep(path, inputs, outputs, (), ()))

    def __repr__(self) -> str:
        return f"Cascade({self.steps!r}, tiers={[tier.to_json() for tier in self.tiers]})"


def on_model(program: Module, model: str | ModelRef | LanguageModel) -> Module:
    """Return a program whose predictors that leave their model open ask ``model``.

    Raises:
        InputError: There is none.
    """
    taken = model_from(model, "a model of over(...)")
    parameters = program.parameters().items()
    open_ones = [key for key, one in parameters if one.kind == "model" and one.value is None]
    if not open_ones:
        raise InputError(
            f"no predictor of {type(program).__name__} leaves its model open, so {taken} would "
            "not be asked"
        )
    return program.with_parameters(dict.fromkeys(open_ones, taken))


def _tiers(values: Sequence[Any], steps: int) -> tuple[Tier, ...]:
    tiers = tuple(one if isinstance(one, Tier) else Tier(*one) for one in values)
    places = [tier.step for tier in tiers]
    if not tiers or len(set(places)) < len(places) or not set(places) <= set(range(steps)):
        raise InputError(f"tiers are steps from 0 to {steps - 1}, each once, not {places}")
    if any(tier.threshold is None for tier in tiers[:-1]):
        raise InputError("every tier but the last needs a threshold")
    return tiers
