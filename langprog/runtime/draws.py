"""Several samples of one prompt: each has its own seed, so that caches keep them apart."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from langprog.lm import Sampling


@dataclass(frozen=True, slots=True)
class Draw:
    """One of several samples.

    Args:
        numbers: Its number, preceded by those of the enclosing draws.
        temperature: For predictors without a temperature, or with 0: identical answers are not
            votes.
    """

    numbers: tuple[int, ...]
    temperature: float

    @classmethod
    def inside(cls, outer: Draw | None, number: int, temperature: float) -> Draw:
        """Return draw ``number`` nested inside ``outer``."""
        return cls((*(outer.numbers if outer else ()), number), temperature)

    def over(self, sampling: Sampling) -> Sampling:
        """Return ``sampling`` with this draw's seed, and a temperature above 0."""
        text = " ".join(map(str, (sampling.seed, *self.numbers)))
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
        return replace(sampling, seed=seed, temperature=sampling.temperature or self.temperature)
