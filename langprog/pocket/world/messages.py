"""Short English texts about a subject, with cues: what the tasks are asked about."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from langprog.pocket.world.labels import pseudo_word
from langprog.pocket.world.lexicon import Cue, Topic, continuous, lexicon, past, plural

_SLOT = re.compile(r"\{(\w+)\}")


@cache
def _parts() -> dict[str, tuple[str, ...]]:
    text = resources.files(__package__ or "").joinpath("messages.txt").read_text(encoding="utf-8")
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("= "):
            current = parts.setdefault(line[2:], [])
        elif line and not line.startswith("#"):
            current.append(line)
    return {k: tuple(v) for k, v in parts.items()}


@dataclass(frozen=True)
class Style:
    """How the texts of a task are written; drawn once, so that its examples are alike."""

    words: int
    tidy: bool
    frame: float
    filler: float
    stray: float
    aside: float = 0.0

    @classmethod
    def draw(cls, rng: random.Random) -> Style:
        """Return a style between one-line questions and whole letters."""
        words = rng.choice((4, 6, 8, 10, 12, 14, 16, 20))
        stray = rng.choice((0.0, 0.0, 0.1, 0.25))
        return cls(
            words,
            rng.random() < 0.6,
            rng.choice((0.0, 0.15, 0.4)),
            rng.random(),
            stray,
            rng.choice((0.0, 0.3, 0.7)),
        )


def number(rng: random.Random) -> str:
    """Return a number of one to five digits, short ones more often."""
    return str(rng.randrange(1, 10 ** rng.choice((1, 1, 2, 2, 3, 4, 5))))


def sentence(rng: random.Random, topic: Topic, kind: str | None = None) -> str:
    """Return one lower-case sentence about ``topic``."""
    if kind is None and topic.clauses and rng.random() < 0.4:
        return _vary(rng, rng.choice(topic.clauses), topic)
    kind = kind or rng.choices(("fault", "wish", "question", "remark"), (5, 3, 4, 3))[0]
    return fill(rng, rng.choice(_parts()[kind]), topic)


def _vary(rng: random.Random, clause: str, topic: Topic) -> str:
    words = clause.split()
    if rng.random() < 0.25 and len(words) > 3:
        del words[rng.randrange(len(words))]
    if rng.random() < 0.25:
        words.insert(
            rng.randrange(len(words) + 1),
            rng.choice(("just", "again", "really", "still", "now", "even")),
        )
    if rng.random() < 0.2:
        words += ["with", "the", rng.choice(topic.nouns)]
    return " ".join(words)


def fill(rng: random.Random, pattern: str, topic: Topic | None = None) -> str:
    """Return ``pattern`` with its slots filled."""
    parts, names = _parts(), lexicon().names

    def value(match: re.Match[str]) -> str:
        slot = match.group(1)
        if slot in ("n", "m", "ns", "ms"):
            assert topic is not None
            noun = rng.choice(topic.nouns if rng.random() < 0.93 else topic.names)
            return plural(noun) if slot.endswith("s") else noun
        if slot in ("v", "ved", "ving"):
            assert topic is not None
            verb = rng.choice(topic.verbs)
            return past(verb) if slot == "ved" else continuous(verb) if slot == "ving" else verb
        if slot == "d":
            return number(rng)
        if slot in ("f", "s", "c"):
            return rng.choice(names[{"f": "first", "s": "last", "c": "city"}[slot]])
        kind = {"a": "bad", "g": "good", "t": "time", "w": "person", "l": "place"}[slot]
        return fill(rng, rng.choice(parts[kind]))

    return _SLOT.sub(value, pattern)


def message(
    rng: random.Random,
    style: Style,
    topics: Sequence[Topic],
    cues: Sequence[Cue] = (),
) -> str:
    """Return a text about ``topics`` that shows ``cues``, written in ``style``."""
    parts = [sentence(rng, topic) for topic in topics]
    limit = style.words * rng.uniform(0.6, 1.4)
    while sum(len(p.split()) for p in parts) < limit:
        if rng.random() < style.filler * 0.6:
            parts.append(fill(rng, rng.choice(_parts()["filler"])))
        elif rng.random() < style.stray:
            parts.append(sentence(rng, rng.choice(lexicon().topics)))
            break
        else:
            parts.append(sentence(rng, rng.choice(list(topics))) if topics else filler(rng))
    parts = [_add_noise(rng, part) for part in parts]
    if rng.random() < style.aside:
        i = rng.randrange(len(parts)) if parts else 0
        parts[i : i + 1] = [_aside(rng, part) for part in parts[i : i + 1]]
    parts += [_fragment(rng, rng.choice(cue.clauses)) for cue in cues]
    if rng.random() < 0.6:
        rng.shuffle(parts)
    if rng.random() < style.frame:
        parts.insert(0, fill(rng, rng.choice(_parts()["open"])))
    if rng.random() < style.frame:
        parts.append(fill(rng, rng.choice(_parts()["close"])))
    return _write(rng, parts, style.tidy)


def _aside(rng: random.Random, part: str) -> str:
    """Return ``part`` with a mention of something that it is not about."""
    noun = rng.choice(rng.choice(lexicon().topics).nouns)
    mention = fill(rng, rng.choice(_parts()["aside"])).replace("[x]", noun)
    return f"{part} {mention}" if rng.random() < 0.6 else f"{mention} {part}"


def _fragment(rng: random.Random, clause: str) -> str:
    """Return ``clause``, or a part of it with other words around: single words must tell, too."""
    words = clause.split()
    if rng.random() < 0.6 or len(words) < 3:
        return clause
    size = rng.randint(2, len(words) - 1)
    start = rng.randint(0, len(words) - size)
    some = words[start : start + size]
    common = lexicon().common
    for _ in range(rng.randint(0, 3)):
        word = rng.choice(common[rng.choice(("function", "extra", "verb", "noun"))])
        some.insert(rng.choice((0, len(some))), word)
    return " ".join(some)


def _add_noise(rng: random.Random, part: str) -> str:
    """Return ``part``, sometimes with a word more that says nothing, or an unknown one."""
    chance = rng.random()
    if chance > 0.25:
        return part
    words = part.split()
    place = rng.randrange(len(words) + 1)
    if chance < 0.03 and place < len(words):
        words[place] = pseudo_word(rng)
    else:
        words.insert(place, rng.choice(lexicon().common["extra"]))
    return " ".join(words)


def filler(rng: random.Random) -> str:
    """Return a sentence that says nothing about any subject."""
    return fill(rng, rng.choice(_parts()["filler"]))


_QUESTION = re.compile(
    r"(what|how|where|when|who|which|why|do|does|is|are|can|could|has|did|may|will|would) "
)


def _write(rng: random.Random, parts: list[str], tidy: bool) -> str:
    out = []
    for i, part in enumerate(parts):
        part = part.replace(" ,", ",")
        if not tidy:
            out.append(
                part + (rng.choice((",", "", "", ".", " and")) if i + 1 < len(parts) else "")
            )
            continue
        part = re.sub(r"\bi\b", "I", part)
        end = "?" if _QUESTION.match(part) else "!" if rng.random() < 0.07 else "."
        if i + 1 < len(parts) and rng.random() < 0.2:
            joiner = rng.choice((", and", ",", " and", ", but", " because", ", so"))
            out.append((_capital(part) if not out or out[-1][-1] in ".?!" else part) + joiner)
        else:
            out.append((_capital(part) if not out or out[-1][-1] in ".?!" else part) + end)
    return " ".join(out)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
