"""Tasks with a label among their inputs: a second step of a program, and judging a label."""

from __future__ import annotations

import random
from dataclasses import replace

from langprog.pocket.world.classify import (
    Group,
    draw_groups,
    draw_labelling,
    draw_row,
    instruction,
)
from langprog.pocket.world.messages import message
from langprog.pocket.world.prompts import Episode, Row, Slot


def second_module(rng: random.Random, split: str) -> Episode:
    """Draw an episode with two inputs, one of them a label: ``ticket, team -> priority``."""
    first = draw_labelling(rng, split, cues=False)
    second = draw_labelling(rng, split, cues=True, natural=rng.random() < 0.6)
    second = replace(second, source=first.source)
    if second.target == first.target:
        second = replace(second, target="priority" if first.target != "priority" else "level")
    by_first = rng.random() < 0.2
    mapped = rng.random() < 0.5
    codes = {g.label: rng.choice(second.groups) for g in first.groups}
    rows, seen = [], set()
    order = rng.random() < 0.8
    for group in draw_groups(rng, second.groups, rng.choice((1, 1, 3, 5, 7, 9))):
        owner = rng.choice(first.groups)
        group = codes[owner.label] if by_first else group
        cues = [group.cue] if group.cue and not by_first else []
        text = message(rng, first.style, [rng.choice(owner.topics)], cues)
        key = owner.label if by_first else group.label
        weight = 1.0 if mapped or key in seen or (second.natural and not by_first) else 0.1
        seen.add(key)
        values = {first.source: text, first.target: owner.label}
        if not order:
            values = dict(reversed(values.items()))
        rows.append(Row(dict(values), {second.target: group.label}, {second.target: weight}))
    if by_first:
        shown = [Group(codes[g.label].label, (), None, g.label) for g in first.groups]
        second = replace(second, groups=tuple(shown))
    text = instruction(rng, second, mapped)
    labels = list(dict.fromkeys(g.label for g in second.groups))
    slots = [
        Slot(first.source),
        Slot(first.target, "", "the team that owns it" if rng.random() < 0.3 else ""),
    ]
    note = rng.choice(("how urgent it is", "", "", "one of the levels"))
    target = Slot(
        second.target, "one of: " + ", ".join(labels) if rng.random() < 0.85 else "", note
    )
    inputs = tuple(slots if order else reversed(slots))
    return Episode(text, inputs, (target,), tuple(rows), "second")


def judge(rng: random.Random, split: str) -> Episode:
    """Draw an episode that asks whether a label fits a text."""
    task = draw_labelling(rng, split, count=rng.choice((2, 3, 4)), natural=True)
    yes, no = rng.choice((("yes", "no"), ("true", "false"), ("right", "wrong"), ("pass", "fail")))
    rows = []
    for _ in range(rng.choice((1, 2, 4, 6, 8))):
        group, other = (
            rng.sample(task.groups, 2) if len(task.groups) > 1 else (task.groups[0],) * 2
        )
        text, _topic = draw_row(rng, task, group)
        good = rng.random() < 0.5 or other is group
        rows.append(
            Row(
                {task.source: text, task.target: (group if good else other).label},
                {"verdict": yes if good else no},
            )
        )
    ask = rng.choice(
        (
            f"Say {yes} if the {task.target} fits the {task.source}, else {no}.",
            f"Does the {task.target} fit the {task.source}? Answer {yes} or {no}.",
            f"Judge whether the {task.target} is right for the {task.source}.",
            f"Check the {task.target}. Answer {yes} when it matches what the {task.source} "
            f"is about, otherwise {no}.",
            f"Is the {task.source} about the {task.target}?",
            f"Decide if the {task.target} is correct.",
        )
    )
    phrase = "true or false" if yes == "true" else f"one of: {yes}, {no}"
    return Episode(
        ask,
        (Slot(task.source), Slot(task.target)),
        (Slot("verdict", phrase),),
        tuple(rows),
        "judge",
    )
