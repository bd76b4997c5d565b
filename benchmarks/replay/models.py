"""Cascades and routes on recorded answers: quality against dollars, beside what they compete with.

Usage: python -m benchmarks.replay.models [--splits 40] [--only gsm8k,gpqa]

Every split draws three parts: a quarter trains the scorer and the clusters, a quarter sets
thresholds and the worth of a dollar, and half says what came out. Nothing is asked of any model.
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
from benchmarks.tasks.folder import data_folder, missing
from langprog.modules import TOKEN_FEATURES, hash_words
from optimizers.models.choice import not_worse
from optimizers.models.clusters import (
    Routing,
    always,
    best_route,
    fitted_router,
    routed,
    trades,
)
from optimizers.models.observed import Observed
from optimizers.models.rules import Answered, fitted_rule
from optimizers.models.tiers import Plan, best_under, planned, plans

# Caps on the mean cost, as shares of the dollars of the model that is best on train.
CAPS = (0.1, 0.25, 0.5, 1.0)
TOLERANCE = 0.02
BUCKETS = 512
VOTERS = 3
CLUSTERS = (1, 2, 4, 8, 16)
# Models of a pool: more make the orders of a cascade too many to weigh in every split.
MOST_MODELS = 6


@cache
def _data(source: str, folder: Path) -> Recorded:
    return SOURCES[source](folder)


@dataclass(frozen=True)
class Parts:
    """A split: rows that train, rows that choose, rows that tell."""

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


def one_split(source: str, folder: Path, seed: int) -> Outcome:
    """Return quality and cost of everything, each as a share of the best single model's.

    Keys are (method, cap); the best single model is the one that is best on train and choice.
    """
    data = _data(source, folder)
    parts = Parts.of(data.size, seed)
    known = [*parts.train, *parts.choice]
    pool = _pool(data, known)
    best = max(pool, key=lambda model: float(data.score[model, known].mean()))
    whole = float(data.cost[best, known].mean())
    seen = _seen(data, pool, parts)
    chosen, told = seen.rows(parts.choice), seen.rows(parts.test)
    found: Outcome = {}
    orders = plans(chosen)
    routers = _routings(data, seen, parts)
    place = pool.index(best)
    inputs = [{"q": data.questions[row]} for row in parts.choice]
    alone = routed(always(chosen.best, chosen.steps), inputs, chosen)
    single_best = planned(chosen, ((chosen.best, None),))
    for cap in CAPS:
        name = f"{cap:.0%}"
        plan = best_under(orders, chosen, cap * whole)
        routing = best_route(routers, chosen, cap * whole)
        single = _single_under(chosen, cap * whole)
        found["best single model", name] = _of(told, single)
        found["cascade", name] = _plan(told, plan)
        found["route", name] = _routed(data, told, parts, routing)
    floor = "as good for less"
    found["cascade", floor] = _plan(told, not_worse(orders, single_best, TOLERANCE))
    found["route", floor] = _routed(data, told, parts, not_worse(routers, alone, TOLERANCE))
    found["best single model", floor] = _of(told, place)
    found[f"vote of the {VOTERS} cheapest", floor] = _vote(data, pool, parts.test)
    found["oracle", floor] = _oracle(told)
    return {
        key: (quality, cost / float(data.cost[best, parts.test].mean()))
        for key, (quality, cost) in found.items()
    }


def _pool(data: Recorded, known: Sequence[int]) -> list[int]:
    """Return the models worth having: those on the front first, then the best of the others."""
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


def _seen(data: Recorded, pool: Sequence[int], parts: Parts) -> Observed:
    """Return all rows, with how sure a scorer is that was trained on the train rows alone."""
    sure = np.zeros((len(pool), data.size))
    for place, model in enumerate(pool):
        answers = [_answered(data, model, row) for row in range(data.size)]
        rule = fitted_rule([answers[row] for row in parts.train], BUCKETS)
        sure[place] = [
            rule.chance(one.tokens if rule.tokens else (), hash_words(one.values, BUCKETS))
            for one in answers
        ]
    return Observed(data.score[list(pool)], data.cost[list(pool)], sure)


def _answered(data: Recorded, model: int, row: int) -> Answered:
    values = {"question": data.questions[row], "answer": data.answers[model][row]}
    tokens = [0.0] * (TOKEN_FEATURES - 1) + [float(data.length[model, row])]
    return Answered(values, tokens, float(data.score[model, row]))


def _routings(data: Recorded, seen: Observed, parts: Parts) -> list[Routing]:
    train, inputs = seen.rows(parts.train), [{"q": data.questions[row]} for row in parts.train]
    others = [{"q": data.questions[row]} for row in parts.choice]
    chosen = seen.rows(parts.choice)
    counts = [count for count in CLUSTERS if count == 1 or 10 * count <= len(inputs)]
    return [
        routed(replace(router, trade=trade), others, chosen)
        for router in (fitted_router(inputs, train, count, 0) for count in counts)
        for trade in trades(train)
    ]


def _single_under(chosen: Observed, cap: float) -> int | None:
    within = [step for step in range(chosen.steps) if chosen.cost[step].mean() <= cap * (1 + 1e-9)]
    return max(within, key=lambda step: float(chosen.score[step].mean())) if within else None


def _of(told: Observed, step: int | None) -> tuple[float, float]:
    if step is None:
        return (float("nan"), float("nan"))
    return float(told.score[step].mean()), float(told.cost[step].mean())


def _plan(told: Observed, plan: Plan | None) -> tuple[float, float]:
    if plan is None:
        return (float("nan"), float("nan"))
    real = planned(told, plan.tiers)
    return real.quality, real.cost


def _routed(
    data: Recorded, told: Observed, parts: Parts, routing: Routing | None
) -> tuple[float, float]:
    if routing is None:
        return (float("nan"), float("nan"))
    real = routed(routing.router, [{"q": data.questions[row]} for row in parts.test], told)
    return real.quality, real.cost


def _vote(data: Recorded, pool: Sequence[int], rows: Sequence[int]) -> tuple[float, float]:
    """Return the vote of the cheapest models; nan with fewer, or without recorded answers."""
    voters = pool[:VOTERS]
    if len(voters) < VOTERS or not any(data.answers[voters[0]]):
        return (float("nan"), float("nan"))
    right = 0.0
    for row in rows:
        said = [data.answers[model][row].split(" ")[0] for model in voters]
        top, _ = Counter(said).most_common(1)[0]
        right += float(data.score[voters[said.index(top)], row])
    cost = sum(float(data.cost[model, list(rows)].mean()) for model in voters)
    return right / len(rows), cost


def _oracle(told: Observed) -> tuple[float, float]:
    """Return what asking the cheapest model that is right would come to."""
    score, cost = told.score.max(axis=0), np.zeros(told.size)
    for row in range(told.size):
        right = np.flatnonzero(told.score[:, row] >= score[row])
        cost[row] = told.cost[right, row].min()
    return float(score.mean()), float(cost.mean())


# --- the page ------------------------------------------------------------------------------------

METHODS = ("best single model", f"vote of the {VOTERS} cheapest", "cascade", "route", "oracle")
COLUMNS = (*(f"{cap:.0%}" for cap in CAPS), "as good for less")


def section(data: Recorded, splits: Sequence[Outcome]) -> str:
    """Return what is said of one data set."""
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
        cells = [_cell([one[method, c] for one in splits if (method, c) in one]) for c in COLUMNS]
        rows.append((method, *cells))
    lines = [verdict(splits, method) for method in ("cascade", "route")]
    return (
        f"## {data.name}\n\nn = {data.size}; dollars: {data.prices}. Single models, with dollars "
        f"per 1,000 questions: {singles}.\n\n{table(rows)}\n\n" + "\n".join(lines)
    )


def verdict(splits: Sequence[Outcome], method: str) -> str:
    """Return whether a method pays, in one line."""
    said = []
    for cap in COLUMNS[:-1]:
        gains = [
            one[method, cap][0] - one["best single model", cap][0]
            for one in splits
            if one[method, cap][0] == one[method, cap][0]
            and one["best single model", cap][0] == one["best single model", cap][0]
        ]
        if gains:
            middle, low, high = mean_interval(gains, draws=1000)
            said.append(f"{100 * middle:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] at {cap}")
    floor = COLUMNS[-1]
    lost = [one[method, floor][0] - one["best single model", floor][0] for one in splits]
    cost = statistics.fmean(one[method, floor][1] for one in splits)
    middle, low, high = mean_interval(lost, draws=1000)
    pays = cost < 0.9 and low > -TOLERANCE
    return (
        f"- {method}: points over the best single model under the same cap: {'; '.join(said)}. "
        f"As good for less: {100 * middle:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}] points at "
        f"{cost:.0%} of the best model's dollars: it {'pays' if pays else 'does NOT pay'} here."
    )


def _means(values: Floats) -> list[float]:
    return [float(one) for one in values.mean(axis=1)]


def _cell(pairs: Sequence[tuple[float, float]]) -> str:
    known = [one for one in pairs if one[0] == one[0]]
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
        sys.stdout.write(missing() + "\n")
        return
    sections = []
    for source in options.only.split(","):
        with ProcessPoolExecutor(2) as pool:
            work = partial(one_split, source, folder)
            splits = list(pool.map(work, range(options.splits)))
        sections.append(section(_data(source, folder), splits))
        sys.stderr.write(sections[-1] + "\n\n")
    publish(
        "replay_models",
        "# Cascades and routes on recorded answers\n\n"
        f"`python -m benchmarks.replay.models --splits {options.splits}`; {machine()}; "
        f"{versions('langprog', 'scikit-learn', 'numpy')}; {options.splits} random splits: a "
        "quarter trains scorer and clusters, a quarter chooses, half is reported; means with 95 % "
        "bootstrap intervals over splits (the splits share questions, so the intervals are those "
        "of the method, not of the data). Cost is the share of the dollars of the model that is "
        "best on train and choice. A cap is on the mean dollars; what is chosen under a cap may "
        "come out a little over it. The scorer sees the words of question and answer, and the "
        f"answer's length. The {MOST_MODELS} models of a pool are those that nothing beats in "
        "quality and cost, then the best of the others. No answer was sampled twice, and no "
        "log-probability was recorded, so those signals could not be replayed.\n\n"
        + "\n\n".join(sections),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
