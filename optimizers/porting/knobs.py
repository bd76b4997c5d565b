"""How to port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from langprog.errors import InputError
from langprog.knobs import check_argument, takes_number, takes_one_of, takes_whole
from optimizers.base import Optimizer
from optimizers.stats.certificate import ACCEPTED, Accept

# Where the scores of the old model come from: the artifact where it has them, else the model;
# the artifact alone; the model alone.
OldScores = Literal["auto", "recorded", "live"]


@dataclass(frozen=True)
class PortKnobs:
    """How to port.

    Args:
        tolerance: Mean score that may be lost.
        old: Where the scores on the old model come from: ``auto`` (from the artifact where it has
            them, else from the model), ``recorded`` (only rows that the artifact has scores of are
            compared) or ``live`` (the old model answers every row).
        optimizer: What compiles the program on the new model if it fails the test; ``None``: the
            test alone.
        accept: ``certified``: only what was shown to be as good ships; ``best``: the best program
            ships, marked as not shown.
        concurrency: Examples processed at the same time.
        max_errors: On how many examples the metric may raise.
        seed: All random decisions derive from it.

    Raises:
        InputError: A knob is out of range.
    """

    tolerance: float
    old: OldScores
    optimizer: Optimizer | None
    accept: Accept
    concurrency: int
    max_errors: int
    seed: int

    def __post_init__(self) -> None:
        check_argument("port", "tolerance", self.tolerance, takes_number(0, above=True))
        check_argument("port", "old", self.old, takes_one_of(get_args(OldScores)))
        check_argument("port", "accept", self.accept, takes_one_of(ACCEPTED))
        check_argument("port", "concurrency", self.concurrency, takes_whole(1, 100_000))
        check_argument("port", "max_errors", self.max_errors, takes_whole(0))
        if self.optimizer is not None and not isinstance(self.optimizer, Optimizer):
            raise InputError(
                f"optimizer is a {type(self.optimizer).__name__}: pass an optimizer such as "
                "Compiler(), or None for the test alone"
            )
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise InputError(f"seed={self.seed!r:.60}: seed has to be an integer")
