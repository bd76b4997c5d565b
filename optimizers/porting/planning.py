"""The compile that follows a failed test: its rows, and whether it could show anything."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langprog import Budget, Example, Module
from langprog.errors import InputError
from langprog.evaluation import Metric, range_of
from langprog.example import why_train_only
from optimizers.identity import random_stream
from optimizers.porting.decision import SECOND, count_fewest
from optimizers.porting.knobs import PortKnobs
from optimizers.request import CompileRequest
from optimizers.split import Inputs
from optimizers.split.parts import HOLDOUT

# A holdout has to show that little is lost, which takes more rows than to show a gain: as many
# times the fewest, if that leaves half of the rows to the search.
WANTED, MOST_HELD = 2.0, 0.5


@dataclass(frozen=True)
class CompilePlan:
    """The compile that follows a failed test.

    Args:
        request: Its checked arguments.
        trainset: The rows for it.
        holdout: The rows for its certificate, which no compile of the lineage has used.
        fewest: How many different inputs it takes to show that its result loses little.
    """

    request: CompileRequest
    trainset: Sequence[Example]
    holdout: Sequence[Example]
    fewest: int

    @property
    def held(self) -> int:
        """How many different inputs the holdout has."""
        inputs = Inputs(self.request.program)
        return len({inputs.similar_key(each) for each in self.request.parts.holdout})

    def with_budget(self, budget: Budget) -> CompilePlan:
        """Return the plan under what is left of a budget."""
        return replace(self, request=replace(self.request, budget=budget))


def plan_compile(
    program: Module,
    examples: Sequence[Example],
    metric: Metric,
    knobs: PortKnobs,
    budget: Budget,
) -> CompilePlan | str:
    """Return the compile of a program on its new model, or why there can be none.

    Args:
        program: The program on the new model.
        examples: The rows for it.
        metric: Scores a prediction.
        knobs: How to port.
        budget: The whole budget.
    """
    low, high = range_of(metric)
    fewest = count_fewest(knobs.tolerance, (low, high), SECOND)
    holdout = _draw_holdout(program, examples, fewest, knobs.seed)
    if not holdout:
        return (
            "no row is new to the artifact, and only rows that its lineage has not used prove "
            "anything about another compile: give such rows, too"
        )
    held = {example.digest for example in holdout}
    trainset = [each for each in examples if each.digest not in held]
    try:
        request = CompileRequest.of(
            program,
            trainset,
            metric,
            valset=None,
            holdout=holdout,
            budget=budget,
            seed=knobs.seed,
            accept="best",
            max_errors=knobs.max_errors,
        )
    except InputError as error:
        return (
            f"{len(holdout)} rows are kept for its certificate, and of the other "
            f"{len(trainset)} there are {error}"
        )
    return CompilePlan(request, trainset, holdout, fewest)


def _draw_holdout(
    program: Module, examples: Sequence[Example], fewest: int, seed: int
) -> list[Example]:
    """Return a holdout of rows that no compile of the artifact's lineage has used.

    It is larger than usual: to show that little is lost takes more rows than to show a gain.
    """
    inputs = Inputs(program)
    families: dict[str, list[Example]] = {}
    for example in examples:
        if not why_train_only(example):
            families.setdefault(inputs.similar_key(example), []).append(example)
    fresh = sorted(
        key
        for key, rows in families.items()
        if not any(inputs.is_shown(row) or inputs.use_of(row) is not None for row in rows)
    )
    most = math.floor(MOST_HELD * len(families))
    wanted = max(math.floor(HOLDOUT * len(families)), math.ceil(WANTED * fewest))
    random_stream(seed, "port", "holdout").shuffle(fresh)
    return [row for key in fresh[: min(most, wanted)] for row in families[key]]
