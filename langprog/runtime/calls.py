"""The one place where a program's prompt meets a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog.lm import Completion, Message, Request, Sampling
from langprog.runtime.settings import current, model_named


async def ask(
    model: str | None,
    messages: tuple[Message, ...],
    sampling: Sampling = Sampling(),
    response_schema: Mapping[str, Any] | None = None,
    *,
    n: int = 1,
    logprobs: bool = False,
) -> Completion:
    """Ask a model by name, paid by the ledgers that are in force here.

    Args:
        model: The model's name, or ``None`` for the ambient one.
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
    wanted = sampling.over(settings.sampling)
    request = Request(
        messages=messages,
        sampling=wanted if settings.draw is None else settings.draw.over(wanted),
        n=n,
        response_schema=response_schema,
        logprobs=logprobs or settings.logprobs,
        ledgers=settings.ledgers,
    )
    return await model_named(model).complete(request)
