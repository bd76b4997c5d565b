"""What a user can do where many replies could not be read."""

from __future__ import annotations

from collections.abc import Sequence

from langprog.adapters import AUTO
from langprog.evaluation.report import Row
from langprog.modules import Module, Predict
from langprog.runtime import adapter_for, current

# Fewer may be chance, or a few odd rows.
FEWEST = 5
SMALLEST_SHARE = 0.3


def advice_on(program: Module, rows: Sequence[Row]) -> str:
    """Return what to try where many replies were unreadable in a form that nobody chose; else "".

    A model that keeps to no form by itself may well do so where its endpoint holds it to a schema,
    which ``auto`` asks for only where it knows that.

    Args:
        program: What was evaluated; the settings in force are those of its calls.
        rows: What came out.
    """
    unreadable = [
        row.failure.path for row in rows if row.failure is not None and row.failure.kind == "parse"
    ]
    if len(unreadable) < max(FEWEST, SMALLEST_SHARE * len(rows)):
        return ""
    predictors = program.predictors()
    failed = [predictors[path] for path in dict.fromkeys(unreadable) if path in predictors]
    if not any(map(_chat_by_default, failed)):
        return ""
    return (
        f"{len(unreadable)} of {len(rows)} replies could not be read in the form of the adapter "
        "'chat', which is the default: if the endpoint can hold its model to a JSON schema, say "
        "so with lp.LM(..., schema=True), or use adapter='json'"
    )


def _chat_by_default(predictor: Predict) -> bool:
    adapter = current().adapter if predictor.adapter is None else predictor.adapter
    return adapter == AUTO and adapter_for(adapter, predictor.model).name == "chat"
