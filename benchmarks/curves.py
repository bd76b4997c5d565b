"""Draw accuracy against paid calls."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from benchmarks.measured import RESULTS
from optimizers.report.charts import HEIGHT, WIDTH, Axis, Plane

COLOURS = ("#2f7dd1", "#15803d", "#9333ea", "#d97706", "#dc2626", "#0891b2", "#be185d", "#65a30d")
LINE = 13  # from one line of the legend to the next
STYLE = "<style>svg{font:11px sans-serif;background:#fff}.grid{stroke:#ddd}</style>"


def format_shares(flagship: str, outcomes: Sequence[Mapping[str, Any]]) -> str:
    """For each peer, describe with what share of its calls our optimizer is as accurate.

    Args:
        flagship: Name before the cap; peers are those whose names begin with "DSPy".
        outcomes: As for :func:`curves`.
    """
    points = _average(outcomes)
    own = sorted(point for name, point in points.items() if name.startswith(f"{flagship},"))
    lines = []
    for name, (calls, accuracy) in points.items():
        if not name.startswith("DSPy"):
            continue
        reached = [paid for paid, mean in own if mean >= accuracy]
        paid, mean = max(own, key=lambda point: point[1])
        said = (
            f"{flagship} is as accurate for {reached[0]:,.0f}: {reached[0] / calls:.0%} of them"
            if reached
            else f"{flagship} reaches {mean:.3f} for {paid:,.0f}: it does NOT get there"
        )
        lines.append(f"- {name}, {accuracy:.3f} for {calls:,.0f} calls: {said}.")
    return "\n".join(lines)


def _average(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return mean calls and mean accuracy by name."""
    points = {}
    for name in dict.fromkeys(outcome["name"] for outcome in outcomes):
        some = [outcome for outcome in outcomes if outcome["name"] == name]
        calls, accuracy = (
            statistics.fmean(outcome[key] for outcome in some) for key in ("calls", "after")
        )
        points[name] = (calls, accuracy)
    return points


def _find_legend_top(places: Sequence[tuple[float, float]], height: int) -> int:
    """Return the top of the legend, at the right, where it covers the fewest points."""
    right = [y for x, y in places if x > WIDTH - 180]
    tops = range(22, HEIGHT - 45 - height, LINE)
    return min(tops, key=lambda top: sum(top - 18 <= y <= top + height for y in right))


def draw_curves(name: str, outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Draw mean accuracy by mean paid calls into an SVG file; return the Markdown that shows it.

    An outcome has "name" (an optimizer, and after a comma its cap), "calls" and "after"; the caps
    of one optimizer are joined by a line.
    """
    groups: dict[str, list[tuple[float, float]]] = {}
    for label, point in _average(outcomes).items():
        groups.setdefault(label.partition(",")[0], []).append(point)
    points = [point for line in groups.values() for point in line]
    plane = Plane(
        Axis.over([x for x, _ in points], "paid calls", from_zero=True),
        Axis.over([y for _, y in points], "accuracy"),
    )
    top = _find_legend_top([plane.place(*point) for point in points], LINE * len(groups))
    marks = []
    for number, (label, line) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        corners = " ".join(f"{x},{y}" for x, y in (plane.place(*point) for point in sorted(line)))
        marks.append(
            f"<polyline points='{corners}' fill='none' stroke='{colour}' stroke-width='2'/>"
        )
        for point in line:
            x, y = plane.place(*point)
            marks.append(f"<circle cx='{x}' cy='{y}' r='4' fill='{colour}'/>")
        marks.append(
            f"<text x='{WIDTH - 20}' y='{top + LINE * number}' text-anchor='end' "
            f"fill='{colour}'>{label}</text>"
        )
    drawn = str(plane.draw(map(Markup, marks), f"accuracy by paid calls: {name}", pixels=900))
    drawn = drawn.replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1)
    drawn = drawn.replace(">", f">{STYLE}", 1)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.svg").write_text(drawn + "\n", encoding="utf-8")
    return f"![accuracy by paid calls]({name}.svg)"
