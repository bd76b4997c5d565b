"""Instruction wordings, split into those of training and those of evaluation."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache
from importlib import resources


@cache
def wordings(kind: str, split: str = "train") -> tuple[str, ...]:
    """Return the wordings of ``kind`` for ``split``: "train" or "held" (every eighth)."""
    all_wordings = _all()[kind]
    held = all_wordings[5::8]
    if split == "held" and held:
        return held
    return tuple(w for w in all_wordings if w not in held)


@cache
def _all() -> dict[str, tuple[str, ...]]:
    text = resources.files(__package__ or "").joinpath("wordings.txt").read_text(encoding="utf-8")
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("= "):
            current = parts.setdefault(line[2:], [])
        elif line and not line.startswith("#"):
            current.append(line)
    return {k: tuple(v) for k, v in parts.items()}


def wording(rng: random.Random, kind: str, split: str, **slots: str) -> str:
    """Return a random wording of ``kind`` with its slots filled."""
    text = rng.choice(wordings(kind, split))
    for key, value in slots.items():
        text = text.replace("{" + key + "}", value)
    return text


def listing(words: list[str] | tuple[str, ...], last: str = "and") -> str:
    """Return words as English lists them: "a, b and c"."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def one_of(rng: random.Random, wordings: Sequence[str], split: str) -> str:
    """Return one of a few wordings; of each six the last is held out, of fewer the last one."""
    held = max(1, len(wordings) // 6)
    return rng.choice(wordings[-held:] if split == "held" else wordings[:-held])
