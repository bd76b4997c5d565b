"""The accuracy table of the model card: held-out tasks, answered by the shipped engine.

Needs no torch.
"""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from langprog.pocket.generate import Settings
from langprog.pocket.models import Runner
from langprog.pocket.world import chains, classify, extract, lists, numbers, propose, second
from langprog.pocket.world.labels import code_labels
from langprog.pocket.world.prompts import Episode, Row, Slot, turns

Draw = Callable[[random.Random], Episode]
OUTSIDE = Path(__file__).parent / "outside.jsonl"


@dataclass(frozen=True)
class Result:
    """Right answers of a cell, with a 95 % Wilson interval.

    Args:
        name: The cell.
        right: Right answers.
        count: All answers.
        hits: One for each answer, where sizes are compared on the same episodes: 1 if right.
    """

    name: str
    right: int
    count: int
    hits: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """The share of right answers."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end."""
        z, n, p = 1.96, self.count, self.share
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, middle - half), min(1.0, middle + half)

    @property
    def variance(self) -> float:
        """Of the share; never quite zero, so that a perfect cell is not taken for certain."""
        share = (self.right + 1) / (self.count + 2)
        return share * (1 - share) / self.count

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.share:.2f} [{low:.2f}, {high:.2f}]"


def _task(
    rng: random.Random,
    *,
    count: int = 4,
    natural: bool = False,
    cues: bool = False,
    fine: float = 0.0,
    new_words: bool = False,
) -> classify.Labelling:
    """Draw a task in held-out wordings and pairs; ``new_words``: labels of no training task."""
    task = classify.draw_labelling(rng, "held", count=count, natural=natural, cues=cues, fine=fine)
    if natural or new_words:
        return task
    labels = code_labels(rng, len(task.groups), "train")
    groups = [replace(g, label=label) for g, label in zip(task.groups, labels, strict=True)]
    return replace(task, groups=tuple(groups))


def _labels(
    demos: int,
    *,
    mapped: bool = False,
    natural: bool = False,
    cues: bool = False,
    count: int = 4,
    fine: float = 0.0,
    new_words: bool = False,
) -> Draw:
    def draw(rng: random.Random) -> Episode:
        task = _task(rng, count=count, natural=natural, cues=cues, fine=fine, new_words=new_words)
        return classify.classification(
            rng, "held", demos=demos, task=task, mapped=mapped, reasoning=False, options=True
        )

    return draw


def _extraction(demos: int) -> Draw:
    return lambda rng: extract.extraction(rng, "held", demos=demos, clear=False)


CELLS: dict[str, Draw] = {
    **{
        f"labels that mean nothing, 4, vague instruction, {k} demos": _labels(k)
        for k in (0, 2, 4, 8)
    },
    "labels that mean nothing, 8, vague instruction, 8 demos": _labels(8, count=8),
    "the same 4, mapping in the instruction, 0 demos": _labels(0, mapped=True),
    "the same 4, mapping in the instruction, 4 demos": _labels(4, mapped=True),
    "labels named for their subject, 4, 0 demos": _labels(0, natural=True),
    "labels named for their subject, 4, 4 demos": _labels(4, natural=True),
    "cue (urgency, mood, ...), telling labels, 0 demos": _labels(
        0, natural=True, cues=True, count=3
    ),
    "cue, labels that mean nothing, 0 demos": _labels(0, cues=True, count=3),
    "cue, labels that mean nothing, 6 demos": _labels(6, cues=True, count=3),
    "cue, labels that mean nothing, mapping in the instruction": _labels(
        0, cues=True, count=3, mapped=True
    ),
    "classes within one subject, 4, 8 demos": _labels(8, fine=1.0),
    "label words never used as labels, 4, 8 demos": _labels(8, new_words=True),
    "two inputs, one a label": lambda r: second.second_module(r, "held"),
    "does the label fit": lambda r: second.judge(r, "held"),
    **{f"extraction, vague, {k} demos": _extraction(k) for k in (0, 2, 4)},
    "extraction, right instruction, 0 demos": lambda r: extract.extraction(
        r, "held", demos=0, clear=True
    ),
    "lists, right instruction, 0 demos": lambda r: lists.lists(r, "train", demos=0, clear=True),
    "lists, vague, 0 demos": lambda r: lists.lists(r, "train", demos=0, clear=False),
    "lists, vague, 4 demos": lambda r: lists.lists(r, "train", demos=4, clear=False),
    "lists never trained, right instruction and 4 demos": lambda r: lists.lists(
        r, "held", demos=4, clear=True
    ),
    "look-up, one hop, 2 demos": lambda r: extract.lookup(r, "held", hops=False, demos=2),
    "look-up, two hops, direct, 2 demos": lambda r: extract.lookup(
        r, "held", hops=True, reasoning=False, demos=2
    ),
    "look-up, two hops, with reasoning, 2 demos": lambda r: extract.lookup(
        r, "held", hops=True, reasoning=True, demos=2
    ),
    "sums, one step, 2 demos": lambda r: numbers.sums(
        r, "held", steps=1, reasoning=False, demos=2
    ),
    "sums, two steps, direct, 2 demos": lambda r: numbers.sums(
        r, "held", steps=2, reasoning=False, demos=2
    ),
    "sums, two steps, with reasoning, 2 demos": lambda r: numbers.sums(
        r, "held", steps=2, reasoning=True, demos=2
    ),
    "chain of 3 facts, direct, 2 demos": lambda r: chains.chain(
        r, "held", steps=3, reasoning=False, demos=2
    ),
    "chain of 3 facts, with reasoning, 2 demos": lambda r: chains.chain(
        r, "held", steps=3, reasoning=True, demos=2
    ),
}


_FOUR, _EIGHT = (f"labels that mean nothing, 4, vague instruction, {k} demos" for k in (4, 8))
_MAPPED = "the same 4, mapping in the instruction, 0 demos"
# Cells on which answers are also sampled, and vote.
VOTING = ("extraction, vague, 4 demos", _EIGHT)
# Cells that are asked in other prompt formats, too.
FORMS: tuple[tuple[str, str], ...] = (
    ("json", _EIGHT),
    ("json", _MAPPED),
    ("dspy", _FOUR),
    ("dspy", _EIGHT),
    ("dspy", _MAPPED),
    ("dspy-json", _FOUR),
    ("dspy-json", _EIGHT),
)


def answer(
    runner: Runner, episode: Episode, form: str = "chat", most: int = 64
) -> tuple[str, str]:
    """Return what the model answers to the last row of ``episode``, and the right answer."""
    messages = [(t.role, t.content) for t in turns(episode, form)]
    _, drawn, _ = runner.answer(messages[:-1], Settings(max_tokens=most), 1)
    return drawn[0].text, messages[-1][1]


def cell(runner: Runner, name: str, draw: Draw, count: int, form: str = "chat") -> Result:
    """Return the exact matches of ``count`` seeded episodes; reasons before an answer are free."""
    rng = random.Random(f"evaluate/{name}")
    hits = []
    for _ in range(count):
        episode = draw(rng)
        given, wanted = answer(runner, episode, form)
        if len(episode.outputs) > 1 and episode.outputs[0].name == "reasoning":
            last = f"[[{episode.outputs[-1].name}]]"
            given, wanted = given.rpartition(last)[2], wanted.rpartition(last)[2]
        hits.append(int(given == wanted))
    return Result(f"{name} ({form})" if form != "chat" else name, sum(hits), count, tuple(hits))


def vote(runner: Runner, name: str, draw: Draw, count: int, votes: int = 9) -> list[Result]:
    """Return the first answer at temperature 1, and the most frequent of ``votes`` of them."""
    rng = random.Random(f"evaluate/votes/{name}")
    single, most = [], []
    for number in range(count):
        messages = [(t.role, t.content) for t in turns(draw(rng), "chat")]
        settings = Settings(temperature=1.0, max_tokens=64, seed=number)
        _, drawn, _ = runner.answer(messages[:-1], settings, votes)
        said = [draw.text for draw in drawn]
        single.append(said[0] == messages[-1][1])
        most.append(Counter(said).most_common(1)[0][0] == messages[-1][1])
    return [
        Result(f"{name}, one answer at temperature 1", sum(single), count),
        Result(f"{name}, vote of {votes} answers at temperature 1", sum(most), count),
    ]


def _ask(task: classify.Labelling, text: str, wording: str, label: str) -> Episode:
    phrase = "one of: " + ", ".join(g.label for g in task.groups)
    row = Row({task.source: text}, {task.target: label})
    return Episode(wording, (Slot(task.source),), (Slot(task.target, phrase),), (row,))


def proposals(runner: Runner, tasks: int, rows: int = 10) -> Iterator[tuple[float, float]]:
    """Yield, for held-out tasks, accuracy under a vague instruction and under a proposal."""
    rng = random.Random("evaluate/proposals")
    for _ in range(tasks):
        task = _task(rng, count=rng.choice((2, 3, 4)))
        task = replace(task, style=replace(task.style, words=min(task.style.words, 12), stray=0.0))
        shown = propose.draw_rows(rng, task, 6)
        inputs = {
            "program": f"predict: {task.source} -> {task.target}",
            "task": propose.task_line(task),
            "tip": propose.EVERY,
            "current": f"Give the {task.target}.",
            "examples": propose.examples_text(task, shown),
        }
        episode = Episode(
            propose.PROPOSE,
            tuple(Slot(k) for k in inputs),
            (Slot("instruction"),),
            (Row(dict(inputs), {"instruction": ""}),),
        )
        text, _right = answer(runner, episode, most=120)
        proposed = text.partition("]]\n")[2]
        fresh = propose.draw_rows(rng, task, rows)

        def share(
            wording: str,
            task: classify.Labelling = task,
            fresh: list[tuple[str, classify.Group]] = fresh,
        ) -> float:
            pairs = [answer(runner, _ask(task, t, wording, g.label)) for t, g in fresh]
            return sum(a == b for a, b in pairs) / len(pairs)

        yield share(f"Give the {task.target}."), share(proposed)


_CODES = {"billing": "harbor", "network": "falcon", "hardware": "cedar", "accounts": "ember"}
_MAP = (
    "Choose harbor for payment problems, falcon for network problems, cedar for broken devices, "
    "ember for login and accounts."
)
_URGENT = "Choose high for urgent matters, normal for usual matters, low for things that can wait."


def outside(runner: Runner) -> Iterator[Result]:
    """Yield results on tickets written by hand, in words that the generator does not use."""
    rows = [json.loads(line) for line in OUTSIDE.read_text(encoding="utf-8").splitlines()]
    vague = "Route the ticket to the right team."
    for name, wording, demos, field, codes in (
        ("team, code names, vague, 0 demos", vague, 0, "team", _CODES),
        ("team, code names, vague, 4 demos", vague, 4, "team", _CODES),
        ("team, code names, vague, 8 demos", vague, 8, "team", _CODES),
        ("team, code names, mapping, 0 demos", _MAP, 0, "team", _CODES),
        ("team, code names, mapping, 4 demos", _MAP, 4, "team", _CODES),
        ("team, telling names, vague, 0 demos", vague, 0, "team", {}),
        ("priority, vague, 0 demos", "Choose the priority of the ticket.", 0, "priority", {}),
        ("priority, described, 0 demos", _URGENT, 0, "priority", {}),
        ("priority, described, 6 demos", _URGENT, 6, "priority", {}),
    ):
        draws = [(row, seed) for row in rows for seed in range(1 if demos == 0 else 5)]
        right = 0
        for row, seed in draws:
            episode = _outside(rows, row, seed, demos, wording, field, codes)
            given, wanted = answer(runner, episode)
            right += given == wanted
        yield Result(f"hand-written tickets: {name}", right, len(draws))


def _outside(
    rows: list[dict[str, str]],
    row: dict[str, str],
    seed: int,
    demos: int,
    wording: str,
    field: str,
    codes: dict[str, str],
) -> Episode:
    def label(r: dict[str, str]) -> str:
        return codes.get(r[field], r[field])

    labels = sorted({label(r) for r in rows})
    rng = random.Random(f"outside/{seed}/{row['text']}")
    pool = rng.sample([r for r in rows if r is not row], len(rows) - 1)
    chosen = [
        next(r for r in pool[i:] + pool[:i] if label(r) == labels[i % len(labels)])
        for i in range(demos)
    ]
    rng.shuffle(chosen)
    made = [Row({"ticket": r["text"]}, {field: label(r)}) for r in [*chosen, row]]
    return Episode(
        wording, (Slot("ticket"),), (Slot(field, "one of: " + ", ".join(labels)),), tuple(made)
    )
