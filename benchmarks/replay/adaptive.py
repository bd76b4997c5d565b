"""How many samples each question deserves, and when to ask a stronger model, on recorded answers.

Usage: python -m benchmarks.replay.adaptive [--splits 8]

The data: ZeroEval (Lin, 2024; Apache-2.0), one greedy answer of each of about 40 models to every
question. As in ``benchmarks.replay.votes``, a sample is the answer of a model drawn from a pool.

Votes: the same number of samples for every question, or as many as its difficulty asks for.
Follows: Learning How Hard to Think: Input-Adaptive Allocation of LM Computation (Damani et al.,
2024), with the best allocation on labelled questions by bins of predicted difficulty; difficulty
is predicted from the words of the question, or from the first three samples.

Escalation: a stronger model is asked where samples of the cheap ones differ. Pairs follow Experts
Don't Cheat: Learning What You Don't Know By Predicting Pairs (Johnson et al., 2024) as far as
answers at hand allow: two samples that differ, without a model that was trained to write pairs.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

from benchmarks.estimates.recorded import load_answers
from benchmarks.measured import machine, mean_interval, publish, table, versions
from benchmarks.replay.votes import FIRST_SPLIT, PARTS, Pool, load_pools
from benchmarks.tasks.folder import data_folder, explain_missing_data

SIZES = (1, 3, 5, 9, 15, 21)
BUDGETS = (3, 5, 9)
KNOWN, BINS, LOOK = 200, 4, 3
REPEATS = 4
PLACES = (1, 2)  # cheap models, and the weakest of them
Answer = tuple[str, bool]


@dataclass(frozen=True)
class Draws:
    """Samples of each question: ``samples[question][repeat]`` is a list of answers."""

    samples: Sequence[Sequence[Sequence[Answer]]]

    def score(self, row: int, size: int) -> float:
        """Return the accuracy of a vote of the first samples of a question."""
        return fmean(count_vote(each[:size]) for each in self.samples[row])


def count_vote(answers: Sequence[Answer]) -> float:
    """Return whether the most frequent answer is right; ties by lot."""
    votes = Counter("right" if good else f"={answer}" for answer, good in answers)
    most = max(votes.values())
    top = [answer for answer, count in votes.items() if count == most]
    return ("right" in top) / len(top)


def stop_early(answers: Sequence[Answer]) -> int:
    """Return after how many samples the winner of a vote is certain."""
    counts: Counter[str] = Counter()
    for taken, answer in enumerate(answers, start=1):
        counts[_key(answer)] += 1
        if taken > len(answers) // 2:
            first, second = [*counts.most_common(2), ("", 0)][:2]
            if first[1] - second[1] > len(answers) - taken:
                return taken
    return len(answers)


def _key(answer: Answer) -> str:
    return "right" if answer[1] else f"={answer[0]}"


def run_votes(folder: Path, part: str, place: int, seed: int) -> dict[str, list[float]]:
    """Return accuracy and samples of each strategy at each budget."""
    pool = load_pools(folder, part)[place]
    rng = random.Random(f"adaptive/{part}/{place}/{seed}")
    order = rng.sample(range(len(pool.answers)), len(pool.answers))
    known, others = order[:KNOWN], order[KNOWN:]
    draws = Draws(
        [[rng.choices(each, k=max(SIZES)) for _ in range(REPEATS)] for each in pool.answers]
    )
    words = _predict_from_words(load_answers(folder, part).questions, draws, known)
    results: dict[str, list[float]] = {}
    curve = [fmean(draws.score(row, size) for row in others) for size in SIZES]
    for budget in BUDGETS:
        fixed = fmean(draws.score(row, budget) for row in others)
        results[f"fixed {budget}"] = [fixed, float(budget)]
        edges = np.quantile([words[row] for row in known], np.linspace(0, 1, BINS + 1)[1:-1])
        by_words = [int(np.searchsorted(edges, value)) for value in words]
        sizes = _allocate(draws, known, by_words, budget)
        results[f"words {budget}"] = [
            fmean(draws.score(row, sizes[by_words[row]]) for row in others),
            fmean(sizes[by_words[row]] for row in others),
        ]
        results[f"first samples {budget}"] = _follow_first_samples(draws, known, others, budget)
        # An early stop saves samples, so that a larger vote has this mean.
        results[f"early stop {budget}"] = _stop_at(draws, others, budget)
    # Beside each, what the same number of samples for every question would have given.
    return {
        name: [score, used, score - float(np.interp(used, SIZES, curve))]
        for name, (score, used) in results.items()
    }


def _predict_from_words(
    questions: Sequence[str], draws: Draws, known: Sequence[int]
) -> Sequence[float]:
    vectors = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(questions)
    right = [draws.score(row, 1) for row in known]
    predicted = Ridge(alpha=1.0).fit(vectors[known], right).predict(vectors)
    # Labelled questions by a fit without them, as that to the others is.
    predicted[known] = cross_val_predict(Ridge(alpha=1.0), vectors[known], right, cv=10)
    return [float(value) for value in predicted]


def _allocate(
    draws: Draws, known: Sequence[int], bins: Sequence[int], budget: int
) -> dict[int, int]:
    """Return the number of samples for each bin that is best on labelled questions."""
    groups = sorted({bins[row] for row in known})
    shares = [sum(bins[row] == group for row in known) / len(known) for group in groups]
    curves = [
        {k: fmean(draws.score(row, k) for row in known if bins[row] == group) for k in SIZES}
        for group in groups
    ]
    best = max(
        (
            sizes
            for sizes in itertools.product(SIZES, repeat=len(groups))
            if sum(s * k for s, k in zip(shares, sizes, strict=True)) <= budget + 1e-9
        ),
        key=lambda sizes: sum(
            share * curve[k] for share, curve, k in zip(shares, curves, sizes, strict=True)
        ),
    )
    return {**dict.fromkeys(range(BINS), budget), **dict(zip(groups, best, strict=True))}


def _follow_first_samples(
    draws: Draws, known: Sequence[int], others: Sequence[int], budget: float
) -> list[float]:
    """Draw three samples, and more by how many of them agree."""

    def agreement(samples: Sequence[Answer]) -> int:
        return Counter(map(_key, samples[:LOOK])).most_common(1)[0][1]

    def curve(group: int, k: int) -> tuple[float, float]:
        scores = [
            count_vote(each[:k])
            for row in known
            for each in draws.samples[row]
            if agreement(each) == group
        ]
        return (fmean(scores) if scores else 0.0), float(len(scores))

    groups = range(1, LOOK + 1)
    offered = [k for k in SIZES if k >= LOOK]
    curves = {(group, k): curve(group, k) for group in groups for k in offered}
    total = sum(curves[group, LOOK][1] for group in groups)
    shares = {group: curves[group, LOOK][1] / total for group in groups}
    best = max(
        (
            sizes
            for sizes in itertools.product(offered, repeat=LOOK)
            if sum(shares[g] * k for g, k in zip(groups, sizes, strict=True)) <= budget + 1e-9
        ),
        key=lambda sizes: sum(
            shares[g] * curves[g, k][0] for g, k in zip(groups, sizes, strict=True)
        ),
    )
    taken = dict(zip(groups, best, strict=True))
    runs = [each for row in others for each in draws.samples[row]]
    sizes = [taken[agreement(each)] for each in runs]
    scores = [count_vote(each[:k]) for each, k in zip(runs, sizes, strict=True)]
    return [fmean(scores), fmean(sizes)]


def _stop_at(draws: Draws, rows: Sequence[int], budget: float) -> list[float]:
    """Return the largest early-stopped vote with at most this mean number of samples."""
    best = [0.0, 0.0]
    for k in range(1, max(SIZES) + 1, 2):
        runs = [each[:k] for row in rows for each in draws.samples[row]]
        mean = fmean(stop_early(each) for each in runs)
        if mean > budget:
            break
        best = [fmean(count_vote(each) for each in runs), mean]
    return best


# --- escalation ----------------------------------------------------------------------------------

RULES: Mapping[str, tuple[int, Callable[[Sequence[str]], bool]]] = {
    "pair: both agree": (2, lambda keys: keys[0] == keys[1]),
    "three: two agree": (3, lambda keys: Counter(keys).most_common(1)[0][1] >= 2),
    "three: all agree": (3, lambda keys: len(set(keys)) == 1),
}


def run_escalation(folder: Path, part: str, place: int, seed: int) -> dict[str, list[float]]:
    """Return accuracy, cheap samples and dear calls a question, of each rule."""
    pools = load_pools(folder, part)
    pool, everything = pools[place], pools[0]
    rng = random.Random(f"escalate/{part}/{place}/{seed}")
    name, _ = everything.single(range(len(everything.answers)))
    strong = everything.models.index(name)
    rows = range(len(pool.answers))
    results: dict[str, list[float]] = {}
    drawn = [rng.choices(pool.answers[row], k=3) for row in rows]
    for rule, (count, sure) in RULES.items():
        right, dear = [], 0
        for row in rows:
            keys = [_key(answer) for answer in drawn[row][:count]]
            if sure(keys):
                right.append(count_vote(drawn[row][:count]))
            else:
                dear += 1
                right.append(float(everything.answers[row][strong][1]))
        share = dear / len(pool.answers)
        results[rule] = [fmean(right), float(count), share]
        # The same cheap samples and dear calls, the latter on questions drawn at random.
        chance = [
            share * float(everything.answers[row][strong][1])
            + (1 - share) * count_vote(drawn[row][:count])
            for row in rows
        ]
        results[f"{rule}; at random"] = [fmean(chance), float(count), share]
    return results


# --- the page ------------------------------------------------------------------------------------


def _percent(values: Sequence[float]) -> str:
    middle, low, high = (100 * value for value in mean_interval(values, draws=1000))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def _format_votes(pool: Pool, part: str, splits: Sequence[Mapping[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = [("samples a question", *map(str, BUDGETS))]
    for method in ("fixed", "words", "first samples", "early stop"):
        cells = []
        for budget in BUDGETS:
            scores = [split[f"{method} {budget}"][0] for split in splits]
            gains = [split[f"{method} {budget}"][2] for split in splits]
            used = fmean(split[f"{method} {budget}"][1] for split in splits)
            gain = "" if method == "fixed" else f", gain {_percent(gains)}"
            cells.append(f"{100 * fmean(scores):.1f} with {used:.1f}{gain}")
        rows.append((method, *cells))
    return f"### {PARTS[part]}, {pool.name}\n\n{table(rows)}"


def _format_escalation(pool: Pool, part: str, splits: Sequence[Mapping[str, Any]]) -> str:
    rows: list[tuple[str, ...]] = [
        ("trusted where", "accuracy, %", "the same calls at random, %", "dear calls, %")
    ]
    for rule in RULES:
        rows.append(
            (
                rule,
                _percent([split[rule][0] for split in splits]),
                _percent([split[f"{rule}; at random"][0] for split in splits]),
                _percent([split[rule][2] for split in splits]),
            )
        )
    return f"### {PARTS[part]}, {pool.name}\n\n{table(rows)}"


def main(arguments: list[str]) -> None:
    """Replay, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.adaptive")
    parser.add_argument("--splits", type=int, default=8)
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    seeds = range(FIRST_SPLIT, FIRST_SPLIT + options.splits)
    votes, escalation = [], []
    for part in PARTS:
        for place in PLACES:
            pool = load_pools(folder, part)[place]
            runs = [run_votes(folder, part, place, seed) for seed in seeds]
            votes.append(_format_votes(pool, part, runs))
            runs = [run_escalation(folder, part, place, seed) for seed in seeds]
            escalation.append(_format_escalation(pool, part, runs))
            sys.stderr.write(f"{votes[-1]}\n{escalation[-1]}\n")
    publish(
        "replay_adaptive",
        "# Samples by difficulty, and pairs of samples, on recorded answers\n\n"
        f"`python -m benchmarks.replay.adaptive --splits {options.splits}`; {machine()}; "
        f"{versions('langprog', 'scikit-learn')}; ZeroEval (Apache-2.0); means over "
        f"{options.splits} random splits with 95 % bootstrap intervals. A sample is the recorded "
        "answer of a model drawn from the pool, so samples differ more than those of one model "
        "would.\n\n## Votes\n\n"
        f"Difficulty is learned on {KNOWN} labelled questions; accuracy on the others, in "
        "percent, and the samples that were taken. Words: bins of difficulty predicted from the "
        "words of the question. First samples: three, then more by how many of them agree. Early "
        "stop: the largest vote whose mean number of samples is not more, as `lp.Vote` stops; it "
        "needs no labels. Gain: over the same number of samples for every question (between two "
        "sizes, by a straight line).\n\n"
        + "\n\n".join(votes)
        + "\n\n## When to ask a stronger model\n\n"
        "The best model of all is asked where samples of the pool differ, beside as many dear "
        "calls on questions drawn at random.\n\n" + "\n\n".join(escalation),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
