"""Requests without settings that an endpoint rejects, and completions that make up for them."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from langprog.lm.parts import Reasoning, Text
from langprog.lm.refusals import Setting, holds_reasoning, lacks_reasoning
from langprog.lm.sampling import Sampling
from langprog.lm.types import Completion, Message, Request, Usage


def drop_settings(request: Request, settings: Set[Setting]) -> Request:
    """Return ``request`` for an endpoint that rejects ``settings``."""
    if not settings:
        return request
    plain = request.without_tools
    if "tools" in settings and plain is not None:
        request = replace(
            request,
            messages=plain.messages,
            response_schema=plain.response_schema,
            tools=(),
            tool_choice=None,
            without_tools=None,
        )
    sampling = request.sampling
    if settings & {"temperature", "seed", "top_p", "reasoning_effort"}:
        sampling = replace(
            sampling,
            temperature=None if "temperature" in settings else sampling.temperature,
            seed=None if "seed" in settings else sampling.seed,
            top_p=None if "top_p" in settings else sampling.top_p,
            reasoning_effort=None if "reasoning_effort" in settings else sampling.reasoning_effort,
        )
    if "stop" in settings:
        sampling = replace(sampling, stop=())
    if "max_completion_tokens" in settings and "max_tokens" in settings:
        sampling = replace(sampling, max_tokens=None)
    messages = request.messages
    if "reasoning_content" in settings:
        messages = without_reasoning(messages)
    elif "missing_reasoning" in settings:
        messages = with_reasoning(messages)
    return replace(
        request,
        messages=merge_system(messages) if "system" in settings else messages,
        sampling=sampling,
        n=1 if "n" in settings else request.n,
        response_schema=None if "response_format" in settings else request.response_schema,
        logprobs=request.logprobs and "logprobs" not in settings,
        tool_choice=None if "tool_choice" in settings else request.tool_choice,
        token_limit="max_completion_tokens" if "max_tokens" in settings else "max_tokens",
        stream_usage="stream_options" not in settings,
    )


def without_reasoning(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a prompt that does not send the model's earlier reasoning back."""
    return tuple(
        message
        if isinstance(message.content, str) or not holds_reasoning(message)
        else Message(
            message.role,
            tuple(part for part in message.content if not isinstance(part, Reasoning)),
        )
        for message in messages
    )


def with_reasoning(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a prompt where every call of a tool has reasoning before it, if only an empty one."""
    return tuple(
        Message(message.role, (Reasoning(""), *message.content))
        if not isinstance(message.content, str) and lacks_reasoning(message)
        else message
        for message in messages
    )


def merge_system(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Return a prompt with the system text at the start of the first user message."""
    system = "\n\n".join(message.text for message in messages if message.role == "system")
    others = [message for message in messages if message.role != "system"]
    if not system and others:
        return tuple(others)
    for place, message in enumerate(others):
        if message.role == "user":
            content = message.content
            merged = (
                f"{system}\n\n{content}"
                if isinstance(content, str)
                else (Text(f"{system}\n\n"), *content)
            )
            return (*others[:place], Message("user", merged), *others[place + 1 :])
    return (Message("user", system), *others)


def join_completions(completions: list[Completion]) -> Completion:
    """Return completions with one text each as one completion with several texts."""
    first = completions[0]
    dollars = [completion.dollars for completion in completions]
    logprobs = [completion.logprobs for completion in completions]
    calls = tuple(completion.first_tool_calls for completion in completions)
    reasoning = tuple("".join(completion.reasoning[:1]) for completion in completions)
    signatures = tuple("".join(completion.signatures[:1]) for completion in completions)
    return Completion(
        tuple(completion.text for completion in completions),
        first.model,
        sum((completion.usage for completion in completions), Usage()),
        tuple(completion.finish_reason for completion in completions),
        None if None in logprobs else tuple(values[0] for values in logprobs if values),
        None if None in dollars else sum(value for value in dollars if value is not None),
        max(completion.latency for completion in completions),
        tool_calls=calls if any(calls) else (),
        reasoning=reasoning if any(reasoning) else (),
        signatures=signatures if any(signatures) else (),
    )


def with_own_seed(sampling: Sampling, place: int) -> Sampling:
    """Return the sampling of one of several samples, which the same seed would make equal."""
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + place)


def mark_without_tools(completion: Completion, whole: Request, sent: Request) -> Completion:
    """Return a completion that says whether its request went out in its form without tools."""
    return (
        replace(completion, without_tools=True) if whole.tools and not sent.tools else completion
    )


def cut_at_stop(completion: Completion, whole: Request, sent: Request) -> Completion:
    """Cut texts where the endpoint would have stopped if it supported ``stop``."""
    stops = [stop for stop in whole.sampling.stop if stop]
    if sent.sampling.stop == whole.sampling.stop or not stops:
        return completion
    reasons = list(completion.finish_reasons or ("stop",) * len(completion.texts))
    texts = []
    for place, text in enumerate(completion.texts):
        ends = [at for stop in stops if (at := text.find(stop)) >= 0]
        texts.append(text[: min(ends)] if ends else text)
        if ends:
            reasons[place] = "stop"
    if tuple(texts) == completion.texts:
        return completion
    # It is unknown which log-probabilities belong to the rest.
    return replace(completion, texts=tuple(texts), finish_reasons=tuple(reasons), logprobs=None)


def is_same(left: Request, right: Request) -> bool:
    """Return whether two requests are sent alike."""
    return (left, left.token_limit, left.stream_usage) == (
        right,
        right.token_limit,
        right.stream_usage,
    )
