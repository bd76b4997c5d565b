"""Steps wired by field name; independent steps run concurrently."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from langprog.errors import SignatureError
from langprog.hints import with_hints
from langprog.modules.base import Module, with_left_out
from langprog.modules.node import Node, Part, Types, parts_by_name
from langprog.modules.prediction import Prediction
from langprog.notebook import list_short
from langprog.signature import FieldSpec, is_assignable


class PipelineNode(Node):
    """Steps wired by field name."""

    module: Literal["Pipeline"]
    steps: list[Part]

    def children(self) -> dict[str, Node]:
        """Return the nodes of the steps by name.

        Raises:
            ArtifactError: A name appears twice.
        """
        return parts_by_name(self.steps)


class Pipeline(Module):
    """A graph of steps, known before the first call.

    An output of one step feeds every step with an input of that name; an input that no step
    provides is an input of the pipeline. All outputs of all steps are the pipeline's outputs.

    Example::

        triage = lp.Pipeline(
            team=lp.Predict("ticket -> team"),
            priority=lp.Predict("ticket, team -> priority"),
        )

    Args:
        **steps: Modules by step name; a user's own class needs an attribute ``signature``.

    Raises:
        SignatureError: Two steps provide the same field, steps depend on each other in a cycle,
            or a field has different types in the step that provides it and one that takes it.
    """

    node: ClassVar[type[Node]] = PipelineNode

    @with_hints({}, by_name="name its steps: lp.Pipeline(first=..., second=...)")
    def __init__(self, **steps: Module) -> None:
        if not steps:
            raise SignatureError("a Pipeline needs at least one step")
        for name, step in steps.items():
            if not isinstance(step, Module):
                raise SignatureError(
                    f"step {name!r} of the Pipeline is a {type(step).__name__}, not a module"
                )
        givers = _givers(steps)
        self._steps = dict(steps)
        self._waits = {
            name: tuple(dict.fromkeys(givers[field] for field in step.inputs if field in givers))
            for name, step in steps.items()
        }
        self._order = _sort_steps(self._waits)
        self._inputs = _open_inputs(steps, givers)
        self._outputs = {
            field: spec for name in self._order for field, spec in steps[name].outputs.items()
        }

    @property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name: those that no step provides."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name: those of every step, in the order of execution."""
        return self._outputs

    def children(self) -> dict[str, Module]:
        """Return the steps by name."""
        return dict(self._steps)

    def with_children(self, children: Mapping[str, Module]) -> Self:
        """Return a copy with these steps in the same graph."""
        new = copy.copy(self)
        object.__setattr__(new, "_steps", dict(children))
        return new

    def graph(self) -> dict[str, tuple[str, ...]]:
        """Return the dependencies of every step, in a valid order of execution."""
        return {name: self._waits[name] for name in self._order}

    def draw(self) -> str:
        """Return the graph as a Mermaid flowchart."""
        lines = ["flowchart LR"]
        for field in self._inputs:
            lines.append(f"    in_{field}([{field}])")
        for name in self._order:
            lines.append(f"    {name}[{name}]")
            for field in self._steps[name].inputs:
                source = next(
                    (giver for giver in self._waits[name] if field in self._steps[giver].outputs),
                    f"in_{field}",
                )
                lines.append(f"    {source} -->|{field}| {name}")
        return "\n".join(lines)

    async def aforward(self, **inputs: Any) -> Prediction:
        """Run every step as soon as its inputs are available.

        Raises:
            InputError: An input is missing or unknown.
        """
        if inputs.keys() != self._inputs.keys():
            inputs = with_left_out(inputs, self._inputs, "the Pipeline")
        if all(self._waits[later] for later in self._order[1:]) and _is_chain(
            self._order, self._waits
        ):
            return await self._run_in_sequence(inputs)
        return await self._run_concurrently(inputs)

    async def _run_in_sequence(self, inputs: Mapping[str, Any]) -> Prediction:
        known = dict(inputs)
        for name in self._order:
            step = self._steps[name]
            known.update(await step.acall(**{field: known[field] for field in step.inputs}))
        return Prediction(**{field: known[field] for field in self._outputs})

    async def _run_concurrently(self, inputs: Mapping[str, Any]) -> Prediction:
        known = dict(inputs)
        tasks: dict[str, asyncio.Task[None]] = {}

        async def run(name: str) -> None:
            for giver in self._waits[name]:
                await tasks[giver]
            step = self._steps[name]
            known.update(await step.acall(**{field: known[field] for field in step.inputs}))

        for name in self._order:
            tasks[name] = asyncio.create_task(run(name))
        try:
            await asyncio.gather(*tasks.values())
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return Prediction(**{field: known[field] for field in self._outputs})

    def plain_settings(self) -> dict[str, Any]:
        """Return nothing: everything comes from its steps."""
        return {}

    def to_node(self, parts: Mapping[str, Any], types: Types) -> dict[str, Any]:
        """Return it as plain JSON data."""
        steps = [{"name": name, "program": part} for name, part in parts.items()]
        return {"module": "Pipeline", "steps": steps}

    @classmethod
    def from_node(cls, node: PipelineNode, parts: Mapping[str, Module], types: Types) -> Self:
        """Make one from its node."""
        return cls(**parts)

    def __repr__(self) -> str:
        return f"Pipeline({list_short(self._steps.items())})"


def _givers(steps: Mapping[str, Module]) -> dict[str, str]:
    givers: dict[str, str] = {}
    for name, step in steps.items():
        for field in step.outputs:
            if field in givers:
                raise SignatureError(
                    f"steps {givers[field]!r} and {name!r} of the Pipeline both provide "
                    f"{field!r}: rename one of the fields"
                )
            givers[field] = name
    return givers


def _sort_steps(waits: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    order: list[str] = []
    left = dict(waits)
    while left:
        ready = [name for name, givers in left.items() if all(giver in order for giver in givers)]
        if not ready:
            raise SignatureError(
                f"steps {', '.join(left)} of the Pipeline depend on each other in a cycle"
            )
        for name in ready:
            order.append(name)
            del left[name]
    return tuple(order)


def _is_chain(order: tuple[str, ...], waits: Mapping[str, tuple[str, ...]]) -> bool:
    return all(
        earlier in waits[later] for earlier, later in zip(order[:-1], order[1:], strict=True)
    )


def _open_inputs(steps: Mapping[str, Module], givers: Mapping[str, str]) -> dict[str, FieldSpec]:
    inputs: dict[str, FieldSpec] = {}
    for name, step in steps.items():
        for field, spec in step.inputs.items():
            if field in givers:
                giver = givers[field]
                given = steps[giver].outputs[field]
                if not is_assignable(given.shape, spec.shape):
                    raise SignatureError(
                        f"step {giver!r} provides {field!r} as {given.type_phrase or 'text'}, "
                        f"but step {name!r} takes it as {spec.type_phrase or 'text'}"
                    )
            elif field in inputs and inputs[field].annotation != spec.annotation:
                raise SignatureError(
                    f"steps of the Pipeline take {field!r} with different types: "
                    f"{inputs[field].type_phrase or 'text'} and {spec.type_phrase or 'text'}"
                )
            elif field not in inputs or (spec.required and not inputs[field].required):
                inputs[field] = spec
    return inputs
