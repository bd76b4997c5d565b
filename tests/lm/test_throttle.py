from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from langprog.errors import InputError, RateLimitError, TimeoutError
from langprog.lm import Completion, Request, ScriptedLM, Throttle, Usage
from tests.lm.endpoint import asking


class Gated(ScriptedLM):
    """Answers when the test lets it, and knows how many requests are under way."""

    def __init__(self, script: Callable[[Request], str | Exception] = lambda r: "fine") -> None:
        super().__init__(script)
        self.gates: list[asyncio.Event] = []
        self.under_way = self.most = 0

    async def complete(self, request: Request) -> Completion:
        gate = asyncio.Event()
        self.gates.append(gate)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await gate.wait()
            return await super().complete(request)
        finally:
            self.under_way -= 1

    def open(self) -> None:
        for gate in self.gates:
            gate.set()


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        await asyncio.sleep(0)


async def settle() -> None:
    """Let everything run that can run."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_no_more_than_the_width_is_under_way() -> None:
    async def run() -> Gated:
        model = Gated()
        throttled = Throttle(model, width=3)
        tasks = [asyncio.create_task(throttled.complete(asking(str(i)))) for i in range(20)]
        while not all(task.done() for task in tasks):
            await settle()
            model.open()
        return model

    model = asyncio.run(run())
    assert model.calls == 20
    assert model.most == 3


def test_without_a_width_everything_is_under_way_until_the_endpoint_first_complains() -> None:
    refuse, clock = True, Clock()
    model = Gated(lambda request: RateLimitError("slow down") if refuse else "fine")
    throttled = Throttle(model, clock=clock)

    async def ask(count: int) -> int:
        tasks = [asyncio.create_task(throttled.complete(asking(str(i)))) for i in range(count)]
        await settle()
        at_once = model.under_way
        clock.now += 1
        while not all(task.done() for task in tasks):
            model.open()
            await settle()
        await asyncio.gather(*tasks, return_exceptions=True)
        return at_once

    assert asyncio.run(ask(300)) == 300
    assert throttled.width == 150, "half of what was under way"
    refuse = False
    assert asyncio.run(ask(300)) == 150
    assert 150 < throttled.width < 155, "and it widens again"


class Queueing(ScriptedLM):
    """A server with a few slots, as llama.cpp's: further requests wait, and time out meanwhile.

    It works on a request that timed out all the same.
    """

    def __init__(self, slots: int, patience: float) -> None:
        super().__init__(lambda request: "fine")
        self.slots, self.patience = slots, patience
        self.clock = Clock()
        self.queue: list[tuple[float, asyncio.Future[None]]] = []
        self.timed_out = 0

    async def complete(self, request: Request) -> Completion:
        turn = asyncio.get_running_loop().create_future()
        self.queue.append((self.clock.now, turn))
        await turn
        return await super().complete(request)

    def work(self) -> None:
        """Let a second pass: every slot answers a request, and who waited too long gives up."""
        self.clock.now += 1.0
        served, self.queue = self.queue[: self.slots], self.queue[self.slots :]
        for _, turn in served:
            if not turn.done():
                turn.set_result(None)
        for began, turn in self.queue:
            if not turn.done() and self.clock.now - began >= self.patience:
                self.timed_out += 1
                turn.set_exception(TimeoutError("no answer in time"))


def test_a_server_that_queues_requests_until_they_time_out_gets_fewer_at_once() -> None:
    model = Queueing(slots=2, patience=10.0)
    throttled = Throttle(model, clock=model.clock)

    async def answer(number: int) -> Completion:
        while True:
            try:
                return await throttled.complete(asking(str(number)))
            except TimeoutError:
                continue

    async def run() -> list[Completion]:
        tasks = [asyncio.create_task(answer(number)) for number in range(64)]
        while not all(task.done() for task in tasks):
            await settle()
            model.work()
        return await asyncio.gather(*tasks)

    assert len(asyncio.run(run())) == 64
    assert throttled.width <= 20, "what it answers in time"
    assert model.timed_out < 64 * 2


def test_a_request_that_hangs_alone_narrows_nothing() -> None:
    clock = Clock()
    model = Gated(
        lambda request: TimeoutError("no answer") if "0" in request.messages[-1].text else "fine"
    )
    throttled = Throttle(model, clock=clock)

    async def run() -> None:
        hung = asyncio.create_task(throttled.complete(asking("0")))
        await settle()
        for number in range(1, 4):  # each starts later, and is done before
            clock.now += 1.0
            task = asyncio.create_task(throttled.complete(asking(str(number))))
            await settle()
            model.gates[-1].set()
            await task
        waiting = asyncio.create_task(throttled.complete(asking("5")))
        await settle()
        model.gates[0].set()
        with pytest.raises(TimeoutError):
            await hung
        model.open()
        await waiting

    asyncio.run(run())
    assert throttled.width == float("inf")


def test_a_time_out_of_the_only_request_narrows_nothing() -> None:
    throttled = Throttle(ScriptedLM([TimeoutError("no answer")]), clock=Clock())
    with pytest.raises(TimeoutError):
        asyncio.run(throttled.complete(asking("hello")))
    assert throttled.width == float("inf")


def test_a_cancelled_waiter_takes_nobodys_turn() -> None:
    async def run() -> int:
        model = Gated()
        throttled = Throttle(model, width=1)
        first, second, third = (
            asyncio.create_task(throttled.complete(asking(str(i)))) for i in range(3)
        )
        await settle()
        second.cancel()
        await settle()
        model.open()
        await first
        await settle()
        model.open()
        await asyncio.wait_for(third, 5)
        return model.calls

    assert asyncio.run(run()) == 2


def test_a_waiter_cancelled_after_its_turn_came_hands_it_on() -> None:
    async def run() -> int:
        model = Gated()
        throttled = Throttle(model, width=1)
        first, second, third = (
            asyncio.create_task(throttled.complete(asking(str(i)))) for i in range(3)
        )
        await settle()
        model.open()
        await first  # ends in the step that gives the turn to the second
        second.cancel()
        await settle()
        model.open()
        await asyncio.wait_for(third, 5)
        return model.calls

    assert asyncio.run(run()) == 2  # the second never came through


def test_waiters_of_a_loop_that_ended_take_nobodys_turn() -> None:
    throttled = Throttle(model := Gated(), width=1)

    async def leave_waiters() -> None:
        tasks = [asyncio.create_task(throttled.complete(asking(str(i)))) for i in range(3)]
        await settle()
        assert len(tasks) == 3

    async def come_later() -> str:
        task = asyncio.create_task(throttled.complete(asking("later")))
        await settle()
        model.open()
        return (await asyncio.wait_for(task, 5)).text

    asyncio.run(leave_waiters())
    assert asyncio.run(come_later()) == "fine"


def test_a_rate_limit_halves_the_width_once_and_success_widens_it_again() -> None:
    refuse = True
    clock = Clock()

    def script(request: Request) -> str | Exception:
        return RateLimitError("slow down") if refuse else "fine"

    async def burst(throttled: Throttle, count: int) -> None:
        asked = (throttled.complete(asking(str(i))) for i in range(count))
        await asyncio.gather(*asked, return_exceptions=True)

    throttled = Throttle(ScriptedLM(script), width=16, clock=clock)
    gated = Gated(script)

    async def overloaded() -> int:
        both = Throttle(gated, width=16, clock=clock)
        tasks = [asyncio.create_task(both.complete(asking(str(i)))) for i in range(16)]
        await settle()
        clock.now += 1
        gated.open()
        await asyncio.gather(*tasks, return_exceptions=True)
        return both.width

    assert asyncio.run(overloaded()) == 8, "sixteen refusals of one overload count once"
    asyncio.run(burst(throttled, 1))
    clock.now += 1
    asyncio.run(burst(throttled, 1))
    assert throttled.width == 4
    refuse = False
    asyncio.run(burst(throttled, 100))
    assert 8 <= throttled.width <= 16
    asyncio.run(burst(throttled, 1000))
    assert throttled.width == 16


def test_requests_a_minute() -> None:
    clock, starts = Clock(), []

    def script(request: Request) -> str:
        starts.append(clock.now)
        return "fine"

    throttled = Throttle(ScriptedLM(script), rpm=3, clock=clock, sleep=clock.sleep)

    async def run() -> None:
        for i in range(8):
            await throttled.complete(asking(str(i)))

    asyncio.run(run())
    assert starts == [0, 0, 0, 60, 60, 60, 120, 120]


class Wordy(ScriptedLM):
    async def complete(self, request: Request) -> Completion:
        await super().complete(request)
        return Completion(("fine",), self.name, Usage(90, 10))


def test_tokens_a_minute_hold_for_requests_that_start_together() -> None:
    clock = Clock()
    model = Wordy(lambda request: "fine")
    throttled = Throttle(model, tpm=300, clock=clock, sleep=clock.sleep)

    async def run() -> list[int]:
        done = []
        for text in ("a" * 80, "b" * 80, "c", "d"):
            await asyncio.gather(*(throttled.complete(asking(text + str(i))) for i in range(3)))
            done.append(int(clock.now))
        return done

    # 81 bytes each: three fit by estimate, and took 300; from then on each counts as 100.
    assert asyncio.run(run()) == [0, 60, 120, 180]


def test_a_request_larger_than_the_limit_is_sent_alone() -> None:
    clock = Clock()
    throttled = Throttle(Wordy(lambda request: "x"), tpm=10, clock=clock, sleep=clock.sleep)
    asyncio.run(throttled.complete(asking("first " * 50)))
    assert clock.now == 0
    asyncio.run(throttled.complete(asking("second " * 50)))
    assert clock.now == 60


@pytest.mark.parametrize("option", ["width", "rpm", "tpm"])
def test_a_limit_below_one_is_refused(option: str) -> None:
    with pytest.raises(InputError, match=f"{option}=0"):
        Throttle(ScriptedLM([]), **{option: 0})  # type: ignore[arg-type]  # one of three names
