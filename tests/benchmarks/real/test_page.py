"""The page of the comparison, from finished and missing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.measured import Checkpoint
from benchmarks.real.compare import BASE, Job, list_jobs
from benchmarks.real.page import format_comparison

HALF, MOST = "01" * 75, "1110" * 37 + "11"


def outcome(job: Job) -> dict[str, Any]:
    if job.optimizer == BASE:
        return {"fresh": HALF}
    theirs = {"paid": 290, "fresh": MOST, "demos": 4}
    if job.optimizer in ("MIPROv2 light", "BootstrapRS"):
        return theirs
    certified = job.optimizer == "Compiler"
    return {
        **theirs,
        "fresh": MOST if certified else HALF,
        "candidate": MOST,
        "verdict": "certified" if certified else "original",
        "difference": 0.25,
        "low": 0.1,
        "p": 0.01,
        "label": "set 1",
    }


def test_a_page_says_what_is_done_what_is_missing_and_whether_certificates_hold(
    tmp_path: Path,
) -> None:
    kept = Checkpoint(tmp_path / "compare.jsonl")
    jobs = list_jobs(["trec", "sst2"], [0])
    done = [job for job in jobs if job.task == "trec" or job.optimizer in (BASE, "Compiler")]
    for job in done:
        kept.measure_once(job.name, lambda job=job: outcome(job))
    page = format_comparison(kept, jobs)
    assert f"{len(done)} of {len(jobs)} runs" in page
    missing = page.split("Not measured yet: ")[1].split("\n")[0]
    assert missing.count("sst2") == len(jobs) - len(done) and "trec" not in missing
    assert "| trec | uncompiled | 0 |  | 0.500" in page
    # Four certified compiles of Compiler, and one of BootstrapRandomSearch that shows nothing.
    assert "4 of 5 compiles were certified as better" in page
    assert "Of these, 4 are better on the fresh rows too, and 4 by at least the bound" in page
    assert "| DSPy BootstrapRS | own | 1 | +0.000" in page


def test_a_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    page = format_comparison(Checkpoint(tmp_path / "none"), list_jobs(["trec"], [0]))
    assert "0 of 7 runs" in page and "0 of 0 compiles" in page


def test_a_seed_of_all_tasks_comes_before_the_next() -> None:
    jobs = list_jobs(["trec", "sst2"], [0, 1])
    assert [job.seed for job in jobs] == [0] * 14 + [1] * 14
    assert len(set(jobs)) == len(jobs)
