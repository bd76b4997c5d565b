"""Classifying short texts by intent: CLINC150 and BANKING77, reduced to some of their intents.

- CLINC150: github.com/clinc/oos-eval, data/data_small.json, CC BY 3.0 (Larson et al., 2019).
- BANKING77: github.com/PolyAI-LDN/task-specific-datasets, banking_data, CC BY 4.0 (Casanueva et
  al., 2020).
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from langprog import Example
from langprog.signature import FieldSpec, SignatureSpec

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Task:
    """A task with its examples.

    Args:
        name: The data set and how much of it.
        signature: Text in, intent out.
        train: From the data set's own training part.
        validation: From the same part.
        holdout: From the data set's test part.
    """

    name: str
    signature: SignatureSpec
    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    holdout: tuple[Example, ...]


def clinc150(folder: Path, intents: int, seed: int, *, each: tuple[int, int]) -> Task:
    """Load CLINC150 with one intent from each of several domains.

    Args:
        folder: The folder of the public data sets.
        intents: Intents to keep, 10 at most.
        seed: Decides which intents and examples are used.
        each: Examples per intent for train and for validation.
    """
    place = folder / "tasks" / "clinc150"
    data = json.loads((place / "data_small.json").read_text(encoding="utf-8"))
    domains = json.loads((place / "domains.json").read_text(encoding="utf-8"))
    rng = random.Random(seed)
    kept = [rng.choice(domains[name]) for name in sorted(domains)[:intents]]
    return _task(f"clinc150, {intents} intents", kept, data["train"], data["test"], rng, each)


def banking77(folder: Path, intents: int, seed: int, *, each: tuple[int, int]) -> Task:
    """Load BANKING77 with some of its intents; arguments as for :func:`clinc150`."""
    place = folder / "tasks" / "banking77"
    train, test = _rows(place / "train.csv"), _rows(place / "test.csv")
    rng = random.Random(seed)
    kept = rng.sample(sorted({label for _, label in test}), intents)
    return _task(f"banking77, {intents} intents", kept, train, test, rng, each)


def _rows(path: Path) -> list[Pair]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def _task(
    name: str,
    kept: Sequence[str],
    train: Iterable[Sequence[str]],
    test: Iterable[Sequence[str]],
    rng: random.Random,
    each: tuple[int, int],
) -> Task:
    labels = [_words(label) for label in kept]
    signature = SignatureSpec(
        "Intent",
        "Read the text.",
        (
            FieldSpec("text", "input", str, "what the user wrote"),
            FieldSpec("intent", "output", Literal[tuple(labels)], "what the user wants"),
        ),
    )
    parts: tuple[list[Example], list[Example]] = ([], [])
    pool = list(train)
    for label in kept:
        texts = sorted({text for text, given in pool if given == label})
        rng.shuffle(texts)
        first, second = each
        for part, some in zip(parts, (texts[:first], texts[first : first + second]), strict=True):
            part.extend(Example(text=text, intent=_words(label)) for text in some)
    holdout = tuple(
        Example(text=text, intent=_words(label)) for text, label in test if label in kept
    )
    return Task(name, signature, tuple(parts[0]), tuple(parts[1]), holdout)


def _words(label: str) -> str:
    return label.replace("_", " ").rstrip("?").strip().lower()
