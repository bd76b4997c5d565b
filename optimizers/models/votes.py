"""Choose how many samples a vote or a judge should see; 1 where neither pays."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog import BestOf, Example, Module, Vote
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.knobs import takes_items, takes_number, takes_whole
from langprog.lm import Cost
from langprog.modules import answer_key
from langprog.runtime import sample_draw
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_modules
from optimizers.evaluation.scorer import average_cost
from optimizers.models.judging import JudgeRates, choose_judged_size, judge_rows
from optimizers.models.step_results import run_steps
from optimizers.models.vote_fit import MOST_SAMPLES, VoteCounts, choose_size, fit_mixture
from optimizers.run import Run

SIZES = (1, 3, 5, 9, 15)


@dataclass(frozen=True, kw_only=True)
class VoteSize(Optimizer):
    """Choose k of every Vote and BestOf of a program, 1 where more samples do not pay.

    A few samples of some validation examples tell how many items are easy or hard and how often
    wrong answers agree; the accuracy of a vote of any size follows from that. A BestOf's judge is
    tested on the same samples: how often it accepts right answers, and wrong ones.

    Follows: Are More LLM Calls All You Need? Towards the Scaling Properties of Compound AI
    Systems (Chen et al., 2024), the two-difficulty mixture; Networks of Networks (Davis et al.,
    2024), whether verifying is easier than generating. Differs: plurality over many wrong
    answers; "do not vote" unless the gain is beyond the luck of the samples. A Vote inside a
    larger program is sampled together with the rest of it; a BestOf with several generators is
    sampled with its first.

    Args:
        samples: Samples in total, for each Vote or BestOf.
        draws: Samples of each example.
        sizes: Values of k to choose from.
        cap: Highest mean cost of a query, in dollars.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    samples: int = field(default=240, metadata=takes_whole(20))
    draws: int = field(default=3, metadata=takes_whole(2, 10_000))
    sizes: Sequence[int] = field(default=SIZES, metadata=takes_items(takes_whole(1, MOST_SAMPLES)))
    cap: float | None = field(default=None, metadata=takes_number(0, above=True))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.samples < 10 * self.draws:
            raise InputError(
                f"VoteSize(samples={self.samples}, draws={self.draws}): samples has to be at "
                "least 10 times draws"
            )

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast the samples, and the chosen sizes on all of validation."""
        samples = min(self.samples, facts.validation * self.draws, 0.5 * facts.queries)
        return (
            StageForecast("prepare", Range(facts.validation, facts.validation)),
            StageForecast("search", Range(0.3 * samples, samples), candidates=Range(1, 2)),
        )

    def check(self, program: Module) -> None:
        """Refuse a program without a Vote and a BestOf."""
        if not _find_repeated(program):
            raise InputError(
                "the program has no Vote and no BestOf: wrap what is to be sampled several times, "
                "as in lp.Vote(program)"
            )

    async def search(self, run: Run) -> Candidate:
        """Sample, fit and choose, one module after another."""
        repeated = _find_repeated(run.program)
        run.start_stage("prepare", 1, "the program as it is on validation")
        left = run.queries_left()
        run.scorer.narrow(max(1, int(min(run.scorer.size, left / 4))))
        await run.score_fully([run.start])
        values: dict[str, Any] = {}
        run.start_stage("search", len(repeated), "how many samples to take")
        for number, (path, module) in enumerate(repeated.items(), start=1):
            values[f"{path}.k"] = await self._choose_size(run, path, module, values)
            run.advance_stage("search", number, len(repeated))
        best = run.make_candidate(values, ", ".join(f"{key}={k}" for key, k in values.items()))
        single = run.make_candidate(dict.fromkeys(values, 1), "nothing is asked twice")
        await run.score_fully(list(dict.fromkeys([single, best])))
        for candidate in dict.fromkeys([single, best]):
            run.log_trial(candidate)
        run.weighed = True
        return best

    async def _choose_size(
        self, run: Run, path: str, module: _RepeatedModule, values: Mapping[str, Any]
    ) -> int:
        count = min(run.scorer.size, self.samples // self.draws)
        examples = run.materials.validation[:count]
        single = run.make_candidate({**values, f"{path}.k": 1}, f"{path} sampled once")
        rows = [await self._draw(run, single, examples, number) for number in range(self.draws)]
        by_item = [
            [row for row in (draw[at] for draw in rows) if row.score is not None]
            for at in range(count)
        ]
        by_item = [item for item in by_item if item]
        if not by_item:
            return 1
        cost = average_cost([row for item in by_item for row in item])
        seed = run.sampling_seed("votes", path)
        if module.judged is not None:
            return await self._choose_judged_size(run, path, module.judged, by_item, cost, seed)
        items = [VoteCounts.of(_read_answer(row, module.on) for row in item) for item in by_item]
        mixture = fit_mixture(items)
        offered = self._list_affordable(cost, 0.0)
        size = choose_size(items, offered, seed=seed)
        expected = {k: round(mixture.accuracy(k), 4) for k in offered}
        run.log("votes", {"path": path, "expected": expected, "chosen": size})
        choice = f"k={size}" if size > 1 else "do not vote: no gain is shown"
        run.note(
            f"{path}: {choice}; expected accuracy "
            + ", ".join(f"{value:.2f} at k={k}" for k, value in expected.items())
        )
        return size

    async def _draw(
        self, run: Run, single: Candidate, examples: Sequence[Example], number: int
    ) -> Sequence[Row]:
        # The same draws as the vote's own, so that its requests are in the journal already.
        with sample_draw(number, _read_temperature(run, single)):
            (rows,) = await run_steps(run, [single], examples, priced=self.cap is not None)
        return rows

    async def _choose_judged_size(
        self,
        run: Run,
        path: str,
        module: BestOf,
        items: Sequence[Sequence[Row]],
        cost: Cost,
        seed: int,
    ) -> int:
        names = module.input_names()
        if any(name not in row.example for item in items for row in item for name in names):
            run.note(f"{path} has inputs that the examples lack, so its judge was not tested")
            return module.k
        verdicts, dollars = await judge_rows(module, names, items, run.materials.concurrency)
        run.settle()
        rates = JudgeRates.of(items, verdicts)
        offered = self._list_affordable(cost, dollars)
        size = choose_judged_size(items, verdicts, offered, random.Random(f"judge/{seed}"))
        run.log("judge", {"path": path, **rates.to_json(), "chosen": size})
        choice = f"k={size}" if size > 1 else "the judge does not pay"
        run.note(
            f"{path}: {choice}; the generator is right on {rates.generate:.0%}; of right answers "
            f"the judge accepts {rates.accepts_right:.0%}, of wrong ones "
            f"{rates.accepts_wrong:.0%}"
        )
        return size

    def _list_affordable(self, cost: Cost, judging: float) -> list[int]:
        if self.cap is None:
            return sorted(set(self.sizes))
        sample = cost.dollars + judging
        return sorted({k for k in self.sizes if k == 1 or k * sample <= self.cap})


def _read_answer(row: Row, on: Sequence[str]) -> tuple[str, bool]:
    assert row.score is not None
    if row.prediction is None:
        return "no answer", False
    names = [name for name in on if name in row.prediction]
    return answer_key(row.prediction, names), row.score.value >= 0.5


def _read_temperature(run: Run, single: Candidate) -> float:
    return next(iter(_find_repeated(single.apply(run.materials.base)).values())).temperature


@dataclass(frozen=True, slots=True)
class _RepeatedModule:
    """A module that is sampled several times.

    Args:
        temperature: Temperature of its samples.
        on: Outputs that are voted on.
        judged: The module itself, where a judge picks instead of a vote.
    """

    temperature: float
    on: Sequence[str] = ()
    judged: BestOf | None = None


def _find_repeated(program: Module) -> dict[str, _RepeatedModule]:
    votes, judged = tunable_modules(program, Vote), tunable_modules(program, BestOf)
    repeated = {
        **{path: _RepeatedModule(vote.temperature, vote.on) for path, vote in votes.items()},
        **{
            path: _RepeatedModule(best_of.temperature, judged=best_of)
            for path, best_of in judged.items()
        },
    }
    return {path: repeated[path] for path in program.named_modules() if path in repeated}
