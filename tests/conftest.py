"""What every test shares: no ambient state leaks between tests; scripted models on loopback."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings as checking

import langprog as lp
from langprog.lm import Server
from langprog.runtime import run_sync, settings
from tests.forking import Forking, forking

Script = Callable[[lp.Request], str]

# The files that take longest: where several processes share the tests, these come first, so that
# none is left to run alone at the end.
SLOWEST = (
    "tests/optimizers/test_contract.py",
    "tests/optimizers/models/test_models.py",
    "tests/optimizers/models/test_dialects.py",
    "tests/optimizers/models/test_votes.py",
    "tests/optimizers/models/test_frugal.py",
    "tests/optimizers/search/test_structure.py",
    "tests/interop/dspy/test_ten_programs.py",
    "tests/cli/test_demo.py",
    "tests/optimizers/search/test_mipro.py",
    "tests/programs/test_contract.py",
    "tests/adapters/test_growth.py",
    "tests/interop/dspy/test_command_line.py",
    "tests/test_readme.py",
    "tests/test_guides.py",
)


# On a busy machine one example may take any time; most of what examples find, few of them find.
checking.register_profile("few", deadline=None, max_examples=50)
checking.load_profile("few")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what stays to the end: modules, and ten thousand tests.

    It would look at all of them again and again. For garbage it looks where there may be some:
    by default, each time that 700 objects are new.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(10_000)
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.nodeid.partition("::")[0] not in SLOWEST)


def pytest_configure() -> None:
    """Keep compiled modules whatever the environment says: tests start many processes.

    They have all cores busy: threads of numpy's would only wait for each other.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.fixture(scope="session", autouse=True)
def interruptible() -> None:
    """See to it that Ctrl-C arrives: jobs that a shell puts in the background ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    before = settings._process
    fresh = settings._process = settings._Process()
    yield
    settings._process = before
    for model in fresh.models.all():
        run_sync(model.aclose())  # sessions that are still open would warn when they are collected


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    # Commands put the folders of a user's files on the path, where other processes inherit them.
    monkeypatch.setattr(sys, "path", [*sys.path])


@contextmanager
def forgetting(folder: Path) -> Iterator[None]:
    """Forget the modules that are imported meanwhile from files below ``folder``.

    Commands import a user's files under their own names, and refuse a second file of a name.
    """
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        place = getattr(sys.modules[name], "__file__", None)
        if place is not None and Path(place).is_relative_to(folder):
            del sys.modules[name]


@pytest.fixture(scope="module", autouse=True)
def own_modules_of_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with forgetting(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(autouse=True)
def own_modules(
    own_modules_of_file: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    with forgetting(tmp_path_factory.getbasetemp()):
        yield


@pytest.fixture(scope="session")
def processes() -> Iterator[Forking]:
    """Start processes that import nothing twice, for tests that kill them."""
    with forking() as parent:
        yield parent


@contextmanager
def served(model: lp.ScriptedLM) -> Iterator[str]:
    """Serve ``model`` on loopback from a thread of its own; yields the base URL."""
    ready, stop = threading.Event(), asyncio.Event()
    address: list[str] = []
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with Server({model.name.partition("/")[2]: model}) as server:
            address.append(server.base_url)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="session")
def scripted_endpoint() -> Iterator[Callable[[lp.ScriptedLM], str]]:
    """Return a function that serves a scripted model until the tests are over."""
    with ExitStack() as stack:
        yield lambda model: stack.enter_context(served(model))
