"""Fit a cascade: its steps, their order, and the certainty that each has to reach."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from langprog import Cascade, Example, Module
from langprog.errors import InputError
from langprog.evaluation import Row
from langprog.knobs import takes_flag, takes_items, takes_number, takes_one_of
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
from optimizers.evaluation.pareto import OBJECTIVES, Objective
from optimizers.models.rules import LabeledAnswer, fit_rule
from optimizers.models.step_results import StepResults, collect_results, find_decision, run_steps
from optimizers.models.tiers import (
    EvaluatedCascade,
    enumerate_cascades,
    evaluate_tiers,
    fewest_for,
    find_guaranteed,
    pick_cascade_under_cap,
)
from optimizers.models.tradeoffs import list_front, pick_cheapest_close, thin_out
from optimizers.run import Run

# Share of the budget for running every step on its own.
STEPS_SHARE = 0.8
# A threshold that every answer reaches.
ANY = -1e9
# Cascades of the front that are run in full, so that the result lists them.
SHOWN = 6
WORDS = 512


@dataclass(frozen=True, kw_only=True)
class FrugalCascade(Optimizer):
    """Fit every cascade of a program: its order, its thresholds and, if wanted, its scorer.

    Every step is run once on every example; orders and thresholds are then evaluated offline. The
    scorer is learned on train, thresholds are chosen on validation, and the certificate comes from
    the holdout. Until its thresholds are set, a cascade runs its last step alone, so the
    certificate compares with that.

    Follows: FrugalGPT (Chen et al., 2023), order and thresholds under a cap on the mean cost.
    Differs: three parts of the data where its code uses one; several signals; every order of up
    to three steps on a quantile grid; a finite-sample guarantee where one is asked for.

    Example::

        cascade = lp.Cascade.over(program, ["pocket/small", "pocket/large"])
        FrugalCascade(signal="learned").compile(cascade, examples, metric=metric)

    Args:
        signal: ``logprob``, ``agreement``, ``check``, ``learned`` or a Signal; the cascade's own
            if left out.
        cap: Highest mean cost of a query, in dollars; the best quality under it is taken. Without
            a cap: the cheapest cascade that is very likely within ``tolerance`` of the best single
            step.
        guarantee: (target, delta): with a probability of at least 1 - delta over the validation
            examples, the cascade's mean score is at least the target.
        words: Whether a learned scorer uses words.
        tokens: Whether a learned scorer uses log-probabilities, besides the answer's length.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`; here ``cost``.
        tolerance: See :class:`Optimizer`.
    """

    signal: str | Signal | None = None
    cap: float | None = field(default=None, metadata=takes_number(0, above=True))
    guarantee: tuple[float, float] | None = field(
        default=None, metadata=takes_items(takes_number(0, 1, above=True, below=True), 2)
    )
    words: bool = field(default=True, metadata=takes_flag())
    tokens: bool = field(default=True, metadata=takes_flag())
    objective: Objective = field(default="cost", metadata=takes_one_of(OBJECTIVES))

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.signal is not None:
            signal_from(self.signal)

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast every step on every example, and the cascades that are run in full."""
        examples = facts.validation + (facts.train if self._uses_train() else 0)
        # Samples come on top of a query; what precedes a cascade in a pipeline is not run again.
        samples = _count_samples(signal_from(self.signal or Agreement()))
        count = max(1, facts.alternatives)
        queries = count * min(examples, STEPS_SHARE * facts.queries / count / samples)
        return (
            StageForecast("prepare", Range(0.7 * queries, samples * queries)),
            StageForecast("search", Range(0.0, facts.validation), candidates=Range(2, SHOWN)),
        )

    def _uses_train(self) -> bool:
        return self.guarantee is not None or (
            self.signal is not None and isinstance(signal_from(self.signal), Learned)
        )

    def check(self, program: Module) -> None:
        """Refuse a program without a cascade."""
        if not tunable_modules(program, Cascade):
            raise InputError(
                "the program has no Cascade: wrap it with "
                "lp.Cascade.over(program, [cheap, strong])"
            )

    def signals(self, program: Module) -> dict[str, Signal]:
        """Return the signals that are fitted; a learned one needs tokens where it may use them."""
        signals = {}
        for path, own in super().signals(program).items():
            signal = own if self.signal is None else signal_from(self.signal)
            needs_tokens = isinstance(signal, Learned) and self.tokens
            signals[path] = LogProbability() if needs_tokens else signal
        return signals

    async def search(self, run: Run) -> Candidate:
        """Fit one cascade after another."""
        paths = list(tunable_modules(run.program, Cascade))
        self._check_size(run)
        if not math.isinf(run.queries_left()):
            run.scorer.narrow(self._count_examples(run, paths))
        candidate = run.start
        for path in paths:
            candidate = await self._fit(_CascadeSteps(run, path, dict(candidate.parameters)))
        run.weighed = True
        return candidate

    def _count_examples(self, run: Run, paths: Sequence[str]) -> int:
        """Return how many validation examples the budget pays for."""
        cascades = tunable_modules(run.program, Cascade)
        queries = 0
        for path in paths:
            cascade = cascades[path]
            queries += len(cascade.steps) * _count_samples(self._signal(cascade))
        learned = len(run.train) if self._uses_train() else 0
        return max(1, int(STEPS_SHARE * run.queries_left() / queries) - learned)

    def _signal(self, cascade: Cascade) -> Signal:
        return cascade.signal if self.signal is None else signal_from(self.signal)

    def _check_size(self, run: Run) -> None:
        if self.guarantee is None:
            return
        target, delta = self.guarantee
        needed = fewest_for(target, delta)
        if run.scorer.size < needed:
            raise InputError(
                f"guarantee=({target}, {delta}) needs at least {needed} validation examples, even "
                f"if every answer is right, and there are {run.scorer.size}: give more examples, "
                "or lower the target"
            )

    async def _fit(self, steps: _CascadeSteps) -> Candidate:
        run, cascade = steps.run, steps.cascade
        signal = self._signal(cascade)
        run.start_stage("prepare", None, f"every step of {steps.path} on its own")
        if isinstance(signal, Learned):
            signal = await self._learn_signal(steps)
        trained: StepResults | None = None
        if self.guarantee is not None:
            trained = await steps.collect(signal, run.train)
        results = await steps.collect(signal, run.materials.validation[: run.scorer.size])
        run.start_stage("search", None, f"orders and thresholds of {steps.path}")
        cascades = enumerate_cascades(results)
        best = self._pick(run, cascades, results, trained)
        front = list_front(cascades)
        shown = dict.fromkeys([*([] if best is None else [best]), *thin_out(front, SHOWN)])
        candidates = {cascade: steps.candidate(cascade, signal) for cascade in shown}
        run.log("cascade", {"path": steps.path, "front": [asdict(cascade) for cascade in front]})
        await run.score_fully(list(dict.fromkeys([run.start, *candidates.values()])))
        for candidate in candidates.values():
            run.log_trial(candidate)
        return steps.start if best is None else candidates[best]

    def _pick(
        self,
        run: Run,
        cascades: Sequence[EvaluatedCascade],
        results: StepResults,
        trained: StepResults | None,
    ) -> EvaluatedCascade | None:
        if trained is not None and self.guarantee is not None:
            return _pick_guaranteed(run, results, trained, self.guarantee)
        if self.cap is not None:
            best = pick_cascade_under_cap(cascades, results, self.cap)
            if best is None:
                run.note(f"every step costs more than {self.cap} dollars a query", warning=True)
            return best
        single = evaluate_tiers(results, ((results.best, None),))
        return pick_cheapest_close(cascades, single, self.tolerance)

    async def _learn_signal(self, steps: _CascadeSteps) -> Learned:
        count = len(steps.cascade.steps)
        probe: Signal = LogProbability() if self.tokens else Learned((Rule(),) * count)
        rows = await steps.rows(probe, steps.run.train)
        buckets = WORDS if self.words else 0
        rules = []
        for step, step_rows in enumerate(rows):
            answers = list(self._label_answers(steps, step, step_rows))
            rules.append(fit_rule(answers, buckets) if answers else Rule(-9.0))
        return Learned(tuple(rules), buckets)

    def _label_answers(
        self, steps: _CascadeSteps, step: int, rows: Iterable[Row]
    ) -> Iterable[LabeledAnswer]:
        inside = steps.inside(step)
        for row in rows:
            decision = find_decision(row, steps.path)
            if decision is None or row.score is None:
                continue
            calls = [call for call in row.trace if call.path in inside]
            tokens = token_features(calls, logprobs=self.tokens)
            values = {**decision.inputs, **decision.outputs["answer"]}
            yield LabeledAnswer(values, tokens, row.score.value)


@dataclass(frozen=True)
class _CascadeSteps:
    """The steps of the cascade at ``path``, each on its own.

    Args:
        run: The search.
        path: The cascade's path in the program.
        fixed: Parameters that are already set on the program's other cascades.
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
        return self.run.make_candidate(self.fixed)

    def inside(self, step: int) -> set[str]:
        """Return the paths of the predictors inside a step."""
        paths = self.run.program.paths()
        predictors = self.cascade.steps[step].predictors().values()
        return {paths[id(predictor)] for predictor in predictors}

    async def rows(self, signal: Signal, examples: Sequence[Example]) -> list[tuple[Row, ...]]:
        """Run every step on its own, with the signal in its trace."""
        alone = [
            self._set([[step, ANY]], signal, f"step {step} alone")
            for step in range(len(self.cascade.steps))
        ]
        return await run_steps(self.run, alone, examples)

    async def collect(self, signal: Signal, examples: Sequence[Example]) -> StepResults:
        """Run every step on its own, and return its results.

        Raises:
            InputError: No example has a result of every step.
        """

        def sure(_: int, row: Row) -> float:
            decision = find_decision(row, self.path)
            return -math.inf if decision is None else float(decision.outputs["sure"])

        results, indices = collect_results(await self.rows(signal, examples), sure)
        if len(indices) < len(examples):
            self.run.note(
                f"{len(examples) - len(indices)} examples were left out of the fit: a step "
                "failed to reach its model on them"
            )
        if not indices:
            raise InputError(
                "a cascade cannot be fitted: on every example some step failed to reach its model"
            )
        return results

    def candidate(self, cascade: EvaluatedCascade, signal: Signal) -> Candidate:
        """Return the program with these tiers."""
        *early, (last, _) = cascade.tiers
        # Log-probabilities cost nothing, so the last step is called as it was when evaluated.
        tiers = [[*tier] for tier in early] + [[last, ANY if signal.logprobs else None]]
        return self._set(tiers, signal, " > ".join(f"step {step}" for step, _ in cascade.tiers))

    def _set(self, tiers: list[list[Any]], signal: Signal, label: str) -> Candidate:
        values = {f"{self.path}.tiers": tiers, f"{self.path}.signal": signal.to_json()}
        return self.run.make_candidate({**self.fixed, **values}, label)


def _count_samples(signal: Signal) -> int:
    """Return how many requests a step makes in place of one where a signal is used."""
    if isinstance(signal, Agreement):
        return signal.k
    return 2 if isinstance(signal, Checked) else 1


def _pick_guaranteed(
    run: Run, results: StepResults, trained: StepResults, guarantee: tuple[float, float]
) -> EvaluatedCascade | None:
    target, delta = guarantee
    front = sorted(list_front(enumerate_cascades(trained)), key=lambda cascade: -cascade.cost)
    order = [cascade.tiers for cascade in front]
    tiers, p_value = find_guaranteed(order, results, target, delta)
    run.log("guarantee", {"target": target, "delta": delta, "p_value": p_value, "n": results.size})
    if tiers is None:
        run.note(
            f"no cascade of these steps is shown to reach {target} on {results.size} examples "
            f"(p = {p_value:.3g}, at most {delta} is needed): the program stays as it is",
            warning=True,
        )
        return None
    run.note(f"a mean score of {target} is shown, p = {p_value:.2g} on {results.size} examples")
    return evaluate_tiers(results, tiers)
