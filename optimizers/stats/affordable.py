"""How many examples of the holdout a compile can still pay for."""

from __future__ import annotations

import math
from dataclasses import replace

from langprog.errors import BudgetExceeded
from langprog.lm import Budget, Cost
from optimizers.budget.plan import REPAIR_MARGIN, BudgetPlan
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import Scorer, ScoreRequest
from optimizers.preflight import estimate_reservation
from optimizers.request import CompileRequest
from optimizers.run import Run, ShareSpent

# Examples on which a cost is measured that a search has left open.
MEASURED = 8


def count_affordable_rows(
    request: CompileRequest, scorer: Scorer, plan: BudgetPlan, candidate: Candidate, left: Cost
) -> int:
    """Return how many examples both programs can be run on, before any of them is.

    It depends on what was measured before and on texts alone, so a resumed compile and one
    with a warm cache use the same examples.

    Args:
        request: The compile.
        scorer: Knows what the programs cost that the search has run.
        plan: The division of the budget.
        candidate: The result of the search.
        left: What is left of the budget.
    """
    cost = scorer.cost(candidate)
    # Of calls, the plan has kept what must pass already.
    must_pass = replace(cost * (request.must_pass_runs * REPAIR_MARGIN), calls=0.0)
    compiled = candidate.apply(request.program)
    left = left - must_pass
    pair = (scorer.cost(Candidate()) + cost) * request.repeats
    # The last call needs room for its reservation; with many rows, what repairs may take is more.
    room = left - estimate_reservation(compiled, request.parts.holdout)
    covered = min(left.count_of(pair * REPAIR_MARGIN), room.count_of(pair))
    # What the search has left pays for more rows than were kept, and these show smaller gains.
    unchanged = candidate == Candidate()
    most = plan.certified_rows if unchanged else len(request.parts.holdout)
    return most if math.isinf(covered) else min(most, max(0, math.floor(covered)))


async def measure_costs(run: Run, budget: Budget, candidate: Candidate) -> None:
    """Run both programs on a few validation examples, where a cap asks for costs not yet known.

    Args:
        run: The search, which may have run neither of them.
        budget: The caps; calls are known without a measurement.
        candidate: The result of the search.
    """
    if budget.tokens is None and budget.dollars is None:
        return
    known, examples = run.scorer.candidates, range(min(MEASURED, run.scorer.size))
    programs = [each for each in dict.fromkeys((Candidate(), candidate)) if each not in known]
    try:
        await run.score([ScoreRequest(each, examples) for each in programs])
    except BudgetExceeded as error:
        run.tally.cut = run.tally.cut or not isinstance(error, ShareSpent)
