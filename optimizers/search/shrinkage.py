"""Estimate how good candidates are from a few paired examples each.

Follows: empirical Bayes for normal means (James and Stein, 1961; Efron and Morris, 1973).
Differs: what is shrunk is the paired difference from the input program on the same examples, with
one pooled variance, because a handful of ties says nothing about a candidate's own variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SMALLEST_VARIANCE = 1e-4


def shrink_means(
    baseline: Mapping[int, float], candidates: Sequence[Mapping[int, float]]
) -> list[float]:
    """Estimate the mean of every candidate, on the scale of the baseline's mean.

    Args:
        baseline: Scores of the input program by example.
        candidates: Scores of each candidate by example; each shares an example with the baseline.

    Returns:
        The baseline's mean plus each candidate's difference, shrunk toward the mean difference of
        all candidates: the fewer the examples, the more.
    """
    base = sum(baseline.values()) / len(baseline)
    differences = [
        [values[index] - baseline[index] for index in sorted(values) if index in baseline]
        for values in candidates
    ]
    means = [sum(paired) / len(paired) for paired in differences]
    squares = sum(
        (difference - mean) ** 2
        for paired, mean in zip(differences, means, strict=True)
        for difference in paired
    )
    freedom = sum(len(paired) - 1 for paired in differences)
    variance = max(squares / freedom if freedom else 0.25, SMALLEST_VARIANCE)
    noises = [variance / len(paired) for paired in differences]
    center = sum(means) / len(means)
    between = sum((mean - center) ** 2 for mean in means) / max(1, len(means) - 1)
    real = max(between - sum(noises) / len(noises), SMALLEST_VARIANCE)
    return [
        base + center + (mean - center) * real / (real + noise)
        for mean, noise in zip(means, noises, strict=True)
    ]
