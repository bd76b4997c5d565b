"""Independent streams of random numbers, named by what they are for.

Every decision draws from a stream of its own, so that one more draw in one stage leaves all
other stages as they were, and nothing depends on the order in which answers arrive.
"""

from __future__ import annotations

import hashlib
import random


def derived_seed(seed: int, *names: str | int) -> int:
    """Return a seed in [0, 2**31) for the stream called ``names``.

    Example: ``derived_seed(0, "propose", 3)`` is the same number in every process.
    """
    text = "\x1f".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1


def stream(seed: int, *names: str | int) -> random.Random:
    """Return a generator for the stream called ``names``."""
    return random.Random(derived_seed(seed, *names))
