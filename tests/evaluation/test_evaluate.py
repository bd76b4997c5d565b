from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

import langprog as lp
from langprog.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    InputError,
    LMError,
    MetricError,
    ModelError,
    RateLimitError,
)
from langprog.evaluation import Row, aevaluate, exact
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


class Wrapped(lp.Module):
    """A program whose own code hides what a model's failure was."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.step = lp.Predict("ticket -> team")

    async def aforward(self, ticket: str) -> Any:
        if self.how == "group":
            async with asyncio.TaskGroup() as tasks:
                done = tasks.create_task(self.step.acall(ticket=ticket))
            return done.result()
        try:
            return await self.step.acall(ticket=ticket)
        except lp.LangprogError:
            raise RuntimeError("something went wrong")  # noqa: B904 - as careless code does it


@pytest.mark.parametrize("how", ["group", "context"])
def test_a_failure_on_the_way_stays_one_however_it_is_wrapped(how: str) -> None:
    def run(error: Exception) -> Any:
        def flaky(request: lp.Request) -> Any:
            return error if request.messages[-1].content.endswith("ticket 3") else teacher(request)

        return lp.evaluate(Wrapped(how), DATA, right, lm=lp.ScriptedLM(flaky))

    report = run(RateLimitError("slow down"))
    assert report.failures_by_kind == {"transport": 1} and report.rows[3].score is None
    with pytest.raises(AuthError):
        run(AuthError("wrong key"))
    kind = run(ContentFilterError("no")).rows[3].failure.kind
    assert kind == ("refused" if how == "group" else "error")


def test_refusals_score_zero_and_unknown_failures_of_a_model_do_not() -> None:
    def replies(request: lp.Request) -> Any:
        if request.messages[-1].content.endswith("ticket 3"):
            return ContentFilterError("refused")
        if request.messages[-1].content.endswith("ticket 5"):
            return LMError("something new")
        return teacher(request)

    report = lp.evaluate(program(), DATA, right, lm=lp.ScriptedLM(replies))
    assert report.failures_by_kind == {"refused": 1, "transport": 1}
    assert report.rows[3].score == lp.Score(0.0, "refused") and report.rows[5].score is None


def test_an_answer_that_does_not_fit_the_next_step_is_the_programs_own_failure() -> None:
    pipeline = lp.Pipeline(
        first=lp.Predict("ticket -> hours: int"),
        second=lp.Predict(Late),
    )

    def replies(request: lp.Request) -> str:
        if "[[late]]" in request.messages[0].content:
            return "[[late]]\ntrue"
        return f"[[hours]]\n{-1 if request.messages[-1].content.endswith('3') else 5}"

    data = [lp.Example(ticket=f"ticket {i}", late=True) for i in range(5)]
    report = lp.evaluate(pipeline, data, exact("late"), lm=lp.ScriptedLM(replies))
    assert report.failures_by_kind == {"error": 1}
    assert report.mean == pytest.approx(0.8)
    failed = report.rows[3].failure
    assert failed is not None and "'hours' does not fit" in failed.message


class Late(lp.Signature):
    """Say whether that is too late."""

    hours: int = lp.Input(ge=0)
    late: bool = lp.Output()


def test_a_call_that_is_wired_wrongly_stops_the_run() -> None:
    class Wrong(lp.Module):
        def __init__(self) -> None:
            self.step = lp.Predict("ticket -> team")

        def forward(self, ticket: str) -> Any:
            return self.step(tiket=ticket)

    with pytest.raises(InputError, match=r"example \d+ \(ticket='ticket \d'\): the call of"):
        lp.evaluate(Wrong(), DATA, right, lm=lp.ScriptedLM(teacher))


def test_a_bad_request_stops_the_run_and_names_the_example() -> None:
    script = lp.ScriptedLM(lambda r: BadRequestError("no such model"))
    with pytest.raises(BadRequestError, match=r"example \d+ .*no such model"):
        lp.evaluate(program(), DATA, right, lm=script)
    with pytest.raises(ModelError, match="has no provider"):
        lp.evaluate(lp.Predict("ticket -> team", model="gpt"), DATA, right)


def test_no_secret_gets_into_a_report() -> None:
    class Leaky(lp.Module):
        def forward(self, ticket: str) -> Any:
            raise ConnectionError("no answer from https://me:hunter2@example.com/search")

    report = lp.evaluate(Leaky(), DATA[:2], right)
    assert report.failures_by_kind == {"transport": 2}
    assert "hunter2" not in json.dumps(report.to_json())
    assert "hunter2" not in str(report.rows[0])

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        raise OSError("key sk-abcdefghijklmnopqrstuvwx was refused")

    with pytest.raises(MetricError, match=r"OSError: key \[secret\] was refused"):
        lp.evaluate(program(), DATA[:1], metric, lm=lp.ScriptedLM(teacher))


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
    with pytest.raises(InputError, match=r"example 1 \(text='x'\) has no field 'ticket'"):
        lp.evaluate(program(), [lp.Example(text="x")], right, lm=lm)
    with pytest.raises(InputError, match="no examples"):
        lp.evaluate(program(), [], right, lm=lm)
    with pytest.raises(InputError, match="load_examples"):
        lp.evaluate(program(), "data.jsonl", right, lm=lm)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InputError, match="example 1 is a str"):
        lp.evaluate(program(), ["x"], right, lm=lm)  # type: ignore[list-item]  # the mistake
    with pytest.raises(InputError, match="takes a module"):
        lp.evaluate("ticket -> team", DATA, right, lm=lm)  # type: ignore[arg-type]  # the mistake
    with pytest.raises(InputError, match="concurrency=0"):
        lp.evaluate(program(), DATA, right, concurrency=0, lm=lm)
    typed = lp.Predict("ticket, hours: int -> team")
    data = [lp.Example(ticket="t", hours=h) for h in (1, 2, "soon")]
    with pytest.raises(InputError, match=r"example 3 \(ticket='t'\): 'hours' does not fit"):
        lp.evaluate(typed, data, right, lm=lm)
    assert lm.calls == 0


def test_a_metric_may_be_async() -> None:
    async def slow(example: lp.Example, prediction: lp.Prediction) -> float:
        await asyncio.sleep(0)
        return 0.5

    assert lp.evaluate(program(), DATA, slow, lm=lp.ScriptedLM(teacher)).mean == 0.5


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


def test_plain_rows_will_do_as_examples() -> None:
    rows = [{"ticket": "ticket 1", "team": "a"}]
    assert lp.evaluate(program(), rows, right, lm=lp.ScriptedLM(teacher)).mean == 1.0


def test_every_row_is_told_of_once() -> None:
    told: list[Row] = []

    async def run() -> lp.Report:
        with lp.using(lm=lp.ScriptedLM(teacher)):
            return await aevaluate(program(), DATA, right, concurrency=3, on_row=told.append)

    report = asyncio.run(run())
    assert sorted(told, key=lambda row: row.index) == list(report.rows)


def test_width_does_not_change_what_is_found() -> None:
    reports = [
        lp.evaluate(program(), DATA, right, concurrency=width, lm=lp.ScriptedLM(teacher))
        for width in (1, 3, 64)
    ]
    first, *others = [[(row.index, row.prediction, row.score) for row in r.rows] for r in reports]
    assert all(other == first for other in others)


def test_a_failed_check_is_the_programs_own_failure_and_told_apart() -> None:
    program = lp.Predict("q -> n: int", checks=[lp.checks.in_range("n", 0, 9)], reasks=1)
    rows = [lp.Example(q=str(n), n=n) for n in range(3)]

    def reply(request: lp.Request) -> str:
        return "[[n]]\n" + ("10" if request.messages[1].content == "[[q]]\n1" else "0")

    with lp.using(lm=lp.ScriptedLM(reply)):
        report = lp.evaluate(program, rows, lambda example, prediction: 1.0)
    assert [row.score.value if row.score else None for row in report.rows] == [1.0, 0.0, 1.0]
    assert report.failures_by_kind == {"check": 1}
    failure = report.rows[1].failure
    assert failure is not None and not failure.missing and failure.path == "predict"
    assert "n must be 0 to 9, not 10" in failure.message
    assert report.rows[1].usage.reasks == 1


def test_a_metric_that_changes_what_it_gets_changes_no_result() -> None:
    def clears(example: lp.Example, prediction: lp.Prediction) -> float:
        prediction.tags.clear()
        prediction["tags"].append("z")
        example.tags.append("q")
        return 1.0

    rows = [lp.Example(x=f"{n}", tags=["a"]) for n in range(3)]
    lm = lp.ScriptedLM(lambda request: '[[tags]]\n["a", "b"]')
    report = lp.evaluate(lp.Predict("x -> tags: list[str]"), rows, clears, lm=lm)
    for row in report.rows:
        assert row.prediction is not None and row.prediction.tags == ["a", "b"]
        assert row.trace[0].outputs["tags"] == ["a", "b"] and row.example.tags == ["a"]
