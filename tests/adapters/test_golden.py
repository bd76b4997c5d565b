"""The bytes that a version of an adapter renders never change."""

from __future__ import annotations

from pathlib import Path

import pytest

from langprog.adapters import ADAPTERS, adapter_named
from tests.adapters.golden_files import GOLDEN, SHOWN, missing, path_of, rendered


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_what_is_rendered_stays_as_it_is(path: Path) -> None:
    reference, _, name = path.stem.rpartition("-")
    assert name in SHOWN, "a signature was taken out: put it back"
    assert rendered(adapter_named(reference), name) == path.read_text(encoding="utf-8")


def test_every_version_of_every_adapter_has_its_files() -> None:
    lacking = [path.name for path, _ in missing()]
    assert not lacking, "run python -m tests.adapters.golden_files and commit what it writes"


def test_a_new_version_without_files_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    more = {**ADAPTERS, "chat@2": ADAPTERS["chat"]}
    monkeypatch.setattr("tests.adapters.golden_files.ADAPTERS", more)
    assert [path for path, _ in missing()] == [path_of("chat@2", name) for name in SHOWN]
