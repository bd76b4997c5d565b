"""Judges of LLMBar joined, and judges on rows of another kind, without labels."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import langprog as lp
from benchmarks.estimates.recorded import Verdicts, load_verdicts
from benchmarks.measured import Checkpoint, table
from langprog.estimation import estimate_shifted

JUDGES = tuple(
    f"{model}/Vanilla" for model in ("GPT-4", "PaLM2", "ChatGPT", "ChatGPT-0301", "LLaMA2")
)
LABELS, SPLITS = 100, 10


def _said(data: Verdicts, name: str, order: int) -> list[str | None]:
    """Return a judge's verdicts in one order of the answers; ``None`` where there is none."""
    return [pair[order] if pair[order] in ("1", "2") else None for pair in data.by_config(name)]


def _share_right(answers: Sequence[Any], data: Verdicts, rows: Sequence[int]) -> float:
    return fmean(answers[row] == data.labels[row] for row in rows)


def _join(data: Verdicts) -> list[list[float]]:
    """Return, by split, the accuracy of the majority, without labels, with, and how sure it is."""
    verdicts = {f"{name} {order}": _said(data, name, order) for name in JUDGES for order in (0, 1)}
    columns = [[each for each in row if each] for row in zip(*verdicts.values(), strict=True)]
    majority = [max(sorted(set(row)), key=row.count) for row in columns]
    alone = lp.agree(verdicts)
    outcomes = []
    for split in range(SPLITS):
        order = random.Random(split).sample(range(len(majority)), len(majority))
        known, rows = set(order[:LABELS]), order[LABELS:]
        labels = [data.labels[row] if row in known else None for row in range(len(majority))]
        joined = lp.agree(verdicts, labels)
        best = max(verdicts, key=lambda name: _share_right(verdicts[name], data, sorted(known)))
        outcomes.append(
            [
                _share_right(verdicts[best], data, rows),
                _share_right(majority, data, rows),
                _share_right(alone.answers, data, rows),
                fmean(max(alone.probabilities[row].values()) for row in rows),
                _share_right(joined.answers, data, rows),
                fmean(max(joined.probabilities[row].values()) for row in rows),
            ]
        )
    return outcomes


def measure_joined(folder: Path, draws: int, kept: Checkpoint) -> str:
    """Return the section on judges that are joined; the number of draws is not used."""
    data = load_verdicts(folder)
    means = [fmean(column) for column in zip(*_join(data), strict=True)]
    names = (
        "the judge that was best on the labels",
        "majority",
        "lp.agree without labels",
        "how sure it is",
        f"lp.agree with {LABELS} labels",
        "how sure it is",
    )
    rows = [("on the rows without labels", "accuracy, or probability, %")]
    rows += [(name, f"{100 * value:.1f}") for name, value in zip(names, means, strict=True)]
    return (
        f"`lp.agree` on five judges of LLMBar ({', '.join(JUDGES)}), in both orders of the "
        f"answers, which makes ten; mean of {SPLITS} random choices of {LABELS} labels out of "
        f"{len(data.labels)} rows.\n\n{table(rows)}"
    )


def _shift(data: Verdicts, name: str, part: str) -> list[Any]:
    """Return the estimate for one part of LLMBar from the others, with the truth."""
    first, second = _said(data, name, 0), _said(data, name, 1)
    other, again = (_said(data, "ChatGPT/Vanilla", order) for order in (0, 1))
    right = [float(v == label) for v, label in zip(first, data.labels, strict=True)]
    codes = {
        "verdict": [str(value) for value in first],
        "same in the other order": [str(a == b) for a, b in zip(first, second, strict=True)],
        "ChatGPT agrees": [
            str((a == b) + (a == c)) for a, b, c in zip(first, other, again, strict=True)
        ],
    }
    rows = [row for row, each in enumerate(data.parts) if each != part]
    new = [row for row, each in enumerate(data.parts) if each == part]
    result = estimate_shifted(
        [right[row] for row in rows],
        {key: [values[row] for row in rows] for key, values in codes.items()},
        {key: [values[row] for row in new] for key, values in codes.items()},
        count=len(new),
        sparsity=1,
        seed=0,
    )
    return [
        fmean(right[row] for row in rows),
        result.mean,
        *result.interval,
        fmean(right[row] for row in new),
        len(new),
        result.explained,
    ]


def measure_shifts(folder: Path, draws: int, kept: Checkpoint) -> str:
    """Return the section on accuracy under shift; the number of draws is not used."""
    data = load_verdicts(folder)
    rows: list[tuple[str, ...]] = [
        ("judge", "new rows", "n", "accuracy on the others", "estimate", "truth", "held")
    ]
    held, explained, errors, plain = 0, 0, list[float](), list[float]()
    for name in ("GPT-4/Vanilla", "PaLM2/Vanilla", "LLaMA2/Vanilla"):
        for part in dict.fromkeys(data.parts):
            before, mean, low, high, truth, n, explains = kept.measure_once(
                f"shift of {name} in {part}", partial(_shift, data, name, part)
            )
            inside = low <= truth <= high
            held += inside
            explained += explains
            errors.append(abs(mean - truth))
            plain.append(abs(before - truth))
            estimate = f"{mean:.3f} [{low:.3f}, {high:.3f}]"
            cells = (name, part, str(n), f"{before:.3f}", estimate, f"{truth:.3f}")
            rows.append((*cells, "yes" if inside else "no"))
    return (
        "What `lp.estimate_accuracy` computes, for a judge of LLMBar on one of its five parts, "
        "with labels on the four others: are its verdicts right? Features: the verdict, whether "
        "the judge says the same in the other order, and how many verdicts of ChatGPT agree. The "
        f"parts were made to mislead judges in different ways.\n\n{table(rows)}\n\n"
        f"The interval held the truth in {held} of {len(errors)}; the mean error of the estimate "
        f"is {100 * fmean(errors):.1f} points, that of the accuracy on the others "
        f"{100 * fmean(plain):.1f}. In {explained} of {len(errors)} the new rows could be as such "
        "shifts say, also where the interval is wrong: what the features say of right and wrong "
        "has turned round there (judges that agree were misled together in the other parts), "
        "which cannot be seen without labels."
    )
