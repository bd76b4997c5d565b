"""A mean with its interval, and what the interval rests on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from langprog.notebook import render_card, shorten

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class MeanEstimate:
    """A mean with a 95 % interval; ``str`` gives it with what it assumes.

    Args:
        mean: The estimate.
        interval: Its 95 % interval.
        labels: Rows whose true value was known or asked for.
        rows: All rows.
        assumes: What has to be true for the interval to hold, as the end of "this assumes that".
        missing: Rows whose true value was asked for in vain.
        labels_alone: Mean and interval from the labels without anything else; ``None`` where they
            do not estimate the same mean.
        notes: What else one has to know, a sentence each.
    """

    mean: float
    interval: Interval
    labels: int
    rows: int
    assumes: str
    missing: int = 0
    labels_alone: tuple[float, Interval] | None = None
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        data = asdict(self)
        if self.labels_alone is not None:
            middle, interval = self.labels_alone
            data["labels_alone"] = {"mean": middle, "interval": list(interval)}
        return {**data, "interval": list(self.interval), "notes": list(self.notes)}

    def facts(self) -> list[tuple[str, str]]:
        """Return the result as (name, text) pairs."""
        facts = [
            ("mean", show_interval(self.mean, self.interval)),
            ("from", f"{self.labels:,} labels, {self.rows:,} rows"),
        ]
        if self.labels_alone is not None:
            facts.append(("labels alone", show_interval(*self.labels_alone)))
        if self.missing:
            facts.append(("missing", f"{self.missing:,} labels that were asked for in vain"))
        facts.append(("assumes", f"that {self.assumes}"))
        return [*facts, *(("note", note) for note in self.notes)]

    def __str__(self) -> str:
        alone = ""
        if self.labels_alone is not None:
            alone = f" (labels alone: {show_interval(*self.labels_alone)})"
        missing = f", {self.missing:,} more asked for in vain" if self.missing else ""
        notes = "".join(f" {note}" for note in self.notes)
        return (
            f"{show_interval(self.mean, self.interval)} from {self.labels:,} labels of "
            f"{self.rows:,} rows{missing}{alone}. This assumes that {self.assumes}.{notes}"
        )

    def __repr__(self) -> str:
        return shorten(f"MeanEstimate({self})")

    def _repr_html_(self) -> str:
        return render_card("Estimate", self.facts())


def show_interval(mean: float, interval: Interval) -> str:
    """Return a mean with its interval as text."""
    low, high = interval
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"
