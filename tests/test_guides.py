"""The commands of the guides run as they stand there, on the embedded model."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from langprog.cli.main import run

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
