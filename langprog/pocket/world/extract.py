"""Extraction, look-up and short transformations: the answer is copied, or changed a little."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from langprog.pocket.world.fields import TEXT_FIELDS
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


_MONTHS = "january february march april may june july august september october november december"


def _date(rng: random.Random) -> str:
    months = [m.capitalize() for m in _MONTHS.split()]
    day, month = rng.randint(1, 28), rng.randint(1, 12)
    return rng.choice(
        (f"{months[month - 1]} {day}", f"{day} {months[month - 1]}", f"2026-{month:02d}-{day:02d}")
    )


def _address(rng: random.Random) -> str:
    names = lexicon().names
    end = rng.choice(("com", "org", "net"))
    return f"{rng.choice(names['first'])}@{rng.choice(names['company'])}.{end}"


def _product(rng: random.Random) -> str:
    topic = rng.choice(lexicon().topics)
    return rng.choice([n for n in topic.nouns if " " not in n])


THINGS = (
    Thing(
        "name",
        ("name of the writer", "name of the person", "person", "sender"),
        (
            "my name is {x}",
            "I am {x}",
            "this is {x}",
            "{x} here",
            "regards, {x}",
            "signed {x}",
            "greetings from {x}",
        ),
        _name,
    ),
    Thing(
        "order_id",
        ("order number", "order id", "number of the order"),
        (
            "my order {x}",
            "order number {x}",
            "the order is {x}",
            "it is about order {x}",
            "order no. {x}",
        ),
        lambda r: r.choice((_digits(r, 4, 7), _code(r))),
    ),
    Thing(
        "amount",
        ("amount", "amount of money", "sum of money", "price"),
        (
            "I paid {x}",
            "it cost {x}",
            "you charged {x}",
            "the amount is {x}",
            "a total of {x}",
            "for {x}",
        ),
        lambda r: r.choice(("${}", "{} dollars", "{} euros", "${}.50", "{} pounds")).format(
            r.randint(2, 900)
        ),
    ),
    Thing(
        "city",
        ("city", "town", "place"),
        ("I live in {x}", "our office in {x}", "I am in {x}", "send it to {x}", "from {x}"),
        lambda r: r.choice(lexicon().names["city"]).capitalize(),
    ),
    Thing(
        "date",
        ("date", "day"),
        ("on {x}", "since {x}", "it happened on {x}", "until {x}", "it was {x}"),
        _date,
    ),
    Thing(
        "product",
        ("product", "item", "thing"),
        (
            "I bought a {x}",
            "the {x} I ordered",
            "it is about the {x}",
            "my new {x}",
            "I want a {x}",
        ),
        _product,
    ),
    Thing(
        "email",
        ("email address", "address for the reply", "mail address"),
        ("write to {x}", "my address is {x}", "reach me at {x}", "send it to {x}", "mail {x}"),
        _address,
    ),
    Thing(
        "company",
        ("company", "firm", "name of the company"),
        ("I work for {x}", "we are {x}", "{x} here", "on behalf of {x}", "from {x}"),
        lambda r: r.choice(lexicon().names["company"]).capitalize(),
    ),
    Thing(
        "code",
        ("code", "reference", "serial number", "device id"),
        ("the code is {x}", "reference {x}", "it says {x}", "the label shows {x}", "code {x}"),
        _code,
    ),
)

ASKS = (
    "Extract the {c}.",
    "Extract the {c} from the {in}.",
    "Find the {c}.",
    "Find the {c} in the {in}.",
    "Give the {c}.",
    "Give the {c} that the {in} mentions.",
    "Return the {c}.",
    "Copy the {c} from the {in}.",
    "What is the {c}?",
    "Write down the {c}.",
    "Get the {c} from the {in}.",
    "Name the {c} in the {in}.",
    "Read the {in} and return the {c}.",
    "Take the {c} from the {in}.",
    "Answer with the {c} only.",
    "Pull out the {c}.",
    "State the {c} of the {in}.",
    "Look for the {c}.",
    "Which {c} does the {in} mention?",
    "Answer with the {c} from the {in} and nothing else.",
    "Pick the {c}.",
    "Detect the {c}.",
)


def carrier(rng: random.Random, thing: Thing, value: str) -> str:
    """Return a sentence that holds ``value``."""
    text = rng.choice(thing.carriers).replace("{x}", value)
    return text[:1].upper() + text[1:] + "."


def compose_message(rng: random.Random, things: list[tuple[Thing, str]], style: Style) -> str:
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
            Row({source: compose_message(rng, held, style)}, values, dict.fromkeys(fields, weight))
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


def lookup(
    rng: random.Random,
    split: str,
    *,
    hops: bool | None = None,
    reasoning: bool | None = None,
    demos: int | None = None,
) -> Episode:
    """Draw an episode that asks for a fact out of a passage, over one hop, or two (``hops``)."""
    names = [n.capitalize() for n in rng.sample(lexicon().names["first"], 5)]
    cities = [c.capitalize() for c in rng.sample(lexicon().names["city"], 5)]
    relation = rng.choice(("lives in", "works in", "comes from", "is in"))
    hops = rng.random() < 0.4 if hops is None else hops
    reasoning = (hops and rng.random() < 0.6) if reasoning is None else reasoning
    verb = rng.choice(("follows", "knows", "helps", "calls"))
    rows = []
    for _ in range(rng.choice((1, 1, 2, 3, 4)) if demos is None else demos + 1):
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
