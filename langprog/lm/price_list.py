"""List prices, from the package genai-prices.

Only the data inside the package is read: prices never change while a program runs, and nothing is
fetched. The package is imported when the first price is looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from langprog.lm.price import ChangingPrice, Period, Price, remaining_periods

if TYPE_CHECKING:
    from genai_prices.data_snapshot import DataSnapshot
    from genai_prices.types import ConditionalPrice, ModelPrice

# Runs on the user's own machine, where tokens are not billed.
LOCAL = frozenset({"llamacpp", "ollama", "sglang", "vllm"})
# The package's provider names, where they differ from the prefixes of model names.
PROVIDER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "azure_ai": "azure",
        "bedrock": "aws",
        "cohere_chat": "cohere",
        "fireworks_ai": "fireworks",
        "gemini": "google",
        "mistralai": "mistral",
        "moonshot": "moonshotai",
        "together_ai": "together",
        "vertex_ai": "google",
        "voyage": "voyageai",
        "xai": "x-ai",
    }
)
# Billed separately, and not part of any token count that we read.
UNCOUNTED = ("output_citation_mtok",)


def price_of(name: str) -> Price | None:
    """Return the list price of a model by name, or ``None``: an unknown model is never free.

    A model listed as free counts as unknown too: it is free for some users only.

    Args:
        name: ``provider/model``.
    """
    provider, _, model = name.partition("/")
    if provider in LOCAL:
        return Price(0.0, 0.0, source="local")
    return _find_price(PROVIDER_NAMES.get(provider, provider), model) if model else None


@lru_cache(maxsize=1)
def price_source() -> str:
    """Return the package, its version and the date of its latest price change so far."""
    today = datetime.now(UTC).date()
    starts = (
        getattr(condition.constraint, "start_date", None)
        for provider in _list().providers
        for model in provider.models
        if isinstance(model.prices, list)
        for condition in model.prices
    )
    newest = max((start for start in starts if start and start <= today), default=None)
    return f"genai-prices {metadata.version('genai-prices')} ({newest})"


@lru_cache(maxsize=1)
def _list() -> DataSnapshot:
    from genai_prices.data import providers  # noqa: PLC0415 - takes longer than all of langprog
    from genai_prices.data_snapshot import DataSnapshot  # noqa: PLC0415 - as above

    return DataSnapshot(providers=providers, from_auto_update=False)


@lru_cache(maxsize=1024)
def _find_price(provider: str, model: str) -> Price | None:
    prices = _list()
    # By exact name: the package would also match similar provider names.
    known = next((entry for entry in prices.providers if entry.id == provider), None)
    entry = known and known.find_model(model, all_providers=prices.providers)
    if not entry:
        return None
    if not isinstance(entry.prices, list):
        return _price(entry.prices)
    periods = [_period(condition) for condition in entry.prices]
    whole = tuple(period for period in periods if period is not None)
    return _changing_price(whole) if len(whole) == len(periods) else None


def _changing_price(periods: tuple[Period, ...]) -> Price | None:
    now = datetime.now(UTC)
    left = remaining_periods(periods, now)
    if len(left) <= 1:
        return left[0].price if left else None
    today = [period.price for period in left if period.since is None or period.applies(now)]
    highest = max(today or [left[0].price], key=lambda price: price.input + price.output)
    values = {part.name: getattr(highest, part.name) for part in fields(Price)}
    return ChangingPrice(**values, periods=left)


def _period(condition: ConditionalPrice) -> Period | None:
    price, limits = _price(condition.prices), condition.constraint
    if price is None:
        return None
    since = getattr(limits, "start_date", None)
    start, end = getattr(limits, "start_time", None), getattr(limits, "end_time", None)
    hours = (_utc(start), _utc(end)) if start is not None and end is not None else None
    return Period(price, since, hours)


def _utc(moment: Any) -> Any:
    day = datetime(2000, 1, 2, tzinfo=UTC)
    zone = moment.tzinfo or UTC
    return datetime.combine(day, moment, zone).astimezone(UTC).time()


def _price(listed: ModelPrice) -> Price | None:
    names = (
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "input_audio_mtok",
    )
    values = [getattr(listed, name) for name in names]
    if values[0] is None or values[1] is None:
        return None
    if any(getattr(listed, name, None) is not None for name in UNCOUNTED):
        return None
    calls = _rate(listed.requests_kcount, 0) or 0.0
    starts = {tier.start for value in values for tier in getattr(value, "tiers", ())}
    tiers = tuple((start, _line(values, start + 1, calls)) for start in sorted(starts))
    price = _line(values, 0, calls, tiers)
    return price if price.input or price.output else None


def _line(
    values: list[Any], tokens: int, calls: float, tiers: tuple[tuple[int, Price], ...] = ()
) -> Price:
    fresh, reply, cached, written, audio = (_rate(value, tokens) for value in values)
    source = price_source()
    return Price(fresh or 0.0, reply or 0.0, cached, written, audio, calls / 1000, tiers, source)


def _rate(value: Any, tokens: int) -> float | None:
    """Return the rate that applies to a prompt of ``tokens`` tokens."""
    if value is None:
        return None
    reached = [tier.price for tier in getattr(value, "tiers", ()) if tokens > tier.start]
    return float(reached[-1] if reached else getattr(value, "base", value))
