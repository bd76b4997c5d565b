"""Measure cascades and routes on recorded answers: quality against dollars, with single models.

Usage: python -m benchmarks.replay.models [--splits 40] [--only gsm8k,gpqa]

Every split draws three parts: a quarter trains the scorer and the clusters, a quarter sets
thresholds and the value of a dollar, and half measures the result. No model is called.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.measured import machine, mean_interval, publish, table, versions
from benchmarks.replay.recorded import SOURCES, Floats, Recorded
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.modules import TOKEN_FEATURES, hash_words
from optimizers.models.clusters import (
    EvaluatedRouter,
    evaluate_router,
    fit_router,
    list_trades,
    make_constant_router,
    pick_router_under_cap,
)
from optimizers.models.rules import LabeledAnswer, fit_rule
from optimizers.models.step_results import StepResults
from optimizers.models.tiers import (
    EvaluatedCascade,
    enumerate_cascades,
    evaluate_tiers,
    pick_cascade_under_cap,
)
from optimizers.models.tradeoffs import pick_cheapest_close

# Caps on the mean cost, as shares of the dollars of the model that is best on train.
CAPS = (0.1, 0.25, 0.5, 1.0)
TOLERANCE = 0.02
BUCKETS = 512
VOTERS = 3
CLUSTERS = (1, 2, 4, 8, 16)
# Models of a pool: with more, a cascade has too many orders to evaluate in every split.
MOST_MODELS = 6


@cache
def _load(source: str, folder: Path) -> Recorded:
    return SOURCES[source](folder)


@dataclass(frozen=True)
class Parts:
    """A split: rows for training, for choosing and for testing."""

    train: list[int]
    choice: list[int]
    test: list[int]

    @classmethod
    def of(cls, size: int, seed: int) -> Parts:
        """Draw a split."""
        order = random.Random(f"models/{seed}").sample(range(size), size)
        quarter = size // 4
        return cls(order[:quarter], order[quarter : 2 * quarter], order[2 * quarter :])


Outcome = dict[tuple[str, str], tuple[float, float]]


def run_split(source: str, folder: Path, seed: int) -> Outcome:
    """Return quality and cost of every method, each as a share of the best single model's.

    Keys are (method, cap); the best single model is the one that is best on train and choice.
    """
    data = _load(source, folder)
    parts = Parts.of(data.size, seed)
    known = [*parts.train, *parts.choice]
    pool = _pick_models(data, known)
    best = max(pool, key=lambda model: float(data.score[model, known].mean()))
    whole = float(data.cost[best, known].mean())
    results = _collect_results(data, pool, parts)
    choice, test = results.rows(parts.choice), results.rows(parts.test)
    outcome: Outcome = {}
    orders = enumerate_cascades(choice)
    routers = _fit_routers(data, results, parts)
    place = pool.index(best)
    inputs = [{"q": data.questions[row]} for row in parts.choice]
    alone = evaluate_router(make_constant_router(choice.best, choice.steps), inputs, choice)
    single_best = evaluate_tiers(choice, ((choice.best, None),))
    for cap in CAPS:
        name = f"{cap:.0%}"
        plan = pick_cascade_under_cap(orders, choice, cap * whole)
        routing = pick_router_under_cap(routers, choice, cap * whole)
        single = _pick_single(choice, cap * whole)
        outcome["best single model", name] = _measure_single(test, single)
        outcome["cascade", name] = _measure_cascade(test, plan)
        outcome["route", name] = _measure_router(data, test, parts, routing)
    floor = "as good for less"
    outcome["cascade", floor] = _measure_cascade(
        test, pick_cheapest_close(orders, single_best, TOLERANCE)
    )
    outcome["route", floor] = _measure_router(
        data, test, parts, pick_cheapest_close(routers, alone, TOLERANCE)
    )
    outcome["best single model", floor] = _measure_single(test, place)
    outcome[f"vote of the {VOTERS} cheapest", floor] = _measure_vote(data, pool, parts.test)
    outcome["oracle", floor] = _measure_oracle(test)
    return {
        key: (quality, cost / float(data.cost[best, parts.test].mean()))
        for key, (quality, cost) in outcome.items()
    }


def _pick_models(data: Recorded, known: Sequence[int]) -> list[int]:
    """Return the most useful models: those on the front first, then the best of the others."""
    order = sorted(
        range(len(data.models)), key=lambda model: -float(data.score[model, known].mean())
    )
    front = [
        model
        for at, model in enumerate(order)
        if all(data.cost[model, known].mean() < data.cost[o, known].mean() for o in order[:at])
    ]
    others = [model for model in order if model not in front]
    return sorted([*front, *others][:MOST_MODELS])


def _collect_results(data: Recorded, pool: Sequence[int], parts: Parts) -> StepResults:
    """Return all rows, with the confidence of a scorer trained only on the train rows."""
    sure = np.zeros((len(pool), data.size))
    for place, model in enumerate(pool):
        answers = [_label_answer(data, model, row) for row in range(data.size)]
        rule = fit_rule([answers[row] for row in parts.train], BUCKETS)
        sure[place] = [
            rule.chance(answer.tokens if rule.tokens else (), hash_words(answer.values, BUCKETS))
            for answer in answers
        ]
    return StepResults(data.score[list(pool)], data.cost[list(pool)], sure)


def _label_answer(data: Recorded, model: int, row: int) -> LabeledAnswer:
    values = {"question": data.questions[row], "answer": data.answers[model][row]}
    tokens = [0.0] * (TOKEN_FEATURES - 1) + [float(data.length[model, row])]
    return LabeledAnswer(values, tokens, float(data.score[model, row]))


def _fit_routers(data: Recorded, results: StepResults, parts: Parts) -> list[EvaluatedRouter]:
    train, inputs = results.rows(parts.train), [{"q": data.questions[row]} for row in parts.train]
    others = [{"q": data.questions[row]} for row in parts.choice]
    choice = results.rows(parts.choice)
    counts = [count for count in CLUSTERS if count == 1 or 10 * count <= len(inputs)]
    return [
        evaluate_router(replace(router, trade=trade), others, choice)
        for router in (fit_router(inputs, train, count, 0) for count in counts)
        for trade in list_trades(train)
    ]


def _pick_single(choice: StepResults, cap: float) -> int | None:
    within = [step for step in range(choice.steps) if choice.cost[step].mean() <= cap * (1 + 1e-9)]
    return max(within, key=lambda step: float(choice.score[step].mean())) if within else None


def _measure_single(test: StepResults, step: int | None) -> tuple[float, float]:
    if step is None:
        return (float("nan"), float("nan"))
    return float(test.score[step].mean()), float(test.cost[step].mean())


def _measure_cascade(test: StepResults, plan: EvaluatedCascade | None) -> tuple[float, float]:
    if plan is None:
        return (float("nan"), float("nan"))
    real = evaluate_tiers(test, plan.tiers)
    return real.quality, real.cost


def _measure_router(
    data: Recorded, test: StepResults, parts: Parts, routing: EvaluatedRouter | None
) -> tuple[float, float]:
    if routing is None:
        return (float("nan"), float("nan"))
    real = evaluate_router(
        routing.router, [{"q": data.questions[row]} for row in parts.test], test
    )
    return real.quality, real.cost


def _measure_vote(data: Recorded, pool: Sequence[int], rows: Sequence[int]) -> tuple[float, float]:
    """Return the vote of the cheapest models; nan with fewer, or without recorded answers."""
    voters = pool[:VOTERS]
    if len(voters) < VOTERS or not any(data.answers[voters[0]]):
        return (float("nan"), float("nan"))
    right = 0.0
    for row in rows:
        votes = [data.answers[model][row].split(" ")[0] for model in voters]
        top, _ = Counter(votes).most_common(1)[0]
        right += float(data.score[voters[votes.index(top)], row])
    cost = sum(float(data.cost[model, list(rows)].mean()) for model in voters)
    return right / len(rows), cost


def _measure_oracle(test: StepResults) -> tuple[float, float]:
    """Return quality and cost of calling the cheapest model that is right."""
    score, cost = test.score.max(axis=0), np.zeros(test.size)
    for row in range(test.size):
        right = np.flatnonzero(test.score[:, row] >= score[row])
        cost[row] = test.cost[right, row].min()
    return float(score.mean()), float(cost.mean())


# --- the page ------------------------------------------------------------------------------------

METHODS = ("best single model", f"vote of the {VOTERS} cheapest", "cascade", "route", "oracle")
COLUMNS = (*(f"{cap:.0%}" for cap in CAPS), "as good for less")


def format_section(data: Recorded, splits: Sequence[Outcome]) -> str:
    """Return the section of a data set."""
    singles = ", ".join(
        f"{model.rpartition('/')[2]} {100 * score:.1f} % at ${1000 * cost:.3g}"
        for model, score, cost in zip(
            data.models, _means(data.score), _means(data.cost), strict=True
        )
    )
    head = (
        "accuracy, % (cost)",
        *(f"cap {name}" if name in COLUMNS[:-1] else name for name in COLUMNS),
    )
    rows: list[tuple[str, ...]] = [head]
    for method in METHODS:
        cells = [
            _cell([split[method, c] for split in splits if (method, c) in split]) for c in COLUMNS
        ]
        rows.append((method, *cells))
    lines = [format_verdict(splits, method) for method in ("cascade", "route")]
    return (
        f"## {data.name}\n\nn = {data.size}; dollars: {data.prices}. Single models, with dollars "
        f"per 1,000 questions: {singles}.\n\n{table(rows)}\n\n" + "\n".join(lines)
    )


def format_verdict(splits: Sequence[Outcome], method: str) -> str:
    """Summarize in one line whether a method pays off."""
    cells = []
    for cap in COLUMNS[:-1]:
        gains = [
            split[method, cap][0] - split["best single model", cap][0]
            for split in splits
            if split[method, cap][0] == split[method, cap][0]
            and split["best single model", cap][0] == split["best single model", cap][0]
        ]
        if gains:
            middle, low, high = mean_interval(gains, draws=1000)
            cells.append(f"{100 * middle:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] at {cap}")
    floor = COLUMNS[-1]
    losses = [split[method, floor][0] - split["best single model", floor][0] for split in splits]
    cost = statistics.fmean(split[method, floor][1] for split in splits)
    middle, low, high = mean_interval(losses, draws=1000)
    pays = cost < 0.9 and low > -TOLERANCE
    return (
        f"- {method}: points over the best single model under the same cap: {'; '.join(cells)}. "
        f"As good for less: {100 * middle:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points at "
        f"{cost:.0%} of the best model's dollars: it {'pays' if pays else 'does NOT pay'} here."
    )


def _means(values: Floats) -> list[float]:
    return [float(mean) for mean in values.mean(axis=1)]


def _cell(pairs: Sequence[tuple[float, float]]) -> str:
    known = [pair for pair in pairs if pair[0] == pair[0]]
    if not known:
        return ""
    middle, low, high = mean_interval([quality for quality, _ in known], draws=1000)
    cost = statistics.fmean(cost for _, cost in known)
    return f"{100 * middle:.1f} [{100 * low:.1f}, {100 * high:.1f}] ({cost:.0%})"


def main(arguments: list[str]) -> None:
    """Replay every data set, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.models")
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--only", default=",".join(SOURCES))
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    sections = []
    for source in options.only.split(","):
        with ProcessPoolExecutor(2) as pool:
            work = partial(run_split, source, folder)
            splits = list(pool.map(work, range(options.splits)))
        sections.append(format_section(_load(source, folder), splits))
        sys.stderr.write(sections[-1] + "\n\n")
    publish(
        "replay_models",
        "# Cascades and routes on recorded answers\n\n"
        f"`python -m benchmarks.replay.models --splits {options.splits}`; {machine()}; "
        f"{versions('langprog', 'scikit-learn', 'numpy')}; {options.splits} random splits: a "
        "quarter trains scorer and clusters, a quarter chooses, half is reported; means with 95 % "
        "bootstrap intervals over splits (the splits share questions, so the intervals are those "
        "of the method, not of the data). Cost is the share of the dollars of the model that is "
        "best on train and choice. A cap is on the mean dollars; a choice under a cap may turn "
        "out slightly above it on other questions. The scorer sees the words of question and "
        f"answer, and the answer's length. The {MOST_MODELS} models of a pool are those that "
        "nothing beats in quality and cost, then the best of the others. No answer was sampled "
        "twice, and no log-probability was recorded, so those signals could not be replayed.\n\n"
        + "\n\n".join(sections),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
