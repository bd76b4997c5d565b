"""The runs of both programs on the holdout: what can be compared, and what is missing."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from langprog.evaluation import (
    BROKEN,
    MAX_MISSING,
    Claims,
    DatasetMetric,
    Measured,
    Objective,
    PartialScores,
    Row,
    check_claims,
    find_common_failure,
)
from optimizers.evaluation.runner import is_missing
from optimizers.stats.certificate import Pairs
from optimizers.stats.terms import Terms

# Fewer clusters cannot show anything, so the programs are not run.
MIN_CLUSTERS = 5
WORSE_LEVEL = 0.05
# What is said of a total that went up: the verb, "times as ...", and what a few queries are.
_HIGHER = {"cost": ("costs more", "much", "dearer"), "latency": ("takes longer", "long", "slower")}


@dataclass(frozen=True)
class HoldoutRuns:
    """All runs of both programs on the holdout.

    Args:
        before: The input program's rows.
        after: The compiled program's rows, of the same examples.
        names: The cluster of each.
    """

    before: Sequence[Row]
    after: Sequence[Row]
    names: Sequence[str]

    @cached_property
    def _scored(self) -> list[int]:
        both = enumerate(zip(self.before, self.after, strict=True))
        return [place for place, (b, a) in both if not is_missing(b) and not is_missing(a)]

    @cached_property
    def pairs(self) -> Pairs:
        """Rows with scores for both programs."""
        return [(self.before[place], self.after[place]) for place in self._scored]

    def first_pairs(self, examples: int) -> Pairs:
        """Return the pairs of each example's first run."""
        both = zip(self._scored, self.pairs, strict=True)
        return [pair for place, pair in both if place < examples]

    def count_examples(self, examples: int) -> int:
        """Return how many examples have a run that both programs were scored on."""
        return len({place % examples for place in self._scored})

    @cached_property
    def clusters(self) -> list[str]:
        """The cluster of each pair."""
        return [self.names[place] for place in self._scored]

    def list_results(self, keys: Sequence[str], objective: Objective) -> list[str]:
        """Return a text for each run that both programs were scored on, with what it showed.

        Args:
            keys: The key of each example.
            objective: What else than scores is compared.
        """
        measured = Measured(self.before, self.after, self.names)
        costs = {"quality": None, "cost": measured.dollars, "latency": measured.seconds}[objective]
        results = []
        for place, (before, after) in zip(self._scored, self.pairs, strict=True):
            assert before.score is not None and after.score is not None
            repeat, row = divmod(place, len(keys))
            shown = [before.score.value, after.score.value]
            taken = [] if costs is None else [costs.before[place], costs.after[place]]
            results.append(json.dumps([keys[row], repeat, *shown, *taken]))
        return results

    @property
    def missing(self) -> int:
        """Number of runs without a score for one of the programs."""
        return len(self.before) - len(self.pairs)

    def describe_missing(self) -> str:
        """Return which scores are missing and why; empty if none is."""
        parts = [
            f"{_count_runs(rows)} of the {whose} program{_describe_first(rows)}"
            for whose, rows in (("input", self.before), ("compiled", self.after))
            if any(map(is_missing, rows))
        ]
        return " and ".join(parts)

    def describe_failed_base(self) -> str:
        """Return a sentence on the input program's own errors, which are a part of any gain."""
        failed = [
            first for first, _ in self.pairs if first.failure and first.failure.kind in BROKEN
        ]
        if not failed:
            return ""
        return f" {len(failed)} runs of the input program failed{_describe_first(failed)}."

    def describe_unmeasured(self, objective: Objective) -> str:
        """Return a sentence on runs whose cost or latency cannot be compared."""
        if objective == "quality":
            return ""
        measured = Measured(
            [first for first, _ in self.pairs], [second for _, second in self.pairs], self.clusters
        )
        count = measured.count_unmeasured(objective)
        what = "price" if objective == "cost" else "latency"
        return (
            f" The {what} of {count} of {len(self.pairs)} pairs of runs is from a cache or "
            "another session of the same run_dir, so it cannot be compared and counts against it: "
            "use another run_dir and models with cache=False."
            if count
            else ""
        )

    def describe_higher_total(self, objective: Objective) -> str:
        """Return a sentence if the total went up, though most queries are cheaper or quicker."""
        if objective == "quality":
            return ""
        measured = Measured(
            [first for first, _ in self.pairs], [second for _, second in self.pairs], self.clusters
        )
        costs = measured.dollars if objective == "cost" else measured.seconds
        both = [
            (before, after)
            for before, after in zip(costs.before, costs.after, strict=True)
            if before is not None and after is not None
        ]
        before = math.fsum(first for first, _ in both)
        after = math.fsum(second for _, second in both)
        if after <= before:
            return ""
        more, much, few = _HIGHER[objective]
        times = f", {_describe_ratio(after / before)} times as {much}" if before > 0 else ""
        return f" In total it {more}{times}: a few queries are much {few}."

    def explain_refusal(self, metric: object) -> str | None:
        """Return why nothing can be tested with these runs, else ``None``."""
        total = len(self.before)
        if self.missing > MAX_MISSING * total or len(set(self.clusters)) < MIN_CLUSTERS:
            return (
                f"{self.missing} of {total} runs on the holdout have no score"
                f"{_describe_first([*self.before, *self.after])}; "
                "run the same command with the same run_dir again to finish"
            )
        if isinstance(metric, DatasetMetric) and self._one_sided:
            return (
                f"{self._one_sided} of {total} runs on the holdout have a score for only one of "
                f"the programs ({self.describe_missing()}), and for a score of the whole data set "
                "nothing bounds what they would change; run the same command with the same "
                "run_dir again to finish"
            )
        broken = find_common_failure([first for first, _ in self.pairs], BROKEN)
        if broken is not None:
            return (
                f"of the input program's runs on the holdout, {broken}: what broke them is no "
                "gain of the compiled program; repair it and run the same command again"
            )
        return None

    def find_broken_result(self) -> str | None:
        """Return why the compiled program cannot ship at all, else ``None``."""
        if all(row.prediction is None for _, row in self.pairs):
            return f"every run of the compiled program failed{_describe_first(self.after)}"
        return None

    @property
    def _one_sided(self) -> int:
        both = zip(self.before, self.after, strict=True)
        return sum(is_missing(before) != is_missing(after) for before, after in both)

    def test(self, terms: Terms, score_range: tuple[float, float]) -> Claims:
        """Return what may be claimed; missing scores count at their worst for each claim."""
        scores = PartialScores.of(
            [_value(row) for row in self.before],
            [_value(row) for row in self.after],
            self.names,
            score_range,
        )
        places = scores.kept
        measured = Measured(
            [self.before[place] for place in places],
            [self.after[place] for place in places],
            [self.names[place] for place in places],
        )
        return check_claims(
            scores,
            objective=terms.objective,
            tolerance=terms.tolerance if terms.objective != "quality" else 0.0,
            dollars=measured.dollars,
            seconds=measured.seconds,
            level=terms.level,
            worse_level=WORSE_LEVEL,
        )


def _describe_ratio(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def _count_runs(rows: Sequence[Row]) -> str:
    count = sum(map(is_missing, rows))
    return f"{count} run{'' if count == 1 else 's'}"


def _describe_first(rows: Sequence[Row]) -> str:
    for row in sorted(rows, key=lambda row: not is_missing(row)):
        if row.failure is not None:
            return f" ({row.failure.kind}: {row.failure.message})"
    return ""


def _value(row: Row) -> float | None:
    return None if row.score is None else row.score.value
