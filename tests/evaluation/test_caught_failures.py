"""What a program or a metric catches is still no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

import langprog as lp
from langprog.errors import (
    AuthError,
    BudgetExceeded,
    LMError,
    MetricError,
    ParseError,
    ServerError,
)

ROWS = [lp.Example(ticket=f"ticket {n}", team="a") for n in range(12)]


class Careful(lp.Module):
    """Catches everything, and asks again as often as it is told."""

    def __init__(self, tries: int = 1) -> None:
        self.answer = lp.Predict("ticket -> team")
        self.tries = tries

    def forward(self, ticket: str) -> dict[str, str]:
        for _ in range(self.tries):
            try:
                return {"team": self.answer(ticket=ticket).team}
            except Exception:  # noqa: BLE001 - what is tested
                continue
        return {"team": "unknown"}


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def failing(error: Callable[[], Exception], times: int = 99) -> lp.ScriptedLM:
    """A model that fails on half of the tickets, each so many times."""
    seen: dict[str, int] = {}

    def reply(request: lp.Request) -> str | Exception:
        ticket = str(request.messages[-1].content)
        if int(ticket.split()[-1]) % 2:
            seen[ticket] = seen.get(ticket, 0) + 1
            if seen[ticket] <= times:
                return error()
        return "[[team]]\na"

    return lp.ScriptedLM(reply)


def test_an_outage_behind_a_try_is_missing_data() -> None:
    lm = failing(lambda: ServerError("503", model="s"))
    report = lp.evaluate(Careful(), ROWS, right, lm=lm)
    assert report.n_scored == report.n_missing == 6
    assert report.failures_by_kind == {"transport": 6}
    failure = next(row.failure for row in report.rows if row.failure is not None)
    assert "the program caught a failed call of 'answer': 503" in failure.message


class Careless(Careful):
    """Catches everything, and fails itself without an answer."""

    def forward(self, ticket: str) -> dict[str, str]:
        answer = None
        try:
            answer = self.answer(ticket=ticket)
        except Exception:  # noqa: BLE001 - what is tested
            pass
        if answer is None:
            raise KeyError("no answer") from None
        return {"team": answer.team}


def test_a_program_that_fails_for_want_of_a_reply_is_not_wrong() -> None:
    lm = failing(lambda: ServerError("503", model="s"))
    report = lp.evaluate(Careless(), ROWS, right, lm=lm)
    assert report.n_scored == report.n_missing == 6
    assert report.failures_by_kind == {"transport": 6}


def test_a_call_that_was_made_again_and_answered_is_an_answer() -> None:
    lm = failing(lambda: ServerError("503", model="s"), times=1)
    report = lp.evaluate(Careful(tries=2), ROWS, right, lm=lm)
    assert report.mean == 1.0 and report.n_missing == 0


def test_a_wrong_key_behind_a_try_stops_the_evaluation() -> None:
    lm = failing(lambda: AuthError("wrong key", model="s"))
    with pytest.raises(AuthError, match="the program caught a failed call"):
        lp.evaluate(Careful(), ROWS, right, lm=lm)


def test_a_spent_budget_behind_a_try_is_missing_data() -> None:
    lm = lp.ScriptedLM(lambda request: "[[team]]\na")
    report = lp.evaluate(Careful(), ROWS, right, lm=lm, budget=lp.Budget(calls=5))
    assert report.n_scored == 5 and report.failures_by_kind == {"budget": 7}


def test_an_unreadable_reply_behind_a_try_is_the_programs_own_business() -> None:
    class Number(Careful):
        def __init__(self) -> None:
            super().__init__()
            self.answer = lp.Predict("ticket -> team: int")

    report = lp.evaluate(Number(), ROWS, right, lm=lp.ScriptedLM(lambda request: "none"))
    assert report.n_scored == 12 and report.mean == 0.0


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("error", [ServerError("503", model="s"), BudgetExceeded("spent")])
def test_an_outage_of_a_judge_that_the_metric_catches_is_missing_data(
    error: LMError, fails: bool
) -> None:
    judge = lp.Predict("team -> ok: bool")

    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        try:
            return float(judge(team=prediction.team).ok)
        except Exception:  # noqa: BLE001 - what is tested
            if fails:
                raise KeyError("no verdict") from None
            return 0.0

    def reply(request: lp.Request) -> str | Exception:
        asks_judge = "[[ok]]" in str(request.messages[0].content)
        return error if asks_judge else "[[team]]\na"

    report = lp.evaluate(lp.Predict("ticket -> team"), ROWS, metric, lm=lp.ScriptedLM(reply))
    assert report.n_scored == 0
    assert all("the metric caught" in row.failure.message for row in report.rows if row.failure)


def test_a_metric_that_raises_on_a_few_rows_costs_these_rows() -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        if example.ticket in ("ticket 3", "ticket 7"):
            raise KeyError("rare")
        return 1.0

    program, lm = lp.Predict("ticket -> team"), lp.ScriptedLM(lambda request: "[[team]]\na")
    report = lp.evaluate(program, ROWS, metric, lm=lm, max_errors=2)
    assert report.failures_by_kind == {"metric": 2} and report.n_scored == 10
    for limit in (0, 1):
        with pytest.raises(MetricError, match=r"example [48] \(ticket='ticket [37]'\): KeyError"):
            lp.evaluate(program, ROWS, metric, lm=lm, max_errors=limit)


def test_what_is_no_score_is_an_error_however_many_errors_are_allowed() -> None:
    program, lm = lp.Predict("ticket -> team"), lp.ScriptedLM(lambda request: "[[team]]\na")
    for wrong in (None, "good", 7):
        with pytest.raises(MetricError):
            lp.evaluate(program, ROWS, lambda e, p, w=wrong: w, lm=lm, max_errors=99)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (ServerError("503: down", model="m/x"), ("transport", "503: down")),
        (ParseError("no answer in the reply"), ("parse", "no answer in the reply")),
        (ValueError("not a date"), ("error", "ValueError: not a date")),
    ],
)
def test_a_failure_in_a_task_group_is_told_by_its_own_words(
    raised: Exception, said: tuple[str, str]
) -> None:
    class Both(lp.Module):
        signature = "q -> a"

        async def aforward(self, q: str) -> dict[str, str]:
            async def fail() -> None:
                raise raised

            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
                group.create_task(asyncio.sleep(0))
            return {"a": q}

    report = lp.evaluate(Both(), [lp.Example(q="x", a="x")], lambda example, prediction: 1.0)
    failure = report.rows[0].failure
    assert failure is not None and (failure.kind, failure.message) == said
