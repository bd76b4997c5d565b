"""References to models, as programs hold them: a name, bound to the object that was passed."""

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
from langprog.lm.sampling import Sampling
from langprog.lm.secrecy import public_address
from langprog.lm.types import LanguageModel
from langprog.lm.wrapper import Wrapper, layers_of

IN_PROCESS = "in-process"


@dataclass(frozen=True, slots=True)
class ModelRef:
    """A reference to a model: its name, its endpoint and its defaults.

    References are equal if name, endpoint and defaults are. Copies keep the model object, pickles
    do not: an unpickled reference is looked up by name, as in an artifact.

    Args:
        name: ``provider/model``.
        endpoint: Its endpoint (a URL without secrets, or ``in-process``); ``None`` if unknown.
        sampling: The model's own defaults.
        price: Dollars per million tokens; ``None`` if unknown.
        lm: The model object; ``None`` if only the name is known.
        schema: Whether an artifact or a compile found that it honors a response schema.
        refused: Settings that its endpoint rejects according to an artifact. Like ``schema``, it
            is kept only for the next artifact: calls find this out themselves.

    Raises:
        ModelError: The name is not a non-empty text, or the object is not a language model.
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
            check_lm(self.lm, "lm=")

    @classmethod
    def of(cls, lm: LanguageModel) -> ModelRef:
        """Return a reference to this object.

        Raises:
            ModelError: It is not a complete language model.
        """
        check_lm(lm)
        # Models of lp.LM carry their price or none; for others only a price list may know it.
        priced = any(isinstance(layer, Priced) for layer in layers_of(lm))
        listed = not priced and lm.endpoint != IN_PROCESS
        price = price_of(lm.name) if listed else price_in(lm)
        return cls(lm.name, public_address(lm.endpoint), lm.defaults, price, lm)

    def __copy__(self) -> ModelRef:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ModelRef:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        values = (self.name, self.endpoint, self.sampling, self.price, None)
        return type(self), (*values, self.schema, self.refused)

    def __str__(self) -> str:
        return self.name


def model_from(value: object, place: str = "model=") -> str | ModelRef:
    """Return a model as programs hold it: a name stays a name, an object becomes a ModelRef.

    Args:
        value: A name, a ModelRef or a language model.
        place: Where it was passed, for the error message.

    Raises:
        ModelError: It is something else, or an incomplete language model.
    """
    if isinstance(value, ModelRef):
        return value
    if isinstance(value, str):
        _check_name(value, place)
        return value
    return ModelRef.of(check_lm(value, place))


def model_name(model: str | ModelRef | LanguageModel | None) -> str | None:
    """Return a model's name; ``None`` for the ambient one."""
    return model if model is None or isinstance(model, str) else model.name


def check_lm(value: object, place: str = "model=") -> LanguageModel:
    """Return ``value`` if it is a complete language model.

    Raises:
        ModelError: It is not.
    """
    if isinstance(value, type):
        raise ModelError(
            f"{place} is the class {value.__name__}: pass an instance, {value.__name__}(...)"
        )
    lacking = [words for name, there, words in _NEEDED if not there(getattr(value, name, None))]
    if not lacking:
        return value  # type: ignore[return-value]  # all members of a LanguageModel are there
    kind = type(value).__name__
    if len(lacking) == len(_NEEDED):
        raise ModelError(
            f"{place} is a {kind}: pass a name such as 'openai/gpt-6-luna', or a model such as "
            "lp.LM('openai/gpt-6-luna')"
        )
    raise ModelError(
        f"{place} is a {kind}, which is not a complete language model: it lacks "
        f"{', '.join(lacking)}; derive it from langprog.lm.Wrapper, which has all of them, or "
        "add what is missing"
    )


def same_model(first: LanguageModel, second: LanguageModel, *, defaults: bool = True) -> bool:
    """Return whether two objects are the same model: same endpoint, price and defaults.

    Args:
        first: A model.
        second: A model.
        defaults: Whether to compare their default sampling.
    """
    if first is second:
        return True
    # Two objects of a user's own class may differ in ways that we cannot see.
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
            f"{place} is {name!r:.40}: a model's name is a text such as 'openai/gpt-6-luna'"
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


# The members of a language model: name, check, and description for error messages.
_NEEDED: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("name", _is_text, "name (a text)"),
    ("endpoint", _is_text, f"endpoint (a text: its URL, or {IN_PROCESS!r})"),
    ("defaults", lambda value: isinstance(value, Sampling), "defaults (an lp.Sampling)"),
    ("complete", _is_async, "async complete(request)"),
    ("aclose", _is_async, "async aclose()"),
)
