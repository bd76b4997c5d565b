"""Running the calls of tools of a ReAct: each is a step of the trace, and acts once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from langprog.errors import ToolError, TransportError
from langprog.modules.streaming import run_streamed
from langprog.modules.tool_steps import SUBMIT, ToolUse
from langprog.modules.trace import Recorder, TraceStep, record_part, recorder
from langprog.tools import Tool


async def run_tool(
    call: ToolUse, tools: Mapping[str, Tool], owner: int, root: str
) -> tuple[str, bool]:
    """Run a tool; return what the model is told, and whether it went well.

    Args:
        call: The call.
        tools: The tools that are offered, by name.
        owner: The ``id`` of the ReAct.
        root: The name of the ReAct where it is a whole program.
    """
    key = (call.tool, call.arguments)
    place = recorder.get()
    if place is not None and place.call is not None:
        # lp.require may have this run again, and tools must not act twice.
        for before in place.call.recall_result(key):
            told: tuple[str, bool] = before
            return told
    with record_part() as trace:
        own_path = trace.paths.get(owner)
        path = _tool_path(own_path, call.tool, root)
        failure: str | None = "cancelled"
        failed_with: type[Exception] | None = None
        result = ""
        try:
            if call.tool not in tools:
                known = ", ".join([*tools, SUBMIT])
                raise ToolError(f"there is no tool {call.tool!r:.80}; there are {known}")
            work = partial(tools[call.tool].run, call.arguments)
            result = await run_streamed(path, "Tool", call.arguments, work)
            failure = None
            return _keep(trace, key, result, True)
        except ToolError as error:
            failure = str(error)
            failed_with = TransportError if error.outage else None
            return _keep(trace, key, f"Error: {error}", False)
        except Exception as error:
            failure, failed_with = str(error), type(error)
            raise
        finally:
            outputs = {"result": result} if failure is None else {}
            _record(trace, path, call, outputs, failure, failed_with, own_path is not None)


def _keep(trace: Recorder, key: Any, told: str, went_well: bool) -> tuple[str, bool]:
    """Return what the model is told of a call, kept for a run after this one."""
    if trace.call is not None:
        trace.call.keep_result(key, (told, went_well))
    return told, went_well


def _record(
    trace: Recorder,
    path: str,
    call: ToolUse,
    outputs: Mapping[str, Any],
    failure: str | None,
    failed_with: type[Exception] | None,
    listed: bool,
) -> None:
    """Record a call of a tool, and refuse calls of models by a thread that it left behind."""
    trace.add(
        TraceStep(
            path,
            call.arguments,
            outputs,
            (),
            (),
            failure=failure,
            failed_with=failed_with,
            listed=listed,
        )
    )
    trace.close()


def _tool_path(path: str | None, tool: str, root: str) -> str:
    inside = f"tools[{tool}]"
    return inside if path in (None, root) else f"{path}.{inside}"
