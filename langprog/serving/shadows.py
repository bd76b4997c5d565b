"""Asks the artifact on trial about requests that the served one has answered, to compare them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langprog.serving.calls import OWN_FAILURES, Calls
from langprog.serving.comparison import OnlineComparison
from langprog.serving.refusals import Refusal
from langprog.serving.service import Call, Service


class Shadows:
    """The calls of artifacts on trial, in the background; bounded, and cancelled at the end.

    Args:
        calls: Runs programs.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, service: Service, answered: Call, outputs: Mapping[str, Any] | None) -> None:
        """Ask about a request, unless too many are being asked about already.

        Args:
            service: The service.
            answered: The call that the served artifact answered.
            outputs: Its outputs; ``None`` if its program failed.
        """
        if len(self._tasks) >= self._calls.limits.concurrency:
            what = "Requests that the artifact on trial was not asked about."
            name = "langprog_shadows_skipped_total"
            self._calls.metrics.add(name, what, 1, program=service.name)
            return
        call = service.call("canary", answered.data)
        task = asyncio.create_task(self._compare(call, outputs, answered.comparison))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _compare(
        self, call: Call, outputs: Mapping[str, Any] | None, comparison: OnlineComparison | None
    ) -> None:
        shadow: Mapping[str, Any] | None = None
        try:
            shadow = (await self._calls.answer(call)).outputs
        except Refusal as refusal:
            if refusal.kind not in OWN_FAILURES:
                return  # an outage says nothing about the program
        # A swap in the meantime has begun a new comparison.
        if comparison is not None and comparison is call.comparison:
            comparison.add_answers(outputs, shadow)

    async def close(self) -> None:
        """Cancel what is still running."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
