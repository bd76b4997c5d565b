"""Labels that mean nothing by themselves: words, code names, letters, numbers, made-up words."""

from __future__ import annotations

import random
from functools import cache

from langprog.pocket.world.lexicon import held_out, lexicon

_SYLLABLES = """
ba be bi bo bu da de di do du fa fi fo ga go ha ka ke ki ko la le li lo lu ma me mi mo na ne ni
no pa po ra re ri ro sa se si so su ta te ti to va ve vi wa zo zu lor ket dal vin mar pel tus
""".split()


HELD = 24  # one word in this many is never a label in training


@cache
def label_words(split: str) -> tuple[str, ...]:
    """Return single words that may be labels in ``split``; no word is in both."""
    world = lexicon()
    words: set[str] = set(world.names["code"]) | set(world.names["company"])
    for topic in world.topics:
        words.update(
            w for w in (*topic.nouns, *topic.names, *topic.verbs) if " " not in w and w.isalpha()
        )
    for kind in ("noun", "adjective"):
        words.update(w for w in world.common[kind] if w.isalpha())
    return tuple(sorted(w for w in words if held_out(w, HELD, "label") == (split == "held")))


def pseudo_word(rng: random.Random) -> str:
    """Return a made-up word: two or three syllables, or the ends of two words put together.

    Labels that no list has are spelled in pieces; any piece must be one that can be answered.
    """
    if rng.random() < 0.4:
        return "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3))))
    first, last = rng.choice(label_words("train")), rng.choice(label_words("train"))
    return first[: rng.randint(1, 4)] + last[-rng.randint(2, 4) :]


def code_labels(rng: random.Random, count: int, split: str) -> list[str]:
    """Return ``count`` different labels of one make."""
    words = label_words(split)
    make = rng.choices(
        ("word", "code", "letter", "number", "pseudo", "pair", "team", "snake", "capital"),
        (9, 4, 1.5, 1, 6, 1, 1, 2.5, 2),
    )[0]
    out: list[str] = []
    prefix = rng.choice(("team", "queue", "group", "class", "type", "box", "desk"))
    while len(out) < count:
        label = _label(rng, make, words, prefix, len(out), split)
        if label not in out:
            out.append(label)
    rng.shuffle(out)
    return out


def _label(
    rng: random.Random, make: str, words: tuple[str, ...], prefix: str, index: int, split: str
) -> str:
    if make == "code" and split == "train":
        return rng.choice([w for w in lexicon().names["code"] if w in words])
    if make == "letter":
        return "ABCDEFGHIJ"[index]
    if make == "number":
        return str(rng.randrange(100))
    if make == "pseudo":
        return pseudo_word(rng)
    if make == "pair":
        return f"{rng.choice(words)} {rng.choice(words)}"
    if make == "team":
        return f"{prefix} {rng.choice(words)}"
    if make == "snake":
        parts = [rng.choice(words) for _ in range(rng.choice((2, 2, 3)))]
        if rng.random() < 0.3:
            parts[rng.randrange(len(parts))] = pseudo_word(rng)
        return "_".join(parts)
    word = rng.choice(words)
    return word.capitalize() if make == "capital" else word
