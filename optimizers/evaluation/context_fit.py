"""Shortening demonstrations that exceed their model's context window."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from langprog import Example, Module
from langprog.errors import ContextWindowError
from langprog.evaluation import Row
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.runner import Job, run_rows
from optimizers.evaluation.scoring import Scoring

# Demonstrations with fewer characters are assumed to fit.
SHORT = 500


class ContextFit:
    """Tests with one query each whether demonstrations fit, and halves them until they do.

    Args:
        program: The program that candidates are applied to.
        examples: Examples; the longest is used for the test.
        scoring: Scores predictions.
    """

    def __init__(self, program: Module, examples: Sequence[Example], scoring: Scoring) -> None:
        self._program = program
        self._longest = max(examples, key=lambda example: len(str(example.to_dict())))
        self._scoring = scoring
        self._fits: float = SHORT
        self._too_long = math.inf

    async def halve_until_it_fits(self, candidate: Candidate) -> tuple[Candidate, str]:
        """Return a candidate that fits, and a note on what was removed; empty if nothing was.

        Raises:
            BudgetExceeded: The budget ended first.
        """
        program = candidate.apply(self._program)
        shown = count_demos(program)
        note = ""
        while (length := measure_demos(program)) > self._fits:
            if length < self._too_long:
                (rows,) = await run_rows([Job(program, [self._longest])], self._scoring, 1)
                if not is_too_long(rows[0]):
                    self._fits = length
                    break
                self._too_long = length
                # In such a small window even short demonstrations have to be tested.
                self._fits = self._fits if self._fits > SHORT else 0.0
            candidate = self._halve(candidate, program)
            program = candidate.apply(self._program)
            note = (
                f"{shown} demonstrations do not fit into the model's context window: "
                f"{count_demos(program)} are kept"
            )
        return candidate, note

    def _halve(self, candidate: Candidate, program: Module) -> Candidate:
        values = dict(candidate.parameters)
        for path, predictor in program.predictors().items():
            values[f"{path}.demos"] = predictor.demos[: len(predictor.demos) // 2]
            if predictor.nearest is not None:
                fewer = predictor.nearest.k // 2
                values[f"{path}.nearest"] = predictor.nearest.with_k(fewer) if fewer else None
        halved = Candidate.of(self._program, values, candidate.label)
        return replace(halved, label=f"{candidate.label} (fewer demonstrations)")


def count_demos(program: Module) -> int:
    """Return the number of demonstrations in a program."""
    return sum(
        len(predictor.demos) + (predictor.nearest.k if predictor.nearest is not None else 0)
        for predictor in program.predictors().values()
    )


def measure_demos(program: Module) -> int:
    """Return the length in characters of the longest demonstrations of a predictor."""
    return max(
        (
            sum(len(str(value)) for demo in predictor.demos for value in demo.values())
            + (predictor.nearest.longest if predictor.nearest is not None else 0)
            for predictor in program.predictors().values()
        ),
        default=0,
    )


def is_too_long(row: Row) -> bool:
    """Return whether a row failed because a prompt exceeded the context window."""
    return row.failure is not None and any(
        step.failed_with is not None and issubclass(step.failed_with, ContextWindowError)
        for step in row.trace
    )
