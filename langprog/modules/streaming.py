"""Streams of a program's run: its steps, and its outputs while models write them.

Every module's call passes :func:`run_watched`, and every predictor's call of its model
:func:`ask_watched`, so a module streams without code of its own. Both do nothing but their work
where nobody watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langprog.adapters import Adapter, PartialReader, encode
from langprog.errors import InputError, LangprogError, ParseError
from langprog.example import Example
from langprog.lm import (
    Completion,
    Delta,
    Message,
    ModelRef,
    ReasoningDelta,
    Request,
    Restarted,
    TextDelta,
    ToolCallDelta,
)
from langprog.modules.prediction import Prediction
from langprog.modules.reading import Reading
from langprog.modules.trace import Recorder
from langprog.observe import (
    AdapterStarted,
    Channel,
    ElementFinished,
    FieldDelta,
    StepEvent,
    StepFailed,
    StepFinished,
    StepReset,
    StepStarted,
    ThinkingDelta,
    Watch,
)
from langprog.runtime import SyncRuns, ask, current, observe_call, tell, watch_calls
from langprog.signature import FieldSpec, SignatureSpec

if TYPE_CHECKING:
    from langprog.modules.base import Module

Event = StepEvent | Prediction

# Events that may wait for their consumer.
ROOM = 256


async def run_watched(
    module: Module,
    work: Callable[..., Awaitable[Any]],
    recorder: Recorder,
    inputs: Mapping[str, Any],
    watch: Watch,
) -> Any:
    """Run a module's ``aforward``, and tell those who watch about it.

    Args:
        module: The module.
        work: Its ``aforward``, or what runs it.
        recorder: The recorder of the call.
        inputs: Its inputs.
        watch: Who watches.
    """
    call = watch.next_call()
    path = recorder.paths.get(id(module)) or type(module).__name__
    if recorder.call is not None:
        recorder.call.shown_as = (path, call)
    kind = type(module).__name__
    await _tell_step(watch, StepStarted(path, call, watch.call, watch.index, kind, inputs))
    try:
        with watch_calls(watch.inside(call, path)):
            outputs = await work(**inputs)
    except BaseException as error:
        await _tell_step(watch, StepFailed(path, call, error))
        raise
    shown = dict(outputs) if isinstance(outputs, Mapping) else {}
    await _tell_step(watch, StepFinished(path, call, shown))
    return outputs


async def run_streamed(
    path: str, kind: str, inputs: Mapping[str, Any], work: Callable[[], Awaitable[Any]]
) -> Any:
    """Run what is not a module, such as a tool; a stream is told of it as of a step.

    Args:
        path: Where it is in the program.
        kind: What it is.
        inputs: Its inputs.
        work: Runs it.
    """
    watch = current().watch
    if watch is None or watch.stream is None:
        return await work()
    call = watch.next_call()
    await _tell(watch, StepStarted(path, call, watch.call, watch.index, kind, inputs))
    # Callbacks are told by the work itself: of one call, whoever listens.
    inside = replace(watch, number=call) if watch.listeners else watch.inside(call, path)
    try:
        with watch_calls(inside):
            result = await work()
    except BaseException as error:
        await _tell(watch, StepFailed(path, call, error))
        raise
    await _tell(watch, StepFinished(path, call, {"result": result}))
    return result


async def tell_void(path: str, call: int, reason: str) -> None:
    """Tell those who watch that what they were told of an earlier call is void."""
    watch = current().watch
    if watch is not None:
        await _tell(watch, StepReset(path, call, reason))


def render_watched(
    adapter: Adapter,
    signature: SignatureSpec,
    demos: Sequence[Example],
    inputs: Mapping[str, Any],
) -> tuple[Message, ...]:
    """Return an adapter's prompt, and tell callbacks about it."""
    with observe_call(
        "adapter",
        lambda call, parent, path: AdapterStarted(
            call, parent, path, "render", adapter.name, inputs
        ),
    ) as finish:
        messages = adapter.render(signature, demos, inputs)
        finish(messages)
    return messages


async def tell_element(index: int, result: object) -> None:
    """Tell those who watch the call around about the result of an element."""
    watch = current().watch
    if watch is not None and watch.call is not None:
        await _tell(watch, ElementFinished(watch.path, watch.call, index, result))


async def _tell_step(watch: Watch, event: StepStarted | StepFinished | StepFailed) -> None:
    tell(watch, event)
    await _tell(watch, event)


async def _tell(watch: Watch, event: StepEvent) -> None:
    if watch.stream is not None:
        await watch.stream.send(event)


async def ask_watched(
    model: str | ModelRef | None, request: Request, reading: Reading, unreadable: str = ""
) -> Completion:
    """Call a model; where the run is streamed, tell what it writes while it does.

    Args:
        model: As for :func:`ask`.
        request: The request.
        reading: Reads the completion.
        unreadable: Why an earlier completion of this call could not be read.
    """
    settings = current()
    watch = settings.watch
    if watch is None or watch.stream is None or watch.call is None:
        return await ask(model, request, settings=settings)
    reply = _Reply(watch.stream, watch.path, watch.call, reading)
    if unreadable:
        await reply.reset(unreadable)
    with watch.stream.cancelling():
        completion = await ask(model, request, reply.receive)
    try:
        outputs = reading(completion)
    except LangprogError:
        return completion  # the caller meets the same error, and knows what to do
    await reply.complete(outputs)
    return completion


async def tell_outputs(reading: Reading, outputs: Mapping[str, Any], reason: str) -> None:
    """Tell those who watch that other outputs take the place of those told before.

    Args:
        reading: Reads the predictor's completions.
        outputs: The outputs by name.
        reason: Why those told before are void.
    """
    watch = current().watch
    if watch is None or watch.stream is None or watch.call is None:
        return
    reply = _Reply(watch.stream, watch.path, watch.call, reading)
    await reply.reset(reason)
    await reply.complete(outputs)


class _Reply:
    """A model's reply as deltas of fields."""

    def __init__(self, stream: Channel[Any], path: str, call: int, reading: Reading) -> None:
        self._stream, self._path, self._call = stream, path, call
        self._reading = reading
        self._reader: PartialReader | None = None
        self._texts: dict[str, list[str]] = {}
        self._begin()

    def _begin(self) -> None:
        self._reader = self._reading.stream_reader()
        self._texts = {}

    async def reset(self, reason: str) -> None:
        """Tell that the deltas so far are void."""
        self._begin()
        await self._stream.send(StepReset(self._path, self._call, reason))

    async def receive(self, delta: Delta) -> None:
        """Tell what a piece of the reply adds to the fields."""
        pieces: list[tuple[str, str]] = []
        match delta:
            case Restarted(reason=reason):
                await self.reset(reason)
            case ReasoningDelta(text=text, index=0) if text:
                await self._stream.send(ThinkingDelta(self._path, self._call, text))
            case TextDelta(text=text, index=0) if self._reader is not None:
                pieces = self._reader.feed(text)
            case ToolCallDelta(index=0) if self._reader is not None:
                pieces = self._reader.feed_call(delta.place, delta.name, delta.arguments)
            case _:
                pass
        for field, text in pieces:
            await self._send(field, text)

    async def complete(self, outputs: Mapping[str, Any]) -> None:
        """Tell what is missing of the fields, or all of them if they were told wrongly."""
        missing = self._missing(outputs)
        if missing is None:
            await self.reset("the reply reads differently now that it is complete")
            fields = self._reading.signature.outputs
            missing = {name: _text_of(fields[name], value) for name, value in outputs.items()}
        for name, text in missing.items():
            if text:
                await self._send(name, text)

    def _missing(self, outputs: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the missing end of each field; ``None`` if a text is not its beginning."""
        missing: dict[str, str] = {}
        for name, value in outputs.items():
            field = self._reading.signature.outputs[name]
            text = "".join(self._texts.get(name, ()))
            if self._reads_as(field, text, value):
                continue
            full = _text_of(field, value)
            if not full.startswith(text):
                return None
            missing[name] = full[len(text) :]
        return missing

    def _reads_as(self, field: FieldSpec, text: str, value: Any) -> bool:
        if type(value) is str and field.exact is str:
            return text == value
        if not text or self._reader is None:
            return False
        try:
            return bool(self._reader.read(field, text) == value)
        except ParseError:
            return False

    async def _send(self, field: str, text: str) -> None:
        self._texts.setdefault(field, []).append(text)
        await self._stream.send(FieldDelta(self._path, self._call, field, text))


def _text_of(field: FieldSpec, value: Any) -> str:
    if type(value) is str:
        return value
    try:
        return encode(field, value)
    except InputError:  # nothing that a prompt could show
        return str(value)


# --- a program's stream --------------------------------------------------------------------------


def stream_program(program: Module, inputs: Mapping[str, Any]) -> AsyncGenerator[Event, None]:
    """Return the events of a run, in the settings of the code that calls this."""
    context = copy_context()
    outer = current().watch
    # The events of a stream inside a streamed program are events of that program, too.
    forward = None if outer is None else outer.stream

    async def run(channel: Channel[Event]) -> None:
        try:
            with watch_calls(Watch(stream=channel) if outer is None else outer.to_stream(channel)):
                prediction = await program.acall(**inputs)
            await channel.send(prediction)
        finally:
            channel.end()

    async def events() -> AsyncGenerator[Event, None]:
        channel: Channel[Event] = Channel(ROOM)
        task = asyncio.get_running_loop().create_task(run(channel), context=context)
        try:
            while (event := await channel.receive()) is not None:
                if forward is not None and not isinstance(event, Prediction):
                    await forward.send(event)
                yield event
            await task
        finally:
            channel.close()
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # or asyncio logs that it was never retrieved

    return events()


def stream_in_sync(program: Module, inputs: Mapping[str, Any]) -> Generator[Event, None, None]:
    """Yield the events of a run to synchronous code; it goes on only while the caller waits.

    The settings are those of the code that calls this, wherever the events are taken.
    """
    return _take_in_sync(stream_program(program, inputs))


def _take_in_sync(events: AsyncGenerator[Event, None]) -> Generator[Event, None, None]:
    runs = SyncRuns()
    try:
        while (event := runs.run(_next(events))) is not None:
            yield event
    finally:
        runs.finish(_close(events))


async def _next(events: AsyncGenerator[Event, None]) -> Event | None:
    return await anext(events, None)


async def _close(events: AsyncGenerator[Event, None]) -> None:
    await events.aclose()
