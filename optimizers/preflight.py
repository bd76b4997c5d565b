"""What a compile will take and can show, said before it starts.

The forecast of calls and dollars is free. ``langprog estimate`` also runs the program on a few
validation examples, twice: what a query costs, how often it is right already, and how steady its
scores are, are then measured and not assumed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langprog import Module, Sampling
from langprog.evaluation import Metric, Row, student_quantile
from langprog.example import Example
from langprog.lm import Cost, price_in
from langprog.notebook import render_card, shorten
from langprog.runtime import current, model_named
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast, cut_to_budget
from optimizers.budget.plan import MAX_RESERVED, REPAIR_MARGIN, BudgetPlan
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import Estimate, average_cost
from optimizers.evaluation.scoring import Scoring, as_scoring
from optimizers.identity import derive_seed

# A rendered prompt has about so many characters a token, and a short answer so many tokens.
CHARACTERS_A_TOKEN, REPLY_TOKENS = 4.0, 24.0
# Prompts grow by what the search puts into them; later modules reuse what earlier ones answered.
GROWTH = (1.0, 4.0)
REUSED = 0.65
# Chance of seeing a gain of the size that is called detectable; the test is at 5 %, one-sided.
POWER, LEVEL = 0.8, 0.05
# Correlation of scores before and after, on the same examples, that is assumed.
PAIRED = 0.5
PROBED = 12
SMALLEST_VARIANCE = 0.05
# Runs that a search needs to compare something: a few dozen examples, for two programs.
FEWEST_QUERIES = 45


@dataclass(frozen=True, slots=True)
class StageCost:
    """Calls and dollars that one stage is expected to take; no dollars where no price is known."""

    stage: str
    calls: Range
    dollars: Range | None


@dataclass(frozen=True, slots=True)
class Probe:
    """The program as it is, on a few validation examples, sampled twice.

    Args:
        score: Its mean score.
        right: Share of examples with full marks.
        steady: Share of examples whose score came out the same both times.
        variance: Of a score, from example to example.
        cost: What a query takes.
        asked: What the probe itself asked for.
    """

    score: Estimate
    right: float
    steady: float
    variance: float
    cost: Cost
    asked: Cost


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a compile is expected to take and to be able to show.

    Args:
        stages: By stage, the certificate last.
        cost: What a query of the program takes as it is.
        candidates: Candidates that the budget pays for.
        holdout: Holdout examples that the certificate will use.
        detectable: Smallest gain that it sees four times in five.
        probe: What was measured; ``None`` where nothing was run.
        refusal: Why this is not worth starting, or ``None``.
        notes: What else to know: models without a price.
    """

    stages: tuple[StageCost, ...]
    cost: Cost
    candidates: Range
    holdout: int
    detectable: float
    probe: Probe | None = None
    refusal: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def calls(self) -> Range:
        """Calls in all."""
        return _total([one.calls for one in self.stages])

    @property
    def dollars(self) -> Range | None:
        """Dollars in all, or ``None`` where a price is not known."""
        known = [one.dollars for one in self.stages if one.dollars is not None]
        return _total(known) if len(known) == len(self.stages) else None

    def lines(self) -> list[str]:
        """Return it as a few lines for a person."""
        said = [f"expected: {self.calls} calls{_money(self.dollars)}"]
        if self.probe is not None:
            said += [
                f"the program as it is: {self.probe.score} on {self.probe.score.n} validation "
                f"examples; full marks on {self.probe.right:.0%}; the same score when sampled "
                f"twice on {self.probe.steady:.0%}"
            ]
        said.append(
            f"{self.holdout} holdout examples: a gain of {self.detectable:.2f} or more is seen "
            f"{POWER:.0%} of the time, a smaller one less often"
        )
        if self.candidates.high:
            said.append(f"this buys {self.candidates} candidates")
        return [*said, *self.notes]

    def __repr__(self) -> str:
        said = [*self.lines(), *([f"refused: {self.refusal}"] if self.refusal else [])]
        return shorten(f"Preflight({''.join(f'{chr(10)}  {line}' for line in said)}\n)")

    def _repr_html_(self) -> str:
        stages = [
            (each.stage, each.calls, _money(each.dollars).removeprefix(", ") or "unknown")
            for each in self.stages
        ]
        return render_card(
            self.refusal or "What a compile would take",
            [("", line) for line in self.lines()],
            heads=("stage", "calls", "dollars"),
            rows=stages,
        )

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        probe = self.probe
        return {
            "calls": _ends(self.calls),
            "dollars": None if self.dollars is None else _ends(self.dollars),
            "stages": [
                {
                    "stage": one.stage,
                    "calls": _ends(one.calls),
                    "dollars": None if one.dollars is None else _ends(one.dollars),
                }
                for one in self.stages
            ],
            "candidates": _ends(self.candidates),
            "holdout": self.holdout,
            "detectable": self.detectable,
            "probe": None
            if probe is None
            else {
                "score": probe.score.to_json(),
                "right": probe.right,
                "steady": probe.steady,
                "asked": probe.asked.to_json(),
            },
            "refusal": self.refusal,
        }


def forecast(
    given: Sequence[StageForecast],
    facts: ForecastInputs,
    plan: BudgetPlan,
    cost: Cost,
    *,
    priced: bool,
    probe: Probe | None = None,
) -> Preflight:
    """Return what a search and the certificate take.

    Args:
        given: What the search expects to do, whatever the budget.
        facts: What it was told.
        plan: How the budget is divided.
        cost: What a query takes.
        priced: Whether the dollars in ``cost`` are known.
        probe: What was measured, if anything was.
    """
    reused = REUSED if facts.predictors > 1 else 1.0
    stages = []
    works = cut_to_budget(given, facts.queries)
    for work in works:
        calls = work.queries.times(cost.calls * reused, cost.calls).plus(work.proposals)
        one = cost.dollars / max(cost.calls, 1.0)
        stages.append(
            StageCost(work.stage, calls, calls.times(one, one * GROWTH[1]) if priced else None)
        )
    rows = plan.certified_rows
    certified = Range(1.6 * rows * cost.calls, 2 * rows * cost.calls)
    each = rows * cost.dollars
    stages.append(
        StageCost("certify", certified, Range(each, each * (1 + GROWTH[1])) if priced else None)
    )
    variance = 0.25 if probe is None else max(SMALLEST_VARIANCE, probe.variance)
    tried = _total([work.candidates for work in works])
    searches = any(work.candidates.high for work in given)
    return Preflight(
        stages=tuple(stages),
        cost=cost,
        candidates=tried,
        holdout=rows,
        detectable=detectable(rows, variance),
        probe=probe,
        refusal=_refusal(tried, facts.queries, cost) if searches else None,
    )


def detectable(rows: int, variance: float) -> float:
    """Return the smallest gain that a one-sided test on ``rows`` pairs sees with ``POWER``.

    Args:
        rows: Pairs.
        variance: Of a single score; that of a difference follows from ``PAIRED``.
    """
    if rows < 2:
        return math.inf
    one = student_quantile(1 - LEVEL, rows - 1)
    two = student_quantile(POWER, rows - 1)
    return (one + two) * math.sqrt(2 * variance * (1 - PAIRED) / rows)


def _refusal(tried: Range, queries: float, cost: Cost) -> str | None:
    if tried.high >= 1:
        return None
    needed = math.ceil(FEWEST_QUERIES * cost.calls * REPAIR_MARGIN / (1 - MAX_RESERVED))
    return (
        f"the budget buys no candidate: its part for the search pays for {math.floor(queries)} "
        "runs of the program, too few to compare anything with the program as it is; give about "
        f"{needed} calls or more, or the tokens and dollars that they take"
    )


async def probe_program(
    program: Module,
    examples: Sequence[Example],
    metric: Metric | Scoring,
    seed: int,
    concurrency: int,
) -> Probe:
    """Run ``program`` twice on the first few of ``examples``.

    Raises:
        InputError: No example could be scored.
        MetricError: The metric failed.
        LMError: A model refuses to work at all (a wrong key, a bad request).
    """
    some = examples[:PROBED]
    paths = program.predictors()
    again = program.with_parameters(
        {
            f"{path}.sampling": Sampling(seed=derive_seed(seed, "probe", path)).over(one.sampling)
            for path, one in paths.items()
        }
    )
    first, second = await run_rows([Job(program, some), Job(again, some)], metric, concurrency)
    values = [_value(row) for row in first if row.score is not None]
    pairs = [
        (_value(one), _value(two))
        for one, two in zip(first, second, strict=True)
        if one.score is not None and two.score is not None
    ]
    mean = sum(values) / len(values) if values else 0.0
    used = [row.usage for row in (*first, *second)]
    return Probe(
        score=Estimate.of(values or [0.0]),
        right=sum(as_scoring(metric).is_full(value) for value in values) / max(1, len(values)),
        steady=sum(one == two for one, two in pairs) / max(1, len(pairs)),
        variance=sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1),
        cost=average_cost(first),
        asked=Cost(
            sum(usage.calls for usage in used),
            sum(usage.total_tokens for usage in used),
            sum(usage.dollars or 0.0 for usage in used),
            unpriced=sum(usage.calls for usage in used if usage.dollars is None),
        ),
    )


def count_alternatives(program: Module) -> int:
    """Return how many steps of a program stand in for one another, in all."""
    return sum(len(each.alternative_steps()) for each in program.named_modules().values())


def grow_cost(cost: Cost) -> Cost:
    """Return what a query may take with what a search adds to its prompts; ``cost`` without."""
    return Cost(cost.calls, cost.tokens * GROWTH[1], cost.dollars * GROWTH[1])


def estimate_cost_from_prompts(program: Module, examples: Sequence[Example]) -> tuple[Cost, bool]:
    """Return what a query takes, guessed from prompts alone, and whether its price is known."""
    tokens = dollars = 0.0
    known = True
    ambient = current().lm
    for predictor in program.predictors().values():
        prompt = _characters(predictor, examples) / CHARACTERS_A_TOKEN
        tokens += prompt + REPLY_TOKENS
        model = ambient if predictor.model is None else model_named(predictor.model)
        price = None if model is None else price_in(model)
        if price is None:
            known = False
        else:
            dollars += price.request + (prompt * price.input + REPLY_TOKENS * price.output) / 1e6
    count = len(program.predictors())
    calls = program.calls_per_example()
    # Of the predictors that stand in for one another nobody knows yet which are asked.
    return Cost(float(calls), tokens * calls / count, dollars * calls / count), known


def _characters(predictor: Any, examples: Sequence[Example]) -> float:
    signature = predictor.signature
    head = len(signature.instruction) + sum(40 + len(f.description) for f in signature.fields)
    shown = sum(len(str(value)) + 30 for demo in predictor.demos for value in demo.values())
    asked = [
        sum(len(str(example[name])) for name in signature.inputs if name in example)
        for example in examples[:PROBED]
    ]
    return 120 + head + shown + sum(asked) / max(1, len(asked))


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value


def _total(spans: Sequence[Range]) -> Range:
    total = Range()
    for one in spans:
        total = total.plus(one)
    return total


def _ends(span: Range) -> list[float]:
    return list(span.ends)


def _money(dollars: Range | None) -> str:
    return "" if dollars is None else ", ${:.4f} to ${:.4f}".format(*dollars.ends)
