"""A program: a tree of modules that is called, listed, changed by copy and frozen.

A user subclasses :class:`Module` and writes ``forward`` or ``async aforward``; the built-in
modules implement ``aforward`` alone. An optimizer sees a program through two methods:
``parameters()`` lists everything that may be set, ``with_parameters({...})`` returns a new
program.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from langprog.errors import InputError, SignatureError
from langprog.modules.origin import ORIGIN
from langprog.modules.prediction import Prediction
from langprog.modules.trace import Recorder, recorder, threads, usage_of
from langprog.modules.tree import Tree
from langprog.runtime import call_in_worker, run_sync
from langprog.signature import FieldSpec, Signature, SignatureSpec, signature_of

if TYPE_CHECKING:
    from langprog.modules.node import Node, Types
    from langprog.modules.signals import Signal


class Module(Tree):
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

    Predictors are found in attributes, however deep lists, tuples, dicts and dataclasses nest.
    What else may be tried by a search is declared by :meth:`own_parameters` and
    :meth:`search_space`::

        def own_parameters(self):
            return {"style": lp.Parameter("choice", self.style)}

        def search_space(self):
            return {"style": ["plain", "formal"]}
    """

    signature: ClassVar[Any] = None

    # The data form of a kind of module that artifacts know; a user's own class has none.
    node: ClassVar[type[Node] | None] = None

    # --- calling -------------------------------------------------------------------------------

    def forward(self, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work; to be written by a subclass, unless it writes ``aforward``."""
        raise NotImplementedError(
            f"{type(self).__name__} has neither `def forward` nor `async def aforward`"
        )

    async def aforward(self, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work asynchronously; by default ``forward`` in a worker thread."""
        return await call_in_worker(self.forward, **inputs)

    def __call__(self, *positional: Any, **inputs: Any) -> Prediction:
        """Run the program and wait for its result; inputs are given by name.

        Raises:
            InputError: An input is missing, unknown or of the wrong type.
            LMError: A model did not answer.
            ParseError: A model's reply cannot be read as the outputs.
            BudgetExceeded: A budget does not allow the next call.
        """
        return run_sync(self.acall(*positional, **inputs))

    async def acall(self, *positional: Any, **inputs: Any) -> Prediction:
        """Run the program; the asynchronous form of calling it."""
        if positional:
            raise InputError(self._by_name())
        outer = recorder.get()
        if outer is None:
            threads.install()
            inner = Recorder(self.paths())
        else:
            outer.check_open()
            inner = outer.inner()
            if not outer.paths:
                inner.paths = self.paths()
        started = time.perf_counter()
        token = recorder.set(inner)
        try:
            values = await self.aforward(**inputs)
        except BaseException:
            inner.close()  # what it started ends with it
            raise
        finally:
            recorder.reset(token)
            if outer is None:
                inner.close()
        if not isinstance(values, Mapping):
            raise InputError(
                f"{type(self).__name__}.forward returned {type(values).__name__}: "
                "return a Prediction or a dict of outputs"
            )
        steps = inner.steps()
        return Prediction.of(values, usage_of(steps, time.perf_counter() - started), steps)

    def _by_name(self) -> str:
        try:
            names = ", ".join(f"{name}=..." for name in self.input_names())
        except SignatureError:
            names = "name=..."
        return f"a program takes its inputs by name: write program({names})"

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

    def needs_input(self, name: str) -> bool:
        """Return whether a call must give this input; an Optional one may be left out."""
        try:
            fields = self.inputs
        except SignatureError:
            return True
        return name not in fields or fields[name].required

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

    # --- what a compiler and an artifact have to know -------------------------------------------

    def calls_per_example(self) -> int:
        """Return how many calls one example takes, as a forecast: those of all its parts, once.

        A module with a loop in it, or with parts that stand in for one another, says better.
        """
        return int(self.predicts) + sum(
            part.calls_per_example() for part in self.children().values()
        )

    def alternative_steps(self) -> tuple[Module, ...]:
        """Return the parts that stand in for one another: one of them gives the answer."""
        return ()

    def escalation_signal(self) -> Signal | None:
        """Return how sure this module asks its steps to be; ``None`` where it does not."""
        return None

    def plain_settings(self) -> dict[str, Any]:
        """Return the attributes that are plain data, which an artifact of a user's class keeps.

        Private ones are kept only where they are a text, a number or a truth value: others are
        mostly what a program found out on the way.
        """
        own = {*self.own_parameters(), "_frozen", ORIGIN}
        return {
            name: value
            for name, value in sorted(vars(self).items())
            if name not in own and _is_plain(value, deep=not name.startswith("_"))
        }

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return this module as plain JSON data that fits its ``node``.

        Args:
            parts: The modules inside as data, by name.
            types: Writes what a signature's types are beyond data.

        Raises:
            ArtifactError: It holds something that an artifact cannot carry.
        """
        raise NotImplementedError(f"{type(self).__name__} has no data form")

    @classmethod
    def from_node(cls, node: Any, parts: Mapping[str, Module], types: Types) -> Self:
        """Make a module from its node.

        Args:
            node: An instance of the class's ``node``.
            parts: The modules inside, by name.
            types: Reads what a signature's types are beyond data.

        Raises:
            InputError: The node describes no such module.
        """
        raise NotImplementedError(f"{cls.__name__} has no data form")


def with_left_out(
    inputs: Mapping[str, Any], fields: Mapping[str, FieldSpec], called: str
) -> dict[str, Any]:
    """Return inputs with the values of those that may be left out, and were.

    Raises:
        InputError: One that is needed is missing, or one is unknown.
    """
    missing = [name for name, field in fields.items() if name not in inputs and field.required]
    unknown = [name for name in inputs if name not in fields]
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise InputError(f"the call of {called} {what}; its inputs are {', '.join(fields)}")
    return {
        name: inputs[name] if name in inputs else field.left_out()
        for name, field in fields.items()
    }


def _is_plain(value: Any, *, deep: bool) -> bool:
    if value is None or type(value) in (str, int, float, bool):
        return True
    if deep and type(value) is list:
        return all(_is_plain(item, deep=True) for item in value)
    if deep and type(value) is dict:
        return all(type(key) is str and _is_plain(item, deep=True) for key, item in value.items())
    return False
