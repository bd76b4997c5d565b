"""Race changes of a program's structure before its prompts are searched.

Follows: successive halving (Jamieson and Talwalkar, 2016) over single changes, which are then
added up, as in forward selection.
Differs: a change is adopted only where its paired gain exceeds chance. A program that does
everything right on the first block ends the race, other adapters are tried only where a reply
could not be read, and a small budget tries only what looks wrong in the program itself; so where
nothing is to be gained, little is spent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from langprog.knobs import takes_instance
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.models.tradeoffs import standard_error
from optimizers.run import Run
from optimizers.search.changes import Change, Structuring, list_changes
from optimizers.search.halving import list_rungs, take_affordable

GROWTH = 3
RUNGS = 3
# Standard errors by which a change has to gain: in the end, and to need no further examples.
GAIN, CLEAR_GAIN = 1.645, 3.0
# What loses by more than this on half of the first block is dropped.
HOPELESS = -1.0
# With a smaller budget, only what looks wrong is tried.
FEWEST_QUERIES = 200


@dataclass(frozen=True, slots=True)
class PairedGain:
    """What a candidate gains over another one on the same examples.

    Args:
        before: Mean score of the other one.
        after: Mean score of the candidate.
        n: Examples.
        errors: The difference in standard errors.
    """

    before: float
    after: float
    n: int
    errors: float


@dataclass(frozen=True, kw_only=True)
class StructureSearch(Optimizer):
    """Find out what is wrong with the structure of a program; a part of Compiler.

    Args:
        structuring: What is tried, and how much it may take.
        concurrency: Examples processed at the same time.
    """

    structuring: Structuring = field(default=Structuring(), metadata=takes_instance(Structuring))

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the first block of a few changes, and of the program as it is."""
        if not self.structuring.share:
            return ()
        block = min(self.structuring.first_block, facts.validation)
        changes = 3 + 2 * facts.predictors if facts.queries >= FEWEST_QUERIES else 1
        most = min((2 + changes + 2 * GROWTH) * block, self.structuring.share * facts.queries)
        return (StageForecast("structure", Range(min(block, most), most)),)

    async def search(self, run: Run) -> Candidate:
        """Adopt the change that gains most, then those that gain more on top of it."""
        changes = list_changes(run.program, self.structuring)
        if run.queries_left() < FEWEST_QUERIES * self.structuring.share:
            changes = [change for change in changes if change.suspect]
        block = min(self.structuring.first_block, run.scorer.size)
        if not changes or not run.affords(2 * block):
            return run.start
        run.start_stage("structure", len(changes), "the structure of the program")
        await run.score([ScoreRequest(run.start, range(block))])
        # Where all replies can be read, an adapter rarely does better than another.
        if not any(size.unreadable for size in run.scorer.prompt_sizes(run.start).values()):
            changes = [change for change in changes if not change.for_form]
        best, adopted = run.start, list[Change]()
        while changes and self._has_headroom(run, best):
            winner, promising = await self._race(run, best, adopted, changes)
            if winner is None:
                break
            change, gain = winner
            adopted.append(change)
            best = self._apply(run, adopted)
            _report(run, change, gain)
            changes = [other for other in promising if not any(map(other.conflicts_with, adopted))]
        return best

    def _has_headroom(self, run: Run, candidate: Candidate) -> bool:
        scores = run.scorer.values(candidate).values()
        return not scores or not run.materials.metric.is_full(min(scores))

    def _apply(self, run: Run, changes: Sequence[Change]) -> Candidate:
        values: dict[str, Any] = {}
        for change in changes:
            values |= change.values
        return run.make_candidate(values, "; ".join(change.label for change in changes))

    async def _race(
        self, run: Run, best: Candidate, adopted: Sequence[Change], changes: Sequence[Change]
    ) -> tuple[tuple[Change, PairedGain] | None, list[Change]]:
        """Race changes of the best candidate.

        Returns:
            The change to adopt, if any, and all that did better than the best at first.
        """
        entrants = {self._apply(run, [*adopted, change]): change for change in changes}
        entrants.pop(best, None)
        promising: list[Change] = []
        leader: tuple[Change, PairedGain] | None = None
        block = self.structuring.first_block
        last = min(run.scorer.size, block * GROWTH ** (RUNGS - 1))
        for rung in (block // 2, *list_rungs(block, last, GROWTH)):
            standing = take_affordable(run, [best, *entrants], rung)[1:]
            if not standing:
                break
            await run.score([ScoreRequest(each, range(rung)) for each in (best, *standing)])
            standing = [each for each in standing if run.scorer.is_comparable(each)]
            gains = {each: compare(run, each, best) for each in standing}
            for each in standing:
                run.log_trial(each, paired_mean=gains[each].after)
            # The sort is stable: of equals, the more promising change comes first.
            ranked = sorted(standing, key=lambda each: -gains[each].errors)
            if rung < block:  # too few to say more than which are hopeless
                entrants = {
                    each: entrants[each]
                    for each in ranked
                    if gains[each].errors > 0
                    or (
                        gains[each].errors > HOPELESS and _is_worth_more(run, each, entrants[each])
                    )
                }
                continue
            ranked = [each for each in ranked if gains[each].errors > 0]
            promising = promising or [entrants[each] for each in ranked]
            leader = (entrants[ranked[0]], gains[ranked[0]]) if ranked else None
            if leader is None or leader[1].errors >= CLEAR_GAIN:
                break
            entrants = {each: entrants[each] for each in ranked[: (len(ranked) + 1) // 2]}
        if leader is not None:
            # A lead on the first block alone, from among many, is often luck.
            needed = GAIN if leader[1].n > block else CLEAR_GAIN
            if leader[1].errors < needed:
                leader = None
        return leader, promising


def _is_worth_more(run: Run, candidate: Candidate, change: Change) -> bool:
    """Return whether a candidate that gained nothing so far deserves further examples."""
    sizes = run.scorer.prompt_sizes(candidate).values()
    return not change.mild and all(size.unreadable < 1 for size in sizes)


def compare(run: Run, candidate: Candidate, other: Candidate) -> PairedGain:
    """Compare two candidates on the validation examples on which both have a score."""
    scores, others = run.scorer.values(candidate), run.scorer.values(other)
    common = sorted(scores.keys() & others.keys())
    if not common:
        return PairedGain(0.0, 0.0, 0, 0.0)
    after = np.array([scores[index] for index in common])
    before = np.array([others[index] for index in common])
    low, high = run.materials.metric.range
    difference = (after - before) / (high - low)
    errors = float(difference.mean() / standard_error(difference))
    return PairedGain(float(before.mean()), float(after.mean()), len(common), errors)


def _report(run: Run, change: Change, gain: PairedGain) -> None:
    text = (
        f"{change.fault}; {change.remedy}: {gain.before:.2f} -> {gain.after:.2f} on "
        f"{gain.n} validation examples"
    )
    run.log("fault", {"text": text, "keys": sorted(change.values)})
    run.note(text)
