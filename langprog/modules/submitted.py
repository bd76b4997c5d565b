"""The checks of what a ReAct submits: why an answer is refused is the result of that call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langprog.adapters import json_text
from langprog.checks import FailedCheck, find_failed, join_messages
from langprog.errors import CheckError
from langprog.modules.backtracking import Call
from langprog.modules.next_step import NextStep
from langprog.modules.prediction import Prediction
from langprog.modules.trace import TraceStep, record_part, recorder


class Submissions:
    """What a ReAct submits in one call, up to an answer that passes its checks.

    Args:
        step: The predictor of steps, with the checks.
        inputs: The inputs of the ReAct.
    """

    def __init__(self, step: NextStep, inputs: Mapping[str, Any]) -> None:
        self._step = step
        self._inputs = inputs
        # How often an answer was refused.
        self.reasks = 0
        self._asks_again = False
        self._entries: list[Any] = []
        self._kept: tuple[dict[str, Any], list[FailedCheck], list[Any]] | None = None

    async def take_step(self, inputs: Mapping[str, Any]) -> Prediction:
        """Return the next step."""
        place = recorder.get()
        known = 0 if place is None else len(place.entries)
        said: Prediction = await self._step.acall(**inputs)
        # None of its own where the step is that of a run before.
        entries = [] if place is None else place.entries[known : known + 1]
        self._entries = entries[0] if entries and isinstance(entries[0], list) else []
        if self._asks_again:
            self._asks_again = False
            _change_steps(self._entries, reasks=1)
        return said

    async def refuse(self, answer: dict[str, Any]) -> str:
        """Return why an answer is not accepted, for the model; empty if it passes.

        Raises:
            CheckError: It fails a required check, and no further answer is asked for.
        """
        failed = await self._find_failed(answer) if self._step.checks else []
        required = [each for each in failed if each.check.required]
        if not required:
            self._kept = (answer, failed, self._entries)
        if not failed:
            return ""
        if self.reasks < self._step.reasks:
            self.reasks += 1
            self._asks_again = True
            return f"Not accepted: {join_messages(failed)}."
        if self._kept is None:
            names = ", ".join(each.check.name for each in required)
            raise CheckError(
                f"the answer of {self._step.target.name} fails the check {names}, also after "
                f"{self.reasks} more attempts: {join_messages(required)}",
                text=json_text(_plain(self._step, answer)),
            )
        return ""

    def accepted(self) -> dict[str, Any] | None:
        """Return the last answer that fails no required check, with what it fails in the trace."""
        if self._kept is None:
            return None
        answer, failed, entries = self._kept
        unmet = tuple(each.message for each in failed)
        if unmet:
            _change_steps(entries, unmet=unmet)
        return answer

    async def _find_failed(self, answer: Mapping[str, Any]) -> list[FailedCheck]:
        with record_part() as part:
            if part.call is not None:
                # As in a predictor: lp.require in a check is about this answer.
                part.call = Call(self._step, {})
            return await find_failed(self._step.checks, {**self._inputs, **answer})


def _change_steps(entries: list[Any], **changes: Any) -> None:
    for at, step in enumerate(entries):
        if isinstance(step, TraceStep):
            entries[at] = replace(step, **changes)


def _plain(step: NextStep, answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: step.target.outputs[name].plain(value) for name, value in answer.items()}
