"""The one place where a program calls a model."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

from langprog.errors import ModelError
from langprog.lm import (
    Completed,
    Completion,
    Delta,
    LanguageModel,
    ModelRef,
    Request,
    Usage,
    keep_budgets,
    public_address,
    stream_completion,
)
from langprog.observe import ModelStarted
from langprog.runtime.observing import observe_call
from langprog.runtime.overlay import Settings
from langprog.runtime.settings import current, model_named

Receive = Callable[[Delta], Awaitable[None]]


async def ask(
    model: str | ModelRef | None,
    request: Request,
    receive: Receive | None = None,
    settings: Settings | None = None,
) -> Completion:
    """Call a model, charged to the ledgers in force here.

    Args:
        model: The model or its name, or ``None`` for the ambient one.
        request: The request; the ambient sampling fills what it leaves open.
        receive: Receives the answer's pieces as they arrive.
        settings: The settings in force, if they are known already.

    Returns:
        The completion, with ``request.n`` texts.

    Raises:
        LMError: The model gave no usable completion.
        BudgetExceeded: A ledger cannot afford the call.
        ModelError: The model did not return a completion.
    """
    settings = settings or current()
    lm = model_named(model, settings)
    sampling, optional = request.sampling.over(settings.sampling), request.optional
    if isinstance(model, ModelRef) and model.sampling != lm.defaults:
        sampling = sampling.over(model.sampling)
    if settings.draw is not None:
        # Includes the model's own defaults: a compile writes them into the program, which must
        # then draw the same samples.
        usual = sampling.over(lm.defaults)
        sampling = settings.draw.over(usual)
        added = {"seed", "temperature"} if sampling.temperature != usual.temperature else {"seed"}
        optional = optional | added
    # Most calls change nothing, and building a new request takes a noticeable share of a call.
    if not (
        sampling is request.sampling
        and optional is request.optional
        and settings.ledgers == request.ledgers
        and not settings.logprobs
    ):
        request = request.with_settings(
            sampling,
            extra=request.extra,
            ledgers=settings.ledgers,
            logprobs=settings.logprobs,
            optional=optional,
        )
    if settings.ledgers:
        lm = keep_budgets(lm, settings.ledgers[-1])
    if settings.watch is not None and settings.watch.listeners:
        with observe_call("model", partial(_start, lm, request)) as finish:
            completion = _check(lm, await _complete(lm, request, receive))
            finish(completion)
        return completion
    # Not through another coroutine, which takes a noticeable share of a call as well.
    if receive is None:
        return _check(lm, await lm.complete(request))
    return _check(lm, await _stream(lm, request, receive))


def _start(
    lm: LanguageModel, request: Request, call: int, parent: int | None, path: str
) -> ModelStarted:
    full = request.with_defaults(lm.defaults)
    return ModelStarted(call, parent, path, lm.name, public_address(lm.endpoint), full)


async def _complete(lm: LanguageModel, request: Request, receive: Receive | None) -> Completion:
    if receive is None:
        return await lm.complete(request)
    return await _stream(lm, request, receive)


def _check(lm: LanguageModel, completion: Completion) -> Completion:
    """Return what a user's own model returned, if it is a completion.

    Raises:
        ModelError: It is not.
    """
    if not isinstance(completion, Completion):
        raise ModelError(
            f"{lm.name}: complete() returned a {type(completion).__name__}; it must return "
            "an lp.Completion(texts=(...,), model=self.name)"
        )
    texts = completion.texts
    others = texts[1:]  # mostly none
    if (
        not texts
        or isinstance(texts, str)
        or type(texts[0]) is not str
        or (others and set(map(type, others)) != {str})
    ):
        raise ModelError(
            f"{lm.name}: complete() returned a Completion without texts: texts must be a "
            "tuple of one or more strings"
        )
    _check_amounts(lm, completion)
    return completion


def _check_amounts(lm: LanguageModel, completion: Completion) -> None:
    """Refuse costs that are not amounts: budgets and comparisons go by them.

    Raises:
        ModelError: The dollars or the tokens are not numbers of 0 or more.
    """
    dollars, usage = completion.dollars, completion.usage
    counts = (usage.prompt_tokens, usage.completion_tokens) if isinstance(usage, Usage) else ("",)
    for name, value in (("dollars", dollars or 0.0), *(("usage", count) for count in counts)):
        if not isinstance(value, (int, float)) or not 0 <= value < math.inf:
            given = dollars if name == "dollars" else usage
            raise ModelError(
                f"{lm.name}: complete() returned a Completion with {name}={given!r}: give numbers "
                "of 0 or more; dollars=None if the price is not known"
            )


async def _stream(lm: LanguageModel, request: Request, receive: Receive) -> Completion:
    completion: Completion | None = None
    async with aclosing(stream_completion(lm, request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, Completed):
                completion = delta.completion
            else:
                await receive(delta)
    assert completion is not None  # stream_completion ends with it
    return completion
