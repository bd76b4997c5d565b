"""What was measured at different times is not compared."""

from __future__ import annotations

import langprog as lp
from langprog.evaluation import Measured, Row
from langprog.lm import FROM_CACHE, Completion
from langprog.modules import RunUsage, TraceStep


def row(*origins: str, seconds: float = 1.0, dollars: float = 1.0) -> Row:
    completions = tuple(
        Completion(("a",), "m", latency=seconds, timed_in=origin, priced_in=origin)
        for origin in origins
    )
    step = TraceStep("p", {}, {}, (), completions)
    usage = RunUsage(calls=len(origins), dollars=dollars)
    return Row(0, lp.Example(x="a"), lp.Prediction(y=1), lp.Score(1.0), None, usage, (step,))


def smaller(before: Row, after: Row) -> tuple[int, int]:
    measured = Measured([before], [after], ["a"])
    return measured.seconds.smaller, measured.dollars.smaller


def test_only_what_was_measured_in_one_session_is_compared() -> None:
    quick = {"seconds": 0.1, "dollars": 0.1}
    assert smaller(row("", ""), row("", **quick)) == (1, 1)
    assert smaller(row("session 1"), row("session 1", **quick)) == (1, 1)
    assert smaller(row("session 1"), row("", **quick)) == (0, 0)
    assert smaller(row(""), row("", "session 1", **quick)) == (0, 0)
    assert smaller(row(FROM_CACHE), row(FROM_CACHE, **quick)) == (0, 0)
    measured = Measured([row(""), row("")], [row("session 1"), row("")], ["a", "b"])
    assert measured.count_unmeasured("latency") == measured.count_unmeasured("cost") == 1


def test_a_row_without_a_score_has_no_cost() -> None:
    lost = Row(0, lp.Example(x="a"), None, None, None, RunUsage(dollars=0.0))
    assert smaller(row(""), lost) == (0, 0)
