"""Scores of candidates on validation examples, measured in rounds and remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langprog import Example, Module
from langprog.errors import ModelError
from langprog.evaluation import Metric, Range, Row, mean_interval, quantile
from langprog.lm import Cost
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.prompts import PromptMeter, PromptSize, price_query
from optimizers.evaluation.runner import Job, is_missing, run_rows
from optimizers.evaluation.scoring import Scoring, as_scoring

# With a larger share of rows without a score, a candidate cannot be compared with others.
MAX_MISSING = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score with its 95 % interval over ``n`` examples."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float], score_range: Range) -> Estimate:
        """Return the mean of ``values`` with its 95 % interval.

        Args:
            values: The scores.
            score_range: The lowest and the highest score that the metric can give.

        Raises:
            ValueError: There are no values.
        """
        if not values:
            raise ValueError("no score to estimate a mean from")
        low, high = mean_interval(values, score_range=score_range)
        return cls(sum(values) / len(values), low, high, len(values))

    def to_json(self) -> dict[str, float | int]:
        """Return a JSON object."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def average_cost(rows: Sequence[Row]) -> Cost:
    """Return the average cost of a query, as if nothing were cached.

    Without rows to measure, a query counts as one call.
    """
    used = [row.usage for row in rows if not is_missing(row)]
    if not used:
        return Cost(calls=1.0)
    return Cost(
        sum(usage.calls for usage in used) / len(used),
        sum(usage.total_tokens for usage in used) / len(used),
        sum(usage.dollars or 0.0 for usage in used) / len(used),
    )


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """A candidate and the indices of the validation examples to score it on."""

    candidate: Candidate
    indices: Sequence[int]


class Scorer:
    """Remembers the score of every (candidate, validation example) that was run.

    Args:
        program: The program that candidates are applied to.
        examples: The validation examples, in the order in which they are used.
        metric: Scores a prediction.
        concurrency: Examples processed at the same time.
        priced: Whether every answer needs a price, because the objective is cost.
    """

    def __init__(
        self,
        program: Module,
        examples: Sequence[Example],
        metric: Metric | Scoring,
        concurrency: int,
        *,
        priced: bool = False,
    ) -> None:
        self._priced = priced
        self._program = program
        self._examples = examples
        self._metric = metric
        self._concurrency = concurrency
        self._values: dict[str, dict[int, float]] = {}
        self._scored: dict[str, set[int]] = {}
        self._costs: dict[str, Cost] = {}
        self._latencies: dict[str, list[float]] = {}
        self._prompts: dict[str, PromptMeter] = {}
        self._candidates: dict[str, Candidate] = {}
        self._size = len(examples)
        self.highest_cost = Cost(calls=float(len(program.predictors())))

    @property
    def size(self) -> int:
        """Number of validation examples in use, from the first."""
        return self._size

    def narrow(self, size: int) -> None:
        """Use only the first ``size`` examples from now on, for a small budget."""
        self._size = min(self._size, size)

    async def score(self, requests: Sequence[ScoreRequest]) -> int:
        """Run the rows of ``requests`` that have not been run, as one round: all or none.

        Returns:
            How many rows were run.

        Raises:
            BudgetExceeded: The budget ended first.
            MetricError: The metric failed.
            LMError: A model refused to work at all (a wrong key, a bad request).
            ModelError: Prices are needed, and a model has none.
        """
        wanted = [(request.candidate, self._select_unscored(request)) for request in requests]
        wanted = [(candidate, indices) for candidate, indices in wanted if indices]
        jobs = [
            Job(candidate.apply(self._program), [self._examples[index] for index in indices])
            for candidate, indices in wanted
        ]
        results = await run_rows(jobs, self._metric, self._concurrency)
        for (candidate, indices), rows in zip(wanted, results, strict=True):
            if self._priced:
                check_prices(rows)
            self._record(candidate, indices, rows)
        return sum(len(indices) for _, indices in wanted)

    def _select_unscored(self, request: ScoreRequest) -> list[int]:
        scored = self._scored.get(request.candidate.digest, set())
        return [index for index in request.indices if index not in scored]

    def _record(self, candidate: Candidate, indices: Sequence[int], rows: Sequence[Row]) -> None:
        values = self._values.setdefault(candidate.digest, {})
        self._candidates.setdefault(candidate.digest, candidate)
        self._latencies.setdefault(candidate.digest, []).extend(map(_sum_latency, rows))
        self._prompts.setdefault(candidate.digest, PromptMeter()).add(rows)
        self._scored.setdefault(candidate.digest, set()).update(indices)
        for index, row in zip(indices, rows, strict=True):
            if row.score is not None:
                values[index] = row.score.value
        cost = average_cost(rows)
        self._costs[candidate.digest] = cost.max_with(self._costs.get(candidate.digest, Cost()))
        self.highest_cost = self.highest_cost.max_with(cost)

    def expect_cost_of(self, candidate: Candidate) -> None:
        """Plan with the cost of a candidate from now on, and forget what others cost."""
        self.highest_cost = self.cost(candidate)

    def values(self, candidate: Candidate) -> Mapping[int, float]:
        """Return the scores of ``candidate`` so far, by validation index."""
        return self._values.get(candidate.digest, {})

    def cost(self, candidate: Candidate) -> Cost:
        """Return the cost of a query of ``candidate``; if it was not run, the highest so far."""
        return self._costs.get(candidate.digest, self.highest_cost)

    def latency(self, candidate: Candidate) -> tuple[float, float]:
        """Return the median and the 95th percentile of a candidate's latency, in seconds.

        Latency is the sum over the calls of a query, as if they were made one at a time.
        """
        latencies = self._latencies.get(candidate.digest) or [0.0]
        return quantile(latencies, 0.5), quantile(latencies, 0.95)

    def prompt_sizes(self, candidate: Candidate) -> Mapping[str, PromptSize]:
        """Return the average prompt of each predictor of a candidate, by path."""
        meter = self._prompts.get(candidate.digest)
        return {} if meter is None else meter.sizes

    def is_cheaper(self, candidate: Candidate, other: Candidate) -> bool:
        """Return whether the prompts of a candidate cost less than another's, as far as known.

        What the prompts of a predictor have in common counts at the price of cached tokens. Where
        a price is unknown, tokens are compared. Of equals, the candidate that changes less wins.
        """
        (dollars, tokens), (others, other_tokens) = (
            price_query(each.apply(self._program), self.prompt_sizes(each))
            for each in (candidate, other)
        )
        if dollars is None or others is None:
            dollars, others = tokens, other_tokens
        return (dollars, candidate.weight) < (others, other.weight)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate that was run, in the order of their first rows."""
        return tuple(self._candidates.values())

    def count_missing(self, candidate: Candidate) -> int:
        """Return how many rows of ``candidate`` were run but have no score."""
        scored = self._scored.get(candidate.digest, set())
        return len(scored) - len(self._values.get(candidate.digest, {}))

    def is_comparable(self, candidate: Candidate) -> bool:
        """Return whether ``candidate`` misses few enough scores to trust its mean."""
        scored = len(self._scored.get(candidate.digest, ()))
        missing = self.count_missing(candidate)
        return missing < scored and missing <= max(1.0, MAX_MISSING * scored)

    def is_complete(self, candidate: Candidate) -> bool:
        """Return whether ``candidate`` was run on every validation example and is comparable."""
        scored = self._scored.get(candidate.digest, set())
        return scored.issuperset(range(self.size)) and self.is_comparable(candidate)

    def estimate(self, candidate: Candidate) -> Estimate:
        """Return ``candidate``'s mean over its scores on the examples in use.

        Raises:
            ValueError: It has no scores.
        """
        known = sorted(self.values(candidate).items())
        return Estimate.of(
            [value for index, value in known if index < self.size], as_scoring(self._metric).range
        )


def _sum_latency(row: Row) -> float:
    return sum(completion.latency for step in row.trace for completion in step.completions)


def check_prices(rows: Sequence[Row]) -> None:
    """Check that every answer has a price: a missing price must not count as 0.

    Raises:
        ModelError: An answer has no price.
    """
    for row in rows:
        for step in row.trace:
            for completion in step.completions:
                if completion.dollars is None:
                    raise ModelError(
                        f"no price is known for {completion.model}, but the objective is cost: "
                        "make it with lp.LM(name, price=lp.Price(input=..., output=...)), in "
                        "dollars per million tokens"
                    )
