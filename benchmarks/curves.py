"""Accuracy against paid calls as a picture beside the results."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measured import RESULTS
from optimizers.page.charts import Axis, Plane

COLOURS = ("#2f7dd1", "#15803d", "#9333ea", "#d97706", "#dc2626", "#0891b2", "#be185d", "#65a30d")
STYLE = "<style>svg{font:11px sans-serif;background:#fff}.grid{stroke:#ddd}</style>"


def curves(name: str, outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Draw mean accuracy by mean paid calls into an SVG file; return the Markdown that shows it.

    An outcome has "name" (an optimizer, and after a comma its cap), "calls" and "after"; the caps
    of one optimizer are joined by a line.
    """
    groups: dict[str, list[tuple[float, float]]] = {}
    for one in dict.fromkeys(outcome["name"] for outcome in outcomes):
        some = [outcome for outcome in outcomes if outcome["name"] == one]
        x, y = (statistics.fmean(outcome[key] for outcome in some) for key in ("calls", "after"))
        groups.setdefault(one.partition(",")[0], []).append((x, y))
    points = [point for line in groups.values() for point in line]
    plane = Plane(
        Axis.over([x for x, _ in points], "paid calls", from_zero=True),
        Axis.over([y for _, y in points], "accuracy"),
    )
    marks = []
    for number, (one, line) in enumerate(groups.items()):
        colour = COLOURS[number % len(COLOURS)]
        marks.append(
            f"<polyline points='{plane.path(sorted(line))}' fill='none' stroke='{colour}' "
            "stroke-width='2'/>"
        )
        for point in line:
            x, y = plane.place(*point)
            marks.append(f"<circle cx='{x}' cy='{y}' r='4' fill='{colour}'/>")
        # The legend stands where no curve is: few calls with a high accuracy are rare.
        marks.append(f"<text x='70' y='{24 + 15 * number}' fill='{colour}'>{one}</text>")
    drawn = plane.drawn(marks, f"accuracy by paid calls: {name}")
    drawn = drawn.replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1)
    drawn = drawn.replace("aria-label", "width='900' aria-label", 1).replace(">", f">{STYLE}", 1)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.svg").write_text(drawn + "\n", encoding="utf-8")
    return f"![accuracy by paid calls]({name}.svg)"
