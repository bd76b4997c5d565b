"""A DSPy program as one of ours."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import dspy

from langprog.errors import ArtifactError, InputError, SignatureError
from langprog.interop.dspy.calls import DSPyCall
from langprog.interop.dspy.copying import copy_program
from langprog.interop.dspy.describing import (
    count_calls,
    describe,
    input_names,
    is_from_dspy,
    retried_predictors,
    runs_in_sync,
    signature_of,
)
from langprog.interop.dspy.errors import as_ours
from langprog.interop.dspy.exporting import Exporter
from langprog.interop.dspy.metrics import RETURNED, takes_ours, with_dspy_values
from langprog.interop.dspy.models import KnownModels, sampling_of
from langprog.interop.dspy.predictor import DSPyPredict
from langprog.interop.dspy.signatures import is_exact, spec_of
from langprog.interop.dspy.states import SELF, check_names
from langprog.lm import ModelRef, Sampling
from langprog.modules import Module, Node, Parameter, Part, Types, parts_by_name
from langprog.runtime import call_in_worker, current, run_beside
from langprog.signature import SignatureSpec


class DSPyProgramNode(Node):
    """A DSPy program: what was chosen for its predictors, and what tells it from another one.

    The program itself is handed over when the artifact is loaded.

    Args:
        module: Its kind.
        program: What the program and DSPy's adapter are.
        inputs: The names of its inputs.
        parts: Its predictors.
    """

    module: Literal["DSPyProgram"]
    program: dict[str, Any]
    inputs: list[str]
    parts: list[Part]

    def children(self) -> dict[str, Node]:
        """Return the nodes of its predictors, by path."""
        return parts_by_name(self.parts)


class DSPyProgram(Module):
    """A DSPy program whose calls of models are ours; see :func:`langprog.from_dspy`.

    Args:
        program: The program; a copy of it is kept.
        adapter: DSPy's adapter; by default the one that DSPy is configured with.
        inputs: The names of its inputs, where neither ``forward`` nor a signature says them.
    """

    node: ClassVar[type[Node]] = DSPyProgramNode
    _source: Any
    _dspy_adapter: Any
    _models: KnownModels
    _parts: dict[str, DSPyPredict]
    _fallback: ModelRef | None
    _names: tuple[str, ...]
    _optional: frozenset[str]
    _described: dict[str, Any]

    def __init__(
        self, program: Any, *, adapter: Any = None, inputs: Sequence[str] | None = None
    ) -> None:
        self._source = copy_program(program)
        self._dspy_adapter = copy_program(adapter or dspy.settings.adapter or dspy.ChatAdapter())
        self._models = KnownModels()
        ambient = dspy.settings.lm
        self._fallback = None if ambient is None else self._models.ref_of(ambient)
        names = (tuple(inputs), frozenset[str]()) if inputs else input_names(program)
        self._names, self._optional = names
        retried = retried_predictors(self._source)
        self._parts = {
            path: self._part(predictor, retried=id(predictor) in retried)
            for path, predictor in self._source.named_predictors()
        }
        if not self._parts:
            raise InputError(
                f"{type(program).__name__} has no predictors: keep each dspy.Predict in an "
                "attribute of a module, or in a list, tuple or dict there"
            )
        self._described = {
            "class": type(program).__name__,
            "modules": describe(self._source),
            "adapter": describe(self._dspy_adapter),
        }

    def _part(self, predictor: Any, *, retried: bool) -> DSPyPredict:
        lm = predictor.lm
        return DSPyPredict(
            predictor,
            self._dspy_adapter,
            model=None if lm is None else self._models.ref_of(lm),
            fallback=self._fallback,
            sampling=Sampling() if lm is None else sampling_of(lm),
            retried=retried,
        )

    # --- the tree -------------------------------------------------------------------------------

    def children(self) -> dict[str, Module]:
        """Return its predictors, under the names that DSPy gives them."""
        return dict(self._parts)

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy with other parameters of its predictors."""
        new = copy.copy(self)
        vars(new)["_parts"] = dict(children)
        return new

    def own_parameters(self) -> dict[str, Parameter]:
        """Return what the program is, which cannot be set to anything else.

        So programs with other code, tools or settings count as other programs.
        """
        return {"program": Parameter("choice", self._described)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy.

        Raises:
            InputError: Something else is described.
        """
        if any(value != self.own_parameters()[name].value for name, value in values.items()):
            raise InputError("a DSPy program keeps its code: wrap the other one, lp.from_dspy")
        return self.with_children(self.children())

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: its node has all there is."""
        return {}

    def calls_per_example(self) -> int:
        """Return how many calls it makes at most, as far as its modules say."""
        return count_calls(self._source)

    # --- inputs and outputs ---------------------------------------------------------------------

    def input_names(self) -> tuple[str, ...]:
        """Return the names of its inputs."""
        return self._names

    def needs_input(self, name: str) -> bool:
        """Return whether a call must give this input."""
        return name not in self._optional

    def declared_signature(self) -> SignatureSpec:
        """Return the signature of a program that is one predictor, or is around one.

        Raises:
            SignatureError: It is written in code, or has types that only DSPy knows.
        """
        signature = signature_of(self._source)
        if signature is None:
            raise SignatureError(f"{self._described['class']} declares no signature")
        spec = spec_of(signature)
        if not is_exact(signature, spec):
            raise SignatureError(f"{spec.name} has fields of types that only DSPy knows")
        return spec

    # --- calls ----------------------------------------------------------------------------------

    async def aforward(self, **inputs: Any) -> dict[str, Any]:
        """Run a copy of the DSPy program.

        Raises:
            ParseError: DSPy's adapter cannot read a reply.
            LangprogError: A model gave no completion, or a budget is spent.
        """
        call = self._call()
        program = call.copy(self._source)
        with call.running():
            try:
                if runs_in_sync(program):
                    result = await call_in_worker(program, **inputs)
                else:  # which may call predictors synchronously, too
                    result = await run_beside(program.acall(**inputs))
            except dspy.AdapterParseError as error:
                raise as_ours(error) from error
        if result is None and call.failure is not None:
            raise as_ours(call.failure)
        return _values_of(result, self._described["class"])

    def adapt_metric(self, metric: Callable[..., Any]) -> Callable[..., Any]:
        """Return a metric that gets DSPy's examples and predictions, unless it is one of ours."""
        if takes_ours(metric):
            return metric
        return with_dspy_values(metric, self._names, lambda: self._call().running())

    def _call(self) -> DSPyCall:
        return DSPyCall(self._dspy_adapter, self._parts, self._models, self._otherwise)

    @property
    def _otherwise(self) -> str | ModelRef | None:
        """The model of predictors that are not listed: the ambient one, or the program's own."""
        if current().lm is not None:
            return None
        named = {str(part.model): part.model for part in self._parts.values() if part.model}
        return self._fallback or (next(iter(named.values())) if len(named) == 1 else None)

    # --- DSPy's program and its states ----------------------------------------------------------

    def to_dspy(self, lm: Any = None) -> Any:
        """Return a copy of the DSPy program with the parameters of this one.

        Raises:
            InputError: DSPy cannot run it with the models that it has.
        """
        return Exporter(self._models, lm).export(self._source, self._parts)

    def to_state(self) -> dict[str, Any]:
        """Return the state of the DSPy program, as DSPy saves it."""
        state: dict[str, Any] = self.to_dspy().dump_state()
        return state

    def with_state(self, state: Mapping[str, Any]) -> Self:
        """Return a copy whose predictors have what a state of DSPy says.

        Raises:
            InputError: The state is of another program.
        """
        check_names(list(self._parts), state)
        program = copy_program(self._source)
        try:
            # A single predictor takes its state without a name.
            program.load_state(state[SELF] if program.predictors()[0] is program else dict(state))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"DSPy cannot load the state: {error}") from error
        return type(self)(program, adapter=self._dspy_adapter, inputs=self._names)

    # --- as data --------------------------------------------------------------------------------

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "DSPyProgram",
            "program": self._described,
            "inputs": list(self._names),
            "parts": [{"name": name, "program": part} for name, part in parts.items()],
        }

    @classmethod
    def from_node(cls, node: DSPyProgramNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node, around the program that was handed over."""
        things = list(types.given())
        program = next(cls._candidates(things, node), None)
        known = any(isinstance(thing, cls) for thing in things)
        if program is None and not known and _adapter_like(things, node) is None:
            described = node.program.get("adapter")
            name = str(described.get("class")) if isinstance(described, Mapping) else "unknown"
            raise ArtifactError(
                f"its prompts are those of DSPy's adapter {name.rpartition(':')[2]!r:.80}, which "
                "is not in force: call dspy.configure(adapter=...) first, or pass "
                "classes=[lp.from_dspy(program, adapter=...)]"
            )
        if program is None:
            module = _module_of(node)
            raise ArtifactError(
                f"the artifact needs your DSPy program {node.program.get('class')!r:.80}: pass "
                f"it, lp.load(path, classes=[program]), or allow the import of its module, "
                f"lp.load(path, allow_modules=[{module!r}]) or --allow {module}; it must be the "
                "program that was compiled"
            )
        return program._with_data(node)

    @classmethod
    def _candidates(cls, things: Sequence[Any], node: DSPyProgramNode) -> Iterator[Self]:
        """Yield programs among what was handed over that are what an artifact describes."""
        adapter = _adapter_like(things, node)
        own = [thing for thing in things if isinstance(thing, type) and not is_from_dspy(thing)]
        for thing in [
            *(thing for thing in things if isinstance(thing, cls)),
            *(thing for thing in things if isinstance(thing, dspy.Module)),
            *(thing for thing in own if issubclass(thing, dspy.Module)),
        ]:
            program = thing if isinstance(thing, cls) else cls._wrap(thing, adapter, node)
            if program is not None and program._described == node.program:
                yield program

    @classmethod
    def _wrap(cls, thing: Any, adapter: Any, node: DSPyProgramNode) -> Self | None:
        try:
            program = thing() if isinstance(thing, type) else thing
            return cls(program, adapter=adapter, inputs=node.inputs)
        except (TypeError, InputError):  # a class that needs arguments, say
            return None

    def _with_data(self, node: DSPyProgramNode) -> Self:
        children = node.children()
        if list(children) != list(self._parts):
            raise ArtifactError(
                f"the DSPy program has the predictors {', '.join(self._parts)}, but the artifact "
                f"has {', '.join(children) or 'none'}"
            )
        return self.with_children(
            {path: part.from_data(children[path]) for path, part in self._parts.items()}  # type: ignore[arg-type]  # checked there
        )


def _adapter_like(things: Sequence[Any], node: DSPyProgramNode) -> Any:
    """Return an adapter that is what an artifact describes, if there is one."""
    own = [dspy.settings.adapter, *(thing for thing in things if isinstance(thing, dspy.Adapter))]
    theirs = [dspy.ChatAdapter(), dspy.JSONAdapter(), dspy.XMLAdapter()]
    known = [adapter for adapter in [*own, *theirs] if adapter is not None]
    wanted = node.program.get("adapter")
    return next((adapter for adapter in known if describe(adapter) == wanted), None)


def _module_of(node: DSPyProgramNode) -> str:
    """Return the module of the class that an artifact describes, which need not be one."""
    modules = node.program.get("modules")
    first = next(iter(modules.values()), None) if isinstance(modules, Mapping) else None
    name = first.get("class") if isinstance(first, Mapping) else None
    return str(name or "MODULE").partition(":")[0][:80]


def _values_of(result: Any, name: str) -> dict[str, Any]:
    """Return what a DSPy program returned, by name.

    Raises:
        InputError: It returned nothing.
    """
    if result is None:
        raise InputError(f"{name} returned None instead of a dspy.Prediction")
    if isinstance(result, (dspy.Example, Mapping)):
        return {str(key): value for key, value in result.items()}
    return {RETURNED: result}
