from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import yaml

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError

GOLDEN = Path(__file__).parent / "golden" / "skill.md"


class TriageHTTPTicket(lp.Signature):
    """Route the ticket: who owns it?"""

    ticket: str = lp.Input("what the customer wrote")
    team: Literal["harbor", "atlas"] = lp.Output("the team that owns it")
    sure: bool = lp.Output()


PROGRAM = lp.Predict(
    TriageHTTPTicket,
    demos=[
        {"ticket": "charged twice\n```\nlog\n```", "team": "harbor", "sure": True},
        {"ticket": "no signal", "team": "atlas"},
    ],
)


def test_the_golden_skill() -> None:
    text = lp.to_skill(PROGRAM)
    assert text == GOLDEN.read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front == {
        "name": "triage-http-ticket",
        "description": "Route the ticket: who owns it?",
    }


def test_steps_of_a_pipeline_have_their_own_headings() -> None:
    program = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.ChainOfThought("b -> c"))
    text = lp.to_skill(program, name="two-steps", description='Do: it\'s "quoted"')
    assert "# Two steps\n\n## Step 1: first\n\nGiven a, produce b." in text
    assert "## Step 2: second.predict\n" in text
    assert yaml.safe_load(text.split("---\n")[1])["description"] == 'Do: it\'s "quoted"'


def test_name_and_description_are_what_agents_take() -> None:
    for name in ("Triage", "a_b", "-a", "a--b", "a" * 65):
        with pytest.raises(InputError, match="the name of a skill"):
            lp.to_skill(PROGRAM, name=name)
    with pytest.raises(InputError, match="the description of a skill"):
        lp.to_skill(PROGRAM, description="x" * 1025)
    long = lp.Predict("a -> b", instruction="word " * 500)
    front = yaml.safe_load(lp.to_skill(long).split("---\n")[1])
    assert front["name"] == "a-b" and len(front["description"]) <= 1024
    silent = lp.Predict("a -> b", instruction="")
    assert "description: Produces b from a.\n" in lp.to_skill(silent)


def test_the_command_writes_a_skill(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.Predict("b -> c"))
    lp.save(program, tmp_path / "a.json")
    command = ["export", f"{tmp_path}/a.json", "--as", "skill", "--out", f"{tmp_path}/SKILL.md"]
    assert run([*command, "--set", "name=two-steps"]) == 0
    assert "code that connects them is not in it" in capsys.readouterr().out
    assert (tmp_path / "SKILL.md").read_text() == lp.to_skill(program, name="two-steps")
    assert run([*command, "--set", "nam=x"]) == 2
    assert "skill has no option 'nam'; it has name (the skill's name" in capsys.readouterr().err
