"""``langprog report``: what an artifact or a compile is, for people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from langprog.artifact import read_artifact
from langprog.cli.evidence_text import describe_evidence, describe_models, describe_origin
from langprog.cli.outputs import check_writable
from langprog.cli.program_text import describe_program
from langprog.cli.shortening import Shortener
from langprog.cli.terminal import Terminal
from langprog.errors import InputError
from optimizers.report.page import render_page
from optimizers.report.picture import render_picture
from optimizers.report.run_folder import read_report, read_run
from optimizers.report.summary import Section, render_markdown, render_sections, summarize

ENDINGS = (".html", ".htm", ".svg", ".md", ".json")


def write_report(
    source: Annotated[
        str,
        typer.Argument(help="An artifact, the run directory of a compile, or its report as JSON."),
    ],
    out: Annotated[
        str | None,
        typer.Option(help="File: .html, .svg, .md, .json; else Markdown on standard output."),
    ] = None,
) -> None:
    """Write a report of an artifact, or of a compile by its run directory.

    Of a compile that ended: certificate, prompts before and after, trials, spend. Of one that runs
    or was killed: how far it is.
    """
    ending = ".md" if out is None else Path(out).suffix
    if ending not in ENDINGS:
        raise InputError(f"--out {out}: the report is written as {', '.join(ENDINGS)}")
    target = None if out is None else check_writable(out, "--out", {"SOURCE": source})
    text = _render(Path(source), ending)
    if target is None:
        Terminal().say(text.rstrip("\n"))
        return
    target.write_text(text, encoding="utf-8")
    Terminal().say(f"report          {target}")


def _render(source: Path, ending: str) -> str:
    report: Any = read_run(source) if source.is_dir() else read_report(source)
    if isinstance(report, dict):
        if ending == ".json":
            return json.dumps(report, indent=2) + "\n"
        if ending == ".svg":
            return render_picture(report) + "\n"
        if ending != ".md":
            return render_page(report) + "\n"
        title, sections = (
            f"Compiled with {report['evidence']['optimizer']['name']}",
            summarize(report),
        )
    elif report is not None:
        title, sections = f"Compile in {source}", report
    else:
        title, sections = str(source), _describe_artifact(source)
    if ending in (".json", ".svg"):
        raise InputError(f"{source} has no report as {ending[1:]}: write .html or .md")
    return (render_markdown if ending == ".md" else render_sections)(title, sections)


def _describe_artifact(path: Path) -> list[Section]:
    artifact, texts = read_artifact(path), Shortener(full=True)
    about = [
        ("digest", artifact.digest),
        ("format", f"{artifact.format}, written by langprog {artifact.data.langprog}"),
        *(("lineage" if not number else "", line) for number, line in _number_origin(artifact)),
    ]
    listed = [
        *describe_evidence(artifact.evidence or {}, texts),
        *describe_program(artifact.data.program, texts),
        *describe_models(artifact),
    ]
    if artifact.evidence is None:
        about.append(("evidence", "none: this program was not compiled, or has changed since"))
    return [("artifact", about), *((each.title, each.rows) for each in listed)]


def _number_origin(artifact: Any) -> list[tuple[int, str]]:
    return list(enumerate(describe_origin(artifact)))
