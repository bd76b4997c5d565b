"""A model as a program holds it: a name, bound to the very object that was handed over."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import ModelError
from langprog.lm.litellm_client import LiteLLM
from langprog.lm.openai_compatible import OpenAICompatible
from langprog.lm.price import Price
from langprog.lm.price_list import price_of
from langprog.lm.pricing import Priced, price_in
from langprog.lm.secrecy import public_address
from langprog.lm.types import LanguageModel, Sampling
from langprog.lm.wrapper import Wrapper, layers_of

IN_PROCESS = "in-process"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model that a program was handed: which one, where, with which defaults.

    Two of them are equal where name, endpoint and defaults are. Copies keep the object, a pickle
    leaves it behind: what comes out of one is looked up by its name, as in an artifact.

    Args:
        name: ``provider/model``.
        endpoint: Where it answers (a URL without secrets, or ``in-process``); ``None`` where that
            is not known.
        sampling: The model's own defaults.
        price: Dollars per million tokens; ``None`` where it is not known.
        lm: The object that is asked; ``None`` where only its name is known.
        schema: Whether an artifact or a compile found that it keeps to a response schema.
        refused: Settings that an artifact says its endpoint refuses. Both are only kept for the
            next artifact: what is asked without an object finds them out itself.

    Raises:
        ModelError: The name is not a text, or empty; or the object is not a language model.
    """

    name: str
    endpoint: str | None = None
    sampling: Sampling = Sampling()
    price: Price | None = field(default=None, compare=False)
    lm: LanguageModel | None = field(default=None, compare=False, repr=False)
    schema: bool | None = field(default=None, compare=False, repr=False)
    refused: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.lm is not None:
            checked_lm(self.lm, "lm=")

    @classmethod
    def of(cls, lm: LanguageModel) -> ModelRef:
        """Return a reference to this very object.

        Raises:
            ModelError: It lacks something that a language model has.
        """
        checked_lm(lm)
        # A model of lp.LM has its price, or none; of others only a list may know one.
        priced = any(isinstance(layer, Priced) for layer in layers_of(lm))
        listed = not priced and lm.endpoint != IN_PROCESS
        price = price_of(lm.name) if listed else price_in(lm)
        return cls(lm.name, public_address(lm.endpoint), lm.defaults, price, lm)

    def __copy__(self) -> ModelRef:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelRef:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        told = self.schema, self.refused
        return type(self), (self.name, self.endpoint, self.sampling, self.price, None, *told)

    def __str__(self) -> str:
        return self.name


def model_from(value: object, place: str = "model=") -> str | ModelRef:
    """Return a model as a program holds it: a name stays a name, an object is bound.

    Args:
        value: A name, a ModelRef or a language model.
        place: Where it was handed over, for the message.

    Raises:
        ModelError: It is none of them, or a language model that lacks something.
    """
    if isinstance(value, ModelRef):
        return value
    if isinstance(value, str):
        _check_name(value, place)
        return value
    return ModelRef.of(checked_lm(value, place))


def model_name(model: str | ModelRef | LanguageModel | None) -> str | None:
    """Return a model's name; ``None`` for the ambient one."""
    return model if model is None or isinstance(model, str) else model.name


def checked_lm(value: object, place: str = "model=") -> LanguageModel:
    """Return a language model that was handed over, checked before anything is asked.

    Raises:
        ModelError: It lacks something, or is not a language model at all.
    """
    if isinstance(value, type):
        raise ModelError(
            f"{place} is the class {value.__name__}: hand over an instance of it, "
            f"{value.__name__}(...)"
        )
    lacking = [words for name, there, words in _NEEDED if not there(getattr(value, name, None))]
    if not lacking:
        return value  # type: ignore[return-value]  # everything of a LanguageModel was just seen
    kind = type(value).__name__
    if len(lacking) == len(_NEEDED):
        raise ModelError(
            f"{place} is a {kind}: give a name such as 'openai/gpt-4.1-mini', or a model such as "
            "lp.LM('openai/gpt-4.1-mini')"
        )
    raise ModelError(
        f"{place} is a {kind}, which is not a language model yet, for it lacks "
        f"{', '.join(lacking)}: derive it from langprog.lm.Wrapper, which has all of it from the "
        "model inside, or write what is lacking"
    )


def same_model(first: LanguageModel, second: LanguageModel, *, defaults: bool = True) -> bool:
    """Return whether two objects stand for one model: the same place, price and defaults.

    Args:
        first: A model.
        second: A model.
        defaults: Whether their own sampling counts.
    """
    if first is second:
        return True
    # Of an object of a user's own only the object itself says which model it is.
    return (
        (first.name, first.endpoint) == (second.name, second.endpoint)
        and _is_known_by_place(first)
        and _is_known_by_place(second)
        and price_in(first) == price_in(second)
        and (not defaults or first.defaults == second.defaults)
    )


def _is_known_by_place(model: LanguageModel) -> bool:
    while isinstance(model, Wrapper):
        model = model.inner
    embedded = model.endpoint == IN_PROCESS and model.name.startswith("pocket/")
    return embedded or isinstance(model, (OpenAICompatible, LiteLLM))


def _check_name(name: object, place: str = "the name of a model") -> None:
    if not isinstance(name, str) or not name.strip():
        raise ModelError(
            f"{place} is {name!r:.40}: a model's name is a text such as 'openai/gpt-4.1-mini'"
        )


def _is_async(function: Any) -> bool:
    if not callable(function):
        return False
    return any(
        inspect.iscoroutinefunction(inspect.unwrap(written))
        for written in (function, type(function).__call__)
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


# What a language model has, how to see that it is there, and what it is called in a message.
_NEEDED: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("name", _is_text, "name (a text)"),
    ("endpoint", _is_text, f"endpoint (a text: where it answers, or {IN_PROCESS!r})"),
    ("defaults", lambda value: isinstance(value, Sampling), "defaults (an lp.Sampling)"),
    ("complete", _is_async, "async complete(request)"),
    ("aclose", _is_async, "async aclose()"),
)
