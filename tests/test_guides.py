"""The commands of the guides run as they stand there, on the embedded model."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from langprog.cli import serving
from langprog.cli.main import run
from programs import classify, list_programs

ROOT = Path(__file__).parents[1]


def test_the_commands_of_the_guide_to_ports_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "port.md").read_text()
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    tickets = ROOT / "programs" / "tickets"
    shutil.copy(tickets / "train.jsonl", tmp_path / "tickets.jsonl")
    # Fewer rows than in the file, as calls take time; enough for the test.
    rows = (tickets / "holdout.jsonl").read_text().splitlines(keepends=True)[:80]
    (tmp_path / "holdout.jsonl").write_text("".join(rows))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "safe: As it is, the program loses n" in said and "artifact new.json" in said
    assert "compiled by port from sha256:" in said


def test_the_commands_of_the_guide_to_verification_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "verify.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    shutil.copy(ROOT / "programs" / "tickets" / "train.jsonl", tmp_path / "tickets.jsonl")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "verify.md", "exec"), {})
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "recorded 12 canaries with 2 replies each" in said and '"runs": 24' in said


def test_the_code_of_the_guide_to_the_semantic_cache_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "semantic_cache.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(code, "semantic_cache.md", "exec"), names)
    names["cache"].close()
    assert capsys.readouterr().out.endswith(" 0\n") and Path("answers").is_dir()


def test_the_commands_of_the_guide_to_serving_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "serve.md").read_text()
    readme = (ROOT / "README.md").read_text().partition("\n## Three doors\n")[2]
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (console,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    serve, *trials = "".join(re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)).splitlines()
    own, ask = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[0].splitlines()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    exec(compile(code, "serve.md", "exec"), {})
    for name in ("new.json", "triage.json"):
        shutil.copy("team.json", name)
    with served([*shlex.split(serve)[1:], "triage.json"]) as address:
        for question in [ask, *(line.removeprefix("$ ") for line in console.splitlines())]:
            done = subprocess.run(
                question.replace("localhost:8000", address.removeprefix("http://")),
                shell=True,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, question
            assert "sha256:" in done.stdout or "openapi" in done.stdout, done.stdout

    async def serve_nothing(server: object) -> None:
        """Take the place of what listens: the rest of the command is run."""

    monkeypatch.setattr(serving, "_serve", serve_nothing)
    for command in (own, *trials):
        assert run(shlex.split(command, comments=True)[1:]) == 0, capsys.readouterr().err


@contextmanager
def served(arguments: list[str]) -> Iterator[str]:
    """Run ``langprog serve`` on a free port; yields its address."""
    arguments[arguments.index("--port") + 1] = "0"
    command = [sys.executable, "-m", "langprog", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert process.returncode == 0


def test_the_commands_of_the_guide_to_programs_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "programs.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    (block,) = re.findall(r"```console\n(.*?)```", guide, re.DOTALL)
    # Fewer rows, as calls take time.
    monkeypatch.setattr(classify, "examples", partial(classify.examples, 15))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "programs.md", "exec"), {})
    for line in block.splitlines():
        program, *arguments = shlex.split(line.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert "artifact        classify.json" in said and said.count("metric: ") == 2
    told = set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE))
    assert told <= {info.name for info in list_programs()}


def test_the_guide_to_labels_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guide = (ROOT / "docs" / "labels.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(code, "labels.md", "exec"), {})
    assert "2 rows with a weak label, 1 without" in capsys.readouterr().out
    lines = (ROOT / "programs" / "tickets" / "train.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "known.jsonl").write_text("".join(lines[:10]))
    unlabelled = [json.dumps({"ticket": json.loads(line)["ticket"]}) for line in lines[10:40]]
    (tmp_path / "unlabelled.jsonl").write_text("\n".join(unlabelled))
    rule = "def words(row):\n    return 'harbor' if 'pay' in row.ticket else None\n"
    (tmp_path / "rules.py").write_text(rule)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    for block in re.findall(r"```console\n(.*?)```", guide, re.DOTALL):
        program, *arguments = shlex.split(block.removeprefix("$ "))
        assert program == "langprog" and run(arguments) == 0, capsys.readouterr().err
    assert len(Path("to_label.jsonl").read_text().splitlines()) == 10
    assert "to train on alone" in capsys.readouterr().out


def test_the_guide_to_estimates_runs(capsys: pytest.CaptureFixture[str]) -> None:
    guide = (ROOT / "docs" / "estimates.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    exec(compile(code, "estimates.md", "exec"), {})
    first, second, third, last = capsys.readouterr().out.splitlines()
    assert "150 labels of 2,000 rows" in first and "drawn at random" in first
    assert "150 labels of 2,000 rows" in second and "the oracle is right" in second
    assert "'large': 0.9" in third or "'large': 0.8" in third
    assert last.startswith("(")
