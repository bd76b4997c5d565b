"""A quick look at held-out tasks in training: is every token of the last answer the likeliest?"""

from __future__ import annotations

import random
from collections.abc import Callable

import torch

from langprog.pocket.tokenizer import ASSISTANT, Tokenizer
from langprog.pocket.training.model import PocketTransformer, block
from langprog.pocket.world import chains, classify, extract, lists, numbers, propose, second
from langprog.pocket.world.documents import encode
from langprog.pocket.world.prompts import Episode

Draw = Callable[[random.Random], Episode]


def _classes(demos: int, mapped: bool, natural: bool, cues: bool, count: int = 4) -> Draw:
    def draw(rng: random.Random) -> Episode:
        task = classify.draw_labelling(rng, "held", count=count, natural=natural, cues=cues)
        return classify.classification(
            rng, "held", demos=demos, task=task, mapped=mapped, reasoning=False, options=True
        )

    return draw


CELLS: dict[str, Draw] = {
    "demo0": _classes(0, False, False, False),
    "demo4": _classes(4, False, False, False),
    "demo8": _classes(8, False, False, False),
    "map0": _classes(0, True, False, False),
    "nat0": _classes(0, False, True, False),
    "cue_nat0": _classes(0, False, True, True, 3),
    "cue_demo6": _classes(6, False, False, True, 3),
    "cue_map0": _classes(0, True, False, True, 3),
    "second": lambda r: second.second_module(r, "held"),
    "judge": lambda r: second.judge(r, "held"),
    "ext_vague0": lambda r: extract.extraction(r, "held", demos=0, clear=False),
    "ext_vague4": lambda r: extract.extraction(r, "held", demos=4, clear=False),
    "ext_clear0": lambda r: extract.extraction(r, "held", demos=0, clear=True),
    "list_clear0": lambda r: lists.lists(r, "train", demos=0, clear=True),
    "list_vague4": lambda r: lists.lists(r, "train", demos=4, clear=False),
    "lookup": lambda r: extract.lookup(r, "held"),
    "sum1": lambda r: numbers.sums(r, "held", steps=1, reasoning=False, demos=2),
    "sum2": lambda r: numbers.sums(r, "held", steps=2, reasoning=False, demos=2),
    "sum2_why": lambda r: numbers.sums(r, "held", steps=2, reasoning=True, demos=2),
    "chain3": lambda r: chains.chain(r, "held", steps=3, reasoning=False, demos=2),
    "chain3_why": lambda r: chains.chain(r, "held", steps=3, reasoning=True, demos=2),
    "propose": lambda r: propose.propose_instruction(r, "held"),
    "propose_short": lambda r: propose.short_proposal(r, "held"),
}


def probe(model: PocketTransformer, tokenizer: Tokenizer, count: int = 48) -> dict[str, float]:
    """Return the share of right answers for each cell; "propose": the share of right tokens."""
    return {
        name: round(_cell(model, tokenizer, name, draw, count), 3) for name, draw in CELLS.items()
    }


def _cell(
    model: PocketTransformer, tokenizer: Tokenizer, name: str, draw: Draw, count: int
) -> float:
    rng = random.Random(f"probe/{name}")
    documents = [encode(tokenizer, draw(rng), "chat").ids[:512] for _ in range(count)]
    right = []
    compiled, model.block = model.block, block  # lengths differ: not worth compiling
    for i in range(0, count, 16):
        some = documents[i : i + 16]
        ids = torch.zeros(len(some), max(map(len, some)), dtype=torch.long)
        for row, document in zip(ids, some, strict=True):
            row[: len(document)] = torch.tensor(document)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            vectors = model(ids)
        for row, vector, document in zip(ids, vectors, some, strict=True):
            start = len(document) - 1 - document[::-1].index(ASSISTANT)
            guess = model.logits(vector[start : len(document) - 1].float()).argmax(-1)
            hits = guess == row[start + 1 : len(document)]
            right.append(float(hits.float().mean() if name.startswith("propose") else hits.all()))
    model.block = compiled
    return sum(right) / len(right)
