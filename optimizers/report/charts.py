"""Charts as inline SVG: no script, no network; every mark says what it is when pointed at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

WIDTH, HEIGHT = 640, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 40
TICKS = 5

Trial = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values along one side of a chart."""

    low: float
    high: float
    label: str

    @classmethod
    def over(cls, values: Iterable[float], label: str, *, from_zero: bool = False) -> Axis:
        """Return an axis that holds ``values`` with a little room."""
        found = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = min(found), max(found)
        if from_zero:
            low = min(0.0, low)
        size = max(abs(low), abs(high))
        # Values that differ in their last digits alone are one: no tick lies between them.
        room = 0.05 * (high - low) if high - low > 1e-9 * size else 0.5 * size or 0.5
        return cls(low if from_zero else low - room, high + room, label)

    def ticks(self) -> list[float]:
        """Return a handful of round values within the range."""
        rough = (self.high - self.low) / TICKS
        size = 10 ** math.floor(math.log10(rough))
        step = next(size * one for one in (1, 2, 2.5, 5, 10) if size * one >= rough)
        first = math.ceil(self.low / step)
        return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def at(self, value: float, start: float, end: float) -> float:
        """Return where ``value`` lies between two places on the screen."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return start + min(1.0, max(0.0, share)) * (end - start)


@dataclass(frozen=True, slots=True)
class Plane:
    """Two axes; turns values into places and draws the frame."""

    x: Axis
    y: Axis

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Return a point on the screen."""
        across = self.x.at(x, LEFT, WIDTH - RIGHT)
        return round(across, 1), round(self.y.at(y, HEIGHT - BOTTOM, TOP), 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        """Return the corners of a line through ``points``."""
        return " ".join(f"{x},{y}" for x, y in (self.place(*point) for point in points))

    def drawn(self, marks: Iterable[str], title: str) -> str:
        """Return the chart with its axes."""
        parts = []
        for value in self.y.ticks():
            _, y = self.place(self.x.low, value)
            parts.append(
                f"<line class='grid' x1='{LEFT}' x2='{WIDTH - RIGHT}' y1='{y}' y2='{y}'/>"
                f"<text x='{LEFT - 6}' y='{y + 4}' text-anchor='end'>{_short(value)}</text>"
            )
        for value in self.x.ticks():
            x, _ = self.place(value, self.y.low)
            parts.append(
                f"<text x='{x}' y='{HEIGHT - BOTTOM + 16}' text-anchor='middle'>{_short(value)}"
                "</text>"
            )
        middle = (LEFT + WIDTH - RIGHT) / 2
        parts.append(
            f"<text x='{middle}' y='{HEIGHT - 6}' text-anchor='middle' class='axis'>"
            f"{escape(self.x.label)}</text>"
            f"<text x='12' y='{(TOP + HEIGHT - BOTTOM) / 2}' class='axis' text-anchor='middle' "
            f"transform='rotate(-90 12 {(TOP + HEIGHT - BOTTOM) / 2})'>{escape(self.y.label)}"
            "</text>"
        )
        return (
            f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(title)}'>"
            f"{''.join(parts)}{''.join(marks)}</svg>"
        )


def best_by_calls(bests: Sequence[Trial], trials: Sequence[Trial]) -> str:
    """Return the best mean so far against the calls asked for, with its interval as a band."""
    points = [one for one in bests if "calls" in one]
    if not points:
        return ""
    tried = [one for one in trials if "calls" in one]
    end = max(one["calls"] for one in (*points, *tried))
    values = [one[name] for one in points for name in ("low", "high")]
    plane = Plane(
        Axis.over([0, end], "calls asked for", from_zero=True),
        Axis.over([*values, *(one["mean"] for one in tried)], "mean score"),
    )
    steps = [*points, {**points[-1], "calls": end}]
    upper = _stairs([(one["calls"], one["high"]) for one in steps])
    lower = _stairs([(one["calls"], one["low"]) for one in steps])
    line = _stairs([(one["calls"], one["mean"]) for one in steps])
    marks = [
        f"<polygon class='band' points='{plane.path([*upper, *reversed(lower)])}'/>",
        *(_dot(plane, one["calls"], one["mean"], _said(one), "dot weak") for one in tried),
        f"<polyline class='line mark' points='{plane.path(line)}'/>",
        *(_dot(plane, one["calls"], one["mean"], _said(one), "dot mark") for one in points),
    ]
    return plane.drawn(marks, "best score by calls")


def race(trials: Sequence[Trial], winner: str) -> str:
    """Return every candidate's mean against the examples that it met; the winner stands out."""
    lanes: dict[str, list[Trial]] = {}
    for one in trials:
        lanes.setdefault(one["digest"], []).append(one)
    if not lanes:
        return ""
    plane = Plane(
        Axis.over([one["n"] for one in trials], "validation examples met", from_zero=True),
        Axis.over([one["mean"] for one in trials], "mean score"),
    )
    marks = []
    for digest in sorted(lanes, key=lambda one: one == winner):
        lane = sorted(lanes[digest], key=lambda one: one["n"])
        style = "best" if digest == winner else "weak"
        points = [(one["n"], one["mean"]) for one in lane]
        if len(points) > 1:
            marks.append(f"<polyline class='line mark {style}' points='{plane.path(points)}'/>")
        last = lane[-1]
        marks.append(_dot(plane, last["n"], last["mean"], _said(last), f"dot mark {style}"))
    return plane.drawn(marks, "race of the candidates")


def front(trials: Sequence[Trial], winner: str) -> str:
    """Return quality against the price of a query; the line joins what nothing else beats."""
    latest = {one["digest"]: one for one in sorted(trials, key=lambda one: one["n"])}
    known = [one for one in latest.values() if one.get("cost")]
    if not known:
        return ""
    priced = any(one["cost"]["dollars"] for one in known)
    name, label = (
        ("dollars", "dollars per 1,000 queries") if priced else ("tokens", "tokens a query")
    )
    factor = 1000.0 if priced else 1.0
    points = [(factor * one["cost"][name], one["mean"], one) for one in known]
    plane = Plane(
        Axis.over([x for x, _, _ in points], label, from_zero=True),
        Axis.over([y for _, y, _ in points], "mean score"),
    )
    # A mean over a few examples may lie anywhere; the line joins those that met the most.
    most = max(one["n"] for one in known)
    sure = [(x, y) for x, y, one in points if one["n"] == most]
    edge: list[tuple[float, float]] = []
    for x, y in sorted(sure, key=lambda point: (point[0], -point[1])):
        if not edge or y > edge[-1][1]:
            edge.append((x, y))
    marks = [f"<polyline class='line mark' points='{plane.path(_stairs(edge))}'/>"]
    marks += [
        _dot(plane, x, y, _said(one), f"dot mark {'best' if one['digest'] == winner else 'weak'}")
        for x, y, one in points
    ]
    return plane.drawn(marks, "cost and quality")


def intervals(rows: Sequence[tuple[str, float, float, float]]) -> str:
    """Return means with their intervals, one above the other: (name, mean, low, high)."""
    axis = Axis.over([value for _, *values in rows for value in values], "")
    height, parts = 34, []
    for number, (name, mean, low, high) in enumerate(rows):
        y = 20 + number * height
        left, middle, right = (round(axis.at(v, 120, WIDTH - 70), 1) for v in (low, mean, high))
        parts.append(
            f"<text x='112' y='{y + 4}' text-anchor='end'>{escape(name)}</text>"
            f"<line class='line mark' x1='{left}' x2='{right}' y1='{y}' y2='{y}'/>"
            f"<circle class='dot mark best' cx='{middle}' cy='{y}' r='5'>"
            f"<title>{escape(name)}: {mean:.3f} [{low:.3f}, {high:.3f}]</title></circle>"
            f"<text x='{WIDTH - 62}' y='{y + 4}'>{mean:.3f}</text>"
        )
    return (
        f"<svg viewBox='0 0 {WIDTH} {10 + len(rows) * height}' role='img' "
        f"aria-label='before and after'>{''.join(parts)}</svg>"
    )


def bars(shares: Sequence[tuple[str, float]]) -> str:
    """Return shares of one as horizontal bars."""
    height, parts = 28, []
    for number, (name, share) in enumerate(shares):
        y = 6 + number * height
        width = round(max(1.0, share * (WIDTH - 290)), 1)
        parts.append(
            f"<text x='212' y='{y + 15}' text-anchor='end'>{escape(name)}</text>"
            f"<rect class='bar mark' x='220' y='{y}' width='{width}' height='20' rx='3'>"
            f"<title>{escape(name)}: {share:.0%}</title></rect>"
            f"<text x='{228 + width}' y='{y + 15}'>{share:.0%}</text>"
        )
    return (
        f"<svg viewBox='0 0 {WIDTH} {10 + len(shares) * height}' role='img' "
        f"aria-label='importance'>{''.join(parts)}</svg>"
    )


def _stairs(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line that keeps each value up to the next point."""
    found: list[tuple[float, float]] = []
    for x, y in points:
        if found:
            found.append((x, found[-1][1]))
        found.append((x, y))
    return found


def _dot(plane: Plane, x: float, y: float, said: str, style: str) -> str:
    across, up = plane.place(x, y)
    return f"<circle class='{style}' cx='{across}' cy='{up}' r='4'><title>{said}</title></circle>"


def _said(one: Trial) -> str:
    interval = f"{one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}] on {one['n']}"
    return escape(f"{one['label']}: {interval}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
