"""What the artifact on trial does beside the one that is served, while both are in use.

Figures are looked at again and again, so the tests hold at whatever time one looks: an e-value of
1/a or more comes with a chance of a at most, over the whole run, if there is no difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from langprog.evaluation import anytime_sign_p
from langprog.lm import Cost

Arm = Literal["stable", "canary"]


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

    A shadow's answer to a request is compared with the answer that was sent. In a split, each
    request has one answer; the k-th outcome of one artifact is paired with the k-th of the other,
    which is fair because the split is by a hash.

    Args:
        paired: Whether both artifacts are asked about the same requests.
    """

    def __init__(self, *, paired: bool) -> None:
        self.paired = paired
        self.totals: dict[Arm, ArmTotals] = {"stable": ArmTotals(), "canary": ArmTotals()}
        self.same = self.different = 0
        # Pairs in which only one of the two failed.
        self.only_stable = self.only_canary = 0
        self._waiting: dict[Arm, deque[bool]] = {"stable": deque(), "canary": deque()}

    def add(self, arm: Arm, *, failed: bool, seconds: float, paid: Cost) -> None:
        """Count a request of one artifact."""
        totals = self.totals[arm]
        totals.requests += 1
        totals.failures += failed
        totals.seconds += seconds
        totals.tokens += int(paid.tokens)
        totals.dollars += paid.dollars
        if not self.paired:
            self._waiting[arm].append(failed)
            self._pair_up()

    def _pair_up(self) -> None:
        stable, canary = self._waiting["stable"], self._waiting["canary"]
        # The smaller arm sets the pace; of the larger one, what is too many is left out.
        for waiting in (stable, canary):
            while len(waiting) > 1000:
                waiting.popleft()
        while stable and canary:
            self.add_pair(stable.popleft(), canary.popleft())

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
            self.same += stable == canary
            self.different += stable != canary

    def to_json(self) -> dict[str, Any]:
        """Return the figures, with the p-value that more or fewer of one arm's requests fail."""
        figures: dict[str, Any] = {arm: totals.to_json() for arm, totals in self.totals.items()}
        figures["failed_only"] = {"stable": self.only_stable, "canary": self.only_canary}
        figures["p_failures"] = anytime_sign_p(self.only_stable, self.only_canary)
        if self.paired:
            figures["same_outputs"], figures["different_outputs"] = self.same, self.different
        return figures

    def figures(self) -> Iterator[tuple[str, float]]:
        """Yield the figures under plain names."""
        for arm, totals in self.totals.items():
            for name, value in totals.to_json().items():
                yield f"{arm}_{name}", value
        yield "failed_only_stable", self.only_stable
        yield "failed_only_canary", self.only_canary
        yield "p_failures", anytime_sign_p(self.only_stable, self.only_canary)
        if self.paired:
            yield "same_outputs", self.same
            yield "different_outputs", self.different
