"""The page of the comparison: rows that were measured now, and rows that it had before."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.curves import draw_curves, format_shares
from benchmarks.measured import RESULTS, machine, table, versions, with_interval

HEAD = (
    "optimizer",
    "paid calls",
    "true accuracy",
    "of its best candidate",
    "worse than before",
    "prompt tokens",
    "seeds",
)
Rows = dict[str, tuple[str, ...]]


def format_row(name: str, outcomes: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the row of an optimizer with a cap, from its outcomes on one program."""
    # Two measurements of one program differ by noise; "worse" means worse by more than that.
    worse = sum(outcome["after"] < outcome["before"] - 0.03 for outcome in outcomes)
    tokens = [outcome["tokens"] for outcome in outcomes if "tokens" in outcome]
    return (
        name,
        f"{statistics.fmean(outcome['calls'] for outcome in outcomes):,.0f}",
        with_interval([outcome["after"] for outcome in outcomes]),
        with_interval([outcome["candidate"] for outcome in outcomes]),
        f"{worse} of {len(outcomes)}",
        f"{statistics.fmean(tokens):,.0f}" if tokens else "",
        str(len(outcomes)),
    )


def read_rows(modules: int) -> Rows:
    """Return the rows of the published page for a program, by their first cell."""
    path = RESULTS / "surface.md"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    _, _, section = text.partition(f"## {modules} module")
    rows: Rows = {}
    for line in section.partition("\n## ")[0].splitlines():
        cells = tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        if line.startswith("| ") and not set(cells[0]) <= {"-"} and cells[0] != HEAD[0]:
            seeds = cells[4].rpartition(" ")[2]
            rows[cells[0]] = cells if len(cells) == len(HEAD) else (*cells, "", seeds)
    return rows


def format_program(outcomes: Sequence[Mapping[str, Any]], modules: int) -> str:
    """Return the table, the shares and the picture of a program.

    Args:
        outcomes: Outcomes on this program; what they do not cover is as it was published.
        modules: Modules of the program.
    """
    rows = read_rows(modules)
    for name in dict.fromkeys(outcome["name"] for outcome in outcomes):
        rows[name] = format_row(name, [each for each in outcomes if each["name"] == name])
    points = [
        {
            "name": name,
            "calls": float(cells[1].replace(",", "")),
            "after": float(cells[2].split()[0]),
        }
        for name, cells in rows.items()
    ]
    before = with_interval([outcome["before"] for outcome in outcomes])
    return "\n\n".join(
        (
            f"## {modules} module{'s' * (modules > 1)}; uncompiled {before}",
            table([HEAD, *rows.values()]),
            format_shares("Compiler", points),
            draw_curves(f"surface-{modules}", points),
        )
    )


def format_page(
    outcomes: Sequence[Mapping[str, Any]], seeds: range, only: str = "", caps: str = ""
) -> str:
    """Return the page.

    Args:
        outcomes: Outcomes of both programs.
        seeds: The seeds that were measured now.
        only: The optimizers that were measured now, with commas; empty for all.
        caps: Their caps, with commas; empty for all.
    """
    options = (f" --only {only}" if only else "") + (f" --caps {caps}" if caps else "")
    measured = only.replace(",", " and ") or "all optimizers"
    measured += f" at {caps.replace(',', ', ')} calls" if caps else ""
    kept = (
        f" This command measured {measured}. All other rows are kept from before: the surface and "
        "the peers are the same since then; langprog's own members in them are those of that time."
        if options
        else ""
    )
    head = (
        "# Optimizers on the response surface\n\n"
        "**Simulated** (`benchmarks/surface`): no figure here is about a real model. "
        f"`python -m benchmarks.surface{options} --seeds {len(seeds)} --first {seeds[0]}`; "
        f"{machine()}; {versions('langprog', 'dspy', 'gepa', 'optuna')}; 600 fresh items each for "
        "the truth; 95 % bootstrap intervals over seeds. All have 400 labelled items; ours keep "
        "100 of them for the certificate, whose calls are among the paid ones, and ship the "
        "program as it was where no gain is certified. Prompt tokens are those of all modules "
        f"of the best candidate.{kept}"
    )
    parts = [
        format_program([each for each in outcomes if each["modules"] == modules], modules)
        for modules in (1, 2)
    ]
    return "\n\n".join((head, *parts))
