from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest

import langprog as lp
from langprog.errors import AuthError, InputError, MetricError, RateLimitError
from langprog.evaluation import all_of, contains, exact, judged, metric_name

DATA = [lp.Example(ticket=f"ticket {i}", team="a") for i in range(4)]


class Strict(lp.Signature):
    """Say whether the answer is right."""

    team: str = lp.Input()
    wanted_team: str = lp.Input()
    verdict: Literal["correct", "wrong"] = lp.Output()


def program() -> lp.Predict:
    return lp.Predict("ticket -> team")


def script(judge: Any) -> lp.ScriptedLM:
    """Answer tickets 0 and 1 with a, others with b; ask ``judge`` for verdicts."""

    def reply(request: lp.Request) -> Any:
        if "wanted_team" in request.messages[0].content:
            return judge(request.messages[1].content)
        right = request.messages[-1].content.endswith(("0", "1"))
        return f"[[team]]\n{'a' if right else 'b'}"

    return lp.ScriptedLM(reply)


def same(asked: str) -> bool:
    lines = asked.split("\n")
    return lines[lines.index("[[team]]") + 1] == lines[lines.index("[[wanted_team]]") + 1]


def test_a_judge_gives_a_number_and_words() -> None:
    judge = lp.ChainOfThought("ticket, team, wanted_team -> score: float")
    model = script(lambda asked: f"[[reasoning]]\nlooked\n[[score]]\n{0.75 if same(asked) else 0}")
    report = lp.evaluate(program(), DATA, judged(judge), lm=model)
    assert report.mean == pytest.approx(0.375)
    assert report.rows[0].score == lp.Score(0.75, "looked")
    assert report.metric == "judged(ticket, team, wanted_team -> reasoning, score)"


def test_a_judge_may_give_a_verdict_in_a_word() -> None:
    model = script(lambda asked: f"[[verdict]]\n{'correct' if same(asked) else 'wrong'}")
    report = lp.evaluate(program(), DATA, judged(lp.Predict(Strict)), lm=model)
    assert report.mean == 0.5


def test_what_a_judge_takes_is_kept_apart_from_the_program() -> None:
    model = script(lambda asked: "[[verdict]]\ncorrect")
    report = lp.evaluate(program(), DATA, judged(lp.Predict(Strict)), lm=model)
    assert report.calls == 4 and report.judge_calls == 4
    assert len(report.rows[0].trace) == 1
    assert report.to_json()["judge"] == {"calls": 4, "dollars": 0.0}


def test_a_judge_without_a_verdict_leaves_the_row_without_a_score() -> None:
    model = script(lambda asked: "[[verdict]]\n" + ("correct" if same(asked) else "who knows"))
    report = lp.evaluate(program(), DATA, judged(lp.Predict(Strict)), lm=model)
    assert report.mean == 1.0 and report.n_missing == 2
    assert report.failures_by_kind == {"judge": 2}

    model = script(lambda asked: RateLimitError("slow down"))
    report = lp.evaluate(program(), DATA, judged(lp.Predict(Strict)), lm=model)
    assert report.mean is None and report.failures_by_kind == {"transport": 4}


def test_a_wrong_key_of_the_judge_stops_the_run() -> None:
    model = script(lambda asked: AuthError("wrong key"))
    with pytest.raises(AuthError):
        lp.evaluate(program(), DATA, judged(lp.Predict(Strict)), lm=model)


def test_a_metric_may_call_a_judge_itself_and_wrap_what_it_raises() -> None:
    judge = lp.Predict(Strict)

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        try:
            verdict = judge(team=prediction.team, wanted_team=example.team)
        except lp.LangprogError as error:
            raise RuntimeError("no verdict") from error
        return bool(verdict.verdict == "correct")

    report = lp.evaluate(program(), DATA, metric, lm=script(lambda _: RateLimitError("slow down")))
    assert report.failures_by_kind == {"transport": 4}


def test_judges_that_give_no_verdict_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="needs an output named 'score'"):
        judged(lp.Predict("team -> opinion"))
    with pytest.raises(InputError, match="'score' is text: declare it as float"):
        judged(lp.Predict("team -> score"))
    with pytest.raises(InputError, match="'maybe', which is not a known verdict"):
        judged(lp.Predict("team -> verdict: Literal['yes', 'maybe']"))
    metric = judged(lp.Predict("colour -> score: bool"))
    with pytest.raises(MetricError, match="'colour' is in neither prediction"):
        lp.evaluate(program(), DATA, metric, lm=script(same))


def test_judges_read_as_text_what_is_no_text() -> None:
    judge = judged(lp.Predict("wanted_team, hours -> score: bool"))
    asked: list[str] = []

    def reply(request: lp.Request) -> str:
        asked.append(request.messages[-1].content)
        return "[[score]]\ntrue"

    with lp.using(lm=lp.ScriptedLM(reply)):
        given = lp.Prediction(hours=[1, 2])
        result: Any = judge(lp.Example(team={"lead": "Al"}), given)
        assert asyncio.run(result).value == 1.0
    assert "[1, 2]" in asked[0] and '{"lead": "Al"}' in asked[0]


def test_all_of_is_the_lowest_with_all_words() -> None:
    example, given = lp.Example(x="a b"), lp.Prediction(x="b a")
    metric: Any = all_of(exact("x"), contains("x"), lambda e, p: lp.Score(0.5, "so so"))
    score = metric(example, given)
    assert score.value == 0 and score.feedback.endswith("; so so")
    assert metric_name(all_of(exact("x"), contains())) == "all_of(exact('x'), contains)"
    with pytest.raises(InputError, match="at least one"):
        all_of()
    with pytest.raises(MetricError, match="cannot be called"):
        all_of(exact(), lambda example: 1)  # type: ignore[arg-type, misc]  # the mistake under test


def test_all_of_takes_async_metrics_too() -> None:
    async def half(example: lp.Example, prediction: lp.Prediction) -> float:
        await asyncio.sleep(0)
        return 0.5

    model = script(lambda asked: "")
    assert lp.evaluate(program(), DATA[:2], all_of(exact("team"), half), lm=model).mean == 0.5

    def broken(example: lp.Example, prediction: lp.Prediction) -> float:
        raise ValueError("broken")

    with pytest.raises(MetricError, match="ValueError: broken"):
        lp.evaluate(program(), DATA, all_of(half, broken), lm=model)


def test_a_judge_is_a_program() -> None:
    with pytest.raises(InputError, match="the judge is a int: judged takes a program"):
        judged(5)  # type: ignore[arg-type]  # the mistake under test
