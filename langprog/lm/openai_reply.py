"""Parsing the replies of OpenAI-compatible endpoints; anything else is a ServerError."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from langprog.errors import BadRequestError, ContentFilterError, ServerError
from langprog.lm.finish import FinishReason, finish_reason_of
from langprog.lm.openai_errors import error_of
from langprog.lm.parts import ToolCall
from langprog.lm.types import Completion, Request, Usage

# What reading malformed data can raise.
MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
# Far above any single reply.
MOST_TOKENS = 10**9
# Values that do not say why a completion ended.
SILENT = (None, "", "null")
_SAYS = frozenset({"message", "detail", "errors"})


def read_completion(
    text: str, request: Request, name: str, latency: float, *, secrets: Sequence[str] = ()
) -> Completion:
    """Parse the body of a reply with status 200.

    Args:
        text: The body.
        request: The request.
        name: The model's name.
        latency: Seconds that the call took.
        secrets: Keys and header values that were sent; masked in errors.

    Raises:
        ServerError: The body is not a completion; if it contains an error, that error.
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than requested.
    """
    try:
        data = json.loads(text)
        raise_error_in(data, name, secrets)
        choices = _sort_choices(data["choices"])
        messages = [choice["message"] for choice in choices]
        reasons = tuple(map(reason_of, choices))
        usage = read_usage(data.get("usage") or {})
        silent = all(choice.get("finish_reason") in SILENT for choice in choices)
        if is_incomplete(data) or (silent and is_at_limit(request, usage)):
            reasons = tuple("length" for _ in reasons)
        texts = tuple(map(text_in, messages, reasons))
        calls = tuple(tool_calls_in(calls_of(message)) for message in messages)
        reasoning = tuple(reasoning_in(message) for message in messages)
        signatures = tuple(signature_in(message) for message in messages)
        completion = Completion(
            texts,
            name,
            usage,
            reasons,
            _logprobs(choices) if request.logprobs else None,
            latency=latency,
            tool_calls=calls if any(calls) else (),
            reasoning=reasoning if any(reasoning) else (),
            signatures=signatures if any(signatures) else (),
        )
        if not texts:
            raise TypeError("there is no choice")
    except MISSHAPEN:
        raise _not_a_completion(name) from None
    return check_completion(completion, request)


def check_completion(completion: Completion, request: Request) -> Completion:
    """Return ``completion`` if it answers ``request``.

    Raises:
        ServerError: The endpoint interrupted the reply.
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than requested.
    """
    name, reasons = completion.model, completion.finish_reasons
    if "error" in reasons:
        raise ServerError(
            f"{name}: the endpoint broke off the reply", model=name, charge="everything"
        )
    if all(reason == "content_filter" for reason in reasons):
        raise ContentFilterError(
            f"{name}: the content was refused", model=name, charge="everything"
        )
    if len(completion.texts) < request.n:
        raise BadRequestError(
            f"{name}: the endpoint returned {len(completion.texts)} completion(s) for "
            f"n={request.n}: request one at a time",
            model=name,
            charge="everything",
            params=("n",),
        )
    if len(completion.texts) > request.n:  # callers rely on n as an upper bound
        return replace(
            completion,
            texts=completion.texts[: request.n],
            finish_reasons=reasons[: request.n],
            logprobs=completion.logprobs and completion.logprobs[: request.n],
            tool_calls=completion.tool_calls[: request.n],
            reasoning=completion.reasoning[: request.n],
            signatures=completion.signatures[: request.n],
        )
    return completion


def raise_error_in(data: Mapping[str, Any], name: str, secrets: Sequence[str]) -> None:
    """Raise the error in a body or event with status 200, if there is one.

    Raises:
        LMError: That error.
    """
    choices = data.get("choices")
    inside = list(_errors_of(choices)) if isinstance(choices, list) else []
    # Without choices, the whole body may be an error.
    bare = choices is None and (
        data.get("object") == "error"
        or data.get("type") == "error"
        or ("usage" not in data and not _SAYS.isdisjoint(data))
    )
    failed_outright = data.get("success") is False or bool(data.get("errors"))
    for error in (data.get("error"), *inside, data if bare or failed_outright else None):
        if not error:
            continue
        body = json.dumps({"error": error})
        failed = error_of(_status(error), {}, body, name, secrets=secrets, inside=True)
        if isinstance(failed, ServerError):
            failed.charge = "everything"  # the answer had begun
        raise failed


def _errors_of(choices: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for choice in choices:
        yield choice.get("error")
        for part in (choice.get("message"), choice.get("delta")):
            if isinstance(part, Mapping):
                yield part.get("error")


def _sort_choices(choices: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Sort choices by index: some servers send them in the order of completion."""
    numbers = [choice.get("index") for choice in choices]
    if sorted(numbers, key=str) != list(range(len(choices))):  # some servers do not number them
        return choices
    return sorted(choices, key=lambda choice: int(choice["index"]))


def is_incomplete(data: Mapping[str, Any]) -> bool:
    """Return whether a body or event declares itself cut off."""
    return data.get("status") == "incomplete" or bool(data.get("incomplete_details"))


def _not_a_completion(name: str) -> ServerError:
    return ServerError(f"{name}: the reply is not a completion", model=name, charge="everything")


def read_usage(data: Mapping[str, Any]) -> Usage:
    """Parse the token counts; missing ones are 0.

    Raises:
        ValueError: A count is invalid (other errors of ``MISSHAPEN`` for malformed data).
    """
    prompt = data.get("prompt_tokens_details") or {}
    reply = data.get("completion_tokens_details") or {}
    sent = _count(data.get("prompt_tokens"))
    received = _count(data.get("completion_tokens"))
    # Some include reasoning only in the total.
    total = _count(data.get("total_tokens"))
    return Usage(
        sent,
        max(received, total - sent),
        _count(prompt.get("cached_tokens")),
        _count(reply.get("reasoning_tokens")),
        _count(prompt.get("cache_write_tokens")),
    )


def _count(value: Any) -> int:
    if value is None:
        return 0
    number = int(value) if not isinstance(value, str) or len(value) < 20 else -1
    if isinstance(value, bool) or not 0 <= number <= MOST_TOKENS or number != float(value):
        raise ValueError("an invalid token count")
    return number


def _status(error: Any) -> int:
    members = error if isinstance(error, Mapping) else {}
    for code in (members.get(name) for name in ("code", "status", "status_code")):
        if isinstance(code, str) and code.isdecimal() and len(code) == 3:
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return 500


def text_in(message: Mapping[str, Any], reason: FinishReason) -> str:
    """Return the text of a message, given why it ended."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    # It may be missing next to tool calls or reasoning, and after a cut.
    if "content" not in message and reason == "stop" and not reasoning_in(message):
        raise KeyError("content")
    return text_of_content(content)


def text_of_content(content: Any) -> str:
    """Return the text of a message's content.

    Raises:
        TypeError: It is not a text.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        # Other parts are reasoning; see `reasoning_in`.
        texts = [part for part in content if part["type"] in ("text", "output_text")]
        return "".join(part["text"] for part in texts)
    raise TypeError("content is not a text")


def reasoning_in(message: Mapping[str, Any]) -> str:
    """Return the reasoning in a message, under any of the usual names."""
    name = reasoning_member_of(message)
    if name is not None:
        return str(message[name])
    content = message.get("content")
    if not isinstance(content, list):
        return ""
    thoughts = [part["thinking"] for part in content if part["type"] == "thinking"]
    return "".join(map(_thought_text, thoughts))


def reasoning_member_of(message: Mapping[str, Any]) -> str | None:
    """Return the member of a message that holds its reasoning as text, if there is one."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        thoughts = message.get(name)
        if isinstance(thoughts, str) and thoughts:
            return name
    return None


def signature_in(message: Mapping[str, Any]) -> str:
    """Return the endpoint's signature of a message's reasoning; empty without one.

    litellm adds it to the replies of Anthropic's models, in blocks of reasoning. Of several, each
    has its own, which together sign nothing that could be sent back.
    """
    blocks = message.get("thinking_blocks")
    signed = [block.get("signature") for block in blocks or () if isinstance(block, Mapping)]
    return signed[0] if len(signed) == 1 and isinstance(signed[0], str) else ""


def _thought_text(thought: Any) -> str:
    return thought if isinstance(thought, str) else "".join(str(part["text"]) for part in thought)


def calls_of(message: Mapping[str, Any]) -> Any:
    """Return the raw tool calls of a message, or of a piece of one.

    Older servers call functions, one in each message.
    """
    calls, older = message.get("tool_calls"), message.get("function_call")
    return calls if calls or not older else [{"index": 0, "function": older}]


def tool_calls_in(data: Any) -> tuple[ToolCall, ...]:
    """Return the tool calls of a message."""
    calls = []
    for place, call in enumerate(data or ()):
        function = call["function"]
        name = function["name"]
        if not isinstance(name, str) or not name:
            raise TypeError("a tool call names no tool")
        arguments = arguments_in(function) or "{}"
        calls.append(ToolCall(str(call.get("id") or f"call_{place}"), name, arguments))
    return tuple(calls)


def arguments_in(function: Mapping[str, Any]) -> str:
    """Return a function call's arguments as text; some servers send them as data."""
    arguments = function.get("arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    return json.dumps(arguments)


def reason_of(choice: Mapping[str, Any]) -> FinishReason:
    """Return why a choice ended."""
    message = choice.get("message") or {}
    if is_refusal(message) and not text_of_content(message.get("content")):
        return "content_filter"
    reason = finish_of(choice)
    return "tool_calls" if reason == "stop" and calls_of(message) else reason


def finish_of(choice: Mapping[str, Any]) -> FinishReason:
    """Return why a choice ended, according to the endpoint or the provider behind a gateway."""
    reason = finish_reason_of(choice.get("finish_reason"))
    if reason != "stop":
        return reason
    # A gateway may translate unknown reasons to "stop".
    native = finish_reason_of(choice.get("native_finish_reason"))
    return native if native in ("length", "content_filter", "error") else reason


def is_refusal(message: Mapping[str, Any]) -> bool:
    """Return whether a message, or a piece of one, contains a refusal."""
    content = message.get("content")
    inside = isinstance(content, list) and any(part["type"] == "refusal" for part in content)
    return inside or bool(message.get("refusal"))


def is_at_limit(request: Request, usage: Usage) -> bool:
    """Return whether a reply has reached ``max_tokens``, so that it was cut off.

    Only meaningful if the endpoint does not say why it ended.
    """
    limit = request.sampling.max_tokens
    return limit is not None and request.n == 1 and usage.completion_tokens >= limit


def _logprobs(choices: Sequence[Mapping[str, Any]]) -> tuple[tuple[float, ...], ...] | None:
    read = []
    for choice in choices:
        inside = (choice.get("logprobs") or {}).get("content")
        if inside is None:
            return None
        read.append(tuple(float(token["logprob"]) for token in inside))
    return tuple(read)
