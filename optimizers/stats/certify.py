"""Running both programs on the holdout, and testing what may be claimed.

Both programs answer the same holdout examples, which nothing has used before. The objective fixes
the claims and their order before anything is run. Only one candidate is tested, so no correction
for the number of candidates in the search is needed; each further attempt on the same holdout gets
a lower level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langprog import Example, Module
from langprog.evaluation import (
    DatasetMetric,
    Row,
    pass_hat,
    split_variance,
)
from langprog.lm import Cost
from optimizers.evaluation.runner import Job, OnRow, run_rows
from optimizers.evaluation.scorer import Estimate, average_cost
from optimizers.evaluation.scoring import Scoring
from optimizers.identity import derive_seed
from optimizers.stats.certificate import (
    Certificate,
    Pairs,
    Repeats,
    without_evidence,
)
from optimizers.stats.dataset import check_dataset
from optimizers.stats.holdout_runs import MIN_CLUSTERS, HoldoutRuns
from optimizers.stats.terms import Terms
from optimizers.stats.verdict import decide_verdict


@dataclass(frozen=True, slots=True)
class Holdout:
    """The examples that a certificate is based on.

    Args:
        examples: Examples that nothing has used before.
        clusters: The cluster of each example.
        must_pass: Examples on which the compiled program needs full marks, in every run.
        settle: Called with the runs; returns the number of the attempt, which may depend on
            whether an earlier one had the same results.
    """

    examples: Sequence[Example]
    clusters: Sequence[str]
    must_pass: Sequence[Example] = ()
    settle: Callable[[HoldoutRuns], int] | None = None


async def certify(
    program: Module,
    compiled: Module,
    holdout: Holdout,
    scoring: Scoring,
    terms: Terms,
    *,
    concurrency: int,
    search: Cost | None = None,
    on_row: OnRow | None = None,
) -> tuple[Certificate, Pairs]:
    """Run both programs on the holdout and test what may be claimed.

    Args:
        program: The input program.
        compiled: The result of the search.
        holdout: The examples.
        scoring: Scores predictions.
        terms: What has to be shown.
        concurrency: Examples processed at the same time.
        search: Cost of the search, for the break-even number of queries.
        on_row: Called with every row of either program when it is done.

    Returns:
        The certificate, and the rows before and after that it is based on.
    """
    accept, attempt = terms.accept, terms.attempt
    clusters = len(set(holdout.clusters))
    if clusters < MIN_CLUSTERS:
        few = terms.explain_too_few(clusters, scoring.range) or ""
        return _without_must_pass(without_evidence(few, accept, attempt), holdout), ()
    runs = await _run_repeats(program, compiled, holdout, scoring, terms, concurrency, on_row)
    refusal = runs.explain_refusal(scoring.metric)
    if refusal is not None:
        certificate = _without_must_pass(without_evidence(refusal, accept, attempt), holdout)
        return replace(certificate, missing=runs.missing), runs.pairs
    broken = runs.find_broken_result()
    if broken is not None:
        certificate = without_evidence(broken, accept, attempt)
        return replace(certificate, verdict="original"), runs.pairs
    if holdout.settle is not None:
        terms = replace(terms, attempt=holdout.settle(runs))
    failed = await _run_must_pass(compiled, holdout.must_pass, scoring, terms, concurrency)
    certificate = _make_certificate(runs, scoring, terms, failed, program is compiled)
    pairs = runs.pairs
    return (
        replace(
            certificate,
            rows=runs.count_examples(len(holdout.examples)),
            must_pass=(len(holdout.must_pass), failed),
            repeats=_measure_repeats(pairs, len(holdout.examples), terms, scoring, runs.missing),
            break_even=_compute_break_even(certificate, search),
        ),
        runs.first_pairs(len(holdout.examples)),
    )


async def _run_repeats(
    program: Module,
    compiled: Module,
    holdout: Holdout,
    scoring: Scoring,
    terms: Terms,
    concurrency: int,
    on_row: OnRow | None,
) -> HoldoutRuns:
    """Return the rows of both programs, run side by side, one repeat after the other."""
    before: list[Row] = []
    after: list[Row] = []
    for number in range(terms.repeats):
        jobs = [
            Job(_reseed(each, terms.seed, number), holdout.examples)
            for each in (program, compiled)
        ]
        first, second = await run_rows(jobs, scoring, concurrency, on_row)
        before += first
        after += second
    return HoldoutRuns(before, after, list(holdout.clusters) * terms.repeats)


def _reseed(program: Module, seed: int, number: int) -> Module:
    """Return the program with other sampling seeds for repeat ``number``; the first is as is."""
    if number == 0:
        return program
    return program.with_parameters(
        {
            f"{path}.sampling": replace(
                predictor.sampling, seed=derive_seed(seed, "repeat", number, path)
            )
            for path, predictor in program.predictors().items()
        }
    )


async def _run_must_pass(
    compiled: Module,
    examples: Sequence[Example],
    scoring: Scoring,
    terms: Terms,
    concurrency: int,
) -> tuple[str, ...]:
    """Return the names of must-pass examples that the compiled program failed in any run."""
    if not examples:
        return ()
    jobs = [Job(_reseed(compiled, terms.seed, n), examples) for n in range(terms.repeats)]
    runs = await run_rows(jobs, scoring, concurrency)
    reasons = [_explain_failures(rows, scoring) for rows in zip(*runs, strict=True)]
    return tuple(reason for reason in reasons if reason is not None)


def _explain_failures(runs: Sequence[Row], scoring: Scoring) -> str | None:
    """Return the name of an example that failed in any of its runs, else ``None``."""
    name = scoring.errors.name_row(runs[0].index, runs[0].example)
    for row in runs:
        if row.score is None:
            kind = "" if row.failure is None else f": {row.failure.kind}"
            return f"{name} without a score{kind}"
    failed = sum(row.score is not None and not scoring.is_full(row.score.value) for row in runs)
    if not failed:
        return None
    return name if len(runs) == 1 else f"{name} in {failed} of {len(runs)} runs"


def _without_must_pass(certificate: Certificate, holdout: Holdout) -> Certificate:
    """Return a certificate that says that the examples that must pass were not run."""
    if certificate.verdict == "original" or not holdout.must_pass:
        return certificate
    said = f"The {len(holdout.must_pass)} examples that must pass were not run"
    return replace(certificate, reason=f"{certificate.reason}. {said}")


def _make_certificate(
    runs: HoldoutRuns,
    scoring: Scoring,
    terms: Terms,
    failed: Sequence[str],
    same: bool,
) -> Certificate:
    pairs, clusters = runs.pairs, runs.clusters
    before, after = [first for first, _ in pairs], [second for _, second in pairs]
    claims = runs.test(terms, scoring.range)
    scores = (
        Estimate.of(_average_clusters(before, clusters), scoring.range),
        Estimate.of(_average_clusters(after, clusters), scoring.range),
    )
    if isinstance(scoring.metric, DatasetMetric):
        claims, scores = check_dataset(scoring.metric, pairs, clusters, claims, terms.level)
    costs = average_cost(before), average_cost(after)
    verdict, reason = decide_verdict(claims, terms, failed, same, costs)
    p_value = claims.primary.p_value
    if same:  # whatever differs between its own runs is chance, and no claim
        claims, p_value = replace(claims, finding="cannot tell", tested=()), 1.0
    if isinstance(scoring.metric, DatasetMetric):
        if verdict == "certified":  # the interval is not that of the test
            reason = f"The gain is larger than chance explains (p = {claims.primary.p_value:.2g})."
        reason += " The bounds of a score of the whole data set are approximate."
    if verdict == "certified":
        reason += runs.describe_higher_total(terms.objective)
    else:
        reason += runs.describe_unmeasured(terms.objective)
    reason += runs.describe_failed_base()
    return Certificate(
        verdict=verdict,
        reason=reason,
        finding=claims.finding,
        before=scores[0],
        after=scores[1],
        difference=claims.difference,
        low=claims.low,
        high=claims.high,
        p_value=p_value,
        level=terms.level,
        attempt=terms.attempt,
        claims=claims.tested,
        n=claims.n,
        wins=claims.wins,
        losses=claims.losses,
        ties=claims.ties,
        missing=runs.missing,
        missing_runs=runs.describe_missing(),
        cost_before=costs[0],
        cost_after=costs[1],
    )


def _average_clusters(rows: Sequence[Row], clusters: Sequence[str]) -> list[float]:
    """Return the mean score of every cluster."""
    members: dict[str, list[float]] = {}
    for name, row in zip(clusters, rows, strict=True):
        members.setdefault(name, []).append(_value(row))
    return [math.fsum(values) / len(values) for values in members.values()]


def _measure_repeats(
    pairs: Pairs, examples: int, terms: Terms, scoring: Scoring, missing: int
) -> Repeats | None:
    count = terms.repeats
    if count < 2 or missing:
        return None
    runs = [
        [pairs[place + number * examples] for number in range(count)] for place in range(examples)
    ]
    passed = [
        [[scoring.is_full(_value(pair[which])) for pair in row] for row in runs]
        for which in (0, 1)
    ]
    spread = split_variance([[_value(second) for _, second in row] for row in runs])
    return Repeats(
        count, pass_hat(passed[0], count), pass_hat(passed[1], count), spread.share_within
    )


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value


def _compute_break_even(certificate: Certificate, search: Cost | None) -> float | None:
    before, after = certificate.cost_before, certificate.cost_after
    if search is None or before is None or after is None or search.unpriced:
        return None
    saved = before.dollars - after.dollars
    return search.dollars / saved if search.dollars > 0 and saved > 0 else None
