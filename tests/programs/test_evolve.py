"""The scheduler decides, the module simulates."""

from __future__ import annotations

import shutil

import pytest

import langprog as lp
from benchmarks.programs.scripted.evolve import EARLIEST_END
from langprog.errors import CodeError
from programs.evolve import Schedule, examples, find_end, metric

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed"
)


def test_better_code_ends_earlier_and_the_best_schedule_is_the_best() -> None:
    row = examples()[0]
    scores = []
    for code in (Schedule().code, EARLIEST_END):
        scores.append(metric(row, Schedule(code)(jobs=row.jobs, speeds=row.speeds)).value)
    assert scores[0] < scores[1] <= 1.0
    assert find_end([4, 2], [2, 1], [0, 1]) == 2.0
    for each in examples(20):
        best = find_end(each.jobs, each.speeds, each.machines)
        assert best >= sum(each.jobs) / sum(each.speeds) - 1e-9


@pytest.mark.parametrize("returned", ["2", "-1", "True", "'0'", "None"])
def test_a_decision_that_is_none_fails(returned: str) -> None:
    code = f"def choose(loads, speeds, job):\n    return {returned}"
    with pytest.raises(CodeError, match="is not a machine"):
        Schedule(code)(jobs=[1], speeds=[1, 2])


def test_a_scheduler_that_fails_is_the_program_s_failure() -> None:
    row = examples()[0]
    report = lp.evaluate(
        Schedule("def choose(loads, speeds, job):\n    return 1 / 0"), [row], metric
    )
    failure = report.rows[0].failure
    assert failure is not None and failure.kind == "error" and "ZeroDivision" in failure.message
    assert report.rows[0].score is not None and report.rows[0].score.value == 0
