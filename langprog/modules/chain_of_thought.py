"""Reason first, then answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Self, Unpack, overload

from langprog.errors import ArtifactError
from langprog.hints import with_hints
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_PREDICT
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.predict import Predict
from langprog.modules.predict_options import PredictOptions
from langprog.modules.prediction import Prediction
from langprog.modules.structure import REASONING
from langprog.modules.typed import Inputs, Out_co
from langprog.signature import FieldSpec, SignatureSpec, signature_of


class ChainOfThoughtNode(Node):
    """A predictor whose signature begins with a ``reasoning`` output."""

    module: Literal["ChainOfThought"]
    predict: AnyNode


class ChainOfThought(Module[Out_co], Generic[Out_co, Inputs]):
    """Ask for a ``reasoning`` field before the outputs of a signature.

    Follows: Chain-of-Thought Prompting Elicits Reasoning in Large Language Models (Wei et al.).
    Differs: the reasoning is a declared output, so demonstrations may include it or not.

    Args:
        signature: As for Predict; used unchanged if it already has a ``reasoning`` output.
        **options: As for Predict.
    """

    node: ClassVar[type[Node]] = ChainOfThoughtNode
    predict: Predict[Any]

    if TYPE_CHECKING:

        def __call__(self, *args: Inputs.args, **inputs: Inputs.kwargs) -> Out_co:
            """Take the inputs of the signature and return its outputs."""

        async def acall(self, *args: Inputs.args, **inputs: Inputs.kwargs) -> Out_co:
            """Take the inputs of the signature and return its outputs."""

    @overload
    def __init__(
        self: ChainOfThought[Prediction, ...],
        signature: str | SignatureSpec,
        **options: Unpack[PredictOptions],
    ) -> None: ...

    @overload
    def __init__(
        self, signature: Callable[Inputs, Out_co], **options: Unpack[PredictOptions]
    ) -> None: ...

    @with_hints(OF_PREDICT, by_name="write instruction=")
    def __init__(
        self,
        signature: str | SignatureSpec | Callable[..., Any],
        **options: Unpack[PredictOptions],
    ) -> None:
        spec = signature_of(signature)
        if "reasoning" not in spec.outputs:
            spec = spec.with_field(REASONING, first=True)
        self.predict = Predict(spec, **options)

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name."""
        return self.predict.inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name, ``reasoning`` first; a search may make it empty."""
        return self.predict.outputs

    async def aforward(self, **inputs: Any) -> Prediction:
        """Call the model."""
        answer: Prediction = await self.predict.acall(**inputs)
        return answer

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"module": "ChainOfThought", "predict": parts["predict"]}

    @classmethod
    def from_node(
        cls, node: ChainOfThoughtNode, parts: Mapping[str, Module], types: Types
    ) -> Self:
        """Make one from its node."""
        inner = parts["predict"]
        if not isinstance(inner, Predict):
            raise ArtifactError(
                f"a {cls.__name__} contains a Predict, not a {type(inner).__name__}"
            )
        return cls(inner.signature).with_children({"predict": inner})

    def __repr__(self) -> str:
        return f"ChainOfThought({self.predict!r})"
