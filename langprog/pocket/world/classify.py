"""Classification tasks: labels known by name, from the instruction or from demonstrations."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langprog.pocket.world.fields import LABEL_FIELDS, LABEL_NOTES, TEXT_FIELDS, TEXT_NOTES
from langprog.pocket.world.labels import code_labels
from langprog.pocket.world.lexicon import Cue, Dimension, Topic, held_out, lexicon
from langprog.pocket.world.messages import Style, message
from langprog.pocket.world.prompts import Episode, Row, Slot
from langprog.pocket.world.wordings import listing, wording


@dataclass(frozen=True)
class Group:
    """A label and what it stands for: subjects, or one cue."""

    label: str
    topics: tuple[Topic, ...]
    cue: Cue | None
    described: str


@dataclass(frozen=True)
class Labelling:
    """A classification task before its examples are drawn."""

    source: str
    target: str
    groups: tuple[Group, ...]
    style: Style
    natural: bool
    dimension: Dimension | None
    split: str


def pair_held(a: str, b: str) -> bool:
    """Return whether two subjects never stand in one training task."""
    return held_out("+".join(sorted((a, b))), 8, "pair")


def pick_topics(rng: random.Random, count: int, split: str) -> list[Topic]:
    """Return different subjects; in training no held-out pair, in held-out tasks at least one."""
    world = lexicon()
    pool = world.service if rng.random() < 0.6 else world.topics
    chosen: list[Topic] = []
    for _ in range(200):
        chosen = []
        while len(chosen) < count:
            topic = rng.choice(pool)
            clash = any(pair_held(topic.key, c.key) for c in chosen)
            if topic not in chosen and not (clash and split == "train"):
                chosen.append(topic)
            elif split == "train" and rng.random() < 0.05:
                break
        held = any(pair_held(a.key, b.key) for a in chosen for b in chosen if a is not b)
        if len(chosen) == count and (split == "train" or held):
            return chosen
    return chosen


def draw_labelling(
    rng: random.Random,
    split: str,
    *,
    count: int | None = None,
    natural: bool | None = None,
    cues: bool | None = None,
    fine: float = 0.15,
) -> Labelling:
    """Draw what is to be told apart; ``fine``: how often it is within one subject."""
    count = count or rng.choices((2, 3, 4, 5, 6, 8, 10), (4, 5, 8, 3, 2, 1, 1))[0]
    natural = rng.random() < 0.3 if natural is None else natural
    cues = rng.random() < 0.22 if cues is None else cues
    style = Style.draw(rng)
    if cues:
        return _cue_labelling(rng, split, count, natural, style)
    if not natural and rng.random() < fine:
        return _fine_labelling(rng, split, count, style)
    sizes = [
        rng.choices((1, 2, 3), (6, 3, 1))[0] if count <= 5 and not natural else 1
        for _ in range(count)
    ]
    topics = pick_topics(rng, sum(sizes), split)
    labels = code_labels(rng, count, split)
    how = rng.choice(("name", "description", "words", "mixed", "mixed"))
    groups = []
    for i, size in enumerate(sizes):
        mine = tuple(topics.pop() for _ in range(min(size, len(topics))))
        label = rng.choice(mine[0].names) if natural else labels[i]
        groups.append(Group(label, mine, None, describe(rng, mine, how, split)))
    groups = _distinct(groups)
    rng.shuffle(groups)
    return Labelling(
        rng.choice(TEXT_FIELDS),
        rng.choice(LABEL_FIELDS),
        tuple(groups),
        style,
        natural,
        None,
        split,
    )


def _distinct(groups: list[Group]) -> list[Group]:
    return list({g.label: g for g in groups}.values())


def _cue_labelling(
    rng: random.Random, split: str, count: int, natural: bool, style: Style
) -> Labelling:
    dimension = rng.choice(lexicon().dimensions)
    if rng.random() < 0.5:
        dimension = lexicon().dimensions[0]
    cues = list(dimension.cues)
    rng.shuffle(cues)
    cues = cues[: max(2, min(count, len(cues)))]
    labels = code_labels(rng, len(cues), split)
    groups = []
    for cue, code in zip(cues, labels, strict=True):
        label = rng.choice(cue.names) if natural else code
        said = rng.choice(cue.descriptions if rng.random() < 0.7 else cue.names)
        if rng.random() < 0.2:
            said = f'"{rng.choice(cue.clauses)}"'
        groups.append(Group(label, (), cue, said))
    target = rng.choice(dimension.questions) if rng.random() < 0.7 else rng.choice(LABEL_FIELDS)
    return Labelling(
        rng.choice(TEXT_FIELDS), target, tuple(_distinct(groups)), style, natural, dimension, split
    )


def _fine_labelling(rng: random.Random, split: str, count: int, style: Style) -> Labelling:
    """Draw classes inside one subject: each has nouns and clauses of its own."""
    whole = rng.choice(
        [t for t in lexicon().topics if len(t.nouns) >= 2 * count and len(t.clauses) >= 2]
    )
    nouns, clauses = list(whole.nouns), list(whole.clauses)
    rng.shuffle(nouns)
    rng.shuffle(clauses)
    labels = code_labels(rng, count, split)
    groups = []
    for i in range(count):
        mine = tuple(nouns[i::count][:4])
        part = Topic((mine[0],), (), mine, whole.verbs, tuple(clauses[i::count][:2]))
        label = (
            "_".join([mine[0], rng.choice(mine[1:] or mine)]).replace(" ", "_")
            if rng.random() < 0.4
            else labels[i]
        )
        groups.append(Group(label, (part,), None, describe(rng, (part,), "words", split)))
    return Labelling(
        rng.choice(TEXT_FIELDS),
        rng.choice(LABEL_FIELDS),
        tuple(_distinct(groups)),
        style,
        False,
        None,
        split,
    )


def describe(rng: random.Random, topics: Sequence[Topic], how: str, split: str) -> str:
    """Return words for the subjects of one label, as an instruction would name them."""
    parts = []
    for topic in topics:
        way = rng.choice(("name", "description", "words")) if how == "mixed" else how
        if way == "name":
            parts.append(rng.choice(topic.names))
        elif way == "description" and topic.descriptions:
            parts.append(rng.choice(topic.descriptions))
        else:
            parts.append(
                listing(
                    rng.sample(topic.nouns, min(len(topic.nouns), rng.choice((1, 2, 2, 3, 4)))),
                    rng.choice(("and", "or")),
                )
            )
    text = listing(parts)
    return wording(rng, "groupdesc", split, d=text) if rng.random() < 0.3 else text


def draw_row(rng: random.Random, task: Labelling, group: Group) -> tuple[str, Topic | None]:
    """Return a text that belongs to ``group``, and its subject."""
    if group.cue is not None:
        topics = [rng.choice(lexicon().service)] if rng.random() < 0.85 else []
        return message(rng, task.style, topics, [group.cue]), None
    topic = rng.choice(group.topics)
    extra = []
    if rng.random() < 0.15:
        extra = [rng.choice(rng.choice(lexicon().dimensions).cues)]
    return message(rng, task.style, [topic], extra), topic


def draw_groups(rng: random.Random, groups: Sequence[Group], count: int) -> list[Group]:
    """Return ``count`` groups in random order, each about as often."""
    out: list[Group] = []
    even = rng.random() < 0.6
    while len(out) < count:
        turn = list(groups) if even else rng.choices(groups, k=len(groups))
        rng.shuffle(turn)
        out += turn
    return out[:count]


def mapping_text(rng: random.Random, task: Labelling, *, skip: int | None = None) -> str:
    """Return the sentence that says which label is for what."""
    pattern = wording(rng, "mapping", task.split)
    mixed = rng.random() < 0.15
    parts = []
    for i, group in enumerate(task.groups):
        if i == skip:
            continue
        line = wording(rng, "mapping", task.split) if mixed else pattern
        line = line.replace("{l}", group.label).replace("{d}", group.described)
        parts.append(line.replace("{in}", task.source).replace("{out}", task.target))
    joiner = rng.choice((", ", ", ", "; ", "; ", ". ", "\n", "\n- ", " and "))
    text = joiner.join(parts)
    if rng.random() < 0.3 and joiner == ", ":
        text = listing(parts)
    if joiner == "\n- ":
        text = "\n- " + text
    return text[:1].upper() + text[1:] + ("" if "\n" in joiner else ".")


def instruction(rng: random.Random, task: Labelling, mapped: bool) -> str:
    """Return an instruction with or without the mapping."""
    slots = {
        "in": task.source,
        "out": task.target,
        "opt": listing([g.label for g in task.groups], "or"),
    }
    kind = "vague" if rng.random() < 0.3 else "classify"
    text = wording(rng, kind, task.split, **slots)
    if mapped:
        where = rng.random()
        body = mapping_text(rng, task)
        text = body if where < 0.25 else f"{text} {body}" if where < 0.9 else f"{text}\n{body}"
    if rng.random() < 0.25:
        text += " " + wording(rng, "tail", task.split, **slots)
    return text


def reasoning_text(
    rng: random.Random, pattern: str, text: str, group: Group, topic: Topic | None
) -> str:
    """Return why ``text`` belongs to ``group``, in the wording of the task."""
    if topic is None:
        about = group.described.strip('"') if group.cue is None else group.cue.descriptions[0]
        matches = [c for c in (group.cue.clauses if group.cue else ()) if c in text.lower()]
        word = matches[0] if matches else about
    else:
        about = topic.key
        matches = [n for n in topic.nouns if re.search(rf"\b{re.escape(n)}", text.lower())]
        word = matches[0] if matches else about
    return pattern.replace("{t}", about).replace("{w}", word)


def classification(
    rng: random.Random,
    split: str,
    *,
    demos: int | None = None,
    task: Labelling | None = None,
    mapped: bool | None = None,
    reasoning: bool | None = None,
    options: bool | None = None,
) -> Episode:
    """Draw a classification episode; what is not given is drawn too."""
    task = task or draw_labelling(rng, split)
    mapped = rng.random() < (0.25 if task.natural else 0.5) if mapped is None else mapped
    if demos is None:
        demos = (
            rng.choice((0, 0, 1, 2, 4))
            if mapped and rng.random() < 0.6
            else rng.choice((0, 3, 5, 7, 9, 11, 12))
        )
    if mapped and not task.natural and len(task.groups) > 2 and rng.random() < 0.12:
        rest = rng.choice(
            ("everything else", "anything else", "all other cases", "the rest", "other matters")
        )
        task = replace(task, groups=(*task.groups[:-1], replace(task.groups[-1], described=rest)))
    options = rng.random() < 0.8 if options is None else options
    reasoning = rng.random() < 0.2 if reasoning is None else reasoning
    rows = _rows(rng, task, demos + 1, mapped, reasoning, options)
    source = Slot(task.source, "", rng.choice(TEXT_NOTES) if rng.random() < 0.4 else "")
    phrase = "one of: " + ", ".join(g.label for g in task.groups) if options else ""
    note = rng.choice(LABEL_NOTES).replace("{out}", task.target).replace("{in}", task.source)
    if task.dimension is not None and rng.random() < 0.7:
        note = task.dimension.meaning
    target = Slot(task.target, phrase, note if rng.random() < 0.4 else "")
    text = instruction(rng, task, mapped)
    if mapped and rng.random() < 0.1:  # the mapping may stand in the field's description instead
        text, target = (
            instruction(rng, task, False),
            replace(target, description=mapping_text(rng, task).replace("\n", " ")),
        )
    outputs = (
        (Slot("reasoning", "", rng.choice(("think step by step", "", "why"))), target)
        if reasoning
        else (target,)
    )
    return Episode(text, (source,), outputs, tuple(rows), "classify")


def _rows(
    rng: random.Random, task: Labelling, count: int, mapped: bool, reasoning: bool, options: bool
) -> list[Row]:
    seen: set[str] = set()
    rows = []
    pattern = wording(rng, "about", task.split, **{"in": task.source})
    for group in draw_groups(rng, task.groups, count):
        text, topic = draw_row(rng, task, group)
        known = mapped or task.natural or group.label in seen
        weight = 1.0 if known else 0.1 if options else 0.0
        outputs = {task.target: group.label}
        if reasoning:
            outputs = {"reasoning": reasoning_text(rng, pattern, text, group, topic), **outputs}
        rows.append(
            Row({task.source: text}, dict(outputs), {task.target: weight, "reasoning": 0.3})
        )
        seen.add(group.label)
    return rows
