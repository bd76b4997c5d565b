"""What a batch is to do, and what it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from langprog.batch.provider import ProviderBatches
from langprog.engines import Engine, LocalEngine
from langprog.errors import InputError
from langprog.lm import Budget
from langprog.modules import Module

Order = Literal["arrival", "input"]
# Rows processed at the same time: called directly, in batches of a provider, and there if each
# holds a thread.
_WIDTH, _WINDOW, _THREADS = 64, 10_000, 1_000


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be run.

    Args:
        program: The program.
        source: Rows with the program's inputs: JSONL, CSV, TSV or Parquet.
        target: Where the results go, one row for every row of ``source``.
        run: The identity of the run: only a killed run with the same one is continued. It has the
            artifact's digest and the models.
        width: Rows processed at the same time; ``None`` for 64, and for 10,000 with ``provider``,
            where that many rows are in memory while their requests wait (1,000 if the program has
            a synchronous ``forward``, because each holds a thread).
        format: The source's format, and the target's unless its suffix says one.
        keep: Columns to copy to the output; ``id`` is always copied.
        order: ``arrival`` (as rows are done) or ``input``.
        retry_failed: Retry all failed rows of earlier runs, not only those where the endpoint
            failed.
        budget: A cap on all spending; with ``provider``, of all runs until the output is complete.
        provider: How requests are sent as batches of the provider; ``None`` to call models
            directly.
        engine: Where rows run; the results are written here.
    """

    program: Module
    source: Path
    target: Path
    run: str
    width: int | None = None
    format: str | None = None
    keep: tuple[str, ...] = ()
    order: Order = "arrival"
    retry_failed: bool = False
    budget: Budget = Budget()
    provider: ProviderBatches | None = None
    engine: Engine = field(default_factory=LocalEngine)

    @property
    def rows_at_once(self) -> int:
        """Rows processed at the same time."""
        if self.width is not None:
            return self.width
        if self.provider is None:
            return _WIDTH
        return _THREADS if _has_threads(self.program) else _WINDOW


@dataclass(frozen=True, slots=True)
class BatchDone:
    """What a batch did.

    Args:
        written: Rows that this run wrote.
        earlier: Rows that an earlier run had written.
        failures: Failures in the output by kind, including those of earlier runs.
        again: How many of them the same command would retry.
        first: The first message of each kind of failure in this run.
        stopped: Why the run ended before its last row; empty if it did not.
        unfinished: The file with the results while the target is not written, else ``None``.
        dollars: Paid in this run; ``None`` if a price is unknown.
        capped: Whether it goes on with a larger budget only.
    """

    written: int
    earlier: int
    failures: Mapping[str, int]
    again: int
    first: Mapping[str, str]
    stopped: str = ""
    unfinished: Path | None = None
    dollars: float | None = None
    capped: bool = False

    @property
    def failed(self) -> int:
        """Failures in the output."""
        return sum(self.failures.values())


def _has_threads(module: Module) -> bool:
    own = type(module).forward is not Module.forward
    return own or any(map(_has_threads, module.children().values()))


def check_order(order: str) -> Order:
    """Return an order by its name.

    Raises:
        InputError: There is no such order.
    """
    if order == "arrival":
        return "arrival"
    if order == "input":
        return "input"
    raise InputError(f"--order {order!r}: write arrival or input")
