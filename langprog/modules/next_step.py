"""The predictor inside a ReAct: it takes the next step, with native tool calls or in text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from langprog.adapters import AUTO, Adapter, ToolsAdapter, adapter_named, reference_of
from langprog.checks import REASKS, Check, CheckData, bind_checks, check_from_data
from langprog.errors import ArtifactError, InputError
from langprog.example import Example
from langprog.lm import Request, WithoutTools
from langprog.modules.base import Module
from langprog.modules.nearest import NearestData, NearestDemos
from langprog.modules.node import ClassData, Node, ToolData, Types
from langprog.modules.parameter_data import SamplingData, demo_from_data
from langprog.modules.predict import Predict
from langprog.modules.tool_prompts import NativeSteps, TextSteps, tools_of
from langprog.modules.tool_steps import (
    LAST_NOTICE,
    STEPS,
    SUBMIT,
    calls_in,
    check_target,
    step_signature,
    steps_in,
)
from langprog.modules.tree import Parameter
from langprog.runtime import Settings, adapter_for, current, may_call_tools, refuses_tools
from langprog.signature import Signature, SignatureSpec, signature_of
from langprog.tools import Tool, make_tools

_NATIVE = reference_of(ToolsAdapter())


class NextStepNode(Node):
    """A predictor of steps with everything that determines its prompts.

    Args:
        module: Its kind.
        signature: The signature to answer, with full types.
        tools: The tools that there are.
        offered: The names of those that the model is offered.
        demos: Demonstrations: the values of a step, which includes those before it.
        model: The model's name; null for the ambient one.
        adapter: As for a Predict.
        sampling: How completions are drawn.
        checked_by: As for a Predict.
        nearest: As for a Predict.
        checks: As for a Predict.
        reasks: As for a Predict.
    """

    module: Literal["NextStep"]
    signature: dict[str, Any]
    tools: list[ToolData]
    offered: list[str]
    demos: list[dict[str, Any]]
    model: str | None
    adapter: str | None
    sampling: SamplingData
    checked_by: ClassData | None = None
    nearest: NearestData | None = None
    checks: tuple[CheckData, ...] = ()
    reasks: int = REASKS

    def model_names(self) -> Iterator[str]:
        """Yield the name of its model, if it has one."""
        return iter(() if self.model is None else (self.model,))


class NextStep(Predict):
    """Take the next step of a ReAct: call tools, or submit the answer.

    Its inputs are those of the signature and ``steps``, the steps so far; its outputs are a
    ``thought`` and ``tool_calls``. A demonstration of the last step shows the whole conversation.

    Args:
        signature: The signature to answer.
        tools: The tools.
        offered: The names of those that the model is offered; by default all.
        checks: What the answer has to satisfy that is submitted.
        **options: As for Predict.

    Raises:
        SignatureError: The signature is invalid, or has an input whose name is taken.
        InputError: A tool or an option is invalid.
    """

    node: ClassVar[type[Node]] = NextStepNode
    checks_replies: ClassVar[bool] = False
    target: SignatureSpec
    tools: tuple[Tool, ...]
    offered: tuple[str, ...]

    def __init__(
        self,
        signature: str | type[Signature] | SignatureSpec,
        tools: Sequence[Tool | Callable[..., Any]],
        *,
        offered: Sequence[str] | None = None,
        checks: Sequence[Check] = (),
        **options: Any,
    ) -> None:
        target = check_target(signature_of(signature))
        made = _check_tools(tools)
        super().__init__(step_signature(target), **options)
        self._set(
            target=target,
            tools=made,
            offered=check_offered(offered, made),
            # Of the answer that is submitted: the ReAct sees to them.
            checks=bind_checks(target, checks),
        )
        _check_steps(self.demo_pool)

    def with_own_parameters(self, values: Mapping[str, Any]) -> Self:
        """Return a copy with these parameters."""
        new = super().with_own_parameters(values)
        _check_steps(new.demo_pool)
        return new

    def with_offered(self, offered: Sequence[str]) -> Self:
        """Return a copy that offers these tools, by name."""
        new = self.with_children({})
        new._set(offered=check_offered(offered, self.tools))
        return new

    def search_space(self) -> Mapping[str, Sequence[Any]]:
        """Return no other structures: a thought comes before the calls."""
        return {"structure": []}

    def calls_per_example(self) -> int:
        """Return one: the ReAct knows how many steps there are."""
        return 1

    def contains_call(self, later: Mapping[str, Any], earlier: Mapping[str, Any]) -> bool:
        """Return whether the earlier call is a step of the same conversation."""
        before, after = steps_in(earlier), steps_in(later)
        others = {name: value for name, value in later.items() if name != STEPS}
        return after[: len(before)] == before and others == {
            name: value for name, value in earlier.items() if name != STEPS
        }

    # --- as data --------------------------------------------------------------------------------

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        data = super().to_node(parts, types)
        target = self.target.with_instruction(self.signature.instruction)
        checked_by = types.checking_class(target)
        return {
            **{name: value for name, value in data.items() if name != "checked_by"},
            "module": "NextStep",
            "signature": target.to_json(),
            "tools": [tool_to_data(tool) for tool in self.tools],
            "offered": list(self.offered),
            **({} if checked_by is None else {"checked_by": checked_by}),
        }

    @classmethod
    def from_node(  # type: ignore[override]  # its own node
        cls, node: NextStepNode, parts: Mapping[str, Module], types: Types
    ) -> Self:
        """Make one from its node."""
        try:
            target = SignatureSpec.from_json(node.signature)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ArtifactError(f"a signature cannot be read: {error}") from None
        target = types.restore_types(target, node.checked_by)
        signature = step_signature(target)
        return cls(
            target,
            [types.tool(data) for data in node.tools],
            offered=node.offered,
            demos=[demo_from_data(signature, demo) for demo in node.demos],
            nearest=NearestDemos.from_data(node.nearest, signature, types.embedder),
            model=node.model,
            adapter=None if node.adapter is None else types.adapter(node.adapter),
            sampling=node.sampling.sampling(),
            checks=[check_from_data(each, types.check_function) for each in node.checks],
            reasks=node.reasks,
        )

    # --- the call -------------------------------------------------------------------------------

    def adapter_in_force(self) -> Adapter:
        """Return the adapter that a call uses now: ``tools`` for native calls."""
        if self._is_native or (self._is_automatic and not refuses_tools(self.model)):
            return adapter_named(_NATIVE)
        return super().adapter_in_force()

    @property
    def _is_native(self) -> bool:
        chosen = current().adapter if self.adapter is None else self.adapter
        return isinstance(chosen, str) and chosen == _NATIVE

    @property
    def _is_automatic(self) -> bool:
        """Whether native calls are tried, and text follows where they are refused."""
        chosen = current().adapter if self.adapter is None else self.adapter
        return isinstance(chosen, str) and chosen == AUTO and may_call_tools(self.model)

    def prompt_adapter(self, settings: Settings | None = None) -> Adapter:
        """Return the adapter of the steps: with native calls of the tools, or with text."""
        specs = [tool.spec for tool in self.tools if tool.name in self.offered]
        tools = tools_of(self.target, specs)
        if self._is_native:
            return NativeSteps(self.target, tools, None)
        text = TextSteps(adapter_for(self.adapter, self.model, settings), self.target, tools)
        return NativeSteps(self.target, tools, text) if self._is_automatic else text

    def request_for(self, inputs: Mapping[str, Any]) -> Request:
        """Return the prompt for validated ``inputs`` as a request, with the tools."""
        adapter, signature = self.prompt_adapter(), self.signature
        messages = adapter.render(signature, self.demos_for(inputs), inputs)
        tools, choice = adapter.tools(signature), adapter.tool_choice(signature)
        request = Request(messages, tools=tools, tool_choice=choice)
        return self.adjust_request(request, adapter, inputs)

    def adjust_request(
        self, request: Request, adapter: Adapter, inputs: Mapping[str, Any]
    ) -> Request:
        """Return the request with its form for an endpoint that refuses tools."""
        if not request.tools or not isinstance(adapter, NativeSteps):
            return request
        steps = steps_in(inputs)
        ends = bool(steps) and steps[-1].notice == LAST_NOTICE
        plain: WithoutTools | None = None
        if adapter.text is not None:
            demos = self.demos if self.nearest is None else self.demos_for(inputs)
            plain = WithoutTools(
                adapter.text.render(self.signature, demos, inputs),
                adapter.text.response_schema(self.signature),
            )
        return replace(
            request,
            tool_choice=SUBMIT if ends else request.tool_choice,
            optional=request.optional | {"tool_choice"},
            without_tools=plain,
        )

    def __repr__(self) -> str:
        names = ", ".join(self.offered)
        return f"{super().__repr__()[:-1]}, tools=[{names}])".replace("Predict(", "NextStep(", 1)


def _check_steps(demos: Sequence[Example]) -> None:
    """Refuse demonstrations with steps or calls that are none.

    Raises:
        InputError: There is one.
    """
    for number, demo in enumerate(demos, start=1):
        try:
            steps_in(demo)
            calls_in(demo)
        except InputError as error:
            raise InputError(f"demonstration {number} of a ReAct: {error}") from None


def check_offered(offered: Any, tools: Sequence[Tool]) -> tuple[str, ...]:
    """Return names of tools in the order of the tools; ``None``: all of them.

    Raises:
        InputError: It is not a list of their names, or is empty.
    """
    names = [tool.name for tool in tools]
    if offered is None:
        return tuple(names)
    if isinstance(offered, str) or not isinstance(offered, Sequence) or not offered:
        raise InputError(
            f"offered= of a ReAct is a list of names of its tools, not {offered!r:.80}"
        )
    unknown = [name for name in offered if name not in names]
    if unknown:
        raise InputError(
            f"offered= of a ReAct has {unknown[0]!r:.80}; its tools are {', '.join(names)}"
        )
    return tuple(name for name in names if name in offered)


def _check_tools(tools: Sequence[Tool | Callable[..., Any]]) -> tuple[Tool, ...]:
    if isinstance(tools, Sequence) and any(isinstance(tool, Module) for tool in tools):
        raise InputError(
            "a program is not a tool as it is: write def ask(question: str) -> str: "
            "return program(question=question).answer and tools=[ask]"
        )
    made = make_tools(tools)
    if not made:
        raise InputError("a ReAct needs at least one tool: tools=[look_up]")
    if any(tool.name == SUBMIT for tool in made):
        raise InputError(
            f"a ReAct has a tool {SUBMIT!r} of its own, which takes the answer: give yours "
            "another name, lp.Tool(function, name=...)"
        )
    return made


def tool_to_data(tool: Tool) -> dict[str, Any]:
    """Return what an artifact stores of a tool: what the model sees, and where the code is."""
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "function": tool.reference,
        "timeout": tool.timeout,
        "max_result": tool.max_result,
    }


def describe_tools(step: NextStep) -> Parameter:
    """Return what the tools are as a parameter, so that other tools make another program."""
    return Parameter("choice", [tool_to_data(tool) for tool in step.tools])
