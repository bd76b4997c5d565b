"""Runs a program on a file of any size, in constant memory; a killed run can continue."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from langprog.batch.blocks import FIRST, Blocks, Group, columns_kept
from langprog.batch.failures import Outcome, is_retried, outcome_of
from langprog.batch.finishing import Target, check_target, finish, prepare
from langprog.batch.formats import format_named, format_of
from langprog.batch.inputs import ProgramInputs, plain
from langprog.batch.results import Earlier, ResultFile
from langprog.batch.sources import Source
from langprog.batch.watching import BatchProgress, Watch
from langprog.errors import BudgetExceeded, InputError, LangprogError
from langprog.lm import Budget, Ledger
from langprog.modules import Module
from langprog.runtime import using

Order = Literal["arrival", "input"]
# Seconds between progress reports, and between syncs of the results to disk.
_TOLD, _SYNCED = 0.1, 1.0
# Groups of rows that wait for an answer already in progress.
_FOLLOWERS = 256
# Rows with a rejected key after which the run ends, if no row was answered.
_REFUSALS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """What is to be run.

    Args:
        program: The program.
        source: Rows with the program's inputs: JSONL, CSV, TSV or Parquet.
        target: Where the results go, one row for every row of ``source``.
        run: The identity of the run: only a killed run with the same one is continued. It has the
            artifact's digest and the models.
        width: Rows processed at the same time.
        format: The source's format, and the target's unless its suffix says one.
        keep: Columns to copy to the output; ``id`` is always copied.
        order: ``arrival`` (as rows are done) or ``input``.
        retry_failed: Retry all failed rows of earlier runs, not only those where the endpoint
            failed.
        budget: A cap on all spending.
    """

    program: Module
    source: Path
    target: Path
    run: str
    width: int = 64
    format: str | None = None
    keep: tuple[str, ...] = ()
    order: Order = "arrival"
    retry_failed: bool = False
    budget: Budget = Budget()


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
    """

    written: int
    earlier: int
    failures: Mapping[str, int]
    again: int
    first: Mapping[str, str]
    stopped: str = ""
    unfinished: Path | None = None
    dollars: float | None = None

    @property
    def failed(self) -> int:
        """Failures in the output."""
        return sum(self.failures.values())


class _Stopped(Exception):
    """The run ends before its last row, and keeps what it has."""


OnProgress = Callable[[BatchProgress], None]


async def run_batch(batch: Batch, on_progress: OnProgress | None = None) -> BatchDone:
    """Run a program on every row of a file, and write one row for each.

    The same call continues a killed run. Rows with the same inputs run only once.

    Args:
        batch: What is to be run.
        on_progress: Called with the progress a few times a second, from the first result on.

    Raises:
        InputError: The source cannot be used, the target holds something other than results of
            this run, or another run is writing it. Nothing was written.
        AuthError: The endpoint does not accept the key.
        ModelError: A model's name, key or price is unknown.
        OSError: The results cannot be written. What was written stays.
    """
    inputs = ProgramInputs(batch.program)
    keep = columns_kept(batch.keep, inputs.outputs)
    named = None if batch.format is None else format_named(batch.format)
    form = named or format_of(batch.source, "--batch")
    source = Source(batch.source, form, (*inputs.names, *keep))
    # Follow links, to replace the file that they point to.
    place = Path(os.path.realpath(batch.target))
    target = Target(place, format_of(batch.target, "--out", named=named), keep)
    source.check((*inputs.required, *batch.keep))
    check_target(target, source, inputs.outputs)
    results = prepare(target, _again(batch))
    run = _Run(batch, inputs, source, keep, results, on_progress)
    try:
        stopped = await run.go()
        if not stopped:
            await asyncio.to_thread(finish, target, results, inputs.outputs, batch.order)
        return run.done(stopped, results.path if stopped and not target.is_jsonl else None)
    except InputError:
        if not run.watch.done:
            target.forget(results)
        raise
    finally:
        results.close()


def _again(batch: Batch) -> Callable[[str], bool]:
    return (lambda kind: True) if batch.retry_failed else is_retried


@dataclass
class _Run:
    batch: Batch
    inputs: ProgramInputs
    source: Source
    keep: tuple[str, ...]
    results: ResultFile
    on_progress: OnProgress | None
    watch: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self._earlier: Earlier = self.results.earlier
        self._blocks = Blocks(self.source, self.inputs, self.keep, self.batch.run, self._earlier)
        self._ledger = Ledger(self.batch.budget)
        self._groups: Iterator[Group] = iter(())
        self._feed = asyncio.Lock()
        # Answers that later rows may share: those of the first rows, and the latest one.
        self._shared: dict[str, asyncio.Future[Outcome]] = {}
        self._latest: tuple[str, asyncio.Future[Outcome]] | None = None
        self._followers: asyncio.Queue[tuple[Group, asyncio.Future[Outcome]] | None] = (
            asyncio.Queue(_FOLLOWERS)
        )
        self._doubtful: list[tuple[Group, Outcome]] | None = []
        self._priced = True
        self._started = self._told = self._synced = 0.0

    async def go(self) -> str:
        """Run the remaining rows; return why this stopped early, or an empty text."""
        workers: list[asyncio.Task[None]] = []
        try:
            first = await asyncio.to_thread(self._blocks.next)
            self.results.mend()
            self._groups = first or iter(())
            self._started = self._synced = time.monotonic()
            with using(budget=self._ledger):
                workers += [asyncio.create_task(self._work()) for _ in range(self.batch.width)]
                ending = asyncio.create_task(self._end(tuple(workers)))
                workers += [ending, asyncio.create_task(self._follow())]
                await asyncio.gather(*workers)
            self._settle_doubts(end=True)
            return ""
        except (_Stopped, BudgetExceeded) as reason:
            return str(reason)
        finally:
            self._blocks.stop()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.results.sync()

    async def _work(self) -> None:
        while (group := await self._next()) is not None:
            shared = self._shared_by(group)
            if shared is None:
                self._note(group, await self._outcome(group))
            elif shared.done():
                self._note(group, shared.result())
            else:
                await self._followers.put((group, shared))

    async def _follow(self) -> None:
        """Write rows that share the answer of others, so that no worker has to wait."""
        while (waiting := await self._followers.get()) is not None:
            group, shared = waiting
            self._note(group, await asyncio.shield(shared))

    async def _end(self, workers: tuple[asyncio.Task[None], ...]) -> None:
        await asyncio.gather(*workers)
        await self._followers.put(None)

    async def _next(self) -> Group | None:
        async with self._feed:
            while True:
                group = next(self._groups, None)
                if group is not None:
                    return group
                block = await asyncio.to_thread(self._blocks.next)
                if block is None:
                    return None
                self._groups = block

    def _shared_by(self, group: Group) -> asyncio.Future[Outcome] | None:
        """Return the recent answer for the same inputs, if there is one."""
        if group.problem:
            return None
        shared = self._shared.get(group.text)
        if shared is None and self._latest is not None and self._latest[0] == group.text:
            shared = self._latest[1]
        return shared

    async def _outcome(self, group: Group) -> Outcome:
        if group.problem:
            return Outcome(kind="input", message=group.problem)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._latest = group.text, future
        if len(self._shared) < FIRST:
            self._shared[group.text] = future
        try:
            future.set_result(await self._ask(group))
        except LangprogError as error:
            future.set_exception(error)
        finally:
            future.cancel()  # if it is still running
        return future.result()

    async def _ask(self, group: Group) -> Outcome:
        try:
            values = self.inputs.values_of(group.text, textual=self.source.textual)
            prediction = await self.batch.program.acall(**values)
            self._priced = self._priced and prediction.usage.dollars is not None
            return Outcome(outputs=plain(prediction.to_dict()))
        except Exception as error:  # noqa: BLE001 - one row of many; it is written, not lost
            return outcome_of(error)

    def _note(self, group: Group, outcome: Outcome) -> None:
        """Write the outcome of a group, unless it depends on other outcomes."""
        if self._doubtful is not None and outcome.error is not None:
            self._doubtful.append((group, outcome))
            return self._settle_doubts(end=False)
        self._write(group, outcome)
        if self._doubtful is not None and outcome.kind not in ("input", "transport"):
            self._settle(self._doubtful)  # the key is valid, so these rows failed on their own
        reason = self.watch.reason_to_stop()
        if reason is not None:
            if outcome.error is not None:
                raise outcome.error
            raise _Stopped(f"most rows fail for one reason ({reason}): {self.watch.first[reason]}")

    def _settle(self, doubtful: list[tuple[Group, Outcome]]) -> None:
        self._doubtful = None
        for group, outcome in doubtful:
            self._write(group, outcome)

    def _settle_doubts(self, *, end: bool) -> None:
        """Treat a key as rejected if several rows say so and none succeeded."""
        if self._doubtful and (end or len(self._doubtful) >= _REFUSALS):
            error = self._doubtful[0][1].error
            assert error is not None
            raise error

    def _write(self, group: Group, outcome: Outcome) -> None:
        self.results.append([outcome.record(*row) for row in group.rows])
        self.watch.add(outcome.kind, outcome.message, len(group.rows))
        now = time.monotonic()
        if now - self._synced >= _SYNCED:
            self._synced = now
            asyncio.get_running_loop().run_in_executor(None, self._sync)
        if self.on_progress is not None and now - self._told >= _TOLD:
            self._told = now
            self.on_progress(self._progress(now))

    def _sync(self) -> None:
        with suppress(OSError):  # the file is closed, or the last sync will report it
            self.results.sync()

    @property
    def _dollars(self) -> float | None:
        return self._ledger.paid.dollars if self._priced else None

    def _progress(self, now: float) -> BatchProgress:
        return BatchProgress(
            done=self._earlier.done.count + self.watch.done,
            total=self._blocks.read if self._blocks.ended else None,
            failed=self.watch.failed,
            written=self.watch.done,
            seconds=now - self._started,
            dollars=self._dollars,
        )

    def done(self, stopped: str, unfinished: Path | None) -> BatchDone:
        """Return what was done."""
        return BatchDone(
            written=self.watch.done,
            earlier=self._earlier.done.count,
            failures=self.watch.failures + self._earlier.failures,
            again=sum(count for kind, count in self.watch.failures.items() if is_retried(kind)),
            first=dict(self.watch.first),
            stopped=stopped,
            unfinished=unfinished,
            dollars=self._dollars,
        )


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
