"""Going on from an earlier run with more words: known tokens keep their vectors."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.training.batches import PHASE0
from langprog.pocket.training.train import Progress, subject_groups
from langprog.pocket.world.vocabulary import build


def regrow(old: Path, new: Path, seed: int = 0) -> None:
    """Write to ``new`` a checkpoint with today's vocabulary, from the one in ``old``.

    The mix starts anew, with a fresh optimizer; the associative stages are not repeated.
    """
    torch.manual_seed(seed)
    state = torch.load(old / "checkpoint.pt", weights_only=True)
    before, after = Tokenizer.load(old / "tokenizer.json"), build()
    known = {before.identity(i): i for i in range(len(before))}
    rows: Tensor = state["model"]["embedding"]
    grown = torch.randn(len(after), rows.shape[1]) * rows.std()
    kept = {i: known[after.identity(i)] for i in range(len(after)) if after.identity(i) in known}
    for i, row in kept.items():
        grown[i] = rows[row]
    for group in subject_groups(after):
        there = [i for i in group if i in kept]
        for i in set(group) - set(there):
            grown[i] = (grown[there].mean(0) if there else 0) + 0.7 * grown[i]
    progress = Progress(tokens=state["progress"]["tokens"], phase=len(PHASE0))
    progress.seconds = state["progress"]["seconds"]
    new.mkdir(parents=True, exist_ok=True)
    after.save(new / "tokenizer.json")
    shape = {**state["shape"], "vocabulary": len(after)}
    model = {**state["model"], "embedding": grown}
    kept_state = {"model": model, "optimizer": None, "progress": asdict(progress), "shape": shape}
    torch.save({**kept_state, "plan": state["plan"]}, new / "checkpoint.pt")
