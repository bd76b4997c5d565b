"""Classifying short texts: SST-2, TREC and ScoNe, with rows of their own for every purpose.

- SST-2 and TREC: github.com/tonyzhaozh/few-shot-learning, data/sst2 and data/trec (Socher et al.,
  2013; Li and Roth, 2002).
- ScoNe: github.com/selenashe/ScoNe, scone_nli, CC0 1.0 (She et al., 2023); all six kinds of
  negation together.
"""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from benchmarks.tasks.intents import Task
from langprog import Example
from langprog.signature import FieldSpec, SignatureSpec

SENTIMENTS = ("negative", "positive")  # in the order of the data's labels, 0 and 1
# The data's six coarse classes, in words.
KINDS = MappingProxyType(
    {
        "ABBR": "abbreviation",
        "DESC": "description",
        "ENTY": "entity",
        "HUM": "human",
        "LOC": "location",
        "NUM": "number",
    }
)
RELATIONS = ("entailment", "neutral")
# ScoNe's files; where there is no edited form of a row, the row itself is meant.
NEGATIONS = (
    "no_negation",
    "one_not_scoped",
    "one_scoped",
    "one_scoped_one_not_scoped",
    "two_not_scoped",
    "two_scoped",
)


def sst2(folder: Path, seed: int, *, sizes: tuple[int, int]) -> Task:
    """Load SST-2: is a sentence about a film negative or positive?

    Args:
        folder: The folder of the public data sets.
        seed: Decides which rows are used.
        sizes: Rows for train and for validation.
    """

    def rows(part: str) -> list[Example]:
        path = folder / "tasks" / "sst2" / f"stsa.binary.{part}"
        pairs = (line.split(" ", 1) for line in _lines(path, "utf-8"))
        return [Example(sentence=text, sentiment=SENTIMENTS[int(label)]) for label, text in pairs]

    signature = SignatureSpec(
        "Sentiment",
        "Classify the sentiment of the sentence.",
        (
            FieldSpec("sentence", "input", str, "a sentence from a film review"),
            FieldSpec("sentiment", "output", Literal[SENTIMENTS]),
        ),
    )
    return _split("sst2", signature, (rows("train"), rows("test")), seed, sizes)


def trec(folder: Path, seed: int, *, sizes: tuple[int, int]) -> Task:
    """Load TREC with its six coarse classes: what kind of answer does a question ask for?"""

    def rows(part: str) -> list[Example]:
        path = folder / "tasks" / "trec" / f"{part}.txt"
        pairs = (line.split(" ", 1) for line in _lines(path, "latin-1"))
        return [Example(question=text, kind=KINDS[label.split(":")[0]]) for label, text in pairs]

    signature = SignatureSpec(
        "Question",
        "Classify the question by the kind of its answer.",
        (
            FieldSpec("question", "input", str),
            FieldSpec("kind", "output", Literal[tuple(KINDS.values())], "the kind of the answer"),
        ),
    )
    return _split("trec", signature, (rows("train"), rows("test")), seed, sizes)


def scone(folder: Path, seed: int, *, sizes: tuple[int, int]) -> Task:
    """Load ScoNe: does a hypothesis follow from a premise with negations?"""

    def rows(part: str) -> list[Example]:
        place = folder / "tasks" / "scone" / part
        return [example for name in NEGATIONS for example in _read_pairs(place / f"{name}.csv")]

    signature = SignatureSpec(
        "Inference",
        "Decide whether the hypothesis follows from the premise.",
        (
            FieldSpec("premise", "input", str),
            FieldSpec("hypothesis", "input", str),
            FieldSpec("relation", "output", Literal[RELATIONS]),
        ),
    )
    return _split("scone", signature, (rows("train"), rows("test")), seed, sizes)


def _read_pairs(path: Path) -> list[Example]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Example(
                premise=row.get("sentence1_edited") or row["sentence1"],
                hypothesis=row.get("sentence2_edited") or row["sentence2"],
                relation=row.get("gold_label_edited") or row["gold_label"],
            )
            for row in csv.DictReader(file)
        ]


def _lines(path: Path, encoding: str) -> list[str]:
    return [line.strip() for line in path.read_text(encoding=encoding).splitlines()]


def _split(
    name: str,
    signature: SignatureSpec,
    parts: tuple[Sequence[Example], Sequence[Example]],
    seed: int,
    sizes: tuple[int, int],
) -> Task:
    """Draw train and validation from the first part, and shuffle the second as holdout.

    No text is in two of the three.
    """
    rng = random.Random(seed)
    inputs = tuple(signature.inputs)
    drawn: list[list[Example]] = []
    used: set[tuple[object, ...]] = set()
    for part in reversed(parts):  # the test part first: no training row may repeat one of it
        distinct = {tuple(row[key] for key in inputs): row for row in part}
        rows = [row for key, row in distinct.items() if key not in used]
        used |= distinct.keys()
        rng.shuffle(rows)
        drawn.append(rows)
    test, train = drawn
    first, second = sizes
    return Task(
        name, signature, tuple(train[:first]), tuple(train[first : first + second]), tuple(test)
    )
