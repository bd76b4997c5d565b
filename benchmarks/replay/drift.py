"""Does the test of ``langprog verify`` sound on a recorded drift, and only there?

Usage: python -m benchmarks.replay.drift [--splits 1000]

The data: LLMDrift (Chen, Zaharia, Zou, 2023; Apache-2.0): one answer of GPT-4 and of GPT-3.5, in
March and in June 2023, to each of 1,000 questions whether a number is prime. As a model has a
single answer to each question, a half of the questions, drawn at random, takes the place of the
recorded replies, and the others come as new ones, in random order.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measured import machine, publish, table, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.evaluation import BettingWealth, ConformalRanks, mean_interval

ALPHA = 0.05
QUERIES = 60
PAIRS = {
    "GPT-4": ("openaichat/gpt-4-0314", "openaichat/gpt-4-0613"),
    "GPT-3.5": ("openaichat/gpt-3.5-turbo-0301", "openaichat/gpt-3.5-turbo-0613"),
}
Answers = dict[str, list[str]]


def load_answers(folder: Path) -> Answers | None:
    """Return the answers of each model, in the order of the questions; ``None`` without data."""
    path = folder / "llmdrift" / "prime.jsonl.xz"
    if not path.is_file():
        return None
    with lzma.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line)["runs"] for line in file]
    return {
        name: [str(row[name]["pred"]) for row in rows] for pair in PAIRS.values() for name in pair
    }


def queries_to_alarm(before: Sequence[str], after: Sequence[str], seed: int) -> int | None:
    """Return after how many new replies the test sounds; ``None`` if it never does.

    Args:
        before: Each question's answer then.
        after: Its answer now; the same list to see false alarms.
        seed: Divides the questions.
    """
    rng = random.Random(f"drift/{seed}")
    order = rng.sample(range(len(before)), len(before))
    half = len(order) // 2
    ranks = ConformalRanks([before[place] for place in order[:half]])
    wealth = BettingWealth()
    for place in order[half:]:
        wealth.bet(ranks.add(after[place], rng.random()))
        if wealth.peak >= 1 / ALPHA:
            return wealth.bets
    return None


def _describe_false(answers: Sequence[str], splits: int) -> tuple[str, ...]:
    alarms = [queries_to_alarm(answers, answers, seed) is not None for seed in range(splits)]
    low, high = mean_interval([float(alarm) for alarm in alarms])
    return (f"{sum(alarms)} of {splits}", f"{100 * low:.1f} to {100 * high:.1f} %")


def _describe_found(before: Sequence[str], after: Sequence[str], splits: int) -> tuple[str, ...]:
    counts = [queries_to_alarm(before, after, seed) for seed in range(splits)]
    alarmed = sorted(count for count in counts if count is not None)
    within = sum(count <= QUERIES for count in alarmed)
    middle = f"{statistics.median(alarmed):.0f}, {alarmed[-1]}" if alarmed else "-"
    return (f"{within} of {splits}", f"{len(alarmed)} of {splits}", middle)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=1000)
    splits = parser.parse_args(arguments).splits
    folder = data_folder()
    answers = None if folder is None else load_answers(folder)
    if answers is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    alarmed: list[tuple[str, ...]] = [
        ("March to June", f"within {QUERIES} queries", "within 500", "median, most queries")
    ]
    quiet: list[tuple[str, ...]] = [
        ("halves of one month, 500 queries", "alarms", "95 % interval of the share")
    ]
    shares: list[tuple[str, ...]] = [("answers yes", "March", "June")]
    for name, (march, june) in PAIRS.items():
        before, after = answers[march], answers[june]
        alarmed.append((name, *_describe_found(before, after, splits)))
        quiet.append((f"{name}, March", *_describe_false(before, splits)))
        quiet.append((f"{name}, June", *_describe_false(after, splits)))
        each = [sum(answer == "yes" for answer in side) / len(side) for side in (before, after)]
        shares.append((name, *(f"{100 * share:.1f} %" for share in each)))
    publish(
        "drift",
        "# Drift: recorded GPT answers of March and June 2023\n\n"
        f"`python -m benchmarks.replay.drift --splits {splits}`; {machine()}; "
        f"{versions('langprog')}; LLMDrift (Apache-2.0), 1,000 questions whether a number is "
        f"prime. The test of `langprog verify` at alpha = {ALPHA}: half of the questions, drawn "
        "at random (seeds 0 and up), are the record, the others are the new replies. Only the "
        "answers yes and no are compared, not the texts.\n\n"
        "Each question has one answer a model in this data. So all answers of the record are "
        "compared with each new one, where `langprog verify` compares the replies to one canary "
        "with each other. Half of the numbers are prime.\n\n"
        f"{table(alarmed)}\n\n{table(quiet)}\n\n{table(shares)}",
    )


if __name__ == "__main__":
    main()
