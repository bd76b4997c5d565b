"""The vocabulary: every word that the world's files hold, and pieces that spell all others."""

from __future__ import annotations

import re
import string
from collections import Counter
from importlib import resources

from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.world.extract import ASKS, THINGS
from langprog.pocket.world.fields import LABEL_FIELDS, LABEL_NOTES, TEXT_FIELDS, TEXT_NOTES
from langprog.pocket.world.lexicon import continuous, lexicon, past
from langprog.pocket.world.lists import LISTS

_ENDINGS = """
s es ed d ing er ers r rs ly y ies ied est ment ments ness ion ions tion tions able al ity less
ful ish ive ized ize ise ised izing ist or ors age ance ence ary ian ic ical ical's un re back
up out in off on time line man men day book room work house way side board card phone mail ware
word land port ship bag top bell port
""".split()
_PIECES = 260


def build() -> Tokenizer:
    """Return the vocabulary; the same files give the same ids."""
    words = Counter[str]()
    world = lexicon()
    for name in (
        "topics_service.txt",
        "topics_general.txt",
        "topics_more.txt",
        "cues_more.txt",
        "common_more.txt",
        "cues.txt",
        "common.txt",
        "names.txt",
        "messages.txt",
        "wordings.txt",
    ):
        text = resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
        words.update(
            _words(
                re.sub(r"\{\w+\}|_", " ", "\n".join(t for t in text.splitlines() if t[:1] != "#"))
            )
        )
    for topic in world.topics:
        for verb in topic.verbs:
            words.update(_words(f"{past(verb)} {continuous(verb)}"))
    for group in (TEXT_FIELDS, LABEL_FIELDS, TEXT_NOTES, LABEL_NOTES, ASKS):
        words.update(_words(" ".join(group)))
    for _, asks, _act in LISTS:
        words.update(_words(" ".join(asks)))
    for thing in THINGS:
        words.update(_words(" ".join((*thing.called, *thing.carriers, thing.field))))
    words.update(_words(_FORMAT_WORDS))
    pieces = Counter[str]()
    for word in words:
        for size in (2, 3):
            pieces.update(word[i : i + size] for i in range(1, len(word) - size + 1))
    common = [p for p, _ in sorted(pieces.items(), key=lambda x: (-x[1], x[0]))[:_PIECES]]
    endings = sorted({*string.ascii_lowercase, *common, *(e for e in _ENDINGS if e.isalpha())})
    joined = set(endings)
    whole = {w for w in words if not _is_derived(w, words, joined)} | set(string.ascii_lowercase)
    starts = Counter[str](w[:2] for w in words if len(w) > 2)
    whole |= {s for s, c in starts.items() if c > 8}
    return Tokenizer(tuple(sorted(whole)), tuple(endings))


def _words(text: str) -> list[str]:
    return [w.lower() for w in re.findall(r"[A-Za-z]+", text)]


def _is_derived(word: str, words: Counter[str], endings: set[str]) -> bool:
    """Return whether ``word`` is a regular form of another, so that both share a start."""
    for ending in ("s", "es", "ed", "d", "ing", "ly"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 3 and stem in words and ending in endings:
            return True
    return False


_FORMAT_WORDS = """
Input fields Output fields one of JSON list of text integer number true or false or null JSON
object Reply with the output fields each under its marker in this order Reply with one JSON
object that has exactly these keys That reply could not be read Reply again in the form asked
for program task summary tip current examples instruction mistakes answered wanted feedback
reasoning think step by step verdict level All interactions will be structured in the following
way describe inputs related clear makes language model well rewrite Keep short specific label
applies words look Be clear reader role simple words Mention field Do not give creative
sentence extract answer Given produce context question Where is the one that lives works comes
follows knows helps calls find look place use why confidence yes no pass fail right wrong true
false fits fit matches check judge correct decide dollars euros pounds order number reference
code serial device id January February March April May June July August September October
November December com org net
"""
