"""Short sums told as stories: one or two steps, with and without the steps written down."""

from __future__ import annotations

import random

from langprog.pocket.world.lexicon import lexicon, plural
from langprog.pocket.world.prompts import Episode, Row, Slot, Value
from langprog.pocket.world.wordings import one_of

STARTS = (
    "{n} has {a} {x}.",
    "There are {a} {x} in the box.",
    "{n} starts with {a} {x}.",
    "We have {a} {x}.",
    "A shop has {a} {x}.",
    "{n} owns {a} {x}.",
    "{n} ordered {a} {x}.",
    "In the office there are {a} {x}.",
)
MORE = (
    "{m} brings {b} more.",
    "Then {b} more come.",
    "{b} new ones are added.",
    "{m} buys {b} more.",
    "{m} finds {b} more.",
    "Another {b} come in.",
)
LESS = (
    "{m} takes {b} away.",
    "{b} of them are sold.",
    "Then {b} are lost.",
    "{m} uses {b} of them.",
    "{b} are sent back.",
    "{m} breaks {b} of them.",
)
QUESTIONS = (
    "How many {x} are there now?",
    "How many {x} are left?",
    "What is the number of {x} now?",
    "How many are there at the end?",
)
ASKS = (
    "Solve the problem.",
    "Answer the question with a number.",
    "Work out the number.",
    "Give the number that is asked for.",
    "Do the sum.",
    "Say how many there are.",
    "Compute the answer.",
    "Find the number.",
)
SOURCES = ("problem", "question", "story", "text", "task")
TARGETS = ("answer", "number", "result")
LARGEST = 40


def drill(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Return bare sums (what is asked, what it gives), many of which go on from the one before."""
    pairs = []
    now = rng.randint(1, LARGEST - 1)
    for _ in range(count):
        if rng.random() < 0.5:
            now = rng.randint(1, LARGEST - 1)
        change, after = _draw_change(rng, now)
        sign = "+" if after > now else "-"
        pairs.append((f"{now} {sign} {change} =", f" {after}."))
        now = after
    return pairs


def _draw_change(rng: random.Random, now: int) -> tuple[int, int]:
    """Return by how much ``now`` changes, and what it becomes."""
    add = rng.random() < 0.5 if 1 < now < LARGEST - 1 else now <= 1
    change = rng.randint(1, min(20, LARGEST - now) if add else min(20, now - 1))
    return change, now + change if add else now - change


def story(rng: random.Random, split: str, steps: int) -> tuple[str, str, int]:
    """Return a problem, its steps as sums, and the answer."""
    names = [n.capitalize() for n in rng.sample(lexicon().names["first"], 2)]
    noun = plural(
        rng.choice([n for t in lexicon().topics for n in t.nouns if n.isalpha() and n[-1] != "s"])
    )
    now = rng.randint(2, 20)
    parts = [one_of(rng, STARTS, split).format(n=names[0], a=now, x=noun)]
    sums = []
    for _ in range(steps):
        change, after = _draw_change(rng, now)
        add = after > now
        parts.append(one_of(rng, MORE if add else LESS, split).format(m=names[1], b=change))
        sums.append(f"{now} {'+' if add else '-'} {change} = {after}.")
        now = after
    parts.append(one_of(rng, QUESTIONS, split).format(x=noun))
    return " ".join(p[:1].upper() + p[1:] for p in parts), " ".join(sums), now


def sums(
    rng: random.Random,
    split: str,
    *,
    steps: int | None = None,
    reasoning: bool | None = None,
    demos: int | None = None,
) -> Episode:
    """Draw an episode of short sums; what is not given is drawn too."""
    steps = rng.choice((1, 2, 2)) if steps is None else steps
    reasoning = rng.random() < 0.6 if reasoning is None else reasoning
    source, target = rng.choice(SOURCES), rng.choice(TARGETS)
    rows = []
    for _ in range((rng.choice((1, 2, 4, 6)) if demos is None else demos) + 1):
        text, steps_text, answer = story(rng, split, steps)
        outputs: dict[str, Value] = {target: answer}
        if reasoning:
            outputs = {"reasoning": steps_text, **outputs}
        rows.append(Row({source: text}, outputs))
    phrase = rng.choice(("integer", "integer", ""))
    if not phrase:
        rows = [Row(r.inputs, {**r.outputs, target: str(r.outputs[target])}) for r in rows]
    answer_slot = Slot(target, phrase)
    outputs_slots = (Slot("reasoning"), answer_slot) if reasoning else (answer_slot,)
    return Episode(one_of(rng, ASKS, split), (Slot(source),), outputs_slots, tuple(rows), "sums")
