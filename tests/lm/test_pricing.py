from __future__ import annotations

import asyncio
import json
from importlib import resources

import pytest

from langprog.errors import ModelError
from langprog.lm import Completion, Price, Priced, Request, ScriptedLM, Usage, price_of
from tests.lm.endpoint import asking


def test_dollars_for_a_million_tokens() -> None:
    price = Price(2.0, 8.0, 0.5)
    assert price.of(Usage(1_000_000, 0)) == 2.0
    assert price.of(Usage(0, 1_000_000)) == 8.0
    assert price.of(Usage(1_000_000, 500_000, 400_000)) == pytest.approx(1.2 + 0.2 + 4.0)
    assert price.of(Usage()) == 0.0


def test_cached_tokens_cost_as_others_unless_a_price_says_otherwise() -> None:
    assert Price(2.0, 8.0).of(Usage(1_000_000, 0, 900_000)) == 2.0
    assert Price(2.0, 8.0, 0.0).of(Usage(1_000_000, 0, 1_000_000)) == 0.0


def test_more_cached_tokens_than_tokens_never_make_it_cheaper_than_free() -> None:
    assert Price(2.0, 8.0, 0.0).of(Usage(10, 0, 1_000_000)) == 0.0


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "2", None, True])
def test_a_price_that_is_none(value: float) -> None:
    with pytest.raises(ModelError, match="price"):
        Price(value, 1.0)
    with pytest.raises(ModelError, match="price"):
        Price(1.0, value)
    if value is not None:
        with pytest.raises(ModelError, match="price"):
            Price(1.0, 1.0, value)


def test_a_completion_carries_its_price() -> None:
    lm = ScriptedLM(["three small words", "x"], dollars=9.0)
    priced = asyncio.run(Priced(lm, Price(1e6, 2e6)).complete(asking("one two")))
    assert priced.dollars == 2 * 1.0 + 3 * 2.0
    assert priced.text == "three small words"


def test_where_no_price_is_known_the_completion_keeps_what_it_had() -> None:
    for dollars in (None, 9.0):
        lm = ScriptedLM(["x"], dollars=dollars)
        assert asyncio.run(Priced(lm, None).complete(asking())).dollars == dollars


def test_what_was_not_counted_is_not_free() -> None:
    class Silent(ScriptedLM):
        async def complete(self, request: Request) -> Completion:
            return Completion(("x",), self.name)

    assert asyncio.run(Priced(Silent([]), Price(1.0, 1.0)).complete(asking())).dollars is None


def test_known_prices() -> None:
    price = price_of("openai/gpt-4.1-mini")
    assert price is not None
    assert 0 < price.input < price.output
    assert price_of("openai/gpt-99") is None
    assert price_of("") is None
    for local in ("ollama/llama3.2", "vllm/any", "sglang/any", "llamacpp/any"):
        assert price_of(local) == Price(0.0, 0.0)


def test_the_table_is_whole() -> None:
    text = resources.files("langprog.lm").joinpath("prices.json").read_text(encoding="utf-8")
    models = json.loads(text)["models"]
    assert models
    for name, line in models.items():
        assert name.partition("/")[2]
        price = price_of(name)
        assert price == Price(**line)
        assert price.cached_input is None or price.cached_input <= price.input <= price.output
