"""The synchronous door: on the main thread, in others, in a running loop, after a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar

import pytest

import langprog as lp
from langprog.errors import LangprogError
from langprog.runtime import call_in_worker, run_sync, sync
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


def test_ctrl_c_arrives_while_the_work_waits() -> None:
    tidied: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(0)
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)
        finally:
            tidied.append("yes")

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert tidied == ["yes"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("error", [None, ValueError("on purpose")])
def test_ctrl_c_counts_also_where_the_work_is_done_before_it_can_stop(
    error: Exception | None,
) -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        if error:
            raise error

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert run_sync(where())[1] == threading.get_ident()


def test_a_second_ctrl_c_does_not_ask() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second one went unheard")

    with pytest.raises(KeyboardInterrupt):
        run_sync(work())
    assert run_sync(where())[1] == threading.get_ident()


def test_a_handler_of_the_users_own_is_left_alone() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:

        async def work() -> str:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(0)
            return "done"

        assert run_sync(work()) == "done"
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [signal.SIGINT]


async def surroundings() -> tuple[object, ...]:
    task = asyncio.current_task()
    assert task is not None
    return asyncio.get_running_loop(), task.get_loop(), *sys.get_asyncgen_hooks()


async def surroundings_after_a_turn() -> tuple[object, ...]:
    before = asyncio.current_task()
    await asyncio.sleep(0)
    assert asyncio.current_task() is before
    return await surroundings()


def test_work_that_waits_for_nothing_has_the_same_surroundings() -> None:
    hooks = sys.get_asyncgen_hooks()
    at_once = run_sync(surroundings())
    assert at_once == run_sync(surroundings_after_a_turn())
    assert all(at_once)
    assert sys.get_asyncgen_hooks() == hooks
    assert asyncio._get_running_loop() is None


def test_what_the_work_sets_is_not_seen_outside() -> None:
    async def work() -> None:
        ambient.set("inside")

    ambient.set("outside")
    run_sync(work())
    assert ambient.get() == "outside"


def test_a_time_out_ends_work_that_waits() -> None:
    async def work() -> None:
        async with asyncio.timeout(0):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        run_sync(work())


def test_what_the_work_leaves_behind_gets_its_turn() -> None:
    done: list[str] = []

    async def note() -> None:
        done.append("yes")

    async def work() -> asyncio.Task[None]:
        return asyncio.create_task(note())

    left = run_sync(work())
    assert (done, left.done()) == (["yes"], True)


def test_timers_that_were_not_needed_do_not_pile_up() -> None:
    timers: list[weakref.ref[asyncio.TimerHandle]] = []

    async def work() -> None:
        timer = asyncio.get_running_loop().call_later(3600, print)
        timers.append(weakref.ref(timer))
        timer.cancel()

    for _ in range(1000):
        run_sync(work())
    assert sum(timer() is not None for timer in timers) < 500


def test_work_in_a_loop_that_shows_nothing_is_done_as_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Closed(asyncio.SelectorEventLoop):
        """Stands for loops that are not written in Python."""

        def __getattribute__(self, name: str) -> object:
            inside = sys._getframe(1).f_code.co_filename == sync.__file__
            if inside and name in ("_ready", "_scheduled"):
                raise AttributeError(name)
            return super().__getattribute__(name)

    monkeypatch.setattr(asyncio, "new_event_loop", Closed)
    loop = sync._Main()
    try:
        assert [loop.run(where())[1], loop.run(surroundings())[0] is not None] == [
            threading.get_ident(),
            True,
        ]
    finally:
        loop.close()


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


class Held:
    """A model that never answers, and knows when it is asked and given up."""

    name, endpoint, defaults = "test/held", "in-process", lp.Sampling()

    def __init__(self) -> None:
        self.asked, self.left = threading.Event(), threading.Event()

    async def complete(self, request: lp.Request) -> lp.Completion:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        raise AssertionError

    async def aclose(self) -> None:
        pass


class Outer(lp.Module):
    """Synchronous code around synchronous code around a model."""

    def __init__(self, inside: lp.Module) -> None:
        self.inside = inside

    def forward(self, **inputs: object) -> lp.Prediction:
        return self.inside(**inputs)


def test_a_caller_that_gives_up_takes_synchronous_code_along() -> None:
    model = Held()
    program = Outer(Outer(lp.Predict("question -> answer", model=model)))

    async def give_up() -> None:
        call = asyncio.create_task(program.acall(question="?"))
        assert await asyncio.to_thread(model.asked.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(model.left.wait, 20)

    asyncio.run(give_up())
