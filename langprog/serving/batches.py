"""A batch of inputs: results in order, failures among them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from langprog.errors import LangprogError
from langprog.runtime import gather_in_order, stream_in_order
from langprog.serving.calls import Calls
from langprog.serving.refusals import Refusal, refusal_of
from langprog.serving.requests import parse_json
from langprog.serving.service import Service
from langprog.serving.trials import Trials


class BatchRun:
    """A batch for a program.

    Args:
        calls: Has the limits.
        trials: Runs the program.
        service: The service.
        rows: JSON data, or lines of JSON.
        request_id: The request's id.
        key: Decides which artifact answers; ``None`` for each row's own inputs.
    """

    def __init__(
        self,
        calls: Calls,
        trials: Trials,
        service: Service,
        rows: Sequence[Any],
        request_id: str,
        key: str | None,
    ) -> None:
        self._calls, self._trials, self._service, self._rows = calls, trials, service, rows
        self._id, self._key = request_id, key
        self.failed = 0

    async def results(self) -> list[dict[str, Any]]:
        """Run all rows, and return their results in order."""
        works: list[Callable[[], Coroutine[Any, Any, dict[str, Any]]]] = [
            partial(self._row, number) for number in range(len(self._rows))
        ]
        return await gather_in_order(works, self._calls.limits.batch_width)

    def stream(self) -> AsyncGenerator[dict[str, Any], None]:
        """Run all rows, and yield their results in order as they are there."""

        async def numbers() -> AsyncIterator[int]:
            for number in range(len(self._rows)):
                yield number

        return stream_in_order(numbers(), self._row, self._calls.limits.batch_width)

    async def _row(self, number: int) -> dict[str, Any]:
        row = self._rows[number]
        try:
            data = parse_json(row, "the row") if isinstance(row, bytes) else row
            call = self._service.assign(data, self._key)
            answer = await self._trials.answer(self._service, call, (self._id, number))
            return {"row": number, **answer.to_json(self._id)}
        except LangprogError as error:
            self.failed += 1
            refusal: Refusal = refusal_of(error)
            return {"row": number, **refusal.to_json(self._id)}
