"""Going on from an earlier run with more words or a larger shape: what was learnt is kept.

Follows: Net2Net (wider and deeper students that start as their teacher). Differs: nothing is
copied twice; what is new starts with no effect on the answers, and learns to have one.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from langprog.pocket.config import Shape
from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.training.batches import PHASE0
from langprog.pocket.training.model import PocketTransformer
from langprog.pocket.training.train import Plan, Progress, subject_groups
from langprog.pocket.world.vocabulary import build

# New parts of a token's vector, against the size that a fresh model gives them.
NEW_SCALE = 0.1


def grow(old: Path, new: Path, plan: Plan) -> None:
    """Write to ``new`` a checkpoint of today's vocabulary and ``plan``'s shape, from ``old``'s.

    The mix starts anew, with a fresh optimizer; the associative stages are not repeated.

    Args:
        old: Folder of a run.
        new: Folder of the run that goes on from it.
        plan: Its layers, width and hidden size are at least the old ones.
    """
    torch.manual_seed(plan.seed)
    state = torch.load(old / "checkpoint.pt", weights_only=True)
    before, after = Tokenizer.load(old / "tokenizer.json"), build()
    shape = plan.shape(len(after))
    small = dict(state["model"])
    small["embedding"] = regrow_vectors(small["embedding"], before, after)
    progress = Progress(tokens=state["progress"]["tokens"], phase=len(PHASE0))
    progress.seconds = state["progress"]["seconds"]
    new.mkdir(parents=True, exist_ok=True)
    after.save(new / "tokenizer.json")
    torch.save(
        {
            "model": widen(small, Shape(**{**state["shape"], "vocabulary": len(after)}), shape),
            "optimizer": None,
            "progress": asdict(progress),
            "shape": shape.to_json(),
            "plan": asdict(plan),
        },
        new / "checkpoint.pt",
    )


def regrow_vectors(rows: Tensor, before: Tokenizer, after: Tokenizer) -> Tensor:
    """Return vectors for the tokens of ``after``; known ones keep theirs."""
    known = {before.identity(i): i for i in range(len(before))}
    grown = torch.randn(len(after), rows.shape[1]) * rows.std()
    kept = {i: known[after.identity(i)] for i in range(len(after)) if after.identity(i) in known}
    for i, row in kept.items():
        grown[i] = rows[row]
    for group in subject_groups(after):
        there = [i for i in group if i in kept]
        for i in set(group) - set(there):
            grown[i] = (grown[there].mean(0) if there else 0) + 0.7 * grown[i]
    return grown


def widen(state: dict[str, Tensor], small: Shape, large: Shape) -> dict[str, Tensor]:
    """Return weights of the shape ``large`` that answer (almost) as those of ``small`` do."""
    fresh = PocketTransformer(large).state_dict()
    d, f = small.width, small.hidden
    # A vector of the same length over more channels looks smaller to RMS norm.
    scale = (d / large.width) ** 0.5
    grown = {"embedding": fresh["embedding"] * NEW_SCALE}
    grown["embedding"][:, :d] = state["embedding"] * scale
    # New layers stand between the old ones, so that no part of the network is left behind.
    places = [round(i * large.layers / small.layers) for i in range(small.layers)]
    for layer in range(large.layers):
        names = {k: f"{k}.{layer}" for k in ("qkv", "out", "up", "down", "taps")}
        new = {k: fresh[name].clone() for k, name in names.items()}
        new["out"].zero_()
        new["down"].zero_()
        if layer in places:
            was = {k: state[f"{k}.{places.index(layer)}"] for k in names}
            for part in range(3):
                rows = slice(part * large.width, part * large.width + d)
                new["qkv"][rows, :d] = was["qkv"][part * d : (part + 1) * d] * scale
            new["out"][:d, :d] = was["out"]
            for part in range(2):
                rows = slice(part * large.hidden, part * large.hidden + f)
                new["up"][rows, :d] = was["up"][part * f : (part + 1) * f] * scale
            new["down"][:d, :f] = was["down"]
            new["taps"][:, :, :d] = was["taps"]
        grown.update({name: new[k] for k, name in names.items()})
    return grown
