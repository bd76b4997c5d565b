"""Fit a cascade: which steps, in which order, from which certainty on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from langprog import Cascade, Example, Module
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.modules import (
    Agreement,
    Checked,
    Learned,
    LogProbability,
    Rule,
    Signal,
    signal_from,
    token_features,
)
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_modules
from optimizers.evaluation.pareto import Objective
from optimizers.models.choice import front, not_worse, spread
from optimizers.models.observed import Observed, decision, observed, step_rows
from optimizers.models.rules import Answered, fitted_rule
from optimizers.models.tiers import Plan, best_under, fewest_for, guaranteed, planned, plans
from optimizers.run import Run

# Share of the search's budget that goes into seeing every step on its own.
BOUGHT = 0.8
# A threshold that every certainty reaches.
ANY = -1e9
# Plans of the front that are run in full, so that the result lists them.
SHOWN = 6
WORDS = 512


@dataclass(frozen=True, kw_only=True)
class FrugalCascade(Optimizer):
    """Fit every cascade of a program: its order, its thresholds and, where wanted, its scorer.

    Every step is asked once on every example; orders and thresholds are then weighed offline. The
    scorer is learned from train, thresholds are chosen on validation, and the certificate comes
    from the holdout. The input program asks the last step alone until its thresholds are set, so
    the certificate says what the cascade saves against that.

    Follows: FrugalGPT (Chen et al., 2023), order and thresholds under a cap on the mean cost.
    Differs: three parts of the data where its code uses one; several signals; every order of up
    to three steps on a quantile grid; a finite-sample guarantee where one is asked for.

    Example::

        cascade = lp.Cascade.over(program, ["pocket/small", "pocket/large"])
        FrugalCascade(signal="learned").compile(cascade, examples, metric=metric)

    Args:
        signal: ``logprob``, ``agreement``, ``check``, ``learned`` or a Signal; the cascade's own
            if left out.
        cap: Mean dollars of a query at most; the best quality under it is taken. Without one: the
            cheapest cascade that seems certain to be within ``tolerance`` of the best single
            step.
        guarantee: (target, delta): with a chance of at least 1 - delta over the validation
            examples, the cascade's mean score is at least the target.
        words: Whether a learned scorer looks at words.
        tokens: Whether a learned scorer looks at log-probabilities, beside the answer's length.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`; here ``cost``.
        tolerance: See :class:`Optimizer`.
    """

    signal: str | Signal | None = None
    cap: float | None = None
    guarantee: tuple[float, float] | None = None
    words: bool = True
    tokens: bool = True
    objective: Objective = "cost"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signal is not None:
            signal_from(self.signal)
        if self.cap is not None and self.cap <= 0:
            raise InputError(f"cap is dollars of a query, above 0, not {self.cap}")
        if self.guarantee is not None:
            target, delta = self.guarantee
            if not (0 < target < 1 and 0 < delta < 1):
                raise InputError(
                    f"guarantee is (target, delta), both between 0 and 1, not {target, delta}"
                )

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return every step on every example, and the plans that are run in full."""
        seen = facts.validation + (facts.train if self._learns() else 0)
        # Samples come on top of what a query takes; a cascade inside a pipeline leaves the modules
        # before it as they were.
        samples = _samples(signal_from(self.signal or Agreement()))
        count = max(1, facts.alternatives)
        asked = count * min(seen, BOUGHT * facts.queries / count / samples)
        return (
            StageForecast("prepare", Range(0.7 * asked, samples * asked)),
            StageForecast("search", Range(0.0, facts.validation), candidates=Range(2, SHOWN)),
        )

    def _learns(self) -> bool:
        return self.guarantee is not None or (
            self.signal is not None and isinstance(signal_from(self.signal), Learned)
        )

    def check(self, program: Module) -> None:
        """Refuse a program without a cascade."""
        if not tunable_modules(program, Cascade):
            raise InputError(
                "the program has no Cascade: wrap it, lp.Cascade.over(program, [cheap, dear])"
            )

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signals that are fitted; a learned one looks at tokens where it may."""
        asked = {}
        for path, own in super().signals(program).items():
            signal = own if self.signal is None else signal_from(self.signal)
            reads = isinstance(signal, Learned) and self.tokens
            asked[path] = LogProbability() if reads else signal
        return asked

    async def search(self, run: Run) -> Candidate:
        """Fit cascade after cascade."""
        paths = list(tunable_modules(run.program, Cascade))
        self._see_size(run)
        if not math.isinf(run.queries_left()):
            run.scorer.narrow(self._examples(run, paths))
        found = run.start
        for path in paths:
            found = await self._fit(_Steps(run, path, dict(found.parameters)))
        run.weighed = True
        return found

    def _examples(self, run: Run, paths: Sequence[str]) -> int:
        """Return how many validation examples the budget pays for."""
        cascades = tunable_modules(run.program, Cascade)
        queries = 0
        for path in paths:
            cascade = cascades[path]
            queries += len(cascade.steps) * _samples(self._signal(cascade))
        learned = len(run.train) if self._learns() else 0
        return max(1, int(BOUGHT * run.queries_left() / queries) - learned)

    def _signal(self, cascade: Cascade) -> Signal:
        return cascade.signal if self.signal is None else signal_from(self.signal)

    def _see_size(self, run: Run) -> None:
        if self.guarantee is None:
            return
        target, delta = self.guarantee
        needed = fewest_for(target, delta)
        if run.scorer.size < needed:
            raise InputError(
                f"to guarantee {target} with a chance of {1 - delta:.3g} takes at least {needed} "
                f"validation examples, all of them right; there are {run.scorer.size}: give more, "
                "or ask for less"
            )

    async def _fit(self, steps: _Steps) -> Candidate:
        run, cascade = steps.run, steps.cascade
        signal = self._signal(cascade)
        run.stage("prepare", None, f"every step of {steps.path} on its own")
        if isinstance(signal, Learned):
            signal = await self._learned(steps)
        trained: Observed | None = None
        if self.guarantee is not None:
            trained = await steps.observed(signal, run.train)
        seen = await steps.observed(signal, run.materials.validation[: run.scorer.size])
        run.stage("search", None, f"orders and thresholds of {steps.path}")
        everything = plans(seen)
        best = self._picked(run, everything, seen, trained)
        edge = front(everything)
        wanted = dict.fromkeys([*([] if best is None else [best]), *spread(edge, SHOWN)])
        candidates = {plan: steps.candidate(plan, signal) for plan in wanted}
        run.log("cascade", {"path": steps.path, "front": [asdict(plan) for plan in edge]})
        await run.score_fully(list(dict.fromkeys([run.start, *candidates.values()])))
        for one in candidates.values():
            run.log_trial(one)
        return steps.start if best is None else candidates[best]

    def _picked(
        self, run: Run, everything: Sequence[Plan], seen: Observed, trained: Observed | None
    ) -> Plan | None:
        if trained is not None and self.guarantee is not None:
            return _guaranteed(run, seen, trained, self.guarantee)
        if self.cap is not None:
            found = best_under(everything, seen, self.cap)
            if found is None:
                run.note(f"no step costs at most {self.cap} dollars a query", warning=True)
            return found
        return not_worse(everything, planned(seen, ((seen.best, None),)), self.tolerance)

    async def _learned(self, steps: _Steps) -> Learned:
        count = len(steps.cascade.steps)
        probe: Signal = LogProbability() if self.tokens else Learned((Rule(),) * count)
        rows = await steps.rows(probe, steps.run.train)
        buckets = WORDS if self.words else 0
        rules = []
        for step, one in enumerate(rows):
            answers = list(self._answers(steps, step, one))
            rules.append(fitted_rule(answers, buckets) if answers else Rule(-9.0))
        return Learned(tuple(rules), buckets)

    def _answers(self, steps: _Steps, step: int, rows: Iterable[Row]) -> Iterable[Answered]:
        inside = steps.inside(step)
        for row in rows:
            taken = decision(row, steps.path)
            if taken is None or row.score is None:
                continue
            asked = [one for one in row.trace if one.path in inside]
            tokens = token_features(asked, logprobs=self.tokens)
            values = {**taken.inputs, **taken.outputs["answer"]}
            yield Answered(values, tokens, row.score.value)


@dataclass(frozen=True)
class _Steps:
    """The steps of the cascade at ``path``, each on its own.

    Args:
        run: The search.
        path: The cascade's place in the program.
        fixed: What other cascades of the program have been set to.
    """

    run: Run
    path: str
    fixed: Mapping[str, Any]

    @cached_property
    def cascade(self) -> Cascade:
        """The cascade."""
        return self.run.program.modules_of(Cascade)[self.path]

    @property
    def start(self) -> Candidate:
        """The program with this cascade as it was."""
        return self.run.candidate(self.fixed)

    def inside(self, step: int) -> set[str]:
        """Return the paths of the predictors inside a step."""
        paths = self.run.program.paths()
        return {paths[id(one)] for one in self.cascade.steps[step].predictors().values()}

    async def rows(self, signal: Signal, examples: Sequence[Example]) -> list[tuple[Row, ...]]:
        """Run every step on its own; a row says how sure it was."""
        alone = [
            self._set([[step, ANY]], signal, f"step {step} alone")
            for step in range(len(self.cascade.steps))
        ]
        return await step_rows(self.run, alone, examples)

    async def observed(self, signal: Signal, examples: Sequence[Example]) -> Observed:
        """Run every step on its own, and return what was seen.

        Raises:
            InputError: Every example was lost on the way.
        """

        def sure(_: int, row: Row) -> float:
            taken = decision(row, self.path)
            return -math.inf if taken is None else float(taken.outputs["sure"])

        seen, kept = observed(await self.rows(signal, examples), sure)
        if len(kept) < len(examples):
            self.run.note(f"{len(examples) - len(kept)} examples were lost on the way")
        if not kept:
            raise InputError("every example was lost on the way, so there is nothing to fit")
        return seen

    def candidate(self, plan: Plan, signal: Signal) -> Candidate:
        """Return the program with this plan."""
        *early, (last, _) = plan.tiers
        # A last step that gives log-probabilities for nothing is asked as it was observed.
        tiers = [[*tier] for tier in early] + [[last, ANY if signal.logprobs else None]]
        return self._set(tiers, signal, " > ".join(f"step {step}" for step, _ in plan.tiers))

    def _set(self, tiers: list[list[Any]], signal: Signal, label: str) -> Candidate:
        values = {f"{self.path}.tiers": tiers, f"{self.path}.signal": signal.to_json()}
        return self.run.candidate({**self.fixed, **values}, label)


def _samples(signal: Signal) -> int:
    """Return how many requests stand for one where a signal is asked."""
    if isinstance(signal, Agreement):
        return signal.k
    return 2 if isinstance(signal, Checked) else 1


def _guaranteed(
    run: Run, seen: Observed, trained: Observed, guarantee: tuple[float, float]
) -> Plan | None:
    target, delta = guarantee
    order = sorted(front(plans(trained)), key=lambda plan: -plan.cost)
    tiers, p_value = guaranteed([plan.tiers for plan in order], seen, target, delta)
    run.log("guarantee", {"target": target, "delta": delta, "p_value": p_value, "n": seen.size})
    if tiers is None:
        run.note(
            f"no cascade of these steps is shown to reach {target} on {seen.size} examples "
            f"(p = {p_value:.3g}, {delta} was asked for): the program stays as it is",
            warning=True,
        )
        return None
    run.note(f"a mean score of {target} is shown, p = {p_value:.2g} on {seen.size} examples")
    return planned(seen, tiers)
