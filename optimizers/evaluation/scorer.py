"""Scores of candidates on validation examples: remembered, paired, taken in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from langprog import Example, Module
from langprog.errors import ModelError
from langprog.evaluation import Metric, Row, mean_interval, quantile
from langprog.lm import Cost
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.runner import Job, is_missing, run_rows
from optimizers.evaluation.scoring import Scoring

# More of a candidate's rows lost than this, and it cannot be compared with the others.
MAX_MISSING = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean score with its 95 % interval over ``n`` examples."""

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """Estimate from ``values``.

        Raises:
            ValueError: There is none.
        """
        if not values:
            raise ValueError("no score to estimate a mean from")
        low, high = mean_interval(values)
        return cls(sum(values) / len(values), low, high, len(values))

    def to_json(self) -> dict[str, float | int]:
        """Return a JSON object."""
        return {"mean": self.mean, "low": self.low, "high": self.high, "n": self.n}

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def average_cost(rows: Sequence[Row]) -> Cost:
    """Return what one query costs on average, as if nothing were cached.

    A query is one call where there is no row to tell.
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
    """A candidate and the validation examples, by index, that it is to be scored on."""

    candidate: Candidate
    indices: Sequence[int]


class Scorer:
    """Remembers the score of every (candidate, validation example) that was run.

    Args:
        program: What candidates are applied to.
        examples: The validation part, in the order in which candidates meet it.
        metric: What scores a prediction.
        concurrency: Examples in work at the same time.
        priced: Whether every answer needs a price, as cost is what counts.
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
        self._asked: dict[str, set[int]] = {}
        self._costs: dict[str, Cost] = {}
        self._latencies: dict[str, list[float]] = {}
        self._candidates: dict[str, Candidate] = {}
        self._size = len(examples)
        self.highest_cost = Cost(calls=float(len(program.predictors())))

    @property
    def size(self) -> int:
        """Number of validation examples in use: the first so many."""
        return self._size

    def narrow(self, size: int) -> None:
        """Use only the first ``size`` examples from now on: a small budget pays for no more."""
        self._size = min(self._size, size)

    async def round(self, asks: Sequence[ScoreRequest]) -> int:
        """Score whatever of ``asks`` is not known yet; all of it, or nothing where it fails.

        Returns:
            How many rows were run.

        Raises:
            BudgetExceeded: The budget ended first.
            MetricError: The metric failed.
            LMError: A model refused to work at all (a wrong key, a bad request).
            ModelError: Prices are needed, and there is none for a model.
        """
        wanted = [(ask.candidate, self._unasked(ask)) for ask in asks]
        wanted = [(candidate, indices) for candidate, indices in wanted if indices]
        jobs = [
            Job(candidate.apply(self._program), [self._examples[one] for one in indices])
            for candidate, indices in wanted
        ]
        results = await run_rows(jobs, self._metric, self._concurrency)
        for (candidate, indices), rows in zip(wanted, results, strict=True):
            if self._priced:
                check_prices(rows)
            self._keep(candidate, indices, rows)
        return sum(len(indices) for _, indices in wanted)

    def _unasked(self, ask: ScoreRequest) -> list[int]:
        asked = self._asked.get(ask.candidate.digest, set())
        return [index for index in ask.indices if index not in asked]

    def _keep(self, candidate: Candidate, indices: Sequence[int], rows: Sequence[Row]) -> None:
        values = self._values.setdefault(candidate.digest, {})
        self._candidates.setdefault(candidate.digest, candidate)
        self._latencies.setdefault(candidate.digest, []).extend(map(_waited, rows))
        self._asked.setdefault(candidate.digest, set()).update(indices)
        for index, row in zip(indices, rows, strict=True):
            if row.score is not None:
                values[index] = row.score.value
        cost = average_cost(rows)
        self._costs[candidate.digest] = cost.max_with(self._costs.get(candidate.digest, Cost()))
        self.highest_cost = self.highest_cost.max_with(cost)

    def values(self, candidate: Candidate) -> Mapping[int, float]:
        """Return the known scores of ``candidate`` by validation index."""
        return self._values.get(candidate.digest, {})

    def cost(self, candidate: Candidate) -> Cost:
        """Return what a query of ``candidate`` takes, where it was run; else the highest seen."""
        return self._costs.get(candidate.digest, self.highest_cost)

    def latency(self, candidate: Candidate) -> tuple[float, float]:
        """Return the seconds that half of a candidate's queries took at most, and that 95 % did.

        Time that models took, one call after the other, as if nothing else had been under way.
        """
        found = self._latencies.get(candidate.digest) or [0.0]
        return quantile(found, 0.5), quantile(found, 0.95)

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate that was run, in the order of their first rows."""
        return tuple(self._candidates.values())

    def lost(self, candidate: Candidate) -> int:
        """Return how many of the rows asked of ``candidate`` have no score."""
        asked = self._asked.get(candidate.digest, set())
        return len(asked) - len(self._values.get(candidate.digest, {}))

    def comparable(self, candidate: Candidate) -> bool:
        """Return whether few enough of ``candidate``'s rows were lost to trust its mean."""
        asked = len(self._asked.get(candidate.digest, ()))
        lost = self.lost(candidate)
        return lost < asked and lost <= max(1.0, MAX_MISSING * asked)

    def complete(self, candidate: Candidate) -> bool:
        """Return whether ``candidate`` was asked every validation example and is comparable."""
        asked = self._asked.get(candidate.digest, set())
        return asked.issuperset(range(self.size)) and self.comparable(candidate)

    def estimate(self, candidate: Candidate) -> Estimate:
        """Return ``candidate``'s mean over what is known of it and in use.

        Raises:
            ValueError: Nothing is known of it.
        """
        known = sorted(self.values(candidate).items())
        return Estimate.of([value for index, value in known if index < self.size])


def _waited(row: Row) -> float:
    return sum(completion.latency for step in row.trace for completion in step.completions)


def check_prices(rows: Sequence[Row]) -> None:
    """See to it that every answer has a price: one that is missing must not count as 0.

    Raises:
        ModelError: One has none.
    """
    for row in rows:
        for step in row.trace:
            for completion in step.completions:
                if completion.dollars is None:
                    raise ModelError(
                        f"no price is known for {completion.model}, and cost counts here: make it "
                        "with lp.LM(name, price=lp.Price(input=..., output=...)), in dollars per "
                        "million tokens"
                    )
