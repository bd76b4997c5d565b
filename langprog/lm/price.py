"""What tokens cost: dollars per million, for each kind of token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time

from langprog.errors import ModelError
from langprog.hints import with_hinted_fields
from langprog.knobs import check_knobs, takes_number
from langprog.lm.elsewhere import OF_PRICE
from langprog.lm.types import Usage

MILLION = 1_000_000


@with_hinted_fields(OF_PRICE)
@dataclass(frozen=True, slots=True)
class Price:
    """One entry of a price list.

    Args:
        input: Dollars per million prompt tokens.
        output: Dollars per million completion tokens, including reasoning.
        cached_input: Dollars per million prompt tokens read from the endpoint's own cache;
            defaults to ``input``.
        cache_write: Dollars per million prompt tokens written to the endpoint's own cache;
            defaults to ``input``.
        audio_input: Dollars per million prompt tokens of a call with audio; defaults to
            ``input``. Endpoints do not report which tokens were audio, so the whole prompt is
            charged at this rate: never too little.
        request: Dollars per request, on top of its tokens.
        tiers: Prices for longer prompts: ``(tokens, price)`` in rising order. A prompt with more
            tokens than that is charged at that price in full, and so is its reply.
        source: Where the price comes from.

    Raises:
        ModelError: A price is negative, or not a finite number.
    """

    input: float = field(metadata=takes_number(0))
    output: float = field(metadata=takes_number(0))
    cached_input: float | None = field(default=None, metadata=takes_number(0))
    cache_write: float | None = field(default=None, metadata=takes_number(0))
    audio_input: float | None = field(default=None, metadata=takes_number(0))
    request: float = field(default=0.0, metadata=takes_number(0))
    tiers: tuple[tuple[int, Price], ...] = ()
    source: str = field(default="given", compare=False)

    def __post_init__(self) -> None:
        check_knobs(self, ModelError)

    def of(self, usage: Usage, *, audio: bool = False) -> float:
        """Return the dollars that a call costs.

        Args:
            usage: Its tokens.
            audio: Whether its prompt contains audio.
        """
        price = self._tier(usage.prompt_tokens)
        cached = min(usage.cached_prompt_tokens, usage.prompt_tokens)
        written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
        fresh_rate, cached_rate, written_rate = price._rates(audio)
        prompt = (usage.prompt_tokens - cached - written) * fresh_rate
        prompt += cached * cached_rate + written * written_rate
        return (prompt + usage.completion_tokens * price.output) / MILLION + price.request

    def upper_bound(
        self, prompt_tokens: int, completion_tokens: int, *, audio: bool = False
    ) -> float:
        """Return the most dollars that a call with at most these tokens can cost."""
        reached = [price for start, price in self.tiers if prompt_tokens > start]
        return max(
            (prompt_tokens * max(price._rates(audio)) + completion_tokens * price.output) / MILLION
            + price.request
            for price in (self, *reached)
        )

    def times(self, share: float) -> Price:
        """Return the same price list with every price multiplied by ``share``."""
        return self._scaled(share, f"{self.source}, times {share:g}")

    def _scaled(self, share: float, source: str) -> Price:
        optional = {
            name: None if value is None else value * share
            for name, value in (
                ("cached_input", self.cached_input),
                ("cache_write", self.cache_write),
                ("audio_input", self.audio_input),
            )
        }
        return replace(
            self,
            input=self.input * share,
            output=self.output * share,
            request=self.request * share,
            tiers=tuple((start, price.times(share)) for start, price in self.tiers),
            source=source,
            **optional,
        )

    def _tier(self, prompt_tokens: int) -> Price:
        reached = [price for start, price in self.tiers if prompt_tokens > start]
        return reached[-1] if reached else self

    def _rates(self, audio: bool) -> tuple[float, float, float]:
        """Return the rates of prompt tokens: fresh, cached, and written to the cache."""
        cached = self.input if self.cached_input is None else self.cached_input
        written = self.input if self.cache_write is None else self.cache_write
        if audio and self.audio_input is not None:
            most = max(self.input, self.audio_input, cached, written)
            return most, most, most
        return self.input, cached, written


@dataclass(frozen=True, slots=True)
class Period:
    """A price, and when it applies.

    Args:
        price: The price.
        since: The first day, in UTC; ``None`` for all days.
        hours: Start and end on each day, in UTC; spans midnight if the end is earlier. ``None``
            for the whole day.
    """

    price: Price
    since: date | None = None
    hours: tuple[time, time] | None = None

    def applies(self, moment: datetime) -> bool:
        """Return whether the price applies at a moment in UTC."""
        if self.since is not None:
            return moment.date() >= self.since
        if self.hours is None:
            return True
        start, end = self.hours
        if end < start:
            return moment.time() >= start or moment.time() < end
        return start <= moment.time() < end


@dataclass(frozen=True, slots=True)
class ChangingPrice(Price):
    """A price that depends on the day or the hour.

    The cost of a call is known when it is answered; until then it is bounded by the most
    expensive price that may still apply. ``input`` and the other fields are those of the most
    expensive hour of the day on which the list was read.

    Args:
        periods: Prices and when they apply; the last one that applies counts.
    """

    periods: tuple[Period, ...] = ()

    def of(self, usage: Usage, *, audio: bool = False, moment: datetime | None = None) -> float:
        """Return the dollars that a call costs at ``moment`` (default: now)."""
        return self.at(moment or datetime.now(UTC)).of(usage, audio=audio)

    def upper_bound(
        self, prompt_tokens: int, completion_tokens: int, *, audio: bool = False
    ) -> float:
        """Return the most dollars that a call with at most these tokens can cost from now on."""
        return max(
            period.price.upper_bound(prompt_tokens, completion_tokens, audio=audio)
            for period in remaining_periods(self.periods, datetime.now(UTC))
        )

    def times(self, share: float) -> ChangingPrice:
        """Return the same price list with every price multiplied by ``share``."""
        periods = tuple(
            replace(period, price=period.price.times(share)) for period in self.periods
        )
        scaled = self._scaled(share, f"{self.source}, times {share:g}")
        return replace(scaled, periods=periods)  # type: ignore[return-value, call-arg]  # its type

    def at(self, moment: datetime) -> Price:
        """Return the price at a moment in UTC."""
        holding = [period.price for period in self.periods if period.applies(moment)]
        return holding[-1] if holding else self.periods[0].price


def remaining_periods(periods: tuple[Period, ...], moment: datetime) -> tuple[Period, ...]:
    """Return the periods that can apply at ``moment`` or later, without those that are over."""
    return periods[max(_permanent_periods(periods, moment), default=0) :]


def _permanent_periods(periods: tuple[Period, ...], moment: datetime) -> Iterator[int]:
    for place, period in enumerate(periods):
        if period.hours is None and period.applies(moment):  # open-ended
            yield place
