"""What work costs: calls, tokens, dollars and seconds, added, scaled and compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

# Decimal places of a dollar that are kept: a millionth of a token at $1 per million tokens. So
# adding and subtracting the same amount leaves nothing, and three times 0.1 is 0.3.
DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Cost:
    """What something costs; as a limit, ``inf`` means unlimited.

    Args:
        calls: Requests.
        tokens: Prompt and completion tokens together.
        dollars: Price of the calls whose price is known.
        seconds: Time.
        unpriced: Calls whose price is not known, and which ``dollars`` leaves out.
    """

    calls: float = 0
    tokens: float = 0
    dollars: float = 0.0
    seconds: float = 0.0
    unpriced: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.tokens + other.tokens,
            round(self.dollars + other.dollars, DECIMALS),
            self.seconds + other.seconds,
            self.unpriced + other.unpriced,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            _subtract(self.calls, other.calls),
            _subtract(self.tokens, other.tokens),
            round(_subtract(self.dollars, other.dollars), DECIMALS),
            _subtract(self.seconds, other.seconds),
            _subtract(self.unpriced, other.unpriced),
        )

    def __mul__(self, factor: float) -> Cost:
        return Cost(
            _scale(self.calls, factor),
            _scale(self.tokens, factor),
            _scale(self.dollars, factor),
            _scale(self.seconds, factor),
            _scale(self.unpriced, factor),
        )

    __rmul__ = __mul__

    def __le__(self, limit: Cost) -> bool:
        """Whether this is within ``limit`` in calls, tokens, dollars and seconds alike."""
        return (
            self.calls <= limit.calls
            and self.tokens <= limit.tokens
            and self.dollars <= limit.dollars
            and self.seconds <= limit.seconds
        )

    def max_with(self, other: Cost) -> Cost:
        """Return the larger of both in every part."""
        return Cost(
            max(self.calls, other.calls),
            max(self.tokens, other.tokens),
            max(self.dollars, other.dollars),
            max(self.seconds, other.seconds),
            max(self.unpriced, other.unpriced),
        )

    def count_of(self, each: Cost) -> float:
        """Return how many times ``each`` fits into this limit; ``inf`` where nothing limits it."""
        parts = (
            (self.calls, each.calls),
            (self.tokens, each.tokens),
            (self.dollars, each.dollars),
            (self.seconds, each.seconds),
        )
        return min((limit / part for limit, part in parts if part > 0), default=math.inf)

    @property
    def known_dollars(self) -> float | None:
        """``dollars``, or ``None`` where the price of a call is not known."""
        return None if self.unpriced else self.dollars

    def to_json(self) -> dict[str, float | None]:
        """Return calls, tokens and ``known_dollars`` as a JSON object."""
        return {"calls": self.calls, "tokens": self.tokens, "dollars": self.known_dollars}


def _scale(amount: float, factor: float) -> float:
    # Without the test, no limit (inf) times 0 would be nan.
    return amount * factor if amount and factor else 0.0


def _subtract(amount: float, part: float) -> float:
    # Infinity minus infinity would be nan: an unlimited amount stays unlimited.
    return amount if math.isinf(amount) else amount - part
