"""Demonstrations that came with the program: they stay, or a note says that they do not."""

from __future__ import annotations

from langprog import Module
from optimizers.demos.demos import DemoSet
from optimizers.evaluation.candidate import Candidate
from optimizers.run import Run


def keep_own_demos(run: Run, keep: bool | None) -> dict[str, DemoSet]:
    """Return the demonstrations that every set begins with, by predictor.

    Args:
        run: The search.
        keep: Whether to keep those of the input program. ``None`` keeps what a person wrote: not
            those of a compiled program, which an earlier search has chosen.
    """
    program = run.materials.base
    kept = not program.frozen if keep is None else keep
    return {
        path: predictor.demos if kept else () for path, predictor in program.predictors().items()
    }


def describe_lost_demos(program: Module, candidate: Candidate) -> str | None:
    """Return a note on demonstrations of ``program`` that a candidate drops; ``None`` for none."""
    lost = {}
    for path, predictor in program.predictors().items():
        kept = candidate.parameters.get(f"{path}.demos", predictor.demos)
        count = sum(demo not in kept for demo in predictor.demos)
        if count:
            lost[path] = f"{count} of {len(predictor.demos)} at {path}"
    if not lost:
        return None
    return (
        f"demonstrations that came with the program were replaced: {', '.join(lost.values())}; "
        "keep_demos=True keeps them"
    )
