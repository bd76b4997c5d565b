"""Rules for the labels of TREC and SST-2, and the vote of the majority.

The rules were written from the names of the labels, before any row was read, and were not changed
after they were measured.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from langprog import Example

Rule = Callable[[Example], str | None]

# By the name of a rule: the label, and the pattern in lower case for which it votes.
TREC: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "short form": ("ABBR", r"\b(abbreviation|acronym|stands? for|short for|full form)\b"),
        "how many": (
            "NUM",
            r"^how (many|much|long|far|old|big|tall|high|fast|often|large|deep|hot|cold)\b",
        ),
        "when": ("NUM", r"^when\b"),
        "what number": (
            "NUM",
            r"\b(what|which) (year|date|month|day|century|percentage|number|population"
            r"|temperature|distance|price)\b",
        ),
        "who": ("HUM", r"^(who|whose|whom)\b"),
        "what person": (
            "HUM",
            r"\b(what|which)\b.{0,30}\b(person|man|woman|president|actor|actress|author|king|queen"
            r"|singer|team|company|inventor|leader|player)\b",
        ),
        "where": ("LOC", r"^where\b"),
        "what place": (
            "LOC",
            r"\b(what|which)\b.{0,30}\b(city|country|state|river|mountain|island|continent|ocean"
            r"|lake|place|capital|street|planet)\b",
        ),
        "why": ("DESC", r"^why\b"),
        "how": ("DESC", r"^how (do|does|did|can|is|are|was|were|could|should)\b"),
        "what is it": ("DESC", r"^what (is|are|was) (an? |the )?\w+( \w+)? ?\??$"),
        "meaning": (
            "DESC",
            r"\b(define|definition|meaning|mean|means|difference between|purpose|causes?|origin"
            r"|describe)\b",
        ),
        "what thing": (
            "ENTY",
            r"\b(what|which)\b.{0,20}\b(animal|colou?r|food|drink|sport|game|book|movie|film|song"
            r"|language|disease|instrument|plant|flower|religion|product|word|letter|kind|type)\b",
        ),
    }
)
SST2: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "praise": (
            "positive",
            r"\b(great|wonderful|excellent|brilliant|superb|masterpiece|delightful|perfect|best)\b",
        ),
        "pleasure": (
            "positive",
            r"\b(enjoy\w*|love\w*|fun|funny|charming|entertaining|hilarious|touching|moving)\b",
        ),
        "craft": (
            "positive",
            r"\b(beautiful\w*|powerful|fascinating|compelling|clever|smart|fresh|original"
            r"|engaging)\b",
        ),
        "blame": (
            "negative",
            r"\b(bad|terrible|awful|worst|horrible|poor|poorly|lousy|disaster)\b",
        ),
        "boredom": (
            "negative",
            r"\b(boring|dull|tedious|slow|lifeless|bland|tired|predictable|flat)\b",
        ),
        "failure": (
            "negative",
            r"\b(fails?|lacks?|mess|waste|pointless|silly|stupid|clumsy|forgettable"
            r"|disappoint\w*)\b",
        ),
        "negation": (
            "negative",
            r"\b(not|never|n't|no|without)\b.{0,20}\b(good|great|funny|enough|interesting|worth)\b",
        ),
        "reservation": ("negative", r"\b(too|unfortunately|instead of|should have|could have)\b"),
    }
)


def make_rules(patterns: Mapping[str, tuple[str, str]]) -> dict[str, Rule]:
    """Return a function of a row for each pattern: its label, or ``None``."""

    def make(label: str, pattern: str) -> Rule:
        search = re.compile(pattern).search
        return lambda row: label if search(row.text.lower()) else None

    return {name: make(*each) for name, each in patterns.items()}


def vote_majority(votes: Sequence[str], rng: random.Random) -> str | None:
    """Return the most frequent vote, equals by lot; ``None`` where there is none."""
    counts = Counter(votes)
    most = max(counts.values(), default=0)
    return rng.choice([vote for vote, count in counts.items() if count == most]) if votes else None
