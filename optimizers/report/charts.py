"""Charts as inline SVG, without script or network; every interval is drawn.

The geometry is here, the markup in ``templates/*.svg``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optimizers.report.rendering import render

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 40
# Intervals are drawn narrower, so that their numbers are legible on a phone.
NARROW, FIGURES = 440, 190
TICKS = 5

Trial = Mapping[str, Any]
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values along one side of a chart."""

    low: float
    high: float
    label: str

    @classmethod
    def over(cls, values: Iterable[float], label: str, *, from_zero: bool = False) -> Axis:
        """Return an axis that covers ``values`` with a margin."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(finite), max(finite)
        if from_zero:
            low = min(0.0, low)
        size = max(abs(low), abs(high))
        # Values that differ only by rounding errors count as equal: no tick fits between them.
        margin = 0.05 * (high - low) if high - low > 1e-9 * size else 0.5 * size or 0.5
        return cls(low if from_zero else low - margin, high + margin, label)

    def ticks(self) -> list[float]:
        """Return a handful of round values within the range."""
        rough = (self.high - self.low) / TICKS
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
        first = math.ceil(self.low / step)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def at(self, value: float, start: float, end: float) -> float:
        """Return where ``value`` lies between two positions on the screen."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return start + min(1.0, max(0.0, share)) * (end - start)


@dataclass(frozen=True, slots=True)
class Mark:
    """A shape in a chart.

    Args:
        kind: ``line``, ``band``, ``dot`` or ``whisker``, as in ``plane.svg``.
        points: Its corners on the screen.
        style: Classes of the style sheet.
        text: Tooltip of a dot.
    """

    kind: str
    points: tuple[Point, ...]
    style: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Plane:
    """Two axes, which place values on the screen."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> Point:
        """Return the position of a point on the screen."""
        across = self.x.at(x, LEFT, WIDTH - RIGHT)
        return round(across, 1), round(self.y.at(y, HEIGHT - BOTTOM, TOP), 1)

    def mark(self, kind: str, points: Iterable[Point], style: str = "", text: str = "") -> Mark:
        """Return a shape with its corners given as values."""
        return Mark(kind, tuple(self.place(x, y) for x, y in points), style, text)

    def draw(
        self, marks: Iterable[Mark | str], title: str, *, pixels: int | None = None
    ) -> Markup:
        """Return the chart with its axes.

        Args:
            marks: Shapes, and markup that is included unchanged (``markupsafe.Markup``).
            title: Title for screen readers.
            pixels: Width; by default all available space.
        """
        x_ticks = [(self.place(value, self.y.low)[0], _round(value)) for value in self.x.ticks()]
        y_ticks = [(self.place(self.x.low, value)[1], _round(value)) for value in self.y.ticks()]
        return render(
            "plane.svg",
            title=title,
            pixels=pixels,
            x_label=self.x.label,
            y_label=self.y.label,
            x_ticks=x_ticks,
            y_ticks=y_ticks,
            left=LEFT,
            right=WIDTH - RIGHT,
            top=TOP,
            bottom=HEIGHT - BOTTOM,
            width=WIDTH,
            height=HEIGHT,
            marks=list(marks),
        )


def draw_best_by_calls(bests: Sequence[Trial], trials: Sequence[Trial]) -> str:
    """Return the best mean so far against the calls requested, with its interval as a band."""
    points = [trial for trial in bests if "calls" in trial]
    if not points:
        return ""
    tried = [trial for trial in trials if "calls" in trial]
    end = max(trial["calls"] for trial in (*points, *tried))
    values = [trial[name] for trial in points for name in ("low", "high")]
    plane = Plane(
        Axis.over([0, end], "calls requested", from_zero=True),
        Axis.over([*values, *(trial["mean"] for trial in tried)], "mean score"),
    )
    steps = [*points, {**points[-1], "calls": end}]
    upper = _stairs([(trial["calls"], trial["high"]) for trial in steps])
    lower = _stairs([(trial["calls"], trial["low"]) for trial in steps])
    line = _stairs([(trial["calls"], trial["mean"]) for trial in steps])
    marks = [
        plane.mark("band", [*upper, *reversed(lower)]),
        *(_dot(plane, trial["calls"], trial, "weak") for trial in tried),
        plane.mark("line", line),
        *(_dot(plane, trial["calls"], trial, "") for trial in points),
    ]
    return plane.draw(marks, "best score by calls")


def draw_race(trials: Sequence[Trial], winner: str) -> str:
    """Return each candidate's mean against the number of examples it was scored on.

    The winner is highlighted and drawn with its interval.
    """
    lanes: dict[str, list[Trial]] = {}
    for trial in trials:
        lanes.setdefault(trial["digest"], []).append(trial)
    if not lanes:
        return ""
    winning = lanes.get(winner, [])
    ends = [trial[name] for trial in winning for name in ("low", "high")]
    plane = Plane(
        Axis.over([trial["n"] for trial in trials], "validation examples scored", from_zero=True),
        Axis.over([*ends, *(trial["mean"] for trial in trials)], "mean score"),
    )
    marks = []
    for digest in sorted(lanes, key=lambda digest: digest == winner):
        lane = sorted(lanes[digest], key=lambda trial: trial["n"])
        style = "best" if digest == winner else "weak"
        points = [(trial["n"], trial["mean"]) for trial in lane]
        if len(points) > 1:
            marks.append(plane.mark("line", points, style))
        if digest == winner:
            marks += [_whisker(plane, trial["n"], trial, style) for trial in lane]
        marks.append(_dot(plane, lane[-1]["n"], lane[-1], style))
    return plane.draw(marks, "race of the candidates")


def draw_front(trials: Sequence[Trial], winner: str) -> str:
    """Return quality against the price of a query, with the Pareto front as a line."""
    latest = {trial["digest"]: trial for trial in sorted(trials, key=lambda trial: trial["n"])}
    known = [trial for trial in latest.values() if trial.get("cost")]
    if not known:
        return ""
    priced = any(trial["cost"]["dollars"] for trial in known)
    name, label = (
        ("dollars", "dollars per 1,000 queries") if priced else ("tokens", "tokens per query")
    )
    factor = 1000.0 if priced else 1.0
    points = [(factor * trial["cost"][name], trial["mean"], trial) for trial in known]
    # A mean over a few examples is unreliable; the front uses those scored on the most.
    most = max(trial["n"] for trial in known)
    sure = [(x, y, trial) for x, y, trial in points if trial["n"] == most]
    edge: list[tuple[float, float, Trial]] = []
    for x, y, trial in sorted(sure, key=lambda point: (point[0], -point[1])):
        if not edge or y > edge[-1][1]:
            edge.append((x, y, trial))
    ends = [trial[end] for _, _, trial in edge for end in ("low", "high")]
    plane = Plane(
        Axis.over([x for x, _, _ in points], label, from_zero=True),
        Axis.over([*ends, *(y for _, y, _ in points)], "mean score"),
    )
    # Extended to the axis and to the right, so that even a front of one point is a line.
    first, last = edge[0], edge[-1]
    line = [(first[0], plane.y.low), *((x, y) for x, y, _ in edge), (plane.x.high, last[1])]
    marks = [plane.mark("line", _stairs(line))]
    marks += [_whisker(plane, x, trial, _style(trial, winner)) for x, _, trial in edge]
    marks += [_dot(plane, x, trial, _style(trial, winner)) for x, _, trial in points]
    return plane.draw(marks, "cost and quality")


def draw_intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Return means with their intervals, one above the other, each also as numbers.

    Args:
        rows: Name, mean, and the bounds of the interval.
    """
    axis = Axis.over([value for _, *values in rows for value in values], "")
    placed = []
    for name, mean, low, high in rows:
        ends = [round(axis.at(value, 70, NARROW - FIGURES - 14), 1) for value in (low, mean, high)]
        placed.append((name, *ends, f"{mean:.3f} [{low:.3f}, {high:.3f}]"))
    return render("intervals.svg", rows=placed, width=NARROW, figures=NARROW - FIGURES)


def draw_bars(shares: Sequence[tuple[str, float]]) -> str:
    """Return shares of 1 as horizontal bars."""
    placed = [
        (name, round(max(1.0, share * (WIDTH - 290)), 1), f"{share:.0%}") for name, share in shares
    ]
    return render("bars.svg", rows=placed, width=WIDTH)


def _stairs(points: Sequence[Point]) -> list[Point]:
    """Return a line that keeps each value up to the next point."""
    corners: list[Point] = []
    for x, y in points:
        if corners:
            corners.append((x, corners[-1][1]))
        corners.append((x, y))
    return corners


def _dot(plane: Plane, x: float, trial: Trial, style: str) -> Mark:
    return plane.mark("dot", [(x, trial["mean"])], style, _describe(trial))


def _whisker(plane: Plane, x: float, trial: Trial, style: str) -> Mark:
    return plane.mark("whisker", [(x, trial["low"]), (x, trial["high"])], style)


def _style(trial: Trial, winner: str) -> str:
    return "best" if trial["digest"] == winner else "weak"


def _describe(trial: Trial) -> str:
    interval = f"{trial['mean']:.3f} [{trial['low']:.3f}, {trial['high']:.3f}]"
    return f"{trial['label']}: {interval} on {trial['n']} examples"


def _round(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
