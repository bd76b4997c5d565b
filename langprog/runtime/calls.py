"""The one place where a program's prompt meets a model."""

from __future__ import annotations

from dataclasses import replace

from langprog.lm import Completion, Request
from langprog.runtime.settings import current, model_named


async def ask(model: str | None, request: Request) -> Completion:
    """Ask a model, paid by the ledgers that are in force here.

    Args:
        model: The model's name, or ``None`` for the ambient one.
        request: What is asked; the ambient sampling fills what it leaves open.

    Returns:
        The completion, with ``request.n`` texts.

    Raises:
        LMError: The model gave no usable completion.
        BudgetExceeded: A ledger cannot take the call.
    """
    settings = current()
    sampling, optional = request.sampling.over(settings.sampling), request.optional
    if settings.draw is not None:
        drawn = settings.draw.over(sampling)
        added = {"seed", "temperature"} if drawn.temperature != sampling.temperature else {"seed"}
        sampling, optional = drawn, optional | added
    return await model_named(model).complete(
        replace(
            request,
            sampling=sampling,
            logprobs=request.logprobs or settings.logprobs,
            ledgers=settings.ledgers,
            optional=optional,
        )
    )
