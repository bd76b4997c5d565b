"""The grid's cells, what is kept of them, and the report, on a model that reads the procedure."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import benchmarks.__main__ as command
import langprog as lp
from benchmarks import curves, measured
from benchmarks.suite import page
from benchmarks.suite.cells import BASE, Cell, list_cells, run_cell
from benchmarks.suite.report import common, front, optimizer_rows, pair, peer_sentences
from benchmarks.suite.tasks import TASKS, TEST
from langprog.lm import Cache, LanguageModel

TASK = "procedure: count up"


def follow(request: lp.Request) -> str:
    """Start with the number and stop there, unless demonstrations show that there is more."""
    text = request.messages[-1].text
    value = int(re.findall(r"Start with (\d+)", text)[0])
    if len(request.messages) > 2:
        for even, test, number in re.findall(r"(even|above 10)(.*?)(\d+)\.", text):
            if even == "even":
                value = value // 2 if value % 2 == 0 else value + int(number)
            else:
                taken = int(re.findall(r"take (\d+)", test)[0])
                value = value - taken if value > 10 else value + int(number)
    return f"[[result]]\n{value}"


def connect(name: str, cache: Cache | bool) -> LanguageModel:
    return lp.ScriptedLM(follow, name=name, dollars=0.001)


def cell(optimizer: str, program: str = "answer", seed: int = 0) -> Cell:
    return Cell(TASK, program, optimizer, "scripted/lm", seed, 300)


@pytest.fixture(scope="module")
def outcomes() -> list[dict[str, Any]]:
    return [run_cell(cell(name), connect) for name in (BASE, "LabeledFewShot")]


def test_a_cell_keeps_the_score_of_every_test_row_and_what_it_cost(
    outcomes: list[dict[str, Any]],
) -> None:
    base, compiled = outcomes
    assert len(base["scores"]) == len(compiled["scores"]) == TEST
    assert (base["compile_calls"], base["compile_dollars"]) == (0, 0.0)
    assert compiled["verdict"] == "certified" and 0 < compiled["compile_calls"] <= 300
    assert compiled["compile_dollars"] == pytest.approx(0.001 * compiled["compile_calls"])
    assert (compiled["run_calls"], compiled["run_dollars"]) == (1.0, pytest.approx(0.001))
    assert sum(compiled["scores"]) > sum(base["scores"]) + 50
    assert json.loads(json.dumps(compiled)) == compiled


def test_the_grid_has_no_cell_that_cannot_be() -> None:
    cells = list(
        list_cells(
            [TASK, "world: two steps"],
            ["answer", "reason", "vote"],
            [BASE, "DSPy SIMBA"],
            ["m"],
            [0],
            300,
        )
    )
    found = {(each.task, each.program, each.optimizer) for each in cells}
    assert (TASK, "vote", "DSPy SIMBA") not in found and (TASK, "vote", BASE) in found
    assert ("world: two steps", "reason", BASE) not in found
    assert len({each.name for each in cells}) == len(cells) == 8


def made_up(optimizer: str, scores: list[float], seed: int = 0, **more: Any) -> dict[str, Any]:
    return {
        **{"task": "t", "program": "answer", "model": "m", "seed": seed, "optimizer": optimizer},
        **{"scores": scores, "compile_calls": 10, "compile_dollars": 0.1, "run_calls": 1.0},
        **{"run_dollars": 0.002, **more},
    }


def test_cells_are_paired_with_their_own_baseline_and_harm_is_counted() -> None:
    half, all_right, all_wrong = [0.0, 1.0] * 50, [1.0] * 100, [0.0] * 100
    rows = [
        made_up(BASE, half),
        made_up(BASE, half, seed=1),
        made_up("A", all_wrong),
        made_up("A", [1.0, 0.0] * 49 + [0.0, 0.0], seed=1),
        made_up("Compiler", all_right, run_dollars=0.004),
        made_up("Compiler", all_right, seed=1, run_dollars=0.004),
        made_up("B", all_right, seed=2),  # has no baseline
    ]
    by_name = {each.name: each for each in pair(rows)}
    assert set(by_name) == {BASE, "A", "Compiler"}
    assert by_name["A"].worse == (2, 1)  # the second is lower by one row only
    difference, low, high = by_name["Compiler"].difference
    assert difference == 0.5 and 0.4 < low < 0.5 < high < 0.6
    assert front(pair(rows)) == [BASE, "Compiler"]
    assert [row[0] for row in optimizer_rows(pair(rows))[1:]] == ["uncompiled", "A", "Compiler"]
    (sentence,) = peer_sentences(rows)
    assert "Compiler against A" in sentence and sentence.endswith("200 rows: won.")
    assert {each["seed"] for each in common(rows)} == {0, 1}


def test_a_stopped_run_goes_on_and_publishes_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcomes: list[dict[str, Any]]
) -> None:
    for module in (measured, curves, page):
        monkeypatch.setattr(module, "RESULTS", tmp_path)
    monkeypatch.setattr(command, "_connector", lambda base_url: connect)
    names = ["--optimizer", BASE, "--optimizer", "LabeledFewShot", "--model", "scripted/lm"]
    grid = ["--task", TASK, "--program", "answer", *names, "--keep", str(tmp_path)]
    assert command.main([*grid, "--publish"]) == 1  # nothing yet
    kept = tmp_path / "cells.jsonl"
    kept.write_text(json.dumps({"name": cell(BASE).name, "value": outcomes[0]}) + "\n")
    assert command.main([*grid, "--hours", "-1"]) == 0
    assert "1 of 2 cells" in (tmp_path / "suite.md").read_text()
    assert command.main(grid) == 0
    lines = [json.loads(line) for line in kept.read_text().splitlines() if line]
    assert [line["name"] for line in lines] == [cell(BASE).name, cell("LabeledFewShot").name]
    timeless = {**lines[1]["value"], "seconds": 0}
    assert timeless == {**outcomes[1], "seconds": 0}  # the same again
    markdown, html = ((tmp_path / f"suite.{kind}").read_text() for kind in ("md", "html"))
    assert "2 of 2 cells" in markdown and "| LabeledFewShot |" in markdown
    assert html.count("<svg") == 3 and "--keep" not in markdown
    assert command.main([*grid, "--dollars", "0"]) == 0  # nothing is missing
    assert command.main([*grid, "--page", "other"]) == 0
    assert "--page other" in (tmp_path / "other.md").read_text()
    assert "(other.svg)" in (tmp_path / "other.md").read_text()


@pytest.mark.parametrize("name", [n for n in TASKS if n.startswith(("procedure", "board"))])
def test_rows_of_generators_are_distinct_and_follow_the_seed(name: str) -> None:
    first, again, other = (TASKS[name](seed) for seed in (0, 0, 1))
    rows = [*first.data, *first.test]
    assert rows == [*again.data, *again.test] != [*other.data, *other.test]
    assert len({tuple(row[key] for key in first.program.inputs) for row in rows}) == len(rows)
    (output,) = first.outputs
    assert len({row[output] for row in rows}) > 2


def test_public_tasks_say_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LANGPROG_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="set LANGPROG_DATA to a folder"):
        TASKS["public: gsm8k"](0)
