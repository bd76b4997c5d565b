"""OpenTelemetry spans of calls, by the semantic conventions for generative AI."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from langprog.errors import InputError
from langprog.lm import (
    Completion,
    Message,
    Part,
    Reasoning,
    Request,
    Text,
    ToolCall,
    ToolResult,
    redact,
)
from langprog.observe.callback import Callback
from langprog.observe.events import (
    CallFailed,
    CompileFinished,
    CompileStarted,
    EvaluationFinished,
    EvaluationStarted,
    ModelFinished,
    ModelStarted,
    StepFailed,
    StepFinished,
    StepStarted,
    ToolFinished,
    ToolStarted,
)

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

_Attributes = dict[str, Any]


class OpenTelemetry(Callback):
    """Makes a span of every call of a module, a model, a tool, an evaluation and a compile.

    A model's span is named ``chat <model>`` and has the attributes ``gen_ai.*``: provider, model,
    sampling, tokens, finish reasons. A tool's is named ``execute_tool <name>``. A program's span
    is a child of the span around its call, and spans made inside are children of it, across tasks
    and threads. Install the extra ``langprog[otel]`` and set up a tracer provider as usual::

        lp.configure(callbacks=[lp.OpenTelemetry()])

    Follows: OpenTelemetry's semantic conventions for generative AI (in development there).

    Args:
        content: Whether spans hold inputs, prompts, replies, tools' arguments and messages of
            errors. Off by default, as these are the users' data. What looks like a key or a
            password is left out in any case.
        tracer_provider: Makes the tracer; the process's by default.

    Raises:
        InputError: The package ``opentelemetry-api`` is not installed.
    """

    def __init__(
        self, *, content: bool = False, tracer_provider: TracerProvider | None = None
    ) -> None:
        try:
            from opentelemetry import context, trace  # noqa: PLC0415 - an extra
        except ImportError:
            raise InputError(
                "lp.OpenTelemetry needs the package opentelemetry-api: "
                "pip install 'langprog[otel]'"
            ) from None
        self._context, self._trace = context, trace
        self._tracer = trace.get_tracer("langprog", tracer_provider=tracer_provider)
        self._content = content
        self._open: dict[int, tuple[Span, Token[Context]]] = {}

    # --- starts ---------------------------------------------------------------------------------

    def on_module_start(self, event: StepStarted) -> None:
        """Start the span of a module."""
        attributes: _Attributes = {"langprog.module": event.module, "langprog.path": event.path}
        if event.parent is None:
            attributes |= {
                "gen_ai.operation.name": "invoke_workflow",
                "gen_ai.workflow.name": event.module,
            }
        if event.index is not None:
            attributes["langprog.index"] = event.index
        if self._content:
            attributes["langprog.inputs"] = _json(event.inputs)
        self._start(event.call, event.parent, f"{event.module} {event.path}", attributes)

    def on_model_start(self, event: ModelStarted) -> None:
        """Start the span of a model."""
        attributes = _request_attributes(event)
        if self._content:
            attributes |= _prompt_attributes(event.request)
        name = f"chat {attributes['gen_ai.request.model']}"
        self._start(event.call, event.parent, name, attributes, client=True)

    def on_tool_start(self, event: ToolStarted) -> None:
        """Start the span of a tool."""
        attributes: _Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": event.tool,
            "gen_ai.tool.type": "function",
        }
        if self._content:
            attributes["gen_ai.tool.call.arguments"] = _json(event.arguments)
        self._start(event.call, event.parent, f"execute_tool {event.tool}", attributes)

    def on_evaluation_start(self, event: EvaluationStarted) -> None:
        """Start the span of an evaluation."""
        attributes = {
            "langprog.module": event.program,
            "langprog.examples": event.examples,
            "langprog.metric": event.metric,
        }
        self._start(event.call, event.parent, f"evaluate {event.program}", attributes)

    def on_compile_start(self, event: CompileStarted) -> None:
        """Start the span of a compile."""
        attributes = {"langprog.module": event.program, "langprog.optimizer": event.optimizer}
        self._start(event.call, event.parent, f"compile {event.program}", attributes)

    def _start(
        self,
        call: int,
        parent: int | None,
        name: str,
        attributes: Mapping[str, Any],
        *,
        client: bool = False,
    ) -> None:
        kind = self._trace.SpanKind.CLIENT if client else self._trace.SpanKind.INTERNAL
        span = self._tracer.start_span(
            name, context=self._around(parent), kind=kind, attributes=attributes
        )
        # Spans of other libraries, made during the call, become its children.
        token = self._context.attach(self._trace.set_span_in_context(span))
        self._open[call] = (span, token)

    def _around(self, parent: int | None) -> Context | None:
        """Return the context of a new span; ``None`` for the current one."""
        known = None if parent is None else self._open.get(parent)
        if known is None:
            return None
        # A span of a user's own may lie between the two; a thread may have come without any.
        current = self._trace.get_current_span().get_span_context()
        if current.is_valid and current.trace_id == known[0].get_span_context().trace_id:
            return None
        return self._trace.set_span_in_context(known[0])

    # --- ends -----------------------------------------------------------------------------------

    def on_module_end(self, event: StepFinished) -> None:
        """End the span of a module."""
        self._end(event.call, {"langprog.outputs": _json(event.outputs)} if self._content else {})

    def on_module_error(self, event: StepFailed) -> None:
        """End the span of a module that failed."""
        self._end(event.call, {}, event.error)

    def on_model_end(self, event: ModelFinished) -> None:
        """End the span of a model."""
        attributes = _completion_attributes(event.completion)
        if self._content:
            attributes["gen_ai.output.messages"] = _reply_attribute(event.completion)
        self._end(event.call, attributes)

    def on_model_error(self, event: CallFailed) -> None:
        """End the span of a model that failed."""
        self._end(event.call, {}, event.error)

    def on_tool_end(self, event: ToolFinished) -> None:
        """End the span of a tool."""
        result = {"gen_ai.tool.call.result": redact(event.result)} if self._content else {}
        self._end(event.call, result)

    def on_tool_error(self, event: CallFailed) -> None:
        """End the span of a tool that failed."""
        self._end(event.call, {}, event.error)

    def on_evaluation_end(self, event: EvaluationFinished) -> None:
        """End the span of an evaluation."""
        mean = event.result.mean
        self._end(event.call, {} if mean is None else {"langprog.score": float(mean)})

    def on_evaluation_error(self, event: CallFailed) -> None:
        """End the span of an evaluation that failed."""
        self._end(event.call, {}, event.error)

    def on_compile_end(self, event: CompileFinished) -> None:
        """End the span of a compile."""
        self._end(event.call, {"langprog.verdict": event.result.certificate.verdict})

    def on_compile_error(self, event: CallFailed) -> None:
        """End the span of a compile that failed."""
        self._end(event.call, {}, event.error)

    def _end(
        self, call: int, attributes: Mapping[str, Any], error: BaseException | None = None
    ) -> None:
        span, token = self._open.pop(call)
        span.set_attributes(dict(attributes))
        if error is not None:
            span.set_attribute("error.type", type(error).__qualname__)
            said = redact(str(error)) if self._content else None
            span.set_status(self._trace.Status(self._trace.StatusCode.ERROR, said))
        span.end()
        self._context.detach(token)


def _request_attributes(event: ModelStarted) -> _Attributes:
    provider, slash, name = event.model.partition("/")
    sampling, url = event.request.sampling, urlsplit(event.endpoint)
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider if slash else "unknown",
        "gen_ai.request.model": name or event.model,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.top_p": sampling.top_p,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.request.seed": sampling.seed,
        "gen_ai.request.stop_sequences": sampling.stop or None,
        "gen_ai.request.choice.count": event.request.n if event.request.n > 1 else None,
        "gen_ai.output.type": "json" if event.request.response_schema else None,
        "langprog.path": event.path or None,
        "server.address": url.hostname,
        "server.port": url.port,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _completion_attributes(completion: Completion) -> _Attributes:
    usage = completion.usage
    attributes = {
        "gen_ai.response.model": completion.model.partition("/")[2] or completion.model,
        "gen_ai.response.finish_reasons": completion.finish_reasons or ("stop",),
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cached_prompt_tokens or None,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens or None,
        "langprog.cached": completion.cached,
        "langprog.dollars": completion.dollars,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _prompt_attributes(request: Request) -> _Attributes:
    system = [message for message in request.messages if message.role == "system"]
    others = [message for message in request.messages if message.role != "system"]
    attributes: _Attributes = {
        "gen_ai.input.messages": _json(
            [{"role": message.role, "parts": _parts_of(message)} for message in others]
        )
    }
    if system:
        instructions = [part for message in system for part in _parts_of(message)]
        attributes["gen_ai.system_instructions"] = _json(instructions)
    return attributes


def _reply_attribute(completion: Completion) -> str:
    replies = []
    for index, text in enumerate(completion.texts):
        parts: list[Part] = [
            *(
                Reasoning(thought)
                for thought in completion.reasoning[index : index + 1]
                if thought
            ),
            *([Text(text)] if text else ()),
            *(completion.tool_calls[index] if completion.tool_calls else ()),
        ]
        reason = completion.finish_reasons[index : index + 1] or ("stop",)
        replies.append(
            {
                "role": "assistant",
                "parts": [_part_of(part) for part in parts],
                "finish_reason": reason[0],
            }
        )
    return _json(replies)


def _parts_of(message: Message) -> list[_Attributes]:
    content = message.content
    parts: Sequence[Part] = (Text(content),) if isinstance(content, str) else content
    return [_part_of(part) for part in parts]


def _part_of(part: Part) -> _Attributes:
    match part:
        case Text(text=text):
            return {"type": "text", "content": text}
        case Reasoning(text=text):
            return {"type": "reasoning", "content": text}
        case ToolCall(id=identity, name=name, arguments=arguments):
            return {"type": "tool_call", "id": identity, "name": name, "arguments": arguments}
        case ToolResult(call_id=identity, text=text):
            return {"type": "tool_call_response", "id": identity, "response": text}
        case media:
            return {"type": type(media).__name__.casefold(), "content": repr(media)}


def _json(value: Any) -> str:
    """Return a value as JSON text without secrets."""
    return json.dumps(_redacted(value), default=lambda other: redact(repr(other)))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redacted(item) for item in value]
    return value
