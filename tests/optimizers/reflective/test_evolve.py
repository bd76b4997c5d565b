"""Texts of a user's own modules evolve; code among them runs in sandboxes alone."""

from __future__ import annotations

import importlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.lm import Request
from optimizers import Compiler, Evolve, Proposing
from optimizers.evaluation.candidate import Candidate
from optimizers.journal import FILE

FIRST = "def choose(loads, job):\n    return 0"
LEAST = "def choose(loads, job):\n    return loads.index(min(loads))"


class Balance(lp.Module):
    """Balance jobs over two machines: choose(loads, job) returns the machine of a job."""

    signature = "jobs: list[int] -> code"

    def __init__(self, code: str = FIRST) -> None:
        self.code = code

    def own_parameters(self) -> dict[str, lp.Parameter]:
        return {"code": lp.Parameter("text", self.code)}

    def with_own_parameters(self, values: Any) -> Any:
        if "eval(" in values.get("code", ""):
            raise InputError("eval is not allowed")
        return super().with_own_parameters(values)

    def forward(self, jobs: list[int]) -> dict[str, str]:
        return {"code": self.code}


def evaluate(example: Any, prediction: Any, load: Any) -> Any:
    loads = [0, 0]
    policy = load(prediction["code"])
    for job in example["jobs"]:
        loads[policy.call("choose", loads, job)] += job
    return {"score": sum(loads) / 2 / max(loads), "feedback": f"the loads were {loads}"}


def in_process(example: lp.Example, prediction: lp.Prediction) -> lp.Score:
    """Score by words, where no test is about what code does."""
    good = "min" in prediction.code
    return lp.Score(1.0 if good else 0.5, None if good else "one machine is busy")


def workloads(count: int) -> list[lp.Example]:
    return [lp.Example(jobs=[number + 1, number + 1]) for number in range(count)]


def writes(*texts: str) -> lp.ScriptedLM:
    """Return a model that reads what it is asked, and writes these texts in turn."""
    waiting = list(texts)

    def reply(request: Request) -> str:
        asked = request.messages[-1].content
        if "Rewrite the text" not in request.messages[0].content:
            return "yes"
        assert "Balance jobs over two machines" in asked and FIRST.split(":")[0] in asked
        assert "score: 0.5" in asked and "busy" in asked or "the loads were" in asked
        return f"[[text]]\n{waiting.pop(0) if waiting else LEAST}"

    return lp.ScriptedLM(reply)


def compiled(model: lp.ScriptedLM, optimizer: Evolve, program: Any = None, **options: Any) -> Any:
    options.setdefault("metric", in_process)
    with lp.using(lm=model):
        return optimizer.compile(program or Balance(), options.pop("trainset"), **options)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_code_evolves_by_an_evaluator_and_a_second_run_evaluates_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = workloads(11)
    optimizer = Evolve(rounds=1, minibatch=1)
    options: Any = {
        "trainset": rows[:3],
        "valset": rows[3:6],
        "holdout": rows[6:],
        "metric": lp.Evaluator(evaluate),
        "accept": "best",
    }
    first = compiled(
        writes(f"```python\n{LEAST}\n```"), optimizer, run_dir=tmp_path / "r", **options
    )
    assert first.candidate.parameters == {"program.code": LEAST}
    assert (first.certificate.before.mean, first.certificate.after.mean) == (0.5, 1.0)
    records = [json.loads(line) for line in (tmp_path / "r" / FILE).read_text().splitlines()]
    assert sum(record["kind"] == "score" for record in records) >= 16
    first.report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert (
        "<h3>program.code</h3>" in page
        and "<del>0</del><ins>loads.index(min(loads))</ins>" in page
    )
    lp.save(Balance(), tmp_path / "before.json")
    first.save(tmp_path / "one.json")
    changes = str(lp.diff(tmp_path / "before.json", tmp_path / "one.json"))
    assert "job): return [-0-]{+loads.index(min(loads))+}" in " ".join(changes.split())
    loaded = lp.load(tmp_path / "one.json", classes=[Balance])
    assert loaded(jobs=[1]).code == LEAST
    # Everything is in the journal, the model's replies and the scores.
    monkeypatch.setenv("PATH", "/nowhere")
    silent = lp.ScriptedLM(lambda request: "silent")
    again = compiled(silent, optimizer, run_dir=tmp_path / "r", **options)
    assert silent.calls == 0 and again.report.diverged_at is None
    again.save(tmp_path / "two.json")
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.json").read_bytes()


def test_what_is_no_better_text_is_refused_and_said() -> None:
    key = "sk-" + "a1B2" * 8
    model = writes(FIRST, "", f"token = '{key}'", "def choose(l, j):\n    return eval('0')")
    result = compiled(model, Evolve(rounds=4), trainset=workloads(60))
    assert result.certificate.verdict == "original" and result.candidate == Candidate()
    (note,) = [each.text for each in result.report.notes if "were refused" in each.text]
    assert "4 of 4 proposals for program.code were refused" in note
    refused = [
        each["data"]["reason"] for each in result.report.decisions if each["what"] == "refused"
    ]
    assert refused[0] == "it was tried already" and "secret" in refused[2]
    assert refused[3] == "the module refuses it: eval is not allowed"


def test_texts_of_your_own_are_tried_and_nothing_is_asked() -> None:
    model = writes()
    written = Proposing(written={"program.code": [LEAST]})
    result = compiled(model, Evolve(rounds=2, proposing=written), trainset=workloads(120))
    assert result.certificate.verdict == "certified"
    assert result.program.parameters()["program.code"].value == LEAST


@pytest.mark.parametrize(
    ("program", "optimizer", "words"),
    [
        (lp.Predict("jobs: list[int] -> code"), Evolve(), "no part that is not frozen has one"),
        (
            lp.Pipeline(
                own=Balance(), more=lp.Predict("code -> note", instruction="Describe it.")
            ).freeze("own"),
            Evolve(),
            "no part that is not frozen",
        ),
        (
            Balance(),
            Evolve(proposing=Proposing(written={"code": [LEAST]})),
            r"texts for 'code'.* there are: program\.code",
        ),
        (Balance(), Compiler(), r"no predictors; .*set by optimizers\.Evolve"),
    ],
)
def test_what_cannot_be_evolved_is_refused_before_anything_is_asked(
    program: lp.Module, optimizer: Any, words: str
) -> None:
    model = writes()
    with pytest.raises(InputError, match=words):
        compiled(model, optimizer, program, trainset=workloads(60))
    assert model.calls == 0


def test_a_model_that_writes_is_needed() -> None:
    with pytest.raises(InputError, match="needs a model that writes texts"):
        Evolve().compile(Balance(), workloads(60), metric=in_process)


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_the_code_of_the_guide_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "evolve.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    assert len(blocks) == 3
    monkeypatch.chdir(tmp_path)
    # In a file, so that the source of its classes and functions can be read.
    (tmp_path / "scheduler.py").write_text("\n".join(blocks))
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("scheduler")
