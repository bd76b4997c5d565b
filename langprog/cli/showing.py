"""``langprog show``: what is in an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from langprog.adapters import reference_of
from langprog.artifact import Artifact, read_artifact
from langprog.errors import ArtifactError
from langprog.modules import Module, Parameter, Predict

WIDEST = 160


def show(
    artifact: Annotated[str, typer.Argument(help="The artifact.")],
    json_: Annotated[bool, typer.Option("--json", help="The whole file as JSON.")] = False,
) -> None:
    """Show the program, its prompts, its models and the evidence for it."""
    found = read_artifact(artifact)
    if json_:
        text = found.data.model_dump_json(by_alias=True)
        print(text)  # noqa: T201 - this is the output
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{found.path}  {found.digest}", markup=False)
    console.print(f"format {found.data.format}, written by langprog {found.data.langprog}")
    try:
        _show_program(console, found.program())
    except ArtifactError as error:
        console.print(f"\n{error}", markup=False)
    _show_evidence(console, found)


def _show_program(console: Console, program: Module) -> None:
    for path, module in program.named_modules().items():
        own = module.own_parameters()
        if not own:
            continue
        console.print()
        console.print(Text(path, style="bold"))
        if isinstance(module, Predict):
            _show_predictor(console, module)
        else:
            console.print(_rows({"kind": type(module).__name__, **_said(own)}))


def _said(own: Mapping[str, Parameter]) -> dict[str, str]:
    """Return parameters in a line each; a router or a learned signal is cut off."""
    lines = {name: json.dumps(one.value, default=str) for name, one in own.items()}
    return {
        name: line if len(line) <= WIDEST else f"{line[:WIDEST]} ..."
        for name, line in lines.items()
    }


def _rows(values: Mapping[str, str]) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in values.items():
        table.add_row(name, Text(value))
    return table


def _show_predictor(console: Console, predictor: Predict) -> None:
    signature = predictor.signature
    demos = {
        f"demo {index}": ", ".join(f"{name}={value!r}" for name, value in demo.items())
        for index, demo in enumerate(predictor.demos, start=1)
    }
    values = {
        "fields": f"{', '.join(signature.inputs)} -> {', '.join(signature.outputs)}",
        "instruction": signature.instruction,
        "model": predictor.model or "(the ambient one)",
        "adapter": reference_of(predictor.adapter or "(the ambient one)"),
    }
    console.print(_rows({**values, **demos}))


def _show_evidence(console: Console, artifact: Artifact) -> None:
    evidence = artifact.evidence
    console.print()
    if evidence is None:
        console.print("no evidence: this program was saved without a compile")
        return
    certificate: dict[str, Any] = evidence.get("certificate") or {}
    console.print(Text("certificate", style="bold"))
    verdict, reason = certificate.get("verdict", "none"), certificate.get("reason", "")
    console.print(f"{verdict}: {reason}", markup=False)
    before, after = certificate.get("before"), certificate.get("after")
    if before and after:
        console.print(
            f"holdout {before['mean']:.3f} -> {after['mean']:.3f}, difference "
            f"{certificate['difference']:+.3f} [{certificate['low']:+.3f}, "
            f"{certificate['high']:+.3f}], p = {certificate['p_value']:.2g}, "
            f"n = {certificate['n']}",
            markup=False,
        )
    for name in ("optimizer", "metric", "data", "spend"):
        if name in evidence:
            text = json.dumps(evidence[name], ensure_ascii=False)
            console.print(f"{name:<10} {text}", markup=False)
