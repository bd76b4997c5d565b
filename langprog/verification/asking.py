"""Asking canaries again, and telling whether the models have changed."""

from __future__ import annotations

import json
import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from langprog.artifact import Artifact, digest_of, read_artifact
from langprog.errors import InputError, LangprogError
from langprog.evaluation import bets_until
from langprog.knobs import check_argument, takes_number, takes_whole
from langprog.lm import Budget, LanguageModel, Ledger
from langprog.locking import lock_file
from langprog.modules import Module
from langprog.runtime import give_notice, run_sync
from langprog.verification.canaries import check_canaries, is_run
from langprog.verification.drift import (
    MOST_RUNS,
    ChangedReply,
    DriftTest,
    StreamResult,
    show_reply,
)
from langprog.verification.runs import Run, run_of, run_uncached


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found; ``str`` gives it as text.

    Args:
        drifted: Whether the models answer otherwise than recorded.
        runs: New runs that were compared, those of earlier looks included.
        missing: Runs of this look that were lost to outages or to the budget; not counted.
        lost: Why the first of them was.
        calls: Calls made in this look.
        spent: Whether the budget did not suffice for all of it.
        threshold: The wealth at which a change counts as found.
        results: The test of each module, and end to end.
        changes: If drifted, new replies unlike all recorded ones.
        used_up: Whether no canary takes more replies: record new ones.
        until: Estimated replies until a change is found, from wealth 1, by the share of replies
            that change; ``None`` if it is above 200.
    """

    drifted: bool
    runs: int
    missing: int
    lost: str
    calls: int
    spent: bool
    threshold: float
    results: tuple[StreamResult, ...]
    changes: tuple[ChangedReply, ...]
    used_up: bool
    until: tuple[tuple[float, int | None], ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return asdict(self)

    def __str__(self) -> str:
        end = "drift" if self.drifted else "no drift found"
        lines = [f"{end}: {self.runs} new runs compared with the record, {self.calls} calls now"]
        for result in self.results:
            unknown = f", {result.unknown} to prompts not on record" if result.unknown else ""
            lines.append(
                f"  {result.name}: {result.replies} replies{unknown}, wealth {result.wealth:.3g} "
                f"(at most {result.peak:.3g}; alarm at {self.threshold:.3g})"
            )
        for change in self.changes[:5]:
            before = " | ".join(f"{show_reply(text)} ({n}x)" for text, n in change.before[:3])
            lines.append(f"  {change.stream}, canary {change.canary}:")
            lines.append(f"    before  {before}")
            lines.append(f"    now     {show_reply(change.after)}")
        if len(self.changes) > 5:
            lines.append(f"  and {len(self.changes) - 5} more")
        if self.missing:
            lines.append(f"  {self.missing} runs are missing, and not counted: {self.lost}")
        if not self.drifted:
            lines.append(f"  it takes about {self._describe_power()}")
        if self.used_up:
            lines.append("  the canaries are used up: record new ones, langprog verify --record")
        return "\n".join(lines)

    def _describe_power(self) -> str:
        texts = [
            f"{count or 'more than 200'} replies if {share:.0%} of them change"
            for share, count in self.until
        ]
        return ", ".join(texts)


def verify(
    program: Module | Artifact | str | os.PathLike[str],
    *,
    canaries: Sequence[Mapping[str, Any]] | None = None,
    budget: Budget | Ledger | None = None,
    lm: LanguageModel | str | None = None,
    alpha: float = 0.05,
    concurrency: int = 8,
    state: str | os.PathLike[str] | None = None,
) -> Verification:
    """Ask the canaries again, past every cache, and test whether the replies are as recorded.

    The test may be repeated as often as one likes if ``state`` names a file: it then goes on where
    it was, and the chance of an alarm without a change is at most ``alpha`` over all looks. Looks
    of several processes at one file come one after another, so that each reply is bet on once. It
    stops asking once a change is found. An outage is missing data, never drift.

    Args:
        program: An artifact with canaries; or a program, together with ``canaries``.
        canaries: What :func:`record_canaries` returned; by default those of the artifact.
        budget: A hard cap on all calls made here.
        lm: Model for the predictors that do not name one.
        alpha: The chance of an alarm without a change, divided among the modules.
        concurrency: Runs at the same time.
        state: A file that keeps the new runs from one look to the next.

    Raises:
        InputError: There are no canaries, or the file is not the state of this test.
        LangprogError: No run could be compared.
    """
    check_argument("verify", "alpha", alpha, takes_number(0, 1, above=True, below=True))
    check_argument("verify", "concurrency", concurrency, takes_whole(1))
    if isinstance(program, Module):
        loaded, rows, place = program, canaries, "the program"
    else:
        artifact = program if isinstance(program, Artifact) else read_artifact(program)
        loaded, place = artifact.program(), str(artifact.path)
        rows = artifact.data.canary if canaries is None else canaries
    known = check_canaries(list(rows or ()), place)
    ledger = budget if isinstance(budget, Ledger) else Ledger(budget or Budget())
    file = None if state is None else Path(os.path.realpath(state))
    with nullcontext() if file is None else _locked(file):
        return _Look(loaded, known, alpha, file).take(ledger, lm, concurrency)


@contextmanager
def _locked(state: Path) -> Iterator[None]:
    """Keep other processes from a state file; a lock of its own, as the file itself is replaced.

    Raises:
        InputError: The lock cannot be written.
    """
    try:
        fd = os.open(f"{state}.lock", os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise InputError(f"{state}.lock cannot be written: {error.strerror}") from None
    try:
        if not lock_file(fd, wait=False):
            give_notice(f"waiting for another verification that uses {state}")
            lock_file(fd)
        yield
    finally:
        os.close(fd)


class _Look:
    def __init__(
        self,
        program: Module,
        canaries: Sequence[Mapping[str, Any]],
        alpha: float,
        state: Path | None,
    ) -> None:
        self._program, self._canaries, self._state = program, canaries, state
        self._digest = digest_of([*canaries, alpha])
        self._test = DriftTest(canaries, alpha, self._digest)
        self._kept: list[tuple[int, Run]] = []
        self._counts = [0] * len(canaries)
        for index, run in _read_state(state, self._digest, len(canaries)):
            self._add(index, run)

    def _add(self, index: int, run: Run) -> None:
        self._test.add(index, run)
        self._kept.append((index, run))
        self._counts[index] += 1

    def take(
        self, ledger: Ledger, lm: LanguageModel | str | None, concurrency: int
    ) -> Verification:
        """Ask every canary once more, until a change is found."""
        order = [index for index, count in enumerate(self._counts) if count < MOST_RUNS]
        random.Random(f"{self._digest} {len(self._kept)}").shuffle(order)
        before, compared, missing, lost, spent = ledger.paid.calls, 0, 0, "", False
        while order and not self._test.drifted and not spent:
            block, order = order[:concurrency], order[concurrency:]
            report = run_sync(run_uncached(
                self._program, [self._canaries[index]["inputs"] for index in block],
                ledger=ledger, lm=lm, concurrency=concurrency,
            ))  # fmt: skip
            for index, row in zip(block, report.rows, strict=True):
                run = run_of(row)
                if run is not None:
                    self._add(index, run)
                    compared += 1
                elif row.failure is not None:
                    missing, lost = missing + 1, lost or row.failure.message
                    spent = spent or row.failure.kind == "budget"
            self._save()
        if missing and not compared and self._state is None:
            raise LangprogError(f"no canary could be asked, so nothing was tested: {lost}")
        shares = (1.0, 0.5, 0.25)
        test = self._test
        return Verification(
            test.drifted, test.runs, missing, lost, round(ledger.paid.calls - before),
            spent,
            test.threshold,
            test.results, test.changes, min(self._counts) >= MOST_RUNS,
            tuple((each, bets_until(test.threshold, test.replies, each)) for each in shares),
        )  # fmt: skip

    def _save(self) -> None:
        if self._state is None:
            return
        data = {"canaries": self._digest, "runs": self._kept}
        target = self._state
        try:
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(data, file, ensure_ascii=False)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(name, target)
            finally:
                Path(name).unlink(missing_ok=True)
        except OSError as error:
            raise InputError(f"{target} cannot be written: {error.strerror}") from None


def _read_state(path: Path | None, digest: str, canaries: int) -> list[tuple[int, Run]]:
    """Return the runs in a file; none if there is no file.

    Raises:
        InputError: It is not the state of this test.
    """
    if path is None or not path.exists():
        return []
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        kept, runs = data["canaries"], [(index, run) for index, run in data["runs"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path} is not the state of a verification: name another file, or remove it"
        ) from None
    if kept != digest:
        raise InputError(
            f"{path} is the state of a test of other canaries, or at another alpha: name another "
            "file, or remove it to start a new test"
        )
    if not all(type(at) is int and 0 <= at < canaries and is_run(run) for at, run in runs):
        raise InputError(f"{path} is damaged: remove it to start a new test")
    return runs
