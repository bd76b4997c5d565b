from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import langprog as lp
from langprog.errors import MetricError
from langprog.evaluation import Metric
from langprog.evaluation.metric_calls import MetricCalls
from langprog.runtime import current

PROGRAM = lp.Predict("city -> country")
DATA = [lp.Example(city=f"city {number}") for number in range(100)]


def evaluated(metric: Metric, count: int = 100, concurrency: int = 100) -> lp.Report:
    model = lp.ScriptedLM(lambda request: "[[country]]\nnowhere")
    return lp.evaluate(PROGRAM, DATA[:count], metric, concurrency=concurrency, lm=model)


def test_metrics_that_wait_for_each_other_are_all_called_at_once() -> None:
    together = threading.Barrier(100)

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        together.wait(timeout=30)
        return True

    assert evaluated(metric).mean == 1.0


def test_a_metric_that_blocks_holds_up_no_other() -> None:
    others = threading.Semaphore(0)

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        if example.city != "city 0":
            others.release()
            return True
        return all(others.acquire(timeout=30) for _ in range(99))

    assert evaluated(metric, concurrency=2).mean == 1.0


def test_a_metric_never_runs_in_the_thread_of_the_loop() -> None:
    threads = set()

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        threads.add(threading.current_thread())
        return PROGRAM(city=example.city).country == "nowhere"  # a synchronous call in between

    assert evaluated(metric).mean == 1.0
    assert threading.main_thread() not in threads


def test_what_a_metric_asks_is_told_apart_by_row() -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        for _ in range(int(example.city.split()[1]) % 3):
            PROGRAM(city=example.city)
        return True

    report = evaluated(metric)
    assert [row.judging.calls for row in report.rows] == [number % 3 for number in range(100)]


def test_a_metric_sees_the_settings_of_the_one_who_asks() -> None:
    async def run() -> list[Any]:
        calls = MetricCalls(lambda example, prediction: current().adapter)

        async def ask(adapter: str) -> Any:
            with lp.using(adapter=adapter):
                return await calls(DATA[0], lp.Prediction())

        return await asyncio.gather(ask("chat"), ask("json"), ask("chat"))

    assert asyncio.run(run()) == ["chat", "json", "chat"]


@pytest.mark.parametrize(
    ("error", "said"), [(KeyError("country"), "KeyError: 'country'"), (StopIteration(), "next()")]
)
def test_what_a_metric_raises_names_the_example(error: Exception, said: str) -> None:
    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        if example.city == "city 7":
            raise error
        return True

    with pytest.raises(MetricError) as caught:
        evaluated(metric)
    assert "example 8 (city='city 7')" in str(caught.value)
    assert said in str(caught.value)


def test_a_call_that_was_given_up_is_not_made() -> None:
    called: list[str] = []

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        called.append(example.city)
        return True

    async def run() -> None:
        calls = MetricCalls(metric)
        tasks = [asyncio.create_task(_asked(calls, example)) for example in DATA[:3]]
        await asyncio.sleep(0)  # they wait, and no worker has begun
        tasks[1].cancel()
        assert await tasks[0] and await tasks[2]

    asyncio.run(run())
    assert sorted(called) == ["city 0", "city 2"]


async def _asked(calls: Callable[..., Any], example: lp.Example) -> Any:
    return await calls(example, lp.Prediction())
