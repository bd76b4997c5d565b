"""Runs a program on a file of any size, in constant memory; a killed run can continue."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langprog.batch.blocks import FIRST, Blocks, Group, columns_kept
from langprog.batch.failures import Outcome, is_retried
from langprog.batch.finishing import Target, check_target, finish, prepare
from langprog.batch.formats import format_named, format_of
from langprog.batch.inputs import ProgramInputs
from langprog.batch.provider import (
    BatchState,
    OnStatus,
    ProviderBatches,
    ProviderModels,
    Waves,
    remove_state,
    state_path,
)
from langprog.batch.results import Earlier, ResultFile
from langprog.batch.rows import answer_row
from langprog.batch.sources import Source
from langprog.batch.task import Batch, BatchDone
from langprog.batch.watching import BatchProgress, Watch
from langprog.errors import BudgetExceeded, InputError, LangprogError
from langprog.lm import Ledger
from langprog.runtime import give_notice, using

# Seconds between progress reports, and between syncs of the results to disk.
_TOLD, _SYNCED = 0.1, 1.0
# Groups of rows that wait for an answer already in progress.
_FOLLOWERS = 256
# Rows with a rejected key after which the run ends, if no row was answered.
_REFUSALS = 8


class _Stopped(Exception):
    """The run ends before its last row, and keeps what it has."""


OnProgress = Callable[[BatchProgress], None]


async def run_batch(
    batch: Batch,
    on_progress: OnProgress | None = None,
    *,
    on_status: OnStatus | None = None,
) -> BatchDone:
    """Run a program on every row of a file, and write one row for each.

    The same call continues a killed run. Rows with the same inputs run only once.

    Args:
        batch: What is to be run.
        on_progress: Called with the progress a few times a second, from the first result on.
        on_status: Called whenever a provider says how far a batch is.

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
    try:
        run = _Run(batch, inputs, source, keep, results, on_progress)
        if batch.provider is None:
            stopped = await run.go()
        else:
            stopped = await _run_in_waves(run, batch.provider, state_path(place), on_status)
        if not stopped:
            await asyncio.to_thread(finish, target, results, inputs.outputs, batch.order)
            if batch.provider is not None:
                remove_state(state_path(place))
        return run.done(stopped, results.path if stopped and not target.is_jsonl else None)
    except InputError:
        if not results.written:
            target.forget(results)
        raise
    finally:
        results.close()


async def _run_in_waves(
    run: _Run, options: ProviderBatches, path: Path, on_status: OnStatus | None
) -> str:
    """Run with requests in batches of a provider; return why this stopped early, if it did."""
    state = BatchState(path, run.batch.run)
    waves = Waves(
        options,
        state,
        run.ledger,
        on_status=on_status,
        say=give_notice,
        retry_refused=run.batch.retry_failed,
    )
    run.waves, before = waves, state.paid().dollars
    try:
        with using(wrap=ProviderModels(waves).wrap):
            stopped = await run.go()
        if not stopped:
            await waves.give_up_rest()
        elif run.exhausted:
            stopped += " (it counts all runs until the output is complete: raise it to continue)"
        return stopped
    finally:
        await waves.close()
        run.dollars = state.paid().dollars - before
        empty = state.is_empty
        state.close()
        if empty:
            remove_state(path)


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
    waves: Waves | None = None
    # What this run paid, where a ledger would count what was reserved for rows that were stopped.
    dollars: float | None = None

    def __post_init__(self) -> None:
        self._earlier: Earlier = self.results.earlier
        self._blocks = Blocks(self.source, self.inputs, self.keep, self.batch.run, self._earlier)
        self.ledger = Ledger(self.batch.budget)
        self._groups: Iterator[Group] = iter(())
        self._shared_values: tuple[Any, ...] = ()
        self._feed = asyncio.Lock()
        # Answers that later rows may share: those of the first rows, and the latest one.
        self._shared: dict[str, asyncio.Future[Outcome]] = {}
        self._latest: tuple[str, asyncio.Future[Outcome]] | None = None
        self._followers: asyncio.Queue[tuple[Group, asyncio.Future[Outcome]] | None] = (
            asyncio.Queue(_FOLLOWERS)
        )
        self._doubtful: list[tuple[Group, Outcome]] | None = []
        self._priced = True
        # Why no further row is begun: the budget.
        self.exhausted = ""
        self._started = self._told = self._synced = 0.0

    async def go(self) -> str:
        """Run the remaining rows; return why this stopped early, or an empty text."""
        async with self.batch.engine as engine:
            with engine.sharing(self.batch.program) as self._shared_values:
                return await self._go()

    async def _go(self) -> str:
        workers: list[asyncio.Task[None]] = []
        try:
            first = await asyncio.to_thread(self._blocks.next)
            self.results.mend()
            self._groups = first or iter(())
            self._started = self._synced = time.monotonic()
            with using(budget=self.ledger):
                width = range(self.batch.rows_at_once)
                workers += [asyncio.create_task(self._work()) for _ in width]
                ending = asyncio.create_task(self._end(tuple(workers)))
                workers += [ending, asyncio.create_task(self._follow())]
                await self._wait_for(workers)
            self._settle_doubts(end=True)
            return self.exhausted
        except (_Stopped, BudgetExceeded) as reason:
            return str(reason)
        finally:
            self._blocks.stop()
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self.results.sync()

    async def _wait_for(self, workers: list[asyncio.Task[None]]) -> None:
        """Wait for the workers, or until a provider takes nothing more."""
        if self.waves is None:
            await asyncio.gather(*workers)
            return

        async def work() -> None:
            await asyncio.gather(*workers)

        working, stopping = asyncio.create_task(work()), asyncio.create_task(self.waves.stopped())
        either: set[asyncio.Future[Any]] = {working, stopping}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise _Stopped(stopping.result())
            working.result()
        finally:
            for task in either:
                task.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    async def _work(self) -> None:
        while not self.exhausted and (group := await self._next()) is not None:
            shared = self._shared_by(group)
            if shared is not None and not shared.done():
                await self._followers.put((group, shared))
                continue
            try:
                outcome = await self._outcome(group) if shared is None else shared.result()
            except BudgetExceeded as reason:
                self.exhausted = str(reason)
            else:
                self._note(group, outcome)

    async def _follow(self) -> None:
        """Write rows that share the answer of others, so that no worker has to wait."""
        while (waiting := await self._followers.get()) is not None:
            group, shared = waiting
            try:
                outcome = await asyncio.shield(shared)
            except BudgetExceeded:
                continue  # noted by the worker that asked
            self._note(group, outcome)

    async def _end(self, workers: tuple[asyncio.Task[None], ...]) -> None:
        await asyncio.gather(*workers)
        await self._followers.put(None)

    async def _next(self) -> Group | None:
        async with self._feed:
            while True:
                group = next(self._groups, None)
                if group is not None:
                    return group
                if self._blocks.ended:
                    return None
                block = await asyncio.to_thread(self._blocks.next)
                self._groups = block or iter(())

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
        answered = await self.batch.engine.run(
            answer_row, self._shared_values, group.text, self.source.textual
        )
        self._priced = self._priced and answered.priced
        return answered.outcome

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
            said = f"most rows fail for one reason ({reason}): {self.watch.first[reason]}"
            if self.waves is None:
                raise _Stopped(said)
            self.waves.stop(said)  # what is paid is still written

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
        if self.waves is not None:
            self.waves.note_activity()
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
        if not self._priced:
            return None
        return self.ledger.paid.dollars if self.dollars is None else self.dollars

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
            capped=self.waves is not None and bool(self.exhausted),
        )
