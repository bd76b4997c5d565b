"""Fit a route: choose the step that answers each kind of input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from langprog import Example, Module, Route, Router
from langprog.errors import InputError
from langprog.evaluation import Metric, Row
from langprog.knobs import takes_items, takes_number, takes_one_of, takes_whole
from langprog.runtime import run_sync
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_modules
from optimizers.evaluation.pareto import OBJECTIVES, Objective
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import check_prices
from optimizers.models.clusters import (
    PRIOR,
    SMALLEST,
    EvaluatedRouter,
    evaluate_router,
    fit_router,
    list_trades,
    make_constant_router,
    pick_router_under_cap,
)
from optimizers.models.step_results import StepResults, collect_results, run_steps
from optimizers.models.tradeoffs import list_front, pick_cheapest_close, thin_out
from optimizers.run import Run

CLUSTERS = (1, 2, 4, 8, 16)
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ModelRouter(Optimizer):
    """Fit every route of a program: clusters of inputs, and the step that answers each.

    Every step is run once on every example. Clusters and scores come from train, the number of
    clusters and the worth of a dollar from validation, the certificate from the holdout. Until its
    router is set, a route runs its last step alone, so the certificate compares with that.

    Follows: Universal Model Routing for Efficient LLM Inference (Jitkrittum et al., 2025), the
    cluster-based router. Differs: hashed words instead of embeddings; a cluster's score is shrunk
    toward the step's mean.

    Args:
        clusters: Numbers of clusters that are tried.
        cap: Highest mean cost of a query, in dollars; the best quality under it is taken. Without
            a cap: the cheapest router that is very likely within ``tolerance`` of the best single
            step.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`; here ``cost``.
        tolerance: See :class:`Optimizer`.
    """

    clusters: Sequence[int] = field(default=CLUSTERS, metadata=takes_items(takes_whole(1, 10_000)))
    cap: float | None = field(default=None, metadata=takes_number(0, above=True))
    objective: Objective = field(default="cost", metadata=takes_one_of(OBJECTIVES))

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Forecast every step on every example; routers are then evaluated offline."""
        examples = min(facts.validation + facts.train, 0.8 * facts.queries)
        queries = float(facts.alternatives * examples)
        # What precedes a route in a pipeline is not run again.
        return (
            StageForecast("prepare", Range(0.6 * queries, queries)),
            StageForecast("search", candidates=Range(2, SHOWN)),
        )

    def check(self, program: Module) -> None:
        """Refuse a program without a route."""
        if not tunable_modules(program, Route):
            raise InputError(
                "the program has no Route: wrap it with lp.Route.over(program, [cheap, strong])"
            )

    async def search(self, run: Run) -> Candidate:
        """Fit one route after another."""
        paths = list(tunable_modules(run.program, Route))
        if not math.isinf(run.queries_left()):
            run.scorer.narrow(max(1, int(0.4 * run.queries_left() / len(paths))))
        candidate = run.start
        for path in paths:
            candidate = await self._fit(run, path, dict(candidate.parameters))
        run.weighed = True
        return candidate

    async def _fit(self, run: Run, path: str, fixed: Mapping[str, Any]) -> Candidate:
        route = run.program.modules_of(Route)[path]
        run.start_stage("prepare", None, f"every step of {path} on its own")
        train = run.train[: max(1, int(min(len(run.train), 0.4 * run.queries_left())))]
        validation = run.materials.validation[: run.scorer.size]
        trained, inputs = await self._run_steps(run, path, route, train, fixed)
        results, others = await self._run_steps(run, path, route, validation, fixed)
        run.start_stage("search", None, f"clusters and the worth of a dollar at {path}")
        routers = [
            evaluate_router(replace(router, trade=trade), others, results)
            for router in self._fit_routers(run, inputs, trained)
            for trade in list_trades(trained)
        ]
        best = self._pick(run, routers, results, others)
        front = list_front(routers)
        shown = [*([] if best is None else [best]), *thin_out(front, SHOWN)]
        candidates = [self._candidate(run, path, router, fixed) for router in shown]
        run.log("route", {"path": path, "front": [_to_json(router) for router in front]})
        await run.score_fully(list(dict.fromkeys([run.start, *candidates])))
        for candidate in dict.fromkeys(candidates):
            run.log_trial(candidate)
        return run.make_candidate(fixed) if best is None else candidates[0]

    def _fit_routers(
        self, run: Run, inputs: Sequence[Mapping[str, Any]], trained: StepResults
    ) -> list[Router]:
        seed = run.sampling_seed("clusters")
        counts = [
            count for count in self.clusters if count == 1 or count * SMALLEST <= len(inputs)
        ]
        return [fit_router(inputs, trained, count, seed) for count in counts or [1]]

    def _pick(
        self,
        run: Run,
        routers: Sequence[EvaluatedRouter],
        results: StepResults,
        inputs: Sequence[Mapping[str, Any]],
    ) -> EvaluatedRouter | None:
        if self.cap is not None:
            best = pick_router_under_cap(routers, results, self.cap)
            if best is None:
                run.note(f"every step costs more than {self.cap} dollars a query", warning=True)
            return best
        single = make_constant_router(results.best, results.steps)
        return pick_cheapest_close(
            routers, evaluate_router(single, inputs, results), self.tolerance
        )

    async def _run_steps(
        self,
        run: Run,
        path: str,
        route: Route,
        examples: Sequence[Example],
        fixed: Mapping[str, Any],
    ) -> tuple[StepResults, list[Mapping[str, Any]]]:
        count = len(route.steps)
        singles = [
            run.make_candidate(
                {**fixed, f"{path}.router": make_constant_router(step, count).to_json()},
                f"step {step} alone",
            )
            for step in range(count)
        ]
        rows = await run_steps(run, singles, examples)
        results, indices = collect_results(rows)
        if not indices:
            raise InputError(
                "a route cannot be fitted: on every example some step failed to reach its model"
            )
        return results, [_find_inputs(rows[0][at], path) for at in indices]

    def _candidate(
        self, run: Run, path: str, option: EvaluatedRouter, fixed: Mapping[str, Any]
    ) -> Candidate:
        router = option.router
        label = f"{len(router.centers)} clusters, a dollar is worth {router.trade:.3g}"
        return run.make_candidate({**fixed, f"{path}.router": router.to_json()}, label)


def _find_inputs(row: Row, path: str) -> Mapping[str, Any]:
    """Return the inputs of the route at ``path``; none where the run ended before it."""
    inputs = [step.inputs for step in row.trace if step.path == path]
    return inputs[-1] if inputs else {}


def _to_json(option: EvaluatedRouter) -> dict[str, Any]:
    router = {"clusters": len(option.router.centers), "trade": option.router.trade}
    return {
        "router": router,
        "quality": option.quality,
        "cost": option.cost,
        "error": option.error,
    }


def with_model(
    route: Route,
    step: Module,
    examples: Sequence[Example],
    metric: Metric,
    *,
    per_cluster: int = 20,
    concurrency: int = 64,
) -> Route:
    """Return a route with another step, evaluated on a few inputs of each cluster alone.

    Follows: Universal Model Routing (Jitkrittum et al., 2025): nothing is retrained.

    Args:
        route: A route with a router.
        step: The new step, on a model that the router was not fitted with.
        examples: Labelled examples; the first ``per_cluster`` of each cluster are run.
        metric: Scores a prediction.
        per_cluster: Examples of each cluster.
        concurrency: Examples in work at the same time.

    Raises:
        InputError: The route has no router, or there is nothing to learn from.
        ModelError: An answer has no price.
    """
    router = route.router
    if router is None:
        raise InputError("the Route has no router yet: fit it with optimizers.ModelRouter")
    names = step.input_names()
    groups: list[list[Example]] = [[] for _ in router.centers]
    for example in examples:
        groups[router.cluster({name: example[name] for name in names})].append(example)
    selected = [group[:per_cluster] for group in groups]
    if not any(selected):
        raise InputError("with_model needs labelled examples to run the new step on")
    rows = run_sync(run_rows([Job(step, group) for group in selected], metric, concurrency))
    for group in rows:
        check_prices(group)
    scores = [[row.score.value for row in group if row.score is not None] for group in rows]
    all_scores = [score for group in scores for score in group]
    if not all_scores:
        raise InputError("the new step failed to reach its model on every example")
    overall = sum(all_scores) / len(all_scores)
    quality = [(sum(group) + PRIOR * overall) / (len(group) + PRIOR) for group in scores]
    dollars = [row.usage.dollars or 0.0 for group in rows for row in group]
    return route.with_step(step, quality, sum(dollars) / len(dollars))
