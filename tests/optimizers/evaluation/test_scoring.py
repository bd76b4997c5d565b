"""Failures of a compile's runs, and what full marks are."""

from __future__ import annotations

import asyncio

import pytest

import langprog as lp
from langprog.errors import TransportError
from langprog.evaluation import Failure, FailureKind, Row
from langprog.modules import RunUsage
from optimizers.evaluation.scoring import FailureLog, ProgramError, Scoring

EXAMPLE = lp.Example(x="a")


def failed(kind: FailureKind) -> Row:
    score = None if kind in ("transport", "metric", "judge") else lp.Score(0.0)
    return Row(0, EXAMPLE, None, score, Failure(kind, "the reason"), RunUsage())


def answered() -> Row:
    return Row(0, EXAMPLE, lp.Prediction(y=1), lp.Score(1.0), None, RunUsage())


@pytest.mark.parametrize(
    ("kind", "error"),
    [("error", ProgramError), ("refused", ProgramError), ("transport", TransportError)],
)
def test_runs_that_all_fail_for_one_reason_end_the_compile(
    kind: FailureKind, error: type[Exception]
) -> None:
    log = FailureLog()
    asyncio.run(log.add([failed(kind)] * 4))  # may be chance
    with pytest.raises(error, match="all of the first 6 runs of the program failed: the reason"):
        asyncio.run(log.add([failed(kind)] * 2))


def test_a_program_that_breaks_on_nearly_all_of_twenty_rows_ends_the_compile() -> None:
    with pytest.raises(ProgramError, match="19 of the first 20 runs .* in the same way"):
        asyncio.run(FailureLog().add([*[failed("error")] * 19, answered()]))
    asyncio.run(FailureLog().add([*[failed("error")] * 18, answered(), answered()]))


def test_unreadable_replies_are_tried_in_other_forms_once() -> None:
    tried: list[FailureKind] = []

    async def try_others(problem: str, kind: FailureKind) -> None:
        tried.append(kind)

    log = FailureLog(try_others)
    for _ in range(3):
        asyncio.run(log.add([failed("parse")] * 5))
    assert tried == ["parse"]
    assert log.describe() == "15 of 15 runs failed: 15 parse (the reason)"


def test_a_run_that_succeeded_settles_it() -> None:
    log = FailureLog()
    asyncio.run(log.add([answered(), *[failed("error")] * 5]))
    asyncio.run(log.add([failed("error")] * 50))


def test_full_marks_are_the_end_of_the_range() -> None:
    grade = lp.metric(range=(1, 5))(lambda example, prediction: 5)
    assert [Scoring(grade).is_full(value) for value in (1.0, 4.9, 5.0)] == [False, False, True]
    assert Scoring(lambda example, prediction: 1.0).is_full(1.0)
