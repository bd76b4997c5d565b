"""The steps of work with tools, and the signature of the predictor that takes the next one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import ConfigDict

from langprog.errors import InputError, SignatureError
from langprog.lm import Reasoning, ToolSpec
from langprog.media import History
from langprog.signature import FieldSpec, SignatureSpec

# The tool that takes the answer.
SUBMIT = "submit"
# Calls in one reply: each is run, and its result is in every later prompt.
MOST_CALLS = 100
# Inputs and outputs of the predictor, and what the prompts without native tool calls add.
STEPS, THOUGHT, CALLS = "steps", "thought", "tool_calls"
PAST, RESULTS, NOTICE = "past", "tool_results", "notice"
LAST_NOTICE = "No further tools can be called: call submit with the outputs now."


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool.

    Args:
        tool: The name of the tool, or ``submit``.
        arguments: The arguments by name.
    """

    # Arguments under another key must not be dropped: the tool would run without them.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """What a call of a tool returned.

    Args:
        tool: The name of the tool.
        result: The result, or what went wrong.
    """

    tool: str
    result: str


@dataclass(frozen=True)
class Step:
    """One step: what a model called, and what came back.

    It may carry the model's reasoning, which endpoints of thinking models take back while the work
    goes on. Its value is without that: demonstrations and artifacts do not keep it.

    Args:
        thought: What it said beside the calls.
        tool_calls: The calls.
        results: The result of each call, in the same order.
        notice: What it was told besides.
    """

    thought: str
    tool_calls: list[ToolUse]
    results: list[str]
    notice: str = ""

    @property
    def reasoning(self) -> Reasoning | None:
        """The model's reasoning before the calls, if it is known."""
        known: Reasoning | None = vars(self).get("_reasoning")
        return known

    def with_reasoning(self, reasoning: Reasoning | None) -> Step:
        """Return the same step with the model's reasoning."""
        new = replace(self)
        vars(new)["_reasoning"] = reasoning
        return new

    @property
    def outputs(self) -> list[ToolOutput]:
        """The results with the names of the tools."""
        pairs = zip(self.tool_calls, self.results, strict=False)
        return [ToolOutput(call.tool, result) for call, result in pairs]


def submit_tool(target: SignatureSpec) -> ToolSpec:
    """Return the description of the tool that takes a signature's outputs."""
    return ToolSpec(SUBMIT, "Give the answer; this ends the work.", target.json_schema())


def check_target(target: SignatureSpec) -> SignatureSpec:
    """Return a signature if tools can be used for it.

    Raises:
        SignatureError: It has an input whose name is taken, or none but a conversation.
    """
    for name in (STEPS, THOUGHT, CALLS, PAST, RESULTS, NOTICE):
        if name in target.inputs:
            raise SignatureError(
                f"a ReAct uses the name {name!r} itself, and {target.name} has an input of that "
                "name: rename it"
            )
    if all(given.is_history for given in target.inputs.values()):
        raise SignatureError(
            f"a ReAct needs an input besides the conversation, and {target.name} has none: add "
            "what is asked now, such as question"
        )
    return target


def step_signature(target: SignatureSpec) -> SignatureSpec:
    """Return the signature of a step: the inputs and the steps so far, a thought and calls."""
    fields = (
        *target.inputs.values(),
        FieldSpec(STEPS, "input", list[Step], "what was done so far", default_factory=list),
        FieldSpec(THOUGHT, "output", str, "what to do next, and why, in a sentence or two"),
        FieldSpec(CALLS, "output", list[ToolUse], "the tools to call now"),
    )
    return SignatureSpec(target.name, target.instruction, fields)


@lru_cache(maxsize=256)
def text_signature(target: SignatureSpec, instruction: str) -> SignatureSpec:
    """Return the signature of a step where calls are written as text.

    Earlier steps are the turns of a conversation.

    Args:
        target: The signature to answer.
        instruction: What the model is to do, tools included.
    """
    inputs = [given for given in target.inputs.values() if not given.is_history]
    fields = (
        FieldSpec(PAST, "input", History, "the conversation so far"),
        *inputs,
        FieldSpec(RESULTS, "input", list[ToolOutput], "what the last calls returned"),
        FieldSpec(NOTICE, "input", str),
        FieldSpec(THOUGHT, "output", str, "what to do next, and why, in a sentence or two"),
        FieldSpec(CALLS, "output", list[ToolUse], "the tools to call now"),
    )
    return SignatureSpec(target.name, instruction, fields)


def as_turns(target: SignatureSpec, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a step for :func:`text_signature`, earlier steps as turns.

    Args:
        target: The signature to answer.
        values: Inputs, the steps so far, and perhaps outputs.
    """
    turns: list[Mapping[str, Any]] = []
    current: dict[str, Any] = {}
    for name, given in target.inputs.items():
        if name in values and given.is_history:
            turns += [_as_submitted(target, turn) for turn in given.validate(values[name]) or ()]
        elif name in values:
            current[name] = values[name]
    for step in steps_in(values):
        turns.append({**current, THOUGHT: step.thought, CALLS: step.tool_calls})
        current = {RESULTS: step.outputs}
        if step.notice:
            current[NOTICE] = step.notice
    said = {name: values[name] for name in (THOUGHT, CALLS) if name in values}
    return {PAST: History(turns), **current, **said}


def steps_in(values: Mapping[str, Any]) -> list[Step]:
    """Return the steps among the values of a step.

    Raises:
        InputError: They are not steps.
    """
    steps = values[STEPS] if STEPS in values else []
    if isinstance(steps, list) and all(type(step) is Step for step in steps):
        return steps
    typed: list[Step] = _field(STEPS).validate(steps)
    return typed


def calls_in(values: Mapping[str, Any]) -> list[ToolUse]:
    """Return the calls among the values of a step.

    Raises:
        InputError: They are not calls.
    """
    calls = values[CALLS] if CALLS in values else []
    if isinstance(calls, list) and all(type(call) is ToolUse for call in calls):
        return calls
    typed: list[ToolUse] = _field(CALLS).validate(calls)
    return typed


@lru_cache(maxsize=2)
def _field(name: str) -> FieldSpec:
    return FieldSpec(name, "input", list[Step] if name == STEPS else list[ToolUse])


def _as_submitted(target: SignatureSpec, turn: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a turn of the user's conversation with its answer as a call of submit."""
    answered = {name: turn[name] for name in target.outputs if name in turn}
    if not answered or turn.keys() == {"role", "content"}:
        return turn
    try:
        plain = {name: target.outputs[name].plain(value) for name, value in answered.items()}
    except InputError as error:
        raise InputError(f"an earlier turn of the conversation: {error}") from None
    asked = {name: value for name, value in turn.items() if name not in answered}
    return {**asked, THOUGHT: "", CALLS: [ToolUse(SUBMIT, plain)]}
