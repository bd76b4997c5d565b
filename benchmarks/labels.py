"""Which rows to label next, beside labels at random: public texts, and recorded judges.

Usage: python -m benchmarks.labels [--seeds 6] [--keep labels.jsonl]

The texts: TREC's questions (Li and Roth, 2002) and CLINC150 (Larson et al., 2019). No language
model is asked: a logistic regression on the words stands in for the program, and five of them,
each fitted to another bootstrap sample of the labels, are the candidates whose answers are
compared. The judges: LLMBar (Zeng et al., 2024), whose recorded verdicts are replayed. What
``benchmarks.weak_labels`` adds to the page is kept.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

import langprog as lp
from benchmarks.estimates.recorded import load_verdicts
from benchmarks.measured import (
    Checkpoint,
    format_percent,
    machine,
    publish,
    table,
    versions,
)
from benchmarks.tasks.folder import data_folder, explain_missing_data
from langprog.errors import InputError
from optimizers import label_next

CANDIDATES = 5
FIRST, STEP, ROUNDS = 40, 40, 3
# What is passed to label_next; none: labels at random.
METHODS: Mapping[str, Mapping[str, Any] | None] = {
    "random": None,
    "label-next": {},
    "all chosen": {"random_share": 0.0},
    "all chosen, near": {"random_share": 0.0, "pool_from": "near"},
}
RARE = "rare"
JUDGES = tuple(
    f"{model}/Vanilla" for model in ("GPT-4", "PaLM2", "ChatGPT", "ChatGPT-0301", "LLaMA2")
)
JUDGE_LABELS = 50
# The heading of the section that ``benchmarks.weak_labels`` publishes.
WEAK = "## Weak labels"
FEW = "Intervals over so few seeds are rough, and rather too narrow."


@dataclass(frozen=True)
class Texts:
    """Texts with labels.

    Args:
        train: The texts that labels are asked for.
        test: The texts that accuracy is measured on.
        rare: The label that alone counts; empty: all do.
    """

    train: Sequence[tuple[str, str]]
    test: Sequence[tuple[str, str]]
    rare: str = ""

    @property
    def vectors(self) -> tuple[Any, Any]:
        """The texts as vectors of words."""
        words = TfidfVectorizer(sublinear_tf=True)
        first = words.fit_transform([text for text, _ in self.train])
        return first, words.transform([text for text, _ in self.test])


@cache
def load_trec(folder: Path, seed: int) -> Texts:
    """Read 2,000 of TREC's questions with their six coarse labels."""

    def read(name: str) -> list[tuple[str, str]]:
        lines = (folder / "tasks" / "trec" / name).read_text(encoding="latin-1").splitlines()
        pairs = (line.split(" ", 1) for line in lines)
        return list({text: (text, label.partition(":")[0]) for label, text in pairs}.values())

    return Texts(random.Random(seed).sample(read("train.txt"), 2000), read("test.txt"))


@cache
def load_clinc(folder: Path, seed: int, intents: int = 30) -> Texts:
    """Read CLINC150, reduced to some of its intents."""
    text = (folder / "tasks" / "clinc150" / "data_small.json").read_text(encoding="utf-8")
    data = json.loads(text)
    kept = set(random.Random(seed).sample(sorted({label for _, label in data["train"]}), intents))
    train, test = (
        [(text, label) for text, label in data[part] if label in kept]
        for part in ("train", "test")
    )
    return Texts(train, test)


@cache
def load_rare(folder: Path, seed: int) -> Texts:
    """Read 50 intents of CLINC150: one of them matters, the others do not."""
    whole = load_clinc(folder, seed, 50)
    kept = random.Random(seed).choice(sorted({label for _, label in whole.train}))

    def mark(rows: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(text, RARE if label == kept else "other") for text, label in rows]

    return Texts(mark(whole.train), mark(whole.test), RARE)


TASKS: Mapping[str, tuple[str, Callable[[Path, int], Texts]]] = {
    "trec": ("TREC, 6 labels, 2,000 texts; accuracy", load_trec),
    "clinc": ("CLINC150, 30 intents, 1,500 texts; accuracy", load_clinc),
    "rare": (
        "CLINC150, one of 50 intents against the rest, 2,500 texts; average precision",
        load_rare,
    ),
}


class Recalled(lp.Module):
    """A program that answers from a table."""

    signature = "text -> label"

    def __init__(self, name: str, answers: Mapping[str, str]) -> None:
        self.name = name
        self._answer = answers.__getitem__

    def own_parameters(self) -> dict[str, lp.Parameter]:
        """Return what tells it from others."""
        return {"name": lp.Parameter("choice", self.name)}

    async def aforward(self, text: str) -> dict[str, str]:
        """Return its answer."""
        return {"label": self._answer(text)}


def run_texts(folder: Path, task: str, method: str, seed: int) -> list[float]:
    """Label in rounds, and return the score on the test texts after each."""
    texts = TASKS[task][1](folder, seed)
    train, test = texts.vectors
    rng = random.Random(f"{task} {seed}")
    order = rng.sample(range(len(texts.train)), len(texts.train))
    known = order[:FIRST]
    if texts.rare:  # whoever looks for something has a few examples of it
        known = [row for row in order if texts.train[row][1] == RARE][:3] + known
    known = list(dict.fromkeys(known))
    scores = [_score(texts, train, test, known)]
    for number in range(ROUNDS):
        options = METHODS[method]
        if options is None:
            known += [row for row in order if row not in set(known)][:STEP]
        else:
            known += _choose(texts, train, known, {**options, "seed": seed * 100 + number})
        scores.append(_score(texts, train, test, known))
    return scores


def fit_words(vectors: Any, labels: Sequence[str]) -> Any:
    """Return a logistic regression that is fitted to vectors of words."""
    weight = "balanced" if RARE in labels else None
    return LogisticRegression(C=20.0, max_iter=100, tol=1e-3, class_weight=weight).fit(
        vectors, labels
    )


def _score(texts: Texts, train: Any, test: Any, known: Sequence[int]) -> float:
    labels = [texts.train[row][1] for row in known]
    fitted = fit_words(train[known], labels)
    truth = np.array([label for _, label in texts.test])
    if texts.rare:
        chances = fitted.predict_proba(test)[:, list(fitted.classes_).index(texts.rare)]
        return float(average_precision_score(truth == texts.rare, chances))
    return float((fitted.predict(test) == truth).mean())


def _choose(
    texts: Texts, train: Any, known: Sequence[int], options: Mapping[str, Any]
) -> list[int]:
    rng = random.Random(f"bootstrap {options['seed']}")
    candidates = []
    for number in range(CANDIDATES):
        drawn = rng.choices(known, k=len(known))
        if len({texts.train[row][1] for row in drawn}) < 2:
            drawn = list(known)
        said = fit_words(train[drawn], [texts.train[row][1] for row in drawn]).predict(train)
        answers = {text: str(label) for (text, _), label in zip(texts.train, said, strict=True)}
        candidates.append(Recalled(f"candidate {number}", answers))
    taken = set(known)
    free = [row for row in range(len(texts.train)) if row not in taken]
    choice = label_next(
        candidates[0],
        [{"text": texts.train[row][0]} for row in free],
        STEP,
        labelled=[{"text": texts.train[row][0]} for row in known],
        candidates=candidates[1:],
        progress=ignore,
        **options,
    )
    return [free[row.place] for row in choice.rows]


def ignore(event: object) -> None:
    """Show nothing."""


def run_judges(folder: Path, method: str, seed: int) -> dict[str, float]:
    """Label some comparisons of half of LLMBar, and choose a judge by them for the other half."""
    data = load_verdicts(folder)
    order = random.Random(seed).sample(range(len(data.labels)), len(data.labels))
    half, others = order[: len(order) // 2], order[len(order) // 2 :]
    options = METHODS[method]
    if options is None:
        known = half[:JUDGE_LABELS]
    else:
        programs = [
            Recalled(name, {str(row): data.by_config(name)[row][0] for row in half})
            for name in JUDGES
        ]
        rows = [{"text": str(row)} for row in half]
        choice = label_next(
            programs[0], rows, JUDGE_LABELS, candidates=programs[1:], pool=len(half), seed=seed,
            progress=ignore, random_share=options.get("random_share", 0.5),
        )  # fmt: skip
        known = [half[row.place] for row in choice.rows]

    def accuracy(name: str, rows: Sequence[int]) -> float:
        verdicts = data.by_config(name)
        return fmean(verdicts[row][0] == data.labels[row] for row in rows)

    best = max(sorted(data.configs), key=lambda name: accuracy(name, known))
    known_set = set(known)
    said = {name: [pair[0] for pair in data.by_config(name)] for name in JUDGES}
    joined = lp.agree(
        {name: [v if v in ("1", "2") else None for v in each] for name, each in said.items()},
        [label if row in known_set else None for row, label in enumerate(data.labels)],
    )
    return {
        "chosen judge": accuracy(best, others),
        "joined": fmean(joined.answers[row] == data.labels[row] for row in others),
        "GPT-4/Vanilla on the labels": accuracy(JUDGES[0], known),
        "GPT-4/Vanilla in truth": accuracy(JUDGES[0], others),
    }


# --- the page ------------------------------------------------------------------------------------


def _format_texts(folder: Path, task: str, seeds: range, kept: Checkpoint) -> str:
    heads = tuple(f"{FIRST + STEP * number}" for number in range(ROUNDS + 1))
    rows: list[tuple[str, ...]] = [("labels", *heads, "gain over random, last round")]
    base = None
    for method in METHODS:
        if "near" in method and task != RARE:
            continue
        runs = [
            kept.measure_once(
                f"{task} {method} {seed}", partial(run_texts, folder, task, method, seed)
            )
            for seed in seeds
        ]
        last = [run[-1] for run in runs]
        base = last if base is None else base
        gains = [a - b for a, b in zip(last, base, strict=True)]
        cells = [f"{100 * fmean(run[at] for run in runs):.1f}" for at in range(ROUNDS + 1)]
        rows.append((method, *cells, "-" if method == "random" else format_percent(gains)))
    more = " and three texts of it" if task == RARE else ""
    return (
        f"## {TASKS[task][0]}\n\n{FIRST} labels at random{more} to begin with, then "
        f"{STEP} in each round, in percent.\n\n{table(rows)}"
    )


def _format_judges(folder: Path, seeds: range, kept: Checkpoint) -> str:
    rows: list[tuple[str, ...]] = []
    for method in ("random", "label-next", "all chosen"):
        runs = [
            kept.measure_once(f"judges {method} {seed}", partial(run_judges, folder, method, seed))
            for seed in seeds
        ]
        if not rows:
            rows.append((f"{JUDGE_LABELS} labels", *runs[0]))
        rows.append((method, *(format_percent([run[name] for run in runs]) for name in runs[0])))
    return (
        "## Judges of LLMBar\n\nLabels on half of the 419 comparisons, chosen where five judges "
        f"({', '.join(JUDGES)}) differ; accuracy on the other half, in percent: of the best of 65 "
        "judges by the labels, and of the five judges joined by `lp.agree` with the labels. The "
        "last columns are why chosen rows prove nothing: the accuracy of one judge, read off the "
        f"labelled rows and in truth.\n\n{table(rows)}"
    )


def main(arguments: list[str]) -> None:
    """Measure, and publish."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.labels")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--keep", type=Path, default=Path("labels.jsonl"))
    options = parser.parse_args(arguments)
    folder = data_folder()
    if folder is None:
        sys.stdout.write(explain_missing_data() + "\n")
        return
    if options.seeds < 2:
        raise InputError("--seeds: two are the fewest, as intervals are over them")
    kept, seeds = Checkpoint(options.keep), range(options.seeds)
    sections = [_format_judges(folder, seeds, kept)]
    sections = [*(_format_texts(folder, task, seeds, kept) for task in TASKS), *sections]
    publish(
        "labels",
        "# Which rows to label next, and weak labels\n\n"
        f"`python -m benchmarks.labels --seeds {options.seeds}`; {machine()}; "
        f"{versions('langprog', 'scikit-learn')}; {options.seeds} seeds, means with 95 % "
        "bootstrap intervals over them, the same first labels for all. No language model: a "
        "logistic regression on words stands in for the program, and the answers of five, each "
        "fitted to another bootstrap sample of the labels, are compared. `label-next` is the "
        "default: half chosen out of a pool of five rows for each, half drawn at random; near: "
        "the pool is what is near labelled rows, as in SEALS."
        + (f" {FEW}" if options.seeds < 10 else "")
        + "\n\n"
        + "\n\n".join(sections),
        keep=WEAK,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
