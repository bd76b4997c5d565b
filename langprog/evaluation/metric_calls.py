"""Calls a synchronous metric in worker threads, in batches if it is quick.

A metric may block, or call a program itself, which must not happen on the event loop's thread.
Handing over each call separately, with a wakeup per result, costs more than most metrics. So a
worker takes all calls that are waiting, one after the other. If calls keep waiting, the number of
workers doubles each time, so that a metric that blocks does not delay others.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, NamedTuple

from langprog.errors import MetricError
from langprog.example import Example
from langprog.modules import Prediction
from langprog.runtime import call_in_worker

# Seconds that calls wait before more workers start.
PATIENCE = 0.001


class _Call(NamedTuple):
    context: Context
    example: Example
    prediction: Prediction
    outcome: asyncio.Future[tuple[Any, BaseException | None]]


class MetricCalls:
    """Calls a metric in worker threads, for the event loop on which this is created.

    Args:
        metric: The metric; each call sees the settings of its caller.
    """

    def __init__(self, metric: Callable[[Example, Prediction], Any]) -> None:
        self._metric = metric
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._waiting: deque[_Call] = deque()
        self._done: list[tuple[_Call, tuple[Any, BaseException | None]]] = []
        self._working = 0
        self._workers: set[asyncio.Task[None]] = set()
        self._begins = self._looks = False

    async def __call__(self, example: Example, prediction: Prediction) -> Any:
        """Return what the metric returns, or raise what it raises."""
        call = _Call(copy_context(), example, prediction, self._loop.create_future())
        with self._lock:
            self._waiting.append(call)
            idle = self._working == 0
        if idle and not self._begins:
            self._begins = True
            # After this iteration of the loop, which may add more.
            self._loop.call_soon(self._begin)
        elif not idle:
            self._look_later()
        result, error = await call.outcome
        if isinstance(error, StopIteration):  # no coroutine can raise it
            raise MetricError("StopIteration (a next() that came to the end?)") from error
        if error is not None:
            raise error
        return result

    def _begin(self) -> None:
        self._begins = False
        self._staff()

    def _look(self) -> None:
        self._looks = False
        self._staff()

    def _staff(self) -> None:
        """Start workers for waiting calls, and check again as long as some wait."""
        with self._lock:
            more = min(len(self._waiting), max(1, self._working))
            self._working += more
        for _ in range(more):
            worker = self._loop.create_task(call_in_worker(self._work))
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        if more:
            self._look_later()

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self._loop.call_later(PATIENCE, self._look)

    def _work(self) -> None:
        """Process calls until none waits; runs in a worker thread."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._working -= 1
                    return
                call = self._waiting.popleft()
            if call.outcome.cancelled():
                continue
            outcome = call.context.run(self._call_metric, call)
            with self._lock:
                first = not self._done
                self._done.append((call, outcome))
            if first:
                self._loop.call_soon_threadsafe(self._deliver)

    def _call_metric(self, call: _Call) -> tuple[Any, BaseException | None]:
        try:
            return self._metric(call.example, call.prediction), None
        except BaseException as error:  # noqa: BLE001 - handed to the row that waits
            return None, error

    def _deliver(self) -> None:
        with self._lock:
            done, self._done = self._done, []
        for call, outcome in done:
            if not call.outcome.done():
                call.outcome.set_result(outcome)
