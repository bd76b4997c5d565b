"""Try a cheap step first, and a more expensive one only if confidence is too low."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Self

from langprog.errors import InputError, LangprogError
from langprog.hints import with_hints
from langprog.knobs import MOST_NUMBER, check_knobs, takes_number, takes_whole
from langprog.lm import LanguageModel, ModelRef, model_from
from langprog.modules.around import SURVIVED, Around, check_module, check_verdict
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_CASCADE
from langprog.modules.node import AnyNode, Node, Types, parts_of_list
from langprog.modules.prediction import Prediction
from langprog.modules.signals import Signal, signal_from
from langprog.modules.trace import TraceStep, recorder
from langprog.modules.tree import Parameter
from langprog.notebook import shorten

# Thresholds that a search tries for all steps in order.
THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True)
class Tier:
    """One step in the order of a cascade.

    Args:
        step: Its index among the steps.
        threshold: Lowest confidence at which its answer is taken; ``None`` for always.
    """

    step: int = field(metadata=takes_whole(0))
    threshold: float | None = field(default=None, metadata=takes_number(-MOST_NUMBER))

    def __post_init__(self) -> None:
        check_knobs(self)

    def to_json(self) -> list[Any]:
        """Return ``[step, threshold]``."""
        return [self.step, self.threshold]


class CascadeNode(Node):
    """Steps that run until the confidence in an answer suffices.

    Args:
        module: Its kind.
        steps: The steps.
        tiers: The order of steps: ``[step, threshold]``, with null for the last one.
        signal: The confidence signal: its name and settings.
        check: The judge for the signal ``check``; null for none.
    """

    module: Literal["Cascade"]
    steps: list[AnyNode]
    tiers: list[tuple[int, float | None]]
    signal: dict[str, Any]
    check: AnyNode | None


class Cascade(Around):
    """Run steps in order and take the first answer with enough confidence.

    :class:`optimizers.FrugalCascade` finds the order and the thresholds; until then, only the last
    step is used, unless thresholds are given. If a step fails on an input, the next one runs; if
    the last one fails, the last answer so far is taken.

    Follows: FrugalGPT: How to Use Large Language Models While Reducing Cost and Improving
    Performance (Chen et al., 2023). Differs: several signals to choose from; steps are programs.

    Example::

        lp.Cascade.over(lp.Predict(Triage), ["pocket/small", "pocket/large"], thresholds=[0.9])

    Args:
        steps: Modules with the same inputs and outputs, the cheapest first.
        thresholds: One for every step but the last.
        signal: The confidence signal: ``logprob``, ``agreement``, ``check`` or a Signal.
        check: A judge for ``signal="check"``; its first output is a bool or a number, and it
            receives the inputs and outputs that match its inputs.
        tiers: Instead of thresholds: the steps to run, in order.

    Raises:
        InputError: An argument is invalid.
    """

    node: ClassVar[type[Node]] = CascadeNode
    steps: list[Module]
    signal: Signal
    check: Module | None
    tiers: tuple[Tier, ...]

    @with_hints(OF_CASCADE)
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
        self.steps = [check_module(step, "a step of a Cascade") for step in steps]
        self.signal = signal_from(signal)
        self.check = check
        if check is not None:
            check_verdict(check_module(check, "check of a Cascade"), "check of a Cascade")
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
            program: The program; its predictors that name a model keep it.
            models: Models, or their names.
            **options: As for Cascade.

        Raises:
            InputError: Every predictor of the program already names a model.
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
        """Return a copy with these tiers or this signal."""
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
        """Return each step alone, and all steps with a few thresholds if the signal is ready."""
        steps = range(len(self.steps))
        tiers: list[Any] = [[[step, None]] for step in steps]
        if len(steps) > 1 and self.signal.is_ready(len(steps)):
            *early, last = steps
            tiers += [[*([step, sure] for step in early), [last, None]] for sure in THRESHOLDS]
        return {"tiers": tiers}

    def value_label(self, name: str, value: Any) -> str:
        """Return a short label for tiers."""
        if name != "tiers":
            return super().value_label(name, value)
        return " > ".join(
            f"step {step}" + ("" if threshold is None else f" from {threshold:.3g}")
            for step, threshold in value
        )

    def calls_per_example(self) -> int:
        """Return the calls of the most expensive step: steps are alternatives."""
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
            "steps": parts_of_list(parts, "steps"),
            "tiers": [tier.to_json() for tier in self.tiers],
            "signal": self.signal.to_json(),
            "check": parts.get("check"),
        }

    @classmethod
    def from_node(cls, node: CascadeNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        steps = parts_of_list(parts, "steps")
        return cls(steps, tiers=node.tiers, signal=node.signal, check=parts.get("check"))

    async def aforward(self, **inputs: Any) -> Prediction:
        """Run tier by tier."""
        answer: Prediction | None = None
        failure: LangprogError | None = None
        for tier in self.tiers:
            step = self.steps[tier.step]
            try:
                if tier.threshold is None:
                    last: Prediction = await step.acall(**inputs)
                    return last
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
        tiers = [tier.to_json() for tier in self.tiers]
        return shorten(f"Cascade({self.steps!r}, tiers={tiers})")


def on_model(program: Module, model: str | ModelRef | LanguageModel) -> Module:
    """Return a program whose predictors without a model use ``model``.

    Raises:
        InputError: There is no such predictor.
    """
    taken = model_from(model, "a model of over(...)")
    parameters = program.parameters().items()
    open_keys = [
        key
        for key, parameter in parameters
        if parameter.kind == "model" and parameter.value is None
    ]
    if not open_keys:
        raise InputError(
            f"every predictor of {type(program).__name__} already names a model, so {taken} would "
            "not be used"
        )
    return program.with_parameters(dict.fromkeys(open_keys, taken))


def _tiers(values: Sequence[Any], steps: int) -> tuple[Tier, ...]:
    tiers = tuple(value if isinstance(value, Tier) else Tier(*value) for value in values)
    places = [tier.step for tier in tiers]
    if not tiers or len(set(places)) < len(places) or not set(places) <= set(range(steps)):
        raise InputError(
            f"tiers must be steps from 0 to {steps - 1}, each at most once, not {places}"
        )
    if any(tier.threshold is None for tier in tiers[:-1]):
        raise InputError("every tier but the last needs a threshold")
    return tiers
