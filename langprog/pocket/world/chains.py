"""Facts that lead from one person to the next: too many steps to take at once, easy one by one."""

from __future__ import annotations

import random

from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.prompts import Episode, Row, Slot, Value
from langprog.pocket.world.wordings import one_of

VERBS = ("follows", "knows", "helps", "calls")
PLACES = ("lives in", "works in", "comes from", "is in")
QUESTIONS = (
    "Where is the one reached from {a} in {k} steps?",
    "Start at {a} and take {k} steps. Where is that one?",
    "Take {k} steps from {a}. Where do you come out?",
    "Go on from {a} {k} times. Where is the last one?",
    "Where is the one that is {k} steps after {a}?",
    "Begin with {a} and move {k} times. Which place is it?",
    "Make {k} moves from {a}. What is the place of the one at the end?",
    "From {a}, {k} steps lead to someone. Where is this one?",
    "If you pass on {k} times from {a}, which place do you reach?",
    "{k} steps from {a}: which place?",
    "Count {k} steps from {a}. Where is the one you find?",
    "Name the place that is {k} links away from {a}.",
)
ASKS = (
    "Answer the question.",
    "Follow the steps and give the place.",
    "Use the facts to find the place.",
    "Go from one to the next, then give the place.",
    "Find out where it ends.",
    "Say the place.",
    "Work out the place from the facts.",
    "Look up every step.",
)
PEOPLE = 5


def chain(
    rng: random.Random,
    split: str,
    *,
    steps: int | None = None,
    reasoning: bool | None = None,
    demos: int | None = None,
) -> Episode:
    """Draw an episode about who leads to whom; what is not given is drawn too.

    The last sixth of the wordings is held out.
    """
    steps = rng.choice((1, 2, 2, 3, 3, 4)) if steps is None else steps
    reasoning = rng.random() < 0.65 if reasoning is None else reasoning
    verb, place = rng.choice(VERBS), rng.choice(PLACES)
    question = one_of(rng, QUESTIONS, split)
    rows = [
        _row(rng, (verb, place, question), steps, reasoning)
        for _ in range((rng.choice((0, 1, 2, 3)) if demos is None else demos) + 1)
    ]
    answer = (Slot("reasoning"), Slot("answer")) if reasoning else (Slot("answer"),)
    source = rng.choice(("facts", "context", "text"))
    rows = [
        Row({source: r.inputs["facts"], "question": r.inputs["question"]}, r.outputs) for r in rows
    ]
    return Episode(
        one_of(rng, ASKS, split), (Slot(source), Slot("question")), answer, tuple(rows), "chain"
    )


def _row(rng: random.Random, words: tuple[str, str, str], steps: int, reasoning: bool) -> Row:
    verb, place, question = words
    names = [n.capitalize() for n in rng.sample(lexicon().names["first"], PEOPLE)]
    cities = [c.capitalize() for c in rng.sample(lexicon().names["city"], PEOPLE)]
    # All stand in one circle, so that every one leads on and nothing but the steps decides.
    links = [f"{a} {verb} {b}." for a, b in zip(names, names[1:] + names[:1], strict=True)]
    homes = [f"{name} {place} {city}." for name, city in zip(names, cities, strict=True)]
    goal = steps % PEOPLE
    taken = [links[i % PEOPLE] for i in range(steps)]
    facts = [*links, *homes]
    rng.shuffle(facts)
    outputs: dict[str, Value] = {"answer": cities[goal]}
    if reasoning:
        outputs = {"reasoning": " ".join([*taken, homes[goal]]), **outputs}
    asked = question.format(a=names[0], k=steps)
    return Row({"facts": " ".join(facts), "question": asked}, outputs)
