"""The synchronous door: on the main thread, in others, in a running loop, after a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

import pytest

import langprog as lp
from langprog.errors import LangprogError
from langprog.runtime import call_in_worker, run_sync
from tests.lm.endpoint import choice, endpoint_in_thread, good, says

T = TypeVar("T")
ambient: ContextVar[str] = ContextVar("ambient", default="none")


async def where() -> tuple[str, int]:
    await asyncio.sleep(0)
    return ambient.get(), threading.get_ident()


def in_thread(call: Callable[[], T]) -> T:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def test_the_main_thread_does_its_work_itself() -> None:
    ambient.set("here")
    assert run_sync(where()) == ("here", threading.get_ident())


def test_other_threads_share_a_loop_in_the_background() -> None:
    one, other = in_thread(lambda: run_sync(where())), in_thread(lambda: run_sync(where()))
    assert one[1] == other[1] != threading.get_ident()


def test_a_running_loop_is_no_hindrance() -> None:
    async def notebook() -> tuple[str, int]:
        ambient.set("cell")
        return run_sync(where())

    assert asyncio.run(notebook())[0] == "cell"


def test_what_fails_is_raised_and_the_door_stays_open() -> None:
    async def fails() -> None:
        raise ValueError("on purpose")

    for _ in range(2):
        with pytest.raises(ValueError, match="on purpose"):
            run_sync(fails())
    assert run_sync(where())[1] == threading.get_ident()


def test_a_program_cannot_wait_for_itself() -> None:
    async def inner() -> None:
        run_sync(where())

    with pytest.raises(LangprogError, match="await program.acall"):
        run_sync(inner())
    with pytest.raises(LangprogError, match="await program.acall"):
        in_thread(lambda: run_sync(inner()))


def test_a_worker_may_call_a_program_synchronously() -> None:
    async def outer() -> tuple[str, int]:
        return await call_in_worker(lambda: run_sync(where()))

    ambient.set("outer")
    assert run_sync(outer())[0] == "outer"


def test_ctrl_c_ends_the_work_in_good_order() -> None:
    tidied: list[str] = []

    async def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            tidied.append("yes")

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert tidied == ["yes"]
    assert run_sync(where())[1] == threading.get_ident()


def test_a_fork_gets_loops_of_its_own() -> None:
    run_sync(where())
    code = (
        "import os, langprog as lp\n"
        "program = lp.Predict('a -> b')\n"
        "lp.configure(lm=lp.ScriptedLM(lambda request: '[[b]]\\nfine'))\n"
        "program(a='1')\n"
        "child = os.fork()\n"
        "assert program(a='2').b == 'fine'\n"
        "if child:\n"
        "    assert os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_connections_are_kept_between_calls_and_closed_at_exit() -> None:
    with endpoint_in_thread(says(good(choice("[[b]]\nfine")))) as seen:
        code = (
            "import langprog as lp\n"
            f"lp.configure(lm=lp.LM('x/y', base_url={seen.base_url!r}, cache=False))\n"
            "program = lp.Predict('a -> b')\n"
            "for i in range(5):\n"
            "    assert program(a=str(i)).b == 'fine'\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "always", "-c", code],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert (seen.calls, seen.connections) == (5, 1)


def test_an_ended_connection_is_noticed_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langprog.runtime.sync.STALE", -1.0)
    with endpoint_in_thread(says(good(choice("[[b]]\nfine")))) as seen:
        model = lp.LM("x/y", base_url=seen.base_url, cache=False, attempts=1)
        program = lp.Predict("a -> b")
        with lp.using(lm=model):
            assert program(a="1").b == "fine"
            seen.hang_up()
            assert program(a="2").b == "fine"
        run_sync(model.aclose())
    assert seen.connections == 2
