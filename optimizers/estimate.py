"""Forecasting a compile: check its models, try its program, estimate its costs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from langprog import Module, using
from langprog.evaluation import range_of
from langprog.lm import Cost, ModelRef, model_from
from optimizers.budget.forecast import ForecastInputs, cut_to_budget
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
from optimizers.pruning.prune import forecast_pruning
from optimizers.request import CompileRequest
from optimizers.run import Searcher


async def run_estimate(searcher: Searcher, request: CompileRequest) -> Preflight:
    """Run the program on a few validation examples and forecast a compile."""
    searcher.check(request.program)
    request.check_objective(searcher.objective, searcher.tolerance)
    with resolve_models(searcher, request.program):
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
def resolve_models(searcher: Searcher, program: Module) -> Iterator[None]:
    """Check, before anything is called, that every model exists and has a unique name.

    Inside, a name in the program may refer to a model object that the search may assign.

    Raises:
        ModelError: A model is missing, or two have the same name.
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
    """Return the expected cost of a search and its certificate.

    Args:
        searcher: The optimizer.
        request: The checked arguments of the compile.
        cost: Cost of one query of the program.
        priced: Whether the dollars in ``cost`` are known.
        probe: What was measured, if anything.
    """
    parts, predictors = request.parts, len(request.program.predictors())
    plan = request.plan()
    search = plan.search - plan.reserve(cost + grow_cost(cost))
    inputs = ForecastInputs(
        predictors,
        len(parts.train),
        len(parts.validation),
        search.count_of(cost),
        None if probe is None else probe.right,
        count_alternatives(request.program),
    )
    stages = cut_to_budget(searcher.forecast(inputs), inputs.queries)
    if searcher.prunes():
        stages.append(forecast_pruning(stages, inputs))
    preflight = forecast(
        stages,
        inputs,
        plan,
        cost,
        priced=priced,
        probe=probe,
        score_range=range_of(request.metric),
    )
    unpriced = list_roles(searcher, request).describe_unpriced(request.budget)
    return preflight if unpriced is None else replace(preflight, notes=(unpriced,))


def list_roles(searcher: Searcher, request: CompileRequest) -> ModelRoles:
    """Return every model of a compile with what it is used for."""
    needed, offered = searcher.models_needed(), searcher.models_offered()
    return ModelRoles.of(request.program, needed, offered, request.metric)
