"""Apply a module to every element of a list, several at a time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, ClassVar, Literal, Self, get_args

from langprog.errors import (
    ArtifactError,
    InputError,
    LangprogError,
    MetricError,
    ModelError,
    SignatureError,
)
from langprog.hints import with_hints
from langprog.knobs import check_argument, takes_one_of, takes_whole
from langprog.modules.around import SURVIVED, check_module
from langprog.modules.base import Module, with_left_out
from langprog.modules.elements import ElementFailure, iterate, number_elements, with_count
from langprog.modules.elsewhere import OF_MAP
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.prediction import Prediction
from langprog.modules.streaming import tell_element
from langprog.notebook import shorten
from langprog.runtime import mark_element, stream_in_order
from langprog.signature import FieldSpec, SignatureSpec

OnError = Literal["keep", "drop", "raise"]
ON_ERROR: tuple[OnError, ...] = get_args(OnError)

# Errors that all elements share: they end the call, however many elements are left.
_SHARED = (ModelError, SignatureError, MetricError, ArtifactError)


class MapNode(Node):
    """A module that is applied to every element of a list.

    Args:
        module: Its kind.
        asks: The module that is applied.
        over: The input field that holds the list.
        item: The input of the module that takes an element.
        outputs: The outputs that have another name than in the module.
        at_once: Maximum number of elements worked on at the same time.
        on_error: What becomes of an element that fails.
        max_failures: How many elements may fail; null for all but one.
        expected_length: Length of a list when costs are forecast.
    """

    module: Literal["Map"]
    asks: AnyNode
    over: str
    item: str
    outputs: dict[str, str]
    at_once: int
    on_error: OnError
    max_failures: int | None
    expected_length: int

    def children(self) -> dict[str, Node]:
        """Return the node inside, by the name in the module."""
        return {"module": self.asks}


class Map(Module):
    r"""Apply a module to every element of a list; elements start while the list still comes in.

    Its input ``over`` is a list, or anything to iterate over, also asynchronously: an element
    starts as soon as it is there, and no more are read than can be worked on. The module's other
    inputs are the same for all elements. Each output is a list in the order of the elements.

    An element that fails (in transit, cut off, refused, unreadable, or because its value is wrong)
    is an :class:`ElementFailure` in every output list and in the output ``<over>_failures``. If
    all elements fail, the first error is raised; so is at once one that is not about a single
    element: a spent budget, a wrong key, an error in your own code.

    Follows: ALTO: An Efficient Network Orchestrator for Compound AI Systems (Santhanam et al.,
    2024), streaming of partial outputs between stages. Differs: results keep the order of the
    elements; within one process, by asynchronous iteration.

    Example::

        import langprog as lp

        program = lp.Pipeline(
            each=lp.Map(
                lp.Predict("document, question -> fact"),
                over="documents",
                item="document",
                outputs={"fact": "facts"},
                on_error="drop",
            ),
            combine=lp.Predict("question, facts: list[str] -> answer"),
        )
        replies = ["[[fact]]\nIt is in France.", "[[fact]]\nIt is big.", "[[answer]]\nParis"]
        with lp.using(lm=lp.ScriptedLM(replies)):
            prediction = program(documents=["a", "b"], question="Which city?")
        assert prediction.facts == ["It is in France.", "It is big."]
        assert prediction.documents_failures == []

    Args:
        module: The module to apply.
        over: The input field that holds the list.
        item: The input of ``module`` that takes an element; by default its only input.
        outputs: Other names for outputs of ``module``: ``{"fact": "facts"}``.
        at_once: Maximum number of elements worked on at the same time.
        on_error: What becomes of an element that fails: ``keep`` puts an ElementFailure in its
            place, ``drop`` leaves it out of the lists (``<over>_failures`` still has it), and
            ``raise`` ends the call.
        max_failures: How many elements may fail before the call ends with the first failure;
            ``None``: all but one.
        expected_length: Length of a list when the cost of a compile is forecast.

    Raises:
        InputError: An argument is invalid.
        SignatureError: The module declares no inputs and outputs, or fields share a name.
    """

    node: ClassVar[type[Node]] = MapNode
    module: Module
    at_once: int
    on_error: OnError
    max_failures: int | None
    expected_length: int

    @with_hints(OF_MAP, by_name="write over=, the input that holds the list")
    def __init__(
        self,
        module: Module,
        *,
        over: str,
        item: str | None = None,
        outputs: Mapping[str, str] | None = None,
        at_once: int = 16,
        on_error: OnError = "keep",
        max_failures: int | None = None,
        expected_length: int = 10,
    ) -> None:
        self.module = check_module(module, "the module of a Map")
        check_argument("Map", "at_once", at_once, takes_whole(1, 100_000))
        check_argument("Map", "on_error", on_error, takes_one_of(ON_ERROR))
        check_argument("Map", "max_failures", max_failures, takes_whole(0), optional=True)
        check_argument("Map", "expected_length", expected_length, takes_whole(1))
        self._item = _find_item(module, item)
        self._renamed = _check_renamed(module, outputs or {})
        self._signature = _make_signature(module, over, self._item, self._renamed)
        self.at_once = at_once
        self.on_error = on_error
        self.max_failures = max_failures
        self.expected_length = expected_length

    @property
    def over(self) -> str:
        """The name of the input field that holds the list."""
        return next(iter(self._signature.inputs))

    def declared_signature(self) -> SignatureSpec:
        """Return what goes in and out."""
        return self._signature

    def calls_per_example(self) -> int:
        """Return the calls for a list of the expected length."""
        return self.expected_length * self.module.calls_per_example()

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: its node has all there is."""
        return {}

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {
            "module": "Map",
            "asks": parts["module"],
            "over": self.over,
            "item": self._item,
            "outputs": dict(self._renamed),
            "at_once": self.at_once,
            "on_error": self.on_error,
            "max_failures": self.max_failures,
            "expected_length": self.expected_length,
        }

    @classmethod
    def from_node(cls, node: MapNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(
            parts["module"],
            over=node.over,
            item=node.item,
            outputs=node.outputs,
            at_once=node.at_once,
            on_error=node.on_error,
            max_failures=node.max_failures,
            expected_length=node.expected_length,
        )

    async def aforward(self, **inputs: Any) -> Prediction:
        """Apply the module to all elements.

        Raises:
            InputError: An input is missing or unknown, or the list is not a list.
            LangprogError: All elements failed, or too many, or one in a way that all share.
        """
        columns: dict[str, list[Any]] = {name: [] for name in self.module.outputs}
        failures: list[ElementFailure] = []
        async with aclosing(self.aresults(**inputs)) as results:
            async for result in results:
                failed = isinstance(result, ElementFailure)
                if isinstance(result, ElementFailure):
                    failures.append(result)
                for name, column in columns.items():
                    if isinstance(result, Prediction):
                        column.append(result[name])
                    elif failed and self.on_error == "keep":
                        column.append(result)
        named = {self._renamed.get(name, name): column for name, column in columns.items()}
        return Prediction(**named, **{_failures_of(self.over): failures})

    async def aresults(self, **inputs: Any) -> AsyncGenerator[Prediction | ElementFailure, None]:
        """Yield the result of each element in order, the first before the last element is known.

        Nothing is kept of what was yielded, so memory does not grow with the list::

            async for result in program.aresults(documents=read_documents(), question="..."):
                ...

        Dropped failures are yielded, too. Leaving the loop early cancels what runs; with
        ``contextlib.aclosing`` it has ended when the block ends.

        Raises:
            LangprogError: As for a call.
        """
        if inputs.keys() != self._signature.inputs.keys():
            inputs = with_left_out(inputs, self._signature.inputs, "the Map")
        shared = {name: value for name, value in inputs.items() if name != self.over}
        elements = number_elements(iterate(inputs[self.over], self.over))
        count = failed = 0
        first: LangprogError | None = None
        async with (
            aclosing(elements),
            aclosing(
                stream_in_order(elements, lambda each: self._apply(*each, shared), self.at_once)
            ) as results,
        ):
            async for result in results:
                count += 1
                if isinstance(result, Prediction):
                    await tell_element(count - 1, result)
                    yield result
                    continue
                failed += 1
                first = first or result
                if self.on_error == "raise" or failed > _most(self.max_failures):
                    raise with_count(first, failed, count)
                failure = ElementFailure(count - 1, type(result).__name__, str(result))
                await tell_element(count - 1, failure)
                yield failure
        if first is not None and failed == count:
            raise with_count(first, failed, count)

    async def _apply(
        self, index: int, element: Any, shared: Mapping[str, Any]
    ) -> Prediction | LangprogError:
        try:
            with mark_element(index):
                answer: Prediction = await self.module.acall(**shared, **{self._item: element})
                return answer
        except SURVIVED as error:
            return error
        except InputError as error:
            if isinstance(error, _SHARED):
                raise
            return error

    def __repr__(self) -> str:
        return shorten(f"Map({self.module!r}, over={self.over!r})")


def _most(failures: int | None) -> float:
    return float("inf") if failures is None else failures


def _failures_of(over: str) -> str:
    return f"{over}_failures"


def _find_item(module: Module, item: str | None) -> str:
    inputs = module.inputs
    if item is None and len(inputs) == 1:
        return next(iter(inputs))
    if item is None or item not in inputs:
        told = "needs item=" if item is None else f"has item={item!r:.60}"
        raise InputError(
            f"a Map {told}: name the input of its module that takes an element, one of "
            f"{', '.join(inputs)}"
        )
    return item


def _check_renamed(module: Module, outputs: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(outputs, Mapping):
        raise InputError(f"outputs= of a Map is a dict of names, not a {type(outputs).__name__}")
    for name, new in outputs.items():
        if name not in module.outputs:
            raise InputError(
                f"outputs= of a Map renames {name!r:.60}, which its module lacks; it gives "
                f"{', '.join(module.outputs)}"
            )
        if not isinstance(new, str):
            raise InputError(f"outputs= of a Map renames {name!r} to {new!r:.60}: use a name")
    return {name: new for name, new in outputs.items() if new != name}


def _make_signature(
    module: Module, over: str, item: str, renamed: Mapping[str, str]
) -> SignatureSpec:
    if not isinstance(over, str):
        raise InputError(f"over= of a Map is the name of an input, not {over!r:.60}")
    taken = module.inputs[item]
    fields = [FieldSpec(over, "input", list[taken.annotation], taken.description)]  # type: ignore[name-defined]  # a type made at run time
    fields += [field for name, field in module.inputs.items() if name != item]
    for name, field in module.outputs.items():
        annotation = list[field.annotation]  # type: ignore[name-defined]  # a type made at run time
        fields.append(FieldSpec(renamed.get(name, name), "output", annotation, field.description))
    fields.append(
        FieldSpec(_failures_of(over), "output", list[ElementFailure], "elements that failed")
    )
    return SignatureSpec("Map", "", tuple(fields))
