"""Choose a judge by few labels: pairs in one order, or in both, on LLMBar's recorded verdicts.

Usage: python -m benchmarks.replay.judge_orders [--splits 400]

The data: LLMBar (Zeng et al., 2024; MIT), 419 comparisons of two answers with the right verdict,
judged by 65 configurations (6 models, up to 15 prompts) in both orders. A judge is chosen by few
labelled comparisons, as ``optimizers.JudgeAlign`` chooses among what its search found, and
measured on all others: how often it is right in either order, and the same in both.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.estimates.recorded import load_verdicts
from benchmarks.measured import machine, mean_interval, publish, table, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data

LABELS = (10, 20, 50, 100)


def read_right(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, by judge and comparison, if it is right in each order, and the same in both."""
    data = load_verdicts(folder)
    right, same = [], []
    for name in data.configs:
        pairs = data.by_config(name)
        right.append(
            [[v == label for v in pair] for pair, label in zip(pairs, data.labels, strict=True)]
        )
        same.append([pair[0] == pair[1] for pair in pairs])
    return np.array(right, dtype=float), np.array(same, dtype=float)


def choose(
    right: NDArray[np.float64], rows: Sequence[int], orders: int, rng: random.Random
) -> int:
    """Return the judge that is right most often on some comparisons; equals by lot."""
    scores = right[:, rows, :orders].mean(axis=(1, 2))
    return rng.choice(np.flatnonzero(scores >= scores.max() - 1e-12).tolist())


def measure(folder: Path, splits: int) -> str:
    """Return the table."""
    right, same = read_right(folder)
    rows: list[tuple[str, ...]] = [
        ("labels", "chosen by", "calls", "right in either order, %", "gain", "same in both, %")
    ]
    for count in LABELS:
        results: dict[str, list[tuple[float, float]]] = {}
        for split in range(splits):
            rng = random.Random(f"orders/{count}/{split}")
            order = rng.sample(range(right.shape[1]), right.shape[1])
            for name, labels, orders in (
                ("one order", count, 1),
                ("both orders", count, 2),
                ("one order, twice the labels", 2 * count, 1),
            ):
                best = choose(right, order[:labels], orders, rng)
                others = order[2 * count :]
                results.setdefault(name, []).append(
                    (float(right[best, others].mean()), float(same[best, others].mean()))
                )
        base = [accuracy for accuracy, _ in results["one order"]]
        for name, values in results.items():
            gains = [a - b for (a, _), b in zip(values, base, strict=True)]
            calls = count if name == "one order" else 2 * count
            rows.append(
                (
                    str(2 * count if "twice" in name else count),
                    name,
                    str(calls),
                    _percent([accuracy for accuracy, _ in values]),
                    "-" if name == "one order" else _percent(gains),
                    _percent([consistent for _, consistent in values]),
                )
            )
    best = max(range(len(right)), key=lambda judge: right[judge].mean())
    return (
        f"{table(rows)}\n\nThe best of the 65 on all comparisons is right on "
        f"{100 * right[best].mean():.1f} %, and gives the same verdict in both orders on "
        f"{100 * same[best].mean():.1f} %; on average, judges do on {100 * same.mean():.1f} %."
    )


def _percent(values: Sequence[float]) -> str:
    middle, low, high = (100 * value for value in mean_interval(values, draws=1000))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def main(arguments: list[str]) -> None:
    """Replay, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.judge_orders")
    parser.add_argument("--splits", type=int, default=400)
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    publish(
        "replay_judge_orders",
        "# Choosing a judge by pairs in one order or in both\n\n"
        f"`python -m benchmarks.replay.judge_orders --splits {options.splits}`; {machine()}; "
        f"{versions('langprog', 'numpy')}; LLMBar (MIT), recorded verdicts of 65 judges; "
        f"{options.splits} random choices of labelled comparisons (seeds 0 on), measured on the "
        "others, with 95 % bootstrap intervals over them. Gain: over one order with the same "
        f"labels.\n\n{measure(folder, options.splits)}",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
