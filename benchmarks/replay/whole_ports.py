"""Whole ports, with the compile, on simulated models that lose just the tolerance.

Labelled as simulated: whether an answer is right is drawn by row. The old model is right on 90 %
of the rows. The new one is right on 85 %, and on other 85 % once its prompt shows examples. So,
whatever the compile does, the true loss is the tolerance: each ``safe`` or ``mended`` is false.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import langprog as lp
from benchmarks.replay.drawn_rows import TOLERANCE
from optimizers import LabeledFewShot, port

ROWS, RIGHT = 240, 0.9
# Whether the new model is wrong wherever the old one is, or independently of it.
CASES: Mapping[str, bool] = MappingProxyType(
    {"independent of the old one": False, "wrong where the old one is, and on 5 % more": True}
)


def run_port(case: str, seed: int) -> str:
    """Return the outcome of one port."""

    def draw(name: str, row: str) -> float:
        digest = hashlib.sha256(f"{case}/{seed}/{name}/{row}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def old(request: lp.Request) -> str:
        return _reply(draw("old", _row_of(request)) < RIGHT)

    def new(request: lp.Request) -> str:
        row = _row_of(request)
        shown = any(message.role == "assistant" for message in request.messages)
        luck = draw("shown" if shown else "bare", row)
        if CASES[case]:
            return _reply(draw("old", row) < RIGHT and luck >= TOLERANCE / RIGHT)
        return _reply(luck < RIGHT - TOLERANCE)

    before = lp.ScriptedLM(old, name="simulated/old")
    after = lp.ScriptedLM(new, name="simulated/new")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.json"
        lp.save(lp.Predict("x -> y: int", model=before), path)
        ported = port(
            path,
            after,
            [lp.Example(x=f"row {row}.", y=1) for row in range(ROWS)],
            metric=_is_right,
            tolerance=TOLERANCE,
            program=lp.load(path, models={before.name: before}),
            optimizer=LabeledFewShot(),
            seed=seed,
            progress=lambda event: None,
        )
    return ported.outcome


def _is_right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(prediction.y == example.y)


def _row_of(request: lp.Request) -> str:
    return request.messages[-1].text.rpartition("row ")[2].split(".")[0]


def _reply(right: bool) -> str:
    return f"[[y]]\n{int(right)}"
