"""The base class of the optimizers whose result is pruned."""

from __future__ import annotations

from dataclasses import dataclass, field

from langprog.knobs import takes_flag
from optimizers.base import Optimizer


@dataclass(frozen=True, kw_only=True)
class PrunedOptimizer(Optimizer):
    """Base class of the optimizers that search, and whose result is pruned.

    The others ship what they were asked for.

    Args:
        prune: Whether each change is put back in turn after the search, and stays away if the
            program is about as good without.
        concurrency: Number of examples processed at the same time.
        objective: See :class:`Optimizer`.
        tolerance: See :class:`Optimizer`.
    """

    prune: bool = field(default=True, metadata=takes_flag())

    def prunes(self) -> bool:
        """Return whether changes that do not pay for themselves are put back after the search."""
        return self.prune
