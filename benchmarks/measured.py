"""Keeping and publishing measurements with their machine, versions and intervals."""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Figure:
    """A value that was measured several times.

    Args:
        name: What was measured.
        values: Every measurement.
        unit: Their unit.
    """

    name: str
    values: tuple[float, ...]
    unit: str

    @property
    def median(self) -> float:
        """The middle measurement."""
        return statistics.median(self.values)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the median, by seeded bootstrap."""
        draws = random.Random(0)
        medians = sorted(
            statistics.median(draws.choices(self.values, k=len(self.values))) for _ in range(2000)
        )
        return medians[50], medians[1949]

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.median:,.4g} {self.unit} [{low:,.4g}, {high:,.4g}]"


def ratio(name: str, above: Figure, below: Figure) -> Figure:
    """Return above / below, pair by pair, as both were measured in turns in the same run."""
    values = tuple(a / b for a, b in zip(above.values, below.values, strict=True))
    return Figure(name, values, "x")


def mean_interval(values: Sequence[float], draws: int = 2000) -> tuple[float, float, float]:
    """Return the mean and the bounds of its 95 % interval, by seeded bootstrap.

    Args:
        values: The values.
        draws: Number of samples with replacement.
    """
    rng, tail = random.Random(0), draws // 40
    means = sorted(statistics.fmean(rng.choices(values, k=len(values))) for _ in range(draws))
    return statistics.fmean(values), means[tail], means[-1 - tail]


def with_interval(values: Sequence[float], form: str = ".3f") -> str:
    """Format a mean with its interval, numbers in ``form``; a single value has none."""
    middle, low, high = mean_interval(values)
    alone = f"{middle:{form}}"
    return f"{alone} [{low:{form}}, {high:{form}}]" if len(values) > 1 else alone


def format_percent(values: Sequence[float]) -> str:
    """Format the mean of shares with its interval, in percent."""
    middle, low, high = (100 * value for value in mean_interval(values))
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def machine() -> str:
    """Describe the machine in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    python = platform.python_version()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {python}"


def versions(*packages: str) -> str:
    """Return the versions of installed packages."""
    installed = []
    for package in packages:
        try:
            installed.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            installed.append(f"{package} (not installed)")
    return ", ".join(installed)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as a Markdown table; the first row is its header."""
    head, *body = rows
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    return "\n".join(lines)


def publish(name: str, text: str, *, keep: str = "") -> None:
    """Print a result and keep it in ``benchmarks/results``.

    Args:
        name: The file, without its suffix.
        text: Its content.
        keep: A heading of the file; everything from there on is kept.
    """
    sys.stdout.write(text + "\n")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.md"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    start = before.find(keep) if keep else -1
    kept = f"\n{before[start:]}" if start >= 0 else ""
    path.write_text(f"{text}\n{kept}", encoding="utf-8")


def publish_section(name: str, heading: str, text: str) -> None:
    """Print a result and keep it at the end of a file that another measurement starts.

    Args:
        name: The file, without its suffix.
        heading: Heading of the section.
        text: Content of the section.
    """
    path = RESULTS / f"{name}.md"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    section = f"{heading}\n\n{text}\n"
    sys.stdout.write(section)
    path.write_text(f"{before.partition(heading)[0].rstrip()}\n\n{section}", encoding="utf-8")


def publish_row(name: str, row: tuple[str, ...], remark: str) -> None:
    """Print a row and put it into a table that another measurement publishes.

    A row that starts with the same cell is replaced, else it is the table's last; everything else
    in the file stays.

    Args:
        name: The file, without its suffix.
        row: The row, for the file's first table.
        remark: How the row was measured, a line below the table that starts with its first cell.

    Raises:
        ValueError: The file has no table of as many columns.
    """
    path = RESULTS / f"{name}.md"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    begin = next((at for at, line in enumerate(lines) if line.startswith("| ")), None)
    if begin is None or lines[begin].count(" | ") + 1 != len(row):
        raise ValueError(f"{path} has no table of {len(row)} columns: measure everything first")
    end = begin
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    after = end
    while after < len(lines) and not lines[after].startswith("#"):
        after += 1
    rows = {line.split(" | ")[0]: line for line in lines[begin:end]}
    text = "| " + " | ".join(row) + " |"
    rows[f"| {row[0]}"] = text
    said = f"{row[0]}: {remark}"
    below = [line for line in lines[end:after] if line and not line.startswith(f"{row[0]}: ")]
    remarks = [line for each in (*below, said) for line in ("", each)]
    sys.stdout.write(f"{text}\n{said}\n")
    rest = ["", *lines[after:]] if lines[after:] else []
    lines = [*lines[:begin], *rows.values(), *remarks, *rest]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


class Checkpoint:
    """Measurements by name, a line each in a file, so that a stopped run can be resumed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: dict[str, Any] = {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for line in lines:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:  # torn by a kill: this one is measured again
                continue
            # Older files hold all measurements in one object.
            self._kept |= {entry["name"]: entry["value"]} if "name" in entry else entry

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def __getitem__(self, name: str) -> Any:
        return self._kept[name]

    def measure_once(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return a measurement, made now if it is not kept yet."""
        if name not in self._kept:
            value = self._kept[name] = measure()
            line = json.dumps({"name": name, "value": value})
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"\n{line}\n")  # on a line of its own, even after a torn one
            sys.stderr.write(f"{name}: {value}\n")
        return self._kept[name]
