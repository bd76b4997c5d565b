"""A prompt template compiles like any program, and comes back as a template."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import langprog as lp
from langprog.evaluation import exact
from optimizers import BootstrapFewShot, Compiler

TEMPLATE = "Say which team owns the ticket.\n\nTicket: {ticket}\nTeam:"
TEAMS = {"bill": "billing", "wifi": "network"}
ROWS = [
    lp.Example(ticket=f"my {word} number {number} is wrong", team=team)
    for number in range(30)
    for word, team in TEAMS.items()
]


def answer(request: lp.Request) -> str:
    """Route by the words once an example or a hint is there; propose the hint if asked."""
    text = "\n".join(str(message.content) for message in request.messages)
    if "[[instruction]]" in text:
        return "[[instruction]]\nRoute by words: bill means billing, wifi means network."
    if "[[summary]]" in text:
        return "[[summary]]\nTickets and teams."
    assert "[[" not in text  # no adapter of ours writes a template's prompt
    ticket = re.findall(r"Ticket: (.*)", text)[-1]
    knows = "words" in text or text.count("Team:") > 2
    return next(team for word, team in TEAMS.items() if word in ticket) if knows else "billing"


@pytest.mark.parametrize("optimizer", [BootstrapFewShot(), Compiler()], ids=["demos", "all"])
def test_a_template_is_compiled_and_comes_back(optimizer: Compiler, tmp_path: Path) -> None:
    program = lp.PromptTemplate(TEMPLATE, output="team: Literal['billing', 'network']")
    with lp.using(lm=lp.ScriptedLM(answer)):
        compiled = optimizer.compile(
            program, ROWS, metric=exact("team"), budget=lp.Budget(calls=600), seed=0
        )
        compiled.save(tmp_path / "compiled.json")
        again = lp.load(tmp_path / "compiled.json", models={"scripted/lm": lp.ScriptedLM(answer)})
        text = lp.to_template(again)
        baked = lp.PromptTemplate(text)
        report = lp.evaluate(again, ROWS, exact("team"))
    assert compiled.certificate.verdict == "certified"
    assert report.mean == 1.0
    assert text != TEMPLATE and text.endswith("Ticket: {ticket}\nTeam:")
    assert baked.render({"ticket": "{x}"}) == again.render({"ticket": "{x}"})


def test_replies_that_cannot_be_read_are_not_asked_for_in_another_form() -> None:
    program = lp.PromptTemplate(TEMPLATE, output="team: Literal['billing', 'network']")
    with (
        lp.using(lm=lp.ScriptedLM(lambda _: "I cannot say")),
        pytest.raises(lp.LangprogError, match="no reply could be read, nor could they with"),
    ):
        Compiler().compile(program, ROWS, metric=exact("team"), budget=lp.Budget(calls=600))
