"""Documents to train on: token ids, and how much each token counts in the loss."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from langprog.pocket.tokenizer import ASSISTANT, END, SYSTEM, USER, Tokenizer
from langprog.pocket.world import chains, classify, extract, lists, numbers, propose, second
from langprog.pocket.world.fields import LABEL_FIELDS, TEXT_FIELDS
from langprog.pocket.world.labels import code_labels
from langprog.pocket.world.lexicon import Topic, lexicon
from langprog.pocket.world.messages import Style, message
from langprog.pocket.world.prompts import Episode, Row, Slot, turns
from langprog.pocket.world.wordings import wording

_ROLES = {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}


@dataclass(frozen=True)
class Document:
    """Token ids and the weight of predicting each of them (0: only read)."""

    ids: list[int]
    weights: list[float]


def encode(
    tokenizer: Tokenizer, episode: Episode, form: str, *, head: bool = True, frame: float = 1.0
) -> Document:
    """Return ``episode`` as the model reads it in ``form``.

    Args:
        tokenizer: The vocabulary.
        episode: The task and its rows.
        form: "chat", "json", "dspy" or "dspy-json".
        head: Whether the system message is there.
        frame: How much the marks around the answers count.
    """
    ids: list[int] = []
    weights: list[float] = []
    section = {tokenizer.encode("]]\n")[0], tokenizer.encode(" ## ]]\n")[0]}
    opening = {tokenizer.encode(t)[0] for t in ("\n[[", "\n\n[[ ## ")}
    for turn in turns(episode, form)[0 if head else 1 :]:
        text = tokenizer.encode(turn.content)
        ids += [_ROLES[turn.role], *text, END]
        if turn.role != "assistant":
            weights += [0.0] * (len(text) + 2)
            continue
        weights.append(0.0)
        if form.endswith("json"):
            weights += [min(turn.weights, default=1.0)] * len(text) + [frame]
            continue
        index, weight = -1, frame
        for token in text:
            if token in opening:
                weight = frame
            weights.append(weight)
            if token in section:
                index += 1
                weight = turn.weights[index] if index < len(turn.weights) else 1.0
        weights.append(frame)
    return Document(ids, weights)


@dataclass(frozen=True)
class Hardness:
    """How hard an associative document is."""

    words: int = 1
    shared: float = 0.0
    classes: int = 8
    items: int = 20
    mapped: float = 0.0
    wrapped: float = 0.0
    real: float = 0.0


def associative(rng: random.Random, tokenizer: Tokenizer, hard: Hardness) -> Document:
    """Draw bare pairs of text and label, in which a repeated word or a shared subject decides.

    With ``mapped`` the labels stand in a system message and the pairs follow from it; with
    ``wrapped`` the pairs are written as a program's calls are.
    """
    count = rng.randint(2, hard.classes)
    topics = rng.sample(lexicon().topics, count)
    labels = code_labels(rng, count, "train")
    keys = [rng.choice(t.nouns) for t in topics]
    mapped = rng.random() < hard.mapped
    if rng.random() < hard.wrapped:
        return _wrap(rng, tokenizer, hard, (topics, labels, keys), mapped)
    ids: list[int] = []
    weights: list[float] = []
    if mapped:
        text = tokenizer.encode(_mapping(rng, topics, labels, keys, hard))
        ids = [SYSTEM, *text, END]
        weights = [0.0] * len(ids)
    seen: set[int] = set()
    for _ in range(max(5, hard.items // 2) if mapped else hard.items):
        i = rng.randrange(count)
        text = tokenizer.encode(_words(rng, topics[i], keys[i], hard))
        label = tokenizer.encode(labels[i])
        ids += [USER, *text, END, ASSISTANT, *label, END]
        known = 1.0 if mapped or i in seen else 0.0
        weights += [0.0] * (len(text) + 3) + [known] * len(label) + [0.2 * known]
        seen.add(i)
    return Document(ids, weights)


def _wrap(
    rng: random.Random,
    tokenizer: Tokenizer,
    hard: Hardness,
    classes: tuple[Sequence[Topic], Sequence[str], Sequence[str]],
    mapped: bool,
) -> Document:
    topics, labels, keys = classes
    source, target = rng.choice(TEXT_FIELDS), rng.choice(LABEL_FIELDS)
    rows = []
    seen: set[int] = set()
    for _ in range(max(5, hard.items // 2) if mapped else hard.items):
        i = rng.randrange(len(labels))
        known = 1.0 if mapped or i in seen else 0.0
        text = _words(rng, topics[i], keys[i], hard)
        rows.append(Row({source: text}, {target: labels[i]}, {target: known}))
        seen.add(i)
    text = wording(rng, "vague", "train", **{"in": source, "out": target})
    if mapped:
        said = _mapping(rng, topics, labels, keys, hard)
        text = said if rng.random() < 0.4 else f"{text} {said}"
    phrase = "one of: " + ", ".join(labels) if rng.random() < 0.6 else ""
    episode = Episode(text, (Slot(source),), (Slot(target, phrase),), tuple(rows), "wrapped")
    form = rng.choices(FORMS, (0.55, 0.1, 0.25, 0.1))[0]
    return encode(tokenizer, episode, form, head=mapped or rng.random() < 0.5, frame=0.1)


def _words(rng: random.Random, topic: Topic, key: str, hard: Hardness) -> str:
    if rng.random() < hard.real:
        aside = rng.choice((0.0, 0.4))
        style = Style(rng.randint(1, hard.words), rng.random() < 0.6, 0.0, 0.2, 0.0, aside)
        return message(rng, style, [topic])
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
            common[
                rng.choice(
                    ("function", "function", "extra", "verb", "adjective", "adverb", "noun")
                )
            ]
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


def _bare(rng: random.Random, tokenizer: Tokenizer, longest: int) -> Document:
    words = rng.choice((2, 4, 6, 8, 12))
    items = min(rng.randint(6, 20), longest // (words + 10))
    real = rng.choice((0.0, 1.0))
    return associative(
        rng, tokenizer, Hardness(words, rng.choice((0.0, 0.7, 1.0)), 8, items, 0.55, 0.85, real)
    )


def _dense(rng: random.Random, tokenizer: Tokenizer, longest: int) -> Document:
    """Draw a classification with short texts and many rows: many labels to learn from."""
    task = classify.draw_labelling(
        rng, "train", natural=rng.random() < 0.2, cues=rng.random() < 0.35
    )
    words, aside = rng.choice((2, 4, 6, 8, 12)), rng.choice((0.0, 0.4, 0.8))
    task = replace(task, style=Style(words, rng.random() < 0.6, 0.0, 0.2, 0.0, aside))
    mapped = rng.random() < 0.5
    episode = classify.classification(
        rng, "train", demos=rng.randint(5, 14), task=task, mapped=mapped, reasoning=False
    )
    form = rng.choices(FORMS, (0.55, 0.1, 0.25, 0.1))[0]
    head = mapped or rng.random() < 0.7
    return _fit_rows(tokenizer, episode, form, longest, head=head, frame=0.1)


def _short_proposal(rng: random.Random, tokenizer: Tokenizer, longest: int) -> Document:
    episode = propose.short_proposal(rng, "train")
    form = rng.choices(FORMS, (0.55, 0.1, 0.25, 0.1))[0]
    return _fit_rows(tokenizer, episode, form, longest, head=rng.random() < 0.7, frame=0.1)


def _drill(rng: random.Random, tokenizer: Tokenizer, longest: int) -> Document:
    """Draw bare sums: too many facts to be learnt from the few that stories tell."""
    ids, weights = [ASSISTANT], [0.0]
    for asked, given in numbers.drill(rng, min(24, (longest - 10) // 12)):
        before, after = tokenizer.encode(asked), tokenizer.encode(asked + given)
        new = after[len(before) :]
        ids += [*before, *new]
        weights += [0.0] * len(before) + [1.0] * (len(new) - 1) + [0.1]
    return Document([*ids, END], [*weights, 0.0])


# What a share of the documents is: many answers in little text.
DENSE = ((_dense, 0.36), (_bare, 0.14), (_short_proposal, 0.30), (_drill, 0.20))


FAMILIES: tuple[tuple[str, float, Callable[[random.Random, str], Episode]], ...] = (
    ("classify", 10.0, classify.classification),
    ("proposed", 2.0, propose.with_proposal),
    ("second", 2.5, second.second_module),
    ("judge", 1.2, second.judge),
    ("extract", 1.8, extract.extraction),
    ("lists", 2.2, lists.lists),
    ("lookup", 1.6, extract.lookup),
    ("chain", 2.4, chains.chain),
    ("sums", 2.4, numbers.sums),
    ("describe", 0.6, propose.describe_data),
    ("propose", 5.0, propose.propose_instruction),
    ("improve", 0.8, propose.improve_instruction),
)
FORMS = ("chat", "json", "dspy", "dspy-json")


def draw_document(rng: random.Random, tokenizer: Tokenizer, longest: int, bare: float) -> Document:
    """Draw a document of at most ``longest`` tokens; a share ``bare`` of them is associative."""
    while True:
        if rng.random() < bare:
            draw = rng.choices([d[0] for d in DENSE], [d[1] for d in DENSE])[0]
            document = draw(rng, tokenizer, longest)
        else:
            family = rng.choices([f[2] for f in FAMILIES], [f[1] for f in FAMILIES])[0]
            form = rng.choices(FORMS, (0.48, 0.1, 0.3, 0.12))[0]
            document = _fit_rows(tokenizer, family(rng, "train"), form, longest, frame=0.2)
        if len(document.ids) <= longest and any(document.weights):
            return document


def _fit_rows(
    tokenizer: Tokenizer,
    episode: Episode,
    form: str,
    longest: int,
    *,
    head: bool = True,
    frame: float,
) -> Document:
    """Return ``episode`` with as many of its rows as there is room for."""
    document = encode(tokenizer, episode, form, head=head, frame=frame)
    rows = len(episode.rows)
    while len(document.ids) > longest and rows > 2:
        rows = max(2, min(rows - 1, rows * longest // len(document.ids)))
        document = encode(
            tokenizer, replace(episode, rows=episode.rows[:rows]), form, head=head, frame=frame
        )
    return document
