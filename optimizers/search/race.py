"""Race candidates: all meet the same examples, block by block, and the best meet more of them.

Follows: asynchronous successive halving (Li et al., 2020) for promotions, with the minibatches and
full evaluations of MIPRO as rungs.
Differs: blocks are nested and shared, so that scores are paired; rounds are synchronous, so that
the order in which answers arrive does not decide.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optimizers.budget.forecast import Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.models.tradeoffs import standard_error
from optimizers.run import Run
from optimizers.search.additive import explain_variance, recombine
from optimizers.search.halving import list_rungs, take_affordable
from optimizers.search.sampler import suggest
from optimizers.search.space import Assignment, SearchSpace

GROWTH = 3
# Points of each round that combine what did well apart; the sampler suggests the others.
RECOMBINED = 1
# Standard errors below the best at which a candidate stops being a contender.
CLEARLY = 2.0


@dataclass(frozen=True, slots=True)
class RaceSize:
    """The size of a race.

    Args:
        trials: Points to try.
        round: Points tried at once; the sampler learns in between.
        first_block: Validation examples that every point meets.
        finalists: Points that are scored on all of validation at the end, at most.
    """

    trials: int
    round: int
    first_block: int
    finalists: int


def forecast_race(size: RaceSize, validation: int) -> tuple[StageForecast, StageForecast]:
    """Forecast what a race over ``validation`` examples takes."""
    rungs = list_rungs(size.first_block, validation, GROWTH)
    steps = [after - before for before, after in zip(rungs, rungs[1:], strict=False)]
    promoted = sum(size.trials // GROWTH ** (rung + 1) * step for rung, step in enumerate(steps))
    first = size.trials * rungs[0]
    finals = size.finalists * (validation - rungs[0])
    return (
        StageForecast(
            "search",
            Range(0.9 * first + 0.4 * promoted, first + promoted),
            candidates=Range(0.5 * size.trials, size.trials),
        ),
        StageForecast("final", Range(0.5 * finals, finals)),
    )


def forecast_contenders(size: RaceSize, validation: int) -> StageForecast:
    """Forecast what those take that may still be the best, if a cap pays for all of them."""
    rest = size.trials * max(0, validation - size.first_block)
    return StageForecast("final", Range(0.1, 0.5).times(rest))


@dataclass
class _Entrant:
    point: Assignment
    candidate: Candidate
    rung: int = 0


@dataclass
class Race:
    """Searches ``space``, starting from a scored baseline.

    Args:
        run: The search that this is a part of; its start has been scored fully.
        space: What to choose from.
        size: How long and how wide.
    """

    run: Run
    space: SearchSpace
    size: RaceSize
    _entrants: list[_Entrant] = field(default_factory=list)
    _seen: set[Assignment] = field(default_factory=set)
    _rungs: list[int] = field(default_factory=list)

    async def finish(self) -> None:
        """Race until trials or budget are used up, then score the finalists fully."""
        self._rungs = list_rungs(self.size.first_block, self.run.scorer.size, GROWTH)
        self._seen.add(self.space.baseline)
        done = 0
        total = min(self.size.trials, self.space.size - 1)
        self.run.start_stage(
            "search", total, f"{self.space.size} combinations on validation blocks"
        )
        number = 0
        while done < total:
            points = self._choose_points(min(self.size.round, total - done), number)
            points = self._take_affordable(points)
            if not points:
                break
            await self._try(points)
            await self._promote()
            done += len(points)
            number += 1
            self.run.advance_stage("search", done, total)
        if done < total:
            self.run.note(f"the search tried {done} of {total} points: its budget pays no more")
        await self._score_finalists()
        await self._score_contenders()
        if self._entrants:
            self.run.log("importance", explain_variance(self.space, self._estimate_all()))

    # --- points ---------------------------------------------------------------------------------

    def _choose_points(self, count: int, number: int) -> list[Assignment]:
        """Return the points of round ``number``: of the design first, then of the models."""
        points = [point for point in self._design() if point not in self._seen][:count]
        if len(points) < count:
            values = self._estimate_all()
            values[self.space.baseline] = self._baseline_mean()
            if self._entrants:
                points += recombine(self.space, values, min(RECOMBINED, count - len(points)))
            seed = self.run.sampling_seed("tpe", number)
            known = {**values, **dict.fromkeys(points, self._baseline_mean())}
            points += suggest(self.space, known, count - len(points), seed)
        return points

    def _design(self) -> list[Assignment]:
        """Return the points tried before the sampler can learn: all values about as often."""
        widest = max(len(choice.values) for choice in self.space.choices)
        count = min(self.size.trials // 2, max(widest, 2 * self.size.round))
        return self.space.draw_balanced(count, self.run.rng("design"))

    def _take_affordable(self, points: Sequence[Assignment]) -> list[Assignment]:
        """Drop the last points until the budget pays for this round and the finals."""
        affordable = list(points)
        while affordable and not self.run.affords_round(
            len(affordable) * self._rungs[0], self._count_final_queries(len(affordable))
        ):
            affordable.pop()
        return affordable

    def _count_final_queries(self, more: int = 0) -> int:
        """Return the queries that the finals may take, with ``more`` entrants than now."""
        finalists = min(self.size.finalists, len(self._entrants) + more)
        return finalists * (self.run.scorer.size - self._rungs[0])

    # --- rounds ---------------------------------------------------------------------------------

    async def _try(self, points: Sequence[Assignment]) -> None:
        entrants = [
            _Entrant(
                point, self.run.make_candidate(self.space.values(point), self.space.label(point))
            )
            for point in points
        ]
        self._seen.update(points)
        await self._score(entrants, 0)
        self._entrants.extend(self._drop_incomparable(entrants))
        self._log(entrants)

    async def _promote(self) -> None:
        """Score the best of every rung on the next block, as far as the budget goes."""
        for rung in range(len(self._rungs) - 2, -1, -1):
            reached = [entrant for entrant in self._entrants if entrant.rung >= rung]
            quota = len(reached) // GROWTH - sum(entrant.rung > rung for entrant in reached)
            base = self._baseline_mean()
            waiting = [
                entrant for entrant, mean in self._rank() if entrant.rung == rung and mean >= base
            ]
            promoted = waiting[: max(0, quota)]
            step = self._rungs[rung + 1] - self._rungs[rung]
            while promoted and not self.run.affords_round(
                len(promoted) * step, self._count_final_queries()
            ):
                promoted.pop()
            if promoted:
                await self._score(promoted, rung + 1)
                for entrant in promoted:
                    entrant.rung = rung + 1
                self._entrants = self._drop_incomparable(self._entrants)
                self._log(promoted)

    async def _score_finalists(self) -> None:
        """Score the best fully; what was offered before stays in the running."""
        base = self._baseline_mean()
        finalists = [
            entrant
            for number, (entrant, mean) in enumerate(self._rank())
            # Where nothing is above the baseline, only the best is scored.
            if number == 0 or mean > base
        ][: self.size.finalists]
        affordable = take_affordable(
            self.run, [entrant.candidate for entrant in finalists], self.run.scorer.size
        )
        finalists = finalists[: len(affordable)]
        self.run.start_stage("final", len(finalists), "the best on all of validation")
        await self.run.score_fully(affordable)
        self.run.advance_stage("final", len(finalists), len(finalists))
        for entrant in finalists:
            entrant.rung = len(self._rungs) - 1
        self._log(finalists)

    async def _score_contenders(self) -> None:
        """Score those that may still be the best on more examples, as far as a cap pays for it.

        Without a cap nobody has agreed to pay more; and what a part of another search leaves is
        for the parts that follow.
        """
        run, sizes = self.run, self._rungs
        if run.is_part or math.isinf(run.queries_left()):
            return
        while contenders := self._list_contenders()[: self.size.round]:
            while contenders and not run.affords(
                sum(sizes[each.rung + 1] - sizes[each.rung] for each in contenders)
            ):
                contenders.pop()
            if not contenders:
                break
            await run.score(
                [ScoreRequest(each.candidate, range(sizes[each.rung + 1])) for each in contenders]
            )
            for each in contenders:
                each.rung += 1
                run.offer(each.candidate)
            self._entrants = self._drop_incomparable(self._entrants)
            self._log(contenders)

    def _list_contenders(self) -> list[_Entrant]:
        """Return who is not clearly worse than the best on the examples so far, the best first."""
        best = self.run.scorer.values(self.run.best)
        return [
            entrant
            for entrant, _ in self._rank()
            if entrant.rung < len(self._rungs) - 1
            and not _is_clearly_worse(self.run.scorer.values(entrant.candidate), best)
        ]

    async def _score(self, entrants: Sequence[_Entrant], rung: int) -> None:
        block = range(self._rungs[rung])
        await self.run.score([ScoreRequest(entrant.candidate, block) for entrant in entrants])
        for entrant in entrants:
            self.run.offer(entrant.candidate)

    def _drop_incomparable(self, entrants: Sequence[_Entrant]) -> list[_Entrant]:
        """Return the entrants without those that miss too many scores, which are logged."""
        comparable = []
        for entrant in entrants:
            if self.run.scorer.is_comparable(entrant.candidate):
                comparable.append(entrant)
            else:
                self.run.log(
                    "dropped",
                    {"label": entrant.candidate.label, "reason": "too many rows have no score"},
                )
        return comparable

    # --- estimates ------------------------------------------------------------------------------

    def _estimate_all(self) -> dict[Assignment, float]:
        baseline = self.run.scorer.values(self.run.start)
        return {
            entrant.point: estimate_paired(baseline, self.run.scorer.values(entrant.candidate))
            for entrant in self._entrants
        }

    def _baseline_mean(self) -> float:
        return self.run.scorer.estimate(self.run.start).mean

    def _rank(self) -> list[tuple[_Entrant, float]]:
        means = self._estimate_all()
        # The sort is stable: of equals the one tried first comes first.
        entrants = sorted(self._entrants, key=lambda entrant: -means[entrant.point])
        return [(entrant, means[entrant.point]) for entrant in entrants]

    def _log(self, entrants: Sequence[_Entrant]) -> None:
        means = self._estimate_all()
        for entrant in entrants:
            if entrant.point in means:
                self.run.log_trial(
                    entrant.candidate,
                    point=dict(self.space.to_json(entrant.point)),
                    paired_mean=means[entrant.point],
                )


def _is_clearly_worse(scores: Mapping[int, float], others: Mapping[int, float]) -> bool:
    common = sorted(scores.keys() & others.keys())
    difference = np.array([scores[index] - others[index] for index in common])
    return bool(difference.mean() < -CLEARLY * standard_error(difference))


def estimate_paired(baseline: Mapping[int, float], scores: Mapping[int, float]) -> float:
    """Estimate a candidate's mean as the baseline's plus the difference on common examples.

    Args:
        baseline: Scores of the input program by example.
        scores: Scores of the candidate by example; at least one example is common.
    """
    differences = [
        scores[index] - baseline[index] for index in sorted(scores) if index in baseline
    ]
    return sum(baseline.values()) / len(baseline) + sum(differences) / len(differences)
