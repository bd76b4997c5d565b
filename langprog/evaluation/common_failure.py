"""Runs that (nearly) all fail in one way say nothing about quality: something else is broken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from langprog.evaluation.failures import FailureKind
from langprog.evaluation.report import Row

# This many first rows are judged as soon as they are done.
BLOCK = 20
# Fewer may fail by chance.
FEWEST = 5
NEARLY_ALL = 0.95

# The model's replies could not be used; other prompts or models may get usable ones.
UNREADABLE: frozenset[FailureKind] = frozenset({"parse", "truncated"})
# Whatever the prompt, the program, its data or what it calls has to be repaired first.
BROKEN: frozenset[FailureKind] = frozenset({"error", "refused", "transport", "judge", "metric"})


def find_common_failure(
    rows: Sequence[Row], kinds: Collection[FailureKind] = UNREADABLE | BROKEN
) -> str | None:
    """Return a message if (nearly) all rows failed in one way, else ``None``.

    Args:
        rows: The rows.
        kinds: The kinds of failure that count.
    """
    failed = Counter(row.failure.kind for row in rows if row.failure is not None)
    if not failed:
        return None
    kind, count = failed.most_common(1)[0]
    few = len(rows) < BLOCK
    if kind not in kinds or len(rows) < FEWEST or count < len(rows) * (1.0 if few else NEARLY_ALL):
        return None
    first = next(row.failure.message for row in rows if row.failure and row.failure.kind == kind)
    return f"{count} of {len(rows)} runs failed in one way ({kind}: {first})"
