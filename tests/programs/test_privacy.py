"""What is private stays here, and is back in the reply."""

from __future__ import annotations

import pytest

import langprog as lp
from benchmarks.programs.scripted import load_script
from langprog.lm import Request
from programs.privacy import examples, metric, program, redact, restore


def test_the_strong_model_sees_nothing_private_and_the_reply_has_it_back() -> None:
    local = lp.ScriptedLM(load_script("privacy", steady=True), name="scripted/local")
    strong = lp.ScriptedLM(load_script("privacy", steady=True), name="scripted/strong")
    split = program.with_parameters({"locate.model": local, "ask.model": strong})
    rows = examples(15)
    assert lp.evaluate(split, rows, metric).mean == 1.0
    sent = " ".join(request.messages[-1].content for request in strong.requests)
    assert "[PRIVATE 1]" in sent and strong.calls == local.calls == 15
    assert not [span for row in rows for span in row.private if span in sent]


def test_a_pattern_finds_what_the_model_forgets() -> None:
    def reply(request: Request) -> str:
        if "[[private]]" in request.messages[0].content:
            return '[[private]]\n["nobody"]'
        return "[[reply]]\nI wrote to [private 1] and called [PRIVATE 2]."

    with lp.using(lm=lp.ScriptedLM(reply)):
        prediction = program(request="Write to ada@kerr.example or call +49 30 123456.")
    assert prediction.sent == "Write to [PRIVATE 1] or call [PRIVATE 2]."
    assert prediction.reply == "I wrote to ada@kerr.example and called +49 30 123456."


@pytest.mark.parametrize(
    ("text", "private", "sent"),
    [
        ("Ann met Anna.", ["Ann"], "[PRIVATE 1] met Anna."),
        ("Ada Kerr, or Ada.", ["Ada", "Ada Kerr"], None),
        ("No names.", [], "No names."),
        ("A \\d b.", ["\\d"], "A [PRIVATE 1] b."),
        ("Ada Kerr wrote.", ["ADA KERR"], "[PRIVATE 1] wrote."),
        ("ADA asks Ada.", ["Ada"], "[PRIVATE 1] asks [PRIVATE 2]."),
        ("Private Ryan met Ann.", ["Ann", "Private Ryan", "private"], None),
        ("Room 12 of Ann.", ["Room 12", "Ann", "12", "1"], "[PRIVATE 1] of [PRIVATE 2]."),
        ("Call 555.123.4567 or x0401234567.", [], "Call [PRIVATE 1] or x[PRIVATE 2]."),
        ("To ada@kerr.co.uk.", [], "To [PRIVATE 1]."),
    ],
)
def test_whole_spans_are_replaced_and_come_back(
    text: str, private: list[str], sent: str | None
) -> None:
    redacted, hidden = redact(text, private)
    assert sent is None or redacted == sent
    assert not [span for span in private if f" {span} " in f" {redacted} "]
    assert restore(redacted, hidden) == text


def test_a_leak_scores_nothing() -> None:
    row = examples()[0]
    score = metric(row, lp.Prediction(reply=row.reply, sent=row.request))
    assert score.value == 0 and "not trusted" in (score.feedback or "")
