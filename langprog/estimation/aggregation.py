"""The mean of a big batch, by asking an oracle about few of its rows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from langprog.errors import InputError, LangprogError
from langprog.estimation.asking import ANY, Answers, Asked, Asking
from langprog.estimation.estimate import MeanEstimate
from langprog.estimation.numbers import read_numbers
from langprog.estimation.strata import Stratum, allocate, estimate_strata, stratify
from langprog.evaluation import Range, check_range
from langprog.example import Example, Rows, examples_of
from langprog.knobs import check_argument, takes_whole
from langprog.lm import Budget, Ledger
from langprog.runtime import run_sync

# The most strata; a small budget has fewer.
STRATA = 5
# Rows of a stratum that are asked about before it is known how much its values differ.
FEWEST = 5


def aggregate(
    batch: Rows,
    proxy: Asked | Sequence[float | None],
    oracle: Asked,
    budget: Budget,
    *,
    score_range: Range | None = None,
    concurrency: int = 64,
    max_errors: int = 0,
    seed: int = 0,
) -> MeanEstimate:
    """Estimate the mean over a batch of what an oracle would say, from few questions to it.

    The better the proxy goes along with the oracle, the shorter the interval; it holds whatever
    the proxy is worth. A question that failed is missing data, never a zero: for the interval such
    a row counts as the lowest value at one end and as the highest at the other.

    Follows: ABae (Kang et al., 2021): strata by the proxy, a pilot in each, Neyman allocation of
    the rest, and all answers used for the estimate. Differs: every row counts, as there is no
    predicate to select rows; a part of the rest is divided evenly; and instead of
    the bootstrap the interval is that of Agresti and Coull for the effective number of answers,
    with the correction for a finite batch.

    Args:
        batch: The rows.
        proxy: A cheap guess at what the oracle says, on any scale: a number for each row, or
            whoever gives it, as for ``oracle``. A row without one is taken for a usual row.
        oracle: Who knows: a function of a row, sync or async, which returns a number or a bool; a
            program with an output ``score`` or ``verdict``, whose inputs are taken from the row by
            name; or the path of an artifact that holds such a program.
        budget: ``calls`` is how often the oracle may be called, a program with its calls per row;
            all is a hard cap on the calls of models that oracle and proxy make.
        score_range: The lowest and the highest value; by default that which a function declares
            with ``lp.metric(range=...)``, else 0 to 1.
        concurrency: Rows that are asked about at the same time.
        max_errors: On how many rows a function may raise before all stops; such a row is missing.
        seed: Chooses the rows.

    Raises:
        InputError: The batch, the proxies or the budget cannot be used.
        MetricError: A function raised, or returned no number in its range; names the row.
        LangprogError: No question was answered.
    """
    check_argument("aggregate", "concurrency", concurrency, takes_whole(1))
    check_argument("aggregate", "seed", seed, takes_whole(0, 2**63))
    examples = examples_of(batch, "the batch")
    if not examples:
        raise InputError("the batch has no rows, so there is no mean")
    ledger = Ledger(budget)
    bounds = None if score_range is None else check_range(score_range)

    def asking(asked: Asked, name: str, bounds: Range | None) -> Asking:
        return Asking(
            asked,
            name,
            bounds=bounds,
            ledger=ledger,
            concurrency=concurrency,
            max_errors=max_errors,
        )

    asked = asking(oracle, "oracle", bounds)
    count = _count_questions(budget, asked)

    async def run() -> MeanEstimate:
        proxies, left = await _read_proxies(proxy, examples, asking), count
        if asked.is_program and budget.calls is not None:
            left = int(budget.calls - ledger.paid.calls) // asked.calls
        batch = _Batch(examples, proxies, asked, min(left, len(examples)), seed)
        return await batch.estimate()

    return run_sync(run())


def _count_questions(budget: Budget, asked: Asking) -> int:
    if budget.calls is None:
        raise InputError(
            "the budget has no calls: write lp.Budget(calls=200) for 200 calls of the oracle"
        )
    count = int(budget.calls) // asked.calls
    if count < 2:
        raise InputError(
            f"lp.Budget(calls={budget.calls}) allows {count} questions to the oracle, which takes "
            f"{asked.calls} calls for each: two are the fewest, and intervals hold from about a "
            "hundred on"
        )
    return count


async def _read_proxies(
    proxy: Asked | Sequence[float | None], examples: Sequence[Example], asking: Any
) -> list[float | None]:
    if isinstance(proxy, Sequence) and not isinstance(proxy, str):
        proxies = read_numbers(proxy, "proxy")
        if len(proxies) != len(examples):
            raise InputError(f"{len(proxies)} proxies for {len(examples)} rows: give one a row")
        return proxies
    answers: Answers = await asking(proxy, "proxy", ANY).ask(examples)
    return list(answers.values)


class _Batch:
    """A batch, and what is known of it so far."""

    def __init__(
        self,
        examples: Sequence[Example],
        proxies: Sequence[float | None],
        oracle: Asking,
        count: int,
        seed: int,
    ) -> None:
        self._examples, self._oracle, self._count = examples, oracle, count
        self._rng = random.Random(seed)
        # Each stratum has enough rows of the first round to tell how much they differ.
        self._strata = stratify(proxies, max(1, min(STRATA, count // (2 * FEWEST))), self._rng)
        self._no_proxy = sum(proxy is None for proxy in proxies)
        self._failure = ""

    async def estimate(self) -> MeanEstimate:
        """Ask, and estimate."""
        first = self._count // 2 // len(self._strata)
        if self._count >= len(self._examples) or len(self._strata) == 1:
            first = self._count
        await self._ask([min(first, len(each.rows)) for each in self._strata])
        rest = self._count - sum(each.taken for each in self._strata)
        await self._ask(allocate(self._strata, rest, self._oracle.bounds))
        labels = sum(len(each.values) for each in self._strata)
        if not labels:
            why = self._failure or "the budget was spent before"
            raise LangprogError(f"the oracle answered nothing, so there is no mean: {why}")
        mean, interval = estimate_strata(self._strata, self._oracle.bounds)
        return MeanEstimate(
            mean=mean,
            interval=interval,
            labels=labels,
            rows=len(self._examples),
            missing=sum(each.missing for each in self._strata),
            assumes="the oracle is right (the proxy need not be: rows were drawn at random); it "
            "holds for many labels, and was measured from 100 on",
            notes=self._describe(),
        )

    async def _ask(self, counts: Sequence[int]) -> None:
        pairs: list[tuple[Stratum, int]] = [
            (each, row)
            for each, count in zip(self._strata, counts, strict=True)
            for row in each.take(count)
        ]
        # Were the budget spent halfway, what was asked is a random part of every stratum.
        self._rng.shuffle(pairs)
        answers = await self._oracle.ask([self._examples[row] for _, row in pairs])
        self._failure = self._failure or answers.failure
        for (stratum, _), value, unasked in zip(
            pairs, answers.values, answers.unasked, strict=True
        ):
            if value is not None:
                stratum.values.append(value)
            elif not unasked:
                stratum.missing += 1

    def _describe(self) -> tuple[str, ...]:
        notes = []
        if any(each.missing for each in self._strata):
            notes.append(
                "For the interval, what is missing counts as the lowest value at one end and as "
                f"the highest at the other; the first failure: {self._failure}."
            )
        if self._no_proxy:
            notes.append(f"{self._no_proxy:,} rows have no proxy and count as usual ones.")
        asked = sum(len(each.values) + each.missing for each in self._strata)
        if asked < self._count:
            notes.append(
                f"The budget was spent after {asked:,} of {self._count:,} questions to the oracle."
            )
        return tuple(notes)
