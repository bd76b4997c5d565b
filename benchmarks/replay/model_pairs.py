"""Recorded scores of an old and a new model on the same questions, for the test of a port.

The pairs were chosen before any of them was compared: updates of a model under its own name,
successors, the same weights at another host, and cheaper models of one family.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

Kind = Literal["update", "successor", "other host", "cheaper"]


@dataclass(frozen=True, slots=True)
class ModelPair:
    """An old and a new model on a data set.

    Args:
        source: The data set, a key of ``SOURCES``.
        old: The old model's name there.
        new: The new model's.
        kind: What the new one is to the old one.
    """

    source: str
    old: str
    new: str
    kind: Kind

    @property
    def name(self) -> str:
        """A short name."""
        return f"{self.old} -> {self.new}"


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of both on every question, 0 or 1."""

    before: tuple[float, ...]
    after: tuple[float, ...]


@cache
def _read_lines(path: Path) -> tuple[dict[str, Any], ...]:
    return tuple(_lines(path))


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    opened = lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open()
    with opened as file:
        for line in file:
            yield json.loads(line)


def _load_drift(folder: Path, refs: tuple[str, ...], model: str) -> tuple[float, ...]:
    """Read LLMDrift (Chen, Zaharia and Zou, 2023; Apache-2.0): is a number prime?

    A reply without an answer is wrong.
    """
    lines = _read_lines(folder / "llmdrift" / "prime.jsonl.xz")
    return tuple(
        float(line["runs"][f"openaichat/{model}"]["pred"] == line["ref"])
        for line in lines
        if line["ref"] in refs
    )


def _load_zeroeval(folder: Path, part: str, model: str) -> tuple[float, ...]:
    """Read ZeroEval (Lin, 2024; Apache-2.0): one greedy answer per model."""
    head, *lines = _read_lines(folder / "zeroeval" / f"{part}.jsonl")
    place = head["models"].index(model)
    return tuple(float(line["ok"][place] or 0) for line in lines)


def _load_pricing(folder: Path, part: str, model: str) -> tuple[float, ...]:
    """Read pricing-reversal (2026; MIT)."""
    lines = _read_lines(folder / "pricing-reversal" / f"{part}.jsonl.xz")
    return tuple(float(line["runs"][model]["score"] or 0.0) for line in lines)


Load = Callable[[Path, str], tuple[float, ...]]

SOURCES: Mapping[str, Load] = MappingProxyType(
    {
        "primes and composites (LLMDrift)": lambda f, m: _load_drift(f, ("yes", "no"), m),
        "primes (LLMDrift)": lambda f, m: _load_drift(f, ("yes",), m),
        "composites (LLMDrift)": lambda f, m: _load_drift(f, ("no",), m),
        "GSM8K (ZeroEval)": lambda f, m: _load_zeroeval(f, "gsm", m),
        "MATH-L5 (ZeroEval)": lambda f, m: _load_zeroeval(f, "math-l5", m),
        "GPQA (pricing-reversal)": lambda f, m: _load_pricing(f, "gpqa-test", m),
        "AIME (pricing-reversal)": lambda f, m: _load_pricing(f, "aime-hybrid", m),
    }
)

_DRIFT = (
    ("gpt-4-0314", "gpt-4-0613", "update"),
    ("gpt-3.5-turbo-0301", "gpt-3.5-turbo-0613", "update"),
)
_ZEROEVAL = (
    ("gpt-4o-2024-05-13", "gpt-4o-2024-08-06", "update"),
    ("claude-3-5-sonnet-20240620", "claude-3-5-sonnet-20241022", "update"),
    ("gemini-1.5-flash", "gemini-1.5-flash-exp-0827", "update"),
    ("claude-3-haiku-20240307", "claude-3-5-haiku-20241022", "successor"),
    ("gpt-3.5-turbo-0125", "gpt-4o-mini-2024-07-18", "successor"),
    ("Meta-Llama-3-8B-Instruct", "Meta-Llama-3.1-8B-Instruct", "successor"),
    ("Meta-Llama-3-70B-Instruct", "Meta-Llama-3.1-70B-Instruct", "successor"),
    (
        "Llama-3.1-405B-Inst@sambanova",
        "Meta-Llama-3.1-405B-Instruct@hyperbolic",
        "other host",
    ),
    ("gpt-4o-2024-08-06", "gpt-4o-mini-2024-07-18", "cheaper"),
    ("claude-3-5-sonnet-20240620", "claude-3-haiku-20240307", "cheaper"),
    ("Meta-Llama-3.1-70B-Instruct", "Meta-Llama-3.1-8B-Instruct", "cheaper"),
    ("gemini-1.5-pro", "gemini-1.5-flash", "cheaper"),
)
_PRICING = (
    ("gemini-3.1-pro-preview", "gemini-3-flash-preview", "cheaper"),
    ("gpt-5.2-high", "gpt-5-mini", "cheaper"),
    ("claude-opus-4.6-thinking", "claude-haiku-4.5", "cheaper"),
    ("claude-opus-4.6-thinking", "gpt-5.2-high", "cheaper"),
    ("kimi-k2.5", "MiniMax-M2.5", "cheaper"),
)


def list_pairs() -> tuple[ModelPair, ...]:
    """Return all pairs, in the order in which they are reported."""
    groups = {"LLMDrift": _DRIFT, "ZeroEval": _ZEROEVAL, "pricing-reversal": _PRICING}
    return tuple(
        ModelPair(source, old, new, kind)  # type: ignore[arg-type]  # a kind, as written above
        for source in SOURCES
        for group, pairs in groups.items()
        if group in source
        for old, new, kind in pairs
    )


def load_pair(pair: ModelPair, folder: Path) -> PairScores:
    """Return the scores of a pair."""
    load = SOURCES[pair.source]
    return PairScores(load(folder, pair.old), load(folder, pair.new))
