"""What a compile will cost and what gain it can detect, before it starts.

The forecast of calls and dollars is free. ``langprog estimate`` also runs the program twice on a
few validation examples, to measure what a query costs, how often it is already right, and how
stable its scores are, instead of assuming them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from langprog import Module, Sampling
from langprog.evaluation import Metric, Row, student_quantile
from langprog.example import Example
from langprog.lm import Cost, Message, Request, largest_cost, price_in
from langprog.notebook import render_card, shorten
from langprog.runtime import current, model_named
from optimizers.budget.forecast import ForecastInputs, Range, StageForecast, cut_to_budget
from optimizers.budget.plan import MAX_RESERVED, REPAIR_MARGIN, BudgetPlan
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scorer import Estimate, average_cost
from optimizers.evaluation.scoring import Scoring, as_scoring
from optimizers.identity import derive_seed

# Assumed characters per token of a prompt, and tokens of a short answer.
CHARACTERS_A_TOKEN, REPLY_TOKENS = 4.0, 24.0
# A search makes prompts longer, and candidates reuse cached answers of their earlier modules.
GROWTH = (1.0, 4.0)
REUSED = 0.65
# Power of a one-sided test at 5 % for the smallest gain that is called detectable.
POWER, LEVEL = 0.8, 0.05
# Assumed correlation of scores before and after on the same examples.
PAIRED = 0.5
PROBED = 12
# Of scores between 0 and 1.
SMALLEST_VARIANCE, LARGEST_VARIANCE = 0.05, 0.25
# Queries that a comparison needs at least: two programs on a few dozen examples.
FEWEST_QUERIES = 45


@dataclass(frozen=True, slots=True)
class StageCost:
    """Expected calls and dollars of a stage; ``dollars`` is ``None`` if a price is unknown."""

    stage: str
    calls: Range
    dollars: Range | None


@dataclass(frozen=True, slots=True)
class Probe:
    """Measurements of the input program, run twice on a few validation examples.

    Args:
        score: Its mean score.
        right: Share of examples with full marks.
        steady: Share of examples with the same score both times.
        variance: Variance of the scores over examples.
        cost: Mean cost of a query.
        requested: What the probe itself requested.
    """

    score: Estimate
    right: float
    steady: float
    variance: float
    cost: Cost
    requested: Cost


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a compile is expected to cost, and what it can show.

    Args:
        stages: The cost of each stage, the certificate last.
        cost: Cost of one query of the input program.
        candidates: Number of candidates that the budget pays for.
        holdout: Holdout examples that the certificate will use.
        detectable: Smallest gain that it detects with 80 % power.
        probe: What was measured; ``None`` if nothing was run.
        refusal: Why the compile is not worth starting, or ``None``.
        notes: Other remarks, such as models without a price.
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
        """Total calls."""
        return _add_ranges([stage.calls for stage in self.stages])

    @property
    def dollars(self) -> Range | None:
        """Total dollars, or ``None`` if a price is unknown."""
        known = [stage.dollars for stage in self.stages if stage.dollars is not None]
        return _add_ranges(known) if len(known) == len(self.stages) else None

    def lines(self) -> list[str]:
        """Return the forecast as a few lines of text."""
        lines = [f"expected: {self.calls} calls{_format_dollars(self.dollars)}"]
        if self.probe is not None:
            lines += [
                f"the program as it is: {self.probe.score} on {self.probe.score.n} validation "
                f"examples; full marks on {self.probe.right:.0%}; the same score when sampled "
                f"twice on {self.probe.steady:.0%}"
            ]
        lines.append(
            f"{self.holdout} holdout examples: a gain of {self.detectable:.2f} or more is seen "
            f"{POWER:.0%} of the time, a smaller one less often"
        )
        if self.candidates.high:
            lines.append(f"this buys {self.candidates} candidates")
        return [*lines, *self.notes]

    def __repr__(self) -> str:
        lines = [*self.lines(), *([f"refused: {self.refusal}"] if self.refusal else [])]
        return shorten(f"Preflight({''.join(f'{chr(10)}  {line}' for line in lines)}\n)")

    def _repr_html_(self) -> str:
        stages = [
            (each.stage, each.calls, _format_dollars(each.dollars).removeprefix(", ") or "unknown")
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
                    "stage": stage.stage,
                    "calls": _ends(stage.calls),
                    "dollars": None if stage.dollars is None else _ends(stage.dollars),
                }
                for stage in self.stages
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
                "asked": probe.requested.to_json(),
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
    score_range: tuple[float, float] = (0.0, 1.0),
) -> Preflight:
    """Return the expected cost of a search and the certificate.

    Args:
        given: What the search would do with an unlimited budget.
        facts: What that forecast was based on.
        plan: How the budget is divided.
        cost: Cost of one query.
        priced: Whether the dollars in ``cost`` are known.
        probe: What was measured, if anything.
        score_range: The worst and the best score of the metric.
    """
    reused = REUSED if facts.predictors > 1 else 1.0
    stages = []
    affordable = cut_to_budget(given, facts.queries)
    for stage in affordable:
        calls = stage.queries.times(cost.calls * reused, cost.calls).plus(stage.proposals)
        price = cost.dollars / max(cost.calls, 1.0)
        dollars = calls.times(price, price * GROWTH[1]) if priced else None
        stages.append(StageCost(stage.stage, calls, dollars))
    rows = plan.certified_rows
    certified = Range(1.6 * rows * cost.calls, 2 * rows * cost.calls)
    each = rows * cost.dollars
    stages.append(
        StageCost("certify", certified, Range(each, each * (1 + GROWTH[1])) if priced else None)
    )
    square = (score_range[1] - score_range[0]) ** 2
    variance = LARGEST_VARIANCE * square
    if probe is not None:
        variance = max(SMALLEST_VARIANCE * square, probe.variance)
    tried = _add_ranges([stage.candidates for stage in affordable])
    searches = any(stage.stage == "search" or stage.candidates.high for stage in given)
    return Preflight(
        stages=tuple(stages),
        cost=cost,
        candidates=tried,
        holdout=rows,
        detectable=find_detectable_gain(rows, variance),
        probe=probe,
        refusal=_explain_refusal(tried, facts.queries, cost) if searches else None,
    )


def find_detectable_gain(rows: int, variance: float) -> float:
    """Return the smallest gain that a one-sided test on ``rows`` pairs detects with ``POWER``.

    Args:
        rows: Number of pairs.
        variance: Variance of a score; that of a difference follows from ``PAIRED``.
    """
    if rows < 2:
        return math.inf
    threshold = student_quantile(1 - LEVEL, rows - 1)
    margin = student_quantile(POWER, rows - 1)
    return (threshold + margin) * math.sqrt(2 * variance * (1 - PAIRED) / rows)


def _explain_refusal(tried: Range, queries: float, cost: Cost) -> str | None:
    if tried.high >= 1:
        return None
    needed = math.ceil(FEWEST_QUERIES * cost.calls * REPAIR_MARGIN / (1 - MAX_RESERVED))
    return (
        f"the budget buys no candidate: its part for the search pays for {math.floor(queries)} "
        "runs of the program, too few to compare a candidate with it; give at least about "
        f"{needed} calls, or the corresponding tokens and dollars"
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
    again = program.with_parameters(
        {
            f"{path}.sampling": Sampling(seed=derive_seed(seed, "probe", path)).over(
                predictor.sampling
            )
            for path, predictor in program.predictors().items()
        }
    )
    first, second = await run_rows([Job(program, some), Job(again, some)], metric, concurrency)
    values = [_value(row) for row in first if row.score is not None]
    pairs = [
        (_value(before), _value(after))
        for before, after in zip(first, second, strict=True)
        if before.score is not None and after.score is not None
    ]
    mean = sum(values) / len(values) if values else 0.0
    used = [row.usage for row in (*first, *second)]
    return Probe(
        score=Estimate.of(values or [as_scoring(metric).range[0]], as_scoring(metric).range),
        right=sum(as_scoring(metric).is_full(value) for value in values) / max(1, len(values)),
        steady=sum(before == after for before, after in pairs) / max(1, len(pairs)),
        variance=sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1),
        cost=average_cost(first),
        requested=Cost(
            sum(usage.calls for usage in used),
            sum(usage.total_tokens for usage in used),
            sum(usage.dollars or 0.0 for usage in used),
            unpriced=sum(usage.calls for usage in used if usage.dollars is None),
        ),
    )


def count_alternatives(program: Module) -> int:
    """Return how many alternative steps the program's modules have in total."""
    return sum(len(each.alternative_steps()) for each in program.named_modules().values())


def grow_cost(cost: Cost) -> Cost:
    """Return the highest cost of a query after a search has made its prompts longer."""
    return Cost(cost.calls, cost.tokens * GROWTH[1], cost.dollars * GROWTH[1])


def estimate_cost_from_prompts(program: Module, examples: Sequence[Example]) -> tuple[Cost, bool]:
    """Return the cost of a query, guessed from prompts, and whether its price is known."""
    tokens = dollars = 0.0
    known = True
    ambient = current().lm
    for predictor in program.predictors().values():
        prompt = _count_characters(predictor, examples) / CHARACTERS_A_TOKEN
        tokens += prompt + REPLY_TOKENS
        model = ambient if predictor.model is None else model_named(predictor.model)
        price = None if model is None else price_in(model)
        if price is None:
            known = False
        else:
            dollars += price.request + (prompt * price.input + REPLY_TOKENS * price.output) / 1e6
    count = max(1, len(program.predictors()))
    calls = program.calls_per_example()
    # It is not known yet which of several alternative predictors will be called.
    return Cost(float(calls), tokens * calls / count, dollars * calls / count), known


def estimate_reservation(program: Module, examples: Sequence[Example]) -> Cost:
    """Return what a budget in tokens or dollars has to have left for the last query, guessed.

    A call reserves for the longest reply that it may get, and a token for each byte of its prompt.
    """
    most = Cost()
    for predictor in program.predictors().values():
        text = "x" * math.ceil(_count_characters(predictor, examples))
        sampling = predictor.sampling.over(current().sampling)
        request = Request((Message("user", text),), sampling)
        most += largest_cost(request, model_named(predictor.model))
    together = program.calls_per_example() / max(1, len(program.predictors()))
    return replace(most * together, calls=0.0)


def _count_characters(predictor: Any, examples: Sequence[Example]) -> float:
    signature = predictor.signature
    head = len(signature.instruction) + sum(40 + len(f.description) for f in signature.fields)
    shown = sum(len(str(value)) + 30 for demo in predictor.demos for value in demo.values())
    shown += 0 if predictor.nearest is None else predictor.nearest.usual
    inputs = [
        sum(len(str(example[name])) for name in signature.inputs if name in example)
        for example in examples[:PROBED]
    ]
    return 120 + head + shown + sum(inputs) / max(1, len(inputs))


def _value(row: Row) -> float:
    assert row.score is not None
    return row.score.value


def _add_ranges(spans: Sequence[Range]) -> Range:
    total = Range()
    for span in spans:
        total = total.plus(span)
    return total


def _ends(span: Range) -> list[float]:
    return list(span.ends)


def _format_dollars(dollars: Range | None) -> str:
    return "" if dollars is None else ", ${:.4f} to ${:.4f}".format(*dollars.ends)
