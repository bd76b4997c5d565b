"""Choose the best of 65 judges: regret against paid evaluations, on LLMBar's recorded verdicts.

Usage: python -m benchmarks.replay.llmbar [--splits 40] [--keep FOLDER]

Each finished split is kept in FOLDER, so that a stopped run can be resumed.

The data: LLMBar (Zeng et al., 2024; MIT), 419 comparisons of two answers, each judged by 65
configurations (6 models, up to 15 prompts) in both orders; one evaluation is both, and scores 0,
1/2 or 1. In every split, half of the comparisons is for the search, and the other half measures
the true quality of a configuration.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import langprog as lp
from benchmarks.measured import machine, mean_interval, publish, table, versions
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.lm import Request
from optimizers import MIPRO, Demonstrating, Searching

BUDGETS = (250, 500, 1000, 2000, 4000)
START = "ChatGPT/Vanilla"
MINIBATCH, FULL_EVERY = 35, 5

Chooser = Callable[["Search", int, random.Random], str]


@dataclass(frozen=True)
class Recorded:
    """Scores of the configurations: ``score[name][comparison]`` is 0, 1/2 or 1."""

    names: tuple[str, ...]
    score: Mapping[str, Sequence[float]]

    @property
    def size(self) -> int:
        """Number of comparisons."""
        return len(self.score[self.names[0]])

    def mean(self, name: str, rows: Sequence[int]) -> float:
        """Return the accuracy of a configuration on some comparisons."""
        return statistics.fmean(self.score[name][row] for row in rows)


@cache
def load_recorded(folder: Path) -> Recorded:
    """Read the five parts of LLMBar."""
    score: dict[str, list[float]] = {}
    for path in sorted((folder / "llmbar").glob("LLMBar_*.jsonl")):
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        names = json.loads(head)["configs"]
        for line in lines:
            row = json.loads(line)
            for name, verdicts in zip(names, row["winner"], strict=True):
                right = sum(verdict == str(row["label"]) for verdict in verdicts)
                score.setdefault(name, []).append(right / 2)
    return Recorded(tuple(sorted(score)), score)


class Search:
    """The evaluations that the peers' schedules make, each paid once.

    Args:
        data: The recorded verdicts.
        rows: Comparisons for the search.
    """

    def __init__(self, data: Recorded, rows: Sequence[int]) -> None:
        self.data = data
        self.items = list(rows)
        self.paid: set[tuple[str, int]] = set()

    def score(self, name: str, items: Sequence[int]) -> float:
        """Return the mean on some items; repeated evaluations cost nothing."""
        self.paid.update((name, row) for row in items)
        return self.data.mean(name, items)

    def affords(self, name: str, items: Sequence[int], budget: int) -> bool:
        """Return whether the budget pays for the new evaluations among ``items``."""
        new = sum((name, row) not in self.paid for row in items)
        return len(self.paid) + new <= budget


def random_search(search: Search, budget: int, rng: random.Random) -> str:
    """Score configurations in random order on everything, keep the best."""
    best, name_of_best = search.score(START, search.items), START
    for name in rng.sample(search.data.names, len(search.data.names)):
        if not search.affords(name, search.items, budget):
            break
        mean = search.score(name, search.items)
        if mean > best:
            best, name_of_best = mean, name
    return name_of_best


def tpe(search: Search, budget: int, rng: random.Random) -> str:
    """Let optuna's TPE choose; every trial is scored on everything."""
    return _tpe(search, budget, rng, minibatches=False)


def mipro_schedule(search: Search, budget: int, rng: random.Random) -> str:
    """Let TPE choose on random minibatches of 35, with a full evaluation after every five."""
    return _tpe(search, budget, rng, minibatches=True)


def _tpe(search: Search, budget: int, rng: random.Random, *, minibatches: bool) -> str:
    import optuna  # noqa: PLC0415 - half a second that the data's reader need not wait

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=rng.randrange(2**31))
    )
    names = search.data.names
    spread: dict[str, optuna.distributions.BaseDistribution] = {
        "config": optuna.distributions.CategoricalDistribution(names)
    }

    def tell(name: str, value: float) -> None:
        study.add_trial(
            optuna.trial.create_trial(params={"config": name}, distributions=spread, value=value)
        )

    full = {START: search.score(START, search.items)}
    tell(START, full[START])
    means: dict[str, list[float]] = {}
    for number in range(1, 500):
        name = study.ask(spread).params["config"]
        items = rng.sample(search.items, MINIBATCH) if minibatches else search.items
        if not search.affords(name, items, budget):
            break
        value = search.score(name, items)
        tell(name, value)
        if not minibatches:
            full[name] = value
            continue
        means.setdefault(name, []).append(value)
        if number % FULL_EVERY == 0:
            waiting = [config for config in means if config not in full]
            if waiting:
                best = max(waiting, key=lambda config: statistics.fmean(means[config]))
                if not search.affords(best, search.items, budget):
                    break
                full[best] = search.score(best, search.items)
                tell(best, full[best])
    return max(full, key=lambda config: full[config])


CHOOSERS: Mapping[str, Chooser] = {
    "random search": random_search,
    "TPE, full evaluations": tpe,
    "MIPROv2's schedule": mipro_schedule,
}


# --- ours ----------------------------------------------------------------------------------------


def choose_with_langprog(
    data: Recorded, rows: Sequence[int], budget: int, seed: int
) -> dict[str, Any]:
    """Choose with langprog's MIPRO: the 65 configurations are its models."""
    calls = 0

    def model(name: str) -> lp.ScriptedLM:
        def reply(request: Request) -> str:
            nonlocal calls
            calls += 1
            row = request.messages[-1].text.split("comparison ")[1].split()[0]
            return f"[[score]]\n{data.score[name][int(row)]}"

        return lp.ScriptedLM(reply, name=f"llmbar/{name}")

    models = {name: model(name) for name in data.names}
    program = lp.Predict("comparison -> score: float", model=models[START])
    order = random.Random(seed).sample(list(rows), len(rows))
    third = len(order) // 3
    parts = {
        "holdout": order[:third],
        "train": order[third : third + 2],
        "val": order[third + 2 :],
    }

    def examples(part: str) -> list[lp.Example]:
        return [lp.Example(comparison=f"comparison {row}") for row in parts[part]]

    optimizer = MIPRO(
        models=[model for name, model in models.items() if name != START],
        instructions=0,
        demonstrating=Demonstrating(sets=0),
        searching=Searching(trials=len(models) - 1, finalists=4, round=8),
    )
    result = optimizer.compile(
        program,
        examples("train"),
        valset=examples("val"),
        holdout=examples("holdout"),
        metric=lambda example, prediction: prediction.score,
        budget=lp.Budget(calls=budget),
        seed=seed,
    )
    name = str(result.candidate.parameters.get("predict.model", f"llmbar/{START}"))
    certificate = result.certificate
    return {
        "name": name.removeprefix("llmbar/"),
        "calls": calls,
        "verdict": certificate.verdict,
        "low": certificate.low,
        "high": certificate.high,
        "n": certificate.n,
    }


def run_split(folder: Path, seed: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Return each method's choice by budget, and its quality on the other half."""
    data = load_recorded(folder)
    rows = list(range(data.size))
    random.Random(seed).shuffle(rows)
    half = data.size // 2
    seen, other = rows[:half], rows[half:]
    worth = {name: data.mean(name, other) for name in data.names}
    best = max(worth.values())
    outcomes: dict[tuple[str, int], dict[str, Any]] = {}
    for budget in BUDGETS:
        for name, choose in CHOOSERS.items():
            rng = random.Random(f"{seed}/{name}/{budget}")
            config = choose(Search(data, seen), budget, rng)
            outcomes[name, budget] = {"regret": best - worth[config]}
        choice = choose_with_langprog(data, seen, budget, seed)
        gain = worth[choice["name"]] - worth[START]
        regret = best - worth[choice["name"]]
        outcomes["langprog MIPRO", budget] = {**choice, "regret": regret, "gain": gain}
    return outcomes


def load_or_run(folder: Path, keep: Path | None, seed: int) -> dict[tuple[str, int], Any]:
    """Return the outcomes of a split, from ``keep`` if they are there."""
    path = None if keep is None else keep / f"llmbar-{seed}.json"
    if path is not None and path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        return {(name, budget): outcome for name, budget, outcome in kept}
    outcomes = run_split(folder, seed)
    if path is not None:
        lines = [[*key, outcome] for key, outcome in outcomes.items()]
        path.write_text(json.dumps(lines), encoding="utf-8")
    return outcomes


def main(arguments: list[str]) -> None:
    """Replay every split, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.replay.llmbar")
    parser.add_argument("--splits", type=int, default=40)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(2) as pool:
        run = partial(load_or_run, folder, options.keep)
        splits = list(pool.map(run, range(options.splits)))
    names = [*CHOOSERS, "langprog MIPRO"]
    head = ("regret in points at", *(f"{budget:,} evaluations" for budget in BUDGETS))
    rows: list[tuple[str, ...]] = [head]
    for name in names:
        regrets = ([split[name, budget]["regret"] for split in splits] for budget in BUDGETS)
        rows.append((name, *map(_format_points, regrets)))
    certified = [
        split["langprog MIPRO", budget]
        for split in splits
        for budget in BUDGETS
        if split["langprog MIPRO", budget]["verdict"] == "certified"
    ]
    true = sum(outcome["gain"] > 0 for outcome in certified)
    held = sum(_agrees(outcome) for outcome in certified)
    publish(
        "replay_llmbar",
        "# Choosing among 65 recorded judges (LLMBar)\n\n"
        f"`python -m benchmarks.replay.llmbar --splits {options.splits}`; {machine()}; "
        f"{versions('langprog', 'optuna')}; {options.splits} random halves of 419 comparisons; "
        "regret: points below the best configuration on the half that was not searched, mean with "
        "95 % bootstrap interval. An evaluation is one comparison, judged in both orders and paid "
        "once; langprog pays for its certificate out of the same budget and keeps a third of its "
        f"half for it. All begin with {START}.\n\n{table(rows)}\n\n"
        f"Certificates: {len(certified)} of {len(splits) * len(BUDGETS)} compiles certified a "
        f"gain over {START}; it was a gain on the other half in {true} of them, and the "
        f"difference there agreed with the 95 % interval (given its own error) in {held}.",
    )


def _agrees(outcome: Mapping[str, Any]) -> bool:
    """Return whether a gain on the other half agrees with the interval."""
    middle, half = (outcome["low"] + outcome["high"]) / 2, (outcome["high"] - outcome["low"]) / 2
    # The other half has 210 comparisons, whose sampling error adds to the interval's.
    other = half * math.sqrt(outcome["n"] / 210)
    return bool(abs(outcome["gain"] - middle) <= math.hypot(half, other))


def _format_points(values: Sequence[float]) -> str:
    middle, low, high = (100 * value for value in mean_interval(values))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    main(sys.argv[1:])
