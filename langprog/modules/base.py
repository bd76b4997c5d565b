"""A program: a tree of modules that is called, listed, changed by copy and frozen.

A user subclasses :class:`Module` and writes ``forward`` or ``async aforward``; the built-in
modules implement ``aforward`` alone. An optimizer sees a program through two methods:
``parameters()`` lists everything that may be set, ``with_parameters({...})`` returns a new
program.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from langprog.errors import FrozenError, InputError, SignatureError
from langprog.modules.prediction import Prediction
from langprog.modules.trace import Recorder, entered, recorder, usage_of
from langprog.runtime import call_in_worker, run_sync
from langprog.signature import FieldSpec, Signature, SignatureSpec, signature_of

ParameterKind = Literal["instruction", "demos", "model", "sampling", "adapter", "k", "threshold"]

# Name of the root in parameter keys and paths where the program is a single built-in module.
ROOT = "program"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing that a compiler may set: what sort of thing it is, and its value now."""

    kind: ParameterKind
    value: Any


class Module:
    """Base class of every program and of every part of one.

    Subclass it, make the parts in ``__init__``, and wire them in ``forward`` (plain Python) or
    ``aforward`` (asynchronous Python)::

        class Support(lp.Module):
            def __init__(self):
                self.team = lp.Predict(Triage)
                self.reply = lp.ChainOfThought("ticket, team -> reply")

            def forward(self, ticket):
                team = self.team(ticket=ticket).team
                return self.reply(ticket=ticket, team=team)

    A class attribute ``signature`` (``"ticket -> reply"`` or a Signature) says what goes in and
    out; it is needed only where the module is a step of a Pipeline.
    """

    signature: ClassVar[Any] = None
    _frozen: bool = False

    # --- calling -------------------------------------------------------------------------------

    def forward(self, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work; to be written by a subclass, unless it writes ``aforward``."""
        raise NotImplementedError(
            f"{type(self).__name__} has neither `def forward` nor `async def aforward`"
        )

    async def aforward(self, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work asynchronously; by default ``forward`` in a worker thread."""
        return await call_in_worker(self.forward, **inputs)

    def __call__(self, **inputs: Any) -> Prediction:
        """Run the program and wait for its result.

        Raises:
            InputError: An input is missing, unknown or of the wrong type.
            LMError: A model did not answer.
            ParseError: A model's reply cannot be read as the outputs.
            BudgetExceeded: A budget does not allow the next call.
        """
        return run_sync(self.acall(**inputs))

    async def acall(self, **inputs: Any) -> Prediction:
        """Run the program; the asynchronous form of calling it."""
        outer = recorder.get()
        if outer is None:
            inner = Recorder(self.paths())
        else:
            inner = outer.inner()
            if not outer.paths:
                inner.paths = self.paths()
        started = time.perf_counter()
        with entered(inner):
            values = await self.aforward(**inputs)
        if not isinstance(values, Mapping):
            raise InputError(
                f"{type(self).__name__}.forward returned {type(values).__name__}: "
                "return a Prediction or a dict of outputs"
            )
        steps = inner.steps()
        return Prediction.of(values, usage_of(steps, time.perf_counter() - started), steps)

    # --- what goes in and out ------------------------------------------------------------------

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name.

        Raises:
            SignatureError: The module does not say what goes in and out.
        """
        return self.declared().inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name.

        Raises:
            SignatureError: The module does not say what goes in and out.
        """
        return self.declared().outputs

    def input_names(self) -> tuple[str, ...]:
        """Return the names of what goes in: as declared, else the parameters of ``forward``.

        Raises:
            SignatureError: ``forward`` takes ``**inputs`` and nothing is declared.
        """
        written = type(self).aforward if self._writes("aforward") else type(self).forward
        if type(self).signature is not None or not self._writes(written.__name__):
            return tuple(self.inputs)
        parameters = list(inspect.signature(written).parameters.values())[1:]
        if any(p.kind is p.VAR_KEYWORD for p in parameters):
            return tuple(self.inputs)
        return tuple(p.name for p in parameters if p.default is p.empty)

    def _writes(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(Module, name)

    def declared(self) -> SignatureSpec:
        """Return the signature that the class declares.

        Raises:
            SignatureError: It declares none.
        """
        declared = type(self).signature
        if isinstance(declared, (str, SignatureSpec)) or (
            inspect.isclass(declared) and issubclass(declared, Signature)
        ):
            return signature_of(declared)
        raise SignatureError(
            f"{type(self).__name__} does not say what goes in and out: "
            'give the class an attribute such as signature = "ticket -> team"'
        )

    # --- the tree ------------------------------------------------------------------------------

    def children(self) -> dict[str, Module]:
        """Return the modules directly inside, by name; lists and dicts of modules are opened."""
        found: dict[str, Module] = {}
        for name, value in vars(self).items():
            for key, module in _modules_in(value):
                found[f"{name}{key}"] = module
        return found

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy whose modules directly inside are ``children`` (every name of them)."""
        new = copy.copy(self)
        for name, value in vars(self).items():
            vars(new)[name] = _replaced(name, value, children)
        return new

    def named_modules(self) -> dict[str, Module]:
        """Return every module of the tree by path, this one first; each object once."""
        return dict(self._walk("", set()))

    def _walk(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:  # and so is everything inside it
            return
        seen.add(id(self))
        yield prefix or self.root_name(), self
        for name, child in self.children().items():
            yield from child._walk(f"{prefix}.{name}" if prefix else name, seen)

    def root_name(self) -> str:
        """Return the path that this module has where it is the whole program."""
        return ROOT

    def predictors(self) -> dict[str, Any]:
        """Return every Predict by path, in a stable order: ``{"team": Predict(...), ...}``."""
        return {path: module for path, module in self.named_modules().items() if module.predicts}

    @property
    def predicts(self) -> bool:
        """Whether this module itself is a predictor (asks a model with a signature)."""
        return False

    def paths(self) -> dict[int, str]:
        """Return the path of every module of the tree by the module's id."""
        return {id(module): path for path, module in self.named_modules().items()}

    # --- parameters ----------------------------------------------------------------------------

    def own_parameters(self) -> dict[str, Parameter]:
        """Return what a compiler may set on this very module, by name."""
        return {}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters of its own."""
        raise InputError(f"{type(self).__name__} has no parameter {next(iter(values))!r}")

    def parameters(self) -> dict[str, Parameter]:
        """Return everything that a compiler may set: ``{"team.instruction": Parameter(...)}``."""
        return {
            f"{path}.{name}": parameter
            for path, module in self.named_modules().items()
            for name, parameter in module.own_parameters().items()
        }

    def with_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a new program with these parameters; this one stays as it is.

        Args:
            values: New values by key, as ``parameters()`` names them; others are kept.

        Raises:
            InputError: A key is not among the program's parameters, or a value does not fit.
        """
        known = self.parameters()
        wanted: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            if key not in known:
                raise InputError(
                    f"the program has no parameter {key!r}; it has {', '.join(known) or 'none'}"
                )
            path, _, name = key.rpartition(".")
            wanted.setdefault(path, {})[name] = value
        modules = self.named_modules()
        changes = {id(modules[path]): own for path, own in wanted.items()}
        return self._rebuilt(changes, {}, freeze=self._frozen)

    def freeze(self) -> Self:
        """Return a copy that nothing can be set on."""
        return self._rebuilt({}, {}, freeze=True)

    @property
    def frozen(self) -> bool:
        """Whether setting anything on the program raises."""
        return self._frozen

    def _rebuilt(
        self, changes: Mapping[int, Mapping[str, Any]], done: dict[int, Module], *, freeze: bool
    ) -> Self:
        # `done` keeps a module that hangs in two places one module in the copy as well.
        known = done.get(id(self))
        if known is not None:
            assert isinstance(known, type(self))
            return known
        children = {
            name: child._rebuilt(changes, done, freeze=freeze)
            for name, child in self.children().items()
        }
        new = self.with_children(children) if children else copy.copy(self)
        if id(self) in changes:
            new = new.with_own_parameters(changes[id(self)])
        object.__setattr__(new, "_frozen", freeze)
        done[id(self)] = new
        return new

    def __setattr__(self, name: str, value: Any) -> None:
        if self._frozen:
            raise FrozenError(
                f"the program is frozen: {type(self).__name__}.{name} cannot be set; "
                "with_parameters({...}) returns a changed copy"
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if self._frozen:
            raise FrozenError(f"the program is frozen: {type(self).__name__}.{name} stays")
        object.__delattr__(self, name)


def _modules_in(value: Any) -> Iterator[tuple[str, Module]]:
    if isinstance(value, Module):
        yield "", value
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            if isinstance(item, Module):
                yield f"[{index}]", item
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, Module):
                yield f"[{key}]", item


def _replaced(name: str, value: Any, children: Mapping[str, Module]) -> Any:
    if isinstance(value, Module):
        return children[name]
    if isinstance(value, (list, tuple)) and any(isinstance(item, Module) for item in value):
        return type(value)(
            [
                children[f"{name}[{index}]"] if isinstance(item, Module) else item
                for index, item in enumerate(value)
            ]
        )
    if isinstance(value, dict) and any(isinstance(item, Module) for item in value.values()):
        return {
            key: children[f"{name}[{key}]"] if isinstance(item, Module) else item
            for key, item in value.items()
        }
    return value
