"""The training run: a curriculum of stages, checkpoints that survive a kill, and a log."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F

from langprog.pocket.config import Shape
from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.training.batches import PHASE0, Batch, Stage, stream
from langprog.pocket.training.model import PocketTransformer
from langprog.pocket.training.probe import probe
from langprog.pocket.world.lexicon import lexicon
from langprog.pocket.world.vocabulary import build


@dataclass(frozen=True)
class Plan:
    """Everything that decides a training run.

    Args:
        tokens: Tokens of the mix, after the associative stages.
        rate: Highest learning rate.
        decay: Share of the mix, at its end, over which the rate falls linearly to 3 %.
        batch: Tokens of a step.
        seed: Of the weights and of all documents.
        threads: Of torch.
        save_every: Seconds between checkpoints.
        probe_every: Tokens between looks at held-out tasks.
    """

    tokens: float = 40e6
    rate: float = 1.5e-3
    decay: float = 0.5
    batch: int = 4096
    seed: int = 0
    threads: int = 1
    save_every: float = 90.0
    probe_every: float = 2.5e6
    compiled: bool = True
    layers: int = 5
    width: int = 160
    hidden: int = 416

    def shape(self, vocabulary: int) -> Shape:
        """Return the shape of the model that is trained."""
        return Shape(vocabulary, self.width, self.layers, self.width // 32, self.hidden)


# Layers, width and hidden size by the name of a size.
SIZES: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {"small": (5, 160, 416), "medium": (6, 256, 704), "large": (7, 320, 864)}
)


@dataclass
class Progress:
    """Where a run is; saved with every checkpoint."""

    step: int = 0
    tokens: int = 0
    mixed: int = 0
    phase: int = 0
    phase_tokens: int = 0
    chunk: int = 0
    batch: int = 0
    loss: float = 9.0
    seconds: float = 0.0
    probed: int = 0
    notes: list[str] = field(default_factory=list)


class Trainer:
    """One run in ``folder``; ``run`` goes on from the last checkpoint."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        torch.set_num_threads(plan.threads)
        torch._dynamo.config.recompile_limit = 64
        torch.manual_seed(plan.seed)
        self.plan, self.folder = plan, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.vocabulary = folder / "tokenizer.json"
        if (
            not self.vocabulary.exists()
        ):  # a run keeps its vocabulary, whatever the word files become
            build().save(self.vocabulary)
        self.tokenizer = Tokenizer.load(self.vocabulary)
        self.shape = plan.shape(len(self.tokenizer))
        self.model = PocketTransformer(self.shape, compiled=plan.compiled)
        self.model.group_embeddings(subject_groups(self.tokenizer))
        named = list(self.model.named_parameters())
        matrices = [p for n, p in named if p.ndim == 2 and n != "embedding"]
        rest = [p for n, p in named if p.ndim != 2 or n == "embedding"]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.05}, {"params": rest, "weight_decay": 0.0}],
            lr=plan.rate,
            betas=(0.9, 0.95),
            fused=True,
        )
        self.progress = Progress()
        self._restore()

    @property
    def stage(self) -> Stage:
        """What documents are drawn now."""
        p = self.progress
        if p.phase < len(PHASE0):
            return PHASE0[p.phase]
        done = p.mixed / self.plan.tokens
        if done < 0.08:
            return Stage("mix-a", None, 256, 0.6)
        if done < 0.6:
            return Stage("mix-b", None, 320, 0.5)
        if done < 0.9:
            return Stage("mix-c", None, 512, 0.35)
        return Stage("mix-d", None, 1024, 0.25)

    def rate(self) -> float:
        """Return the learning rate of the present step."""
        p = self.progress
        left = 1 - p.mixed / self.plan.tokens
        fall = min(1.0, max(0.03, left / self.plan.decay))
        return self.plan.rate * min(1.0, (p.step + 1) / 200) * fall

    def run(self, limit: int | None = None) -> None:
        """Train to the end of the plan, or for ``limit`` steps."""
        p = self.progress
        started, saved = time.monotonic() - p.seconds, time.monotonic()
        first = p.step
        while p.mixed < self.plan.tokens:
            stage = self.stage
            for index, batches in stream(
                self.vocabulary, self.plan.seed, p.chunk, stage, self.plan.batch
            ):
                for batch in batches[p.batch :]:
                    self._step(batch)
                    p.seconds = time.monotonic() - started
                    if limit is not None and p.step - first >= limit:
                        self.save()
                        return
                    if time.monotonic() - saved > self.plan.save_every:
                        self.save()
                        saved = time.monotonic()
                p.chunk, p.batch = index + 1, 0
                self._advance()
                if self.stage.name != stage.name or p.mixed >= self.plan.tokens:
                    p.chunk = 0
                    break
        self.save()

    def _step(self, batch: Batch) -> None:
        p = self.progress
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss = loss_of(self.model, batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        tokens = int((batch.ids != 0).sum())
        p.step += 1
        p.batch += 1
        p.tokens += tokens
        p.phase_tokens += tokens
        if p.phase >= len(PHASE0):
            p.mixed += tokens
        p.loss += (loss.item() - p.loss) * (0.03 if p.step > 50 else 0.2)
        if p.step % 50 == 0:
            self._log({"loss": round(p.loss, 4), "rate": round(self.rate(), 6)})

    def _advance(self) -> None:
        p = self.progress
        if p.phase < len(PHASE0) and (p.loss < 0.5 or p.phase_tokens > 2e6):
            self._log({"passed": self.stage.name, "loss": round(p.loss, 4)})
            p.phase, p.phase_tokens, p.loss = p.phase + 1, 0, max(p.loss, 1.0)
        if p.tokens - p.probed >= self.plan.probe_every:
            p.probed = p.tokens
            self._log({"probe": probe(self.model, self.tokenizer)})

    def _log(self, values: dict[str, Any]) -> None:
        p = self.progress
        where = {
            "step": p.step,
            "tokens": p.tokens,
            "seconds": round(p.seconds),
            "stage": self.stage.name,
        }
        line = json.dumps({**where, **values})
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def save(self) -> None:
        """Write a checkpoint; a kill leaves the old or the new one, never half."""
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
            "shape": self.shape.to_json(),
            "plan": asdict(self.plan),
        }
        part = self.folder / "checkpoint.part"
        torch.save(state, part)
        os.replace(part, self.folder / "checkpoint.pt")

    def _restore(self) -> None:
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        if state["optimizer"] is not None:  # None where a run starts from another one's weights
            self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])
        self._forget_later_lines()

    def _forget_later_lines(self) -> None:
        """Take out of the log what was done after the checkpoint: it will be done again."""
        path = self.folder / "log.jsonl"
        if not path.exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        kept = [line for line in whole if json.loads(line)["step"] <= self.progress.step]
        part = path.with_suffix(".part")
        part.write_text("".join(kept), encoding="utf-8")
        os.replace(part, path)


def loss_of(model: PocketTransformer, batch: Batch) -> torch.Tensor:
    """Return the weighted mean cross-entropy over the tokens that count."""
    ids, weights = torch.from_numpy(batch.ids), torch.from_numpy(batch.weights)[:, 1:].reshape(-1)
    chosen = weights.nonzero()[:, 0]
    with torch.autocast("cpu", torch.bfloat16):
        vectors = model(ids)[:, :-1].reshape(-1, model.shape.width)[chosen]
        logits = model.logits(vectors)
    losses = F.cross_entropy(logits, ids[:, 1:].reshape(-1)[chosen], reduction="none")
    counts = weights[chosen]
    return (losses * counts).sum() / counts.sum()


def subject_groups(tokenizer: Tokenizer) -> list[list[int]]:
    """Return for every subject and cue the tokens of its words, ordinary words left out."""
    world = lexicon()
    common = {i for words in world.common.values() for w in words for i in tokenizer.encode(w)}
    texts = [" ".join((*t.names, *t.nouns, *t.verbs)) for t in world.topics]
    texts += [" ".join(c.names) for d in world.dimensions for c in d.cues]
    specific = [[i for i in tokenizer.encode(text) if i not in common] for text in texts]
    return [g for g in specific if g]
