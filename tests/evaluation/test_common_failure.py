from __future__ import annotations

import langprog as lp
from langprog.evaluation import BROKEN, Failure, FailureKind, Row, find_common_failure
from langprog.modules import RunUsage


def rows(good: int, failed: int, kind: FailureKind = "error") -> list[Row]:
    example = lp.Example(x="a")
    right = Row(0, example, lp.Prediction(y=1), lp.Score(1.0), None, RunUsage())
    wrong = Row(0, example, None, lp.Score(0.0), Failure(kind, "down"), RunUsage())
    return [right] * good + [wrong] * failed


def test_all_of_a_few_or_nearly_all_of_many() -> None:
    assert find_common_failure(rows(0, 4)) is None
    assert find_common_failure(rows(0, 5)) == "5 of 5 runs failed in one way (error: down)"
    assert find_common_failure(rows(1, 18)) is None
    assert "95 of 100" in (find_common_failure(rows(5, 95)) or "")
    assert find_common_failure(rows(6, 94)) is None
    assert find_common_failure(rows(50, 0)) is None


def test_unreadable_replies_are_not_broken() -> None:
    assert find_common_failure(rows(0, 9, "parse"), BROKEN) is None
    assert find_common_failure(rows(0, 9, "parse")) is not None
