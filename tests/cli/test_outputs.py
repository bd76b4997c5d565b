"""What a command writes is checked before any work, and is nothing that it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from langprog.cli.main import run
from langprog.cli.outputs import check_writable
from langprog.errors import InputError


def test_a_target_is_checked_before_any_work(tmp_path: Path) -> None:
    assert check_writable(str(tmp_path / "new.json"), "--out") == tmp_path / "new.json"
    with pytest.raises(InputError, match="--out: .* is a folder"):
        check_writable(str(tmp_path), "--out")


def test_what_a_command_reads_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.json").write_text("[]")
    Path("link.json").symlink_to("rows.json")
    for source in ("rows.json", "./link.json", "NAME=rows.json", "rows.json:name"):
        with pytest.raises(InputError, match="is the file that --train reads"):
            check_writable("rows.json", "--out", {"--val": None, "--train": ["absent", source]})
    assert check_writable("new.json", "--out", {"--train": "rows.json"}) == Path("new.json")
    compiling = "compile programs.classify:program --lm pocket/small --out rows.json"
    assert run([*compiling.split(), "--train", "rows.json"]) == 2
    assert "is the file that --train reads" in capsys.readouterr().err
    assert Path("rows.json").read_text() == "[]"
