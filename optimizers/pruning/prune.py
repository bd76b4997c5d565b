"""Put every change back that does not pay for itself, after a search and before the certificate.

Follows: reduced-error pruning (Quinlan, 1987): what a model can do without on data that it was not
made from goes; the one-standard-error rule (Breiman et al., 1984) for how much counts as chance;
delta debugging (Zeller and Hildebrandt, 2002) for demonstrations, which go all together, by
halves, or one by one.
Differs: both programs answer the same validation rows, so that the error is that of a paired
difference; what is left is compared with the result of the search as well, so that small losses
do not add up. Scores that the search has paid for count, and only calls that it has left over are
made, so that pruning takes nothing from the search; a part that neither can judge stays.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from langprog.errors import BudgetExceeded
from langprog.evaluation import mean_interval
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.budget.plan import MOST_PRUNING
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import Objective
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.models.tradeoffs import Floats, standard_error
from optimizers.pruning.parts import Part, list_parts
from optimizers.run import Run, ShareSpent
from optimizers.search.halving import list_rungs

# An instruction or a setting goes if the score without it is lower by no more than a standard
# error, and by no more than this share of the range of scores: a change has to show that it pays,
# but the error alone would be much to give up where rows are few. Demonstrations, and everything
# where quality was weighed against the price already, go only if the score is not lower at all.
MOST_LOST = 0.01
# Some of the demonstrations are tried apart only where their proportional part of what all gain
# is at least this many standard errors; elsewhere chance would decide about each.
TOLD_APART = 1.645
# Standard errors above what may be lost, on a few rows, at which the other rows are not tried.
HOPELESS = 1.0
FIRST_RUNG, GROWTH = 24, 3
# With fewer rows that both have answered, nothing is decided, unless there are no more.
FEWEST_ROWS = 72


@dataclass(frozen=True, slots=True)
class Share:
    """What a part contributes to the score of the program.

    Args:
        part: The part.
        mean: Mean score with it, minus the one without it.
        low: Lower end of the 95 % interval of that.
        high: Upper end.
        n: Validation rows, the same for both.
        error: Standard error of ``mean``.
        kept: Whether it stays.
    """

    part: Part
    mean: float
    low: float
    high: float
    n: int
    error: float
    kept: bool


def forecast_pruning(stages: Sequence[StageForecast], facts: ForecastInputs) -> StageForecast:
    """Forecast the pruning: at most every part on all of validation, as far as calls are left.

    Args:
        stages: What comes before it.
        facts: What the forecast is based on.
    """
    low, high = (
        min(
            facts.queries - taken,
            MOST_PRUNING * taken,
            facts.predictors * count * facts.validation,
        )
        for taken, count in (
            (sum(stage.queries.high for stage in stages), 0.5),
            (sum(stage.queries.low for stage in stages), 3.0),
        )
    )
    return StageForecast("prune", Range(max(0.0, min(low, high)), max(0.0, high)))


async def prune(run: Run, objective: Objective) -> Candidate:
    """Return what is left of a candidate once everything is put back that does not pay.

    Args:
        run: A search that starts from the candidate, which was scored fully.
        objective: For ``cost`` nothing is put back that makes a query dearer, for ``latency``
            no setting that makes it slower.
    """
    if not run.start.parameters or not run.scorer.is_complete(run.start):
        return run.start
    pruning = _Pruning(run, objective)
    try:
        await pruning.finish()
    except BudgetExceeded as error:
        run.tally.cut = run.tally.cut or not isinstance(error, ShareSpent)
    pruning.report()
    return pruning.left


class _Pruning:
    def __init__(self, run: Run, objective: Objective) -> None:
        self.left = run.start
        self._run = run
        self._objective = objective
        self._queue = deque(list_parts(run.start, run.materials.base))
        self._rows = self._choose_rows()
        self._shares: list[Share] = []

    def _choose_rows(self) -> Sequence[int]:
        """Return the rows of all tests: as many as the budget pays for with every part."""
        run = self._run
        size, total = run.scorer.size, len(run.materials.validation)
        affordable = run.queries_left() / (len(self._queue) + (total > size))
        if affordable >= min(total, FEWEST_ROWS):
            # The search has chosen what was lucky on its own rows, so the others come first.
            rows = [*range(size, total), *range(size)]
            return rows[: int(min(total, affordable))]
        # The sort is stable: rows that the search has paid for come first, in their order.
        known = run.scorer.values(run.start).keys()
        return sorted(range(total), key=lambda row: row not in known)[:FEWEST_ROWS]

    async def finish(self) -> None:
        """Test one part after another, as far as the budget goes."""
        run, base = self._run, self._run.materials.base
        if not self._affords(run.start):
            return
        await run.score([ScoreRequest(run.start, self._rows)])
        run.start_stage("prune", len(self._queue), "the best without each of its changes")
        done = 0
        while self._queue:
            part = self._queue.popleft()
            without = part.remove_from(self.left, base)
            if without != self.left:
                share = await self._test(part, without)
                if share is not None and not share.kept:
                    self.left = without
                elif share is not None and self._can_divide(share):
                    self._queue.extend(part.halve())
            done += 1
            run.advance_stage("prune", done, done + len(self._queue))
        if self.left != run.start and not run.scorer.is_complete(self.left):
            await self._complete()

    async def _complete(self) -> None:
        """Score what is left on the rows of the search, so that it can be compared with others."""
        rows = range(self._run.scorer.size)
        known = self._run.scorer.values(self.left).keys()
        if self._run.affords(sum(row not in known for row in rows)):
            await self._run.score([ScoreRequest(self.left, rows)])
            self._run.log_trial(self.left)

    def _affords(self, candidate: Candidate) -> bool:
        known = self._run.scorer.values(candidate).keys()
        return self._run.affords(sum(row not in known for row in self._rows))

    async def _test(self, part: Part, without: Candidate) -> Share | None:
        """Score a candidate without a part as long as it is promising; decide about the part.

        Returns:
            The part's share; ``None`` where the budget pays for no test, and the search for none.
        """
        run, scorer = self._run, self._run.scorer
        if self._affords(without):
            for rung in list_rungs(FIRST_RUNG, len(self._rows), GROWTH):
                await run.score([ScoreRequest(without, self._rows[:rung])])
                if not scorer.is_comparable(without):
                    return None
                if self._measure(part, without, HOPELESS).kept:
                    break
        elif len(self._subtract(self.left, without)) < min(FEWEST_ROWS, len(self._rows)):
            return None
        share = self._measure(part, without)
        if not share.kept and self._is_dearer(part, without):
            share = replace(share, kept=True)
        self._shares.append(share)
        if scorer.is_complete(without):
            run.log_trial(without)
        self._log(share)
        return share

    def _is_dearer(self, part: Part, without: Candidate) -> bool:
        """Return whether the objective, or the price of a setting, speaks against a removal."""
        scorer = self._run.scorer
        if self._objective == "latency" and part.kind == "setting":
            return scorer.latency(without)[0] > scorer.latency(self.left)[0]
        if self._objective == "cost":
            return scorer.cost(without).dollars > scorer.cost(self.left).dollars
        if part.kind != "setting":
            return False  # shorter in any case, or as long as what the user has written
        return scorer.is_cheaper(self.left, without)

    def _can_divide(self, share: Share) -> bool:
        """Return whether a test on all rows can tell what half of a part contributes."""
        if len(share.part.demos) < 2:
            return False
        error = share.error * math.sqrt(share.n / len(self._rows))
        return share.mean / 2 >= TOLD_APART * error

    def _measure(self, part: Part, without: Candidate, more: float = 0.0) -> Share:
        """Return a part's share; it stays if that is above chance and ``more`` errors."""
        low, high = self._run.materials.metric.range
        width = high - low
        gains = self._subtract(self.left, without)
        kept = False
        # What is left is compared with the result of the search, too: small losses add up.
        for each in (gains, self._subtract(self._run.start, without)):
            error = standard_error(each / width) * width
            exact = part.demos or self._objective != "quality"
            allowed = 0.0 if exact else min(error, MOST_LOST * width)
            kept = kept or bool(each.mean() > allowed + more * error)
        ends = mean_interval(list(map(float, gains)), score_range=(-width, width))
        error = standard_error(gains / width) * width
        return Share(part, float(gains.mean()), *ends, len(gains), error, kept)

    def _subtract(self, candidate: Candidate, other: Candidate) -> Floats:
        """Return the paired differences of two candidates."""
        scores, others = self._run.scorer.values(candidate), self._run.scorer.values(other)
        return np.array([scores[row] - others[row] for row in sorted(scores.keys() & others)])

    def _log(self, share: Share) -> None:
        self._run.log(
            "share",
            {
                "part": share.part.label,
                "kept": share.kept,
                "mean": share.mean,
                "low": share.low,
                "high": share.high,
                "n": share.n,
            },
        )

    def report(self) -> None:
        """Say what was taken out."""
        gone = [share.part.label for share in self._shares if not share.kept]
        if gone:
            self._run.note(
                f"taken out again, as the score on validation is as good without: "
                f"{', '.join(gone)}"
            )
