"""``langprog report``: of an artifact, a compile that ended, and one that was killed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from optimizers import BootstrapRandomSearch
from optimizers.report.summary import render_markdown
from tests.optimizers.simulated import Triage, answers, tickets


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.team == prediction.team)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compile's run directory, its artifact and its report."""
    folder = tmp_path_factory.mktemp("reports")
    with lp.using(lm=lp.ScriptedLM(answers(), name="sim/m")):
        compiled = BootstrapRandomSearch(sets=2).compile(
            lp.Predict(Triage),
            tickets(40),
            metric=right,
            budget=lp.Budget(calls=300),
            run_dir=folder / "run",
        )
    compiled.save(folder / "triage.json")
    compiled.report.save(folder / "report.json")
    return folder


def report(source: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert run(["report", str(source)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_an_artifact_a_report_and_a_run_directory_are_told_in_words(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = report(folder / "triage.json", capsys)
    assert artifact.startswith("# ") and "## certificate" in artifact
    assert "- **instruction**: Read the ticket." in artifact
    written, kept = report(folder / "report.json", capsys), report(folder / "run", capsys)
    assert written == kept and written.startswith("# Compiled with BootstrapRandomSearch\n")
    assert "## trials" in written and "## prompt of predict" in written
    calls = json.loads((folder / "report.json").read_text())["paid"]["calls"]
    assert f"- **paid**: {calls:,.0f} calls" in written


def test_pages_need_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for source, said in (("triage.json", "<h2>certificate</h2>"), ("run", "<h2>Certificate: ")):
        page = folder / "page.html"
        assert run(["report", str(folder / source), "--out", str(page)]) == 0
        text = page.read_text()
        assert said in text and "default-src 'none'" in text and "<script src" not in text
    assert str(page) in capsys.readouterr().out


def test_a_compile_that_was_killed_says_how_far_it_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (folder / "run" / "journal.jsonl").read_bytes().splitlines(keepends=True)
    calls = [place for place, line in enumerate(lines) if b'"kind":"call"' in line]
    journal = tmp_path / "journal.jsonl"
    # Killed within a line, after ten calls.
    journal.write_bytes(b"".join(lines[: calls[10]]) + lines[calls[10]][:20])
    told = report(tmp_path, capsys)
    assert "not ended; started once" in told and "- **paid**: 10 calls" in told
    # A session that began after the last report was written.
    shutil.copy(folder / "run" / "report.json", tmp_path)
    session = next(line for line in lines if b'"kind":"session"' in line)
    journal.write_bytes(b"".join(lines) + session)
    assert "no report; started 2 times" in report(tmp_path, capsys)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none"], "cannot be read"),
        (["."], "has no journal.jsonl"),
        (["triage.json", "--out", "report.pdf"], "written as .html"),
        (["triage.json", "--out", "x.json"], "write .html or .md"),
        (["own.py"], "not an artifact"),
    ],
)
def test_what_has_no_report_is_said(
    arguments: list[str],
    said: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    Path("own.py").write_text("x = 1")
    assert run(["report", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_what_a_model_wrote_cannot_change_the_form() -> None:
    text = render_markdown("a_b", [("x", [("name", "# no heading\n<b>[link](x)</b>")])])
    lines = text.splitlines()
    assert lines[0] == r"# a\_b" and lines[4] == r"- **name**: \# no heading"
    assert lines[5] == r"  \<b\>\[link\](x)\</b\>"
