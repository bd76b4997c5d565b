"""A judge compiled on labels of people: both orders decide, and agreement is certified."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.evaluation import exact, kappa
from optimizers import Compiled, Compiler, JudgeAlign
from programs.judge import BothOrders, Compare


def rows(count: int) -> list[lp.Example]:
    rng = random.Random(0)
    made = []
    for at in range(count):
        verdict = rng.choice(("first", "second"))
        answers = {"first": f"right {at}", "second": f"wrong {at}"}
        if verdict == "second":
            answers = {"first": answers["second"], "second": answers["first"]}
        made.append(lp.Example(question=f"question {at}?", **answers, better=verdict))
    return made


def reply(request: lp.Request) -> str:
    """Prefer the first answer, unless both verdicts have been shown often enough."""
    shown = [str(message.content) for message in request.messages if message.role == "assistant"]
    if "[[instruction]]" in str(request.messages[0].content):
        return "[[instruction]]\nSay which answer is right."
    fields = dict(re.findall(r"\[\[(\w+)\]\]\n(.*)", str(request.messages[-1].content)))
    taught = {word for text in shown for word in ("first", "second") if word in text}
    if len(taught) == 2 and "first" in fields:
        return f"[[better]]\n{'first' if 'right' in fields['first'] else 'second'}"
    return "[[better]]\nfirst"


QUICK = Compiler(rounds=1)


def align(program: lp.Module, data: list[lp.Example], **options: Any) -> Compiled:
    metric = options.pop("metric", exact("better"))
    optimizer = JudgeAlign(compiler=QUICK, **options)
    with lp.using(lm=lp.ScriptedLM(reply, name="scripted/judge")):
        return optimizer.compile(program, data, metric=metric, budget=lp.Budget(calls=1500))


@pytest.fixture(scope="module")
def aligned() -> Compiled:
    return align(lp.Predict(Compare), rows(160), metric=kappa("better"))


def test_agreement_with_people_is_certified(aligned: Compiled) -> None:
    certificate = aligned.certificate
    assert certificate.verdict == "certified", aligned.report.notes
    assert certificate.after is not None and certificate.after.mean > 0.95
    assert certificate.before is not None and certificate.before.mean == 0.0  # that of chance


def test_it_says_how_often_the_order_decides(aligned: Compiled) -> None:
    notes = " ".join(map(str, aligned.report.notes))
    assert re.search(r"in both orders, .* it gives the same verdict in 100% of \d+ pairs", notes)


def test_a_judge_that_prefers_a_position_is_told_of() -> None:
    hopeless = [row.with_(better="first") for row in rows(60)]
    compiled = align(lp.Predict(Compare), [*hopeless, *rows(2)])
    notes = " ".join(map(str, compiled.report.notes))
    assert "its verdicts depend on the order of the two" in notes


def test_labels_that_name_neither_are_refused_and_other_names_are_taken() -> None:
    data = [row.without("better").with_(better="AB"[row.better == "second"]) for row in rows(40)]
    judge = lp.Predict("question, first, second -> better: Literal['A', 'B']")
    with pytest.raises(InputError, match=r"no label is 'first' or 'second': say with JudgeAlign"):
        align(judge, data)
    row = data[0].with_(question="A")  # the same value as a verdict, and none
    turn = JudgeAlign(verdicts=("A", "B"))._turn(row, judge.input_names())
    assert turn.first == row.second and turn.better != row.better and turn.question == "A"
    for wrong in ({"pair": ("first", "first")}, {"pair": "ab"}, {"verdicts": ("A",)}):
        with pytest.raises(InputError, match="give two different values"):
            JudgeAlign(**wrong)


def test_a_judge_that_asks_in_both_orders_never_depends_on_them() -> None:
    program = BothOrders(lp.Predict(Compare))
    row = rows(1)[0]
    with lp.using(lm=lp.ScriptedLM(reply)):
        verdict = program(question=row.question, first=row.first, second=row.second).verdict
    assert verdict == "tie"
