"""Candidates whose demonstrations are longer than their model reads, and what is done about it."""

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

# Demonstrations of fewer characters fit wherever the bare prompt does.
SHORT = 500


class ContextFit:
    """Finds out, with one query each, whether demonstrations fit, and halves them until they do.

    Args:
        program: The program that candidates are applied to.
        examples: Examples to try; the longest one is.
        scoring: Scores what is run.
    """

    def __init__(self, program: Module, examples: Sequence[Example], scoring: Scoring) -> None:
        self._program = program
        self._longest = max(examples, key=lambda example: len(str(example.to_dict())))
        self._scoring = scoring
        self._fits: float = SHORT
        self._too_long = math.inf

    async def halve_until_it_fits(self, candidate: Candidate) -> tuple[Candidate, str]:
        """Return a candidate that fits, and what was done to it in words, empty where nothing.

        Raises:
            BudgetExceeded: The budget ended before.
        """
        program = candidate.apply(self._program)
        shown = count_demos(program)
        said = ""
        while (length := measure_demos(program)) > self._fits:
            if length < self._too_long:
                (rows,) = await run_rows([Job(program, [self._longest])], self._scoring, 1)
                if not is_too_long(rows[0]):
                    self._fits = length
                    break
                self._too_long = length
                # So small a window makes even short demonstrations worth a try.
                self._fits = self._fits if self._fits > SHORT else 0.0
            candidate = self._halve(candidate, program)
            program = candidate.apply(self._program)
            said = (
                f"{shown} demonstrations are longer than the model's context window: "
                f"{count_demos(program)} are left"
            )
        return candidate, said

    def _halve(self, candidate: Candidate, program: Module) -> Candidate:
        values = dict(candidate.parameters)
        for path, predictor in program.predictors().items():
            values[f"{path}.demos"] = predictor.demos[: len(predictor.demos) // 2]
        halved = Candidate.of(self._program, values, candidate.label)
        return replace(halved, label=f"{candidate.label} (fewer demonstrations)")


def count_demos(program: Module) -> int:
    """Return how many demonstrations a program shows in all."""
    return sum(len(predictor.demos) for predictor in program.predictors().values())


def measure_demos(program: Module) -> int:
    """Return the characters of the demonstrations of the predictor that shows most."""
    return max(
        (
            sum(len(str(value)) for demo in predictor.demos for value in demo.values())
            for predictor in program.predictors().values()
        ),
        default=0,
    )


def is_too_long(row: Row) -> bool:
    """Return whether a row failed because a prompt was longer than the model reads."""
    return row.failure is not None and any(
        step.failed_with is not None and issubclass(step.failed_with, ContextWindowError)
        for step in row.trace
    )
