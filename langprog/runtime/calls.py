"""The one place where a program's prompt meets a model."""

from __future__ import annotations

from collections.abc import Iterator

from langprog.errors import ModelError
from langprog.lm import Budgeted, Completion, LanguageModel, ModelRef, Request, layers_of
from langprog.runtime.settings import current, model_named


async def ask(model: str | ModelRef | None, request: Request) -> Completion:
    """Ask a model, paid by the ledgers that are in force here.

    Args:
        model: The model or its name, or ``None`` for the ambient one.
        request: What is asked; the ambient sampling fills what it leaves open.

    Returns:
        The completion, with ``request.n`` texts.

    Raises:
        LMError: The model gave no usable completion.
        BudgetExceeded: A ledger cannot take the call.
        ModelError: A model of a user's own answered with what is no completion.
    """
    settings = current()
    asked = model_named(model)
    sampling, optional = request.sampling.over(settings.sampling), request.optional
    if isinstance(model, ModelRef) and model.sampling != asked.defaults:
        sampling = sampling.over(model.sampling)
    if settings.draw is not None:
        # On top of the model's own defaults, too: written into a program, as a compile does, they
        # draw the same samples.
        usual = sampling.over(asked.defaults)
        sampling = settings.draw.over(usual)
        added = {"seed", "temperature"} if sampling.temperature != usual.temperature else {"seed"}
        optional = optional | added
    # Most calls change nothing, and making a request anew takes its part of a whole call.
    if not (
        sampling is request.sampling
        and optional is request.optional
        and settings.ledgers == request.ledgers
        and not settings.logprobs
    ):
        request = request.put(
            sampling,
            extra=request.extra,
            ledgers=settings.ledgers,
            logprobs=settings.logprobs,
            optional=optional,
        )
    if settings.ledgers and not _reserves(asked):
        asked = Budgeted(asked)
    return _checked(await asked.complete(request), asked.name)


def _reserves(lm: LanguageModel) -> bool:
    """Return whether a model reserves what it spends, itself or by what it asks in turn."""
    *_, last = layers = list(layers_of(lm))
    if any(isinstance(layer, Budgeted) for layer in layers):
        return True
    # What a model of a user's own hands requests on to reserves for them.
    return any(isinstance(part, LanguageModel) for part in _parts(last))


def _parts(lm: LanguageModel) -> Iterator[object]:
    for value in getattr(lm, "__dict__", {}).values():
        if isinstance(value, (list, tuple)):
            yield from value
        elif isinstance(value, dict):
            yield from value.values()
        else:
            yield value


def _checked(completion: object, name: str) -> Completion:
    """Return what a model answered if it is an answer; one of a user's own may return anything.

    Raises:
        ModelError: It is none.
    """
    if isinstance(completion, Completion) and completion.texts:
        if all(type(text) is str for text in completion.texts):
            return completion
    raise ModelError(
        f"complete(request) of {name} returned {completion!r:.80}: it has to return a Completion "
        "whose texts are one or more strings"
    )
