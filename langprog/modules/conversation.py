"""A predictor's conversation with a model: the prompt, one repair, and re-asks.

A reply that cannot be read is sent back once. An answer that fails a check is sent back with the
check's message. The failed answers stay in the conversation, so that no two prompts of it are
equal, and no cache answers a re-ask with the answer that it rejects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from langprog.adapters import Adapter, build_reask
from langprog.checks import FailedCheck, find_failed, join_messages
from langprog.errors import (
    BadRequestError,
    CheckError,
    ContentFilterError,
    ContextWindowError,
    ParseError,
    TruncatedError,
)
from langprog.lm import Completion, Message, Request
from langprog.modules.reading import Reading, explain_refusal
from langprog.modules.streaming import ask_watched, render_watched, tell_outputs
from langprog.modules.trace import Recorder, TraceStep
from langprog.runtime import Settings, ask

if TYPE_CHECKING:
    from langprog.modules.base import Module
    from langprog.modules.predict import Predict

# Failures of a re-ask after which an earlier answer that only fails suggestions is kept.
_NO_ANSWER = (
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    ParseError,
    TruncatedError,
)


class Conversation:
    """One call of a predictor, up to an answer that passes its checks.

    Args:
        predictor: The predictor.
        adapter: Its adapter.
        inputs: Its inputs, validated.
        messages: The prompt.
    """

    # Most calls change none of these.
    repairs = 0
    reasks = 0
    unmet: tuple[str, ...] = ()
    # How often code that used the answer had it asked for again.
    rejected = 0
    _may_repair = True
    # Answers that were sent back, and why.
    _sent_back: tuple[tuple[Completion, str], ...] = ()

    def __init__(
        self,
        predictor: Predict,
        adapter: Adapter,
        inputs: Mapping[str, Any],
        messages: tuple[Message, ...],
    ) -> None:
        self.messages = messages
        self.completions: list[Completion] = []
        self._predictor = predictor
        self._adapter = adapter
        self._inputs = inputs
        # What was sent last.
        self._sent = messages

    def continued(self, problem: str) -> Conversation:
        """Return a conversation that goes on after code rejected this one's answer.

        Args:
            problem: What is wrong with the answer.
        """
        other = Conversation(self._predictor, self._adapter, self._inputs, self._sent)
        other.rejected = self.rejected + 1
        other.reasks = 1
        other._may_repair = self._may_repair
        other._sent_back = self._sent_back
        other._send_back(self.completions[-1], problem)
        other.messages = other._sent
        return other

    def _send_back(self, completion: Completion, problem: str) -> None:
        self._sent = build_reask(self._sent, completion, problem)
        self._sent_back = (*self._sent_back, (completion, problem))

    async def run(self, settings: Settings) -> dict[str, Any]:
        """Return the first outputs that pass the predictor's checks, by name.

        Args:
            settings: The settings in force.

        Raises:
            LMError: The model gave no usable completion.
            ParseError: A reply cannot be read, and neither can the next one.
            CheckError: The last answer fails a required check.
            BudgetExceeded: A ledger cannot afford the next call.
        """
        outputs = await self.ask(settings)
        kept: _Kept | None = None
        left = self._predictor.reasks
        while True:
            failed = await find_failed(self._predictor.checks, {**self._inputs, **outputs})
            if not any(each.check.required for each in failed):
                kept = _Kept(outputs, failed, self.completions[-1])
            if not failed or not left:
                break
            left -= 1
            self._send_back(self.completions[-1], join_messages(failed))
            try:
                outputs = await self.ask(settings)
            except _NO_ANSWER as error:
                if kept is None and not isinstance(error, BadRequestError):
                    raise
                break  # keep the last answer, or say what was wrong with it
            finally:
                self.reasks += 1
        return await self._conclude(failed, kept)

    async def _conclude(self, failed: list[FailedCheck], kept: _Kept | None) -> dict[str, Any]:
        if kept is None:
            required = [each for each in failed if each.check.required]
            names = ", ".join(each.check.name for each in required)
            raise CheckError(
                f"the answer of {self._predictor.signature.name} fails the check {names}, also "
                f"after {self.reasks} more attempts: {join_messages(required)}",
                text=self.completions[-1].text,
            )
        if kept.completion is not self.completions[-1]:
            # The one that was used comes last.
            self.completions = [each for each in self.completions if each is not kept.completion]
            self.completions.append(kept.completion)
            reading = Reading(self._adapter, self._predictor.signature)
            await tell_outputs(reading, kept.outputs, "an earlier answer is better")
        self.unmet = tuple(each.message for each in kept.failed)
        return kept.outputs

    def record(
        self,
        trace: Recorder | None,
        outputs: Mapping[str, Any],
        failure: str | None,
        failed_with: type[Exception] | None,
    ) -> None:
        """Add the call to the trace of the program, if there is one.

        Args:
            trace: The recorder of the call.
            outputs: Its outputs; empty if it failed.
            failure: Why there are none.
            failed_with: The type of the error that it raised.
        """
        if trace is None:
            return
        call = trace.call
        if call is not None and call.module is self._predictor and failure is None:
            call.conversation = self
        path = trace.paths.get(id(self._predictor))
        step = TraceStep(
            path or self._predictor.signature.name,
            self._inputs,
            outputs,
            self.messages,
            tuple(self.completions),
            repairs=self.repairs,
            failure=failure,
            failed_with=failed_with,
            listed=path is not None,
            reasks=self.reasks,
            unmet=self.unmet,
        )
        trace.add_first(step)  # before what its checks call

    async def ask(self, settings: Settings) -> dict[str, Any]:
        """Return the outputs of the next reply; an unreadable one is sent back, once in all.

        Args:
            settings: The settings in force.

        Raises:
            LMError: The model gave no usable completion.
            ParseError: The reply cannot be read, and neither can the next one.
            BudgetExceeded: A ledger cannot afford the next call.
        """
        adapter, signature = self._adapter, self._predictor.signature
        watch = settings.watch
        read = Reading(adapter, signature, observed=watch is not None and bool(watch.listeners))
        request = Request(
            self._sent,
            self._predictor.sampling,
            response_schema=adapter.response_schema(signature),
            tools=adapter.tools(signature),
            tool_choice=adapter.tool_choice(signature),
            accept=read,
        )
        request = self._predictor.adjust_request(request, adapter, self._inputs)
        rejected = ""
        if self._sent_back:
            rejected = self._sent_back[-1][1]
            request = self._with_plain_turns(request)
        try:
            if watch is None:  # not through another coroutine, which takes its share of a call
                completion = await ask(self._predictor.model, request, settings=settings)
            else:
                completion = await ask_watched(self._predictor.model, request, read, rejected)
        except BadRequestError as error:
            raise explain_refusal(error, request) from None
        self.completions.append(completion)
        try:
            return read(completion)
        except ParseError as error:
            if not self._may_repair:
                raise
            unreadable = error
        self._may_repair = False
        reason = str(unreadable)
        again = adapter.repair(self._sent, completion, reason)
        plain = request.without_tools
        if plain is not None:
            told = adapter.repair(plain.messages, completion, reason)
            plain = replace(plain, messages=told)
        request = replace(request, messages=again, without_tools=plain)
        try:
            completion = await ask_watched(self._predictor.model, request, read, reason)
        except BadRequestError:
            # The endpoint rejects the repair prompt; report what was wrong with the first reply.
            raise unreadable from None
        self.completions.append(completion)
        self.repairs += 1
        self._sent = again
        return read(completion)

    def _with_plain_turns(self, request: Request) -> Request:
        """Return a request whose form without tools has the answers that were sent back, too."""
        plain = request.without_tools
        if plain is None:
            return request
        for completion, problem in self._sent_back:
            plain = replace(plain, messages=build_reask(plain.messages, completion, problem))
        return replace(request, without_tools=plain)


async def begin_conversation(
    predictor: Predict, inputs: Mapping[str, Any], settings: Settings
) -> Conversation:
    """Return the conversation of a call, with its prompt.

    Args:
        predictor: The predictor.
        inputs: Its inputs.
        settings: The settings in force.

    Raises:
        InputError: An input is missing, unknown or of the wrong type.
    """
    values = predictor.check_inputs(inputs)
    adapter = predictor.prompt_adapter(settings)
    demos = predictor.demos
    if predictor.nearest is not None:
        demos = (*demos, *await predictor.nearest.achoose(predictor.signature, values))
    if settings.watch is None:
        messages = adapter.render(predictor.signature, demos, values)
    else:
        messages = render_watched(adapter, predictor.signature, demos, values)
    return Conversation(predictor, adapter, values, messages)


def name_module(error: ParseError, module: Module, trace: Recorder | None) -> ParseError:
    """Return an error that says which module's reply it is about, if it is part of a program.

    Args:
        error: The error about the reply.
        module: The module.
        trace: The recorder of the call.
    """
    path = None if trace is None else trace.paths.get(id(module))
    if path is None or path == module.root_name():
        return error
    return ParseError(f"{path}: {error}", text=error.text)


class _Kept(NamedTuple):
    """The last answer that fails no required check."""

    outputs: dict[str, Any]
    failed: list[FailedCheck]
    completion: Completion
