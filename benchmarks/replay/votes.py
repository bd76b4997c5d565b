"""Predict from 100 samples whether voting pays, and with how many votes, on recorded answers.

Usage: python -m benchmarks.replay.votes [--splits 40]

The data: ZeroEval (Lin, 2024; Apache-2.0), one greedy answer of each of about 40 models to every
question. A sample is the answer of a model drawn from a pool, with replacement; a vote of k is won
by the most frequent answer of k such samples, ties by lot.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.measured import machine, mean_interval, publish, table, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from optimizers.models.vote_fit import Mixture, VoteCounts, choose_size, fit_mixture

SIZES = tuple(range(1, 42, 2))
OFFERED = (1, 3, 5, 9, 15, 21, 41)
ITEMS, DRAWS = 33, 3
# Splits below this number were used while the fit was developed.
FIRST_SPLIT = 1000
REPEATS = 8
# Models of at most about 14 billion parameters, and those sold as small.
CHEAP = (
    "Meta-Llama-3-8B-Instruct",
    "Meta-Llama-3.1-8B-Instruct",
    "Phi-3-mini-4k-instruct",
    "Phi-3.5-mini-instruct",
    "Qwen2-7B-Instruct",
    "Qwen2.5-3B-Instruct",
    "Qwen2.5-7B-Instruct",
    "Yi-1.5-9B-Chat",
    "claude-3-haiku-20240307",
    "gemma-2-2b-it",
    "gemma-2-9b-it",
    "gpt-3.5-turbo-0125",
)
WEAKEST = 5
# The three cheapest models with a list price, for voting to save money.
VOTERS = ("Meta-Llama-3.1-8B-Instruct", "gpt-4o-mini-2024-07-18", "claude-3-haiku-20240307")
PARTS = {"gsm": "GSM8K", "math-l5": "MATH-L5"}


@dataclass(frozen=True)
class Pool:
    """Models that vote, and their answers.

    Args:
        name: Description of the pool.
        models: Their names.
        answers: (answer, whether it is right) by question and model.
    """

    name: str
    models: tuple[str, ...]
    answers: tuple[tuple[tuple[str, bool], ...], ...]

    def single(self, rows: Sequence[int]) -> tuple[str, float]:
        """Return the best model of the pool on some questions, and its accuracy."""
        right = [
            statistics.fmean(self.answers[row][place][1] for row in rows)
            for place in range(len(self.models))
        ]
        best = max(range(len(right)), key=right.__getitem__)
        return self.models[best], right[best]


@cache
def load_pools(folder: Path, part: str) -> tuple[Pool, ...]:
    """Read a data set: all models, the cheap ones, and the weakest of those."""
    with (folder / "zeroeval" / f"{part}.jsonl").open(encoding="utf-8") as file:
        head, *lines = map(json.loads, file)
    names = head["models"]
    cheap = [name for name in CHEAP if name in names]
    right = {name: sum(line["ok"][names.index(name)] or 0 for line in lines) for name in cheap}
    weakest = sorted(cheap, key=right.__getitem__)[:WEAKEST]

    def pool(title: str, models: Sequence[str]) -> Pool:
        places = [names.index(model) for model in models]
        answers = tuple(
            tuple(
                # Every missing answer is wrong and counts as different from all others.
                (
                    f"none {place}" if line["pred"][place] is None else str(line["pred"][place]),
                    bool(line["ok"][place]),
                )
                for place in places
            )
            for line in lines
        )
        return Pool(title, tuple(models), answers)

    return (
        pool("all models", names),
        pool("cheap models", cheap),
        pool(f"the {WEAKEST} weakest cheap models", weakest),
        pool("the three cheapest by list price", VOTERS),
    )


def compare_with_single(folder: Path, part: str, seed: int) -> dict[str, Any]:
    """Decide from 99 answers whether three cheap models should vote, or which to use alone."""
    pool = load_pools(folder, part)[-1]
    rng = random.Random(f"single/{part}/{seed}")
    order = rng.sample(range(len(pool.answers)), len(pool.answers))
    known, others = order[:ITEMS], order[ITEMS:]
    best, _ = pool.single(known)
    place = pool.models.index(best)

    def gains(rows: Sequence[int]) -> list[float]:
        return [
            _count_vote(pool.answers[row]) - float(pool.answers[row][place][1]) for row in rows
        ]

    seen = gains(known)
    # At three times the price, the gain has to exceed a standard error.
    votes = statistics.fmean(seen) >= max(1e-9, statistics.stdev(seen) / len(seen) ** 0.5)
    return {"votes": votes, "single": best, "gain": statistics.fmean(gains(others))}


def run_split(folder: Path, part: str, place: int, seed: int) -> dict[str, Any]:
    """Fit from 100 samples, and compare with votes on the other questions."""
    pool = load_pools(folder, part)[place]
    rng = random.Random(f"votes/{part}/{place}/{seed}")
    order = rng.sample(range(len(pool.answers)), len(pool.answers))
    known, others = order[:ITEMS], order[ITEMS:]
    samples = [[rng.choice(pool.answers[row]) for _ in range(DRAWS)] for row in known]
    items = [VoteCounts.of(answers) for answers in samples]
    actual = {k: _measure_vote(pool, others, k, rng) for k in SIZES}
    mixture = fit_mixture(items)
    predicted: Mapping[str, Callable[[int], float]] = {
        "two difficulties, many answers": mixture.accuracy,
        "two difficulties, right or wrong": _make_binary(mixture).accuracy,
        "plug-in": partial(_predict_plug_in, samples, random.Random(seed)),
    }
    size = choose_size(items, OFFERED, seed=seed)
    best = max(OFFERED, key=lambda k: (actual[k], -k))
    return {
        "actual": actual,
        "errors": {
            name: statistics.fmean(abs(predict(k) - actual[k]) for k in SIZES)
            for name, predict in predicted.items()
        },
        "expected": {k: mixture.accuracy(k) for k in SIZES},
        "chosen": size,
        "gain": actual[size] - actual[1],
        "best": best,
        "possible": actual[best] - actual[1],
    }


def _measure_vote(pool: Pool, rows: Sequence[int], k: int, rng: random.Random) -> float:
    right = 0.0
    repeats = 1 if k > 9 else REPEATS
    for row in rows:
        for _ in range(repeats):
            right += _count_vote(rng.choices(pool.answers[row], k=k))
    return right / len(rows) / repeats


def _count_vote(answers: Sequence[tuple[str, bool]]) -> float:
    votes = Counter("right" if good else f"={answer}" for answer, good in answers)
    most = max(votes.values())
    top = [answer for answer, count in votes.items() if count == most]
    return ("right" in top) / len(top)


def _make_binary(mixture: Mixture) -> Mixture:
    return Mixture(tuple(replace(part, rivals=1) for part in mixture.parts))


def _predict_plug_in(
    samples: Sequence[Sequence[tuple[str, bool]]], rng: random.Random, k: int
) -> float:
    return statistics.fmean(
        _count_vote(rng.choices(answers, k=k)) for answers in samples for _ in range(REPEATS)
    )


# --- the page ------------------------------------------------------------------------------------


def format_section(
    folder: Path, part: str, place: int, splits: Sequence[Mapping[str, Any]]
) -> str:
    """Return the section of a pool on a data set."""
    pool = load_pools(folder, part)[place]
    name, single = pool.single(range(len(pool.answers)))
    shown = (1, 3, 5, 9, 15, 21, 31, 41)
    rows = [
        ("accuracy, %", *(f"k={k}" for k in shown)),
        ("vote", *(_format_percent([split["actual"][k] for split in splits]) for k in shown)),
        (
            "predicted",
            *(_format_percent([split["expected"][k] for split in splits]) for k in shown),
        ),
    ]
    errors = [("mean absolute error over k = 1..41", "points")]
    for method in splits[0]["errors"]:
        errors.append((method, _format_percent([split["errors"][method] for split in splits])))
    votes = [split for split in splits if split["chosen"] > 1]
    right = sum(split["gain"] > 0 for split in votes)
    none = len(splits) - len(votes)
    missed = sum(split["possible"] >= 0.02 for split in splits if split["chosen"] == 1)
    return (
        f"## {PARTS[part]}, {pool.name}\n\nn = {len(pool.answers)}, {len(pool.models)} models; "
        f"the best of them alone: {name}, {100 * single:.1f} %.\n\n{table(rows)}\n\n"
        f"{table(errors)}\n\n"
        f'"Vote" was said in {len(votes)} of {len(splits)} splits, and helped in {right} of them '
        f"({_format_percent([split['gain'] for split in votes]) if votes else '-'} points); "
        '"do not vote" in '
        f"{none}, of which some vote would have gained 2 points or more in {missed}."
    )


def format_single_section(part: str, splits: Sequence[Mapping[str, Any]]) -> str:
    """Compare three voting cheap models with the best of them, in one line."""
    named = Counter(split["single"] for split in splits)
    alone = [split for split in splits if not split["votes"]]
    hurts = sum(split["gain"] < 0 for split in alone)
    return (
        f"- {PARTS[part]}: the vote of {', '.join(VOTERS)} against the one that was best on "
        f"{ITEMS} questions ({', '.join(f'{name} {n}x' for name, n in named.most_common())}): "
        f"{_format_percent([split['gain'] for split in splits])} points on the other "
        f'questions. "Do not vote" was said in {len(alone)} of {len(splits)} splits, and voting '
        f"hurt in {hurts} of them."
    )


def _format_percent(values: Sequence[float]) -> str:
    middle, low, high = (100 * value for value in mean_interval(values, draws=1000))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def _list_seeds(count: int) -> range:
    return range(FIRST_SPLIT, FIRST_SPLIT + count)


def main(arguments: list[str]) -> None:
    """Replay every pool, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.votes")
    parser.add_argument("--splits", type=int, default=40)
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    sections = []
    for part in PARTS:
        for place in range(3):
            with ProcessPoolExecutor(2) as workers:
                work = partial(run_split, folder, part, place)
                splits = list(workers.map(work, _list_seeds(options.splits)))
            sections.append(format_section(folder, part, place, splits))
            sys.stderr.write(sections[-1] + "\n\n")
    alone = "\n".join(
        format_single_section(
            part, [compare_with_single(folder, part, seed) for seed in _list_seeds(options.splits)]
        )
        for part in PARTS
    )
    sections.append(f"## Voting against the best voter\n\nFrom 99 answers.\n\n{alone}")
    publish(
        "replay_votes",
        "# Does voting pay? Predicted from 100 samples, on recorded answers\n\n"
        f"`python -m benchmarks.replay.votes --splits {options.splits}`; {machine()}; "
        f"{versions('langprog')}; ZeroEval (Apache-2.0); {options.splits} random splits: {ITEMS} "
        f"questions with {DRAWS} samples each to fit, all others to tell; means with 95 % "
        "bootstrap intervals over splits. A sample is the recorded answer of a model drawn from "
        "the pool, with replacement, so samples differ more than those of one model would. "
        "Right or wrong alone is the mixture of the paper: a vote is won by more than half. "
        "Plug-in: votes drawn from the few samples themselves.\n\n" + "\n\n".join(sections),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
