"""From assignment to assignment of models, one predictor at a time, on common examples.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), LLMSelector, for
the ascent in quality. Differs: models are compared by means on the same examples, in two rungs,
and not by the mode of each example's best; where cost or latency counts, a second pass goes down
to cheaper models as far as the quality allows, the largest saving first.
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
from optimizers.models.choice import standard_error
from optimizers.models.diagnoser import Diagnoser
from optimizers.run import Run

# The first rung: so many examples, of which the better half of the models goes on.
FIRST_RUNG = 24

Models = Mapping[str, Model]


def assigned(run: Run, models: Models) -> Candidate:
    """Return the candidate that has ``models``, by path of the predictor."""
    values = {f"{path}.model": model for path, model in models.items()}
    label = ", ".join(f"{path}: {model or 'as it is'}" for path, model in models.items())
    return run.candidate(values, label)


def beaten(run: Run, one: Candidate, other: Candidate, examples: int, allowed: float) -> bool:
    """Return whether ``one`` seems worse by more than chance and what is ``allowed`` explain."""
    ours, theirs = (run.scorer.values(each) for each in (one, other))
    common = [index for index in range(examples) if index in ours and index in theirs]
    if not common:
        return False
    difference = np.array([ours[index] - theirs[index] for index in common])
    return bool(difference.mean() + allowed < -standard_error(difference))


async def close(run: Run, one: Candidate, tolerance: float) -> bool:
    """Score ``one`` as far as it is promising; return whether it is close to the best in quality.

    Args:
        run: The search; its best was scored fully.
        one: What is cheaper or quicker.
        tolerance: Quality that may be given up.
    """
    size = run.scorer.size
    for rung in dict.fromkeys((min(FIRST_RUNG, size), size)):
        if not run.affords(max(0, rung - len(run.scorer.values(one)))):
            return False
        await run.score([ScoreRequest(one, range(rung))])
        if beaten(run, one, run.best, rung, tolerance):
            return False
    run.offer(one)
    run.log_trial(one)
    if not run.scorer.complete(one):
        return False
    return run.scorer.estimate(one).mean >= run.scorer.estimate(run.best).mean - tolerance


@dataclass
class Climb:
    """A climb from where a search begins.

    Args:
        run: The search that this is a part of; its start has been scored fully.
        choices: By predictor: the models that it may have, the present one first.
        objective: What counts.
        tolerance: Quality that may be given up for cost or latency.
        diagnoser: Has a say in what a model is worth, where there is one.
    """

    run: Run
    choices: Mapping[str, Sequence[Model]]
    objective: Objective
    tolerance: float
    diagnoser: Diagnoser | None
    _now: dict[str, Model] = field(init=False)
    _prices: dict[str, dict[Model, float]] = field(init=False)
    _steps: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._now = {path: models[0] for path, models in self.choices.items()}
        self._prices = {path: {} for path in self.choices}

    async def finish(self, rounds: int) -> None:
        """Pass over the predictors until nothing changes, ``rounds`` times at most."""
        passes = rounds + (self.objective != "quality")
        total = passes * len(self.choices)
        self.run.stage("search", total, "models, predictor by predictor")
        for turn in range(rounds):
            before = dict(self._now)
            for path in self.choices:
                self._now[path] = await self._best_for(path)
                self._step(total)
            self._log_assigned(turn)
            if self._now == before:
                break
        if self.objective != "quality":
            await self._go_down(total)
        self.run.step("search", total, total)

    @property
    def _allowed(self) -> float:
        return 0.0 if self.objective == "quality" else self.tolerance

    def _log_assigned(self, turn: int | str) -> None:
        names = {path: model_name(model) for path, model in self._now.items()}
        self.run.log("assigned", {"round": turn, **names})

    def _step(self, total: int) -> None:
        self._steps += 1
        self.run.step("search", self._steps, total)

    def _with(self, path: str, model: Model) -> Candidate:
        return assigned(self.run, {**self._now, path: model})

    # --- up in quality --------------------------------------------------------------------------

    async def _best_for(self, path: str) -> Model:
        """Return the best model for one predictor while the others keep theirs."""
        now = self._now[path]
        # The present one comes first: of equals it stays.
        standing = [now, *(model for model in self.choices[path] if model != now)]
        ones = {model: self._with(path, model) for model in standing}
        size = self.run.scorer.size
        worth: dict[Model, float] = {}
        for rung in dict.fromkeys((min(FIRST_RUNG, size), size)):
            standing = self._affordable(standing, ones, rung)
            await self.run.score([ScoreRequest(ones[model], range(rung)) for model in standing])
            worth = {model: await self._worth(ones[model], path, rung) for model in standing}
            if rung < size:
                standing = self._promising(standing, ones, worth, rung)
        for model, one in ones.items():
            self._prices[path][model] = self._price(one) - self._price(ones[now])
        for model in standing:
            self.run.offer(ones[model])
            self.run.log_trial(ones[model])
        return max(standing, key=lambda model: worth[model])

    def _affordable(
        self, standing: list[Model], ones: Mapping[Model, Candidate], rung: int
    ) -> list[Model]:
        scorer = self.run.scorer
        while len(standing) > 1 and not self.run.affords(
            sum(max(0, rung - len(scorer.values(ones[model]))) for model in standing)
        ):
            standing = standing[:-1]
        return standing

    def _promising(
        self,
        standing: Sequence[Model],
        ones: Mapping[Model, Candidate],
        worth: Mapping[Model, float],
        rung: int,
    ) -> list[Model]:
        """Return the present model, and of the others the better half that it does not beat."""
        now, *others = standing
        others.sort(key=lambda model: -worth[model])
        half = others[: math.ceil(len(others) / 2)]
        return [
            now,
            *(
                one
                for one in half
                if not beaten(self.run, ones[one], ones[now], rung, self._allowed)
            ),
        ]

    async def _worth(self, one: Candidate, path: str, rung: int) -> float:
        if self.diagnoser is None:
            return self.run.scorer.estimate(one).mean
        return await self.diagnoser.blended(self.run, one, path, rung)

    # --- down in cost or latency ----------------------------------------------------------------

    def _price(self, one: Candidate) -> float:
        if self.objective == "latency":
            return self.run.scorer.latency(one)[0]
        return self.run.scorer.cost(one).dollars

    async def _go_down(self, total: int) -> None:
        """Give predictor after predictor the cheapest model that keeps the quality close."""
        best = self.run.best.apply(self.run.materials.base).predictors()
        self._now = {path: best[path].model for path in self.choices}
        for path in sorted(self.choices, key=lambda path: -self._saving(path)):
            prices, now = self._prices[path], self._now[path]
            cheaper = [model for model in prices if prices[model] < prices[now]]
            for model in sorted(cheaper, key=lambda model: prices[model]):
                if await close(self.run, self._with(path, model), self.tolerance):
                    self._now[path] = model
                    break
            self._step(total)
        self._log_assigned("down")

    def _saving(self, path: str) -> float:
        prices = self._prices[path]
        return prices[self._now[path]] - min(prices.values())
