"""A report in sections of names and texts: as Markdown, or as a page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.report.page import (
    Json,
    compare_prompts,
    describe_certificate,
    list_facts,
    list_spend,
    select_decisions,
)
from optimizers.report.rendering import content_hash, read_asset, render

# A title, and rows: a name, empty for further lines of the same, and a text.
Section = tuple[str, Sequence[tuple[str, str]]]
# Trials that a summary has, the best first.
MOST_TRIALS = 20
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")


def summarize(report: Json) -> list[Section]:
    """Return what matters in the result of ``CompileReport.to_json()``."""
    card = describe_certificate(report["evidence"]["certificate"])
    certificate = [("verdict", f"{card['verdict']}: {card['reason']}"), *card["facts"]]
    spend = [
        (name, f"{calls:,.0f} calls, {tokens:,.0f} tokens, dollars {dollars}")
        for name, calls, tokens, dollars in list_spend(report)["rows"]
    ]
    notes = [("warning" if note["warning"] else "", note["text"]) for note in report["notes"]]
    failures = [
        (each["kind"], f"{each['count']:,}: {each['first']}") for each in report["failures"]
    ]
    prompts = [
        (f"prompt of {each['path']}", _prompt_rows(each, report["prompts"]["after"][each["path"]]))
        for each in compare_prompts(report["prompts"])
    ]
    sections: list[Section] = [
        ("compile", list_facts(report)),
        ("certificate", certificate),
        ("spend", spend),
        ("failed runs", failures),
        *prompts,
        ("trials", describe_trials(select_decisions(report["decisions"], "trial"))),
        ("notes", notes),
    ]
    return [(title, rows) for title, rows in sections if rows]


def describe_trials(trials: Sequence[Json]) -> list[tuple[str, str]]:
    """Return the best candidates that were tried, with their scores."""
    best = sorted(trials, key=lambda trial: -trial["mean"])[:MOST_TRIALS]
    return [
        (
            trial["label"],
            f"{trial['mean']:.3f} [{trial['low']:.3f}, {trial['high']:.3f}] on {trial['n']}",
        )
        for trial in best
    ]


def _prompt_rows(compared: Json, after: Json) -> list[tuple[str, str]]:
    return [("", compared["facts"]), ("instruction", after["instruction"] or "(none)")]


def render_sections(title: str, sections: Sequence[Section]) -> str:
    """Return a page that needs nothing else; all texts are shown as they are."""
    style = read_asset("report.css")
    values: Mapping[str, Any] = {"style": style, "style_hash": content_hash(style)}
    return str(render("sections.html", title=title, sections=sections, **values))


def render_markdown(title: str, sections: Sequence[Section]) -> str:
    """Return sections as Markdown; what a model or a user wrote cannot change its form."""
    lines = [f"# {_escape(title)}"]
    for heading, rows in sections:
        lines += ["", f"## {_escape(heading)}", ""]
        for name, text in rows:
            label = f"**{_escape(name)}**: " if name else ""
            first, *more = _escape(text).splitlines() or [""]
            lines += [f"- {label}{first}", *(f"  {line}" for line in more)]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
