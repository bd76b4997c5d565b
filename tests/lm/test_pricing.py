from __future__ import annotations

import asyncio
import itertools
import math
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from genai_prices import Usage as ListedUsage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider

from langprog.errors import ModelError
from langprog.lm import (
    Audio,
    Budget,
    Budgeted,
    Completion,
    Ledger,
    Message,
    Price,
    Priced,
    Request,
    Sampling,
    ScriptedLM,
    Text,
    Usage,
    price_of,
    price_source,
)
from langprog.lm.price import ChangingPrice, Period
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


def test_tokens_put_into_the_cache_cost_what_the_list_says() -> None:
    usage = Usage(1_000_000, 0, 400_000, 0, 500_000)
    assert Price(2.0, 8.0, 0.0, 4.0).of(usage) == pytest.approx(0.2 + 2.0)
    assert Price(2.0, 8.0, 0.0).of(usage) == pytest.approx(1.2)
    assert Price(2.0, 8.0, 0.0, 4.0).upper_bound(1_000_000, 0) == 4.0
    over = Usage(10, 0, 10, 0, 1_000_000)
    assert Price(2.0, 8.0, 0.0, 4.0).of(over) == 0.0


def test_more_cached_tokens_than_tokens_never_make_it_cheaper_than_free() -> None:
    assert Price(2.0, 8.0, 0.0).of(Usage(10, 0, 1_000_000)) == 0.0


def test_a_long_prompt_is_charged_by_its_tier_in_whole() -> None:
    price = Price(1.0, 4.0, 0.5, tiers=((1_000, Price(2.0, 6.0)), (9_000, Price(3.0, 7.0))))
    assert price.of(Usage(1_000, 1_000_000)) == pytest.approx(0.001 + 4.0)
    assert price.of(Usage(1_001, 1_000_000, 1_000)) == pytest.approx(0.002002 + 6.0)
    assert price.of(Usage(9_001, 0)) == pytest.approx(0.027003)


def test_the_bound_is_of_the_dearest_tier_that_the_prompt_can_reach() -> None:
    price = Price(1.0, 4.0, 5.0, tiers=((1_000, Price(2.0, 3.0)),))
    assert price.upper_bound(1_000, 1_000_000) == pytest.approx(0.005 + 4.0)
    assert price.upper_bound(2_000_000, 1_000_000) == pytest.approx(10.0 + 4.0)
    dearer = Price(1.0, 4.0, tiers=((1_000, Price(2.0, 9.0)),))
    assert dearer.upper_bound(1_001, 1_000_000) == pytest.approx(0.002002 + 9.0)


def test_a_request_has_a_price_of_its_own() -> None:
    price = Price(1.0, 1.0, request=0.25)
    assert price.of(Usage(1_000_000, 0)) == 1.25
    assert price.upper_bound(0, 0) == 0.25


def test_sounds_are_charged_where_they_cost_more() -> None:
    price = Price(1.0, 1.0, 0.1, audio_input=8.0)
    sound = Request((Message("user", (Text("what is said?"), Audio(b"RIFF"))),))
    for request, dollars in ((sound, 9.0), (asking(), 2.0)):
        lm = ScriptedLM(lambda request: Completion(("x",), "m", Usage(1_000_000, 1_000_000)))
        assert asyncio.run(Priced(lm, price).complete(request)).dollars == dollars
    assert price.upper_bound(1_000_000, 0, audio=True) == 8.0
    assert price.upper_bound(1_000_000, 0) == 1.0


NIGHT = datetime(2030, 5, 1, 3, 0, tzinfo=UTC)
PERIODS = (
    Period(Price(1.0, 1.0)),
    Period(Price(9.0, 9.0), hours=(time(22), time(4))),
    Period(Price(2.0, 2.0), since=date(2030, 5, 2)),
    Period(Price(7.0, 7.0), hours=(time(4), time(6))),
)


@pytest.mark.parametrize(
    ("hours", "dollars"),
    [(0, 9.0), (1, 7.0), (3, 1.0), (20, 9.0), (24, 2.0), (25, 7.0), (45, 2.0)],
)
def test_the_last_of_the_prices_that_hold_at_the_moment(hours: int, dollars: float) -> None:
    price = ChangingPrice(1.0, 1.0, periods=PERIODS)
    moment = NIGHT + timedelta(hours=hours)
    assert price.of(Usage(1_000_000, 0), moment=moment) == dollars


def test_the_bound_is_of_the_dearest_time_that_may_come() -> None:
    today = datetime.now(UTC).date()
    over = (Period(Price(50.0, 50.0)), Period(Price(1.0, 1.0), since=today))
    day = timedelta(days=1)
    to_come = (
        Period(Price(3.0, 3.0), since=today + 30 * day),
        Period(Price(2.0, 2.0), hours=(time(4), time(6))),
    )
    assert ChangingPrice(1.0, 1.0, periods=over).upper_bound(1_000_000, 0) == 1.0
    assert ChangingPrice(1.0, 1.0, periods=over + to_come).upper_bound(1_000_000, 0) == 3.0


def test_a_share_of_a_price_is_that_share_of_every_part_of_it() -> None:
    usage = Usage(300, 40, cached_prompt_tokens=100, cache_write_tokens=50)
    tier = Price(5.0, 6.0, cached_input=1.0, cache_write=7.0, request=0.5)
    whole = Price(2.0, 8.0, cached_input=0.5, cache_write=3.0, audio_input=9.0, request=0.25)
    for price in (whole, replace(whole, tiers=((100, tier),))):
        half = price.times(0.5)
        for audio in (False, True):
            assert half.of(usage, audio=audio) == pytest.approx(price.of(usage, audio=audio) / 2)
        assert half.upper_bound(300, 40) == pytest.approx(price.upper_bound(300, 40) / 2)
    changing = ChangingPrice(1.0, 1.0, periods=PERIODS)
    for hour in range(24):
        moment = datetime(2031, 1, 1, hour, tzinfo=UTC)
        half_then = changing.times(0.5).of(usage, moment=moment)
        assert half_then == pytest.approx(changing.of(usage, moment=moment) / 2)


def test_a_budget_reserves_the_bound_and_settles_for_what_it_was() -> None:
    lm = ScriptedLM(lambda request: Completion(("x",), "m", Usage(10, 10)), name="a/b")
    price = Price(0.0, 1e6, tiers=((100, Price(0.0, 5e6)),))
    model = Budgeted(Priced(lm, price))
    ledger = Ledger(Budget(dollars=60.0))
    for content, most in (("x" * 50, 20.0), ("x" * 200, 100.0)):
        request = Request((Message("user", content),), Sampling(max_tokens=20), ledgers=(ledger,))
        if most > 60.0:
            with pytest.raises(Exception, match="could cost up to 100 dollars"):
                asyncio.run(model.complete(request))
        else:
            asyncio.run(model.complete(request))
    assert ledger.paid.dollars == 10.0


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf"), "2", None, True])
def test_a_price_that_is_none(value: float) -> None:
    with pytest.raises(ModelError, match="has to be a number from 0"):
        Price(value, 1.0)
    with pytest.raises(ModelError, match="has to be a number from 0"):
        Price(1.0, value)
    if value is not None:
        with pytest.raises(ModelError, match="has to be a number from 0"):
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
    assert price is not None and price.cached_input is not None
    assert 0 < price.cached_input < price.input < price.output
    assert price.source == price_source()
    assert price_source().startswith("genai-prices ")
    for unknown in (
        "openai/gpt-99",
        "",
        "openai",
        "openai/",
        "nobody/gpt-4.1-mini",
        "gpt-4.1-mini",
    ):
        assert price_of(unknown) is None
    for local in ("ollama/llama3.2", "vllm/any", "sglang/any", "llamacpp/any"):
        price = price_of(local)
        assert price == Price(0.0, 0.0)
        assert price.source == "local"


@pytest.mark.parametrize(
    "name",
    [
        "anthropic/claude-sonnet-4-6",
        "azure/gpt-4o",
        "bedrock/us.anthropic.claude-sonnet-4-6",
        "cohere/command-r-plus",
        "deepseek/deepseek-chat",
        "fireworks_ai/accounts/fireworks/models/gpt-oss-120b",
        "gemini/gemini-2.5-pro",
        "groq/llama-3.3-70b-versatile",
        "mistral/mistral-large-latest",
        "openrouter/openai/gpt-4o",
        "perplexity/sonar",
        "together/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
        "vertex_ai/claude-sonnet-4-6",
        "xai/grok-4",
    ],
)
def test_models_of_every_provider_by_the_names_that_programs_use(name: str) -> None:
    price = price_of(name)
    assert price is not None and price.output > 0.0


def test_a_provider_is_never_taken_for_another_one_like_it() -> None:
    assert price_of("my-openai-proxy/gpt-4o") is None
    assert price_of("notanthropic/claude-sonnet-4-6") is None


def test_what_is_listed_as_free_or_in_part_is_not_known() -> None:
    assert price_of("gemini/gemma-3") is None  # free up to a limit, for some
    assert price_of("openrouter/meta-llama/llama-3.3-70b-instruct:free") is None
    assert price_of("perplexity/sonar-deep-research") is None  # its citations are not counted


def listed() -> Iterator[tuple[Provider, ModelInfo, Price]]:
    for provider in providers:
        for model in provider.models:
            price = price_of(f"{provider.id}/{model.id}")
            if price is not None and provider.find_model(model.id) is model:
                yield provider, model, price


def test_every_listed_price_comes_out_as_the_package_calculates_it() -> None:
    now = datetime.now(UTC)
    moments = [now, now.replace(hour=2, minute=30), now.replace(hour=20), now + timedelta(days=99)]
    tokens = [0, 1, 999, 150_000, 250_000, 400_000]
    seen = 0
    for provider, model, price in listed():
        # A price that stays the same is compared at other moments only where it would show.
        changes = isinstance(price, ChangingPrice)
        cases = itertools.product(moments, tokens if changes else tokens[-1:])
        for moment, prompt in {*cases, *((now, prompt) for prompt in tokens)}:
            usage = Usage(prompt, 70, prompt // 3, 0, prompt // 4)
            theirs = ListedUsage(
                input_tokens=prompt,
                output_tokens=70,
                cache_read_tokens=prompt // 3,
                cache_write_tokens=prompt // 4,
            )
            expected = float(
                model.calc_price(theirs, provider, genai_request_timestamp=moment).total_price
            )
            dollars = price.of(usage, moment=moment) if changes else price.of(usage)
            close = math.isclose(dollars, expected, rel_tol=1e-9, abs_tol=1e-15)
            assert close, (provider.id, model.id, dollars, expected)
            assert price.upper_bound(prompt, 70) >= expected - 1e-15, (provider.id, model.id)
        seen += 1
    assert seen > 1_000


def test_prices_are_read_when_one_is_looked_up_and_never_fetched() -> None:
    code = """
import sys
import langprog as lp
from langprog.lm import Price
lp.LM("x/y", base_url="http://127.0.0.1:9/v1", price=Price(1.0, 1.0))
assert not any(name.startswith("genai_prices") for name in sys.modules)
from langprog.lm import price_of
assert price_of("openai/gpt-4.1-mini")
from genai_prices import update_prices
assert not update_prices._shared_updater.ref_count
"""
    subprocess.run([sys.executable, "-c", code], check=True)
