"""How good candidates probably are, from few paired examples each.

Follows: empirical Bayes for normal means (James and Stein, 1961; Efron and Morris, 1973).
Differs: what is shrunk is the paired difference to the input program on the same examples, with
one pooled variance, as a handful of ties says nothing about a candidate's own variance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

SMALLEST_VARIANCE = 1e-4


def shrunken(
    baseline: Mapping[int, float], candidates: Sequence[Mapping[int, float]]
) -> list[float]:
    """Return the probable mean of every candidate, on the scale of the baseline's mean.

    Args:
        baseline: Scores of the input program by example.
        candidates: Scores of each candidate by example; each shares one with the baseline.

    Returns:
        The baseline's mean plus each candidate's difference, pulled toward the mean difference of
        all by as much as its few examples leave in doubt.
    """
    base = sum(baseline.values()) / len(baseline)
    pairs = [
        [values[index] - baseline[index] for index in sorted(values) if index in baseline]
        for values in candidates
    ]
    means = [sum(pair) / len(pair) for pair in pairs]
    squares = sum(
        (one - mean) ** 2 for pair, mean in zip(pairs, means, strict=True) for one in pair
    )
    freedom = sum(len(pair) - 1 for pair in pairs)
    each = max(squares / freedom if freedom else 0.25, SMALLEST_VARIANCE)
    noise = [each / len(pair) for pair in pairs]
    centre = sum(means) / len(means)
    spread = sum((mean - centre) ** 2 for mean in means) / max(1, len(means) - 1)
    real = max(spread - sum(noise) / len(noise), SMALLEST_VARIANCE)
    return [
        base + centre + (mean - centre) * real / (real + one)
        for mean, one in zip(means, noise, strict=True)
    ]
