"""Running a program's own code again after it had an answer asked for again.

Calls with the same inputs as before return what they returned, so they are neither made nor paid
again; the predictor that made the answer continues its conversation; what depends on the answer
runs anew.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any

from langprog.errors import CheckError
from langprog.example import Example
from langprog.modules.prediction import Prediction
from langprog.modules.streaming import tell_void
from langprog.modules.trace import Recorder, TraceStep, recorder
from langprog.runtime import Settings, overlay

if TYPE_CHECKING:
    from langprog.modules.base import Module
    from langprog.modules.conversation import Conversation

_UNUSED = "not used: an answer before it was asked for again"
_PLAIN = frozenset({str, int, float, bool, type(None)})
_UNCHANGING = (Prediction, Example, Enum)
# What comparing and copying a user's values may raise.
_COMPARING = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class AskAgain(BaseException):
    """Ends a run of ``forward`` so that it can run again; no ``except Exception`` catches it.

    Args:
        frame: The call whose ``forward`` runs again.
        makers: The calls of the predictor that made the answer.
        problem: What is wrong with the answer.
    """

    def __init__(self, frame: Call, makers: Sequence[Call], problem: str) -> None:
        super().__init__(problem)
        self.frame = frame
        self.makers = makers
        self.problem = problem


class Call:
    """A module's call inside a program with code of its own, and the calls inside it.

    Args:
        module: The module.
        inputs: Its inputs.
    """

    # Most calls change none of these.
    result: Prediction | None = None
    # A predictor's conversation, and the one to continue instead of a new one.
    conversation: Conversation | None = None
    continues: Conversation | None = None
    # Calls of the run before, and results of other work, which may be used again.
    earlier: Sequence[Call] = ()
    earlier_results: Sequence[tuple[Any, Any]] = ()
    results: Sequence[tuple[Any, Any]] = ()
    # Whether a call inside is asked again, or what is wrong with this one's answer.
    repeats = False
    problem: str | None = None
    # How often the code that ran again did not make the call again whose answer was at fault.
    lost = 0
    is_reused = False
    # Path and number in a stream.
    shown_as: tuple[str, int] | None = None
    _values: dict[str, Any] | None = None
    _signal: AskAgain | None = None
    _replaced: Sequence[Call] = ()
    _at_fault: Sequence[Call] = ()
    _made_again = False

    def __init__(self, module: Module, inputs: dict[str, Any]) -> None:
        self.module = module
        self.inputs = copy_values(inputs)
        self.children: list[Call] = []
        # The trace's entries of this call itself.
        self.entries: list[Any] = []
        self._settings = overlay()

    def begin(self, module: Module, inputs: dict[str, Any]) -> Call:
        """Return a call inside this one: a new one, or one of the run before, with its result."""
        new = Call(module, inputs)
        if self.earlier:
            before = self._take_earlier(new)
            if before is not None and before._is_usable():
                new = before
                new.is_reused = True
            elif before is not None:
                new.earlier = before.children
                new.earlier_results = before.results
                if before.problem is not None and before.conversation is not None:
                    new.continues = before.conversation.continued(before.problem)
        self.children.append(new)
        return new

    def _is_usable(self) -> bool:
        # Of a call that was cancelled, or whose values cannot be copied, only what is inside is.
        return self._values is not None and self.problem is None and not self.repeats

    def _take_earlier(self, new: Call) -> Call | None:
        for index, call in enumerate(self.earlier):
            if (
                call.module is new.module
                and call.inputs is not None
                and _are_alike(call._settings, new._settings)
                and _are_same(call.inputs, new.inputs)
            ):
                self.earlier = [*self.earlier[:index], *self.earlier[index + 1 :]]
                call._made_again = True
                return call
        return None

    def join(
        self, base: Recorder, work: Callable[..., Awaitable[Any]]
    ) -> Callable[..., Awaitable[Any]]:
        """Make this the call of a recorder, and return what runs it.

        Args:
            base: The recorder of the whole call.
            work: The module's ``aforward``.
        """
        base.call = self
        self.entries = base.entries
        return partial(self.run, base, work) if self.module.has_own_code else work

    def keep_result(self, key: Any, result: Any) -> None:
        """Keep the result of other work than a module's, a tool's say, for a run after this."""
        self.results = [*self.results, (copy_values({"": key}), result)]

    def recall_result(self, key: Any) -> tuple[Any, ...]:
        """Return the result that the same work had in the run before; empty without one."""
        before = self.earlier_results
        for at, (other, result) in enumerate(before):
            if other is not None and _are_same(other, {"": key}):
                self.earlier_results = [*before[:at], *before[at + 1 :]]
                self.keep_result(key, result)
                return (result,)
        return ()

    def finish(self, prediction: Prediction) -> None:
        """Keep the result, for a run after this one."""
        self.result = prediction
        self._values = copy_values(prediction.to_dict())

    def reuse(self) -> Prediction:
        """Return the result of the run before, as it was before ``forward`` could change it."""
        assert self.result is not None and self._values is not None
        values = copy_values(self._values)
        if values is not self._values:
            usage, trace = self.result.usage, self.result.trace
            self.result = Prediction.of(values or {}, usage, trace)
        return self.result

    async def run(
        self, base: Recorder, work: Callable[..., Awaitable[Any]], /, **inputs: Any
    ) -> Any:
        """Run a module's code, again whenever an answer in it has to be asked for again.

        Args:
            base: The recorder of the whole call.
            work: The module's ``aforward``.
            **inputs: Its inputs.
        """
        place = base
        try:
            while True:
                token = recorder.set(place)
                try:
                    values = await work(**inputs)
                except AskAgain as signal:
                    if signal.frame is not self:
                        raise
                except BaseExceptionGroup as group:
                    if self._signal is None or group.split(AskAgain)[1] is not None:
                        raise
                else:
                    if self._signal is None:  # else a task or thread has kept it to itself
                        await self._tell_unused()
                        return values
                finally:
                    recorder.reset(token)
                place.close()  # what still runs must not go on in its name
                await self._go_back()
                place = base.next_to()
        finally:
            if place is not base:
                self._mark_replaced()
                if base.outer is None:
                    place.close()

    def ask_again(self, makers: Sequence[Call], problem: str) -> AskAgain:
        """Return the exception that has answers asked for again and this call's code run again."""
        signal = AskAgain(self, makers, problem)
        self._signal = self._signal or signal
        return signal

    def count_lost(self, makers: Sequence[Call]) -> int:
        """Return how often this code, when it ran again, did not call as it had before.

        Then the answer at fault is not asked for again but drawn anew, which has to end, too.

        Args:
            makers: The calls whose answer is at fault now. Those that this run took from the run
                before may come before the call that is made again.
        """
        before, reused = self._at_fault, any(maker.is_reused for maker in makers)
        if before and not reused and not any(maker._made_again for maker in before):
            self.lost += 1
            self._at_fault = ()
        return self.lost

    async def _go_back(self) -> None:
        signal = self._signal
        assert signal is not None
        self._signal = None
        self._at_fault = signal.makers
        for maker in signal.makers:
            maker.problem = signal.problem
            maker._made_again = False
            if maker.shown_as is not None:
                await tell_void(*maker.shown_as, signal.problem)
        for child in self.children:
            child._mark_repeats()
        self._replaced = [*self._replaced, *self.children]
        # Those that this run did not come to may still be met by the next.
        self.earlier, self.children = [*self.children, *self.earlier], []
        self.earlier_results, self.results = [*self.results, *self.earlier_results], ()

    def _mark_repeats(self) -> bool:
        inside = [child._mark_repeats() for child in self.children]
        self.repeats = any(inside)
        return self.repeats or self.problem is not None

    def _list_replaced(self) -> list[Call]:
        kept = {id(call) for child in self.children for call in child.walk()}
        before = [call for child in self._replaced for call in child.walk()]
        return [call for call in before if id(call) not in kept]

    def _mark_replaced(self) -> None:
        for call in self._list_replaced() if self._replaced else ():
            call.fail(call.problem or _UNUSED, CheckError if call.problem else None)

    async def _tell_unused(self) -> None:
        for call in self._list_replaced() if self._replaced else ():
            if call.shown_as is not None and call.problem is None and not call.repeats:
                await tell_void(*call.shown_as, _UNUSED)

    def walk(self) -> Iterator[Call]:
        """Yield this call and those inside, in the order in which they started."""
        yield self
        for child in self.children:
            yield from child.walk()

    def fail(self, failure: str, failed_with: type[Exception] | None) -> None:
        """Mark the trace's steps of this call itself as failed."""
        for at, step in enumerate(self.entries):
            if isinstance(step, TraceStep) and step.failure is None:
                self.entries[at] = replace(
                    step, outputs={}, failure=failure, failed_with=failed_with
                )

    def note_unmet(self, message: str) -> None:
        """Note in the trace what was suggested, and the answer does not satisfy."""
        for at, step in enumerate(self.entries):
            if isinstance(step, TraceStep) and message not in step.unmet:
                self.entries[at] = replace(step, unmet=(*step.unmet, message))

    def find(self, at: Module | Prediction | None) -> Call | None:
        """Return the last finished call inside that made an answer, or that of ``at``."""
        for child in reversed(self.children):
            if at is None:
                if child.result is not None and child.makers():
                    return child
                continue
            if child.result is not None and (child.result is at or child.module is at):
                return child
            inside = child.find(at)
            if inside is not None:
                return inside
        return None

    def makers(self) -> list[Call]:
        """Return the predictor's calls that made this call's answer; several in a vote, say."""
        if self.conversation is not None:
            return [self]
        asked = [call for call in self._asked() if call.result is not None]
        if not asked or self.result is None:
            return []
        last = next((call for call in reversed(asked) if call._gave(self.result)), asked[-1])
        return [
            call
            for call in asked
            if call.module is last.module and _are_same(call.inputs, last.inputs)
        ]

    def _asked(self) -> Iterator[Call]:
        for child in self.children:
            if child.conversation is not None:
                yield child  # and nothing inside: its checks may call predictors
            else:
                yield from child._asked()

    def _gave(self, answer: Prediction) -> bool:
        given: Mapping[str, Any] = self.result or {}
        return any(name in answer and _are_same(answer[name], given[name]) for name in given)


def copy_values(values: dict[str, Any]) -> dict[str, Any] | None:
    """Return values that later changes of their lists and objects do not reach.

    ``None`` if one of them cannot be copied. A dict without any of those is returned itself.
    """
    for value in values.values():
        if type(value) not in _PLAIN:
            break
    else:
        return values
    try:
        return {name: _copy_value(value) for name, value in values.items()}
    except (*_COMPARING, copy.Error):  # of the user's own types
        return None


def _copy_value(value: Any) -> Any:
    if type(value) in _PLAIN or isinstance(value, _UNCHANGING):
        return value
    return copy.deepcopy(value)


def _are_alike(first: Settings | None, second: Settings | None) -> bool:
    """Return whether calls with these settings are the same, whoever watches them."""
    if first is None or second is None:
        return first is second
    return first is second or replace(first, watch=None) == replace(second, watch=None)


def _are_same(first: Any, second: Any) -> bool:
    try:
        return first is second or bool(first == second)
    except _COMPARING:  # arrays, say
        return False
