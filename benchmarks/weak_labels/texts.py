"""Weak labels on public texts: how right they are, and what a classifier gains from them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from types import MappingProxyType
from typing import Any

import numpy as np

from benchmarks.labels import Recalled, Texts, fit_words, ignore, load_trec
from benchmarks.measured import Checkpoint, format_percent, table
from benchmarks.weak_labels.rules import SST2, TREC, make_rules, vote_majority
from langprog import Example
from optimizers import label_weakly
from optimizers.labelling.label_weakly import WeakLabels

# How many labels are known now, and how many the old model was fitted to.
SETTINGS = ((40, 60), (160, 60), (40, 600))
KNOWN, OLD = (max(counts) for counts in zip(*SETTINGS, strict=True))
LEAST = 0.7  # the default of label_weakly
# Rules that vote on fewer rows are left out where estimates are compared with the truth.
FEWEST_VOTES = 20
ALONE, BOTH = "true labels alone", "true and weak labels"
Labelled = Mapping[int, str]


@cache
def load_sst2(folder: Path, seed: int) -> Texts:
    """Read 2,000 sentences of SST-2 with their two labels."""

    def read(part: str) -> list[tuple[str, str]]:
        path = folder / "tasks" / "sst2" / f"stsa.binary.{part}"
        lines = path.read_text(encoding="utf-8").splitlines()
        pairs = (line.strip().split(" ", 1) for line in lines)
        labels = {"0": "negative", "1": "positive"}
        return list({text: (text, labels[label]) for label, text in pairs}.values())

    train = read("train")
    return Texts(random.Random(seed).sample(train, min(2000, len(train))), read("test"))


TASKS: Mapping[str, tuple[str, Callable[[Path, int], Texts], Mapping[str, tuple[str, str]]]] = (
    MappingProxyType(
        {
            "trec": ("TREC, 6 labels", load_trec, TREC),
            "sst2": ("SST-2, 2 labels", load_sst2, SST2),
        }
    )
)


@dataclass(frozen=True)
class Setting:
    """Texts, who votes on them, and which labels are known.

    Args:
        texts: The texts with all labels.
        train: The vectors of the train texts.
        test: The vectors of the test texts.
        old: Rows that the old model was fitted to.
        known: Rows whose true labels are known now.
        pool: Rows without a label.
        rules: The rules by name.
    """

    texts: Texts
    train: Any
    test: Any
    old: Sequence[int]
    known: Sequence[int]
    pool: Sequence[int]
    rules: Mapping[str, Any]

    @classmethod
    def draw(
        cls,
        texts: Texts,
        patterns: Mapping[str, tuple[str, str]],
        counts: tuple[int, int],
        seed: int,
    ) -> Setting:
        """Divide the train texts: the pool is the same whatever the counts."""
        order = random.Random(f"weak {seed}").sample(range(len(texts.train)), len(texts.train))
        known, old = counts
        return cls(
            texts,
            *texts.vectors,
            order[:old],
            order[OLD : OLD + known],
            order[OLD + KNOWN :],
            make_rules(patterns),
        )

    def truth(self, rows: Sequence[int]) -> dict[int, str]:
        """Return the true labels of some rows."""
        return {row: self.texts.train[row][1] for row in rows}

    def measure(self, labels: Labelled) -> float:
        """Fit a classifier to some labels, and return its accuracy on the test texts."""
        if len(set(labels.values())) < 2:  # nothing that a classifier could be fitted to
            said = np.array([next(iter(labels.values()))] * len(self.texts.test))
        else:
            said = fit_words(self.train[list(labels)], list(labels.values())).predict(self.test)
        return float((said == np.array([label for _, label in self.texts.test])).mean())

    def old_answers(self) -> dict[str, str]:
        """Return what the old model says of every train text."""
        labels = self.truth(self.old)
        said = fit_words(self.train[list(labels)], list(labels.values())).predict(self.train)
        return {text: str(label) for (text, _), label in zip(self.texts.train, said, strict=True)}

    def label(self, voters: Mapping[str, Any], *, labelled: bool, **options: Any) -> WeakLabels:
        """Label the pool by voters, as ``langprog label-weakly`` does."""
        texts = self.texts.train
        known = [{"text": texts[row][0], "label": texts[row][1]} for row in self.known]
        return label_weakly(
            Recalled("program", {}),
            [{"text": texts[row][0]} for row in self.pool],
            voters,
            labelled=known if labelled else None,
            progress=ignore,
            **options,
        )

    def by_row(self, weak: WeakLabels, least: float = 0.0) -> dict[int, str]:
        """Return the labels that are likely enough, by the place of their texts."""
        places = {self.texts.train[row][0]: row for row in self.pool}
        labels = zip(weak.rows, weak.probabilities, strict=True)
        return {places[row.text]: row.label for row, chance in labels if chance >= least}


def run_texts(folder: Path, task: str, counts: tuple[int, int], seed: int) -> dict[str, Any]:
    """Return how right labels are, and what a classifier does with them.

    Args:
        folder: The folder of the public data sets.
        task: One of ``TASKS``.
        counts: How many labels are known, and how many the old model was fitted to.
        seed: Decides which.

    Returns:
        ``trained``: by what a classifier was fitted to, its accuracy and the number of rows;
        ``labels``: by how the pool was labelled, the share of right labels and of labelled rows;
        ``estimates``: by voter, how often it is right as estimated and in truth;
        ``old``: the accuracy of the old model on the test texts.
    """
    _, load, patterns = TASKS[task]
    setting = Setting.draw(load(folder, seed), patterns, counts, seed)
    answers = setting.old_answers()
    everyone = {**setting.rules, "old model": lambda row: answers[row.text]}
    weak = setting.label(everyone, labelled=True, least=0.0)
    by_row = setting.by_row(weak, LEAST)
    few, votes = setting.truth(setting.known), _collect_votes(setting, answers)
    rng = random.Random(f"ties {seed}")
    majority = {
        row: label
        for row, each in votes.items()
        if (label := vote_majority(list(each.values()), rng)) is not None
    }
    ways = {
        "label-weakly": by_row,
        "label-weakly, no row labelled": setting.by_row(setting.label(everyone, labelled=False)),
        "label-weakly, least=0": setting.by_row(weak),
        "majority vote": majority,
    }
    rules_alone = setting.by_row(setting.label(setting.rules, labelled=True))
    fitted = {
        ALONE: few,
        "weak labels alone": by_row,
        BOTH: {**by_row, **few},
        "the same, from rules without the old model": {**rules_alone, **few},
        "the same, by majority vote": {**majority, **few},
        "as many rows, all with true labels": {
            **few,
            **setting.truth(setting.pool[: len(by_row)]),
        },
        f"true labels and the old model's {counts[1]}": {**few, **setting.truth(setting.old)},
    }
    return {
        "trained": {name: [setting.measure(rows), len(rows)] for name, rows in fitted.items()},
        "labels": {name: _grade(setting, rows) for name, rows in ways.items()},
        "estimates": _compare_estimates(setting, weak, votes),
        "old": setting.measure(setting.truth(setting.old)),
    }


def _collect_votes(setting: Setting, answers: Mapping[str, str]) -> dict[int, dict[str, str]]:
    votes: dict[int, dict[str, str]] = {}
    for row in setting.pool:
        text = setting.texts.train[row][0]
        said = {name: rule(Example(text=text)) for name, rule in setting.rules.items()}
        given = {name: label for name, label in said.items() if label is not None}
        votes[row] = {**given, "old model": answers[text]}
    return votes


def _grade(setting: Setting, labels: Labelled) -> tuple[float, float]:
    truth = setting.truth(setting.pool)
    right = fmean([label == truth[row] for row, label in labels.items()] or [0.0])
    return right, len(labels) / len(setting.pool)


def _compare_estimates(
    setting: Setting, weak: WeakLabels, votes: Mapping[int, Mapping[str, str]]
) -> dict[str, tuple[float, float]]:
    truth, pairs = setting.truth(setting.pool), {}
    for name, estimate in weak.accuracies.items():
        right = [each[name] == truth[row] for row, each in votes.items() if name in each]
        if len(right) >= FEWEST_VOTES:
            pairs[name] = (estimate, fmean(right))
    return pairs


# --- the section ---------------------------------------------------------------------------------


def format_texts(folder: Path, seeds: range, kept: Checkpoint) -> str:
    """Return the tables of every set of texts."""
    return "\n\n".join(
        _format_task(task, [_run_all(folder, task, counts, seeds, kept) for counts in SETTINGS])
        for task in TASKS
    )


def _run_all(
    folder: Path, task: str, counts: tuple[int, int], seeds: range, kept: Checkpoint
) -> list[dict[str, Any]]:
    known, old = counts
    return [
        kept.measure_once(
            f"{task} {known} {old} {seed}", partial(run_texts, folder, task, counts, seed)
        )
        for seed in seeds
    ]


def _format_task(task: str, groups: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    parts = [f"### {TASKS[task][0]}"]
    for (known, old), runs in zip(SETTINGS, groups, strict=True):
        errors = [
            fmean(abs(a - b) for a, b in run["estimates"].values())
            for run in runs
            if run["estimates"]
        ]
        parts += [
            f"{known} true labels, and an old model that was fitted to {old} others and is right "
            f"on {format_percent([run['old'] for run in runs])} % of the test texts:",
            table(_list_fitted(runs)),
            table(_list_labels(runs)),
            "How often a voter is right is estimated with a mean error of "
            f"{format_percent(errors)} points, over voters with {FEWEST_VOTES} votes or more.",
        ]
    parts += ["Voters, in the first of these settings:", table(_list_voters(groups[0]))]
    return "\n\n".join(parts)


def _list_fitted(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("fitted to", "rows", "right on test, %", "gain, points")]
    base = [run["trained"][ALONE][0] for run in runs]
    for name in runs[0]["trained"]:
        scores = [run["trained"][name][0] for run in runs]
        gains = [a - b for a, b in zip(scores, base, strict=True)]
        count = fmean(run["trained"][name][1] for run in runs)
        gain = "-" if name == ALONE else format_percent(gains)
        rows.append((name, f"{count:,.0f}", format_percent(scores), gain))
    return rows


def _list_labels(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("the pool labelled by", "labels that are right, %", "rows, %")]
    for name in runs[0]["labels"]:
        right, covered = zip(*(run["labels"][name] for run in runs), strict=True)
        rows.append((name, format_percent(right), format_percent(covered)))
    return rows


def _list_voters(runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("voter", "right, %", "right as estimated, %")]
    for name in dict.fromkeys(name for run in runs for name in run["estimates"]):
        pairs = [run["estimates"][name] for run in runs if name in run["estimates"]]
        estimated, right = zip(*pairs, strict=True)
        rows.append((name, format_percent(right), format_percent(estimated)))
    return rows
