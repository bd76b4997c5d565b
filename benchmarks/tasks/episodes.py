"""Real text as episodes for the embedded models: a few labels, 8 demonstrations, one question.

- TREC: question classes of Li and Roth (2002), 6 coarse labels.
- CLINC150 and BANKING77: see ``intents``; here the intents of an episode are drawn anew each time.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from langprog.pocket.world.prompts import Episode, Row, Slot

Pairs = Sequence[tuple[str, str]]
LABELS, DEMOS = 5, 8
_TREC = {
    "ABBR": "abbreviation",
    "DESC": "description",
    "ENTY": "entity",
    "HUM": "person",
    "LOC": "location",
    "NUM": "number",
}


def _clinc150(folder: Path) -> tuple[Pairs, Pairs]:
    data = json.loads((folder / "clinc150" / "data_small.json").read_text(encoding="utf-8"))
    train, test = (
        [(text, label.replace("_", " ")) for text, label in data[part]]
        for part in ("train", "test")
    )
    return train, test


def _banking77(folder: Path) -> tuple[Pairs, Pairs]:
    parts = []
    for name in ("train.csv", "test.csv"):
        with (folder / "banking77" / name).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        parts.append([(r["text"], r["category"].replace("_", " ").rstrip("?")) for r in rows])
    return parts[0], parts[1]


def _trec(folder: Path) -> tuple[Pairs, Pairs]:
    parts = []
    for name in ("train.txt", "test.txt"):
        lines = (folder / "trec" / name).read_text(encoding="latin-1").splitlines()
        split = [line.split(" ", 1) for line in lines if " " in line]
        parts.append([(text.strip(), _TREC[label.partition(":")[0]]) for label, text in split])
    return parts[0], parts[1]


REAL: Mapping[str, Callable[[Path], tuple[Pairs, Pairs]]] = MappingProxyType(
    {"clinc150": _clinc150, "banking77": _banking77, "trec": _trec}
)


def real_episodes(folder: Path, name: str, count: int) -> Iterator[Episode]:
    """Yield seeded episodes: 5 labels, 8 demonstrations from the train part, a test text.

    Args:
        folder: The folder of the public data sets.
        name: One of ``REAL``.
        count: How many.
    """
    train, test = REAL[name](folder / "tasks")
    by_label: dict[str, list[str]] = {}
    for text, label in train:
        by_label.setdefault(label, []).append(text)
    asked: dict[str, list[str]] = {}
    for text, label in test:
        asked.setdefault(label, []).append(text)
    rng = random.Random(f"episodes/{name}")
    for _ in range(count):
        labels = rng.sample(sorted(asked), LABELS)
        shown = [labels[i % LABELS] for i in range(DEMOS)]
        rng.shuffle(shown)
        label = rng.choice(labels)
        pairs = [(rng.choice(by_label[label]), label) for label in shown]
        pairs.append((rng.choice(asked[label]), label))
        rows = tuple(Row({"text": text}, {"label": label}) for text, label in pairs)
        target = Slot("label", "one of: " + ", ".join(labels))
        yield Episode("Classify the text.", (Slot("text"),), (target,), rows, "real")
