from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import langprog as lp
from langprog.errors import AuthError, InputError, MetricError, RateLimitError
from langprog.evaluation import aevaluate, all_of, contains, exact, f1, judged, numeric
from langprog.lm import Budgeted

DATA = [lp.Example(ticket=f"ticket {i}", team="a" if i % 2 else "b") for i in range(10)]


def teacher(request: lp.Request) -> str:
    number = int(request.messages[-1].content.split()[-1])
    return f"[[team]]\n{'a' if number % 2 or number == 4 else 'b'}"


def program() -> lp.Predict:
    return lp.Predict("ticket -> team")


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


def test_rows_are_scored_in_the_datas_order() -> None:
    report = lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(teacher))
    assert [row.index for row in report.rows] == list(range(10))
    assert report.mean == pytest.approx(0.9)
    assert report.interval is not None and report.interval[0] < 0.9 < report.interval[1]
    assert [row.index for row in report.rows if row.score and row.score.value == 0] == [4]
    assert report.calls == 10 and report.dollars == 0.0
    assert "0.900" in str(report)
    assert json.loads(json.dumps(report.to_json()))["scored"] == 10


def test_a_failure_on_the_way_is_missing_data_and_never_a_zero() -> None:
    def flaky(request: lp.Request) -> Any:
        if request.messages[-1].content.endswith("ticket 3"):
            return RateLimitError("slow down")
        return teacher(request)

    report = lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(flaky))
    assert report.n_missing == 1 and report.n_scored == 9
    assert report.failures_by_kind == {"transport": 1}
    assert report.rows[3].score is None
    assert report.mean == pytest.approx(8 / 9)


def test_an_unreadable_reply_and_broken_code_score_zero_and_are_told_apart() -> None:
    class Shaky(lp.Module):
        def __init__(self) -> None:
            self.step = lp.Predict("ticket -> hours: int")

        def forward(self, ticket: str) -> Any:
            if ticket.endswith("1"):
                raise KeyError("broken on purpose")
            return self.step(ticket=ticket)

    data = [lp.Example(ticket=f"ticket {i}", hours=1) for i in range(3)]
    script = lp.ScriptedLM(lambda r: "[[hours]]\n" + ("1" if "ticket 0" in str(r) else "soon"))
    report = lp.evaluate(Shaky(), data, exact("hours"), lm=script)
    assert report.failures_by_kind == {"error": 1, "parse": 1}
    assert report.mean == pytest.approx(1 / 3)
    failed = report.rows[2].failure
    assert failed is not None and failed.path == "step" and "soon" in failed.message
    assert report.rows[2].trace[0].repairs == 1


def test_a_wrong_key_stops_the_run() -> None:
    with pytest.raises(AuthError, match="key"):
        lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(lambda r: AuthError("wrong key")))


def test_a_metric_that_raises_stops_the_run_and_names_the_example() -> None:
    def broken(example: lp.Example, prediction: lp.Prediction) -> bool:
        return bool(example.colour == "red")

    with pytest.raises(MetricError, match=r"example 1 \(ticket='ticket 0'\): AttributeError"):
        lp.evaluate(program(), DATA[:1], broken, lm=lp.ScriptedLM(teacher))


def test_wrong_metrics_and_data_are_refused_before_any_call() -> None:
    lm = lp.ScriptedLM(teacher)
    with pytest.raises(MetricError, match=r"metric\(example, prediction\)"):
        lp.evaluate(program(), DATA, lambda example: True, lm=lm)  # type: ignore[arg-type, misc]  # the mistake under test
    with pytest.raises(InputError, match="example 1 has no field 'ticket'"):
        lp.evaluate(program(), [lp.Example(text="x")], right, lm=lm)
    with pytest.raises(InputError, match="no examples"):
        lp.evaluate(program(), [], right, lm=lm)
    assert lm.calls == 0


def test_metrics_may_be_async_or_call_a_program() -> None:
    async def slow(example: lp.Example, prediction: lp.Prediction) -> float:
        await asyncio.sleep(0)
        return 0.5

    assert lp.evaluate(program(), DATA, slow, lm=lp.ScriptedLM(teacher)).mean == 0.5

    judge = lp.Predict("ticket, team, wanted_team -> score: bool, feedback")

    def both(request: lp.Request) -> str:
        if "[[score]]" in request.messages[0].content:
            last = request.messages[-1].content.split("\n")
            same = last[last.index("[[team]]") + 1] == last[last.index("[[wanted_team]]") + 1]
            return f"[[score]]\n{str(same).lower()}\n[[feedback]]\nlooked at it"
        return teacher(request)

    report = lp.evaluate(program(), DATA, judged(judge), lm=lp.ScriptedLM(both))
    assert report.mean == pytest.approx(0.9)
    assert report.rows[0].score is not None and report.rows[0].score.feedback == "looked at it"


def test_concurrency_is_bounded_and_used() -> None:
    running, most = 0, 0

    class Counting:
        name, endpoint, defaults = "test/counting", "in-process", lp.Sampling()

        async def complete(self, request: lp.Request) -> lp.Completion:
            nonlocal running, most
            running += 1
            most = max(most, running)
            for _ in range(5):
                await asyncio.sleep(0)
            running -= 1
            return lp.Completion(("[[team]]\na",), self.name)

        async def aclose(self) -> None: ...

    asyncio.run(aevaluate(program(), DATA, right, concurrency=4, lm=Counting()))
    assert most == 4


def test_rows_beyond_the_budget_are_missing() -> None:
    paid = Budgeted(lp.ScriptedLM(teacher))
    report = lp.evaluate(program(), DATA, right, lm=paid, budget=lp.Budget(calls=6))
    assert report.n_scored == 6 and report.failures_by_kind == {"budget": 4}


def test_compare_is_paired() -> None:
    good = lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(teacher))
    bad = lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(lambda r: "[[team]]\na"))
    comparison = lp.compare(bad, good)
    assert comparison.difference == pytest.approx(0.4)
    assert (comparison.wins, comparison.losses, comparison.ties) == (4, 0, 6)
    assert comparison.p_greater == pytest.approx(1 / 16)
    assert comparison.interval[0] < 0.4 < comparison.interval[1]
    with pytest.raises(InputError, match="rows"):
        lp.compare(good, lp.evaluate(program(), DATA[:3], right, lm=lp.ScriptedLM(teacher)))


def score(metric: Any, wanted: Any, given: Any) -> float:
    result = metric(lp.Example(x=wanted), lp.Prediction(x=given))
    return float(result.value)


def test_ready_metrics() -> None:
    assert score(exact("x"), "Billing", " billing") == 1
    assert score(exact(), 3, 3) == 1 and score(exact(), 3, 4) == 0
    assert score(contains("x"), "the Eiffel tower", "It is Eiffel Tower!") == 1
    assert score(numeric("x"), "1,200", "so the answer is 1200.0") == 1
    assert score(numeric("x", tolerance=0.1), 100, "105") == 1
    assert score(f1("x"), "a red big house", "red house") == pytest.approx(0.8)
    assert score(all_of(exact("x"), contains("x")), "a b", "b a") == 0
    with pytest.raises(MetricError, match="no 'y'"):
        exact("y")(lp.Example(x=1), lp.Prediction(x=1))
