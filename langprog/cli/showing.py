"""``langprog show``: the contents of an artifact."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from langprog.adapters import reference_of
from langprog.artifact import Artifact, read_artifact
from langprog.cli.calls import show_calls
from langprog.cli.loading import RETRIEVER_HELP, allowed_modules, read_retrievers
from langprog.cli.terminal import Terminal, json_visible, write_json
from langprog.cli.tools import MCP_HELP, TOOL_HELP, open_tools
from langprog.errors import ArtifactError, InputError, LangprogError
from langprog.lm import model_name
from langprog.modules import Module, Node, Parameter, Predict
from langprog.runtime import LOG_VARIABLE
from langprog.signature import SignatureSpec

WIDEST = 160


def show(
    artifact: Annotated[
        str, typer.Argument(help="The artifact; with --last, how many calls.", show_default=False)
    ] = "",
    last: Annotated[
        bool, typer.Option("--last", help="The last model and tool calls of a log.")
    ] = False,
    log: Annotated[
        str | None, typer.Option(help="The log of --last; $LANGPROG_LOG by default.")
    ] = None,
    allow: Annotated[
        list[str] | None, typer.Option(help="Module that may be imported for the artifact.")
    ] = None,
    retriever: Annotated[list[str] | None, typer.Option(help=RETRIEVER_HELP)] = None,
    tool: Annotated[list[str] | None, typer.Option(help=TOOL_HELP)] = None,
    mcp: Annotated[list[str] | None, typer.Option(help=MCP_HELP)] = None,
    json_: Annotated[bool, typer.Option("--json", help="The whole file as JSON.")] = False,
) -> None:
    """Show the program, its prompts, its models and the evidence for it.

    With --last [N]: the last N calls of the log of a process that ran with LANGPROG_LOG=FILE.
    """
    if last:
        show_calls(artifact or "1", log or os.environ.get(LOG_VARIABLE, ""), as_json=json_)
        return
    if not artifact:
        raise InputError("name an artifact, or use --last for the last calls of a log")
    loaded = read_artifact(artifact)
    if json_:
        write_json(loaded.data.model_dump(mode="json", by_alias=True))
        return
    retrievers = read_retrievers(retriever or [])
    terminal = Terminal()
    terminal.say(f"{loaded.path}  {loaded.digest}")
    terminal.say(f"format {loaded.format}, written by langprog {loaded.data.langprog}")
    try:
        with open_tools(tool, mcp) as tools:
            program = loaded.program(
                allow_modules=allowed_modules(allow), retrievers=retrievers, tools=tools
            )
            _show_program(terminal, program)
    except ArtifactError as error:
        terminal.say(f"\n{error}")
        _show_data(terminal, loaded.data.program, "")
    _show_lineage(terminal, loaded)
    _show_evidence(terminal, loaded)


def _show_program(terminal: Terminal, program: Module) -> None:
    predictors = program.predictors()
    for path, module in program.named_modules().items():
        own = module.own_parameters()
        if not own:
            continue
        terminal.say()
        terminal.say(path, bold=True)
        if path in predictors:
            _show_predictor(terminal, predictors[path])
        else:
            terminal.pairs({"kind": type(module).__name__, **_parameter_lines(own)}.items())


def _show_data(terminal: Terminal, node: Node, path: str) -> None:
    """Show what the file says of a program whose code is not at hand."""
    data = node.model_dump(mode="json", by_alias=True)
    signature = _read_signature(data.get("signature"))
    if signature is not None:
        listed = {
            "fields": f"{', '.join(signature.inputs)} -> {', '.join(signature.outputs)}",
            "instruction": signature.instruction,
            "model": data.get("model") or "(the ambient one)",
            "adapter": data.get("adapter") or "(the ambient one)",
            "demonstrations": str(len(data.get("demos") or ())),
        }
        listed |= {f"tool {each['name']}": each["description"] for each in data.get("tools") or ()}
        for number, each in enumerate(data.get("checks") or (), 1):
            name = each.get("name") or f"{each['kind']}({each.get('field', '')})"
            listed[f"check {number}"] = f"{each['level']} {name}"
        terminal.say()
        terminal.say(path or data["module"], bold=True)
        terminal.pairs(listed.items())
    for name, child in node.children().items():
        _show_data(terminal, child, f"{path}.{name}" if path else name)


def _read_signature(data: Any) -> SignatureSpec | None:
    try:
        return SignatureSpec.from_json(data)
    except (KeyError, TypeError, AttributeError, ValueError, LangprogError):
        return None  # no predictor, or no signature that could be loaded either


def _parameter_lines(own: Mapping[str, Parameter]) -> dict[str, str]:
    """Return one line per parameter; long ones (routers, learned signals) are cut off."""
    lines = {name: json.dumps(parameter.value, default=str) for name, parameter in own.items()}
    return {
        name: line if len(line) <= WIDEST else f"{line[:WIDEST]} ..."
        for name, line in lines.items()
    }


def _show_predictor(terminal: Terminal, predictor: Predict) -> None:
    signature = predictor.signature
    demos = {
        f"demo {index}": ", ".join(f"{name}={value!r}" for name, value in demo.items())
        for index, demo in enumerate(predictor.demos, start=1)
    }
    if predictor.nearest is not None:
        demos["nearest"] = repr(predictor.nearest)
    checks = {f"check {index}": str(check) for index, check in enumerate(predictor.checks, 1)}
    if checks:
        checks["asked again"] = f"up to {predictor.reasks} times where a check fails"
    values = {
        "fields": f"{', '.join(signature.inputs)} -> {', '.join(signature.outputs)}",
        "instruction": signature.instruction,
        "model": model_name(predictor.model) or "(the ambient one)",
        "adapter": reference_of(predictor.adapter or "(the ambient one)"),
    }
    terminal.pairs({**values, **checks, **demos}.items())


def _show_lineage(terminal: Terminal, artifact: Artifact) -> None:
    lineage, compiles = artifact.data.lineage, artifact.data.compiles
    if not lineage and not compiles:
        return
    terminal.say()
    terminal.say("lineage", bold=True)
    for parent in lineage:
        by = f" by {parent.optimizer}" if parent.optimizer else ""
        terminal.say(f"{parent.how}{by} from {parent.digest}")
    for record in compiles:
        rows = (("train", record.train), ("validation", record.validation))
        used = ", ".join(f"{len(part.split())} {name}" for name, part in rows)
        tried = record.attempt
        tested = len(record.holdout.split())
        seen = "" if tried is None else f", {tested} holdout (attempt {tried.number})"
        terminal.say(f"{record.optimizer} has used {used}{seen}")


def _show_port(terminal: Terminal, port: Any) -> None:
    """Show what a port to another model has shown."""
    if not isinstance(port, dict):
        return
    terminal.say("port", bold=True)
    for old, new in (port.get("replaced") or {}).items():
        terminal.say(f"{old} -> {new}")
    terminal.say(f"{port.get('outcome')}: {port.get('reason')}")
    for text in port.get("refused") or ():
        terminal.say(str(text))


def _show_evidence(terminal: Terminal, artifact: Artifact) -> None:
    evidence = artifact.evidence
    terminal.say()
    if evidence is None:
        lineage = artifact.data.lineage
        if lineage and lineage[0].how == "edited":
            terminal.say(f"edited, certificate void: that of {lineage[0].digest} does not hold")
            return
        terminal.say("no evidence: this program was not compiled, or has changed since")
        return
    _show_port(terminal, evidence.get("port"))
    certificate: dict[str, Any] = evidence.get("certificate") or {}
    if certificate:
        terminal.say("certificate", bold=True)
        verdict, reason = certificate.get("verdict", "none"), certificate.get("reason", "")
        terminal.say(f"{verdict}: {reason}")
    before, after = certificate.get("before"), certificate.get("after")
    if before and after:
        terminal.say(
            f"holdout {before['mean']:.3f} -> {after['mean']:.3f}, difference "
            f"{certificate['difference']:+.3f} [{certificate['low']:+.3f}, "
            f"{certificate['high']:+.3f}], p = {certificate['p_value']:.2g}, "
            f"n = {certificate['n']}"
        )
    for name in ("optimizer", "metric", "data", "spend"):
        if name in evidence:
            text = json_visible(evidence[name])
            terminal.say(f"{name:<10} {text}")
