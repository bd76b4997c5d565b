"""The folder behind a disk cache, damaged, poisoned and held by others."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from langprog.errors import InputError
from langprog.lm import Cached, Completion, DiskCache, ScriptedLM
from tests.lm.endpoint import asking


def rows(folder: Path, sql: str, *values: Any) -> list[Any]:
    """Change the cache's own file behind its back."""
    connection = sqlite3.connect(folder / "cache.db")
    try:
        with connection:
            return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def kept_on_disk(folder: Path) -> tuple[ScriptedLM, Cached]:
    """A model whose one answer, ``first``, is on disk; it will answer ``second``."""
    lm = ScriptedLM(["first", "second"])
    asyncio.run(Cached(lm, DiskCache(folder)).complete(asking()))
    return lm, Cached(lm, DiskCache(folder))


@pytest.mark.parametrize(
    "value",
    ["{", "", "null", "[]", '{"texts": []}', '{"texts": ["x"]}', "[" * 100_000, 7, 7.5, b"\xff"],
    ids=lambda value: repr(value)[:20],
)
def test_a_damaged_row_is_a_miss(tmp_path: Path, value: object) -> None:
    lm, model = kept_on_disk(tmp_path)
    rows(tmp_path, "UPDATE Cache SET value = ?", value)
    assert asyncio.run(model.complete(asking())).text == "second"
    assert asyncio.run(model.complete(asking())).text == "second"
    assert lm.calls == 2


class Evil:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("mode", range(6))
@pytest.mark.parametrize("place", ["value", "file"])
def test_a_pickle_in_the_cache_is_never_loaded(tmp_path: Path, mode: int, place: str) -> None:
    proof = tmp_path / "proof"
    blob = pickle.dumps(Evil(proof))
    pickle.loads(blob)
    assert proof.exists()
    proof.unlink()
    folder = tmp_path / "kept"
    lm, model = kept_on_disk(folder)
    if place == "value":
        rows(folder, "UPDATE Cache SET value = ?, mode = ?", blob, mode)
    else:
        (folder / "evil.val").write_bytes(blob)
        rows(folder, "UPDATE Cache SET value = NULL, filename = 'evil.val', mode = ?", mode)
    rows(folder, "UPDATE Settings SET value = 'pickle' WHERE key = 'disk'")
    assert asyncio.run(model.complete(asking())).text == "second"
    assert not proof.exists()
    # A key can be a pickle, too.
    rows(folder, "UPDATE Cache SET key = ?, raw = 0", blob)
    asyncio.run(Cached(ScriptedLM(["third"]), DiskCache(folder)).complete(asking()))
    assert not proof.exists()


def test_nothing_that_is_written_is_a_pickle(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    for text in ("small", "large " * 100_000, "alone \ud800"):
        cache.put(f"key {len(text)}", Completion((text,), "test/model"))
        kept = cache.get(f"key {len(text)}")
        assert kept is not None
        assert kept.text == text
    types = "SELECT DISTINCT typeof(key), raw, typeof(value), filename IS NULL FROM Cache"
    assert rows(tmp_path, types) == [("text", 1, "text", 1)]


@pytest.mark.parametrize("state", ["a file", "no database"])
def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path: Path, state: str) -> None:
    folder = tmp_path / "kept"
    if state == "a file":
        folder.write_text("not a folder")
    else:
        folder.mkdir()
        (folder / "cache.db").write_text("not a database " * 1000)
    lm = ScriptedLM(["fine"])
    with pytest.raises(InputError, match="cache folder .*kept") as caught:
        asyncio.run(Cached(lm, DiskCache(folder)).complete(asking()))
    assert "cache=False" in str(caught.value)
    assert lm.calls == 0, "nothing is paid for that could not be kept"


def test_a_cache_that_somebody_holds_locked_loses_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langprog.lm.text_store.BUSY", 0.01)
    _, model = kept_on_disk(tmp_path)
    assert asyncio.run(model.complete(asking())).text == "first"
    blocker = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    try:
        assert asyncio.run(model.complete(asking("new"))).text == "second"
    finally:
        blocker.close()
