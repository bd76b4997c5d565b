"""What an OpenAI-compatible endpoint's replies hold. What is not a completion is a ServerError."""

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

# What reading data of any shape can meet.
MISSHAPEN = (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)
# No single reply of any model comes near so many tokens.
MOST_TOKENS = 10**9
# Says nothing of why a completion ended.
SILENT = (None, "", "null")
_SAYS = frozenset({"message", "detail", "errors"})


def read_completion(
    text: str, request: Request, name: str, latency: float, *, secrets: Sequence[str] = ()
) -> Completion:
    """Read the body of a reply with status 200.

    Args:
        text: The body.
        request: What was asked.
        name: The model's name.
        latency: Seconds that the call took.
        secrets: What was sent of keys and headers; no error repeats it.

    Raises:
        ServerError: The body is not a completion; or, where it holds an error, that error.
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than asked for.
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
        calls = tuple(tool_calls_in(message.get("tool_calls")) for message in messages)
        reasoning = tuple(reasoning_in(message) for message in messages)
        completion = Completion(
            texts,
            name,
            usage,
            reasons,
            _logprobs(choices) if request.logprobs else None,
            latency=latency,
            tool_calls=calls if any(calls) else (),
            reasoning=reasoning if any(reasoning) else (),
        )
        if not texts:
            raise TypeError("there is no choice")
    except MISSHAPEN:
        raise _not_a_completion(name) from None
    return check_completion(completion, request)


def check_completion(completion: Completion, request: Request) -> Completion:
    """Return ``completion`` if it answers ``request``.

    Raises:
        ServerError: The endpoint broke off.
        ContentFilterError: The provider refused the content.
        BadRequestError: There are fewer completions than asked for.
    """
    name, reasons = completion.model, completion.finish_reasons
    if "error" in reasons:
        raise ServerError(
            f"{name}: the endpoint broke the reply off", model=name, charge="everything"
        )
    if all(reason == "content_filter" for reason in reasons):
        raise ContentFilterError(
            f"{name}: the content was refused", model=name, charge="everything"
        )
    if len(completion.texts) < request.n:
        raise BadRequestError(
            f"{name}: the endpoint gives {len(completion.texts)} completion(s) where "
            f"n={request.n} are asked for: ask for one at a time",
            model=name,
            charge="everything",
            params=("n",),
        )
    if len(completion.texts) > request.n:  # n is a bound for those who read the texts
        return replace(
            completion,
            texts=completion.texts[: request.n],
            finish_reasons=reasons[: request.n],
            logprobs=completion.logprobs and completion.logprobs[: request.n],
            tool_calls=completion.tool_calls[: request.n],
            reasoning=completion.reasoning[: request.n],
        )
    return completion


def raise_error_in(data: Mapping[str, Any], name: str, secrets: Sequence[str]) -> None:
    """Raise the error that a body or an event with status 200 holds, if it holds one.

    Raises:
        LMError: What it holds.
    """
    choices = data.get("choices")
    inside = list(_errors_of(choices)) if isinstance(choices, list) else []
    # Without choices it may be an error through and through.
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
            failed.charge = "everything"  # it had begun to answer
        raise failed


def _errors_of(choices: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    for choice in choices:
        yield choice.get("error")
        for part in (choice.get("message"), choice.get("delta")):
            if isinstance(part, Mapping):
                yield part.get("error")


def _sort_choices(choices: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return choices by their own numbers: some servers send first what was ready first."""
    numbers = [choice.get("index") for choice in choices]
    if sorted(numbers, key=str) != list(range(len(choices))):  # some number none of them
        return choices
    return sorted(choices, key=lambda choice: int(choice["index"]))


def is_incomplete(data: Mapping[str, Any]) -> bool:
    """Return whether a body or an event says of itself that it was cut off."""
    return data.get("status") == "incomplete" or bool(data.get("incomplete_details"))


def _not_a_completion(name: str) -> ServerError:
    return ServerError(f"{name}: the reply is not a completion", model=name, charge="everything")


def read_usage(data: Mapping[str, Any]) -> Usage:
    """Read the count of tokens; what is left out is 0.

    Raises:
        ValueError: A count cannot be one (others of ``MISSHAPEN`` for other shapes).
    """
    prompt = data.get("prompt_tokens_details") or {}
    reply = data.get("completion_tokens_details") or {}
    asked, said = _count(data.get("prompt_tokens")), _count(data.get("completion_tokens"))
    # Some count what was thought in the total alone.
    total = _count(data.get("total_tokens"))
    return Usage(
        asked,
        max(said, total - asked),
        _count(prompt.get("cached_tokens")),
        _count(reply.get("reasoning_tokens")),
        _count(prompt.get("cache_write_tokens")),
    )


def _count(value: Any) -> int:
    if value is None:
        return 0
    number = int(value) if not isinstance(value, str) or len(value) < 20 else -1
    if isinstance(value, bool) or not 0 <= number <= MOST_TOKENS or number != float(value):
        raise ValueError("a count of tokens that cannot be")
    return number


def _status(error: Any) -> int:
    told = error if isinstance(error, Mapping) else {}
    for code in (told.get(name) for name in ("code", "status", "status_code")):
        if isinstance(code, str) and code.isdecimal() and len(code) == 3:
            code = int(code)
        if isinstance(code, int) and 400 <= code < 600:
            return code
    return 500


def text_in(message: Mapping[str, Any], reason: FinishReason) -> str:
    """Return the text of a message that ended for a reason."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    # A message of nothing but tool calls or thoughts may lack it; so may one that was cut off.
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
        # Others are thoughts, which `reasoning_in` reads.
        texts = [part for part in content if part["type"] in ("text", "output_text")]
        return "".join(part["text"] for part in texts)
    raise TypeError("content is not a text")


def reasoning_in(message: Mapping[str, Any]) -> str:
    """Return what a message says of the model's thinking, under any of the usual names."""
    for name in ("reasoning_content", "reasoning", "thinking"):
        thoughts = message.get(name)
        if isinstance(thoughts, str) and thoughts:
            return thoughts
    content = message.get("content")
    if not isinstance(content, list):
        return ""
    thoughts = [part["thinking"] for part in content if part["type"] == "thinking"]
    return "".join(map(_thought_text, thoughts))


def _thought_text(thought: Any) -> str:
    return thought if isinstance(thought, str) else "".join(str(part["text"]) for part in thought)


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
    """Return the arguments of a called function as text; some servers send them as data."""
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
    return "tool_calls" if reason == "stop" and message.get("tool_calls") else reason


def finish_of(choice: Mapping[str, Any]) -> FinishReason:
    """Return why a choice ended, as the endpoint says it, or the provider behind a gateway."""
    reason = finish_reason_of(choice.get("finish_reason"))
    if reason != "stop":
        return reason
    # A gateway may translate what it does not know to "stop".
    native = finish_reason_of(choice.get("native_finish_reason"))
    return native if native in ("length", "content_filter", "error") else reason


def is_refusal(message: Mapping[str, Any]) -> bool:
    """Return whether a message, or a piece of one, holds the words of a refusal."""
    content = message.get("content")
    inside = isinstance(content, list) and any(part["type"] == "refusal" for part in content)
    return inside or bool(message.get("refusal"))


def is_at_limit(request: Request, usage: Usage) -> bool:
    """Return whether a reply is as long as was asked for at most: then it was cut off there.

    Only where the endpoint says nothing of why it ended.
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
