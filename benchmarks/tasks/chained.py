"""Programs of two to four modules whose modules want different sizes of the embedded model.

A label that names its subject and a name in a message are easy; facts that lead from one to the
next, and sums written out step by step, are not. Every module after the first asks with what the
one before it answered. Wordings, words and pairs are held out, as the model card says.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import langprog as lp
from langprog.pocket.world import classify, numbers
from langprog.pocket.world.extract import THINGS, holding
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.messages import Style
from langprog.signature import FieldSpec, SignatureSpec

NAMES = ("team, total", "person, place, total", "team, person, place, total")
DEMOS = 2
PEOPLE = 4


@dataclass(frozen=True, slots=True)
class Chained:
    """A program and its examples.

    Args:
        name: Its modules.
        program: Predictors that leave their model open.
        data: Examples for training, validation and holdout together.
        test: Examples that no search gets.
    """

    name: str
    program: lp.Module
    data: tuple[lp.Example, ...]
    test: tuple[lp.Example, ...]


class Desk(lp.Module):
    """Ask the modules that there are, each with what the one before it answered."""

    def __init__(self, **parts: lp.Module) -> None:
        for name, part in parts.items():
            setattr(self, name, part)

    async def aforward(  # type: ignore[override]  # a program names its inputs
        self, message: str, facts: str, verb: str, owner: str, story: str
    ) -> Mapping[str, Any]:
        """Label, find the writer, look up where the one they lead to is, and count there."""
        found: dict[str, Any] = {}
        parts = self.children()
        if "team" in parts:
            found["team"] = (await parts["team"].acall(text=message)).team
        if "person" in parts:
            found["person"] = (await parts["person"].acall(message=message)).person
            asked = _where(found["person"], verb)
            place = await parts["place"].acall(context=facts, question=asked)
            found["place"] = place.answer
        where = found.get("place", found.get("team", owner))
        total = await parts["total"].acall(question=f"In {where} there are {story}")
        return {**found, "total": total.answer}

    def input_names(self) -> tuple[str, ...]:
        """Return what every example has."""
        return ("message", "facts", "verb", "owner", "story")


def metric(example: lp.Example, prediction: lp.Prediction) -> float:
    """Return the share of the outputs that are right."""
    right = [str(prediction[name]) == str(example[name]) for name in prediction]
    return sum(right) / len(right)


def chained(name: str, seed: int, *, known: int, test: int) -> Chained:
    """Return the program called ``name`` with examples that follow from ``seed``.

    Args:
        name: One of ``NAMES``.
        seed: Decides wordings, words and examples.
        known: Examples for the search and its certificate.
        test: Examples beside them.
    """
    rng = random.Random(f"chained/{name}/{seed}")
    task = classify.draw_labelling(rng, "held", count=4, natural=True, cues=False, fine=0.0)
    rows = [_row(rng, task) for _ in range(known + test + DEMOS)]
    shown, rows = rows[:DEMOS], rows[DEMOS:]
    parts = {"team": _team(task), **_others(shown)}
    wanted = name.split(", ")
    program = Desk(**{part: parts[part] for part in wanted})
    examples = tuple(lp.Example(**{**row["inputs"], **row["outputs"]}) for row in rows)
    return Chained(name, program, examples[:known], examples[known:])


def _row(rng: random.Random, task: classify.Labelling) -> dict[str, Any]:
    people = [one.capitalize() for one in rng.sample(lexicon().names["first"], PEOPLE + 1)]
    cities = [one.capitalize() for one in rng.sample(lexicon().names["city"], PEOPLE)]
    writer, goal = people[0], rng.randrange(1, PEOPLE)
    group = rng.choice(task.groups)
    text, _ = classify.draw_row(rng, task, group)
    message = f"{text} {rng.choice(THINGS[0].carriers).replace('{x}', writer)}."
    verb = rng.choice(("follows", "knows", "helps"))
    homes = [f"{who} lives in {city}." for who, city in zip(people[1:], cities, strict=True)]
    link = f"{writer} {verb} {people[goal]}."
    facts = [link, *homes]
    rng.shuffle(facts)
    text, sums, total = numbers.story(rng, "held", 2)
    # The story's own first sentence says who has how many of what; the place comes in its stead.
    first, _, rest = text.partition(". ")
    start, noun = _counted(first)
    place = cities[goal - 1]
    return {
        "inputs": {
            "message": message,
            "facts": " ".join(facts),
            "verb": verb,
            "owner": "the box",
            "story": f"{start} {noun}. {rest}",
        },
        "outputs": {"team": group.label, "person": writer, "place": place, "total": total},
        "steps": {"place": f"{link} {people[goal]} lives in {place}.", "total": sums},
    }


def _where(person: str, verb: str) -> str:
    return f"Where is the one that {person} {verb}?"


def _counted(sentence: str) -> tuple[str, str]:
    words = sentence.split()
    at = next(place for place, word in enumerate(words) if word.isdigit())
    return words[at], words[at + 1]


def _team(task: classify.Labelling) -> lp.Predict:
    labels: Any = Literal[tuple(sorted(group.label for group in task.groups))]
    fields = (FieldSpec("text", "input"), FieldSpec("team", "output", labels))
    return lp.Predict(SignatureSpec("Team", "Choose the team of the text.", fields))


def _others(shown: list[dict[str, Any]]) -> dict[str, lp.Module]:
    style = Style(6, True, 0.1, 0.3, 0.0)
    rng = random.Random("shown")
    people = [
        {
            "message": holding(rng, [(THINGS[0], one["outputs"]["person"])], style),
            "person": one["outputs"]["person"],
        }
        for one in shown
    ]
    places = [
        {
            "context": one["inputs"]["facts"],
            "question": _where(one["outputs"]["person"], one["inputs"]["verb"]),
            "reasoning": one["steps"]["place"],
            "answer": one["outputs"]["place"],
        }
        for one in shown
    ]
    totals = [
        {
            "question": f"In {one['outputs']['place']} there are {one['inputs']['story']}",
            "reasoning": one["steps"]["total"],
            "answer": one["outputs"]["total"],
        }
        for one in shown
    ]
    return {
        "person": lp.Predict(
            "message -> person", instruction="Give the name of the writer.", demos=people
        ),
        "place": lp.ChainOfThought(
            "context, question -> answer",
            instruction="Answer the question from the context.",
            demos=places,
        ),
        "total": lp.ChainOfThought(
            "question -> answer: int",
            instruction="Answer the question with a number.",
            demos=totals,
        ),
    }
