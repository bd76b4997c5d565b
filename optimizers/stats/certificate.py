"""The certificate: the result of testing a compiled program on the holdout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from langprog.evaluation import Claim, Finding, Row
from langprog.lm import Cost
from langprog.notebook import render_card, shorten
from optimizers.evaluation.scorer import Estimate

Verdict = Literal["certified", "uncertified", "original"]
Accept = Literal["certified", "best"]
ACCEPTED: tuple[Accept, ...] = ("certified", "best")

Pairs = Sequence[tuple[Row, Row]]


@dataclass(frozen=True, slots=True)
class Repeats:
    """How reliable both programs are, over several runs of every holdout example.

    Args:
        count: Runs of each example.
        passed_before: Probability that all of these runs of an example have full marks
            (pass^k), for the input program.
        passed_after: The same for the compiled program.
        within: Share of the variance of the compiled program's scores that is due to sampling
            and not to the examples.
    """

    count: int
    passed_before: float
    passed_after: float
    within: float

    def __str__(self) -> str:
        return (
            f"all of {self.count} runs pass on {self.passed_before:.0%} of the examples before, "
            f"on {self.passed_after:.0%} after"
        )


@dataclass(frozen=True, slots=True)
class Certificate:
    """The result of comparing both programs on the holdout.

    Means are over clusters: examples with the same inputs count as one.

    Args:
        verdict: What ships. ``certified``: the compiled program, with proof; ``uncertified``: the
            compiled program, because of ``accept="best"``; ``original``: the input program.
        reason: Why, in one or two sentences.
        finding: What was shown: ``better``, ``not worse and cheaper``, ``not worse and quicker``,
            ``cannot tell`` or ``worse``.
        before: Mean score of the input program, with its 95 % interval; ``None`` if it was not
            run.
        after: Mean score of the compiled program.
        difference: Mean paired difference, after minus before.
        low: Lower bound of the difference, at ``level``; the inversion of the test.
        high: Upper bound of the difference, at 5 %.
        p_value: Of the primary claim: the probability of such a result if the claim were false.
        level: Allowed probability of a false claim.
        attempt: Number of this attempt on the holdout, from 1; later ones have a lower level.
        claims: What was tested, in an order fixed in advance.
        n: Clusters on which both programs were scored.
        rows: Holdout examples in them, with repeated runs counted once.
        missing: Runs on the holdout without a score for one of the programs. In the bounds and
            p-values they count at their worst for each claim, unless neither program has a score.
        missing_runs: Which program they are of, and why; empty if there are none.
        wins: Clusters that became better.
        losses: Clusters that became worse.
        ties: Clusters that did not change.
        cost_before: Cost of one query of the input program.
        cost_after: Cost of one query of the compiled program.
        break_even: Queries after which a cheaper compiled program has paid for the search;
            ``None`` if it is not cheaper or a price is unknown.
        must_pass: Number of examples that must pass, and those that the compiled program failed.
        repeats: Reliability over several runs of each example; ``None`` if each was run once.
    """

    verdict: Verdict
    reason: str
    finding: Finding = "cannot tell"
    before: Estimate | None = None
    after: Estimate | None = None
    difference: float = 0.0
    low: float = 0.0
    high: float = 0.0
    p_value: float = 1.0
    level: float = 0.05
    attempt: int = 1
    claims: tuple[Claim, ...] = ()
    n: int = 0
    rows: int = 0
    missing: int = 0
    missing_runs: str = ""
    wins: int = 0
    losses: int = 0
    ties: int = 0
    cost_before: Cost | None = None
    cost_after: Cost | None = None
    break_even: float | None = None
    must_pass: tuple[int, tuple[str, ...]] = (0, ())
    repeats: Repeats | None = None

    @property
    def ratios(self) -> dict[str, float | None]:
        """Calls, tokens and dollars of a query, after over before."""
        before, after = self.cost_before, self.cost_after
        if before is None or after is None:
            return {"calls": None, "tokens": None, "dollars": None}
        return {
            "calls": _ratio(after.calls, before.calls),
            "tokens": _ratio(after.tokens, before.tokens),
            "dollars": _ratio(after.dollars, before.dollars),
        }

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; nothing in it depends on time or on caches."""
        costs = {"cost_before": self.cost_before, "cost_after": self.cost_after}
        parts = {name: None if cost is None else cost.to_json() for name, cost in costs.items()}
        count, failed = self.must_pass
        return {
            **asdict(self),
            **parts,
            "claims": [asdict(claim) for claim in self.claims],
            "must_pass": {"examples": count, "failed": list(failed)},
            "ratios": self.ratios,
        }

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.verdict}: {self.reason}"
        inputs = "" if self.rows == self.n else f" with {self.n} distinct inputs"
        later = f" (attempt {self.attempt})" if self.attempt > 1 else ""
        lost = f", missing={self.missing}: {self._describe_missing()}" if self.missing else ""
        return (
            f"{self.verdict}: {self.before} -> {self.after} on {self.rows} holdout examples"
            f"{inputs}, difference {self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}], "
            f"p = {self.p_value:.2g}{later}{lost}. {self.reason}"
        )

    def _describe_missing(self) -> str:
        return f"{self.missing_runs or 'runs'} without a score, counted at their worst"

    def facts(self) -> list[tuple[str, str]]:
        """Return the result as (name, text) pairs."""
        facts = [("verdict", self.verdict), ("reason", self.reason)]
        if self.before is None or self.after is None:
            return facts
        gain = f"{self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        facts += [
            ("finding", self.finding),
            ("before", str(self.before)),
            ("after", str(self.after)),
            ("difference", f"{gain}, p = {self.p_value:.2g}"),
            ("holdout", f"{self.rows} examples with {self.n} distinct inputs"),
            ("inputs", f"{self.wins} better, {self.losses} worse, {self.ties} the same"),
        ]
        if self.missing:
            facts.append(("missing", f"{self.missing}: {self._describe_missing()}"))
        if self.attempt > 1:
            facts.append(("attempt", f"{self.attempt} on this holdout (level {self.level:.2g})"))
        if self.repeats is not None:
            facts.append(("repeats", str(self.repeats)))
        count, failed = self.must_pass
        if count:
            facts.append(("must pass", f"{count - len(failed)} of {count} pass"))
        return facts

    def __repr__(self) -> str:
        return shorten(f"Certificate({self})")

    def _repr_html_(self) -> str:
        return render_card("Certificate", self.facts())


def without_evidence(reason: str, accept: Accept, attempt: int = 1) -> Certificate:
    """Return the certificate of a compile that the holdout could not test."""
    verdict: Verdict = "uncertified" if accept == "best" else "original"
    return Certificate(verdict, reason, attempt=attempt)


def _ratio(after: float, before: float) -> float | None:
    return after / before if before > 0 else None
