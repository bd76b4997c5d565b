"""What a compiled judge is measured by, on judges that are known to be good or bad."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import langprog as lp
from benchmarks.estimates.recorded import Verdicts
from benchmarks.judge_align import embedded
from benchmarks.judge_align.agreement import BASE, HEAD, list_cells, measure_agreement, turn
from benchmarks.judge_align.embedded import run_judge
from benchmarks.judge_align.recorded import START, make_judge, make_pair, run_recorded
from benchmarks.measured import Checkpoint
from benchmarks.tasks.preferences import Prefer
from langprog.lm import LanguageModel

PAIRS = [
    lp.Example(first=f"good {at}", second=f"bad {at}", better="first")
    if at % 3
    else lp.Example(first=f"bad {at}", second=f"good {at}", better="second")
    for at in range(12)
]


def judge(reply: str | None) -> lp.Module:
    """Return a judge with one and the same reply; ``None``: one that is always right."""

    def answer(request: lp.Request) -> str:
        first = request.messages[-1].text.partition("[[second]]")[0]
        return reply or f"[[better]]\n{'first' if 'good' in first else 'second'}"

    return lp.Predict(Prefer, model=lp.ScriptedLM(answer))


@pytest.mark.parametrize(
    ("reply", "right", "same"),
    [(None, 1.0, 1.0), ("[[better]]\nfirst", 0.5, 0.0), ("no idea", 0.0, 0.0)],
)
def test_agreement_is_over_both_orders(reply: str | None, right: float, same: float) -> None:
    agreement = measure_agreement(judge(reply), PAIRS)
    assert (agreement.right, agreement.same) == (right, same)


def test_a_turned_pair_is_the_same_pair_in_the_other_order() -> None:
    assert turn(PAIRS[1]) == lp.Example(first="bad 1", second="good 1", better="second")
    assert turn(turn(PAIRS[1])) == PAIRS[1]


def test_a_certified_gain_that_is_none_is_counted() -> None:
    runs = [
        {"right": 0.5, "same": 0.4, "verdict": "certified", "calls": 10},
        {"right": 0.9, "same": 0.8, "verdict": "certified", "calls": 20},
        {"right": 0.5, "same": 0.4, "verdict": "original", "calls": 30},
    ]
    cells = dict(zip(HEAD, list_cells("40", "some", runs, [0.5, 0.6, 0.5]), strict=True))
    assert cells["certified"] == "2 of 3"
    assert cells["claimed gains that are none"] == "1 of 2"
    assert cells["gain, points"].startswith("10.0 [") and cells["calls"] == "20"


def test_a_recorded_judge_answers_in_the_order_in_which_it_is_asked() -> None:
    data = Verdicts(("part",) * 2, ("1", "2"), {"m": 0}, [[["1", "2"]], [["2", "None"]]])
    program = lp.Predict(Prefer, model=make_judge(data, "m"))
    first, second = make_pair(data, 0), make_pair(data, 1)
    assert (first.better, second.better) == ("first", "second")
    # Of the first comparison: answer 1 where it comes first, and answer 2 where that comes first.
    assert [
        program(first=row.first, second=row.second).better for row in (first, turn(first))
    ] == ["first", "first"]
    agreement = measure_agreement(program, [first, second])  # one verdict is missing
    assert (agreement.right, agreement.same) == (0.5, 0.0)


def test_a_compile_chooses_the_recorded_judge_that_is_right(tmp_path: Path) -> None:
    (tmp_path / "llmbar").mkdir()
    lines = [json.dumps({"set": "x", "configs": [START, "good", "bad"]})]
    for row in range(220):
        label = str(1 + row % 2)
        poor = str(1 + row % 3 % 2)
        winner = [[poor, "1"], [label, label], ["1", "2"]]
        lines.append(json.dumps({"label": int(label), "winner": winner}))
    (tmp_path / "llmbar" / "LLMBar_x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    before = run_recorded(tmp_path, BASE, 0, 0)
    after = run_recorded(tmp_path, "JudgeAlign, kappa", 160, 0)
    assert before["right"] < 0.7 and before.keys() == {"right", "same"}
    assert (after["right"], after["same"]) == (1.0, 1.0)
    assert after["verdict"] == "certified" and after["chosen"].endswith("good")


def learn(request: lp.Request) -> str:
    """Prefer the first message until both verdicts were shown, then the one with a known word."""
    if "[[instruction]]" in str(request.messages[0].content):
        return "[[instruction]]\nSay which message is better."
    shown = [str(each.content) for each in request.messages if each.role == "assistant"]
    fields = dict(re.findall(r"\[\[(\w+)\]\]\n(.*)", request.messages[-1].text))
    if len({text.split()[-1] for text in shown}) < 2:
        return "[[better]]\nfirst"
    return f"[[better]]\n{'first' if fields['first'] > fields['second'] else 'second'}"


def test_a_judge_is_measured_on_pairs_that_its_compile_did_not_see(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def make_pairs(count: int, seed: int) -> list[lp.Example]:
        rows = []
        for at in range(count):
            good, bad = f"z {seed} {at}", f"a {seed} {at}"
            row = lp.Example(first=good, second=bad, better="first")
            rows.append(row if at % 2 else turn(row))
        return rows

    def connect(name: str) -> LanguageModel:
        return lp.ScriptedLM(learn, name=name)

    monkeypatch.setattr(embedded, "make_pairs", make_pairs)
    monkeypatch.setattr(embedded, "LABELS", (160,))
    monkeypatch.setattr(
        embedded, "MEMBERS", {"JudgeAlign, kappa": embedded.MEMBERS["JudgeAlign, kappa"]}
    )
    outcome = run_judge("JudgeAlign, kappa", 160, 0, connect)
    assert outcome["verdict"] == "certified" and outcome["calls"] <= embedded.CALLS
    assert (outcome["right"], outcome["same"]) == (1.0, 1.0)
    text = embedded.format_embedded(range(2), Checkpoint(tmp_path / "kept.jsonl"), connect)
    assert "| 0 | uncompiled | 50.0 [50.0, 50.0] | - | 0.0 [0.0, 0.0] | - | - | - |" in text
    assert "| 160 | JudgeAlign, kappa | 100.0 [100.0, 100.0] | 50.0 [50.0, 50.0] |" in text
    assert "| 2 of 2 | 0 of 2 |" in text
