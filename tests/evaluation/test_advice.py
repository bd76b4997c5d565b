from __future__ import annotations

from typing import Any

import pytest

import langprog as lp

PROGRAM = lp.Predict("number -> double: int")
DATA = [lp.Example(number=str(number), double=2 * number) for number in range(20)]


def exact(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.double == prediction.double)


def mumbling(share: int) -> lp.ScriptedLM:
    """Answers ``share`` of 20 questions in no form at all."""

    def reply(request: lp.Request) -> str:
        asked = request.messages[1].text
        number = int("".join(filter(str.isdigit, asked)))
        if number < share:
            return "that is hard to say"
        double = str(2 * number)
        return f'{{"double": {double}}}' if asked.startswith("{") else f"[[double]]\n{double}"

    return lp.ScriptedLM(reply)


@pytest.mark.parametrize(("unreadable", "advised"), [(20, True), (6, True), (5, False)])
def test_many_unreadable_replies_name_the_way_out(unreadable: int, advised: bool) -> None:
    report = lp.evaluate(PROGRAM, DATA, exact, lm=mumbling(unreadable))
    assert report.failures_by_kind.get("parse", 0) == unreadable
    assert bool(report.advice) == advised
    if advised:
        for text in (str(report), repr(report), report.to_json()["advice"]):
            assert f"{unreadable} of 20 replies" in text and "schema=True" in text
    else:
        assert "schema=True" not in str(report)


def test_a_few_rows_are_no_reason() -> None:
    assert not lp.evaluate(PROGRAM, DATA[:4], exact, lm=mumbling(4)).advice
    assert lp.evaluate(PROGRAM, DATA[:5], exact, lm=mumbling(5)).advice


@pytest.mark.parametrize("chosen", [{"adapter": "chat"}, {"adapter": "json"}, {"adapter": "xml"}])
def test_an_adapter_that_was_chosen_is_not_talked_about(chosen: dict[str, Any]) -> None:
    with lp.using(**chosen):
        assert not lp.evaluate(PROGRAM, DATA, exact, lm=mumbling(20)).advice
    program = lp.Predict(PROGRAM.signature, **chosen)
    assert not lp.evaluate(program, DATA, exact, lm=mumbling(20)).advice


def test_a_predictor_inside_a_program_counts() -> None:
    report = lp.evaluate(lp.Pipeline(only=PROGRAM), DATA, exact, lm=mumbling(20))
    assert "schema=True" in str(report)
