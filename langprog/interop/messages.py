"""Prompts as plain messages, for any client of a chat endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from langprog.adapters import ADAPTERS, Adapter, Piece, TemplateAdapter, escape_text, reference_of
from langprog.errors import InputError
from langprog.evaluation import Report
from langprog.interop.contract import Exported
from langprog.interop.reading import parse_json
from langprog.lm import Message, Request, Sampling, ToolSpec, body_of
from langprog.modules import Module, Predict
from langprog.signature import FieldSpec, SignatureSpec

WRITES: Mapping[str, str] = MappingProxyType(
    {"input": "the inputs as a JSON object: the very prompt for them, of a single predictor"}
)
# Stand for a value; no prompt of ours has them.
_START, _END = "\ue0f0", "\ue0f1"


def write_messages(program: Module, options: Mapping[str, str], report: Report | None) -> Exported:
    """Write messages, for ``langprog export``."""
    notes: tuple[str, ...] = ()
    if "input" in options:
        inputs = parse_json(options["input"], "input")
        if not isinstance(inputs, dict):
            raise InputError(f"input is a JSON object with the inputs, not {inputs!r:.40}")
        value: Any = to_messages(program, inputs)
    else:
        value = to_message_templates(program)
        notes = ("{{ name }} stands for an input as the program's adapter writes it",)
        if len(value) == 1:
            (value,) = value.values()
    return Exported(json.dumps(value, ensure_ascii=False, indent=2) + "\n", notes)


def to_messages(program: Module, inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the prompt of a program with one predictor as the ``messages`` of a chat request.

    Args:
        program: The program.
        inputs: Its inputs, as plain data or in their types.

    Raises:
        InputError: It has several predictors, or an input is missing or does not fit.
    """
    predictor = only_predictor(program, "the prompts of later ones depend on the replies")
    fields = predictor.signature.inputs
    typed = {
        name: fields[name].from_row(value) if name in fields else value
        for name, value in inputs.items()
    }
    return plain_messages(predictor.request_for(predictor.check_inputs(typed)).messages)


def only_predictor(program: Module, why: str) -> Predict:
    """Return the only predictor of a program.

    Raises:
        InputError: There is none, or there are several; ``why`` says why that matters.
    """
    predictors: list[Predict] = list(program.predictors().values())
    if len(predictors) != 1:
        raise InputError(
            f"the program has {len(predictors)} predictors ({', '.join(program.predictors())}), "
            f"and this takes one: {why}"
        )
    return predictors[0]


def plain_messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return messages as an OpenAI-compatible endpoint takes them."""
    plain: list[dict[str, Any]] = body_of(Request(messages), Sampling())["messages"]
    return plain


def plain_tools(tools: tuple[ToolSpec, ...]) -> list[dict[str, Any]]:
    """Return tools as an OpenAI-compatible endpoint takes them."""
    plain: list[dict[str, Any]] = body_of(Request((), tools=tools), Sampling())["tools"]
    return plain


def to_message_templates(program: Module) -> dict[str, list[dict[str, Any]]]:
    """Return the prompt of every predictor, with ``{{ name }}`` in the place of an input.

    The rest of a prompt is as in the program, byte for byte; what would mean something in a Jinja
    template is escaped.

    Raises:
        InputError: A predictor takes images, conversations or tools, chooses demonstrations for
            each input, or has a prompt that depends on its inputs otherwise.
    """
    return {path: _template(path, predictor) for path, predictor in program.predictors().items()}


def _template(path: str, predictor: Predict) -> list[dict[str, Any]]:
    adapter, signature = predictor.adapter_in_force(), predictor.signature
    special = [name for name, field in signature.inputs.items() if field.special]
    why = f"it takes {special[0]!r}, which is not text" if special else ""
    if predictor.nearest is not None:
        why = "its demonstrations are chosen for each input"
    if isinstance(adapter, TemplateAdapter) and not why:
        composed = adapter.compose(signature, predictor.demos)
        return [{"role": role, "content": _composed(pieces)} for role, pieces in composed]
    if adapter_name(adapter) not in ("chat", "json", "xml"):
        why = f"its adapter {adapter.name} writes more than text, or is not known"
    if why:
        raise InputError(
            f"the prompt of {path} cannot be written with places for its inputs, as {why}: give "
            "the inputs, input={...}"
        )
    # Inputs as texts, for their places: their types are in the head, which is rendered as it is.
    texts = replace(signature, fields=tuple(_as_text(each) for each in signature.fields))
    marks = {name: f"{_START}{name}{_END}" for name in signature.inputs}
    last = adapter.render(texts, (), marks)[-1]
    head = adapter.render(signature, predictor.demos, {})[:-1]
    return [
        *({"role": each.role, "content": _escaped(each.content)} for each in head),
        {"role": last.role, "content": _with_places(_escaped(last.content), signature)},
    ]


def adapter_name(adapter: Adapter) -> str:
    """Return the name of an adapter of langprog's; empty for others."""
    reference = reference_of(adapter)
    return reference if ADAPTERS.get(reference) is adapter else ""


def _composed(pieces: Sequence[Piece]) -> str:
    source = "".join(
        f"{{{{ {piece.slot} }}}}" if piece.slot else escape_text(piece.text, "jinja")
        for piece in pieces
    )
    return f"{source}\n" if source.endswith("\n") else source


def _as_text(field: FieldSpec) -> FieldSpec:
    return FieldSpec(field.name, field.role, str) if field.role == "input" else field


def _escaped(content: Any) -> str:
    if not isinstance(content, str):
        raise InputError("a message has other parts than text: give the inputs, input={...}")
    return escape_text(content, "jinja")


def _with_places(text: str, signature: SignatureSpec) -> str:
    for name in signature.inputs:
        mark = f"{_START}{name}{_END}"
        if mark not in text:
            raise InputError(
                f"the prompt has no place for {name!r}: give the inputs, input={{...}}"
            )
        # In a JSON object, a value is written with its quotes.
        text = text.replace(f'"{mark}"', f"{{{{ {name} }}}}").replace(mark, f"{{{{ {name} }}}}")
    return text
