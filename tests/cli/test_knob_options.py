"""The options of ``compile`` and ``estimate`` that set an optimizer's knobs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.knob_options import set_knobs
from langprog.cli.main import run
from langprog.errors import InputError
from optimizers import MIPRO, BootstrapFewShot, Compiler, LabeledFewShot
from tests.conftest import served
from tests.optimizers.simulated import answers, tickets

PROGRAM = """
import langprog as lp
from tests.optimizers.simulated import Triage

program = lp.Predict(Triage, model="vllm/x", adapter="chat")
"""


def test_knobs_are_set_by_path_and_the_rest_stays() -> None:
    member = set_knobs(
        MIPRO(concurrency=3),
        proposer="openai/big",
        settings=["searching.trials=20", "proposing.temperature=0.3", "prune=false"],
    )
    assert isinstance(member, MIPRO) and member.concurrency == 3 and member.prune is False
    assert (member.searching.trials, member.proposing.temperature) == (20, 0.3)
    assert member.proposing.model == "openai/big"
    taught = set_knobs(BootstrapFewShot(), teacher="openai/big")
    assert isinstance(taught, BootstrapFewShot) and taught.teacher == "openai/big"
    listed = set_knobs(Compiler(), settings=['models=["a/b", "c/d"]'])
    assert isinstance(listed, Compiler) and listed.models == ("a/b", "c/d")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"settings": ["searching.trails=20"]},
            "Searching has no knob 'trails'; it has: .*trials",
        ),
        ({"settings": ["trials"]}, "--set 'trials': write KNOB=VALUE"),
        ({"settings": ["=3"]}, "write KNOB=VALUE"),
        ({"settings": ["rounds.more=3"]}, "MIPRO has no knob 'rounds'"),
        ({"settings": ["concurrency.more=3"]}, "concurrency of MIPRO is not a group"),
        ({"settings": ["searching.trials=0"]}, "trials has to be"),
        ({"settings": ["searching.trials=many"]}, "trials has to be"),
        ({"settings": ["prune=true", "prune=true"]}, "'prune' is given twice"),
        ({"settings": ["proposing.model=a/b"], "proposer": "c/d"}, "is given twice"),
    ],
)
def test_what_does_not_fit_is_said(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        set_knobs(MIPRO(), **given)
    with pytest.raises(InputError, match="--proposer: proposing.model: LabeledFewShot has no"):
        set_knobs(LabeledFewShot(), proposer="a/b")
    with pytest.raises(InputError, match="--teacher: teacher: LabeledFewShot has no knob"):
        set_knobs(LabeledFewShot(), teacher="a/b")


def test_a_proposer_is_asked_and_the_knobs_are_those_of_the_compile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    Path("mine_knobs.py").write_text(PROGRAM)
    Path("rows.jsonl").write_text(
        "\n".join(json.dumps(example.to_dict()) for example in tickets(90))
    )
    task = lp.ScriptedLM(answers(), name="vllm/x")
    clever = lp.ScriptedLM(lambda _: "[[instruction]]\nName the team.", name="sglang/clever")
    options = "--train rows.jsonl --metric exact:team --optimizer mipro --proposer sglang/clever"
    command = ["compile", "mine_knobs.py:program", *options.split(), "--out", "a.json"]
    command += ["--accept", "best", "--calls", "400", "--set", "searching.trials=3"]
    with served(task) as here, served(clever) as there:
        monkeypatch.setenv("VLLM_BASE_URL", here)
        monkeypatch.setenv("SGLANG_BASE_URL", there)
        assert run(command) == 0, capsys.readouterr().err
        assert run([*command, "--set", "searching.trails=3"]) == 2
    assert "Searching has no knob 'trails'" in capsys.readouterr().err
    assert clever.calls >= 1
    assert not any("[[instruction]]" in request.messages[0].text for request in task.requests)
