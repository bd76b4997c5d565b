"""The filter that every proposed instruction passes before anything is spent on it.

An instruction that copies training text overfits and leaks data; one that holds a secret leaks
more; one that holds what a model thought on the way, or a blank to fill in, is not an instruction;
one that mentions scores, the search or itself is about the wrong thing; one that is too long costs
money with every call of the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from langprog.adapters import may_think
from langprog.artifact import looks_secret
from langprog.hints import with_hinted_fields
from langprog.knobs import check_knobs, takes_whole

WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
MARKER = re.compile(r"\[\[\s*+(?:#++\s*+)?\w++\s*+(?:#++\s*+)?\]\]")

# In addition to what an artifact refuses to store.
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

# What small models write in place of an instruction, unless the program itself has it.
STRAY: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "holds a blank to fill in": re.compile(
            r"\{\{[^{}\n]{1,60}\}\}"
            r"|[\[<](?:(?:insert|enter|add|fill in|put|your)\b[^\[\]<>\n]{1,60}"
            r"|(?:the |an? )?(?:instruction|output|input|answer|placeholder)s?)[\]>]",
            re.IGNORECASE,
        ),
        "holds control characters": re.compile(
            r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
        ),
        "holds a token of a chat template": re.compile(
            r"<\|[^|<>\n]{1,40}\|>|<(?:start|end)_of_turn>|<unused\d+>|\[/?INST\]|</s>\Z"
        ),
        "is JSON instead of text": re.compile(r"\A\s*+\{\s*+\"[^\"\n]{1,60}\"\s*+:"),
        "holds a web address": re.compile(r"\bhttps?://|\bwww\.\w", re.IGNORECASE),
        "speaks of itself": re.compile(
            r"\A\W*(?:the|this|these|your) (?:\w+ )?(?:instruction|prompt)s? "
            r"(?:is|are|was|were|should|must|will|can)\b"
            r"|(?:[.!?]\s|\n)\W{0,8}(?:the|this) instruction (?:is|was|should|will|can)\b",
            re.IGNORECASE,
        ),
        "gives an answer": re.compile(
            r"(?:\A|[.!?]\s|\n)\W{0,8}the answer(?: to (?:the|this|your) \w+)? is\s*:",
            re.IGNORECASE,
        ),
    }
)

# A training text shorter than a copied run still counts, as a whole, from this many words on.
SHORTEST_TEXT = 4

# One to three words repeated this often in a row, or so few different words in a long text, show
# that a model went round in circles.
LAPS = 3
LONG = 24
VARIETY = 0.35

# How a model begins to think aloud, or to chat, instead of instructing; after a quotation mark or
# a colon it is what somebody says in an example.
MONOLOGUE = re.compile(
    r"\A\W*(?:ok(?:ay)?|al+ ?right|hm+|wait|well|sure|certainly|of course)\b"
    r"(?=\s*[,.!:;?\u2026\u2014]|\s+-|\s+so\b|\s*\n)"
    r"|\A[\W_]*(?:(?:my |the )?(?:thinking|thoughts?|reasoning|analysis|reflection)"
    r"(?: process| trace)?[*_]*\s*:|assistantfinal\b)"
    r"|\A[\W_]*here(?:['\u2019]s| is| are)\b[^.:\n]{0,80}\b(?:instructions?|prompts?|versions?)\b"
    r"|(?:\A\s*|[.!?]\s+|\n[ \t]*+)(?:"
    r"let me\b|let's (?:see|analy[sz]e|break)\b|my task is\b|first, i\b"
    r"|i(?:['\u2019]ll| will)(?! (?:give|provide|show|send|present))\b"
    r"|i (?:need to|should|have to|must|think|want to|am asked|was asked)\b"
    r"|we (?:need to|should|have to|must|are asked)\b"
    r"|the user (?:wants|needs|asks|is asking)(?: for)? "
    r"(?:me\b|an?\b[^.\n]{0,40}\b(?:instruction|prompt)))",
    re.IGNORECASE,
)

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


@with_hinted_fields({})
@dataclass(frozen=True, slots=True)
class Hygiene:
    """Limits on proposed instructions.

    Args:
        copied_words: This many words in a row from one training example are a copy.
        most_words: Longest instruction admitted, in words.
        fewest_words: Shortest instruction admitted, in words.
    """

    copied_words: int = field(default=7, metadata=takes_whole(1))
    most_words: int = field(default=250, metadata=takes_whole(1))
    fewest_words: int = field(default=3, metadata=takes_whole(0))

    def __post_init__(self) -> None:
        check_knobs(self)


class InstructionFilter:
    """Decides for one predictor which instructions are admitted.

    Args:
        limits: How strict to be.
        training: Texts of the training examples, one string per field value.
        own: Texts of the program itself (instruction, names, descriptions). Their words belong to
            the task, so a program about scores may mention scores. Its instruction may think
            aloud, or hold tags, blanks or web addresses, where the given one does.
    """

    def __init__(self, limits: Hygiene, training: Iterable[str], own: Iterable[str]) -> None:
        self._limits = limits
        given = list(own)
        self._own_thinks = any(may_think(text) for text in given)
        self._own_muses = any(MONOLOGUE.search(text) for text in given)
        self._stray = {
            what: pattern
            for what, pattern in STRAY.items()
            if not any(pattern.search(text) for text in given)
        }
        own_texts = [text.lower() for text in given]
        self._own_grams = {
            gram for text in own_texts for gram in self._list_grams(text, SHORTEST_TEXT)
        }
        self._grams_seen: set[tuple[str, ...]] = set()
        for text in training:
            words = tuple(_split_words(text))
            if SHORTEST_TEXT <= len(words) < limits.copied_words:
                self._grams_seen.add(words)
            self._grams_seen.update(self._list_grams(text))
        self._talk = [word for word in SEARCH_TALK if not any(word in text for text in own_texts)]
        self._admitted: set[str] = set()

    def refuse(self, instruction: str) -> str | None:
        """Return why ``instruction`` is refused; ``None`` admits it, and remembers it."""
        reason = self._find_reason(instruction)
        if reason is None:
            self._admitted.add(_normalize(instruction))
        return reason

    def _find_reason(self, instruction: str) -> str | None:
        words = _split_words(instruction)
        if not words:
            return "empty"
        if _normalize(instruction) in self._admitted:
            return "the same as an instruction already admitted"
        if len(words) > self._limits.most_words:
            return f"{len(words)} words, more than {self._limits.most_words}"
        if len(words) < self._limits.fewest_words:
            return f"a fragment of {len(words)} words"
        if _repeats(words):
            return "repeats itself"
        return self._check_voice(instruction) or self._check_contents(instruction)

    def _check_voice(self, instruction: str) -> str | None:
        if not self._own_thinks and may_think(instruction):
            return "holds the tags of a model's thinking"
        if not self._own_muses and MONOLOGUE.search(instruction):
            return "thinks aloud instead of instructing"
        stray = self._stray.items()
        return next((what for what, pattern in stray if pattern.search(instruction)), None)

    def _check_contents(self, instruction: str) -> str | None:
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
        for gram in self._list_grams(lowered, SHORTEST_TEXT):
            if gram in self._grams_seen and gram not in self._own_grams:
                return f"copies training text ({' '.join(gram)!r})"
        return None

    def _list_grams(self, text: str, shortest: int | None = None) -> list[tuple[str, ...]]:
        """Return every run of words as long as a copy, or down to ``shortest`` words."""
        words = _split_words(text)
        most = self._limits.copied_words
        return [
            tuple(words[start : start + n])
            for n in range(most if shortest is None else min(shortest, most), most + 1)
            for start in range(len(words) - n + 1)
        ]


def _split_words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def _repeats(words: list[str]) -> bool:
    """Return whether the words show a model going round in circles."""
    for size in (1, 2, 3):
        for start in range(len(words) - LAPS * size + 1):
            lap = words[start : start + size]
            if all(
                words[start + turn * size : start + (turn + 1) * size] == lap
                for turn in range(1, LAPS)
            ):
                return True
    return len(words) >= LONG and len(set(words)) < VARIETY * len(words)


def _normalize(text: str) -> str:
    return " ".join(_split_words(text))
