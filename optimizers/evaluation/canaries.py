"""Replies of a compiled program that its artifact keeps, for ``langprog verify``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langprog import Module, using
from langprog.errors import LangprogError
from langprog.verification import REPLIES, arecord_canaries
from optimizers.evaluation.recording import ModelRecorder
from optimizers.events import Reporter
from optimizers.request import CompileRequest

Canaries = tuple[Mapping[str, Any], ...]


async def record_replies(
    program: Module,
    request: CompileRequest,
    recorder: ModelRecorder,
    concurrency: int,
    reporter: Reporter,
) -> Canaries:
    """Return a program's replies to the first rows of the holdout, each asked several times.

    If that fails, or the budget ends, a note says why, and there are none: what was certified
    stays certified.

    Args:
        program: The program that ships.
        request: The arguments of the compile.
        recorder: Keeps the calls, so that a resumed compile pays for none twice.
        concurrency: Runs at the same time.
        reporter: Takes the note.
    """
    count, rows = request.canaries, request.parts.holdout + request.parts.validation
    if not count:
        return ()
    try:
        with using(wrap=recorder.each):
            canaries = await arecord_canaries(
                program, rows, n=count, replies=REPLIES, concurrency=concurrency
            )
    except LangprogError as error:
        reporter.note(f"no canaries were recorded: {error}", warning=True)
        return ()
    return tuple(canaries)
