"""The folder behind a disk cache, damaged, poisoned and held by others."""

from __future__ import annotations

import asyncio
import pickle
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import diskcache
import pytest

from langprog.errors import InputError, LangprogWarning
from langprog.lm import (
    Cached,
    Cleared,
    Completed,
    Completion,
    DiskCache,
    Request,
    ScriptedLM,
    request_key,
)
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


def test_a_file_that_is_not_a_database_costs_no_answer(tmp_path: Path) -> None:
    (tmp_path / "cache.db").write_text("not a database " * 1000)
    lm = ScriptedLM(["fine", "again"])
    model = Cached(lm, DiskCache(tmp_path))
    with pytest.warns(LangprogWarning, match="is damaged"):
        assert asyncio.run(model.complete(asking())).text == "fine"
    assert asyncio.run(model.complete(asking())).text == "again"


def test_a_folder_that_cannot_be_used_is_one_clear_error(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.write_text("not a folder")
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


def test_what_comes_in_one_turn_is_one_write_and_is_there_when_its_caller_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    together, go_on = 20, asyncio.Event()

    class Watched(DiskCache):
        def put_texts(self, texts: Mapping[str, str]) -> None:
            writes.append(len(texts))
            super().put_texts(texts)

    class Gated(ScriptedLM):
        async def complete(self, request: Request) -> Completion:
            await go_on.wait()
            return await super().complete(request)

    cache = Watched(tmp_path)
    model = Cached(Gated(lambda request: "fine"), cache)

    async def ask(number: int) -> bool:
        request = asking(str(number))
        await model.complete(request)
        kept = DiskCache(tmp_path)  # as another process sees it
        try:
            return kept.get(request_key(model.inner, request)) is not None
        finally:
            kept.close()

    async def run() -> list[bool]:
        tasks = [asyncio.create_task(ask(number)) for number in range(together)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        go_on.set()
        return await asyncio.gather(*tasks)

    assert asyncio.run(run()) == [True] * together
    assert writes == [together]


def test_a_stream_is_written_when_it_says_that_it_is_complete(tmp_path: Path) -> None:
    model = Cached(ScriptedLM(["fine"]), DiskCache(tmp_path))

    async def run() -> list[bool]:
        key = request_key(model.inner, asking())
        return [
            DiskCache(tmp_path).get(key) is not None
            async for delta in model.stream(asking())
            if isinstance(delta, Completed)
        ]

    assert asyncio.run(run()) == [True]


def test_a_completion_that_is_no_json_is_its_callers_error_and_nobody_elses(
    tmp_path: Path,
) -> None:
    class Odd(ScriptedLM):
        async def complete(self, request: Request) -> Completion:
            completion = await super().complete(request)
            odd = request.messages[-1].text == "odd"
            return replace(completion, dollars=object()) if odd else completion

    model = Cached(Odd(lambda request: "fine"), cache := DiskCache(tmp_path))

    async def run() -> list[Any]:
        asked = (model.complete(asking(text)) for text in ("even", "odd", "later"))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(run())
    assert [type(answer) for answer in answers] == [Completion, TypeError, Completion]
    for text in ("even", "later"):
        assert cache.get(request_key(model.inner, asking(text))) is not None


def filled(folder: Path, many: int = 3) -> DiskCache:
    cache = DiskCache(folder)
    for number in range(many):
        cache.put(f"key {number}", Completion((f"text {number}",), "test/model"))
    return cache


def test_a_row_that_names_a_file_removes_none(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    cache = filled(tmp_path / "kept")
    rows(tmp_path / "kept", "UPDATE Cache SET filename = '../precious', value = NULL")
    cache.put("key 0", Completion(("new",), "test/model"))
    assert cache.clear() == Cleared(3, cache_size(tmp_path / "kept", "new"))
    cache.close()
    assert (tmp_path / "precious").read_text() == "mine"


def cache_size(folder: Path, text: str) -> int:
    """The bytes of one completion as it is kept."""
    other = DiskCache(folder.parent / "other")
    other.put("k", Completion((text,), "test/model"))
    other.close()
    return int(rows(folder.parent / "other", "SELECT LENGTH(value) FROM Cache")[0][0])


def test_clearing_removes_every_completion_and_gives_the_disk_back(tmp_path: Path) -> None:
    cache = filled(tmp_path, 250)
    cache.put("large", Completion(("x" * 2_000_000,), "test/model"))
    cleared = cache.clear()
    assert cleared is not None
    assert cleared.entries == 251 and 2_000_000 < cleared.size < 2_200_000
    assert cache.get("large") is None and cache.get("key 7") is None
    assert cache.clear() == Cleared(0, 0)
    cache.put("key 7", Completion(("again",), "test/model"))
    kept = cache.get("key 7")
    assert kept is not None and kept.text == "again"
    cache.close()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 200_000


@pytest.mark.parametrize("made", [False, True])
def test_clearing_where_there_is_no_cache_makes_none(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "kept"
    if made:
        folder.mkdir()
    assert DiskCache(folder).clear() is None
    assert folder.exists() == made and (not made or not list(folder.iterdir()))


OTHER = """
import sys
from langprog.lm import Completion, DiskCache
cache = DiskCache(sys.argv[1])
print(cache.get("key 1").text, flush=True)
sys.stdin.readline()
print(cache.get("key 1"), flush=True)
cache.put("key 1", Completion(("new",), "test/model"))
print(cache.get("key 1").text, flush=True)
"""


def test_another_process_finds_nothing_after_clearing_and_goes_on(tmp_path: Path) -> None:
    filled(tmp_path).close()
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", OTHER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "text 1\n"
        cache = DiskCache(tmp_path)
        cleared = cache.clear()
        assert cleared is not None and cleared.entries == 3
        cache.close()
        rest, _ = other.communicate("\n", timeout=60)
    assert rest == "None\nnew\n"


def elsewhere(folder: Path) -> Path:
    target = folder.with_name("elsewhere")
    filled(target).close()
    return target


def linked(folder: Path) -> None:
    folder.symlink_to(elsewhere(folder))


def linked_file(folder: Path) -> None:
    target = elsewhere(folder)
    folder.mkdir()
    (folder / "cache.db").symlink_to(target / "cache.db")


def joined(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        filled(folder).close()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")

    return make


def of_another_program(folder: Path) -> None:
    with diskcache.Cache(str(folder)) as other:
        other["mine"] = "text"


def written(text: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        folder.mkdir()
        (folder / "cache.db").write_text(text)

    return make


def without_tables(folder: Path) -> None:
    folder.mkdir()
    rows(folder, "CREATE TABLE Cache (key, value)")


def files_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / "thesis").write_text("mine")


def plain_file(folder: Path) -> None:
    folder.write_text("mine")


STRANGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (linked, "it is a link to"),
    "a linked file": (linked_file, "cache.db in it is not a regular file"),
    "a file beside it": (joined("notes.txt"), "it holds 'notes.txt'"),
    "a folder beside it": (joined("work/notes.txt"), "it holds 'work'"),
    "a hidden file": (joined(".git/config"), "it holds '.git'"),
    "files alone": (files_alone, "it holds 'thesis'"),
    "another program's": (of_another_program, "made by another program"),
    "no database": (written("no database at all " * 100), "file is not a database"),
    "an empty database": (written(""), "no such table"),
    "another database": (without_tables, "no such table"),
    "a plain file": (plain_file, "Not a directory"),
}


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_no_cache_of_ours_is_left_alone(tmp_path: Path, name: str) -> None:
    make, words = STRANGE[name]
    folder = tmp_path / "kept"
    make(folder)
    before = everything_in(tmp_path)
    with pytest.raises(InputError, match="was not cleared") as caught:
        DiskCache(folder).clear()
    assert words in str(caught.value) and str(folder) in str(caught.value)
    assert everything_in(tmp_path) == before


def test_a_cache_that_is_held_locked_is_not_cleared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langprog.lm.text_store.BUSY", 0.01)
    cache = filled(tmp_path)
    blocker = sqlite3.connect(tmp_path / "cache.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(InputError, match="another process keeps writing to it"):
            cache.clear()
    finally:
        blocker.close()
    assert cache.get("key 1") is not None
    cache.close()


def test_a_folder_is_the_one_that_its_name_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WHERE", "home")
    cache = filled(Path("~/kept"))
    cache.close()
    for name in ("~/kept", "$WHERE/kept", tmp_path / "home" / "kept"):
        again = DiskCache(name)
        assert again.get("key 1") is not None
        again.close()
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
