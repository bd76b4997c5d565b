"""A predictor of a DSPy program, as a search sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import dspy
from pydantic_core import to_jsonable_python

from langprog.adapters import Adapter
from langprog.errors import ArtifactError, InputError
from langprog.example import Example, example_from
from langprog.interop.dspy.prompts import DSPyAdapter
from langprog.interop.dspy.signatures import spec_of
from langprog.lm import Message, ModelRef, Request, Sampling, model_name
from langprog.modules import (
    Module,
    Node,
    Parameter,
    Predict,
    Prediction,
    SamplingData,
    Types,
    sampling_to_data,
)
from langprog.runtime import Settings, current


class DSPyPredictNode(Node):
    """A predictor of a DSPy program: what was chosen for it, and the signature that it is for.

    Args:
        module: Its kind.
        signature: Name, instruction and fields, with full types.
        demos: Demonstrations, by field name.
        model: The model's name; null for the ambient one.
        sampling: How completions are drawn.
    """

    module: Literal["DSPyPredict"]
    signature: dict[str, Any]
    demos: list[dict[str, Any]]
    model: str | None
    sampling: SamplingData

    def model_names(self) -> Iterator[str]:
        """Yield the name of its model, if it has one."""
        return iter(() if self.model is None else (self.model,))


class DSPyPredict(Predict):
    """A predictor of a DSPy program.

    It only holds parameters: DSPy calls its own predictor, on a copy that has them.

    Args:
        predictor: DSPy's predictor.
        adapter: DSPy's adapter.
        model: The model of ours that answers it; ``None`` for the ambient one.
        fallback: The model where none is ambient.
        sampling: How completions are drawn.
        retried: Whether a later call replaces an earlier one.
    """

    node: ClassVar[type[Node]] = DSPyPredictNode
    _predictor: Any
    _dspy_adapter: DSPyAdapter
    _fallback: ModelRef | None
    _own_demos: tuple[Example, ...]
    _parameters = ("instruction", "demos", "model", "sampling")

    def __init__(
        self,
        predictor: Any,
        adapter: Any,
        *,
        model: ModelRef | None = None,
        fallback: ModelRef | None = None,
        sampling: Sampling = Sampling(),
        retried: bool = False,
    ) -> None:
        spec = spec_of(predictor.signature)
        named = [_example(demo, spec.name) for demo in predictor.demos]
        demos = [demo for demo in named if any(name in demo for name in spec.outputs)]
        own = DSPyAdapter(adapter, predictor.signature)
        super().__init__(spec, demos=demos, model=model, adapter=own, sampling=sampling)
        self._set(
            _dspy_adapter=own,
            _predictor=predictor,
            _fallback=fallback,
            _retried=retried,
            _own_demos=self.demos,
            _shown=None,
        )

    # A predictor without a model of its own takes the one that DSPy was configured with, but only
    # where none of ours is ambient.
    @property
    def model(self) -> str | ModelRef | None:  # type: ignore[override]  # set nowhere
        """The model; ``None`` for the ambient one."""
        own = self.own_model
        return self._fallback if own is None and current().lm is None else own

    @property
    def own_model(self) -> str | ModelRef | None:
        """The model that it was given; ``None`` for the ambient one, or DSPy's."""
        own: str | ModelRef | None = vars(self)["model"]
        return own

    @property
    def retries(self) -> bool:
        """Whether it is inside a BestOfN or Refine of DSPy."""
        return bool(vars(self)["_retried"])

    def own_parameters(self) -> dict[str, Parameter]:
        """Return instruction, demos, model and sampling."""
        known = super().own_parameters()
        return {name: known[name] for name in self._parameters}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters."""
        unknown = [name for name in values if name not in self._parameters]
        if unknown:
            raise InputError(
                f"a predictor of a DSPy program has no parameter {unknown[0]!r}: the program and "
                "DSPy's adapter decide that"
            )
        new = super().with_own_parameters(values)
        new._set(_shown=None)
        return new

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return no other structures: the order of the outputs is that of the program."""
        return {}

    # --- DSPy's predictor -----------------------------------------------------------------------

    def set_up(self, predictor: Any) -> None:
        """Give a copy of DSPy's predictor this one's instruction and demonstrations."""
        predictor.signature, predictor.demos = self.shown()
        predictor.demos = list(predictor.demos)

    def shown(self) -> tuple[Any, list[Any]]:
        """Return the DSPy signature and demonstrations that prompts are rendered from."""
        made: tuple[Any, list[Any]] | None = vars(self)["_shown"]
        if made is None:
            demos = self._own_demos
            original = self._predictor
            signature = self._dspy_adapter.signature_with(self.signature.instruction)
            # What the program came with is shown exactly as it was.
            kept = self.demos is demos or self.demos == demos
            shown = original.demos if kept else [dspy.Example(**demo) for demo in self.demos]
            made = (signature, list(shown))
            self._set(_shown=made)
        return made

    def render(self, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the prompt that DSPy's adapter renders for ``inputs``."""
        signature, demos = self.shown()
        return self._dspy_adapter.render_shown(signature, demos, inputs, self.model)

    def check_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` as they are: DSPy checks them."""
        return dict(inputs)

    def request_for(self, inputs: Mapping[str, Any]) -> Request:
        """Return the prompt for ``inputs`` as a request, without settings."""
        return Request(self.render(inputs))

    def adapter_in_force(self) -> Adapter:
        """Return DSPy's adapter."""
        return self._dspy_adapter

    def prompt_adapter(self, settings: Settings | None = None) -> Adapter:
        """Return DSPy's adapter."""
        return self._dspy_adapter

    async def aforward(self, **inputs: Any) -> Prediction:
        """Refuse: a predictor of a DSPy program runs inside the program."""
        raise InputError("a predictor of a DSPy program cannot be called by itself")

    # --- as data --------------------------------------------------------------------------------

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "DSPyPredict",
            "signature": self.signature.to_json(),
            "demos": [_demo_to_data(demo) for demo in self.demos],
            "model": model_name(self.model),
            "sampling": sampling_to_data(self.sampling),
        }

    @classmethod
    def from_node(  # type: ignore[override]  # its own node
        cls, node: DSPyPredictNode, parts: Mapping[str, Module], types: Types
    ) -> Self:
        """Make a placeholder, which the program around it turns into a predictor."""
        new = cls.__new__(cls)
        new._set(_node=node)
        return new

    def from_data(self, node: DSPyPredictNode) -> Self:
        """Return a copy with what an artifact says.

        Raises:
            ArtifactError: It is for another signature.
        """
        now = self.signature.with_instruction(str(node.signature.get("instruction", "")))
        # DSPy drops the name of a signature when it loads a state.
        if now.to_json()["fields"] != node.signature.get("fields"):
            raise ArtifactError(
                f"the signature of {now.name} is another one than in the artifact: compile again, "
                "or load with the version of the program that was compiled"
            )
        demos = [_demo_from_data(self, demo) for demo in node.demos]
        values = {
            "instruction": now.instruction,
            "demos": demos,
            "model": node.model,
            "sampling": node.sampling.sampling(),
        }
        if [_demo_to_data(demo) for demo in self.demos] == node.demos:
            del values["demos"]
        return self.with_own_parameters(values)


def _example(demo: Any, name: str) -> Example:
    values = dict(demo.items()) if isinstance(demo, dspy.Example) else demo
    return example_from(values, f"a demonstration of {name}")


def _demo_to_data(demo: Example) -> dict[str, Any]:
    data: dict[str, Any] = to_jsonable_python(dict(demo), fallback=str)
    return data


def _demo_from_data(predictor: DSPyPredict, data: Mapping[str, Any]) -> Example:
    fields = {field.name: field for field in predictor.signature.fields}
    values = {}
    for name, value in data.items():
        try:
            values[name] = fields[name].validate(value) if name in fields else value
        except InputError:
            values[name] = value  # a type of DSPy's own, which it shows as it is
    return Example(**values)
