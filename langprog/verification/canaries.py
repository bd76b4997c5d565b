"""Recording what a program answers, so that a later change can be found."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from langprog.artifact import read_artifact, write_canaries
from langprog.errors import InputError, LangprogError
from langprog.example import Rows, examples_of
from langprog.knobs import check_argument, takes_whole
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.modules import Module
from langprog.runtime import run_sync
from langprog.verification.runs import plain, run_of, run_uncached

# Bytes of all canaries of an artifact.
LARGEST = 4 * 2**20
# How often each is asked: the more, the sooner a change is found later.
REPLIES = 4
MOST_ROWS = 1000


def record_canaries(
    program: Module | str | os.PathLike[str],
    data: Rows,
    *,
    n: int = 20,
    replies: int = REPLIES,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    concurrency: int = 8,
    save_to: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """Run a program several times on some rows, past every cache, and return what it answered.

    Args:
        program: An artifact, into which the canaries are written; or a program.
        data: Rows with the program's inputs; the first ``n`` different ones are used.
        n: How many.
        replies: How often each is asked: the more, the sooner a change is found later.
        budget: A hard cap on all calls made here.
        lm: Model for the predictors that do not name one.
        concurrency: Runs at the same time.
        save_to: Another artifact of the same program, into which the canaries are written: for a
            program that needs more than its file to load.

    Returns:
        The canaries, for ``verify(program, canaries=...)``.

    Raises:
        InputError: The rows do not fit the program, or the canaries are too large.
        ArtifactError: An artifact cannot be read or written, or an input looks like a secret.
        LangprogError: Too many runs were lost to outages or to the budget; nothing is written.
    """
    check_argument("record_canaries", "n", n, takes_whole(1, MOST_ROWS))
    check_argument("record_canaries", "replies", replies, takes_whole(2, 32))
    loaded = program if isinstance(program, Module) else read_artifact(program).program()
    target = save_to if isinstance(program, Module) else save_to or program
    canaries = run_sync(
        arecord_canaries(
            loaded, data, n=n, replies=replies, budget=budget, lm=lm, concurrency=concurrency
        )
    )
    if target is not None:
        write_canaries(target, canaries)
    return canaries


async def arecord_canaries(
    program: Module,
    data: Rows,
    *,
    n: int,
    replies: int,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    concurrency: int = 8,
) -> list[dict[str, Any]]:
    """Record canaries, and write them nowhere; arguments as for :func:`record_canaries`."""
    rows = _choose_inputs(program, data, n)
    ledger = budget if isinstance(budget, Ledger) else Ledger(budget or Budget())
    # One run of every row after another: the replies to a row are then not of one moment.
    report = await run_uncached(
        program, rows * replies, ledger=ledger, lm=lm, concurrency=concurrency
    )
    runs = [run_of(row) for row in report.rows]
    canaries = []
    for index, inputs in enumerate(rows):
        known = [run for run in runs[index :: len(rows)] if run is not None]
        if len(known) >= 2:
            canaries.append({"inputs": inputs, "runs": known})
    if len(canaries) < len(rows):
        lost = next((row.failure.message for row in report.rows if row.failure), "")
        raise LangprogError(
            f"{len(rows) - len(canaries)} of {len(rows)} canaries have fewer than two replies, so "
            f"nothing was recorded: {lost}"
        )
    if len(json.dumps(canaries)) > LARGEST:
        raise InputError(
            f"the canaries would be larger than {LARGEST // 2**20} MB: record fewer rows (n=), or "
            "fewer replies (replies=)"
        )
    return canaries


def _choose_inputs(program: Module, data: Rows, n: int) -> list[dict[str, Any]]:
    names = program.input_names()
    rows: dict[str, dict[str, Any]] = {}
    for example in examples_of(data):
        inputs = {name: plain(example[name]) for name in names if name in example}
        rows.setdefault(json.dumps(inputs, sort_keys=True), inputs)
        if len(rows) == n:
            break
    if not rows:
        raise InputError("there are no rows to record")
    return list(rows.values())


def check_canaries(canaries: object, place: str) -> list[Mapping[str, Any]]:
    """Return canaries after checking their form.

    Raises:
        InputError: There are none, or they are something else.
    """
    if not canaries:
        raise InputError(
            f"{place} has no canaries to compare with: record some while the model is trusted, "
            "langprog verify ARTIFACT --record --data rows.jsonl"
        )
    if not isinstance(canaries, list) or not all(map(_is_canary, canaries)):
        raise InputError(f"the canaries of {place} have no recorded replies: record them again")
    return canaries


def _is_canary(row: Any) -> bool:
    if not isinstance(row, Mapping) or not isinstance(row.get("inputs"), Mapping):
        return False
    runs = row.get("runs")
    return isinstance(runs, list) and len(runs) > 0 and all(map(is_run, runs))


def is_run(run: Any) -> bool:
    """Return whether JSON data is a run."""
    if not isinstance(run, Mapping) or not isinstance(run.get("end"), str):
        return False
    steps = run.get("steps")
    return isinstance(steps, list) and all(
        isinstance(step, list) and len(step) == 3 and all(isinstance(part, str) for part in step)
        for step in steps
    )
