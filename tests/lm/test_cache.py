from __future__ import annotations

import asyncio
import pickle
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from langprog.errors import LangprogWarning, ModelError, ParseError
from langprog.lm import (
    Budget,
    Cache,
    Cached,
    Completion,
    DiskCache,
    Ledger,
    MemoryCache,
    OpenAICompatible,
    Request,
    Sampling,
    ScriptedLM,
    Usage,
    request_key,
)
from tests.lm.endpoint import asking

FULL = Completion(
    ("one", "two \U0001f600"),
    "test/model",
    Usage(3, 2, 1),
    ("stop", "length"),
    ((-0.5, -1.25), (-0.125,)),
    0.25,
    1.5,
)


@pytest.fixture(params=["memory", "disk"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "memory":
        yield MemoryCache()
        return
    store = DiskCache(tmp_path / "cache")
    yield store
    store.close()


def test_what_was_put_comes_back(cache: Cache) -> None:
    assert cache.get("a" * 64) is None
    cache.put("a" * 64, FULL)
    found = cache.get("a" * 64)
    assert found is not None and replace(found, cached=False) == FULL


@pytest.mark.parametrize("text", ["", "half \ud83d", "\x00", "long " * 20_000], ids=repr)
def test_any_text_can_be_kept(cache: Cache, text: str) -> None:
    cache.put("k", replace(FULL, texts=(text,)))
    found = cache.get("k")
    assert found is not None and found.texts == (text,)


def test_a_caller_cannot_change_what_is_kept(cache: Cache) -> None:
    texts = ["one"]
    cache.put("k", Completion(texts, "m"))  # type: ignore[arg-type]  # as a careless model would
    texts[0] = "changed"
    found = cache.get("k")
    assert found is not None and found.texts == ("one",)
    with pytest.raises(FrozenInstanceError):
        found.texts = ("changed",)  # type: ignore[misc]  # on purpose


def test_a_hit_costs_nothing_and_says_so(cache: Cache) -> None:
    inner = ScriptedLM(["first", "second"], dollars=0.5)
    model = Cached(inner, cache)
    ledger = Ledger(Budget(calls=10))

    async def run() -> list[Completion]:
        return [await model.complete(asking("same", ledgers=(ledger,))) for _ in range(3)]

    first, *rest = asyncio.run(run())
    assert inner.calls == 1
    assert not first.cached and all(one.cached for one in rest)
    assert {one.text for one in rest} == {"first"}
    # Nothing was reserved here: no Budgeted is inside, so only what was saved is counted.
    assert ledger.uncached.calls == 2 and ledger.uncached.dollars == 1.0
    assert ledger.paid.calls == 0


DIFFERENT: list[Request] = [
    asking("text"),
    asking("other"),
    asking("text", n=2),
    asking("text", logprobs=True),
    asking("text", response_schema={"type": "object"}),
    *(
        asking("text", sampling=sampling)
        for sampling in (
            Sampling(temperature=0.5),
            Sampling(max_tokens=9),
            Sampling(top_p=0.5),
            Sampling(stop=("x",)),
            Sampling(seed=1),
            Sampling(seed=2),
        )
    ),
]


def test_all_that_decides_an_answer_is_in_the_key() -> None:
    here = ScriptedLM([], name="test/model")
    keys = [request_key(here, request) for request in DIFFERENT]
    keys.append(request_key(ScriptedLM([], name="test/other"), DIFFERENT[0]))
    for url in ("http://one/v1", "http://two/v1"):
        there = OpenAICompatible("test/model", base_url=url)
        keys.append(request_key(there, DIFFERENT[0]))
    assert len(set(keys)) == len(keys)


def test_who_pays_is_not_in_the_key_and_defaults_are() -> None:
    plain = ScriptedLM([])
    warm = ScriptedLM([], defaults=Sampling(temperature=0.5))
    assert request_key(plain, asking()) == request_key(plain, asking(ledgers=(Ledger(),)))
    assert request_key(plain, asking()) != request_key(warm, asking())
    assert request_key(warm, asking()) == request_key(
        plain, asking(sampling=Sampling(temperature=0.5))
    )


def test_the_memory_cache_lets_go_of_the_one_used_least_recently() -> None:
    cache = MemoryCache(2)
    for key in "ab":
        cache.put(key, FULL)
    cache.get("a")
    cache.put("c", FULL)
    assert [key for key in "abc" if cache.get(key)] == ["a", "c"]


def store_row(folder: Path, change: str, *values: Any) -> None:
    with sqlite3.connect(folder / "cache.db") as database:
        assert database.execute(f"UPDATE Cache SET {change}", values).rowcount == 1
    database.close()


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_a_pickle_in_the_store_is_never_loaded(tmp_path: Path) -> None:
    folder, sprung = tmp_path / "cache", tmp_path / "sprung"
    trap = pickle.dumps(Trap(sprung))
    (tmp_path / "trap.val").write_bytes(trap)
    pickled, beside = 4, str(tmp_path / "trap.val")
    for mode in range(1, 5):
        cache = DiskCache(folder)
        cache.put("k", FULL)
        store_row(folder, "mode = ?, value = ?, filename = NULL", mode, trap)
        assert cache.get("k") is None
        store_row(folder, "mode = ?, value = NULL, filename = ?", pickled, beside)
        assert cache.get("k") is None
        store_row(folder, "key = ?, raw = 0, filename = NULL", trap)
        assert cache.get("k") is None
        cache.put("other", FULL)
        cache.close()
        for file in folder.iterdir():
            file.unlink()
    assert not sprung.exists()
    pickle.loads(trap)
    assert sprung.exists(), "the trap works, so its silence means something"


DAMAGED = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"texts": []}',
    '{"texts": [1], "model": "m", "usage": [1, 1, 0], "finish": [], "logprobs": null}',
    '{"texts": "abc", "model": "m", "usage": [1e999, 1, 0], "finish": [], "logprobs": null, '
    '"dollars": null, "latency": 0}',
    "[" * 100_000,
]


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: repr(text[:20]))
def test_a_damaged_entry_is_a_miss_and_is_replaced(tmp_path: Path, text: str) -> None:
    inner = ScriptedLM(["first", "again"])
    disk = DiskCache(tmp_path)
    model = Cached(inner, disk)

    async def ask() -> str:
        return (await model.complete(asking())).text

    assert asyncio.run(ask()) == "first"
    store_row(tmp_path, "value = ?", text)
    assert [asyncio.run(ask()), asyncio.run(ask())] == ["again", "again"]
    assert inner.calls == 2
    disk.close()


def test_a_bit_that_was_turned_over_is_a_miss_and_not_another_answer(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put("k", replace(FULL, texts=("four",)))
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE Cache SET value = replace(value, 'four', 'five')")
    database.close()
    assert cache.get("k") is None
    cache.close()


def test_an_entry_without_a_checksum_is_still_served(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put("k", FULL)
    store_row(tmp_path, "value = substr(value, 1, instr(value, char(10)) - 1)")
    completion = cache.get("k")
    assert completion is not None and completion.texts == FULL.texts
    cache.close()


def test_a_folder_that_cannot_be_used_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder" / "cache.db").mkdir(parents=True)
    for folder in (tmp_path / "file", tmp_path / "folder"):
        with pytest.raises(ModelError, match="LANGPROG_CACHE"):
            DiskCache(folder).get("k")


def test_a_file_that_is_not_a_cache_is_passed_by_with_one_warning(tmp_path: Path) -> None:
    text = "no database at all, but long enough to be taken for one"
    (tmp_path / "cache.db").write_text(text)
    cache = DiskCache(tmp_path)
    with pytest.warns(LangprogWarning, match="damaged") as heard:
        assert cache.get("k") is None
        cache.put("k", FULL)
        assert cache.get("k") is None
    assert len(heard) == 1 and str(tmp_path) in str(heard[0].message)
    assert (tmp_path / "cache.db").read_text() == text


def damaged(whole: bytes, seed: int) -> bytes:
    """Return a database with bytes changed, zeroed or cut off."""
    rng, data = random.Random(seed), bytearray(whole)
    if seed % 3 == 0:
        for _ in range(rng.choice([1, 20, 400, 5000])):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif seed % 3 == 1:
        start = rng.randrange(len(data))
        length = len(data[start : start + 4096 * rng.randrange(1, 4)])
        data[start : start + length] = bytes(length)
    else:
        del data[rng.randrange(len(data)) :]
    return bytes(data)


@pytest.mark.filterwarnings("ignore:the cache in")
def test_a_damaged_store_never_raises(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "whole")
    for number in range(100):
        cache.put(f"k{number}", FULL)
    cache.close()
    whole = (tmp_path / "whole" / "cache.db").read_bytes()
    used = 0
    for seed in range(60):
        folder = tmp_path / str(seed)
        folder.mkdir()
        (folder / "cache.db").write_bytes(damaged(whole, seed))
        cache = DiskCache(folder)
        before = [cache.get(f"k{number}") for number in range(0, 100, 9)]
        cache.put("new", FULL)
        after = cache.get("new")
        for completion in (*before, after):
            assert completion is None or isinstance(completion, Completion)
        used += after is not None
        cache.close()
    assert 0 < used < 60, "some are usable and some are not, or this shows little"


def test_a_memory_cache_is_bounded_by_its_text() -> None:
    small = MemoryCache(room=100_000)
    for number in range(100):
        small.put(str(number), replace(FULL, texts=("x" * 10_000,)))
    kept = [number for number in range(100) if small.get(str(number)) is not None]
    assert kept == list(range(100 - len(kept), 100)) and 5 < len(kept) < 10
    small.put("99", FULL)
    assert small.get("98") is not None


WRITER = """
import sys
from langprog.lm import Completion, DiskCache
cache = DiskCache(sys.argv[1])
for number in range(40):
    cache.put(f"{sys.argv[2]}-{number}", Completion((f"{sys.argv[2]} {number}",), "m"))
    assert cache.get(f"{sys.argv[2]}-{number}").text == f"{sys.argv[2]} {number}"
cache.close()
"""


def test_several_processes_share_a_folder(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER, str(tmp_path), str(who)])
        for who in range(4)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 4
    cache = DiskCache(tmp_path)
    for who in range(4):
        for number in range(40):
            found = cache.get(f"{who}-{number}")
            assert found is not None and found.text == f"{who} {number}"
    cache.close()


def test_a_disk_cache_outlives_its_process_and_serves_threads(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path)
    cache.put("k", FULL)
    cache.close()
    again = DiskCache(tmp_path)

    async def run() -> list[Completion | None]:
        get: Callable[[], Completion | None] = lambda: again.get("k")  # noqa: E731 - typed
        return await asyncio.gather(*(asyncio.to_thread(get) for _ in range(4)))

    assert all(found is not None and found.texts == FULL.texts for found in asyncio.run(run()))
    again.close()


@pytest.mark.parametrize("reason", ["length", "content_filter", "error"])
def test_a_reply_that_is_not_whole_is_not_served_again(cache: Cache, reason: str) -> None:
    replies = [Completion(("half", "x"), "m", Usage(1, 1), ("stop", reason)) for _ in range(2)]
    lm = ScriptedLM(replies)
    model = Cached(lm, cache)
    for _ in range(2):
        assert not asyncio.run(model.complete(asking(n=2))).cached
    assert lm.calls == 2


def test_what_one_reader_cannot_use_another_one_can(cache: Cache) -> None:
    lm = ScriptedLM(lambda request: str(lm.calls))
    model = Cached(lm, cache)

    def refuse(completion: Completion) -> None:
        raise ParseError("not for me")

    picky, easy = asking(accept=refuse), asking(accept=lambda completion: None)

    def ask(request: Request) -> tuple[str, bool]:
        completion = asyncio.run(model.complete(request))
        return completion.text, completion.cached

    assert [ask(picky), ask(picky)] == [("1", False), ("2", False)]
    assert [ask(easy), ask(easy), ask(asking())] == [("3", False), ("3", True), ("3", True)]
    assert ask(picky) == ("4", False)
    assert ask(easy) == ("3", True)


def test_a_fault_in_a_reader_is_not_taken_for_an_unreadable_reply(cache: Cache) -> None:
    def fault(completion: Completion) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(Cached(ScriptedLM(["fine"]), cache).complete(asking(accept=fault)))
