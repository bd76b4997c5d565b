"""What was measured anew replaces its rows on the page; all others stay as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.surface.jobs import list_jobs
from benchmarks.surface.page import format_page, read_rows

BEFORE = """# Optimizers

## 1 module; uncompiled 0.474 [0.472, 0.476]

| optimizer | paid calls | true accuracy | of its best candidate | worse than before |
| --- | --- | --- | --- | --- |
| Compiler, 600 calls | 536 | 0.813 [0.795, 0.832] | 0.813 [0.795, 0.832] | 0 of 30 |
| DSPy GEPA light | 1,706 | 0.766 [0.745, 0.786] | 0.766 [0.745, 0.786] | 1 of 30 |

## 2 modules; uncompiled 0.319 [0.317, 0.320]
"""


def outcome(modules: int, after: float) -> dict[str, object]:
    return {
        "name": "Compiler, 600 calls",
        "modules": modules,
        "before": 0.5,
        "after": after,
        "candidate": after,
        "calls": 500,
        "tokens": 300,
    }


def test_rows_that_were_not_measured_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("benchmarks.surface.page", "benchmarks.curves"):
        monkeypatch.setattr(f"{module}.RESULTS", tmp_path)
    page = tmp_path / "surface.md"
    page.write_text(BEFORE)
    outcomes = [outcome(modules, after) for modules in (1, 2) for after in (0.4, 0.9)]
    page.write_text(format_page(outcomes, range(5000, 5002), "Compiler"))
    rows = read_rows(1)
    assert rows["DSPy GEPA light"][1:5] == (
        "1,706",
        "0.766 [0.745, 0.786]",
        "0.766 [0.745, 0.786]",
        "1 of 30",
    )
    assert [rows[name][-1] for name in ("DSPy GEPA light", "Compiler, 600 calls")] == ["30", "2"]
    new = rows["Compiler, 600 calls"]
    assert (new[1], new[2][:5], new[4], new[5]) == ("500", "0.650", "1 of 2", "300")
    assert list(read_rows(2)) == ["Compiler, 600 calls"]
    said = page.read_text()
    assert "--only Compiler --seeds 2 --first 5000" in said and "kept from before" in said
    # What was published can be read again.
    assert format_page(outcomes, range(5000, 5002), "Compiler") == said.rstrip("\n")


def test_some_optimizers_and_caps_are_listed() -> None:
    jobs = list_jobs([1, 2], ["MIPRO"], [600])
    assert [(job.seed, job.modules, job.name) for job in jobs] == [
        (seed, modules, "MIPRO, 600 calls") for seed in (1, 2) for modules in (1, 2)
    ]
    assert any(job.cap is None for job in list_jobs([1]))
