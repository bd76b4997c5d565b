"""The words of the training world: subjects, cues, names and ordinary English, from text files.

Every word is listed by hand in the files beside this one. A word's part (train or held-out) in a
role, such as "may be a label", is decided by a hash of its text, so that the split never moves.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

_VOWELS = "aeiou"


@dataclass(frozen=True)
class Topic:
    """A subject: what it is called, how it is described, and what is said about it."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    clauses: tuple[str, ...]

    @property
    def key(self) -> str:
        """The first name; unique."""
        return self.names[0]


@dataclass(frozen=True)
class Cue:
    """One value of a dimension that cuts across subjects, such as urgency."""

    names: tuple[str, ...]
    descriptions: tuple[str, ...]
    clauses: tuple[str, ...]

    @property
    def key(self) -> str:
        """The first name; unique."""
        return self.names[0]


@dataclass(frozen=True)
class Dimension:
    """Several cues of which a text shows at most one."""

    key: str
    questions: tuple[str, ...]
    meaning: str
    cues: tuple[Cue, ...]


@dataclass(frozen=True)
class Lexicon:
    """Everything that texts are made of."""

    service: tuple[Topic, ...]
    general: tuple[Topic, ...]
    dimensions: tuple[Dimension, ...]
    common: dict[str, tuple[str, ...]]
    names: dict[str, tuple[str, ...]]

    @property
    def topics(self) -> tuple[Topic, ...]:
        """All subjects."""
        return self.service + self.general


def held_out(text: str, one_in: int = 8, salt: str = "") -> bool:
    """Return whether ``text`` is kept from training in the role ``salt``; fixed for all time."""
    digest = hashlib.sha256(f"{salt}:{text}".encode()).digest()
    return digest[0] * 256 + digest[1] < 65536 // one_in


@cache
def lexicon() -> Lexicon:
    """Read the word files; the same object every time."""
    more = {t.key: t for t in _topics("topics_more.txt")}
    return Lexicon(
        tuple(_join_lines(t, more.get(t.key)) for t in _topics("topics_service.txt")),
        _topics("topics_general.txt"),
        _dimensions("cues.txt", "cues_more.txt"),
        {**_classes("common.txt"), **_classes("common_more.txt")},
        _classes("names.txt"),
    )


def _join_lines(topic: Topic, more: Topic | None) -> Topic:
    if more is None:
        return topic
    return replace(
        topic,
        nouns=tuple(dict.fromkeys(topic.nouns + more.nouns)),
        verbs=tuple(dict.fromkeys(topic.verbs + more.verbs)),
        clauses=tuple(dict.fromkeys(topic.clauses + more.clauses)),
    )


def _lines(name: str) -> list[str]:
    text = resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def _split(text: str, mark: str) -> tuple[str, ...]:
    return tuple(part.strip().replace("_", " ") for part in text.split(mark) if part.strip())


def _topics(name: str) -> tuple[Topic, ...]:
    entries: list[dict[str, tuple[str, ...]]] = []
    for line in _lines(name):
        if line.startswith("= "):
            head, *rest = line[2:].split("|")
            names = _split(head, ",")
            said = _split("|".join(rest), "|")
            parts = dict.fromkeys(("nouns", "verbs", "clauses"), ())
            entries.append({**parts, "names": names, "descriptions": said})
        elif line.startswith("> "):
            entries[-1]["verbs"] = tuple(w.replace("_", " ") for w in line[2:].split())
        elif line.startswith("! "):
            entries[-1]["clauses"] = _split(line[2:], ";")
        else:
            words = tuple(w.replace("_", " ") for w in line.split())
            entries[-1]["nouns"] += words
    return tuple(Topic(**f) for f in entries)


def _dimensions(name: str, more: str) -> tuple[Dimension, ...]:
    extra: dict[tuple[str, str], tuple[str, ...]] = {}
    where = ""
    for line in _lines(more):
        if line.startswith("= "):
            where = line[2:].strip()
        else:
            key, clauses = line[2:].split("|")
            extra[where, key.strip()] = _split(clauses, ";")
    entries: list[tuple[str, tuple[str, ...], str, list[Cue]]] = []
    for line in _lines(name):
        if line.startswith("= "):
            key, questions, meaning = line[2:].split("|")
            entries.append((key.strip(), _split(questions, ","), meaning.strip(), []))
        else:
            called, descriptions, clauses = line[2:].split("|")
            names = _split(called, ",")
            said = _split(clauses, ";") + extra.get((entries[-1][0], names[0]), ())
            entries[-1][3].append(Cue(names, _split(descriptions, ","), said))
    return tuple(Dimension(key, asks, what, tuple(cues)) for key, asks, what, cues in entries)


def _classes(name: str) -> dict[str, tuple[str, ...]]:
    out = {}
    for line in _lines(name):
        key, words = line[2:].split("|")
        out[key.strip()] = tuple(w.replace("_", " ") for w in words.split())
    return out


def plural(noun: str) -> str:
    """Return the plural of an English noun, regular rules only."""
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def past(verb: str) -> str:
    """Return the past form of the first word of ``verb``, regular rules only."""
    head, _, tail = verb.partition(" ")
    irregular = {
        "pay": "paid",
        "send": "sent",
        "buy": "bought",
        "sell": "sold",
        "steal": "stole",
        "lose": "lost",
        "drive": "drove",
        "fly": "flew",
        "read": "read",
        "write": "wrote",
        "eat": "ate",
        "sing": "sang",
        "take": "took",
        "get": "got",
        "set": "set",
    }
    if head in irregular:
        head = irregular[head]
    elif head.endswith("e"):
        head += "d"
    elif head.endswith("y") and head[-2:-1] not in _VOWELS:
        head = head[:-1] + "ied"
    else:
        head = _double_last(head) + "ed"
    return f"{head} {tail}".strip()


def continuous(verb: str) -> str:
    """Return the -ing form of the first word of ``verb``."""
    head, _, tail = verb.partition(" ")
    head = (
        head[:-1] + "ing" if head.endswith("e") and len(head) > 3 else _double_last(head) + "ing"
    )
    return f"{head} {tail}".strip()


def _double_last(verb: str) -> str:
    short = re.fullmatch(r"[^aeiou]*[aeiou][bdgklmnprt]", verb)
    return verb + verb[-1] if short and len(verb) <= 5 else verb
