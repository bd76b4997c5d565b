"""The one module that calls a language model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, Unpack, overload

from langprog.adapters import Adapter, check_adapter
from langprog.checks import (
    REASKS,
    Check,
    bind_checks,
    check_from_data,
    check_reasks,
    needed_outputs,
)
from langprog.errors import (
    BudgetExceeded,
    CheckError,
    InputError,
    LMError,
    ParseError,
)
from langprog.example import Example
from langprog.hints import with_hints
from langprog.lm import (
    LanguageModel,
    Message,
    ModelRef,
    Request,
    Sampling,
    model_from,
    model_name,
)
from langprog.modules.base import Module, with_left_out
from langprog.modules.conversation import begin_conversation, name_module
from langprog.modules.elsewhere import OF_PREDICT
from langprog.modules.nearest import NearestDemos, check_nearest
from langprog.modules.node import Node, Types
from langprog.modules.parameter_data import (
    check_demos,
    demo_from_data,
)
from langprog.modules.predict_data import PredictNode, predict_to_data, signatures_from_data
from langprog.modules.predict_options import PredictOptions
from langprog.modules.prediction import Prediction
from langprog.modules.structure import Structure, ask_for, give_back, list_structures
from langprog.modules.trace import recorder
from langprog.modules.tree import Parameter
from langprog.modules.typed import Inputs, Out_co
from langprog.notebook import shorten
from langprog.runtime import Settings, adapter_for, current
from langprog.signature import FieldSpec, SignatureSpec, signature_of


class Predict(Module[Out_co], Generic[Out_co, Inputs]):
    """Call a model for the outputs of a signature.

    It is immutable: ``with_parameters`` returns a modified copy. To a type checker
    ``Predict(Triage)`` is a ``Predict[Triage]``: it takes the inputs of ``Triage`` and returns a
    Prediction with its fields.

    Args:
        signature: A Signature class, a SignatureSpec or the short form ``"ticket -> team"``.
        instruction: Replaces the signature's instruction.
        demos: Worked examples shown to the model, in this order.
        nearest: Examples of which those nearest to the input are shown as well, after ``demos``.
        model: A model, which this predictor then always uses, or a model's name
            (``"openai/gpt-6-luna"``), which is looked up at each call; by default the ambient
            model.
        adapter: The format of prompts and replies: ``"chat"``, ``"json"``, ``"xml"``,
            ``"tools"``, ``"auto"``, the name of an installed adapter, or an adapter object
            (:mod:`langprog.adapters`); by default the ambient one, which is ``"auto"``.
        temperature: Shorthand for ``sampling``.
        max_tokens: Shorthand for ``sampling``.
        sampling: All sampling settings.
        checks: What every answer has to satisfy (:class:`langprog.Check`, ``lp.checks``). An
            answer that fails is sent back with what is wrong.
        reasks: How often an answer that fails a check is asked for again, from 0 to 10.

    Raises:
        SignatureError: The signature is invalid.
        InputError: A demonstration has no outputs, the adapter is unknown or invalid, or a check
            does not fit the signature.
        ModelError: The model is not a language model.
    """

    node: ClassVar[type[Node]] = PredictNode
    # Whether its checks are about what each reply says.
    checks_replies: ClassVar[bool] = True
    signature: SignatureSpec  # type: ignore[misc]  # an instance attribute here, a class attribute in Module
    _declared: SignatureSpec
    demos: tuple[Example, ...]
    nearest: NearestDemos | None
    model: str | ModelRef | None
    adapter: str | Adapter | None
    sampling: Sampling
    checks: tuple[Check, ...]
    reasks: int

    _parameters: ClassVar[tuple[str, ...]] = (
        "instruction",
        "demos",
        "nearest",
        "model",
        "sampling",
        "adapter",
        "structure",
    )

    if TYPE_CHECKING:

        def __call__(self, *args: Inputs.args, **inputs: Inputs.kwargs) -> Out_co:
            """Take the inputs of the signature and return its outputs."""

        async def acall(self, *args: Inputs.args, **inputs: Inputs.kwargs) -> Out_co:
            """Take the inputs of the signature and return its outputs."""

    @overload
    def __init__(
        self: Predict[Prediction, ...],
        signature: str | SignatureSpec,
        **options: Unpack[PredictOptions],
    ) -> None: ...

    @overload
    def __init__(
        self, signature: Callable[Inputs, Out_co], **options: Unpack[PredictOptions]
    ) -> None: ...

    @with_hints(OF_PREDICT, by_name="write instruction=")
    def __init__(  # noqa: PLR0913 - all that makes a prompt, by name
        self,
        signature: str | SignatureSpec | Callable[..., Any],
        *,
        instruction: str | None = None,
        demos: Sequence[Example | Mapping[str, Any]] = (),
        nearest: NearestDemos | None = None,
        model: str | ModelRef | LanguageModel | None = None,
        adapter: str | Adapter | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        sampling: Sampling = Sampling(),
        checks: Sequence[Check] = (),
        reasks: int = REASKS,
    ) -> None:
        spec = signature_of(signature)
        if instruction is not None:
            spec = spec.with_instruction(instruction)
        self._set(
            signature=spec,
            _declared=spec,
            demos=check_demos(spec, demos),
            nearest=check_nearest(spec, nearest),
            model=None if model is None else model_from(model),
            adapter=None if adapter is None else check_adapter(adapter),
            sampling=Sampling(temperature=temperature, max_tokens=max_tokens).over(sampling),
            checks=bind_checks(spec, checks),
            reasks=check_reasks(reasks, "Predict"),
        )

    def _set(self, **values: Any) -> None:
        vars(self).update(values)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "_frozen":
            object.__setattr__(self, name, value)
            return
        raise InputError(
            f"a Predict is immutable: {name} cannot be set; "
            f"with_parameters({{...}}) returns a modified copy"
        )

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name."""
        return self.signature.inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name, as declared, whatever a search made the prompt ask for."""
        return self._declared.outputs

    @property
    def predicts(self) -> bool:
        """Whether this module itself is a predictor: yes."""
        return True

    def root_name(self) -> str:
        """Return ``"predict"``."""
        return "predict"

    def children(self) -> dict[str, Module]:
        """Return nothing: a predictor has no parts (overridden because every call needs this)."""
        return {}

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy: there are no parts, and all its values are immutable."""
        return copy.copy(self)

    def paths(self) -> dict[int, str]:
        """Return its own path."""
        return {id(self): "predict"}

    def own_parameters(self) -> dict[str, Parameter]:
        """Return instruction, demos, nearest, model, sampling, adapter and structure."""
        return {
            "instruction": Parameter("instruction", self.signature.instruction),
            "demos": Parameter("demos", self.demos),
            "nearest": Parameter("nearest", self.nearest),
            "model": Parameter("model", self.model),
            "sampling": Parameter("sampling", self.sampling),
            "adapter": Parameter("adapter", self.adapter),
            "structure": Parameter("structure", tuple(self.signature.outputs)),
        }

    def search_space(self) -> Mapping[str, Sequence[Structure]]:
        """Return other outputs to ask for: in another order, with or without reasoning."""
        structures = list_structures(self._declared)
        needed = needed_outputs(self.signature, self.checks)
        return {"structure": [each for each in structures if needed <= set(each)]}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters."""
        new = copy.copy(self)
        for name, value in values.items():
            if name == "instruction":
                new._set(signature=new.signature.with_instruction(value))
            elif name == "demos":
                new._set(demos=check_demos(self.signature, value))
            elif name == "nearest":
                new._set(nearest=check_nearest(self.signature, value))
            elif name == "adapter" and value is not None:
                new._set(adapter=check_adapter(value))
            elif name == "model" and value is not None:
                new._set(model=model_from(value))
            elif name == "structure":
                asked = ask_for(new.signature, self._declared, value)
                new._set(signature=asked, checks=bind_checks(asked, self.checks))
            elif name in self._parameters:
                new._set(**{name: value})
            else:
                raise InputError(f"a Predict has no parameter {name!r}")
        return new

    def calls_per_example(self) -> int:
        """Return the calls if every answer had to be asked for again."""
        return 1 + self.reasks if self.checks else 1

    # --- as data --------------------------------------------------------------------------------

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: it has only parameters."""
        return {}

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return predict_to_data(self, self._declared, types)

    @classmethod
    def from_node(cls, node: PredictNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        signature, declared = signatures_from_data(node, types)
        new = cls(
            signature,
            demos=[demo_from_data(signature, demo) for demo in node.demos],
            nearest=NearestDemos.from_data(node.nearest, signature, types.embedder),
            model=node.model,
            adapter=None if node.adapter is None else types.adapter(node.adapter),
            sampling=node.sampling.sampling(),
            checks=[check_from_data(each, types.check_function) for each in node.checks],
            reasks=node.reasks,
        )
        new._set(_declared=declared)
        return new

    # --- the call -------------------------------------------------------------------------------

    def render(self, inputs: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the prompt for ``inputs``."""
        adapter = self.prompt_adapter()
        return adapter.render(self.signature, self.demos_for(inputs), inputs)

    @property
    def demo_pool(self) -> tuple[Example, ...]:
        """All demonstrations that it may show, whatever the input."""
        return self.demos if self.nearest is None else (*self.demos, *self.nearest.examples)

    def demos_for(self, inputs: Mapping[str, Any]) -> tuple[Example, ...]:
        """Return the demonstrations in the prompt for ``inputs``, and wait for them."""
        if self.nearest is None:
            return self.demos
        return (*self.demos, *self.nearest.choose(self.signature, inputs))

    def contains_call(self, later: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
        """Return whether a demonstration of a later call, by its inputs, shows an earlier one."""
        return later == earlier

    async def aforward(self, **inputs: Any) -> Mapping[str, Any]:
        """Call the model; an unreadable reply is sent back once, a wrong one up to ``reasks``."""
        # Read once: every look at a context takes its share of a call.
        settings, trace = current(), recorder.get()
        call = None if trace is None else trace.call
        said = None if call is None or call.module is not self else call.continues
        if said is None:
            said = await begin_conversation(self, inputs, settings)
        failure: str | None = "cancelled"
        failed_with: type[Exception] | None = None
        outputs: dict[str, Any] = {}
        try:
            checked = self.checks and self.checks_replies
            outputs = await (said.run(settings) if checked else said.ask(settings))
            failure = None
        except (LMError, ParseError, CheckError, BudgetExceeded) as error:
            failure, failed_with = str(error), type(error)
            if isinstance(error, ParseError):
                raise name_module(error, self, trace) from None
            raise
        except Exception as error:  # of a model's own code, of a validator or of a check
            failure, failed_with = f"{type(error).__name__}: {error}", type(error)
            raise
        finally:
            said.record(trace, outputs, failure, failed_with)
        return give_back(outputs, self.signature, self._declared)

    def adjust_request(
        self, request: Request, adapter: Adapter, inputs: Mapping[str, Any]
    ) -> Request:
        """Return what is sent for a prompt; a subclass may add to it."""
        return request

    def request_for(self, inputs: Mapping[str, Any]) -> Request:
        """Return the prompt for validated ``inputs`` as a request, without settings."""
        return Request(self.render(inputs))

    def adapter_in_force(self) -> Adapter:
        """Return the adapter that a call uses now, whatever ``auto`` means elsewhere."""
        return adapter_for(self.adapter, self.model)

    def check_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``inputs`` validated, in the signature's order.

        Raises:
            InputError: An input is missing, unknown or of the wrong type.
        """
        fields = self.signature.inputs
        if inputs.keys() != fields.keys():
            inputs = with_left_out(inputs, fields, self.signature.name)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            values[name] = field.validate(inputs[name])
        return values

    def prompt_adapter(self, settings: Settings | None = None) -> Adapter:
        """Return the adapter that writes the prompts and reads the replies of a call.

        Args:
            settings: The settings in force, if they are known already.
        """
        return adapter_for(self.adapter, self.model, settings)

    def __repr__(self) -> str:
        arrow = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        model = model_name(self.model)
        return f"Predict({shorten(arrow, 200)!r}, demos={len(self.demos)}, model={model!r})"
