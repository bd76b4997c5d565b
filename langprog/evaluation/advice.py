"""Advice for runs where many replies could not be read, or labels not compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langprog.adapters import AUTO
from langprog.errors import InputError, SignatureError
from langprog.evaluation.report import Row
from langprog.modules import Module, Predict
from langprog.runtime import adapter_for, current
from langprog.signature import FieldSpec

# Fewer may be chance, or a few odd rows.
FEWEST = 5
SMALLEST_SHARE = 0.3


def advice_on(program: Module, rows: Sequence[Row], lowest: float) -> str:
    """Return advice if the figures say little about the program; else "".

    Args:
        program: The evaluated program; the current settings must be those of its calls.
        rows: The results.
        lowest: The lowest score of the metric.
    """
    about = (_about_replies(program, rows), advice_on_labels(program, rows, lowest))
    return "; ".join(filter(None, about))


def advice_on_labels(program: Module, rows: Sequence[Row], lowest: float) -> str:
    """Return advice on labels that no answer can equal because they have another type; else "".

    Args:
        program: The evaluated program.
        rows: The results.
        lowest: The lowest score of the metric: where it gave more, it made something of a label.
    """
    try:
        fields = program.outputs
    except SignatureError:  # a custom module need not declare its outputs
        return ""
    for name, field in fields.items():
        labelled = [row for row in rows if name in row.example]
        unfit = [row for row in labelled if _is_unfit(field, row.example[name])]
        scores = [row.score.value for row in unfit if row.score is not None]
        if scores and max(scores) <= lowest:
            return (
                f"{len(unfit)} of {len(labelled)} labels {name!r} are not of the type that the "
                f"program declares ({field.type_phrase or 'text'}), such as "
                f"{unfit[0].example[name]!r:.60}: an answer equals none of them"
            )
    return ""


def _is_unfit(field: FieldSpec, label: Any) -> bool:
    # A list may hold several right answers; without a label nothing is compared.
    if label is None or isinstance(label, list) or type(label) is field.exact:
        return False
    try:
        field.from_row(label)
    except InputError:
        return True
    return False


def _about_replies(program: Module, rows: Sequence[Row]) -> str:
    """Return advice if many replies were unreadable in the default format; else "".

    A model that follows no format by itself may do so if its endpoint enforces a schema, which
    ``auto`` requests only from models known to support it.
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
