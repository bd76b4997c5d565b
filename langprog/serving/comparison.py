"""What the artifact on trial does beside the one that is served, while both are in use.

Figures are looked at again and again, so the tests hold at whatever time one looks: an e-value of
1/a or more comes with a chance of a at most, over the whole run, if there is no difference; and
intervals hold with their chance over the whole run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from langprog.evaluation import UNIT, Range, RunningMean, anytime_sign_p
from langprog.lm import Cost
from langprog.serving.kept_answers import Arm, KeptAnswers

T = TypeVar("T")
# Outcomes of the larger arm that wait for their counterpart; more are left out, the oldest first.
WAITING = 1000


@dataclass
class ArmTotals:
    """What one of the two artifacts did.

    Args:
        requests: Requests that say something about it; outages and clients that left do not.
        failures: Requests that its program failed.
        seconds: Sum of their seconds.
        tokens: Sum of their tokens.
        dollars: Sum of their dollars; unknown prices count as 0.
    """

    requests: int = 0
    failures: int = 0
    seconds: float = 0.0
    tokens: int = 0
    dollars: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the totals, and means per request."""
        n = max(1, self.requests)
        return {
            "requests": self.requests,
            "failures": self.failures,
            "mean_seconds": round(self.seconds / n, 6),
            "mean_tokens": round(self.tokens / n, 3),
            "mean_dollars": self.dollars / n,
        }


class OnlineComparison:
    """Counts what two artifacts do; used by the server's event loop alone.

    Where both are asked about the same request, their answers are compared. Where each request has
    one answer, the k-th outcome of one artifact is paired with the k-th of the other, which is
    fair because requests are divided by a hash.

    Args:
        paired: Whether both artifacts are asked about the same requests.
        score_range: The range of the scores that answers get.
    """

    def __init__(self, *, paired: bool, score_range: Range = UNIT) -> None:
        self.paired, self.score_range = paired, score_range
        self.totals: dict[Arm, ArmTotals] = {"stable": ArmTotals(), "canary": ArmTotals()}
        self.agreement = RunningMean()
        # Pairs in which only one of the two failed.
        self.only_stable = self.only_canary = 0
        width = score_range[1] - score_range[0]
        self.quality: dict[Arm, RunningMean] = {
            "stable": RunningMean(*score_range),
            "canary": RunningMean(*score_range),
        }
        self.difference = RunningMean(-width, width)
        self.answers = KeptAnswers()
        self._failures, self._scores = _Pairing[bool](), _Pairing[float]()

    def add(self, arm: Arm, *, failed: bool, seconds: float, paid: Cost) -> None:
        """Count a request of one artifact."""
        totals = self.totals[arm]
        totals.requests += 1
        totals.failures += failed
        totals.seconds += seconds
        totals.tokens += int(paid.tokens)
        totals.dollars += paid.dollars
        if not self.paired:
            for pair in self._failures.add(arm, failed):
                self.add_pair(*pair)

    def add_pair(self, stable_failed: bool, canary_failed: bool) -> None:
        """Count whether each of a pair failed."""
        self.only_stable += stable_failed and not canary_failed
        self.only_canary += canary_failed and not stable_failed

    def add_answers(
        self, stable: Mapping[str, Any] | None, canary: Mapping[str, Any] | None
    ) -> None:
        """Compare the answers to one request; ``None`` is a failure."""
        self.add_pair(stable is None, canary is None)
        if stable is not None and canary is not None:
            self.agreement.add(float(stable == canary))

    def add_score(self, arm: Arm, score: float) -> None:
        """Count the score of one artifact's answer to a request that only it answered."""
        for pair in self._scores.add(arm, score):
            self.add_scores(*pair)

    def add_scores(self, stable: float, canary: float) -> None:
        """Count the scores of a pair of answers."""
        self.quality["stable"].add(stable)
        self.quality["canary"].add(canary)
        self.difference.add(canary - stable)

    def to_json(self) -> dict[str, Any]:
        """Return the figures, with the p-value that more or fewer of one arm's requests fail."""
        figures: dict[str, Any] = {arm: totals.to_json() for arm, totals in self.totals.items()}
        figures["failed_only"] = {"stable": self.only_stable, "canary": self.only_canary}
        figures["p_failures"] = anytime_sign_p(self.only_stable, self.only_canary)
        figures["agreement"] = None
        if self.agreement.n:
            share, interval = self.agreement.mean, list(self.agreement.interval())
            figures["agreement"] = {
                "pairs": self.agreement.n,
                "share": share,
                "interval": interval,
            }
        figures["quality"] = None
        if self.difference.n:
            means = {arm: scores.mean for arm, scores in self.quality.items()}
            figures["quality"] = {
                "pairs": self.difference.n,
                **means,
                "difference": self.difference.mean,
                "interval": list(self.difference.interval()),
            }
        return figures

    def figures(self) -> Iterator[tuple[str, float]]:
        """Yield the figures under plain names."""
        for arm, totals in self.totals.items():
            for name, value in totals.to_json().items():
                yield f"{arm}_{name}", value
        yield "failed_only_stable", self.only_stable
        yield "failed_only_canary", self.only_canary
        yield "p_failures", anytime_sign_p(self.only_stable, self.only_canary)
        for arm, scores in self.quality.items():
            if scores.mean is not None:
                yield f"{arm}_quality", scores.mean
        for name, running in (
            ("agreement", self.agreement),
            ("quality_difference", self.difference),
        ):
            if running.mean is not None:
                low, high = running.interval()
                yield f"{name}_pairs", running.n
                yield name, running.mean
                yield f"{name}_low", low
                yield f"{name}_high", high


class _Pairing(Generic[T]):
    """Pairs the k-th outcome of one artifact with the k-th of the other."""

    def __init__(self) -> None:
        self._waiting: dict[Arm, deque[T]] = {"stable": deque(), "canary": deque()}

    def add(self, arm: Arm, outcome: T) -> Iterator[tuple[T, T]]:
        """Add an outcome; yields the pairs that it completes."""
        self._waiting[arm].append(outcome)
        stable, canary = self._waiting["stable"], self._waiting["canary"]
        # The smaller arm sets the pace; of the larger one, what is too many is left out.
        for waiting in (stable, canary):
            while len(waiting) > WAITING:
                waiting.popleft()
        while stable and canary:
            yield stable.popleft(), canary.popleft()
