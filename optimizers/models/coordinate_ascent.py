"""Improve an assignment of models one predictor at a time, on common examples.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), LLMSelector, for
the ascent in quality.
Differs: models are compared by their means on the same examples, in two rungs, and not by the mode
of each example's best; for cost or latency, a second pass moves predictors to cheaper models as
far as the quality allows, the largest saving first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from langprog.lm import model_name
from optimizers.evaluation.binding import Model
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.pareto import Objective
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.models.diagnoser import Diagnoser
from optimizers.models.tradeoffs import standard_error
from optimizers.run import Run
from optimizers.search.halving import list_rungs, take_affordable

# Examples of the first rung, after which the better half of the models goes on.
FIRST_RUNG = 24

Models = Mapping[str, Model]


def assign_models(run: Run, models: Models) -> Candidate:
    """Return the candidate that assigns ``models`` to predictors, by their paths."""
    values = {f"{path}.model": model for path, model in models.items()}
    label = ", ".join(f"{path}: {model or 'as it is'}" for path, model in models.items())
    return run.make_candidate(values, label)


def is_clearly_worse(
    run: Run, candidate: Candidate, other: Candidate, examples: int, allowed: float
) -> bool:
    """Return whether a candidate seems worse than another by more than chance and ``allowed``.

    Args:
        run: The search.
        candidate: The candidate in question.
        other: What it is compared with.
        examples: Number of validation examples to compare on.
        allowed: Mean score that may be given up.
    """
    scores, others = run.scorer.values(candidate), run.scorer.values(other)
    common = [index for index in range(examples) if index in scores and index in others]
    if not common:
        return False
    difference = np.array([scores[index] - others[index] for index in common])
    return bool(difference.mean() + allowed < -standard_error(difference))


async def score_if_close(run: Run, candidate: Candidate, tolerance: float) -> bool:
    """Score a candidate while it is promising; return whether its quality is close to the best.

    Args:
        run: The search; its best was scored fully.
        candidate: A cheaper or quicker candidate.
        tolerance: Mean score that may be given up.
    """
    size = run.scorer.size
    for rung in list_rungs(FIRST_RUNG, size):
        if not take_affordable(run, [candidate], rung):
            return False
        await run.score([ScoreRequest(candidate, range(rung))])
        if is_clearly_worse(run, candidate, run.best, rung, tolerance):
            return False
    run.offer(candidate)
    run.log_trial(candidate)
    if not run.scorer.is_complete(candidate):
        return False
    return run.scorer.estimate(candidate).mean >= run.scorer.estimate(run.best).mean - tolerance


@dataclass
class CoordinateAscent:
    """A coordinate ascent over the models of predictors.

    Args:
        run: The search that this is a part of; its start has been scored fully.
        choices: The models that each predictor may have, its present one first, by path.
        objective: What counts.
        tolerance: Mean score that may be given up for cost or latency.
        diagnoser: Judges what a model contributes; ``None``: the end-to-end score alone counts.
    """

    run: Run
    choices: Mapping[str, Sequence[Model]]
    objective: Objective
    tolerance: float
    diagnoser: Diagnoser | None
    _current: dict[str, Model] = field(init=False)
    _prices: dict[str, dict[Model, float]] = field(init=False)
    _steps: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._current = {path: models[0] for path, models in self.choices.items()}
        self._prices = {path: {} for path in self.choices}

    async def finish(self, rounds: int) -> None:
        """Pass over the predictors until nothing changes, at most ``rounds`` times."""
        passes = rounds + (self.objective != "quality")
        total = passes * len(self.choices)
        self.run.start_stage("search", total, "models, predictor by predictor")
        for turn in range(rounds):
            before = dict(self._current)
            for path in self.choices:
                self._current[path] = await self._find_best(path)
                self._step(total)
            self._log_assignment(turn)
            if self._current == before:
                break
        if self.objective != "quality":
            await self._reduce_price(total)
        self.run.advance_stage("search", total, total)

    @property
    def _allowed(self) -> float:
        return 0.0 if self.objective == "quality" else self.tolerance

    def _log_assignment(self, turn: int | str) -> None:
        names = {path: model_name(model) for path, model in self._current.items()}
        self.run.log("assigned", {"round": turn, **names})

    def _step(self, total: int) -> None:
        self._steps += 1
        self.run.advance_stage("search", self._steps, total)

    def _assign(self, path: str, model: Model) -> Candidate:
        return assign_models(self.run, {**self._current, path: model})

    # --- up in quality --------------------------------------------------------------------------

    async def _find_best(self, path: str) -> Model:
        """Return the model that scores best at ``path`` while the other predictors keep theirs."""
        present = self._current[path]
        # The present model comes first, so that it stays where another is only as good.
        standing = [present, *(model for model in self.choices[path] if model != present)]
        candidates = {model: self._assign(path, model) for model in standing}
        size = self.run.scorer.size
        worth: dict[Model, float] = {}
        for rung in list_rungs(FIRST_RUNG, size):
            in_order = [candidates[model] for model in standing]
            standing = standing[: len(take_affordable(self.run, in_order, rung, fewest=1))]
            await self.run.score(
                [ScoreRequest(candidates[model], range(rung)) for model in standing]
            )
            worth = {
                model: await self._estimate_worth(candidates[model], path, rung)
                for model in standing
            }
            if rung < size:
                standing = self._halve(standing, candidates, worth, rung)
        for model, candidate in candidates.items():
            self._prices[path][model] = self._price(candidate) - self._price(candidates[present])
        for model in standing:
            self.run.offer(candidates[model])
            self.run.log_trial(candidates[model])
        return max(standing, key=lambda model: worth[model])

    def _halve(
        self,
        standing: Sequence[Model],
        candidates: Mapping[Model, Candidate],
        worth: Mapping[Model, float],
        rung: int,
    ) -> list[Model]:
        """Return the present model, and the better half of the others unless clearly worse."""
        present, *others = standing
        others.sort(key=lambda model: -worth[model])
        half = others[: math.ceil(len(others) / 2)]
        return [
            present,
            *(
                model
                for model in half
                if not is_clearly_worse(
                    self.run, candidates[model], candidates[present], rung, self._allowed
                )
            ),
        ]

    async def _estimate_worth(self, candidate: Candidate, path: str, rung: int) -> float:
        if self.diagnoser is None:
            return self.run.scorer.estimate(candidate).mean
        return await self.diagnoser.estimate_worth(self.run, candidate, path, rung)

    # --- down in cost or latency ----------------------------------------------------------------

    def _price(self, candidate: Candidate) -> float:
        if self.objective == "latency":
            return self.run.scorer.latency(candidate)[0]
        return self.run.scorer.cost(candidate).dollars

    async def _reduce_price(self, total: int) -> None:
        """Give each predictor in turn the cheapest model that keeps the quality close."""
        best = self.run.best.apply(self.run.materials.base).predictors()
        self._current = {path: best[path].model for path in self.choices}
        for path in sorted(self.choices, key=lambda path: -self._largest_saving(path)):
            prices, present = self._prices[path], self._current[path]
            cheaper = [model for model in prices if prices[model] < prices[present]]
            for model in sorted(cheaper, key=lambda model: prices[model]):
                if await score_if_close(self.run, self._assign(path, model), self.tolerance):
                    self._current[path] = model
                    break
            self._step(total)
        self._log_assignment("down")

    def _largest_saving(self, path: str) -> float:
        prices = self._prices[path]
        return prices[self._current[path]] - min(prices.values())
