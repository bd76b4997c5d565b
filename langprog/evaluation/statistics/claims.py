"""What may be claimed about a program that is to replace another.

The objective fixes one primary claim before anything is seen. Further claims follow in a fixed
order at the same level, each only if all before it could be made, which keeps the chance of any
false claim at the level. That the program is worse is a claim in the other direction and has a
level of its own.

Follows: the fixed-sequence procedure (Maurer, Hothorn and Lehmacher, 1995). Differs: a claim that
cannot be tested, because a price is unknown, say, ends the sequence like one that fails.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from langprog.errors import InputError
from langprog.evaluation.statistics.mean_difference import LEVEL, bound_mean
from langprog.evaluation.statistics.pairs import PairedCosts, PairedScores
from langprog.evaluation.statistics.partial import PartialScores
from langprog.evaluation.statistics.shares import bound_share

ClaimName = Literal["better", "not worse", "cheaper", "quicker", "worse"]
Finding = Literal[
    "better", "not worse and cheaper", "not worse and quicker", "cannot tell", "worse"
]
Objective = Literal["quality", "cost", "latency"]

SEQUENCES: dict[Objective, tuple[ClaimName, ...]] = {
    "quality": ("better", "cheaper", "quicker"),
    "cost": ("not worse", "cheaper", "better", "quicker"),
    "latency": ("not worse", "quicker", "better", "cheaper"),
}
FIRST_ATTEMPT = 0.04
LATER_ATTEMPTS = 0.02


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim, and whether the data support it.

    Args:
        name: What is claimed.
        holds: Whether it may be claimed at ``level``.
        p_value: Of the hypothesis that the claim is false.
        bound: The bound of the test. For scores: the lower bound for the mean
            difference (for ``worse`` the upper bound). For ``cheaper`` and ``quicker``: the lower
            bound for the share of clusters that take less.
        margin: The value that the bound has to reach: 0 for ``better`` and ``worse``,
            ``-tolerance`` for ``not worse``, 0.5 for ``cheaper`` and ``quicker``.
        level: Of the test.
    """

    name: ClaimName
    holds: bool
    p_value: float
    bound: float
    margin: float
    level: float


@dataclass(frozen=True, slots=True)
class Claims:
    """The tested claims, and the conclusion.

    Args:
        finding: The conclusion.
        tested: The claims in the order in which they were tested, up to the first that failed;
            ``worse`` comes last and is always tested.
        difference: Mean over clusters of after minus before.
        low: Lower bound for it, at the level of the claims.
        high: Upper bound for it, at the level of ``worse``.
        n: Clusters with scores for both programs; the other counts are of these, too.
        wins: Clusters that became better.
        losses: Clusters that became worse.
        ties: Clusters that stayed as they were.
    """

    finding: Finding
    tested: tuple[Claim, ...]
    difference: float
    low: float
    high: float
    n: int
    wins: int
    losses: int
    ties: int

    @property
    def primary(self) -> Claim:
        """The claim that the objective fixed."""
        return self.tested[0]

    @property
    def holding(self) -> tuple[ClaimName, ...]:
        """Names of the claims that may be made."""
        return tuple(claim.name for claim in self.tested if claim.holds)

    def to_json(self) -> dict[str, Any]:
        """Return the claims as plain JSON."""
        return asdict(self)


def check_claims(
    scores: PairedScores | PartialScores,
    *,
    objective: Objective = "quality",
    tolerance: float = 0.0,
    dollars: PairedCosts | None = None,
    seconds: PairedCosts | None = None,
    level: float = LEVEL,
    worse_level: float = LEVEL,
) -> Claims:
    """Test the claims of an objective in their fixed order.

    Args:
        scores: Scores of both programs; "better" and "not worse" are about their mean difference.
            Where some are missing, each claim is tested with them at its worst.
        objective: ``quality``: better. ``cost``, ``latency``: not worse by more than the
            tolerance, then cheaper or quicker.
        tolerance: Mean score that may be given up, on the scale of the scores.
        dollars: What both programs cost, with the clusters of the scores (where some are missing,
            of all rows with at least one score); ``None`` if unknown.
        seconds: How long both took.
        level: Chance of any false claim but ``worse``.
        worse_level: Chance of a false ``worse``.

    Raises:
        InputError: The tolerance is negative or as wide as the score range, a level is not between
            0 and 1/2, or the costs are about other clusters.
    """
    partial = PartialScores.complete(scores) if isinstance(scores, PairedScores) else scores
    observed, lowest = partial.observed, partial.lowest
    if not 0.0 <= tolerance < observed.width:
        raise InputError(
            f"the tolerance must be 0 or more and less than the width of the score range, "
            f"{observed.width:g}, not {tolerance:g}"
        )
    for costs in (dollars, seconds):
        if costs is not None and costs.n != lowest.n:
            raise InputError(
                f"costs of {costs.n} clusters for scores of {lowest.n}: give both the same rows"
            )
    margin = -tolerance
    mean = bound_mean(lowest, margins=(0.0, margin), level=level)
    tested = []
    for name in SEQUENCES[objective]:
        if name in ("better", "not worse"):
            edge = 0.0 if name == "better" else margin
            p = mean.p_values[edge]
            claim = Claim(name, p <= level, p, mean.bound, edge, level)
        else:
            claim = _takes_less(name, dollars if name == "cheaper" else seconds, level)
        tested.append(claim)
        if not claim.holds:
            break
    down = bound_mean(partial.highest.swapped(), level=worse_level)
    p_worse = down.p_values[0.0]
    worse = Claim("worse", p_worse <= worse_level, p_worse, -down.bound, 0.0, worse_level)
    return Claims(
        finding=_conclude(objective, tested, worse),
        tested=(*tested, worse),
        difference=observed.difference,
        # Missing scores at their extremes may pull a bound past the mean of the observed ones.
        low=min(mean.bound, observed.difference),
        high=max(-down.bound, observed.difference),
        n=observed.n,
        wins=observed.wins,
        losses=observed.losses,
        ties=observed.ties,
    )


def attempt_level(attempt: int) -> float:
    """Return the level of an attempt on a holdout that earlier attempts have seen.

    The levels of all attempts, however many there will be, add up to 0.05: 0.04 for the first,
    ``0.02 / (k (k + 1))`` for attempt k from the second on.

    Args:
        attempt: 1 for the first.

    Raises:
        InputError: The attempt is below 1.
    """
    if attempt < 1:
        raise InputError(f"attempts are counted from 1, not {attempt}")
    return FIRST_ATTEMPT if attempt == 1 else LATER_ATTEMPTS / (attempt * (attempt + 1))


def _takes_less(name: ClaimName, costs: PairedCosts | None, level: float) -> Claim:
    if costs is None:
        return Claim(name, False, 1.0, 0.0, 0.5, level)
    share = bound_share(costs, level=level)
    return Claim(name, share.p_value <= level, share.p_value, share.bound, 0.5, level)


def _conclude(objective: Objective, tested: list[Claim], worse: Claim) -> Finding:
    holding = {claim.name for claim in tested if claim.holds}
    if objective == "quality" and "better" in holding:
        return "better"
    if objective == "cost" and "cheaper" in holding:
        return "not worse and cheaper"
    if objective == "latency" and "quicker" in holding:
        return "not worse and quicker"
    return "worse" if worse.holds else "cannot tell"
