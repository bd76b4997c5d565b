"""A model for every predictor, one predictor at a time.

Follows: Optimizing Model Selection for Compound AI Systems (Chen et al., 2025), LLMSelector:
coordinate ascent over modules, with a diagnoser that says of each module whether it did its part.
Differs: an assignment is a value and not state on the program; models are compared by means on
common examples, in two rungs, and not by the mode of each example's best; where all assignments
are few, all of them are tried.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from langprog import Predict
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.lm import LanguageModel
from langprog.runtime import current, in_order
from langprog.signature import signature_of
from optimizers.base import Optimizer
from optimizers.candidate import Candidate
from optimizers.fingerprint import model_name
from optimizers.forecast import Facts, Span, Work
from optimizers.instructions.wording import value_text
from optimizers.rows import Job, run_rows
from optimizers.run import Run
from optimizers.scoring import Ask

# The first rung: so many examples, of which the better half of the models goes on.
FIRST_RUNG = 24
FEWEST_EXAMPLES = 20


@dataclass(frozen=True, kw_only=True)
class LLMSelector(Optimizer):
    """Assign a model to every predictor.

    Args:
        models: Models to choose from, beside the one that each predictor has.
        rounds: Passes over the predictors; a pass that changes nothing is the last.
        exhaustive: Assignments up to which all are tried instead.
        blend: Weight of the diagnoser's verdict on a module against the end-to-end score, 0 to 1;
            0 asks no diagnoser.
        diagnoser: Model of the diagnoser; the ambient one if left out.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    models: Sequence[str | LanguageModel] = ()
    rounds: int = 2
    exhaustive: int = 4
    blend: float = 0.0
    diagnoser: str | LanguageModel | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.models, str) or not self.models:
            raise InputError(
                "the models to choose from are a list of one or more: "
                'models=["pocket/small", "pocket/medium"], on the command line --models A,B'
            )
        if not 0.0 <= self.blend <= 1.0:
            raise InputError(f"blend is a weight from 0 to 1, not {self.blend}")

    def models_needed(self) -> tuple[LanguageModel | str, ...]:
        """Return the models to choose from, and the diagnoser."""
        return (*self.models, *(() if self.diagnoser is None else (self.diagnoser,)))

    def forecast(self, facts: Facts) -> tuple[Work, ...]:
        """Return the baseline, and every model for every predictor."""
        size = min(facts.validation, self._examples(facts.queries, facts.predictors))
        others = len(self.models)
        each = min(FIRST_RUNG, size) + 0.5 * max(0.0, size - FIRST_RUNG)
        tried = facts.predictors * others
        rounds, fewest = self.rounds, 0.7
        whole = (others + 1) ** facts.predictors
        if whole <= self.exhaustive:
            tried, each, rounds, fewest = whole - 1, size, 1, 1.0
        return (
            Work("prepare", Span(size, size)),
            Work(
                "search",
                Span(fewest * tried * each, tried * each * rounds),
                candidates=Span(tried, tried * rounds),
            ),
        )

    def _examples(self, queries: float, predictors: int) -> float:
        """Return how many examples a budget lets every assignment be compared on."""
        if math.isinf(queries):
            return queries
        wanted = 1 + 0.75 * predictors * len(self.models) * self.rounds
        return max(FEWEST_EXAMPLES, math.floor(queries / wanted))

    async def search(self, run: Run) -> Candidate:
        """Try all assignments where they are few, else climb predictor by predictor."""
        predictors = run.program.predictors()
        size = self._examples(run.queries_left(), len(predictors))
        run.scorer.narrow(int(min(run.scorer.size, size)))
        run.stage("prepare", 1, "the program as it is on validation")
        await run.score_fully([run.start])
        choices = {path: self._choices(one.model) for path, one in predictors.items()}
        assignments = math.prod(len(one) for one in choices.values())
        if assignments <= self.exhaustive:
            await self._all(run, choices)
        else:
            await self._climb(run, choices)
        return run.best

    def _choices(self, now: str | None) -> tuple[str | None, ...]:
        ambient = current().lm
        name = now if now is not None or ambient is None else ambient.name
        others = dict.fromkeys(model_name(model) for model in self.models)
        return (now, *(other for other in others if other != name))

    async def _all(self, run: Run, choices: Mapping[str, Sequence[str | None]]) -> None:
        points = list(product(*choices.values()))
        run.stage("search", len(points) - 1, "every assignment of models")
        for number, point in enumerate(points[1:], start=1):
            one = self._candidate(run, dict(zip(choices, point, strict=True)))
            if not run.affords(run.scorer.size):
                run.note(f"the budget ended after {number - 1} of {len(points) - 1} assignments")
                return
            await run.score_fully([one])
            run.log_trial(one)
            run.step("search", number, len(points) - 1)

    async def _climb(self, run: Run, choices: Mapping[str, Sequence[str | None]]) -> None:
        now: dict[str, str | None] = {path: models[0] for path, models in choices.items()}
        total = self.rounds * len(choices)
        run.stage("search", total, "models, predictor by predictor")
        for turn in range(self.rounds):
            before = dict(now)
            for place, path in enumerate(choices):
                now[path] = await self._best_for(run, path, now, choices[path])
                run.step("search", turn * len(choices) + place + 1, total)
            run.log("assigned", {"round": turn, **now})
            if now == before:
                break

    async def _best_for(
        self, run: Run, path: str, now: Mapping[str, str | None], models: Sequence[str | None]
    ) -> str | None:
        """Return the best model for one predictor while the others keep theirs."""
        ones = {model: self._candidate(run, {**now, path: model}) for model in models}
        standing = list(models)
        for rung in (min(FIRST_RUNG, run.scorer.size), run.scorer.size):
            while len(standing) > 1 and not run.affords(len(standing) * rung):
                standing.pop()
            await run.score([Ask(ones[model], range(rung)) for model in standing])
            worth = {model: await self._worth(run, ones[model], path, rung) for model in standing}
            # The sort is stable: of equals the one that is there already stays.
            order = sorted(standing, key=lambda model: -worth[model])
            kept = order[: max(2, math.ceil(len(order) / 2))]
            standing = [model for model in standing if model in kept]
        for model in standing:
            run.offer(ones[model])
            run.log_trial(ones[model])
        return max(standing, key=lambda model: worth[model])

    async def _worth(self, run: Run, one: Candidate, path: str, rung: int) -> float:
        score = run.scorer.estimate(one).mean
        if not self.blend:
            return score
        # The same requests as for the score, so the journal answers them.
        job = Job(one.apply(run.materials.base), run.materials.validation[:rung])
        (rows,) = await run_rows([job], run.materials.metric, run.materials.concurrency)
        verdicts = await self._diagnosed(run, rows, path)
        return (1 - self.blend) * score + self.blend * sum(verdicts) / len(verdicts)

    async def _diagnosed(self, run: Run, rows: Sequence[Row], path: str) -> list[float]:
        """Ask of every row whether the predictor at ``path`` did its part."""
        ask = Predict(
            signature_of(
                "module, inputs, outputs, wanted -> right: bool",
                "Say whether the module did its part, given what the whole program should answer.",
            ),
            model=model_name(self.diagnoser),
        )

        async def verdict(row: Row) -> float:
            steps = [step for step in row.trace if step.path == path and step.failure is None]
            if not steps:
                return 0.0
            step = steps[-1]
            wanted = {k: v for k, v in row.example.items() if k not in step.inputs}
            said = await ask.acall(
                module=path,
                inputs=_listed(step.inputs),
                outputs=_listed(step.outputs),
                wanted=_listed(wanted),
            )
            return float(said.right)

        works = [partial(verdict, row) for row in rows]
        found = await in_order(works, run.materials.concurrency)
        run.settle()
        return found

    def _candidate(self, run: Run, models: Mapping[str, str | None]) -> Candidate:
        values = {f"{path}.model": model for path, model in models.items()}
        label = ", ".join(f"{path}: {model or 'as it is'}" for path, model in models.items())
        return run.candidate(values, label)


def _listed(values: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}: {value_text(value)}" for name, value in values.items())
