"""A compile as one picture: its certificate, and the best score by calls. SVG, for any page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langprog.notebook import shorten
from optimizers.report import charts
from optimizers.report.rendering import render

# Characters of a line.
MOST = 95

Json = Mapping[str, Any]


def render_picture(report: Json) -> str:
    """Return the picture for the result of ``CompileReport.to_json()``; it loads nothing."""
    certificate, decisions = report["evidence"]["certificate"], report["decisions"]
    means = [
        (name, *(certificate[name][end] for end in ("mean", "low", "high")))
        for name in ("before", "after")
        if certificate[name] is not None
    ]
    markup = render(
        "picture.svg",
        title=f"Compiled with {report['evidence']['optimizer']['name']}: {certificate['verdict']}",
        reason=shorten(certificate["reason"], MOST),
        holdout=f"mean scores on {certificate['n']} holdout examples, with 95 % intervals",
        intervals=charts.draw_intervals(means) if means else "",
        chart=charts.draw_best_by_calls(_select(decisions, "best"), _select(decisions, "trial")),
        calls=f"{report['requested']['calls']:,.0f} calls",
    )
    return str(markup)


def _select(decisions: Iterable[Json], what: str) -> list[Json]:
    return [each["data"] for each in decisions if each["what"].rpartition(".")[2] == what]
