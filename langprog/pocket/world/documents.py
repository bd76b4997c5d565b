"""Documents that the model is trained on: token ids, and how much each token counts in the loss."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from langprog.pocket.tokenizer import ASSISTANT, END, SYSTEM, USER, Tokenizer
from langprog.pocket.world import classify, extract, propose
from langprog.pocket.world.labels import code_labels
from langprog.pocket.world.lexicon import Topic, lexicon
from langprog.pocket.world.prompts import Episode, turns
from langprog.pocket.world.wordings import wording

_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}


@dataclass(frozen=True)
class Document:
    """Token ids and the weight of predicting each of them (0: only read)."""

    ids: list[int]
    weights: list[float]


def encode(tokenizer: Tokenizer, episode: Episode, form: str) -> Document:
    """Return ``episode`` as the model reads it in ``form``."""
    ids: list[int] = []
    weights: list[float] = []
    section = {tokenizer.encode("]]\n")[0], tokenizer.encode(" ## ]]\n")[0]}
    opening = {tokenizer.encode(t)[0] for t in ("\n[[", "\n\n[[ ## ")}
    for turn in turns(episode, form):
        text = tokenizer.encode(turn.content)
        ids += [_ROLES[turn.role], *text, END]
        if turn.role != "assistant":
            weights += [0.0] * (len(text) + 2)
            continue
        weights.append(0.0)
        if form == "json":
            weights += [min(turn.weights, default=1.0)] * len(text) + [1.0]
            continue
        index, weight = -1, 1.0
        for token in text:
            if token in opening:
                weight = 1.0
            weights.append(weight)
            if token in section:
                index += 1
                weight = turn.weights[index] if index < len(turn.weights) else 1.0
        weights.append(1.0)
    return Document(ids, weights)


def prompt_ids(tokenizer: Tokenizer, messages: Sequence[tuple[str, str]]) -> list[int]:
    """Return messages as the model reads them, up to where it answers."""
    ids: list[int] = []
    for role, content in messages:
        ids += [_ROLES[role], *tokenizer.encode(content), END]
    return [*ids, ASSISTANT]


@dataclass(frozen=True)
class Hardness:
    """How hard an associative document is."""

    words: int = 1
    shared: float = 0.0
    classes: int = 8
    items: int = 20
    mapped: float = 0.0


def associative(rng: random.Random, tokenizer: Tokenizer, hard: Hardness) -> Document:
    """Draw bare pairs of text and label, in which a repeated word or a shared subject decides.

    With ``mapped`` the labels stand in a system message and the pairs follow from it.
    """
    count = rng.randint(2, hard.classes)
    topics = rng.sample(lexicon().topics, count)
    labels = code_labels(rng, count, "train")
    keys = [rng.choice(t.nouns) for t in topics]
    mapped = rng.random() < hard.mapped
    ids: list[int] = []
    weights: list[float] = []
    if mapped:
        text = tokenizer.encode(_mapping(rng, topics, labels, keys, hard))
        ids = [SYSTEM, *text, END]
        weights = [0.0] * len(ids)
    seen: set[int] = set()
    for _ in range(max(4, hard.items // 3) if mapped else hard.items):
        i = rng.randrange(count)
        text = tokenizer.encode(_words(rng, topics[i], keys[i], hard))
        label = tokenizer.encode(labels[i])
        ids += [USER, *text, END, ASSISTANT, *label, END]
        known = 1.0 if mapped or i in seen else 0.0
        weights += [0.0] * (len(text) + 3) + [known] * len(label) + [0.2 * known]
        seen.add(i)
    return Document(ids, weights)


def _words(rng: random.Random, topic: Topic, key: str, hard: Hardness) -> str:
    size = rng.randint(1, hard.words)
    shared = rng.random() < hard.shared
    own = (
        [rng.choice((*topic.nouns, *topic.verbs)) for _ in range(max(1, (size + 1) // 2))]
        if shared
        else [key]
    )
    common = lexicon().common
    rest = [
        rng.choice(
            common[rng.choice(("function", "function", "verb", "adjective", "adverb", "noun"))]
        )
        for _ in range(size - len(own))
    ]
    words = own + rest
    rng.shuffle(words)
    return " ".join(words)


def _mapping(
    rng: random.Random,
    topics: Sequence[Topic],
    labels: Sequence[str],
    keys: Sequence[str],
    hard: Hardness,
) -> str:
    pattern = rng.choice(
        (
            "{l}: {d}",
            "{d} -> {l}",
            "{l} for {d}",
            "{d}: {l}",
            "{l} = {d}",
            wording(rng, "mapping", "train"),
        )
    )
    shared = rng.random() < hard.shared
    parts = []
    for topic, label, key in zip(topics, labels, keys, strict=True):
        said = classify.describe(rng, [topic], "mixed", "train") if shared else key
        if shared is False and rng.random() < 0.3:
            said = f"{key} and {rng.choice(topic.nouns)}"
        part = pattern.replace("{l}", label).replace("{d}", said)
        parts.append(part.replace("{in}", "text").replace("{out}", "label"))
    return rng.choice((", ", "; ", ". ", "\n")).join(parts)


FAMILIES: tuple[tuple[str, float, Callable[[random.Random, str], Episode]], ...] = (
    ("classify", 9.0, classify.classification),
    ("proposed", 1.5, propose.with_proposal),
    ("second", 2.5, classify.second_module),
    ("judge", 0.7, classify.judge),
    ("extract", 1.8, extract.extraction),
    ("lists", 1.5, extract.lists),
    ("lookup", 1.0, extract.lookup),
    ("describe", 0.8, propose.describe_data),
    ("propose", 2.2, propose.propose_instruction),
    ("improve", 0.8, propose.improve_instruction),
)
FORMS = ("chat", "json", "marks")


def mixed(rng: random.Random, tokenizer: Tokenizer, longest: int, bare: float) -> Document:
    """Draw a document of the final mix, at most ``longest`` tokens; ``bare`` of them are associative."""
    while True:
        if rng.random() < bare:
            hard = Hardness(
                rng.randint(1, 6), rng.choice((0.0, 0.7, 1.0)), 8, rng.randint(8, 24), 0.45
            )
            document = associative(rng, tokenizer, hard)
        else:
            draw = rng.choices([f[2] for f in FAMILIES], [f[1] for f in FAMILIES])[0]
            form = rng.choices(FORMS, (0.82, 0.14, 0.04))[0]
            document = encode(tokenizer, draw(rng, "train"), form)
        if len(document.ids) <= longest and any(document.weights):
            return document
