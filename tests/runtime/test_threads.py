"""What a program's own threads call is paid, recorded and answered like any other call."""

from __future__ import annotations

import _thread
import asyncio
import contextvars
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from queue import SimpleQueue
from typing import Any

import pytest

import langprog as lp
from langprog.errors import BudgetExceeded, LangprogError
from langprog.lm import LanguageModel
from langprog.runtime import run_sync

COUNT = 5
Ask = Callable[[int], int]
Kind = Callable[[Ask], Sequence[int]]


def doubling(name: str) -> lp.ScriptedLM:
    def answer(request: lp.Request) -> str:
        number = int(request.messages[-1].content.split("[[number]]\n")[1].split("\n")[0])
        return f"[[double]]\n{2 * number}"

    return lp.ScriptedLM(answer, name=name)


def never(request: lp.Request) -> str:
    raise AssertionError("a model was asked that is not in force")


@pytest.fixture(autouse=True)
def elsewhere() -> None:
    """Make whatever loses its context on the way ask a model that must not be asked."""
    lp.configure(lm=lp.ScriptedLM(never, name="test/outside"))


@pytest.fixture(scope="module")
def inside(scripted_endpoint: Callable[[lp.ScriptedLM], str]) -> Iterator[LanguageModel]:
    """A model on an endpoint, where calls are paid for."""
    url = scripted_endpoint(doubling("served/test/inside"))
    model = lp.LM("test/inside", base_url=url, cache=False, attempts=1)
    yield model
    run_sync(model.aclose())


@pytest.fixture
def warm_pool() -> Iterator[ThreadPoolExecutor]:
    """A pool whose threads are there before any program uses it."""
    with ThreadPoolExecutor(2) as pool:
        both = threading.Barrier(2)
        list(pool.map(lambda _: both.wait(), range(2)))
        yield pool


class Sum(lp.Module):
    """Asks its predictor for several numbers, in the given way."""

    def __init__(self, kind: Kind) -> None:
        self.predictor = lp.Predict("number: int -> double: int")
        self.kind = kind

    def forward(self, number: int) -> dict[str, int]:
        return {"total": sum(self.kind(lambda n: int(self.predictor(number=number + n).double)))}


# --- the ways into a thread ------------------------------------------------------------------


def by_threads(ask: Ask, make: Callable[..., threading.Thread] = threading.Thread) -> list[int]:
    got: list[int] = []
    failed: list[LangprogError] = []

    def work(number: int) -> None:
        try:
            got.append(ask(number))
        except LangprogError as error:
            failed.append(error)

    threads = [make(target=work, args=(number,)) for number in range(COUNT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return got


class OwnThread(threading.Thread):
    def __init__(self, target: Callable[..., None], args: tuple[int]) -> None:
        super().__init__()
        self.work = lambda: target(*args)

    def run(self) -> None:
        self.work()


def by_threads_of_a_class(ask: Ask) -> list[int]:
    return by_threads(ask, OwnThread)


def by_timers(ask: Ask) -> list[int]:
    return by_threads(ask, lambda target, args: threading.Timer(0, target, args))


def by_bare_threads(ask: Ask) -> list[int]:
    got: SimpleQueue[int | LangprogError] = SimpleQueue()

    def work(number: int) -> None:
        try:
            got.put(ask(number))
        except LangprogError as error:
            got.put(error)

    for number in range(COUNT):
        _thread.start_new_thread(work, (number,))
    answers = [got.get(timeout=30) for _ in range(COUNT)]
    for answer in answers:
        if isinstance(answer, LangprogError):
            raise answer
    return [answer for answer in answers if isinstance(answer, int)]


def by_threads_in_a_pool(ask: Ask) -> list[int]:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(by_threads, ask).result()


def by_submit(ask: Ask) -> list[int]:
    with ThreadPoolExecutor(COUNT) as pool:
        return [done.result() for done in [pool.submit(ask, n) for n in range(COUNT)]]


def by_map(ask: Ask) -> list[int]:
    with ThreadPoolExecutor(COUNT) as pool:
        return list(pool.map(ask, range(COUNT)))


def by_copied_context(ask: Ask) -> list[int]:
    with ThreadPoolExecutor(2) as pool:
        works = [contextvars.copy_context().run for _ in range(COUNT)]
        return [pool.submit(work, ask, n).result() for n, work in enumerate(works)]


def by_initializer(ask: Ask) -> list[int]:
    got: list[int] = []
    with ThreadPoolExecutor(1, initializer=lambda: got.append(ask(0))) as pool:
        return [*pool.map(ask, range(1, COUNT)), *got]


def by_callback(ask: Ask) -> list[int]:
    done: Future[int] = Future()
    got: list[int] = []
    done.add_done_callback(lambda first: got.extend(ask(n) for n in range(first.result())))
    completing = threading.Thread(target=done.set_result, args=(COUNT,))
    contextvars.Context().run(completing.start)  # as a thread that nobody here started
    completing.join()
    return got


def by_thread_pool(ask: Ask) -> list[int]:
    with ThreadPool(2) as pool:
        return pool.map(ask, range(COUNT), chunksize=1)


def by_thread_pool_step_by_step(ask: Ask) -> list[int]:
    with ThreadPool(2) as pool:
        first = [pool.apply(ask, (0,)), pool.apply_async(func=ask, args=(1,)).get()]
        then = [*pool.imap(ask, [2]), *pool.imap_unordered(ask, [3])]
        return [*first, *then, *pool.starmap(ask, [(4,)])]


def by_callback_of_a_thread_pool(ask: Ask) -> list[int]:
    got: list[int] = []
    failed: list[LangprogError] = []

    def then(number: int) -> None:
        try:
            got.append(ask(number))
        except LangprogError as error:
            failed.append(error)

    with ThreadPool(2) as pool:
        for number in range(COUNT):
            pool.apply_async(lambda n=number: n, callback=then)
        pool.close()
        pool.join()
    if failed:
        raise failed[0]
    return got


def by_parallel(ask: Ask) -> list[int]:
    return lp.parallel(ask, range(COUNT), width=COUNT)


def by_another_loop(ask: Ask) -> list[int]:
    async def work(number: int) -> int:
        return await asyncio.to_thread(ask, number)

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    contextvars.Context().run(thread.start)
    done = [asyncio.run_coroutine_threadsafe(work(n), loop) for n in range(COUNT)]
    try:
        return [one.result() for one in done]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


RAISING: list[Kind] = [
    *(by_threads, by_threads_of_a_class, by_timers, by_bare_threads, by_threads_in_a_pool),
    *(by_submit, by_map, by_copied_context, by_thread_pool, by_thread_pool_step_by_step),
    *(by_callback_of_a_thread_pool, by_parallel, by_another_loop),
]
# What fails in these, Python itself reports.
REPORTING: list[Kind] = [by_initializer, by_callback]


def named(kind: Any) -> str:
    return str(kind.__name__)


# --- what goes along -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*RAISING, *REPORTING], ids=named)
def test_calls_are_recorded_and_paid_once(kind: Kind, inside: LanguageModel) -> None:
    with lp.using(lm=inside, budget=lp.Budget(calls=100)) as settings:
        prediction = Sum(kind)(number=10)
    assert prediction.total == 2 * sum(range(10, 10 + COUNT))
    assert sorted(step.inputs["number"] for step in prediction.trace) == [*range(10, 10 + COUNT)]
    assert {step.path for step in prediction.trace} == {"predictor"}
    assert prediction.usage.calls == settings.ledgers[-1].paid.calls == COUNT


@pytest.mark.parametrize("kind", RAISING, ids=named)
def test_a_cap_holds(kind: Kind, inside: LanguageModel) -> None:
    with lp.using(lm=inside, budget=lp.Budget(calls=2)) as settings:
        with pytest.raises(BudgetExceeded):
            Sum(kind)(number=0)
        assert settings.ledgers[-1].paid.calls == 2


@pytest.mark.parametrize("kind", [by_threads, by_submit, by_map, by_parallel], ids=named)
def test_steps_are_in_the_order_in_which_work_was_handed_out(
    kind: Kind, inside: LanguageModel
) -> None:
    turns = [threading.Event() for _ in range(COUNT + 1)]
    turns[COUNT].set()

    def last_first(ask: Ask) -> Sequence[int]:
        def wait(number: int) -> int:
            turns[number + 1].wait()
            try:
                return ask(number)
            finally:
                turns[number].set()

        return kind(wait)

    with lp.using(lm=inside):
        steps = Sum(last_first)(number=0).trace
    assert [step.inputs["number"] for step in steps] == list(range(COUNT))


def test_asynchronous_code_hands_work_to_threads(inside: LanguageModel) -> None:
    class Mixed(lp.Module):
        def __init__(self) -> None:
            self.predictor = lp.Predict("number: int -> double: int")

        async def aforward(self, number: int) -> dict[str, int]:
            def ask(n: int) -> int:
                return int(self.predictor(number=number + n).double)

            loop = asyncio.get_running_loop()
            with ThreadPoolExecutor(2) as pool:
                got = await asyncio.gather(
                    loop.run_in_executor(pool, ask, 0),
                    loop.run_in_executor(None, ask, 1),
                    asyncio.to_thread(ask, 2),
                    self.predictor.acall(number=number + 3),
                )
            return {"total": sum(got[:3]) + got[3].double}

    with lp.using(lm=inside):
        prediction = Mixed()(number=0)
    assert prediction.total == 2 * (0 + 1 + 2 + 3)
    assert (prediction.usage.calls, len(prediction.trace)) == (4, 4)


def test_a_predictor_outside_of_the_program_counts() -> None:
    outside = lp.Predict("number: int -> double: int", model=doubling("test/bound"))

    class Borrowing(lp.Module):
        def forward(self, number: int) -> dict[str, int]:
            return {"total": sum(by_map(lambda n: int(outside(number=n).double)))}

    assert Borrowing()(number=0).usage.calls == COUNT


def test_a_pool_that_is_kept_serves_call_after_call(warm_pool: ThreadPoolExecutor) -> None:
    with ThreadPoolExecutor(2) as own, ThreadPool(2) as older:
        for kind in (
            lambda ask: list(warm_pool.map(ask, range(COUNT))),
            lambda ask: list(own.map(ask, range(COUNT))),
            lambda ask: older.map(ask, range(COUNT)),
        ):
            program = Sum(kind)
            for name in ("test/first", "test/second"):
                with lp.using(lm=doubling(name), budget=lp.Budget(calls=COUNT)):
                    prediction = program(number=0)
                models = {step.completions[0].model for step in prediction.trace}
                assert (prediction.usage.calls, models) == (COUNT, {name})


# --- what does not ---------------------------------------------------------------------------


def test_a_servers_threads_stay_apart_from_the_programs_that_run() -> None:
    both = threading.Barrier(2)
    program = Sum(by_map)
    part = lp.Predict("number: int -> double: int", model=doubling("test/bound"))

    def request(name: str) -> set[tuple[str, int]]:
        both.wait()
        with lp.using(lm=doubling(name)):
            got = [program(number=0), program.predictor(number=1)]
        got.append(part(number=1))  # with nothing in force
        return {
            (step.completions[0].model, prediction.usage.calls)
            for prediction in got
            for step in prediction.trace
        }

    with ThreadPoolExecutor(2) as server:
        for _ in range(5):
            done = [server.submit(request, f"test/{n}") for n in range(2)]
            for number, one in enumerate(done):
                own = f"test/{number}"
                assert one.result() == {(own, COUNT), (own, 1), ("test/bound", 1)}


def test_work_from_outside_is_free_in_a_thread_that_a_program_has_started() -> None:
    work = lp.Predict("number: int -> double: int")
    lp.configure(lm=doubling("test/process"))
    with ThreadPoolExecutor(1) as pool:
        with lp.using(lm=doubling("test/inside")):
            prediction = Sum(lambda ask: list(pool.map(ask, range(COUNT))))(number=0)
        answer = pool.submit(lambda: work(number=4)).result()
    assert answer.trace[0].completions[0].model == "test/process"
    assert (prediction.usage.calls, answer.usage.calls) == (COUNT, 1)


def test_threads_are_left_alone_until_a_program_is_called() -> None:
    code = """
import threading
from concurrent.futures import Future, ThreadPoolExecutor

def ways():
    return threading.Thread.start, ThreadPoolExecutor.submit, Future.add_done_callback

before = ways()
import langprog as lp
lp.configure(lm=lp.ScriptedLM(lambda request: "[[b]]\\nfine"))
program = lp.Predict("a -> b")
assert ways() == before
program(a="1")
once = ways()
assert not set(once) & set(before)
program(a="1")
assert ways() == once
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
