"""Tests that hold at whatever time one looks at the data.

If there is nothing to find, an average of likelihood ratios exceeds 1/a with a chance of a at
most, over the whole run, however often it is looked at.
"""

from __future__ import annotations

import math


def anytime_sign_p(first: int, second: int) -> float:
    """Return a p-value, valid whenever one looks, for two counts that are equally likely.

    Follows: Robbins (1970, Statistical methods related to the law of the iterated logarithm), the
    mixture of likelihood ratios, here over the Beta(1/2, 1/2) distribution. Differs: it is the
    reciprocal of the mixture now, not of its largest value so far, and so the more careful one.

    Args:
        first: How often the one came out.
        second: How often the other one did.
    """
    n = first + second
    if not n:
        return 1.0
    log_beta = math.lgamma(first + 0.5) + math.lgamma(second + 0.5) - math.lgamma(n + 1)
    return min(1.0, math.exp(-max(0.0, log_beta - math.log(math.pi) + n * math.log(2))))
