"""Work with tools: call them, look at what they return, and submit an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self

from langprog.adapters import json_text, values_from_object
from langprog.errors import InputError, ParseError
from langprog.hints import with_hints
from langprog.knobs import check_argument, takes_whole
from langprog.lm import Reasoning
from langprog.modules.base import Module, with_left_out
from langprog.modules.conversation import name_module
from langprog.modules.elsewhere import OF_REACT, REACT_ATTRIBUTES, TOOLS
from langprog.modules.next_step import NextStep, describe_tools
from langprog.modules.node import AnyNode, Node, Types
from langprog.modules.prediction import Prediction
from langprog.modules.submitted import Submissions
from langprog.modules.tool_runs import run_tool
from langprog.modules.tool_steps import CALLS, LAST_NOTICE, STEPS, SUBMIT, THOUGHT, Step, ToolUse
from langprog.modules.trace import recorder
from langprog.modules.tree import Parameter
from langprog.notebook import shorten
from langprog.runtime import gather_in_order
from langprog.signature import FieldSpec, Signature, SignatureSpec
from langprog.tools import Tool

# Calls of one step that run at the same time; others wait.
AT_ONCE = 16
# Tools that are left out one at a time, when it is searched which to offer.
MOST_LEFT_OUT = 8


class ReActNode(Node):
    """Work with tools.

    Args:
        module: Its kind.
        step: The predictor of steps, with the tools.
        max_steps: Maximum number of steps with calls of tools.
    """

    module: Literal["ReAct"]
    step: AnyNode
    max_steps: int


class ReAct(Module):
    r"""Answer a signature with tools: the model calls them until it submits the outputs.

    In each step the model calls up to 100 tools, which run at the same time. What goes wrong
    (an unknown tool, wrong arguments, an exception, a time-out) is told to the model as the
    result. The answer is submitted through a tool of its own, ``submit``, and is read like every
    other answer; if it does not fit, the model is told why. After ``max_steps`` steps only
    ``submit`` is taken; without a valid answer the call then ends in a ParseError.

    Tools are called natively where the endpoint can do that, else in the text of the replies;
    ``adapter="tools"`` insists on the former, ``adapter="chat"``, ``"json"`` or ``"xml"`` on the
    latter.

    The trace has a step for every call of the model and of a tool. A tool that is down (no
    connection, an overloaded server) is told to the model as well, but an evaluation takes such a
    row for missing data, unless the same call succeeded later. A tool that exceeds its own
    ``timeout`` is not an outage: the model chose the arguments.

    A compile shows whole conversations as demonstrations, and also searches which of the tools to
    offer. An artifact stores the name, description and arguments of each tool, and not its code:
    it is handed over when the program is loaded, ``lp.load(path, tools=[...])``, or imported from
    a module that is allowed.

    Follows: ReAct: Synergizing Reasoning and Acting in Language Models (Yao et al., 2023).
    Differs: several calls in a step; native calls where there are any; the answer is a call, typed
    by the signature.

    Example::

        import langprog as lp

        def population(city: str) -> int:
            '''Look up how many people live in a city.'''
            return {"Paris": 2_048_472, "Lyon": 520_774}[city]

        program = lp.ReAct("question -> answer: int", tools=[population])
        replies = [
            '[[thought]]\nI look it up.\n[[tool_calls]]\n'
            '[{"tool": "population", "arguments": {"city": "Lyon"}}]',
            '[[thought]]\nThat is it.\n[[tool_calls]]\n'
            '[{"tool": "submit", "arguments": {"answer": 520774}}]',
        ]
        with lp.using(lm=lp.ScriptedLM(replies)):
            prediction = program(question="How many people live in Lyon?")
        assert prediction.answer == 520_774
        assert [step.path for step in prediction.trace] == ["step", "tools[population]", "step"]

    Args:
        signature: The inputs and outputs, as for Predict.
        tools: Functions, or lp.Tool.
        max_steps: Maximum number of steps with calls of tools; one more is for the answer alone.
        offered: Names of the tools that the model is offered; by default all.
        **options: As for Predict: ``instruction``, ``demos``, ``checks`` (of what is submitted;
            each time that it is asked for again takes one more step), ``model``, ``adapter``,
            ``temperature`` and so on.

    Raises:
        SignatureError: The signature is invalid, or has an input whose name is taken.
        InputError: A tool or another argument is invalid.
    """

    _elsewhere = REACT_ATTRIBUTES
    node: ClassVar[type[Node]] = ReActNode
    step: NextStep
    max_steps: int

    @with_hints(OF_REACT, needed={"tools": TOOLS})
    def __init__(
        self,
        signature: str | type[Signature] | SignatureSpec,
        tools: Sequence[Tool | Callable[..., Any]],
        *,
        max_steps: int = 10,
        offered: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        self.step = NextStep(signature, tools, offered=offered, **options)
        self.max_steps = _check_steps(max_steps)

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that there are."""
        return self.step.tools

    @property
    def offered(self) -> tuple[str, ...]:
        """The names of the tools that the model is offered."""
        return self.step.offered

    @property
    def asked_signature(self) -> SignatureSpec:
        """The signature with the instruction that the model gets."""
        return self.step.target.with_instruction(self.step.signature.instruction)

    def for_signature(self, signature: SignatureSpec) -> ReAct:
        """Return a ReAct like this one, without demonstrations, for another signature."""
        step = self.step
        return ReAct(
            signature,
            self.tools,
            max_steps=self.max_steps,
            offered=self.offered,
            model=step.model,
            adapter=step.adapter,
            sampling=step.sampling,
            checks=step.checks,
            reasks=step.reasks,
        )

    def declared_signature(self) -> SignatureSpec:
        """Return what goes in and out."""
        return self.step.target

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name."""
        return self.step.target.inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name."""
        return self.step.target.outputs

    def children(self) -> dict[str, Module]:
        """Return the predictor of steps."""
        return {"step": self.step}

    def own_parameters(self) -> dict[str, Parameter]:
        """Return the tools that are offered, the number of steps, and what the tools are.

        The last cannot be set to anything else. It is here so that programs with different tools
        count as different programs, also in a compile's journal.
        """
        return {
            "offered": Parameter("choice", list(self.offered)),
            "max_steps": Parameter("k", self.max_steps),
            "tools": describe_tools(self.step),
        }

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these tools on offer, and this number of steps.

        Raises:
            InputError: A value is invalid, or other tools are described.
        """
        others = dict(values)
        described = describe_tools(self.step).value
        if others.pop("tools", described) != described:
            raise InputError("a ReAct keeps its tools: make another ReAct")
        offered = others.pop("offered", None)
        if "max_steps" in others:
            others["max_steps"] = _check_steps(others["max_steps"])
        new = super().with_own_parameters(others)
        if offered is not None:
            vars(new)["step"] = self.step.with_offered(offered)
        return new

    def search_space(self) -> dict[str, Sequence[list[str]]]:
        """Return all tools, and all but one of them."""
        names = [tool.name for tool in self.tools]
        if len(names) == 1:
            return {}
        left_out = names[:MOST_LEFT_OUT]
        return {"offered": [names, *([n for n in names if n != gone] for gone in left_out)]}

    def value_label(self, name: str, value: Any) -> str:
        """Return a short label: for tools, which are left out."""
        if name != "offered":
            return super().value_label(name, value)
        gone = [tool.name for tool in self.tools if tool.name not in value]
        return f"without {', '.join(gone)}" if gone else "all tools"

    def calls_per_example(self) -> int:
        """Return the most calls that it makes, which a compile sets aside for each example."""
        return self.max_steps + 1 + (self.step.reasks if self.step.checks else 0)

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: its node has all there is."""
        return {}

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        return {"module": "ReAct", "step": parts["step"], "max_steps": self.max_steps}

    @classmethod
    def from_node(cls, node: ReActNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        step = parts["step"]
        if not isinstance(step, NextStep):
            raise InputError(f"a ReAct contains a NextStep, not a {type(step).__name__}")
        made = cls(step.target, step.tools, max_steps=node.max_steps)
        return made.with_children({"step": step})

    async def aforward(self, **inputs: Any) -> Prediction:
        """Take steps until an answer is submitted.

        Raises:
            InputError: An input is missing, unknown or of the wrong type.
            ParseError: A reply cannot be read, or there was no valid answer in the last step.
            CheckError: The last answer fails a required check.
            LangprogError: A model gave no completion, or a budget is spent.
        """
        if inputs.keys() != self.inputs.keys():
            inputs = with_left_out(inputs, self.inputs, "the ReAct")
        submissions = Submissions(self.step, inputs)
        steps: list[Step] = []
        while True:
            said = await submissions.take_step({**inputs, STEPS: list(steps)})
            calls: list[ToolUse] = said[CALLS]
            # An answer that fails a check is asked for again beyond the steps.
            last = len(steps) - submissions.reasks == self.max_steps
            answer, results = await self._act(calls, last)
            refused = "" if answer is None else await submissions.refuse(answer)
            if (answer is not None or last) and not refused:
                accepted = submissions.accepted()
                if accepted is None:
                    error = ParseError(
                        f"a ReAct gave no valid answer after {self.max_steps} steps: "
                        f"{_say_last(calls, results)}",
                        text=json_text([call.arguments for call in calls]),
                    )
                    raise name_module(error, self, recorder.get())
                return Prediction(**accepted)
            if refused:
                results = _with_refusal(calls, results, refused)
            ends = len(steps) + 1 - submissions.reasks == self.max_steps
            step = Step(said[THOUGHT], calls, results, LAST_NOTICE if ends else "")
            steps.append(step.with_reasoning(_reasoning_in(said)))

    async def _act(
        self, calls: Sequence[ToolUse], last: bool
    ) -> tuple[dict[str, Any] | None, list[str]]:
        """Run the calls of a step; return the answer if it was submitted, and the results."""
        if last:
            told = "Not called: only submit is taken now."
            ran = [(told, True) for call in calls if call.tool != SUBMIT]
        else:
            offered = {tool.name: tool for tool in self.tools if tool.name in self.offered}
            works = [
                partial(run_tool, call, offered, id(self), self.root_name())
                for call in calls
                if call.tool != SUBMIT
            ]
            ran = await gather_in_order(works, AT_ONCE)
        results = iter(ran)
        answer, refused = self._read_answer(calls, all(went_well for _, went_well in ran))
        return answer, [refused if call.tool == SUBMIT else next(results)[0] for call in calls]

    def _read_answer(
        self, calls: Sequence[ToolUse], went_well: bool
    ) -> tuple[dict[str, Any] | None, str]:
        """Return the submitted outputs, or why they are not accepted."""
        submitted = [call.arguments for call in calls if call.tool == SUBMIT]
        if not submitted:
            return None, ""
        if any(arguments != submitted[0] for arguments in submitted):
            return None, "Not accepted: submit was called several times, and differently."
        if not went_well:
            return None, (
                "Not accepted: another call of this step failed. Look at its result, then call "
                "submit again."
            )
        target = self.step.target
        try:
            return values_from_object(target, submitted[0], json_text(submitted[0])), ""
        except ParseError as error:
            return None, f"Not accepted: {error}."

    def __repr__(self) -> str:
        inside = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        return shorten(f"ReAct({inside!r}, tools={list(self.offered)}, steps={self.max_steps})")


def _reasoning_in(said: Prediction) -> Reasoning | None:
    """Return the model's reasoning before the calls of a step."""
    used = [step.completions[-1] for step in said.trace if step.completions]
    return used[-1].first_reasoning if used else None


def _with_refusal(calls: Sequence[ToolUse], results: Sequence[str], refused: str) -> list[str]:
    """Return the results of a step whose answer is refused."""
    pairs = zip(calls, results, strict=True)
    return [refused if call.tool == SUBMIT else result for call, result in pairs]


def _say_last(calls: Sequence[ToolUse], results: Sequence[str]) -> str:
    """Return what was wrong with a last step."""
    refused = [told for call, told in zip(calls, results, strict=True) if call.tool == SUBMIT]
    if refused:
        return " ".join(dict.fromkeys(refused))
    names = ", ".join(dict.fromkeys(f"{call.tool:.60}" for call in calls))
    return f"asked for the answer alone, the model called {names} instead of submit"


def _check_steps(value: Any) -> int:
    check_argument("ReAct", "max_steps", value, takes_whole(1, 10_000))
    return int(value)
