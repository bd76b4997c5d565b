"""Recorded verdicts, answers and labels, as the measurements need them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Verdicts:
    """LLMBar: verdicts of judges.

    Args:
        parts: The part that each comparison is from.
        labels: The right verdict of each, "1" or "2".
        configs: The judges.
        verdicts: By comparison and judge, the verdicts in both orders.
    """

    parts: Sequence[str]
    labels: Sequence[str]
    configs: Mapping[str, int]
    verdicts: Sequence[Sequence[Sequence[str]]]

    def by_config(self, name: str) -> list[Sequence[str]]:
        """Return the verdicts of a judge, of each comparison in both orders."""
        place = self.configs[name]
        return [row[place] for row in self.verdicts]


@cache
def load_verdicts(folder: Path) -> Verdicts:
    """Read the five parts of LLMBar."""
    parts: list[str] = []
    labels: list[str] = []
    verdicts: list[list[list[str]]] = []
    configs: dict[str, int] = {}
    for path in sorted((folder / "llmbar").glob("LLMBar_*.jsonl")):
        head, *lines = path.read_text(encoding="utf-8").splitlines()
        names = json.loads(head)["configs"]
        order = sorted(names)
        configs = {name: place for place, name in enumerate(order)}
        for line in lines:
            row = json.loads(line)
            by_name = dict(zip(names, row["winner"], strict=True))
            parts.append(path.stem.removeprefix("LLMBar_"))
            labels.append(str(row["label"]))
            verdicts.append([[str(each) for each in by_name[name]] for name in order])
    return Verdicts(parts, labels, configs, verdicts)
