"""From a checkpoint to the files that the package ships: 16-bit weights and the vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.weights import write

# Prompts that are read, in tokens: twice as long as those of training, which is better than to
# refuse them, though answers get worse.
LONGEST = 2048


def export(folder: Path, out: Path, name: str = "small") -> Path:
    """Write ``name``.safetensors and tokenizer.json from a run; return the path of the weights.

    Raises:
        ValueError: Other sizes are there that speak another vocabulary.
    """
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    tensors = {k: v.to(torch.float16).numpy() for k, v in state["model"].items()}
    shape = {**state["shape"], "context": LONGEST}
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    out.mkdir(parents=True, exist_ok=True)
    vocabulary = out / "tokenizer.json"
    others = [p.name for p in out.glob("*.safetensors") if p.stem != name]
    text = (folder / "tokenizer.json").read_text(encoding="utf-8")
    if others and vocabulary.exists() and vocabulary.read_text(encoding="utf-8") != text:
        raise ValueError(f"{vocabulary} is not this run's, and {', '.join(others)} needs it")
    tokenizer.save(vocabulary)
    path = out / f"{name}.safetensors"
    halves = {k: np.ascontiguousarray(v, np.float16) for k, v in tensors.items()}
    trained = json.dumps(
        {"tokens": state["progress"]["tokens"], "steps": state["progress"]["step"]}
    )
    write(path, halves, {"shape": json.dumps(shape), "trained": trained})
    return path
