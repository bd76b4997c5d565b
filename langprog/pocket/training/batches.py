"""Batches of documents, chosen by seed and index alone: a resumed run sees the same ones."""

from __future__ import annotations

import multiprocessing as mp
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty

import numpy as np
from numpy.typing import NDArray

from langprog.pocket.tokenizer import Tokenizer
from langprog.pocket.world.documents import Document, Hardness, associative, draw_document

STEP = 32  # lengths are rounded up to a multiple, coarser for long ones: few shapes are compiled
LONG = 192
PATIENCE = 5.0  # seconds without documents, after which the process that draws them is looked at
CHUNK = 24  # batches drawn and sorted by length together


@dataclass(frozen=True)
class Batch:
    """Token ids (rows, length) and the weight of predicting each id from those before it."""

    ids: NDArray[np.int64]
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class Stage:
    """What is drawn: associative documents of a hardness, or the mix up to ``longest`` tokens."""

    name: str
    hardness: Hardness | None = None
    longest: int = 192
    bare: float = 0.3


PHASE0 = (
    Stage("assoc-1", Hardness(1, 0.0, 8, 20, 0.0)),
    Stage("assoc-2", Hardness(2, 0.0, 8, 20, 0.2)),
    Stage("assoc-3", Hardness(3, 0.2, 8, 20, 0.3)),
    Stage("assoc-5", Hardness(5, 0.5, 8, 16, 0.4)),
    Stage("assoc-6", Hardness(6, 0.7, 8, 16, 0.5)),
    Stage("wrapped", Hardness(4, 0.5, 6, 14, 0.35, 0.85)),
    Stage("messages-4", Hardness(4, 0.6, 5, 14, 0.35, 0.9, 0.7)),
    Stage("messages-8", Hardness(8, 0.6, 5, 12, 0.4, 0.9, 0.8)),
)


def chunk(tokenizer: Tokenizer, seed: int, index: int, stage: Stage, tokens: int) -> list[Batch]:
    """Return the batches of one chunk, each of about ``tokens`` token ids."""
    rng = random.Random(f"{seed}/{stage.name}/{index}")
    documents: list[Document] = []
    total = 0
    while total < CHUNK * tokens:
        if stage.hardness is not None:
            document = associative(rng, tokenizer, stage.hardness)
        else:
            document = draw_document(rng, tokenizer, stage.longest, stage.bare)
        documents.append(document)
        total += len(document.ids)
    documents.sort(key=lambda d: -len(d.ids))
    batches = []
    while documents:
        longest = len(documents[0].ids)
        step = STEP if longest <= LONG else 2 * STEP if longest <= 512 else 8 * STEP
        length = -(-longest // step) * step
        rows = max(1, tokens // length)
        batches.append(_pack(documents[:rows], rows, length))
        documents = documents[rows:]
    rng.shuffle(batches)
    return batches


def _pack(documents: list[Document], rows: int, length: int) -> Batch:
    ids = np.zeros((rows, length), np.int64)
    weights = np.zeros((rows, length), np.float32)
    for i, document in enumerate(documents):
        ids[i, : len(document.ids)] = document.ids
        weights[i, : len(document.ids)] = document.weights
    return Batch(ids, weights)


def stream(
    vocabulary: Path, seed: int, start: int, stage: Stage, tokens: int
) -> Iterator[tuple[int, list[Batch]]]:
    """Yield (chunk index, batches) from ``start`` on, drawn by a process of its own."""
    context = mp.get_context("spawn")
    queue: mp.Queue[tuple[int, list[Batch]]] = context.Queue(3)
    worker = context.Process(
        target=_produce, args=(queue, vocabulary, seed, start, stage, tokens), daemon=True
    )
    worker.start()
    try:
        while True:
            try:
                yield queue.get(timeout=PATIENCE)
            except Empty:
                if not worker.is_alive():
                    raise RuntimeError(
                        f"the process that draws documents ended (exit code {worker.exitcode})"
                    ) from None
    finally:
        worker.terminate()
        worker.join()


def _produce(
    queue: mp.Queue[tuple[int, list[Batch]]],
    vocabulary: Path,
    seed: int,
    start: int,
    stage: Stage,
    tokens: int,
) -> None:
    tokenizer = Tokenizer.load(vocabulary)
    index = start
    while True:
        queue.put((index, chunk(tokenizer, seed, index, stage, tokens)))
        index += 1
