"""Caches of completions.

Keys cover the full request and the endpoint. Values are JSON text, never pickles, so that reading
a cache that others can write to runs no code (CVE-2025-69872 is about diskcache's pickles).
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import threading
import warnings
import zlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from langprog.errors import InputError, LangprogWarning, ModelError
from langprog.lm.codec import completion_from_json, completion_to_json, freeze_completion
from langprog.lm.keys import request_key
from langprog.lm.pricing import reprice
from langprog.lm.single_flight import SingleFlight
from langprog.lm.streaming import Completed, Delta, replay_completion, stream_completion
from langprog.lm.types import FROM_CACHE, Completion, LanguageModel, Request
from langprog.lm.wrapper import Wrapper

if TYPE_CHECKING:
    from langprog.lm.text_store import TextStore


@runtime_checkable
class Cache(Protocol):
    """Keeps completions by key."""

    def get(self, key: str) -> Completion | None:
        """Return the completion of that key; ``None`` if there is none or it is damaged."""
        ...

    def put(self, key: str, completion: Completion) -> None:
        """Keep ``completion``."""
        ...


class MemoryCache:
    """Keeps the most recently used completions in this process.

    Args:
        size: How many to keep.
        room: The largest total number of characters, to bound memory.
    """

    def __init__(self, size: int = 100_000, *, room: int = 32 * 2**20) -> None:
        self._size, self._room = size, room
        self._used = 0
        self._kept: OrderedDict[str, Completion] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> Completion | None:
        """Return the completion of that key, or ``None``."""
        with self._lock:
            completion = self._kept.get(key)
            if completion is not None:
                self._kept.move_to_end(key)
        return completion

    def put(self, key: str, completion: Completion) -> None:
        """Keep ``completion``; the least recently used one makes room."""
        completion = freeze_completion(completion)
        with self._lock:
            earlier = self._kept.pop(key, None)
            self._used -= 0 if earlier is None else _room_of(earlier)
            self._kept[key] = completion
            self._used += _room_of(completion)
            while len(self._kept) > self._size or (self._used > self._room and self._kept):
                self._used -= _room_of(self._kept.popitem(last=False)[1])


# Approximate size of a completion without its texts, in characters.
_BESIDE = 1000


def _room_of(completion: Completion) -> int:
    texts = sum(map(len, completion.texts)) + sum(map(len, completion.reasoning))
    return _BESIDE + texts + 8 * sum(map(len, completion.logprobs or ()))


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed from a cache: completions, and their size in bytes."""

    entries: int
    size: int


class DiskCache:
    """Keeps completions in a folder, for any number of processes.

    A damaged store is ignored with a warning: nothing is cached.

    Args:
        folder: The folder; created on first use.
        size: Maximum number of bytes; the oldest entries make room.
    """

    def __init__(self, folder: str | Path, *, size: int = 4 * 2**30) -> None:
        # As diskcache does, so that both use the same folder.
        self.folder = Path(os.path.expandvars(Path(folder).expanduser()))
        self._size = size
        self._opened: TextStore | None = None
        self._damaged = False
        self._lock = threading.Lock()

    def _store(self) -> TextStore | None:
        opened = self._opened
        if opened is not None or self._damaged:
            return opened
        with self._lock:
            if self._opened is None and not self._damaged:
                self._opened = self._open()
                self._damaged = self._opened is None
            return self._opened

    def _open(self) -> TextStore | None:
        # Imports diskcache and sqlite, which only disk caches need.
        from langprog.lm.text_store import DamagedStore, TextStore  # noqa: PLC0415 - imports sqlite

        opened: TextStore | None = None
        try:
            opened = TextStore(self.folder, self._size)
        except OSError as error:
            raise ModelError(
                f"the cache folder {self.folder} cannot be used ({error}): set LANGPROG_CACHE to "
                "a folder that can be written, or pass cache=False to lp.LM"
            ) from None
        except DamagedStore as error:
            warnings.warn(
                f"the cache in {self.folder} is damaged ({error}) and is not used: remove the "
                "folder, or set LANGPROG_CACHE to another one",
                LangprogWarning,
                stacklevel=4,
            )
        return opened

    def get(self, key: str) -> Completion | None:
        """Return the completion of that key; a damaged entry counts as none.

        Raises:
            ModelError: The folder cannot be used at all.
        """
        store = self._store()
        text = None if store is None else store.get(key)
        return None if text is None else _completion_in(text)

    def put(self, key: str, completion: Completion) -> None:
        """Keep ``completion``, unless the disk is full or busy."""
        self.put_texts({key: _text_of(completion)})

    def put_texts(self, texts: Mapping[str, str]) -> None:
        """Like ``put``, for several completions as JSON text, by key, in one write."""
        store = self._store()
        if store is not None:
            store.put_all(texts)

    def clear(self) -> Cleared | None:
        """Remove every completion, also for other processes that have the folder open.

        Files are never removed: a folder that is not a langprog cache, or holds anything else, is
        left alone.

        Returns:
            What was removed, or ``None`` if there is no cache.

        Raises:
            InputError: The folder is not a langprog cache, or cannot be written.
        """
        from langprog.lm.text_store import size_of  # noqa: PLC0415 - imports diskcache, sqlite

        try:
            size = size_of(self.folder)
            opened = None if size is None else self._store()
            return None if size is None or opened is None else Cleared(opened.clear(), size)
        except OSError as error:
            raise InputError(
                f"the cache folder {self.folder} was not cleared: {error.strerror or error}"
            ) from None

    def close(self) -> None:
        """Close the files; the next use reopens them."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None
            self._damaged = False


def _text_of(completion: Completion) -> str:
    # ASCII: a reply can hold half a character, which UTF-8 cannot encode.
    text = json.dumps(completion_to_json(completion))
    return f"{text}\n{zlib.crc32(text.encode()):08x}"


def _completion_in(text: str) -> Completion | None:
    """Return the completion in a text; ``None`` if the text is damaged.

    A checksum follows the JSON, because a flipped bit on disk can leave valid but different JSON.
    Older texts have none.
    """
    text, _, checksum = text.partition("\n")
    if checksum and checksum != f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}":
        return None
    try:
        return completion_from_json(json.loads(text))
    except (ValueError, RecursionError):
        return None


class _Turn:
    """Collects the completions of one event loop iteration, and writes them at once.

    A write costs half as much as a call. Waiters for a completion resume only in a later
    iteration, when it is written.
    """

    def __init__(self, cache: DiskCache) -> None:
        self._cache = cache
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, dict[str, str]] = {}

    def get(self, key: str) -> Completion | None:
        for texts in list(self._waiting.values()):
            if key in texts:
                return _completion_in(texts[key])
        return self._cache.get(key)

    def put(self, key: str, completion: Completion) -> None:
        text = _text_of(completion)
        loop = asyncio.get_running_loop()
        with self._lock:
            texts = self._waiting.get(loop)
            if texts is None:
                texts = self._waiting[loop] = {}
                loop.call_soon(self._write, loop)
            texts[key] = text

    def _write(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._cache.put_texts(self._waiting[loop])
        finally:  # only now, so that a text is always in one of the two places
            with self._lock:
                del self._waiting[loop]


class Cached(Wrapper):
    """Answers from a cache, and sends identical concurrent requests only once.

    A request with a temperature is cached like any other: two draws of one prompt differ by
    ``sampling.seed``. A failure is not kept, nor is a reply that was cut off or that its reader
    cannot use (``request.accept``): asking again may help there. No caller fails because of
    another's budget (see :class:`SingleFlight`).

    Args:
        inner: The model.
        cache: The cache.
    """

    def __init__(self, inner: LanguageModel, cache: Cache) -> None:
        super().__init__(inner)
        self.cache = cache
        self._turn = _Turn(cache) if isinstance(cache, DiskCache) else cache
        self._flights = SingleFlight[Completion]()

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``, from the cache if possible."""
        key = request_key(self.inner, request)
        known = self._get(key, request)
        if known is None:

            async def ask() -> Completion:
                completion = await self.inner.complete(request)
                self._put(key, request, completion)
                return completion

            known, mine = await self._flights.run(key, ask, request.hold_nothing)
            if mine:
                return known
        return mark_cached(known, request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Answer ``request`` piece by piece, without waiting for an identical one in progress."""
        key = request_key(self.inner, request)
        known = self._get(key, request)
        if known is None:
            deltas = stream_completion(self.inner, request)
        else:
            deltas = replay_completion(mark_cached(known, request))
        async with aclosing(deltas):
            async for delta in deltas:
                if known is None and isinstance(delta, Completed):
                    self._put(key, request, delta.completion)
                    await asyncio.sleep(0)  # until it is written
                yield delta

    def _get(self, key: str, request: Request) -> Completion | None:
        known = self._turn.get(key)
        if known is None or not usable(known, request):
            return None
        known = replace(known, timed_in=FROM_CACHE, priced_in=FROM_CACHE)
        return reprice(known, request, self.inner)

    def _put(self, key: str, request: Request, completion: Completion) -> None:
        if usable(completion, request):
            self._turn.put(key, completion)


def without_cache(model: LanguageModel) -> LanguageModel:
    """Return a model that answers each request anew."""
    if isinstance(model, Cached):
        return without_cache(model.inner)
    if isinstance(model, Wrapper):
        inner = without_cache(model.inner)
        if inner is not model.inner:
            model = copy.copy(model)
            model.inner = inner
    return model


def usable(completion: Completion, request: Request) -> bool:
    """Return whether a completion is complete, and its reader can use it."""
    return completion.whole and request.accepts(completion)


def mark_cached(completion: Completion, request: Request) -> Completion:
    """Return a completion marked as paid for earlier, and notify the payers of the request."""
    for ledger in request.payers:
        ledger.note_cached(completion.cost)
    return replace(completion, cached=True)
