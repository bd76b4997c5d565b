"""The certificate: is the compiled program better than the one that went in, on the holdout?

Both programs answer the same holdout examples, which nothing before has looked at; the paired
scores go through one exact one-sided test. As one candidate alone is tested, once, no correction
for the many that the search looked at is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from langprog import Example, Module
from langprog.evaluation import Metric, Report, Row, compare, sign_flip_p
from langprog.lm import Cost
from langprog.notebook import render_card, shorten
from optimizers.evaluation.runner import Job, OnRow, run_rows
from optimizers.evaluation.scorer import Estimate, average_cost
from optimizers.evaluation.scoring import Scoring

Verdict = Literal["certified", "uncertified", "original"]
Accept = Literal["certified", "best"]
ACCEPTED: tuple[Accept, ...] = ("certified", "best")

Pairs = Sequence[tuple[Row, Row]]

LEVEL = 0.05
# Five wins in five untied pairs are the fewest that a one-sided exact test at 5 % accepts: 1/32.
MIN_ROWS = 5
# With more of the holdout lost on the way than this, the rest is no fair sample of it.
MAX_MISSING = 0.1


@dataclass(frozen=True, slots=True)
class Aim:
    """What a certificate has to show.

    Args:
        objective: ``quality``: better; ``cost`` or ``latency``: cheaper or quicker, and not worse
            by more than ``tolerance``.
        tolerance: Mean score that may be given up.
    """

    objective: Literal["quality", "cost", "latency"] = "quality"
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the holdout says.

    Args:
        verdict: ``certified``: the compiled program is better, and ships; ``uncertified``: it
            ships because the best was asked for; ``original``: the input program ships.
        reason: Why, in one sentence.
        before: Mean score of the input program, with its interval; ``None`` if it was not run.
        after: Mean score of the compiled program.
        difference: Mean paired difference, after minus before.
        low: Lower end of the difference's 95 % interval.
        high: Upper end of the difference's 95 % interval.
        p_value: Chance of such a gain or a larger one if there were none (exact, one-sided).
        n: Holdout examples that both were scored on.
        lost: Holdout examples without a score for one of the two.
        wins: Examples that became better.
        losses: Examples that became worse.
        ties: Examples that stayed as they were.
        cost_before: What one query of the input program takes.
        cost_after: What one query of the compiled program takes.
        break_even: Queries after which a cheaper compiled program has paid for the search;
            ``None`` where it is not cheaper or no price is known.
    """

    verdict: Verdict
    reason: str
    before: Estimate | None = None
    after: Estimate | None = None
    difference: float = 0.0
    low: float = 0.0
    high: float = 0.0
    p_value: float = 1.0
    n: int = 0
    lost: int = 0
    wins: int = 0
    losses: int = 0
    ties: int = 0
    cost_before: Cost | None = None
    cost_after: Cost | None = None
    break_even: float | None = None

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
        """Return a JSON object; nothing in it depends on time or on what a cache knew."""
        costs = {"cost_before": self.cost_before, "cost_after": self.cost_after}
        parts = {name: None if cost is None else cost.to_json() for name, cost in costs.items()}
        return {**asdict(self), **parts, "ratios": self.ratios}

    def __str__(self) -> str:
        if self.before is None or self.after is None:
            return f"{self.verdict}: {self.reason}"
        return (
            f"{self.verdict}: {self.before} -> {self.after} on {self.n} holdout examples, "
            f"difference {self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}], "
            f"p = {self.p_value:.2g}. {self.reason}"
        )

    def facts(self) -> list[tuple[str, str]]:
        """Return what the holdout says as names with a line of text each."""
        facts = [("verdict", self.verdict), ("reason", self.reason)]
        if self.before is None or self.after is None:
            return facts
        gain = f"{self.difference:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"
        return [
            *facts,
            ("before", str(self.before)),
            ("after", str(self.after)),
            ("difference", f"{gain}, p = {self.p_value:.2g}"),
            ("examples", f"{self.wins} better, {self.losses} worse, {self.ties} the same"),
        ]

    def __repr__(self) -> str:
        return shorten(f"Certificate({self})")

    def _repr_html_(self) -> str:
        return render_card("Certificate", self.facts())


def explain_too_few(rows: int) -> str | None:
    """Return what to say where no result on ``rows`` examples could pass the test."""
    if rows >= MIN_ROWS:
        return None
    return (
        f"only {rows} holdout examples can be used: even if the compiled program won every one, "
        f"that could not be told from luck (at least {MIN_ROWS} are needed, 30 or more to see "
        "an ordinary gain); give more examples, or a larger budget"
    )


async def certify(  # noqa: PLR0913 - called in one place, its options by name
    program: Module,
    compiled: Module,
    holdout: Sequence[Example],
    metric: Metric | Scoring,
    *,
    accept: Accept,
    concurrency: int,
    search_dollars: float | None = None,
    aim: Aim = Aim(),
    on_row: OnRow | None = None,
) -> tuple[Certificate, Pairs]:
    """Run both programs on the holdout and compare them.

    Args:
        program: The input program.
        compiled: What the search found.
        holdout: Examples that nothing before has looked at.
        metric: What scores a prediction.
        accept: ``certified``: only a detectable gain ships; ``best``: what was found ships.
        concurrency: Examples in work at the same time.
        search_dollars: What the search asked for, for the break-even number of queries.
        aim: What is to be shown.
        on_row: Called with every row of either program when it is done.

    Returns:
        The certificate, and the rows before and after that it rests on.
    """
    few = explain_too_few(len(holdout))
    if few is not None:
        return without_evidence(few, accept), ()
    jobs = [Job(program, holdout), Job(compiled, holdout)]
    before, after = await run_rows(jobs, metric, concurrency, on_row)
    pairs = [
        (one, two)
        for one, two in zip(before, after, strict=True)
        if one.score is not None and two.score is not None
    ]
    lost = len(holdout) - len(pairs)
    if lost > MAX_MISSING * len(holdout) or len(pairs) < MIN_ROWS:
        unsure = without_evidence(
            f"{lost} of {len(holdout)} holdout examples were lost on the way"
            f"{_first_failure([*before, *after])}; "
            "run the same command with the same run_dir again to finish",
            accept,
        )
        return unsure, pairs
    same = program is compiled
    return _from_pairs(pairs, lost, same, accept, search_dollars, aim), pairs


def _from_pairs(
    pairs: Pairs,
    lost: int,
    same: bool,
    accept: Accept,
    search_dollars: float | None,
    aim: Aim,
) -> Certificate:
    before, after = [one for one, _ in pairs], [two for _, two in pairs]
    result = compare(Report(tuple(before)), Report(tuple(after)))
    cost_before, cost_after = average_cost(before), average_cost(after)
    p_value = result.p_greater
    gain = p_value <= LEVEL and result.difference > 0
    if aim.objective != "quality" and not gain:
        scored = zip(before, after, strict=True)
        p_value = sign_flip_p([_value(two) - _value(one) + aim.tolerance for one, two in scored])
        less = cost_after.dollars < cost_before.dollars
        if aim.objective == "latency" or cost_before.dollars == 0:
            less = _seconds(after) < _seconds(before)
        gain = p_value <= LEVEL and less
        verdict, reason = _thrifty(gain, same, accept, aim)
    else:
        verdict, reason = _verdict(gain, same, accept)
    low, high = result.interval
    return Certificate(
        verdict=verdict,
        reason=reason,
        before=Estimate.of([_value(one) for one in before]),
        after=Estimate.of([_value(two) for two in after]),
        difference=result.difference,
        low=low,
        high=high,
        p_value=p_value,
        n=len(pairs),
        lost=lost,
        wins=result.wins,
        losses=result.losses,
        ties=result.ties,
        cost_before=cost_before,
        cost_after=cost_after,
        break_even=_break_even(cost_before, cost_after, search_dollars),
    )


def _verdict(gain: bool, same: bool, accept: Accept) -> tuple[Verdict, str]:
    if gain:
        return "certified", "The gain is larger than chance explains (one-sided exact test, 5 %)."
    if same:
        return "original", "The search found nothing better than the program as it is."
    if accept == "best":
        return "uncertified", "No gain could be detected; shipped because the best was asked for."
    return "original", "No gain could be detected, so the program stays as it is."


def _thrifty(gain: bool, same: bool, accept: Accept, aim: Aim) -> tuple[Verdict, str]:
    """Return the verdict where less cost or latency was asked for."""
    what = "cheaper" if aim.objective == "cost" else "quicker"
    if gain:
        return "certified", (
            f"It is {what}, and not worse by more than {aim.tolerance:g} (one-sided test, 5 %)."
        )
    if same:
        return "original", f"The search found nothing {what} that is about as good."
    reason = f"It could not be shown to be {what} and not worse by more than {aim.tolerance:g}"
    if accept == "best":
        return "uncertified", f"{reason}; shipped because the best was asked for."
    return "original", f"{reason}, so the program stays as it is."


def _seconds(rows: Sequence[Row]) -> float:
    return sum(one.latency for row in rows for step in row.trace for one in step.completions)


def without_evidence(reason: str, accept: Accept) -> Certificate:
    """Return the certificate of a compile that the holdout says nothing about."""
    return Certificate("uncertified" if accept == "best" else "original", reason)


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value


def _first_failure(rows: Sequence[Row]) -> str:
    for row in rows:
        if row.score is None and row.failure is not None:
            return f" ({row.failure.kind}: {row.failure.message})"
    return ""


def _ratio(after: float, before: float) -> float | None:
    return after / before if before > 0 else None


def _break_even(before: Cost, after: Cost, search: float | None) -> float | None:
    saved = before.dollars - after.dollars
    return search / saved if search is not None and search > 0 and saved > 0 else None
