"""Programs of two to four modules that need different sizes of the embedded model.

All sizes are about equally good at labels that the instruction explains, at cues and at names in a
message; only the largest is good at sums written out step by step. So the best assignment is
mixed, and differs from seed to seed. Wordings, words and pairs are held out (see the model card).
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import langprog as lp
from langprog.pocket.world import classify, numbers
from langprog.pocket.world.extract import THINGS
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.messages import message
from langprog.signature import FieldSpec, SignatureSpec

NAMES = ("queue, level", "queue, level, total", "queue, level, person, total")
# Demonstrations of each module.
DEMOS = MappingProxyType({"queue": 6, "level": 6, "person": 4, "total": 1})


@dataclass(frozen=True, slots=True)
class Chained:
    """A program and its examples.

    Args:
        name: Its modules.
        program: Predictors without a model of their own.
        data: Examples for training, validation and holdout together.
        test: Examples that no search sees.
    """

    name: str
    program: lp.Module
    data: tuple[lp.Example, ...]
    test: tuple[lp.Example, ...]


class Desk(lp.Module):
    """Ask the modules that there are: the later ones are told what the earlier ones answered."""

    def __init__(self, **parts: lp.Module) -> None:
        for name, part in parts.items():
            setattr(self, name, part)

    async def aforward(self, subject: str, body: str, story: str) -> Mapping[str, Any]:
        """Choose the queue, then the level there; find the writer, and count in that queue."""
        outputs: dict[str, Any] = {}
        parts = self.children()
        outputs["queue"] = (await parts["queue"].acall(text=subject)).queue
        if "level" in parts:
            level = await parts["level"].acall(text=body, queue=outputs["queue"])
            outputs["level"] = level.level
        if "person" in parts:
            outputs["person"] = (await parts["person"].acall(message=body)).person
        if "total" in parts:
            counted = f"In {outputs['queue']} there are {story}"
            outputs["total"] = (await parts["total"].acall(question=counted)).answer
        return outputs


def metric(example: lp.Example, prediction: lp.Prediction) -> float:
    """Return the share of the outputs that are right."""
    right = [str(prediction[name]) == str(example[name]) for name in prediction]
    return sum(right) / len(right)


def make_task(name: str, seed: int, *, known: int, test: int) -> Chained:
    """Return the program called ``name`` with examples drawn by ``seed``.

    Args:
        name: One of ``NAMES``.
        seed: Decides wordings, words and examples.
        known: Examples for the search and its certificate.
        test: Test examples.
    """
    rng = random.Random(f"chained/{name}/{seed}")
    owners = classify.draw_labelling(rng, "held", count=4, natural=False, cues=False, fine=0.0)
    levels = classify.draw_labelling(rng, "held", count=3, natural=True, cues=True)
    shown = max(DEMOS.values())
    rows = [
        _row(rng, owners, owner, level)
        for owner, level in zip(
            classify.draw_groups(rng, owners.groups, shown + known + test),
            classify.draw_groups(rng, levels.groups, shown + known + test),
            strict=True,
        )
    ]
    explained = classify.instruction(rng, owners, True)
    parts = _parts(explained, owners, levels, rows[:shown])
    program = Desk(**{part: parts[part] for part in name.split(", ")})
    examples = tuple(lp.Example(**row["inputs"], **row["outputs"]) for row in rows[shown:])
    return Chained(name, program, examples[:known], examples[known:])


def _row(
    rng: random.Random, owners: classify.Labelling, owner: classify.Group, level: classify.Group
) -> dict[str, Any]:
    cues = [level.cue] if level.cue else []
    writer = rng.choice(lexicon().names["first"]).capitalize()
    subject, said = (
        message(rng, owners.style, [rng.choice(owner.topics)], more) for more in ([], cues)
    )
    body = f"{said} {rng.choice(THINGS[0].carriers).replace('{x}', writer)}."
    story, sums, total = numbers.story(rng, "held", 2)
    # The first sentence of the story says who has how many of what; the queue replaces it.
    first, _, rest = story.partition(". ")
    start, noun = _count(first)
    return {
        "inputs": {"subject": subject, "body": body, "story": f"{start} {noun}. {rest}"},
        "outputs": {
            "queue": owner.label,
            "level": level.label,
            "person": writer,
            "total": total,
        },
        "sums": sums,
    }


def _count(sentence: str) -> tuple[str, str]:
    words = sentence.split()
    at = next(place for place, word in enumerate(words) if word.isdigit())
    return words[at], words[at + 1]


def _parts(
    explained: str,
    owners: classify.Labelling,
    levels: classify.Labelling,
    shown: list[dict[str, Any]],
) -> dict[str, lp.Module]:
    demos: dict[str, list[dict[str, Any]]] = {name: [] for name in DEMOS}
    for row in shown:
        inputs, outputs = row["inputs"], row["outputs"]
        body, queue = inputs["body"], outputs["queue"]
        demos["queue"].append({"text": inputs["subject"], "queue": queue})
        demos["level"].append({"text": body, "queue": queue, "level": outputs["level"]})
        demos["person"].append({"message": body, "person": outputs["person"]})
        demos["total"].append(
            {
                "question": f"In {queue} there are {inputs['story']}",
                "reasoning": row["sums"],
                "answer": outputs["total"],
            }
        )
    some = {name: outputs[: DEMOS[name]] for name, outputs in demos.items()}
    return {
        "queue": lp.Predict(
            _labelling("Queue", explained, ("text",), "queue", owners), demos=some["queue"]
        ),
        "level": lp.Predict(
            _labelling("Level", "Give the level.", ("text", "queue"), "level", levels),
            demos=some["level"],
        ),
        "person": lp.Predict(
            "message -> person",
            instruction="Give the name of the writer.",
            demos=some["person"],
        ),
        "total": lp.ChainOfThought(
            "question -> answer: int",
            instruction="Answer the question with a number.",
            demos=some["total"],
        ),
    }


def _labelling(
    name: str, instruction: str, inputs: tuple[str, ...], target: str, task: classify.Labelling
) -> SignatureSpec:
    labels: Any = Literal[tuple(sorted(group.label for group in task.groups))]
    fields = (*(FieldSpec(name, "input") for name in inputs), FieldSpec(target, "output", labels))
    return SignatureSpec(name, instruction, fields)
