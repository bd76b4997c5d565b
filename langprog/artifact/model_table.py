"""The models that a program names: what they cost, and where they were, without credentials."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from langprog.errors import ModelError
from langprog.lm import LanguageModel, Price, Priced, Wrapper, price_of
from langprog.runtime import model_named

_HERE = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})


def model_table(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return price and endpoint of every model by name; null where they are not known."""
    return {name: _line(name) for name in sorted(names)}


def _line(name: str) -> dict[str, Any]:
    try:
        model: LanguageModel | None = model_named(name)
    except ModelError:  # no key here, say; the program can be written all the same
        model = None
    price = price_of(name) if model is None else _price(model)
    return {
        "endpoint": None if model is None else _endpoint(model.endpoint),
        "input": None if price is None else price.input,
        "output": None if price is None else price.output,
        "cached_input": None if price is None else price.cached_input,
        "price_source": None if price is None else price.source,
    }


def _price(model: LanguageModel) -> Price | None:
    while isinstance(model, Wrapper):
        if isinstance(model, Priced):
            return model.price
        model = model.inner
    return price_of(model.name)


def _endpoint(address: str) -> str:
    # A port of this machine says nothing elsewhere, and may differ from run to run.
    return "loopback" if urlsplit(address).hostname in _HERE else address
