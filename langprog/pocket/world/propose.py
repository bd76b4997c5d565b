"""Tasks about tasks: describe data, propose an instruction from examples, improve one."""

from __future__ import annotations

import random
import re
from dataclasses import replace

from langprog.pocket.world.classify import (
    Group,
    Labelling,
    classification,
    draw_groups,
    draw_labelling,
    draw_row,
)
from langprog.pocket.world.extract import THINGS, Thing, compose_message
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.messages import Style
from langprog.pocket.world.prompts import Episode, Row, Slot
from langprog.pocket.world.wordings import listing, wording

DESCRIBE = "Describe what the examples are about and how inputs and outputs are related."
PROPOSE = "Write a clear instruction that makes a language model do this task well."
IMPROVE = "Rewrite the instruction so that the mistakes do not happen again."
SHORT, EVERY, SPECIFIC, LOOK = (
    "Keep it short.",
    "Name every label and say when it applies.",
    "Be specific about the output.",
    "Say which words to look for.",
)
TIPS = (SHORT, EVERY, SPECIFIC, LOOK, "")
EXTRA_TIPS = (
    "Be clear.",
    "Think of the reader.",
    "Describe the role of the model.",
    "Use simple words.",
    "Mention the output field.",
    "Do not give examples.",
    "Write one sentence.",
    "Be creative.",
)


def task_line(task: Labelling) -> str:
    """Return the task as a proposer sees it."""
    return f"{task.source} -> {task.target} (one of: {', '.join(g.label for g in task.groups)})"


def _matching_words(text: str, group: Group) -> list[str]:
    """Return words of the group's subjects that stand in ``text``."""
    low = text.lower()
    if group.cue is not None:
        return [c for c in group.cue.clauses if c in low]
    nouns = [n for t in group.topics for n in (*t.nouns, *t.names)]
    return [n for n in nouns if re.search(rf"\b{re.escape(n)}(s|es)?\b", low)]


def _evidence(
    task: Labelling, shown: list[tuple[str, Group]]
) -> list[tuple[Group, list[str], list[str]]]:
    """Return for each label that the examples show: its subjects' names and words found there."""
    out = []
    for group in task.groups:
        texts = [t for t, g in shown if g is group]
        if not texts:
            continue
        words = list(dict.fromkeys(w for t in texts for w in _matching_words(t, group)))
        if group.cue is not None:
            names = [group.cue.descriptions[0]]
        else:
            names = [
                t.key
                for t in group.topics
                if any(_matching_words(x, replace(group, topics=(t,))) for x in texts)
            ]
        out.append((group, names or words[:1], words))
    return out


def mapping(task: Labelling, shown: list[tuple[str, Group]], tip: str, style: str) -> str:
    """Return the mapping part of an instruction, as far as the examples tell it."""
    parts = []
    for group, names, words in _evidence(task, shown):
        if tip == LOOK and words:
            said = listing(words[:3], "or")
        elif tip == SHORT or not words:
            said = listing(names[:2])
        else:
            said = listing([*names[:2], *[w for w in words if w not in names][:2]])
        if said:
            parts.append(
                style.replace("{l}", group.label).replace("{d}", said).replace("{in}", task.source)
            )
    text = ", ".join(parts)
    return text[:1].upper() + text[1:] + "." if text else ""


STYLES = {
    SHORT: "{l} is for {d}",
    EVERY: "choose {l} for {d}",
    SPECIFIC: "answer {l} for {d}",
    LOOK: "use {l} if the {in} mentions {d}",
    "": "choose {l} for {d}",
}


def write_instruction(task: Labelling, shown: list[tuple[str, Group]], tip: str) -> str:
    """Return the instruction that a proposal should be."""
    key = tip if tip in STYLES else ""
    body = mapping(task, shown, key, STYLES[key])
    if key == SHORT:
        return body
    text = f"Choose the {task.target} of the {task.source}. {body}"
    if key == SPECIFIC:
        text += f" Answer with the {task.target} only."
    return text


def summary(task: Labelling, shown: list[tuple[str, Group]]) -> str:
    """Return the description of the data that is asked of DescribeData."""
    body = mapping(task, shown, SHORT, STYLES[SHORT])
    return f"Each {task.source} gets one {task.target}. {body}"


def draw_rows(rng: random.Random, task: Labelling, count: int) -> list[tuple[str, Group]]:
    """Return labelled texts of a task."""
    return [(draw_row(rng, task, g)[0], g) for g in draw_groups(rng, task.groups, count)]


def examples_text(task: Labelling, shown: list[tuple[str, Group]]) -> str:
    """Return examples as a proposer sees them: those of one label together."""
    order = [group.label for group in task.groups]
    return "\n\n".join(
        f"{task.source}: {text}\n{task.target}: {group.label}"
        for text, group in sorted(shown, key=lambda pair: order.index(pair[1].label))
    )


def _task(rng: random.Random, split: str) -> Labelling:
    count = rng.choices((2, 3, 4, 5), (3, 4, 5, 1))[0]
    task = draw_labelling(rng, split, count=count, natural=rng.random() < 0.25)
    words = min(task.style.words, 14)
    return replace(task, style=replace(task.style, words=words, stray=0.0))


def with_proposal(rng: random.Random, split: str, *, demos: int | None = None) -> Episode:
    """Draw a classification whose instruction is what a proposal would be."""
    task = _task(rng, split)
    shown = draw_rows(rng, task, 6)
    while len({g.label for _, g in shown}) < len(task.groups):
        shown += draw_rows(rng, task, 1)
    demos = rng.choice((0, 0, 0, 1, 2, 4)) if demos is None else demos
    episode = classification(
        rng, split, demos=demos, task=task, mapped=True, reasoning=rng.random() < 0.1
    )
    return replace(
        episode, instruction=write_instruction(task, shown, rng.choice(TIPS)), family="proposed"
    )


def describe_data(rng: random.Random, split: str) -> Episode:
    """Draw a DescribeData call."""
    task = _task(rng, split)
    shown = draw_rows(rng, task, rng.choice((4, 5, 6, 6)))
    row = Row(
        {"examples": examples_text(task, shown)},
        {"summary": summary(task, shown)},
        {"summary": 0.4},
    )
    return Episode(DESCRIBE, (Slot("examples"),), (Slot("summary"),), (row,), "describe")


def propose_instruction(rng: random.Random, split: str) -> Episode:
    """Draw a ProposeInstruction call."""
    if rng.random() < 0.2:
        return _propose_extraction(rng, split)
    task = _task(rng, split)
    shown = draw_rows(rng, task, rng.choice((4, 5, 6, 6, 6)))
    tip = rng.choice(TIPS if rng.random() < 0.85 else EXTRA_TIPS)
    slots = {"in": task.source, "out": task.target}
    module = rng.choice((task.target, "predict", "classify", "step"))
    inputs: dict[str, str] = {
        "program": f"{module}: {task.source} -> {task.target}",
        "task": task_line(task),
        "summary": summary(task, draw_rows(rng, task, 6)) if rng.random() < 0.6 else "",
        "tip": tip,
        "current": wording(rng, rng.choice(("vague", "classify")), split, **slots),
        "examples": examples_text(task, shown),
    }
    if rng.random() < 0.2:
        inputs["program"] += (
            f"\n{rng.choice(('priority', 'reply', 'next'))}: {task.source}, {task.target} -> level"
        )
    return _episode(rng, PROPOSE, inputs, write_instruction(task, shown, tip))


def short_proposal(rng: random.Random, split: str) -> Episode:
    """Draw a proposal from texts of a few words: what a label stands for, and little else."""
    task = draw_labelling(rng, split, count=rng.randint(2, 6), natural=False, cues=False, fine=0)
    few = rng.randint(0, 3)
    chosen = draw_groups(rng, task.groups, len(task.groups) + rng.randint(0, 6))
    shown = [(_few_words(rng, group, few), group) for group in chosen]
    tip = rng.choice(TIPS)
    inputs = {"task": task_line(task), "tip": tip, "examples": examples_text(task, shown)}
    if rng.random() < 0.4:
        inputs = {"examples": inputs["examples"], "tip": tip}
    return _episode(rng, PROPOSE, inputs, write_instruction(task, shown, tip))


def _few_words(rng: random.Random, group: Group, more: int) -> str:
    """Return words of a group's subject among ``more`` ordinary ones."""
    topic = rng.choice(group.topics)
    words = rng.sample(topic.nouns, min(len(topic.nouns), rng.choice((1, 1, 2))))
    kinds = ("function", "extra", "verb", "adjective", "noun")
    words += [rng.choice(lexicon().common[rng.choice(kinds)]) for _ in range(more)]
    rng.shuffle(words)
    return " ".join(words)


def _episode(rng: random.Random, ask: str, inputs: dict[str, str], answer: str) -> Episode:
    kept = {
        k: v for k, v in inputs.items() if v or (rng.random() < 0.5 and k in ("summary", "tip"))
    }
    names = tuple(Slot(k) for k in inputs) if rng.random() < 0.7 else tuple(Slot(k) for k in kept)
    return Episode(
        ask,
        names,
        (Slot("instruction"),),
        (Row(dict(kept), {"instruction": answer}, {"instruction": 0.4}),),
        "propose",
    )


def _propose_extraction(rng: random.Random, split: str) -> Episode:
    thing: Thing = rng.choice(THINGS)
    others = [t for t in THINGS if t is not thing]
    source = rng.choice(("message", "text", "email", "note", "ticket"))
    style = Style(6, True, 0.1, 0.2, 0.0)
    blocks = []
    for _ in range(rng.choice((3, 4, 6))):
        held = [(t, t.draw(rng)) for t in [thing, *rng.sample(others, rng.choice((0, 1)))]]
        answer = held[0][1]
        rng.shuffle(held)
        blocks.append(f"{source}: {compose_message(rng, held, style)}\nanswer: {answer}")
    inputs = {
        "program": f"predict: {source} -> answer",
        "task": f"{source} -> answer",
        "summary": f"Each answer is the {thing.called[0]} in the {source}."
        if rng.random() < 0.5
        else "",
        "tip": rng.choice(TIPS),
        "current": wording(rng, "vague", split, **{"in": source, "out": "answer"}),
        "examples": "\n\n".join(blocks),
    }
    return _episode(rng, PROPOSE, inputs, f"Extract the {thing.called[0]} from the {source}.")


def improve_instruction(rng: random.Random, split: str) -> Episode:
    """Draw an ImproveInstruction call: the current mapping lacks or confuses labels."""
    task = _task(rng, split)
    tip = rng.choice((EVERY, SPECIFIC, ""))
    shown = draw_rows(rng, task, 6)
    mistakes = [(text, g) for text, g in draw_rows(rng, task, rng.choice((2, 3, 4)))]
    missing = {g.label for _, g in mistakes}
    partial = [(t, g) for t, g in shown if g.label not in missing]
    current = (
        write_instruction(task, partial, tip)
        if partial
        else f"Choose the {task.target} of the {task.source}."
    )
    lines = []
    for text, group in mistakes:
        wrong = rng.choice([g.label for g in task.groups if g is not group] or [group.label])
        lines.append(f"{task.source}: {text}\nanswered: {wrong}\nwanted: {group.label}")
    inputs = {"task": task_line(task), "current": current, "mistakes": "\n\n".join(lines)}
    answer = write_instruction(task, [*partial, *mistakes], tip)
    row = Row(dict(inputs), {"instruction": answer}, {"instruction": 0.4})
    return Episode(
        IMPROVE, tuple(Slot(k) for k in inputs), (Slot("instruction"),), (row,), "improve"
    )
