"""Short transformations of a list of words."""

from __future__ import annotations

import random
from collections.abc import Callable

from langprog.pocket.world.labels import label_words, pseudo_word
from langprog.pocket.world.prompts import Episode, Row, Slot, Value
from langprog.pocket.world.wordings import wording

# What can be done with a list of words: (name, wordings, function).
LISTS: tuple[tuple[str, tuple[str, ...], Callable[[list[str]], Value]], ...] = (
    (
        "first",
        (
            "Give the first item.",
            "Return the first of the {in}.",
            "Take the first word.",
            "Which item comes first?",
            "The answer is the first item.",
            "Pick the first element of the list.",
        ),
        lambda x: x[0],
    ),
    (
        "last",
        (
            "Give the last item.",
            "Return the last of the {in}.",
            "Take the last word.",
            "Which item comes last?",
            "The answer is the last item.",
            "Pick the last element of the list.",
        ),
        lambda x: x[-1],
    ),
    (
        "second",
        (
            "Give the second item.",
            "Return the second of the {in}.",
            "Take the second word.",
            "Which item comes second?",
            "Pick the second element of the list.",
        ),
        lambda x: x[1],
    ),
    (
        "count",
        (
            "Count the items.",
            "How many items are there?",
            "Give the number of items.",
            "Say how many {in} there are.",
            "Return the length of the list.",
        ),
        len,
    ),
    (
        "reverse",
        (
            "Reverse the list.",
            "Write the items backwards.",
            "Give the {in} in reverse order.",
            "Turn the order around.",
            "List the items from last to first.",
        ),
        lambda x: " ".join(x[::-1]),
    ),
    (
        "copy",
        (
            "Repeat the items.",
            "Copy the {in}.",
            "Write the same again.",
            "Say the {in} again.",
            "Return the input unchanged.",
        ),
        lambda x: " ".join(x),
    ),
    (
        "drop",
        (
            "Leave out the first item.",
            "Drop the first of the {in}.",
            "Give all but the first item.",
            "Remove the first word.",
            "Skip the first item and return the rest.",
        ),
        lambda x: " ".join(x[1:]),
    ),
    (
        "ends",
        (
            "Give the first and the last item.",
            "Return the two ends of the list.",
            "Write the first item, then the last.",
            "Take both ends.",
        ),
        lambda x: f"{x[0]} {x[-1]}",
    ),
    (
        "upper",
        (
            "Write the first item in capitals.",
            "Give the first word in capital letters.",
            "Return the first item in upper case.",
            "Shout the first word.",
        ),
        lambda x: x[0].upper(),
    ),
    (
        "twice",
        (
            "Say the last item twice.",
            "Repeat the last word.",
            "Write the last item two times.",
            "Double the last word.",
        ),
        lambda x: f"{x[-1]} {x[-1]}",
    ),
)
HELD_LISTS = ("drop", "twice")


def lists(
    rng: random.Random, split: str, *, demos: int | None = None, clear: bool | None = None
) -> Episode:
    """Draw an episode about a short list of words."""
    clear = rng.random() < 0.7 if clear is None else clear
    pool = [o for o in LISTS if (o[0] in HELD_LISTS) == (split == "held")]
    _, asks, act = rng.choice(pool)
    source = rng.choice(("things", "words", "list", "input", "text", "line", "names"))
    target = rng.choice(("answer", "result", "output", "reply"))
    words = label_words("train") + label_words("held")  # as items, not as labels
    rows = []
    sep = rng.choice((" ", ", ", " ", "; "))
    for i in range((rng.choice((0, 1, 2, 4, 6, 8)) if demos is None else demos) + 1):
        some = rng.sample(words, rng.randint(2, 7))
        if rng.random() < 0.2:
            some = [pseudo_word(rng) for _ in some]
        rows.append(
            Row(
                {source: sep.join(some)},
                {target: act(some)},
                {target: 1.0 if clear or i > 0 else 0.1},
            )
        )
    ask = (
        rng.choice(asks)
        if clear
        else wording(rng, "vague", split, **{"in": source, "out": target})
    )
    return Episode(
        ask.replace("{in}", source), (Slot(source),), (Slot(target),), tuple(rows), "lists"
    )
