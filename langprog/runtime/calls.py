"""The one place where a program's prompt meets a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.lm import Completion, Message, ModelRef, Request, Sampling
from langprog.runtime.settings import current, model_named


async def ask(
    model: str | ModelRef | None,
    messages: tuple[Message, ...],
    sampling: Sampling = Sampling(),
    response_schema: Mapping[str, Any] | None = None,
    *,
    n: int = 1,
    logprobs: bool = False,
) -> Completion:
    """Ask a model, paid by the ledgers that are in force here.

    Args:
        model: The model or its name, or ``None`` for the ambient one.
        messages: The prompt.
        sampling: The predictor's sampling; the ambient one fills what it leaves open.
        response_schema: JSON schema that the reply should follow.
        n: Completions wanted.
        logprobs: Whether the chosen tokens' log-probabilities are wanted.

    Returns:
        The completion, with ``n`` texts.

    Raises:
        LMError: The model gave no usable completion.
        BudgetExceeded: A ledger cannot take the call.
    """
    settings = current()
    asked = model_named(model)
    wanted = sampling.over(settings.sampling)
    if isinstance(model, ModelRef) and model.sampling != asked.defaults:
        wanted = wanted.over(model.sampling)
    if settings.draw is not None:
        # On top of the model's own defaults, too: written into a program, as a compile does, they
        # draw the same samples.
        wanted = settings.draw.over(wanted.over(asked.defaults))
    request = Request(
        messages=messages,
        sampling=wanted,
        n=n,
        response_schema=response_schema,
        logprobs=logprobs or settings.logprobs,
        ledgers=settings.ledgers,
    )
    return await asked.complete(request)
