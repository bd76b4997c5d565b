"""The gate that every proposed instruction passes before anything is spent on it.

An instruction that copies training text overfits and leaks data; one that holds a secret leaks
more; one that speaks of scores or of the search is about the wrong thing; one that is too long
is paid for with every call of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from langprog.artifact import looks_secret
from langprog.knobs import check_knobs, takes_whole

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
MARKER = re.compile(r"\[\[\s*+(?:#++\s*+)?\w++\s*+(?:#++\s*+)?\]\]")

# Beside what an artifact refuses to hold at all.
SECRETS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "an API key": re.compile(r"\b(?:sk|pk|rk|gsk|xai)[-_][A-Za-z0-9_-]{16,}"),
        "a GitHub token": re.compile(r"\bgithub_pat_\w{20,}"),
        "a JSON web token": re.compile(
            r"(?<![\w-])(?=[\w-]++(?:\.[\w-]{8,}+){2})[\w-]*?\beyJ[\w-]{8,}+(?:\.[\w-]{8,}+){2}"
        ),
        "a password": re.compile(r"\b(?:password|passwd|secret|token)\s*[:=]\s*\S{6,}", re.I),
        "an e-mail address": re.compile(r"\b[\w.+-]{1,64}@[\w-]+\.[A-Za-z]{2,}\b"),
    }
)

# A training text of so many words counts as a whole, where it is shorter than a copied run.
SHORTEST_TEXT = 4

# The same one to three words so often in a row, or that few different words in a long text, are a
# sign that a model went round in circles.
LAPS = 3
LONG = 24
VARIETY = 0.35

SEARCH_TALK = (
    "accuracy",
    "benchmark",
    "bootstrapped",
    "candidate instruction",
    "dspy",
    "evaluation metric",
    "few-shot",
    "holdout",
    "instruction proposal",
    "langprog",
    "language program",
    "leaderboard",
    "metric",
    "minibatch",
    "mipro",
    "optimise the prompt",
    "optimised prompt",
    "optimize the prompt",
    "optimized prompt",
    "optimizer",
    "previous instruction",
    "prompt engineering",
    "proposed instruction",
    "score",
    "test set",
    "train set",
    "training data",
    "training examples",
    "training set",
    "trainset",
    "validation set",
)


@dataclass(frozen=True, slots=True)
class Hygiene:
    """Limits of the gate.

    Args:
        copied_words: As many words in a row from one training example are a copy.
        most_words: Longest instruction that is let in, in words.
        fewest_words: Shortest one.
    """

    copied_words: int = field(default=7, metadata=takes_whole(1))
    most_words: int = field(default=250, metadata=takes_whole(1))
    fewest_words: int = field(default=3, metadata=takes_whole(0))

    def __post_init__(self) -> None:
        check_knobs(self)


class Gate:
    """Says for one predictor which instructions may enter, and why not.

    Args:
        limits: How strict to be.
        training: Texts of the training examples, one string a field value.
        own: Texts of the program itself (instruction, names, descriptions): words that belong to
            the task, so that a program about scores may speak of scores.
    """

    def __init__(self, limits: Hygiene, training: Iterable[str], own: Iterable[str]) -> None:
        self._limits = limits
        own_texts = [text.lower() for text in own]
        self._own_grams = {gram for text in own_texts for gram in self._grams(text, SHORTEST_TEXT)}
        self._grams_seen: set[tuple[str, ...]] = set()
        for text in training:
            words = tuple(_words(text))
            if SHORTEST_TEXT <= len(words) < limits.copied_words:
                self._grams_seen.add(words)
            self._grams_seen.update(self._grams(text))
        self._talk = [word for word in SEARCH_TALK if not any(word in text for text in own_texts)]
        self._admitted: set[str] = set()

    def refusal(self, instruction: str) -> str | None:
        """Return why ``instruction`` stays out, or ``None``; one that enters is remembered."""
        reason = self._reason(instruction)
        if reason is None:
            self._admitted.add(_folded(instruction))
        return reason

    def _reason(self, instruction: str) -> str | None:
        words = _words(instruction)
        if not words:
            return "empty"
        if _folded(instruction) in self._admitted:
            return "the same as one that is in already"
        if len(words) > self._limits.most_words:
            return f"{len(words)} words, more than {self._limits.most_words}"
        if len(words) < self._limits.fewest_words:
            return f"a fragment of {len(words)} words"
        if _repeats(words):
            return "repeats itself"
        return self._contents(instruction)

    def _contents(self, instruction: str) -> str | None:
        if MARKER.search(instruction):
            return "holds the marker of a field"
        for what, pattern in SECRETS.items():
            if pattern.search(instruction):
                return f"holds what looks like {what}"
        if looks_secret(instruction):
            return "holds what looks like a key or a token"
        lowered = instruction.lower()
        for word in self._talk:
            if re.search(rf"\b{re.escape(word)}s?\b", lowered):
                return f"speaks of the search ({word!r})"
        for gram in self._grams(lowered, SHORTEST_TEXT):
            if gram in self._grams_seen and gram not in self._own_grams:
                return f"copies training text ({' '.join(gram)!r})"
        return None

    def _grams(self, text: str, shortest: int | None = None) -> list[tuple[str, ...]]:
        """Return every run of words that is as long as a copy, or down to ``shortest``."""
        words = _words(text)
        most = self._limits.copied_words
        return [
            tuple(words[start : start + n])
            for n in range(most if shortest is None else min(shortest, most), most + 1)
            for start in range(len(words) - n + 1)
        ]


def _words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _repeats(words: list[str]) -> bool:
    """Return whether a model that lost its thread goes round in circles."""
    for size in (1, 2, 3):
        for start in range(len(words) - LAPS * size + 1):
            lap = words[start : start + size]
            if all(
                words[start + turn * size : start + (turn + 1) * size] == lap
                for turn in range(1, LAPS)
            ):
                return True
    return len(words) >= LONG and len(set(words)) < VARIETY * len(words)


def _folded(text: str) -> str:
    return " ".join(_words(text))
