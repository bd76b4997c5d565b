"""Runs of a program without caches, as plain data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_jsonable_python

from langprog.errors import BudgetExceeded, LMError, TruncatedError
from langprog.evaluation import Report, Row, aevaluate
from langprog.lm import LanguageModel, Ledger, redact, without_cache
from langprog.modules import Module, TraceStep
from langprog.runtime import using

# A run: {"end": reply, "steps": [[path, prompt, reply], ...]}, with replies as JSON text.
Run = dict[str, Any]


async def run_uncached(
    program: Module,
    rows: Sequence[Mapping[str, Any]],
    *,
    ledger: Ledger,
    lm: LanguageModel | str | None,
    concurrency: int,
) -> Report:
    """Run a program on rows of inputs, past every cache; the scores mean nothing.

    Raises:
        InputError: A row lacks an input or does not fit it.
        LMError: As for :func:`langprog.evaluate`.
    """
    with using(wrap=without_cache):
        return await aevaluate(
            program, [dict(row) for row in rows], _score, budget=ledger, lm=lm,
            concurrency=concurrency,
        )  # fmt: skip


def _score(example: object, prediction: object) -> float:
    return 1.0


def run_of(row: Row) -> Run | None:
    """Return a run as plain data; ``None`` if it is missing: an outage, or a spent budget."""
    if row.failure is not None and row.failure.missing:
        return None
    outputs = None if row.prediction is None else row.prediction.to_dict()
    kind = "" if row.failure is None else row.failure.kind
    steps = [
        [step.path, _prompt_digest(step), _reply_of_step(step)]
        for step in row.trace
        if step.listed and step.completions and not _is_missing(step)
    ]
    return {"end": as_reply(outputs, kind), "steps": steps}


def as_reply(outputs: Mapping[str, Any] | None, failure: str) -> str:
    """Return a reply as JSON text, without secrets.

    Args:
        outputs: Its outputs by name; ``None`` if it failed.
        failure: What kind of failure it was.
    """
    data = {"failure": failure} if outputs is None else {"outputs": plain(outputs)}
    return json.dumps(_without_secrets(data), sort_keys=True, ensure_ascii=False)


def plain(value: Any) -> Any:
    """Return a value as JSON data."""
    return to_jsonable_python(value, fallback=repr, inf_nan_mode="strings")


def _reply_of_step(step: TraceStep) -> str:
    if step.failure is None:
        return as_reply(step.outputs, "")
    return as_reply(None, "" if step.failed_with is None else step.failed_with.__name__)


def _is_missing(step: TraceStep) -> bool:
    kind = step.failed_with
    if step.failure is None or kind is None:
        return step.failure is not None  # cancelled
    return issubclass(kind, (LMError, BudgetExceeded)) and not issubclass(kind, TruncatedError)


def _prompt_digest(step: TraceStep) -> str:
    prompt = [[message.role, plain(message.content)] for message in step.messages]
    return hashlib.sha256(json.dumps(prompt, sort_keys=True).encode()).hexdigest()[:16]


def _without_secrets(data: Any) -> Any:
    if isinstance(data, str):
        return redact(data)
    if isinstance(data, dict):
        return {redact(key): _without_secrets(value) for key, value in data.items()}
    return [_without_secrets(item) for item in data] if isinstance(data, list) else data
