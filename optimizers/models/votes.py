"""How many samples a vote or a judge should see, or that neither pays."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog import BestOf, Example, Module, Vote
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.lm import Cost
from langprog.modules import answer_key
from langprog.runtime import sample_draw
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_modules
from optimizers.evaluation.scorer import average_cost
from optimizers.models.judging import Verdicts, best_judged, judged_rows
from optimizers.models.observed import step_rows
from optimizers.models.vote_fit import MOST_SAMPLES, Votes, best_size, fitted
from optimizers.run import Run

SIZES = (1, 3, 5, 9, 15)


@dataclass(frozen=True, kw_only=True)
class VoteSize(Optimizer):
    """Choose k of every Vote and BestOf of a program, 1 where asking more often does not pay.

    A few samples of a few validation examples tell how many items are easy and hard, and how
    their wrong answers agree; from that follows the accuracy of a vote of any size. A BestOf's
    judge is probed on the same samples: how often it accepts right answers, and wrong ones.

    Follows: Are More LLM Calls All You Need? Towards the Scaling Properties of Compound AI
    Systems (Chen et al., 2024), the two-difficulty mixture; Networks of Networks (Davis et al.,
    2024), whether verifying is easier than generating. Differs: plurality over many wrong
    answers; "do not vote" unless the gain is more than the luck of the samples. A Vote inside a
    larger program is sampled together with what is around it, and of a BestOf with several
    generators the first.

    Args:
        samples: Samples in all, for one Vote or BestOf.
        draws: Samples of an example.
        sizes: Values of k to choose from.
        cap: Mean dollars of a query at most.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    samples: int = 240
    draws: int = 3
    sizes: Sequence[int] = SIZES
    cap: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.draws < 2 or self.samples < 10 * self.draws:
            raise InputError(
                "draws is 2 or more and samples at least 10 times as many, not "
                f"{self.draws} and {self.samples}"
            )
        if not self.sizes or not all(1 <= k <= MOST_SAMPLES for k in self.sizes):
            raise InputError(f"sizes are from 1 to {MOST_SAMPLES}, not {self.sizes!r}")
        if self.cap is not None and self.cap <= 0:
            raise InputError(f"cap is dollars of a query, above 0, not {self.cap}")

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return the samples, and what was chosen on all of validation."""
        samples = min(self.samples, facts.validation * self.draws, 0.5 * facts.queries)
        return (
            StageForecast("prepare", Range(facts.validation, facts.validation)),
            StageForecast("search", Range(0.3 * samples, samples), candidates=Range(1, 2)),
        )

    def check(self, program: Module) -> None:
        """Refuse a program that asks nothing several times."""
        if not _voting(program):
            raise InputError(
                "the program has no Vote and no BestOf: wrap what is to be asked several times, "
                "lp.Vote(program)"
            )

    async def search(self, run: Run) -> Candidate:
        """Sample, fit and choose, module after module."""
        found = _voting(run.program)
        run.stage("prepare", 1, "the program as it is on validation")
        left = run.queries_left()
        run.scorer.narrow(max(1, int(min(run.scorer.size, left / 4))))
        await run.score_fully([run.start])
        values: dict[str, Any] = {}
        run.stage("search", len(found), "how often to ask")
        for number, (path, voting) in enumerate(found.items(), start=1):
            values[f"{path}.k"] = await self._size(run, path, voting, values)
            run.step("search", number, len(found))
        best = run.candidate(values, ", ".join(f"{key}={k}" for key, k in values.items()))
        single = run.candidate(dict.fromkeys(values, 1), "nothing is asked twice")
        await run.score_fully(list(dict.fromkeys([single, best])))
        for one in dict.fromkeys([single, best]):
            run.log_trial(one)
        run.weighed = True
        return best

    async def _size(self, run: Run, path: str, voting: _Voting, values: Mapping[str, Any]) -> int:
        count = min(run.scorer.size, self.samples // self.draws)
        examples = run.materials.validation[:count]
        one = run.candidate({**values, f"{path}.k": 1}, f"{path} asked once")
        rows = [await self._draw(run, one, examples, number) for number in range(self.draws)]
        by_item = [
            [row for row in (draw[at] for draw in rows) if row.score is not None]
            for at in range(count)
        ]
        by_item = [item for item in by_item if item]
        if not by_item:
            return 1
        cost = average_cost([row for item in by_item for row in item])
        seed = run.sampling_seed("votes", path)
        if voting.judged is not None:
            return await self._judge(run, path, voting.judged, by_item, cost, seed)
        items = [Votes.of(_answer(row, voting.on) for row in item) for item in by_item]
        mixture = fitted(items)
        offered = self._offered(cost, 0.0)
        size = best_size(items, offered, seed=seed)
        expected = {k: round(mixture.accuracy(k), 4) for k in offered}
        run.log("votes", {"path": path, "expected": expected, "chosen": size})
        said = f"k={size}" if size > 1 else "do not vote: no gain is shown"
        run.note(
            f"{path}: {said}; expected accuracy "
            + ", ".join(f"{value:.2f} at k={k}" for k, value in expected.items())
        )
        return size

    async def _draw(
        self, run: Run, one: Candidate, examples: Sequence[Example], number: int
    ) -> Sequence[Row]:
        # The same draws as the vote's own, so that its requests are in the journal already.
        with sample_draw(number, _temperature(run, one)):
            (rows,) = await step_rows(run, [one], examples, priced=self.cap is not None)
        return rows

    async def _judge(
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
            run.note(f"{path} gets inputs that no example has, so its judge was not probed")
            return module.k
        verdicts, dollars = await judged_rows(module, names, items, run.materials.concurrency)
        run.settle()
        probe = Verdicts.of(items, verdicts)
        offered = self._offered(cost, dollars)
        size = best_judged(items, verdicts, offered, random.Random(f"judge/{seed}"))
        run.log("judge", {"path": path, **probe.to_json(), "chosen": size})
        said = f"k={size}" if size > 1 else "the judge does not pay"
        run.note(
            f"{path}: {said}; the generator is right on {probe.generate:.0%}; of right answers "
            f"the judge accepts {probe.accepts_right:.0%}, of wrong ones "
            f"{probe.accepts_wrong:.0%}"
        )
        return size

    def _offered(self, cost: Cost, judging: float) -> list[int]:
        if self.cap is None:
            return sorted(set(self.sizes))
        each = cost.dollars + judging
        return sorted({k for k in self.sizes if k == 1 or k * each <= self.cap})


def _answer(row: Row, on: Sequence[str]) -> tuple[str, bool]:
    assert row.score is not None
    if row.prediction is None:
        return "no answer", False
    listed = [name for name in on if name in row.prediction]
    return answer_key(row.prediction, listed), row.score.value >= 0.5


def _temperature(run: Run, one: Candidate) -> float:
    return next(iter(_voting(one.apply(run.materials.base)).values())).temperature


@dataclass(frozen=True, slots=True)
class _Voting:
    """What is asked several times.

    Args:
        temperature: How freely it samples.
        on: Outputs that are voted on.
        judged: The module, where a judge picks instead of a vote.
    """

    temperature: float
    on: Sequence[str] = ()
    judged: BestOf | None = None


def _voting(program: Module) -> dict[str, _Voting]:
    votes, judged = tunable_modules(program, Vote), tunable_modules(program, BestOf)
    both = {
        **{path: _Voting(each.temperature, each.on) for path, each in votes.items()},
        **{path: _Voting(each.temperature, judged=each) for path, each in judged.items()},
    }
    return {path: both[path] for path in program.named_modules() if path in both}
