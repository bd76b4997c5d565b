"""Evaluators score generated code on workloads; neither can reach the other, or the machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import CodeError, InputError, MetricError

pytestmark = pytest.mark.skipif(
    shutil.which("bwrap") is None, reason="bubblewrap is not installed"
)
WORKLOAD = lp.Example(jobs=[5, 3, 2], best=5)


def evaluate(example: Any, prediction: Any, load: Any) -> Any:
    loads = [0, 0]
    policy = load(prediction["code"])
    for job in example["jobs"]:
        loads[policy.call("choose", loads, job)] += job
    return {"score": example["best"] / max(loads), "feedback": f"loads {loads}"}


def scored(code: str, **options: Any) -> lp.Score:
    return lp.Evaluator(evaluate, **options)(WORKLOAD, lp.Prediction(code=code))


def test_the_score_is_that_of_the_code_on_the_workload() -> None:
    first = scored("def choose(loads, job):\n    return 0")
    least = scored("def choose(loads, job):\n    return loads.index(min(loads))")
    assert (first.value, first.feedback) == (0.5, "loads [10, 0]")
    assert (least.value, least.feedback) == (1.0, "loads [5, 5]")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def choose(loads, job):\n    return jobs", "NameError: name 'jobs' is not defined"),
        ("def choose(loads, job) return 0", "SyntaxError"),
        ("pick = 1", "defines no function 'choose'"),
        ("def choose(loads, job):\n    import os; os._exit(0)", "the code was stopped"),
        ("def choose(loads, job):\n    return 7", "IndexError: list index out of range"),
    ],
)
def test_code_that_fails_gets_the_worst_score_and_is_told_why(code: str, words: str) -> None:
    score = scored(code, range=(-1, 1))
    assert score.value == -1 and score.feedback is not None and words in score.feedback


def test_code_sees_nothing_of_its_evaluator() -> None:
    spying = (
        "import gc, os, sys\n"
        "def choose(loads, job):\n"
        "    known = [1 for one in gc.get_objects() if type(one) is dict and 'best' in one]\n"
        "    files = [name for name in ('/proc/self', 'evaluate.py') if os.path.exists(name)]\n"
        "    raise ValueError(f'{len(known)} {files} {os.getpid()}')"
    )
    score = scored(spying)
    assert score.feedback is not None and "0 [] 2" in score.feedback


def counts(example: Any, prediction: Any, load: Any) -> Any:
    total = 0
    for _ in range(load(prediction["code"]).call("count")):
        total += 1
    return float(total > 1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def count():\n    return 10**12", "CPU time|took longer"),
        ("import time\ndef count():\n    time.sleep(100)", "took longer"),
        ("import time\ntime.sleep(100)", "took longer"),
    ],
)
def test_code_that_makes_its_evaluator_wait_or_work_gets_the_worst_score(
    code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langprog.sandbox.sandbox.WALL", 1.0)
    monkeypatch.setattr("langprog.sandbox.sandbox.EXTRA", 0.5)
    slow = lp.Evaluator(counts, sandbox=lp.Sandbox(seconds=1), range=(-1, 1))
    score = slow(WORKLOAD, lp.Prediction(code=code))
    assert score.value == -1 and score.feedback is not None
    assert any(each in score.feedback for each in words.split("|"))


def test_scores_are_kept_apart_by_all_they_depend_on() -> None:
    wide = lp.Evaluator(evaluate, range=(-1, 1))
    short = lp.Evaluator(evaluate, sandbox=lp.Sandbox(output=1000))
    identities = [str(each.identity) for each in (lp.Evaluator(evaluate), wide, short)]
    assert len(set(identities)) == 3


def test_an_evaluator_that_fails_is_no_score(tmp_path: Path) -> None:
    file = tmp_path / "simulate.py"
    file.write_text(
        "def run(example, prediction, load):\n    return 1 / len(example['jobs'][3:])\n"
    )
    broken = lp.Evaluator(file, function="run")
    with pytest.raises(
        CodeError, match=r"the evaluator run failed: ZeroDivisionError(.|\n)*line 2"
    ):
        broken(WORKLOAD, lp.Prediction(code=""))
    report = lp.evaluate(Constant(), [WORKLOAD], broken, max_errors=1)
    assert report.rows[0].score is None and report.rows[0].failure.kind == "metric"
    wordy = lp.Evaluator(file, function="absent")
    with pytest.raises(CodeError, match="defines no function 'absent'"):
        wordy(WORKLOAD, lp.Prediction(code=""))


class Constant(lp.Module):
    signature = "jobs: list[int] -> code"

    def forward(self, jobs: list[int]) -> dict[str, str]:
        return {"code": "def choose(loads, job):\n    return 0"}


def returns_words(example: Any, prediction: Any, load: Any) -> Any:
    return "good"


def test_what_is_not_a_score_is_the_metric_s_error() -> None:
    with pytest.raises(MetricError, match="must return a number"):
        lp.Evaluator(returns_words)(WORKLOAD, lp.Prediction(code=""))


def test_without_a_sandbox_an_evaluation_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(MetricError, match="apt install bubblewrap"):
        lp.evaluate(Constant(), [WORKLOAD], lp.Evaluator(evaluate), max_errors=5)


def test_what_cannot_be_sent_is_refused(tmp_path: Path) -> None:
    outer = 1

    def closure(example: Any, prediction: Any, load: Any) -> float:
        return outer

    for source in (closure, lambda example, prediction, load: 1.0):
        with pytest.raises(InputError, match="cannot be sent to a sandbox"):
            lp.Evaluator(source)
    with pytest.raises(InputError, match="cannot be read"):
        lp.Evaluator(tmp_path / "absent.py")


def test_a_memo_answers_first() -> None:
    kept: dict[str, Any] = {}

    class Memo:
        def get_score(self, key: str) -> Any:
            return kept.get(key)

        def put_score(self, key: str, result: Any) -> None:
            kept[key] = result

    evaluator = lp.Evaluator(evaluate).with_memo(Memo())
    prediction = lp.Prediction(code="def choose(loads, job):\n    return 0")
    first = evaluator(WORKLOAD, prediction)
    ((key, result),) = kept.items()
    assert result == [0.5, "loads [10, 0]"] and first.value == 0.5
    kept[key] = [0.25, None]
    assert evaluator(WORKLOAD, prediction).value == 0.25
    evaluator(WORKLOAD, lp.Prediction(code="def choose(loads, job):\n    return 1"))
    assert len(kept) == 2
