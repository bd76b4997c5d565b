"""The base class of programs: trees of modules that are called, listed, copied and frozen.

A user subclasses :class:`Module` and writes ``forward`` or ``async aforward``; the built-in
modules implement only ``aforward``. An optimizer uses two methods of a program: ``parameters()``
lists everything that may be set, ``with_parameters({...})`` returns a new program.
"""

from __future__ import annotations

import difflib
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

from langprog.errors import InputError, SignatureError
from langprog.modules.backtracking import Call
from langprog.modules.demands import most_reasks
from langprog.modules.elsewhere import OF_A_CALL
from langprog.modules.origin import ORIGIN
from langprog.modules.prediction import Prediction
from langprog.modules.streaming import Event, run_watched, stream_in_sync, stream_program
from langprog.modules.trace import Recorder, recorder, threads
from langprog.modules.tree import Tree
from langprog.modules.typed import Out_co
from langprog.notebook import list_short
from langprog.runtime import call_in_worker, current, run_sync
from langprog.signature import FieldSpec, Signature, SignatureSpec, signature_of

if TYPE_CHECKING:
    from langprog.modules.node import Node, Types
    from langprog.modules.signals import Signal


class Module(Tree, Generic[Out_co]):
    """Base class of every program and of every part of one.

    Subclass it, create the parts in ``__init__``, and wire them in ``forward`` (plain Python) or
    ``aforward`` (asynchronous Python)::

        class Support(lp.Module):
            def __init__(self):
                self.team = lp.Predict(Triage)
                self.reply = lp.ChainOfThought("ticket, team -> reply")

            def forward(self, ticket):
                team = self.team(ticket=ticket).team
                return self.reply(ticket=ticket, team=team)

    With ``lp.Module[Triage]`` as the base, type checkers know the outputs of a call and check
    metrics.

    A class attribute ``signature`` (``"ticket -> reply"`` or a Signature) declares inputs and
    outputs; only a step of a Pipeline needs it.

    Predictors are found in attributes, inside lists, tuples, dicts and dataclasses at any depth.
    Declare other parameters for a search with :meth:`own_parameters` and :meth:`search_space`::

        def own_parameters(self):
            return {"style": lp.Parameter("choice", self.style)}

        def search_space(self):
            return {"style": ["plain", "formal"]}
    """

    signature: ClassVar[Any] = None

    # The node type of a kind of module that artifacts know; a user's own class has none.
    node: ClassVar[type[Node] | None] = None

    # Whether the class was written by a user, so that its code may call lp.require.
    has_own_code: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.has_own_code = not cls.__module__.startswith("langprog.")

    # --- calling -------------------------------------------------------------------------------

    # With both kinds of arguments, type checkers let a subclass name its inputs.
    def forward(self, *positional: Any, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work; a subclass implements this or ``aforward``."""
        raise _without_forward(type(self))

    async def aforward(self, *positional: Any, **inputs: Any) -> Prediction | Mapping[str, Any]:
        """Do the work asynchronously; by default, run ``forward`` in a worker thread."""
        return await call_in_worker(self.forward, *positional, **inputs)

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types: Any) -> type[Self]:
            """Return the class itself: what it gives matters to type checkers alone."""
            return cls

    def __call__(self, *positional: Any, **inputs: Any) -> Out_co:
        """Run the program and wait for its result; inputs are given by name.

        Raises:
            InputError: An input is missing, unknown or of the wrong type.
            LMError: A model gave no usable completion.
            ParseError: A model's reply cannot be read as the outputs.
            CheckError: An answer fails a check, also after it was asked for again.
            BudgetExceeded: A budget cannot afford the next call.
        """
        return run_sync(self.acall(*positional, **inputs))

    async def acall(self, *positional: Any, **inputs: Any) -> Out_co:
        """Run the program; the asynchronous version of calling it."""
        if positional:
            raise InputError(self._by_name())
        outer = recorder.get()
        call: Call | None = None
        if outer is None:
            threads.install()
            inner = Recorder(self.paths())
        else:
            outer.check_open()
            if outer.call is not None:
                call = outer.call.begin(self, inputs)
                if call.result is not None:
                    return call.reuse()  # type: ignore[return-value]  # as below
            inner = outer.inner()
            if not outer.paths:
                inner.paths = self.paths()
        work: Callable[..., Awaitable[Any]] = self.aforward
        if call is not None or self.has_own_code:
            work = (call or Call(self, inputs)).join(inner, work)
        started = time.perf_counter()
        token = recorder.set(inner)
        watch = current().watch
        try:
            if watch is None:
                values = await work(**inputs)
            else:
                values = await run_watched(self, work, inner, inputs, watch)
        except BaseException:
            inner.close()  # nothing may go on in its name
            raise
        finally:
            recorder.reset(token)
            if outer is None:
                inner.close()
        # A signature class describes a Prediction to type checkers only.
        return self._result(values, inner, time.perf_counter() - started)  # type: ignore[return-value]  # as above

    def _result(self, values: Any, inner: Recorder, seconds: float) -> Prediction:
        # An instance check of an abstract class is slow.
        if type(values) is not dict and not isinstance(values, Mapping):
            raise InputError(
                f"{type(self).__name__}.forward returned {type(values).__name__}: "
                "return a Prediction or a dict of outputs"
            )
        steps = inner.steps()
        prediction = Prediction.of(values, seconds, steps)
        if inner.call is not None:
            inner.call.finish(prediction)
        return prediction

    def astream(self, *positional: Any, **inputs: Any) -> AsyncGenerator[Event, None]:
        """Run the program and yield what happens: its steps, and outputs as they are written.

        The last item is the Prediction::

            async for event in program.astream(ticket="..."):
                match event:
                    case lp.FieldDelta(path="reply", text=text):
                        print(text, end="")
                    case lp.Prediction():
                        print(event.usage.calls)

        Every module inside streams, whatever its kind. The pieces of a field together are its
        text; after a StepReset, the earlier ones of that call are void. A slow consumer slows
        the models' streams down, up to their time-out. Leaving the loop early cancels what runs;
        with ``contextlib.aclosing`` it has ended when the block ends.

        Yields:
            The events of :mod:`langprog.observe`, then a Prediction.

        Raises:
            LangprogError: As for a call, after the events so far.
        """
        if positional:
            raise InputError(self._by_name())
        return stream_program(self, inputs)

    def stream(self, *positional: Any, **inputs: Any) -> Generator[Event, None, None]:
        """Run the program and yield what happens; the synchronous version of ``astream``.

        The program goes on only while the caller waits for the next event. Closing the generator
        cancels what runs. The settings are those of the code that calls this. Each event may be
        taken in another thread, as web servers do, unless the first was taken on the main thread.
        """
        if positional:
            raise InputError(self._by_name())
        return stream_in_sync(self, inputs)

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
            SignatureError: The module declares no inputs and outputs.
        """
        return self.declared_signature().inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name.

        Raises:
            SignatureError: The module declares no inputs and outputs.
        """
        return self.declared_signature().outputs

    def input_names(self) -> tuple[str, ...]:
        """Return the names of the inputs: as declared, else the parameters of ``forward``.

        Raises:
            SignatureError: ``forward`` takes ``**inputs`` and no signature is declared.
        """
        # By the names of the class: a decorator may have given the functions others.
        name = "aforward" if self._overrides("aforward") else "forward"
        if type(self).signature is not None or not self._overrides(name):
            return tuple(self.inputs)
        parameters = inspect.signature(getattr(self, name)).parameters.values()
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

    def _overrides(self, name: str) -> bool:
        return getattr(type(self), name) is not getattr(Module, name)

    def declared_signature(self) -> SignatureSpec:
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
            f"{type(self).__name__} does not declare its inputs and outputs: "
            'give the class an attribute such as signature = "ticket -> team"'
        )

    def __repr__(self) -> str:
        try:
            parts = self.children()
        except InputError:  # a tree that cannot be listed has a name all the same
            parts = {}
        return f"{type(self).__name__}({list_short(parts.items())})"

    # --- what a compiler and an artifact have to know -------------------------------------------

    def adapt_metric(self, metric: Callable[..., Any]) -> Callable[..., Any]:
        """Return a metric of an example and a prediction, as this program's results need it.

        A program of another library hands over that library's examples and predictions.
        """
        return metric

    def calls_per_example(self) -> int:
        """Return the expected number of calls per example: by default, each part once.

        An answer that ``lp.require`` or ``lp.suggest`` may have asked for again counts as often as
        that, without what depends on it. A module with a loop, or with alternative parts,
        overrides this.
        """
        parts = sum(part.calls_per_example() for part in self.children().values())
        again = most_reasks(type(self)) if parts and self.has_own_code else 0
        return int(self.predicts) + parts + again

    @property
    def retries(self) -> bool:
        """Whether a later call of a part replaces an earlier one, as in a vote or a revision."""
        return False

    def alternative_steps(self) -> tuple[Module, ...]:
        """Return parts that are alternatives: one of them gives the answer."""
        return ()

    def escalation_signal(self) -> Signal | None:
        """Return the signal that decides about escalation; ``None`` if there is none."""
        return None

    def plain_settings(self) -> dict[str, Any]:
        """Return the attributes with plain data, which artifacts keep for a user's class.

        Private ones are kept only if they are text, a number or a bool: others are mostly caches.
        """
        own = {*self.own_parameters(), "_frozen", "_frozen_part", ORIGIN}
        return {
            name: value
            for name, value in sorted(vars(self).items())
            if name not in own and _is_plain(value, deep=not name.startswith("_"))
        }

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return this module as plain JSON data for its ``node``.

        Args:
            parts: The modules inside as data, by name.
            types: Describes types that plain data cannot express.

        Raises:
            ArtifactError: It contains something that an artifact cannot store.
        """
        raise NotImplementedError(f"{type(self).__name__} has no data form")

    @classmethod
    def from_node(cls, node: Any, parts: Mapping[str, Module], types: Types) -> Self:
        """Make a module from its node.

        Args:
            node: An instance of the class's ``node``.
            parts: The modules inside, by name.
            types: Restores types that plain data cannot express.

        Raises:
            InputError: The node does not describe such a module.
        """
        raise NotImplementedError(f"{cls.__name__} has no data form")


def _without_forward(cls: type[Module]) -> InputError:
    users = [base for base in cls.__mro__ if not base.__module__.startswith("langprog.")]
    own = [name for base in users for name in vars(base)]
    near = difflib.get_close_matches("forward", own, n=1)
    near = ["__call__"] if "__call__" in own else near
    meant = f": rename {near[0]} to forward" if near else ""
    return InputError(f"{cls.__name__} has neither `def forward` nor `async def aforward`{meant}")


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
        hints = "".join(f"; {name}: {OF_A_CALL[name]}" for name in unknown if name in OF_A_CALL)
        known = ", ".join(fields)
        raise InputError(f"the call of {called} {what}; its inputs are {known}{hints}")
    return {
        name: inputs[name] if name in inputs else field.default_value()
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
