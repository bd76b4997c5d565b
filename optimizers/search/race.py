"""Candidates meet the same examples, block by block; the promising ones meet more of them.

Follows: asynchronous successive halving (Li et al., 2020) for who is promoted, with the rungs of
MIPRO's minibatches and full evaluations.
Differs: blocks are nested and common to all, so that scores are paired; promotion goes by shrunken
means, so that a lucky block does not decide; rounds are synchronous, so that the order of answers
does not either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from optimizers.budget.forecast import Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.run import Run
from optimizers.search.additive import importance, recombined
from optimizers.search.sampler import suggest
from optimizers.search.shrinkage import shrunken
from optimizers.search.space import Assignment, Space

GROWTH = 3
# Of each round's points, so many put together what did well apart; the sampler gives the others.
RECOMBINED = 1


@dataclass(frozen=True, slots=True)
class Rules:
    """The size of a race.

    Args:
        trials: Points to try.
        round: Points tried at once; the sampler learns in between.
        first_block: Validation examples that every point meets.
        finalists: Points that meet all of validation at the end, at most.
    """

    trials: int
    round: int
    first_block: int
    finalists: int


def race_work(rules: Rules, validation: int, choices: int) -> tuple[StageForecast, ...]:
    """Return what a race over ``validation`` examples is expected to take.

    Args:
        rules: Its size.
        validation: Examples.
        choices: Parameters that are searched; the winner is tried without each of them.
    """
    rungs = _rungs(rules.first_block, validation)
    steps = [after - before for before, after in zip(rungs, rungs[1:], strict=False)]
    promoted = sum(rules.trials // GROWTH ** (rung + 1) * step for rung, step in enumerate(steps))
    first = rules.trials * rungs[0]
    finals = rules.finalists * (validation - rungs[0])
    return (
        StageForecast(
            "search",
            Range(0.9 * first + 0.4 * promoted, first + promoted),
            candidates=Range(0.5 * rules.trials, rules.trials),
        ),
        StageForecast("final", Range(0.5 * finals, finals + choices * validation)),
    )


@dataclass
class _Runner:
    point: Assignment
    candidate: Candidate
    rung: int = 0


@dataclass
class Race:
    """Searches ``space``, starting from a scored baseline.

    Args:
        run: The search that this is a part of; its start has been scored fully.
        space: What to choose from.
        rules: How long and how wide.
    """

    run: Run
    space: Space
    rules: Rules
    _runners: list[_Runner] = field(default_factory=list)
    _seen: set[Assignment] = field(default_factory=set)
    _rungs: list[int] = field(default_factory=list)

    async def finish(self) -> None:
        """Race until trials or budget are used up, then score the finalists fully."""
        size = self.run.scorer.size
        self._rungs = _rungs(self.rules.first_block, size)
        self._seen.add(self.space.baseline)
        done = 0
        total = min(self.rules.trials, self.space.size - 1)
        self.run.stage("search", total, f"{self.space.size} combinations on validation blocks")
        number = 0
        while done < total:
            points = self._next(min(self.rules.round, total - done), number)
            points = self._affordable(points)
            if not points:
                break
            await self._try(points)
            await self._promote()
            done += len(points)
            number += 1
            self.run.step("search", done, total)
        if done < total:
            self.run.note(f"the search tried {done} of {total} points: its budget pays no more")
        await self._final()
        if self._runners:
            self.run.log("importance", importance(self.space, self._estimates()))
        await self._prune()

    # --- points ---------------------------------------------------------------------------------

    def _next(self, count: int, number: int) -> list[Assignment]:
        start = self._design()
        fresh = [point for point in start if point not in self._seen][:count]
        if len(fresh) < count:
            values = self._estimates()
            values[self.space.baseline] = self._baseline_mean()
            if self._runners:
                fresh += recombined(self.space, values, min(RECOMBINED, count - len(fresh)))
            seed = self.run.sampling_seed("tpe", number)
            known = {**values, **dict.fromkeys(fresh, self._baseline_mean())}
            fresh += suggest(self.space, known, count - len(fresh), seed)
        return fresh

    def _design(self) -> list[Assignment]:
        """Return the points tried before the sampler knows enough: all values about as often."""
        widest = max(len(choice.values) for choice in self.space.choices)
        count = min(self.rules.trials // 2, max(widest, 2 * self.rules.round))
        return self.space.balanced(count, self.run.rng("design"))

    def _affordable(self, points: Sequence[Assignment]) -> list[Assignment]:
        """Drop points until what is left pays for this round and for the finals after it."""
        fitting = list(points)
        while fitting and not self.run.affords_round(
            len(fitting) * self._rungs[0], self._finals(len(fitting))
        ):
            fitting.pop()
        return fitting

    def _finals(self, more: int = 0) -> int:
        """Return the queries that the finals may take, with ``more`` runners than now."""
        finalists = min(self.rules.finalists, len(self._runners) + more)
        return finalists * (self.run.scorer.size - self._rungs[0])

    # --- rounds ---------------------------------------------------------------------------------

    async def _try(self, points: Sequence[Assignment]) -> None:
        runners = [
            _Runner(point, self.run.candidate(self.space.values(point), self.space.label(point)))
            for point in points
        ]
        self._seen.update(points)
        await self._score(runners, 0)
        self._runners.extend(self._kept(runners))
        self._log(runners)

    async def _promote(self) -> None:
        """Let the best of every rung meet the next block, as far as the budget goes."""
        for rung in range(len(self._rungs) - 2, -1, -1):
            reached = [runner for runner in self._runners if runner.rung >= rung]
            quota = len(reached) // GROWTH - sum(runner.rung > rung for runner in reached)
            base = self._baseline_mean()
            waiting = [
                runner for runner, mean in self._ranked() if runner.rung == rung and mean >= base
            ]
            chosen = waiting[: max(0, quota)]
            step = self._rungs[rung + 1] - self._rungs[rung]
            while chosen and not self.run.affords_round(len(chosen) * step, self._finals()):
                chosen.pop()
            if chosen:
                await self._score(chosen, rung + 1)
                for runner in chosen:
                    runner.rung = rung + 1
                self._runners = self._kept(self._runners)
                self._log(chosen)

    async def _final(self) -> None:
        """Score the best fully; what was offered before stays in the running."""
        base = self._baseline_mean()
        finalists = [
            runner
            for number, (runner, mean) in enumerate(self._ranked())
            # Nothing above the baseline: the best one is still looked at, no more.
            if number == 0 or mean > base
        ][: self.rules.finalists]
        size = self.run.scorer.size
        while finalists and not self.run.affords(sum(size - self._met(one) for one in finalists)):
            finalists.pop()
        self.run.stage("final", len(finalists), "the best on all of validation")
        await self.run.score_fully([runner.candidate for runner in finalists])
        self.run.step("final", len(finalists), len(finalists))
        for runner in finalists:
            runner.rung = len(self._rungs) - 1
        self._log(finalists)

    async def _prune(self) -> None:
        """Take out of the winner what adds nothing, as far as what is left of the budget goes.

        A search that changes several things at once carries some along that only did no harm.
        """
        best = self.run.best
        points = {runner.candidate: runner.point for runner in self._runners}
        if best not in points:
            return
        point = points[best]
        changed = [place for place, index in enumerate(point) if index]
        if len(changed) < 2:
            return
        singles = [self._reverted(point, [place]) for place in changed]
        await self._fully(singles)
        mean = self.run.scorer.estimate(best).mean
        idle = [
            place
            for place, single in zip(changed, singles, strict=True)
            if self.run.scorer.complete(single) and self.run.scorer.estimate(single).mean >= mean
        ]
        if 1 < len(idle) < len(changed):
            await self._fully([self._reverted(point, idle)])

    def _reverted(self, point: Assignment, places: Sequence[int]) -> Candidate:
        simpler = tuple(0 if place in places else index for place, index in enumerate(point))
        return self.run.candidate(self.space.values(simpler), self.space.label(simpler))

    async def _fully(self, candidates: Sequence[Candidate]) -> None:
        size = self.run.scorer.size
        affordable = list(candidates)
        while affordable and not self.run.affords(
            sum(size - len(self.run.scorer.values(one)) for one in affordable)
        ):
            affordable.pop()
        await self.run.score_fully(affordable)
        for candidate in affordable:
            if self.run.scorer.complete(candidate):
                estimate = self.run.scorer.estimate(candidate)
                self.run.log("pruned", {"label": candidate.label, **estimate.to_json()})

    async def _score(self, runners: Sequence[_Runner], rung: int) -> None:
        block = range(self._rungs[rung])
        await self.run.score([ScoreRequest(runner.candidate, block) for runner in runners])
        for runner in runners:
            self.run.offer(runner.candidate)

    def _kept(self, runners: Sequence[_Runner]) -> list[_Runner]:
        kept = []
        for runner in runners:
            if self.run.scorer.comparable(runner.candidate):
                kept.append(runner)
            else:
                self.run.log(
                    "dropped",
                    {"label": runner.candidate.label, "reason": "too many rows lost on the way"},
                )
        return kept

    # --- estimates ------------------------------------------------------------------------------

    def _estimates(self) -> dict[Assignment, float]:
        if not self._runners:
            return {}
        means = shrunken(
            self.run.scorer.values(self.run.start),
            [self.run.scorer.values(runner.candidate) for runner in self._runners],
        )
        return {runner.point: mean for runner, mean in zip(self._runners, means, strict=True)}

    def _baseline_mean(self) -> float:
        return self.run.scorer.estimate(self.run.start).mean

    def _ranked(self) -> list[tuple[_Runner, float]]:
        means = self._estimates()
        # The sort is stable: of equals the one tried first comes first.
        runners = sorted(self._runners, key=lambda runner: -means[runner.point])
        return [(runner, means[runner.point]) for runner in runners]

    def _met(self, runner: _Runner) -> int:
        return len(self.run.scorer.values(runner.candidate))

    def _log(self, runners: Sequence[_Runner]) -> None:
        means = self._estimates()
        for runner in runners:
            if runner.point in means:
                self.run.log_trial(
                    runner.candidate,
                    point=dict(self.space.to_json(runner.point)),
                    shrunken=means[runner.point],
                )


def _rungs(first: int, size: int) -> list[int]:
    """Return how many examples each rung has met: ``first``, three times as many, ..., all."""
    rungs = [min(first, size)]
    while rungs[-1] < size:
        rungs.append(min(size, rungs[-1] * GROWTH))
    return rungs
