"""Tasks of the embedded models' generator, as programs with examples drawn by a seed.

Wordings, words and pairs of subjects are held out (see the model card); the instruction is vague,
to leave room for compiling.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal

import langprog as lp
from langprog.pocket.world import classify, extract, lists
from langprog.pocket.world.messages import message
from langprog.pocket.world.prompts import Episode
from langprog.signature import FieldSpec, SignatureSpec

TRAIN, VALIDATION, HOLDOUT, TEST = 100, 200, 100, 300


@dataclass(frozen=True, slots=True)
class Task:
    """A program and its examples.

    Args:
        name: A short name.
        program: A predictor, or a pipeline of two.
        data: Examples for training, validation and certificate, in this order.
        test: Examples that no optimizer sees.
        outputs: Names of the outputs that are scored.
        scorer: Scores outputs that are right in other ways than by being equal to the example's.
    """

    name: str
    program: lp.Module
    data: tuple[lp.Example, ...]
    test: tuple[lp.Example, ...]
    outputs: tuple[str, ...]
    scorer: Callable[[lp.Example, Mapping[str, Any]], lp.Score] | None = None

    def score(self, example: lp.Example, values: Mapping[str, Any]) -> float:
        """Return the share of the outputs that are right."""
        if self.scorer is not None:
            return self.scorer(example, values).value
        right = [str(values.get(name)) == str(example[name]) for name in self.outputs]
        return sum(right) / len(right)

    def metric(self, example: lp.Example, prediction: lp.Prediction) -> lp.Score:
        """Score a prediction, with the right answers as feedback."""
        if self.scorer is not None:
            return self.scorer(example, prediction)
        value = self.score(example, prediction)
        wanted = ", ".join(f"{name} should be {example[name]}" for name in self.outputs)
        return lp.Score(value, None if value >= 1.0 else wanted)


def _signature(name: str, instruction: str, inputs: tuple[str, ...], output: FieldSpec) -> Any:
    fields = (*(FieldSpec(name, "input") for name in inputs), output)
    return SignatureSpec(name, instruction, fields)


def _labels(task: classify.Labelling) -> Any:
    return Literal[tuple(sorted(group.label for group in task.groups))]


def _label_texts(rng: random.Random, count: int, *, cues: bool) -> Task:
    """Draw a classification task with meaningless labels."""
    task = classify.draw_labelling(rng, "held", count=count, natural=False, cues=cues, fine=0.0)
    output = FieldSpec(task.target, "output", _labels(task))
    program = lp.Predict(_signature("Label", f"Give the {task.target}.", (task.source,), output))
    rows = [
        {task.source: classify.draw_row(rng, task, group)[0], task.target: group.label}
        for group in classify.draw_groups(rng, task.groups, _ALL)
    ]
    return _task("cues" if cues else f"labels, {count}", program, rows, (task.target,))


def _from_episode(name: str, draw: Callable[[int], Episode]) -> Task:
    """Use the rows of one long episode of a family: the first with one input and one output."""
    episode = draw(_ALL - 1)
    while (len(episode.inputs), len(episode.outputs)) != (1, 1):
        episode = draw(_ALL - 1)
    (source,), (target,) = episode.inputs, episode.outputs
    output = FieldSpec(target.name, "output")
    program = lp.Predict(_signature("Answer", f"Give the {target.name}.", (source.name,), output))
    rows = [{**row.inputs, **row.outputs} for row in episode.rows]
    return _task(name, program, rows, (target.name,))


def _two_steps(rng: random.Random) -> Task:
    """Draw a program of two steps: who gets a message, and how to treat it."""
    first = classify.draw_labelling(rng, "held", count=4, natural=False, cues=False, fine=0.0)
    second = classify.draw_labelling(rng, "held", count=3, natural=False, cues=True)
    first, second = replace(first, source="text", target="team"), replace(second, target="level")
    program = lp.Pipeline(
        team=lp.Predict(
            _signature(
                "Team", "Give the team.", ("text",), FieldSpec("team", "output", _labels(first))
            )
        ),
        level=lp.Predict(
            _signature(
                "Level",
                "Give the level.",
                ("text", "team"),
                FieldSpec("level", "output", _labels(second)),
            )
        ),
    )
    rows = []
    owners = classify.draw_groups(rng, first.groups, _ALL)
    for owner, leveled in zip(owners, classify.draw_groups(rng, second.groups, _ALL), strict=True):
        cues = [leveled.cue] if leveled.cue else []
        text = message(rng, first.style, [rng.choice(owner.topics)], cues)
        rows.append({"text": text, "team": owner.label, "level": leveled.label})
    return _task("two steps", program, rows, ("team", "level"))


_ALL = 2 * (TRAIN + VALIDATION + HOLDOUT + TEST)


def _task(
    name: str, program: lp.Module, rows: list[dict[str, Any]], outputs: tuple[str, ...]
) -> Task:
    examples = list(dict.fromkeys(lp.Example(**row) for row in rows))
    known = TRAIN + VALIDATION + HOLDOUT
    if len(examples) < known + TEST:
        raise ValueError(f"{name}: only {len(examples)} different examples were drawn")
    return Task(
        name, program, tuple(examples[:known]), tuple(examples[known : known + TEST]), outputs
    )


TASKS: Mapping[str, Callable[[random.Random], Task]] = MappingProxyType(
    {
        "labels, 4": lambda rng: _label_texts(rng, 4, cues=False),
        "labels, 6": lambda rng: _label_texts(rng, 6, cues=False),
        "cues": lambda rng: _label_texts(rng, 3, cues=True),
        "extraction": lambda rng: _from_episode(
            "extraction", lambda k: extract.extraction(rng, "held", demos=k, clear=False)
        ),
        "lists": lambda rng: _from_episode(
            "lists", lambda k: lists.lists(rng, "train", demos=k, clear=False)
        ),
        "two steps": _two_steps,
        "two steps, again": _two_steps,
    }
)


def make_task(name: str, seed: int) -> Task:
    """Return the task called ``name`` drawn by ``seed``."""
    return replace(TASKS[name](random.Random(f"generated/{name}/{seed}")), name=name)
