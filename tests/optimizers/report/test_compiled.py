"""What a compile returns fits on a screen and is shown in a notebook, whatever is in it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

import langprog as lp
from optimizers import MIPRO, Compiled, LabeledFewShot
from tests.optimizers.simulated import all_right, answers, tickets, two_modules

LONG = "long words " * 5000
HOSTILE = "</div><script>alert(1)</script>"


@pytest.fixture(scope="module")
def compiled() -> Compiled:
    program = two_modules().with_parameters({"team.instruction": LONG})
    with lp.using(lm=lp.ScriptedLM(answers())):
        return MIPRO(instructions=3).compile(program, tickets(80), metric=all_right)


def things(compiled: Compiled) -> dict[str, Any]:
    with lp.using(lm=lp.ScriptedLM(answers())):
        preflight = MIPRO().estimate(two_modules(), tickets(90), metric=all_right)
    return {
        "Compiled": compiled,
        "CompileReport": compiled.report,
        "Certificate": compiled.certificate,
        "Candidate": compiled.candidate,
        "FrontPoint": compiled.front[0],
        "Preflight": preflight,
        "program": compiled.program,
    }


def test_reprs_fit_on_a_screen_and_say_what_counts(compiled: Compiled) -> None:
    shown = {name: repr(thing) for name, thing in things(compiled).items()}
    assert all(len(text) < 2000 and text.count("\n") < 24 for text in shown.values())
    assert "p = " in shown["Compiled"] and "p = " in shown["Certificate"]
    assert compiled.candidate.label in shown["Candidate"]
    assert "24 holdout" in shown["CompileReport"] and "all_right" in shown["CompileReport"]
    assert "quality=" in shown["FrontPoint"]
    assert "calls" in shown["Preflight"]
    assert "Predict('ticket -> team'" in shown["program"]


@pytest.mark.parametrize("name", ["Compiled", "CompileReport", "Certificate", "Preflight"])
def test_a_notebook_is_given_a_card(name: str, compiled: Compiled) -> None:
    card = things(compiled)[name]._repr_html_()
    assert card.startswith("<div") and len(card) < 20_000


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_a_card_of_hostile_texts_has_no_markup_of_theirs() -> None:
    def hostile(example: lp.Example, prediction: lp.Prediction) -> float:
        return 0.5

    hostile.__name__ = hostile.__qualname__ = HOSTILE
    program = lp.Predict("ticket -> team", demos=[lp.Example(ticket=HOSTILE, team=HOSTILE)])
    rows = [lp.Example(ticket=f"{n} {HOSTILE}", team="x") for n in range(12)]
    with lp.using(lm=lp.ScriptedLM(lambda _: f"[[team]]\n{HOSTILE}", name=f"scripted/{HOSTILE}")):
        result = LabeledFewShot(k=2).compile(program, rows, metric=hostile)
    for thing in (result, result.report, result.certificate):
        assert "script" not in Tags(thing._repr_html_()).tags
    assert re.search("&lt;script&gt;", result.report._repr_html_())
