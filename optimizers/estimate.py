"""What a compile will take: its models checked, its program tried, its costs forecast."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from langprog import Module, using
from langprog.lm import Cost, ModelRef, model_from
from optimizers.budget.forecast import ForecastInputs
from optimizers.budget.plan import plan_budget
from optimizers.evaluation.binding import check_models
from optimizers.models.roles import ModelRoles
from optimizers.preflight import (
    Preflight,
    Probe,
    count_alternatives,
    estimate_cost_from_prompts,
    forecast,
    grow_cost,
    probe_program,
)
from optimizers.request import CompileRequest
from optimizers.run import Searcher


async def run_estimate(searcher: Searcher, request: CompileRequest) -> Preflight:
    """Run the program on a few validation examples, and say what a compile would take."""
    searcher.check(request.program)
    with with_checked_models(searcher, request.program):
        probe = await probe_program(
            request.program,
            request.parts.validation,
            request.metric,
            request.seed,
            searcher.concurrency,
        )
        _, priced = estimate_cost_from_prompts(request.program, ())
        return make_preflight(searcher, request, probe.cost, priced=priced, probe=probe)


@contextmanager
def with_checked_models(searcher: Searcher, program: Module) -> Iterator[None]:
    """Check, before anything is called, that every model exists and can be told from the others.

    Inside, a name in the program may stand for an object that the search is offered.

    Raises:
        ModelError: A model is missing, or two have one name.
        ArtifactError: An artifact could not hold the program or a model.
    """
    needed = [model_from(model, "a model of the optimizer") for model in searcher.models_needed()]
    offered = [model_from(model) for model in searcher.models_offered()]
    objects = [model for model in offered if isinstance(model, ModelRef)]
    with using(models=objects or None):
        check_models(program, offered, needed)
        yield


def make_preflight(
    searcher: Searcher,
    request: CompileRequest,
    cost: Cost,
    *,
    priced: bool,
    probe: Probe | None = None,
) -> Preflight:
    """Return what a search and its certificate are expected to take.

    Args:
        searcher: The optimizer.
        request: What is compiled.
        cost: What a query of the program costs.
        priced: Whether the dollars in ``cost`` are known.
        probe: What was measured, if anything was.
    """
    parts, predictors = request.parts, len(request.program.predictors())
    plan = plan_budget(request.budget, len(parts.holdout), request.program.calls_per_example())
    search = plan.search - plan.reserve(cost + grow_cost(cost))
    inputs = ForecastInputs(
        predictors,
        len(parts.train),
        len(parts.validation),
        search.count_of(cost),
        None if probe is None else probe.right,
        count_alternatives(request.program),
    )
    stages = searcher.forecast(inputs)
    preflight = forecast(stages, inputs, plan, cost, priced=priced, probe=probe)
    unpriced = list_roles(searcher, request).describe_unpriced(request.budget)
    return preflight if unpriced is None else replace(preflight, notes=(unpriced,))


def list_roles(searcher: Searcher, request: CompileRequest) -> ModelRoles:
    """Return every model of a compile with what it is used for."""
    needed, offered = searcher.models_needed(), searcher.models_offered()
    return ModelRoles.of(request.program, needed, offered, request.metric)
