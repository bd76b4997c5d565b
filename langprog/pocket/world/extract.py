"""Extraction, look-up and short transformations: the answer is copied from the input or changed a little."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from langprog.pocket.world.classify import TEXT_FIELDS
from langprog.pocket.world.labels import label_words, pseudo_word
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.messages import Style, message
from langprog.pocket.world.prompts import Episode, Row, Slot, Value
from langprog.pocket.world.wordings import wording


@dataclass(frozen=True)
class Thing:
    """Something that can be found in a message: what it is called and sentences that hold it."""

    field: str
    called: tuple[str, ...]
    carriers: tuple[str, ...]
    draw: Callable[[random.Random], str]


def _name(rng: random.Random) -> str:
    names = lexicon().names
    first = rng.choice(names["first"]).capitalize()
    return first if rng.random() < 0.5 else f"{first} {rng.choice(names['last']).capitalize()}"


def _digits(rng: random.Random, low: int, high: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(rng.randint(low, high)))


def _code(rng: random.Random) -> str:
    letters = "".join(
        rng.choice("ABCDEFGHKLMNPRSTUVWXYZ") for _ in range(rng.choice((1, 2, 2, 3)))
    )
    return letters + rng.choice(("-", "", "-")) + _digits(rng, 2, 5)


def _date(rng: random.Random) -> str:
    months = "January February March April May June July August September October November December".split()
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    return rng.choice(
        (f"{months[month - 1]} {day}", f"{day} {months[month - 1]}", f"2026-{month:02d}-{day:02d}")
    )


def _product(rng: random.Random) -> str:
    topic = rng.choice(lexicon().topics)
    return rng.choice([n for n in topic.nouns if " " not in n])


THINGS = (
    Thing("name", ("name of the writer", "name of the person", "person", "sender"),
          ("my name is {x}", "I am {x}", "this is {x}", "{x} here", "regards, {x}", "signed {x}", "greetings from {x}"), _name),
    Thing("order_id", ("order number", "order id", "number of the order"),
          ("my order {x}", "order number {x}", "the order is {x}", "it is about order {x}", "order no. {x}"),
          lambda r: r.choice((_digits(r, 4, 7), _code(r)))),
    Thing("amount", ("amount", "amount of money", "sum of money", "price"),
          ("I paid {x}", "it cost {x}", "you charged {x}", "the amount is {x}", "a total of {x}", "for {x}"),
          lambda r: r.choice(("${}", "{} dollars", "{} euros", "${}.50", "{} pounds")).format(r.randint(2, 900))),
    Thing("city", ("city", "town", "place"), ("I live in {x}", "our office in {x}", "I am in {x}", "send it to {x}", "from {x}"),
          lambda r: r.choice(lexicon().names["city"]).capitalize()),
    Thing("date", ("date", "day"), ("on {x}", "since {x}", "it happened on {x}", "until {x}", "it was {x}"), _date),
    Thing("product", ("product", "item", "thing"),
          ("I bought a {x}", "the {x} I ordered", "it is about the {x}", "my new {x}", "I want a {x}"), _product),
    Thing("email", ("email address", "address for the reply", "mail address"),
          ("write to {x}", "my address is {x}", "reach me at {x}", "send it to {x}", "mail {x}"),
          lambda r: f"{r.choice(lexicon().names['first'])}@{r.choice(lexicon().names['company'])}.{r.choice(('com', 'org', 'net'))}"),
    Thing("company", ("company", "firm", "name of the company"),
          ("I work for {x}", "we are {x}", "{x} here", "on behalf of {x}", "from {x}"),
          lambda r: r.choice(lexicon().names["company"]).capitalize()),
    Thing("code", ("code", "reference", "serial number", "device id"),
          ("the code is {x}", "reference {x}", "it says {x}", "the label shows {x}", "code {x}"), _code),
)  # fmt: skip

ASKS = (
    "Extract the {c}.", "Extract the {c} from the {in}.", "Find the {c}.", "Find the {c} in the {in}.",
    "Give the {c}.", "Give the {c} that the {in} mentions.", "Return the {c}.", "Copy the {c} from the {in}.",
    "What is the {c}?", "Write down the {c}.", "Get the {c} from the {in}.", "Name the {c} in the {in}.",
    "Read the {in} and return the {c}.", "Take the {c} from the {in}.", "Answer with the {c} only.",
    "Pull out the {c}.", "State the {c} of the {in}.", "Look for the {c}.", "Which {c} does the {in} mention?",
    "Answer with the {c} from the {in} and nothing else.", "Pick the {c}.", "Detect the {c}.",
)  # fmt: skip


def carrier(rng: random.Random, thing: Thing, value: str) -> str:
    """Return a sentence that holds ``value``."""
    text = rng.choice(thing.carriers).replace("{x}", value)
    return text[:1].upper() + text[1:] + "."


def holding(rng: random.Random, things: list[tuple[Thing, str]], style: Style) -> str:
    """Return a message that holds every value."""
    parts = [message(rng, style, [rng.choice(lexicon().topics)])]
    if rng.random() < 0.3:
        parts = []
    parts += [carrier(rng, thing, value) for thing, value in things]
    rng.shuffle(parts)
    return " ".join(parts)


def extraction(
    rng: random.Random, split: str, *, demos: int | None = None, clear: bool | None = None
) -> Episode:
    """Draw an episode that asks for one or two things that a message holds."""
    clear = rng.random() < 0.6 if clear is None else clear
    wanted = rng.sample(THINGS, rng.choice((1, 1, 1, 2)))
    others = [t for t in THINGS if t not in wanted]
    style = Style(rng.choice((4, 6, 8, 10)), True, 0.1, 0.3, 0.0)
    source = rng.choice(TEXT_FIELDS)
    plain_name = rng.random() < (0.6 if clear else 0.25)
    fields = [t.field if plain_name else f"answer{i or ''}" for i, t in enumerate(wanted)]
    rows = []
    count = (rng.choice((0, 1, 2, 4, 6)) if demos is None else demos) + 1
    extra = rng.choice((0, 1, 1, 2))
    known = clear or plain_name
    for i in range(count):
        held = [(t, t.draw(rng)) for t in [*wanted, *rng.sample(others, extra)]]
        values: dict[str, Value] = {f: held[k][1] for k, f in enumerate(fields)}
        weight = 1.0 if known or i > 0 else 0.1
        rng.shuffle(held)
        rows.append(
            Row({source: holding(rng, held, style)}, values, dict.fromkeys(fields, weight))
        )
    called = " and the ".join(rng.choice(t.called) for t in wanted)
    if clear:
        asks = ASKS[:-4] if split == "train" else ASKS[-4:]
        ask = rng.choice(asks).replace("{c}", called).replace("{in}", source)
    else:
        ask = wording(rng, "vague", split, **{"in": source, "out": fields[0]})
    notes = [f"the {rng.choice(t.called)}" if clear and rng.random() < 0.3 else "" for t in wanted]
    slots = tuple(Slot(f, "", n) for f, n in zip(fields, notes, strict=True))
    return Episode(ask, (Slot(source),), slots, tuple(rows), "extract")


# What can be done with a list of words: (name, wordings, function).
LISTS: tuple[tuple[str, tuple[str, ...], Callable[[list[str]], Value]], ...] = (
    ("first", ("Give the first item.", "Return the first of the {in}.", "Take the first word.", "Which item comes first?", "The answer is the first item.", "Pick the first element of the list."), lambda x: x[0]),
    ("last", ("Give the last item.", "Return the last of the {in}.", "Take the last word.", "Which item comes last?", "The answer is the last item.", "Pick the last element of the list."), lambda x: x[-1]),
    ("second", ("Give the second item.", "Return the second of the {in}.", "Take the second word.", "Which item comes second?", "Pick the second element of the list."), lambda x: x[1]),
    ("count", ("Count the items.", "How many items are there?", "Give the number of items.", "Say how many {in} there are.", "Return the length of the list."), len),
    ("reverse", ("Reverse the list.", "Write the items backwards.", "Give the {in} in reverse order.", "Turn the order around.", "List the items from last to first."), lambda x: " ".join(x[::-1])),
    ("copy", ("Repeat the items.", "Copy the {in}.", "Write the same again.", "Say the {in} again.", "Return the input unchanged."), lambda x: " ".join(x)),
    ("drop", ("Leave out the first item.", "Drop the first of the {in}.", "Give all but the first item.", "Remove the first word.", "Skip the first item and return the rest."), lambda x: " ".join(x[1:])),
    ("ends", ("Give the first and the last item.", "Return the two ends of the list.", "Write the first item, then the last.", "Take both ends."), lambda x: f"{x[0]} {x[-1]}"),
    ("upper", ("Write the first item in capitals.", "Give the first word in capital letters.", "Return the first item in upper case.", "Shout the first word."), lambda x: x[0].upper()),
    ("twice", ("Say the last item twice.", "Repeat the last word.", "Write the last item two times.", "Double the last word."), lambda x: f"{x[-1]} {x[-1]}"),
)  # fmt: skip
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
    words = label_words("train")
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


def lookup(rng: random.Random, split: str) -> Episode:
    """Draw an episode that asks for a fact out of a passage, over one or two hops."""
    names = [n.capitalize() for n in rng.sample(lexicon().names["first"], 5)]
    cities = [c.capitalize() for c in rng.sample(lexicon().names["city"], 5)]
    relation = rng.choice(("lives in", "works in", "comes from", "is in"))
    hops = rng.random() < 0.4
    reasoning = hops and rng.random() < 0.6
    verb = rng.choice(("follows", "knows", "helps", "calls"))
    rows = []
    for _ in range(rng.choice((1, 1, 2, 3, 4))):
        rng.shuffle(names)
        rng.shuffle(cities)
        size = rng.randint(2, 4)
        facts = [f"{n} {relation} {c}." for n, c in zip(names[:size], cities, strict=False)]
        goal = rng.randrange(size)
        outputs: dict[str, Value] = {"answer": cities[goal]}
        if hops:
            other = names[-1]
            facts.append(f"{other} {verb} {names[goal]}.")
            ask = f"Where is the one that {other} {verb}?"
            if reasoning:
                say = f"{other} {verb} {names[goal]}. {names[goal]} {relation} {cities[goal]}."
                outputs = {"reasoning": say, **outputs}
        else:
            ask = f"Where is {names[goal]}?"
        rng.shuffle(facts)
        rows.append(Row({"context": " ".join(facts), "question": ask}, outputs))
    text = rng.choice(
        (
            "Answer the question.",
            "Answer the question from the context.",
            "Use the context to answer.",
            "Given context, question, produce answer.",
            "Read the context and answer the question.",
            "Find the answer in the context.",
            "Look up the answer.",
            "Give the place.",
        )
    )
    outputs_slots = (Slot("reasoning"), Slot("answer")) if reasoning else (Slot("answer"),)
    return Episode(text, (Slot("context"), Slot("question")), outputs_slots, tuple(rows), "lookup")
