"""Finds rows that a metric cannot score, before anything is paid for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from langprog.errors import MetricError
from langprog.evaluation.metric_errors import NameRow, name_example
from langprog.example import Example
from langprog.modules import Module


def check_scorable(
    metric: Any, program: Module, examples: Sequence[Example], name_row: NameRow = name_example
) -> None:
    """Check that a metric will find the fields that it compares.

    Metrics that are ready-made know them; a function of the user's own is taken at its word.

    Args:
        metric: The metric; asked if it has a method ``check_row(example, outputs)``.
        program: The program that will be scored.
        examples: The rows.
        name_row: Returns the name of a row in messages.

    Raises:
        MetricError: A row or the program lacks a field; names the row.
    """
    check = getattr(metric, "check_row", None)
    if check is None:
        return
    outputs = _all_outputs(program)
    for index, example in enumerate(examples):
        try:
            check(example, outputs)
        except MetricError as error:
            place = name_row(index, example)
            raise MetricError(f"the metric cannot score {place}: {error}") from None


def _all_outputs(program: Module) -> Collection[str] | None:
    """Return the names of all outputs; ``None`` where the program may return others as well.

    What a module of the user's own declares is what a predictor inside asks for by default: its
    ``forward`` returns what it likes.
    """
    if type(program).outputs is Module.outputs:
        return None
    return tuple(program.outputs)
