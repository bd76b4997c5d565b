"""Fit a route: which step answers which kind of input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langprog import Example, Module, Route, Router
from langprog.errors import InputError
from langprog.evaluation import Metric, Row
from langprog.runtime import run_sync
from optimizers.base import Optimizer
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast
from optimizers.evaluation.candidate import Candidate, tunable_modules
from optimizers.evaluation.pareto import Objective
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import check_prices
from optimizers.models.choice import front, not_worse, spread
from optimizers.models.clusters import (
    PRIOR,
    SMALLEST,
    Routing,
    always,
    best_route,
    fitted_router,
    routed,
    trades,
)
from optimizers.models.observed import Observed, observed, step_rows
from optimizers.run import Run

CLUSTERS = (1, 2, 4, 8, 16)
SHOWN = 6


@dataclass(frozen=True, kw_only=True)
class ModelRouter(Optimizer):
    """Fit every route of a program: clusters of inputs, and which step answers each.

    Every step is asked once on every example. Clusters and scores come from train, their number
    and what a dollar is worth from validation, the certificate from the holdout. The input
    program asks the last step alone until its router is set, so the certificate says what routing
    saves against that.

    Follows: Universal Model Routing for Efficient LLM Inference (Jitkrittum et al., 2025), the
    cluster-based router. Differs: hashed words instead of embeddings; a cluster's score is shrunk
    towards the step's mean.

    Args:
        clusters: Numbers of clusters that are tried.
        cap: Mean dollars of a query at most; the best quality under it is taken. Without one: the
            cheapest router that seems certain to be within ``tolerance`` of the best single step.
        concurrency: Examples in work at the same time.
        objective: See :class:`Optimizer`; here ``cost``.
        tolerance: See :class:`Optimizer`.
    """

    clusters: Sequence[int] = CLUSTERS
    cap: float | None = None
    objective: Objective = "cost"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.clusters or min(self.clusters) < 1:
            raise InputError(f"clusters are numbers from 1 on, not {self.clusters!r}")
        if self.cap is not None and self.cap <= 0:
            raise InputError(f"cap is dollars of a query, above 0, not {self.cap}")

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        """Return every step on every example; routers are then weighed offline."""
        seen = min(facts.validation + facts.train, 0.8 * facts.queries)
        asked = float(facts.alternatives * seen)
        # A route inside a pipeline leaves the modules before it as they were.
        return (
            StageForecast("prepare", Range(0.6 * asked, asked)),
            StageForecast("search", candidates=Range(2, SHOWN)),
        )

    def check(self, program: Module) -> None:
        """Refuse a program without a route."""
        if not tunable_modules(program, Route):
            raise InputError(
                "the program has no Route: wrap it, lp.Route.over(program, [cheap, dear])"
            )

    async def search(self, run: Run) -> Candidate:
        """Fit route after route."""
        paths = list(tunable_modules(run.program, Route))
        if not math.isinf(run.queries_left()):
            run.scorer.narrow(max(1, int(0.4 * run.queries_left() / len(paths))))
        found = run.start
        for path in paths:
            found = await self._fit(run, path, dict(found.parameters))
        run.weighed = True
        return found

    async def _fit(self, run: Run, path: str, fixed: Mapping[str, Any]) -> Candidate:
        route = run.program.modules_of(Route)[path]
        run.stage("prepare", None, f"every step of {path} on its own")
        train = run.train[: max(1, int(min(len(run.train), 0.4 * run.queries_left())))]
        validation = run.materials.validation[: run.scorer.size]
        trained, inputs = await self._seen(run, path, route, train, fixed)
        seen, others = await self._seen(run, path, route, validation, fixed)
        run.stage("search", None, f"clusters and what a dollar is worth at {path}")
        found = [
            routed(replace(router, trade=trade), others, seen)
            for router in self._routers(run, inputs, trained)
            for trade in trades(trained)
        ]
        best = self._picked(run, found, seen, others)
        edge = front(found)
        wanted = [*([] if best is None else [best]), *spread(edge, SHOWN)]
        candidates = [self._candidate(run, path, one, fixed) for one in wanted]
        run.log("route", {"path": path, "front": [_said(one) for one in edge]})
        await run.score_fully(list(dict.fromkeys([run.start, *candidates])))
        for one in dict.fromkeys(candidates):
            run.log_trial(one)
        return run.candidate(fixed) if best is None else candidates[0]

    def _routers(
        self, run: Run, inputs: Sequence[Mapping[str, Any]], trained: Observed
    ) -> list[Router]:
        seed = run.sampling_seed("clusters")
        counts = [one for one in self.clusters if one == 1 or one * SMALLEST <= len(inputs)]
        return [fitted_router(inputs, trained, count, seed) for count in counts or [1]]

    def _picked(
        self,
        run: Run,
        found: Sequence[Routing],
        seen: Observed,
        inputs: Sequence[Mapping[str, Any]],
    ) -> Routing | None:
        if self.cap is not None:
            within = best_route(found, seen, self.cap)
            if within is None:
                run.note(f"no step costs at most {self.cap} dollars a query", warning=True)
            return within
        alone = routed(always(seen.best, seen.steps), inputs, seen)
        return not_worse(found, alone, self.tolerance)

    async def _seen(
        self,
        run: Run,
        path: str,
        route: Route,
        examples: Sequence[Example],
        fixed: Mapping[str, Any],
    ) -> tuple[Observed, list[Mapping[str, Any]]]:
        count = len(route.steps)
        alone = [
            run.candidate(
                {**fixed, f"{path}.router": always(step, count).to_json()}, f"step {step} alone"
            )
            for step in range(count)
        ]
        rows = await step_rows(run, alone, examples)
        seen, kept = observed(rows)
        if not kept:
            raise InputError("every example was lost on the way, so there is nothing to fit")
        return seen, [_inputs(rows[0][at], path) for at in kept]

    def _candidate(self, run: Run, path: str, one: Routing, fixed: Mapping[str, Any]) -> Candidate:
        label = f"{len(one.router.centers)} clusters, a dollar is worth {one.router.trade:.3g}"
        return run.candidate({**fixed, f"{path}.router": one.router.to_json()}, label)


def _inputs(row: Row, path: str) -> Mapping[str, Any]:
    """Return what the route at ``path`` was given; an example whose run ended before has none."""
    found = [step.inputs for step in row.trace if step.path == path]
    return found[-1] if found else {}


def _said(one: Routing) -> dict[str, Any]:
    router = {"clusters": len(one.router.centers), "trade": one.router.trade}
    return {"router": router, "quality": one.quality, "cost": one.cost, "error": one.error}


def with_model(
    route: Route,
    step: Module,
    examples: Sequence[Example],
    metric: Metric,
    *,
    per_cluster: int = 20,
    concurrency: int = 64,
) -> Route:
    """Return a route with one step more, known from its results on representative inputs alone.

    Follows: Universal Model Routing (Jitkrittum et al., 2025): nothing is trained again.

    Args:
        route: A route with a router.
        step: The new step, on a model that the router has never seen.
        examples: Labelled examples; of every cluster the first ``per_cluster`` are run.
        metric: What scores a prediction.
        per_cluster: Examples a cluster.
        concurrency: Examples in work at the same time.

    Raises:
        InputError: The route has no router, or there is nothing to learn from.
        ModelError: An answer has no price.
    """
    router = route.router
    if router is None:
        raise InputError("the Route has no router yet: optimizers.ModelRouter finds one")
    names = step.input_names()
    groups: list[list[Example]] = [[] for _ in router.centers]
    for example in examples:
        groups[router.cluster({name: example[name] for name in names})].append(example)
    chosen = [group[:per_cluster] for group in groups]
    if not any(chosen):
        raise InputError("with_model needs labelled examples to run the new step on")
    rows = run_sync(run_rows([Job(step, group) for group in chosen], metric, concurrency))
    for group in rows:
        check_prices(group)
    scores = [[row.score.value for row in group if row.score is not None] for group in rows]
    everything = [one for group in scores for one in group]
    if not everything:
        raise InputError("the new step lost every example on the way: nothing is known of it")
    overall = sum(everything) / len(everything)
    quality = [(sum(group) + PRIOR * overall) / (len(group) + PRIOR) for group in scores]
    dollars = [row.usage.dollars or 0.0 for group in rows for row in group]
    return route.with_step(step, quality, sum(dollars) / len(dollars))
