from __future__ import annotations

import os
from pathlib import Path

import pytest

from langprog.cli.main import run
from langprog.lm import Completion, DiskCache


def filled(folder: Path) -> None:
    cache = DiskCache(folder)
    for number in range(3):
        cache.put(f"key {number}", Completion((f"text {number}",), "test/model"))
    cache.close()


def test_clear_says_what_it_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "kept"
    monkeypatch.setenv("LANGPROG_CACHE", str(folder))
    assert run(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"there is no cache in {folder}: nothing to remove\n"
    filled(folder)
    assert run(["cache", "clear"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("removed 3 entries (") and said.endswith(f" bytes) of {folder}\n")
    assert run(["cache", "clear"]) == 0
    assert capsys.readouterr().out == f"removed 0 entries (0 bytes) of {folder}\n"


def test_clear_empties_the_usual_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("LANGPROG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    filled(tmp_path / "langprog")
    assert run(["cache", "clear"]) == 0
    assert "removed 3 entries" in capsys.readouterr().out
    cache = DiskCache(tmp_path / "langprog")
    assert cache.get("key 1") is None
    cache.close()


def test_clear_leaves_a_folder_alone_that_was_named_by_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path))
    filled(tmp_path)
    (tmp_path / "odd\x1b[31m").write_text("mine")
    assert run(["cache", "clear"]) == 2
    said = capsys.readouterr().err
    assert "was not cleared: it holds 'odd\\x1b[31m'" in said and "\x1b" not in said
    assert len(said.splitlines()) == 1
    assert (tmp_path / "odd\x1b[31m").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_clear_says_that_a_folder_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path))
    filled(tmp_path)
    tmp_path.chmod(0o555)
    (tmp_path / "cache.db").chmod(0o444)
    assert run(["cache", "clear"]) == 2
    assert "LANGPROG_CACHE" in capsys.readouterr().err
    tmp_path.chmod(0o755)
