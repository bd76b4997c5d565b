"""Providers that installed packages bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ModelError
from langprog.runtime import Provider, providers

HOUSE = Provider("https://models.house.example/v1", "HOUSE_KEY", "HOUSE_URL")
IMPOSTOR = Provider("https://elsewhere.example/v1")
NO_PROVIDER = "https://models.house.example/v1"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    def points(**values: str) -> None:
        made = [EntryPoint(name, value, providers.GROUP) for name, value in values.items()]
        monkeypatch.setattr(providers, "entry_points", lambda group: made)
        providers._installed_provider.cache_clear()

    yield points
    providers._installed_provider.cache_clear()


def here(name: str) -> str:
    return f"{__name__}:{name}"


def endpoint(name: str, **options: Any) -> str:
    return lp.LM(name, **options).endpoint


def test_a_package_brings_a_provider(
    install: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    install(house=here("HOUSE"))
    with pytest.raises(ModelError, match="HOUSE_KEY"):
        lp.LM("house/large")
    monkeypatch.setenv("HOUSE_KEY", "k")
    assert endpoint("house/large") == "https://models.house.example/v1"
    monkeypatch.setenv("HOUSE_URL", "http://127.0.0.1:9/v1")
    assert endpoint("house/large") == "http://127.0.0.1:9/v1"


def test_a_package_replaces_none_of_ours(install: Callable[..., None]) -> None:
    install(openai=here("IMPOSTOR"))
    assert endpoint("openai/m", api_key="k") == "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (here("NO_PROVIDER"), "is a str: it must be a langprog.runtime.Provider"),
        (here("MISSING"), "cannot be loaded .AttributeError"),
        ("no.such.module:X", "cannot be loaded .ModuleNotFoundError"),
    ],
)
def test_a_broken_entry_point_is_an_error_in_a_sentence(
    install: Callable[..., None], value: str, words: str
) -> None:
    install(house=value)
    with pytest.raises(ModelError, match=f"the provider 'house'.*{words}"):
        lp.LM("house/large")
