"""Compare compiles with and without pruning: accuracy, length of the prompts, paid calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measured import table, with_interval
from benchmarks.surface.jobs import Job

CAPS = (600, 1000, 1780, 4000)
PIECE = "pruning"


def list_pairs(seeds: Sequence[int]) -> list[tuple[Job, Job]]:
    """List each compile with and without pruning, seed by seed."""
    return [
        (Job(seed, modules, "Compiler", cap), Job(seed, modules, "Compiler", cap, PIECE))
        for seed in seeds
        for modules in (1, 2)
        for cap in CAPS
    ]


def format_pairs(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str:
    """Return the table: one row for each program and cap, one for all of them.

    Args:
        pairs: Outcomes of compiles with and without pruning.
    """
    rows: list[tuple[str, ...]] = [
        (
            "program, cap",
            "true accuracy",
            "without pruning",
            "difference",
            "prompt tokens",
            "without pruning",
            "paid calls",
            "without pruning",
            "changes taken out",
        )
    ]
    groups: dict[tuple[int, str], list[tuple[Mapping[str, Any], Mapping[str, Any]]]] = {}
    for pair in pairs:
        groups.setdefault((pair[0]["modules"], pair[0]["name"]), []).append(pair)
    for (modules, name), some in groups.items():
        title = f"{modules} module{'s' * (modules > 1)}, {name.partition(', ')[2]}"
        rows.append(_format_row(title, some))
    rows.append(_format_row("all", pairs))
    return table(rows)


def _format_row(
    title: str, pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]
) -> tuple[str, ...]:
    tried = sum(len(pruned["parts"]) for pruned, _ in pairs)
    gone = sum(not kept for pruned, _ in pairs for _, kept in pruned["parts"])
    return (
        title,
        with_interval([pruned["candidate"] for pruned, _ in pairs]),
        with_interval([whole["candidate"] for _, whole in pairs]),
        with_interval(
            [pruned["candidate"] - whole["candidate"] for pruned, whole in pairs], "+.4f"
        ),
        with_interval([pruned["tokens"] for pruned, _ in pairs], ",.0f"),
        with_interval([whole["tokens"] for _, whole in pairs], ",.0f"),
        with_interval([pruned["calls"] for pruned, _ in pairs], ",.0f"),
        with_interval([whole["calls"] for _, whole in pairs], ",.0f"),
        f"{gone} of {tried} tested",
    )
