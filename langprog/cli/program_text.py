"""A program in plain words: its tree, and what each predictor asks, shows and is held to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langprog.cli.shortening import Shortener
from langprog.errors import LangprogError
from langprog.modules import Node
from langprog.signature import FieldSpec, SignatureSpec

# Characters of an instruction, of a value in a demonstration and of a setting; demonstrations.
MOST_INSTRUCTION, MOST_VALUE, MOST_SETTING, MOST_DEMOS = 2000, 300, 160, 3
_AMBIENT = "what is set where it runs"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the text: a title, and names with what they stand for.

    Args:
        title: The title.
        rows: Names, empty for further lines of the same, and texts.
    """

    title: str
    rows: Sequence[tuple[str, str]]


def describe_program(node: Node, texts: Shortener) -> Iterator[Section]:
    """Yield the tree of a program, then each of its predictors.

    Args:
        node: The program.
        texts: Cuts long texts.
    """
    root = "program" if _signature_of(node) is None else "predict"
    listed = list(_walk(node, "", root, 0))
    tree = [("  " * depth + name, _summary(each, texts)) for _, name, each, depth in listed]
    if len(listed) > 1:
        yield Section("program", tree)
    for path, _, each, _ in listed:
        signature = _signature_of(each)
        if signature is not None:
            data = each.model_dump(mode="json", by_alias=True)
            yield Section(path, list(_predictor(data, signature, texts)))
        elif len(listed) == 1:
            yield Section(path, [("kind", _summary(each, texts))])


def _walk(node: Node, path: str, name: str, depth: int) -> Iterator[tuple[str, str, Node, int]]:
    """Yield path, name, node and depth of a node and of all inside it."""
    yield path or name, name, node, depth
    for key, child in node.children().items():
        yield from _walk(child, f"{path}.{key}" if path else key, key, depth + 1)


# --- the tree ------------------------------------------------------------------------------------


def _summary(node: Node, texts: Shortener) -> str:
    signature = _signature_of(node)
    if signature is not None:
        return f"{node.module}  {_arrow(signature)}"
    kind = getattr(node, "class_name", "") if node.module == "user" else node.module
    settings = list(_settings(node, texts))
    return "  ".join([kind or node.module, ", ".join(settings)]).rstrip()


def _arrow(signature: SignatureSpec) -> str:
    return f"{', '.join(signature.inputs)} -> {', '.join(signature.outputs)}"


def _settings(node: Node, texts: Shortener) -> Iterator[str]:
    """Yield what a module is set to, in words."""
    inside = {name.partition("[")[0] for name, value in node if _holds_nodes(value)}
    for name, value in node.model_dump(mode="json", by_alias=True).items():
        if name in ("module", "class", "source") or name in inside or value in (None, [], {}, ""):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield f"{name.replace('_', ' ')} {texts.cut(text, MOST_SETTING)}"


def _holds_nodes(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_nodes, value))
    return isinstance(value, Node) or isinstance(getattr(value, "program", None), Node)


def _signature_of(node: Node) -> SignatureSpec | None:
    data: Any = getattr(node, "signature", None)
    try:
        return SignatureSpec.from_json(data)
    except (KeyError, TypeError, AttributeError, ValueError, LangprogError):
        return None  # no predictor, or no signature that could be loaded either


# --- a predictor ---------------------------------------------------------------------------------


def _predictor(
    data: Mapping[str, Any], signature: SignatureSpec, texts: Shortener
) -> Iterator[tuple[str, str]]:
    yield "instruction", texts.cut(signature.instruction, MOST_INSTRUCTION) or "(none)"
    yield from _listed("inputs", map(_field_text, signature.inputs.values()))
    yield from _listed("outputs", map(_field_text, signature.outputs.values()))
    model = data.get("model") or _AMBIENT
    yield "model", ", ".join([model, *_sampling(data.get("sampling") or {})])
    yield "adapter", data.get("adapter") or _AMBIENT
    offered = data.get("offered") or ()
    yield from _listed("tools", (_tool_text(each, offered) for each in data.get("tools") or ()))
    checks = [_check_text(each) for each in data.get("checks") or ()]
    yield from _listed("checks", checks)
    if checks:
        yield "", f"asked again up to {data.get('reasks')} times where one fails"
    yield from _demonstrations(data, texts)


def _listed(name: str, lines: Iterator[str] | Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield lines under one name, which stands beside the first."""
    for number, line in enumerate(lines):
        yield ("" if number else name), line


def _field_text(field: FieldSpec) -> str:
    kind = f" ({field.type_phrase})" if field.type_phrase else ""
    return f"{field.name}{kind}{f': {field.description}' if field.description else ''}"


def _sampling(data: Mapping[str, Any]) -> Iterator[str]:
    for name, value in data.items():
        if value not in (None, [], {}):
            yield f"{name.replace('_', ' ')} {json.dumps(value, ensure_ascii=False)}"


def _tool_text(tool: Mapping[str, Any], offered: Sequence[str]) -> str:
    names = ", ".join((tool.get("parameters") or {}).get("properties") or ())
    told = " ".join(str(tool.get("description", "")).split())
    kept_back = "" if tool.get("name") in offered else " (not offered)"
    return f"{tool.get('name')}({names}){kept_back}{f': {told}' if told else ''}"


def _check_text(check: Mapping[str, Any]) -> str:
    given = (check.get("options") or {}).items()
    said = check.get("message") or ", ".join(
        f"{name}={value!r:.80}" for name, value in given if value is not None
    )
    named = check.get("name") or f"{check.get('kind')}({check.get('field') or ''})"
    return f"{check.get('level')} {named}{f': {said}' if said else ''}"


def _demonstrations(data: Mapping[str, Any], texts: Shortener) -> Iterator[tuple[str, str]]:
    demos = data.get("demos") or ()
    yield "demonstrations", str(len(demos)) if demos else "none"
    most = texts.count(len(demos), MOST_DEMOS)
    for number, demo in enumerate(demos[:most], start=1):
        lines = (f"{name}: {_value_text(value, texts)}" for name, value in demo.items())
        yield f"  {number}", "\n".join(lines)
    if most < len(demos):
        yield "", f"... and {len(demos) - most} more"
    nearest = data.get("nearest")
    if nearest:
        on = f" by {', '.join(nearest['on'])}" if nearest.get("on") else ""
        pool = len(nearest.get("examples") or ())
        yield "", f"and the {nearest.get('k')} nearest to the input{on}, of {pool}"


def _value_text(value: Any, texts: Shortener) -> str:
    if isinstance(value, str):
        return texts.cut(value, MOST_VALUE).replace("\n", "\n  ")
    if isinstance(value, list) and value and all(map(_is_call, value)):
        return "".join(f"\n  {line}" for line in _calls(value, (), texts))
    if isinstance(value, list) and value and all(map(_is_step, value)):
        return "".join(f"\n  {line}" for step in value for line in _step(step, texts))
    return texts.cut(json.dumps(value, ensure_ascii=False), MOST_VALUE)


def _is_call(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"tool", "arguments"}


def _is_step(value: Any) -> bool:
    return isinstance(value, dict) and {"thought", "tool_calls", "results"} <= value.keys()


def _step(step: Mapping[str, Any], texts: Shortener) -> Iterator[str]:
    if step["thought"]:
        yield texts.cut(str(step["thought"]), MOST_VALUE)
    yield from _calls(step["tool_calls"], step["results"], texts)


def _calls(calls: Sequence[Any], results: Sequence[Any], texts: Shortener) -> Iterator[str]:
    for number, call in enumerate(calls):
        if not _is_call(call):
            continue
        given = call["arguments"] if isinstance(call["arguments"], dict) else {}
        listed = (f"{name}={json.dumps(each, ensure_ascii=False)}" for name, each in given.items())
        back = f" -> {results[number]}" if number < len(results) else ""
        yield texts.cut(f"{call['tool']}({', '.join(listed)}){back}", MOST_VALUE)
