"""Make faults by hand in a copy of the source, and see that a test fails for each.

Usage: python -m benchmarks.faults [--only NAME] [--checkpoint FILE]

Tests that pass whatever the code does show nothing. Each fault of ``faults.toml`` is a mistake
that would make a certificate, a split, a metric, a budget or a failure say something wrong. It is
put into a copy of the source, one at a time, and its tests have to fail there; without it they
have to pass. A fault whose text is not found exactly once is an error, so that the list stays with
the source.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.measured import Checkpoint, machine, publish, table, versions
from langprog.errors import LangprogError

ROOT = Path(__file__).parent.parent
LIST = Path(__file__).with_suffix(".toml")
PARTS = ("langprog", "optimizers", "programs", "tests", "pyproject.toml")
PASSED, FAILED = 0, 1  # of pytest's exit codes; all others mean that tests could not be run
SECONDS = 300
_FAILURE = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class FaultError(LangprogError):
    """A fault cannot be made, or its tests say nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake in one place of the source.

    Args:
        name: What is wrong with it.
        file: Where, from the root of the source.
        text: What is there now, exactly once.
        replacement: What is there instead.
        tests: Files of tests, or single ones, of which one at least has to fail.
    """

    name: str
    file: str
    text: str
    replacement: str
    tests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a fault.

    Args:
        fault: The fault.
        caught_by: The test that failed; ``None`` if all passed.
    """

    fault: Fault
    caught_by: str | None


def load_faults() -> list[Fault]:
    """Return the known faults."""
    entries = tomllib.loads(LIST.read_text(encoding="utf-8"))["fault"]
    return [Fault(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def make_fault(fault: Fault, source: str) -> str:
    """Return source text with a fault.

    Args:
        fault: The fault.
        source: The text of its file.

    Raises:
        FaultError: What it replaces is not there exactly once.
    """
    count = source.count(fault.text)
    if count != 1:
        raise FaultError(
            f"the fault {fault.name!r} replaces a text that {fault.file} has {count} times: "
            "bring the list of faults up to date"
        )
    return source.replace(fault.text, fault.replacement)


class Copy:
    """A copy of the source, in which faults are made one at a time.

    Args:
        folder: An empty folder for it.
        root: The source.
    """

    def __init__(self, folder: Path, root: Path = ROOT) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        ignored = shutil.ignore_patterns("__pycache__")
        for part in PARTS:
            source = root / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=ignored)
            elif source.exists():
                shutil.copy(source, folder / part)
        # Later than any file: a module that was compiled in the same second is not taken again.
        self._clock = max(path.stat().st_mtime_ns for path in folder.rglob("*.py"))

    def check(self, tests: Sequence[str]) -> None:
        """Check that tests pass without any fault.

        Raises:
            FaultError: They do not.
        """
        code, said = self._run(tests)
        if code != PASSED:
            raise FaultError(f"without any fault, tests have to pass: {said[-2000:]}")

    def examine(self, fault: Fault) -> str | None:
        """Return the test that finds a fault; ``None`` if all pass.

        Raises:
            FaultError: It cannot be made, or its tests cannot be run.
        """
        path = self._folder / fault.file
        source = path.read_text(encoding="utf-8")
        self._write(path, make_fault(fault, source))
        try:
            code, said = self._run(fault.tests)
        finally:
            self._write(path, source)
        if code == PASSED:
            return None
        names = _FAILURE.findall(said)
        if code != FAILED or not names:
            raise FaultError(f"the tests of {fault.name!r} cannot be run: {said[-2000:]}")
        first: str = names[0]
        return first

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        self._clock += 2_000_000_000
        os.utime(path, ns=(self._clock, self._clock))

    def _run(self, tests: Sequence[str]) -> tuple[int, str]:
        """Run tests of the copy, up to the first that fails."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-x",
            "-q",
            "--tb=line",
            "-p",
            "no:cacheprovider",
        ]
        try:
            done = subprocess.run(
                [*command, *tests],
                cwd=self._folder,
                # Whatever else is installed, the copy comes first.
                env={**os.environ, "PYTHONPATH": str(self._folder)},
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            # A fault may make a test wait for ever; whoever runs the tests would see that, too.
            return FAILED, f"FAILED {tests[0]} (not done after {SECONDS} s)"
        return done.returncode, done.stdout + done.stderr


def examine_all(faults: Sequence[Fault], folder: Path, kept: Checkpoint) -> list[Outcome]:
    """Make faults one at a time, and see whether their tests fail.

    Args:
        faults: The faults.
        folder: An empty folder for the copy of the source.
        kept: What a stopped run has measured.

    Raises:
        FaultError: A fault cannot be made, or tests fail without it.
    """
    for fault in faults:
        make_fault(fault, (ROOT / fault.file).read_text(encoding="utf-8"))
    copy = Copy(folder)
    outcomes = []
    for fault in faults:
        name = f"without a fault: {', '.join(fault.tests)}"
        kept.measure_once(name, partial(copy.check, fault.tests))
        caught_by = kept.measure_once(str(fault), partial(copy.examine, fault))
        outcomes.append(Outcome(fault, caught_by))
    return outcomes


def describe(outcomes: Sequence[Outcome]) -> str:
    """Return a table of faults and the tests that found them."""
    rows = [("fault", "in", "found by")]
    for outcome in outcomes:
        test = (outcome.caught_by or "").removeprefix("tests/")
        test = f"`{test}`" if test else "**nothing**"
        rows.append((outcome.fault.name, f"`{outcome.fault.file}`", test))
    return table(rows)


def main(arguments: list[str]) -> int:
    """Make every fault and publish what found it."""
    parser = argparse.ArgumentParser(description=__doc__, prog="benchmarks.faults")
    parser.add_argument("--only", metavar="NAME", help="one fault; nothing is published")
    parser.add_argument("--checkpoint", type=Path, help="goes on where a stopped run ended")
    parser.add_argument(
        "--measured",
        action="store_true",
        help="publish what the checkpoint holds, and run nothing",
    )
    options = parser.parse_args(arguments)
    faults = [fault for fault in load_faults() if options.only in (None, fault.name)]
    if not faults:
        parser.error(f"there is no fault {options.only!r} in {LIST.name}")
    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoint(options.checkpoint or Path(folder) / "kept.jsonl")
        if options.measured:
            faults = [fault for fault in faults if str(fault) in kept]
        outcomes = examine_all(faults, Path(folder) / "copy", kept)
    caught = sum(outcome.caught_by is not None for outcome in outcomes)
    if options.only is None:
        publish(
            "faults",
            "# Faults made by hand, and the tests that find them\n\n"
            f"`python -m benchmarks.faults`; {machine()}; {versions('langprog', 'pytest')}.\n\n"
            "Each fault is made alone in a copy of the source; its tests pass without it. "
            f"{len(outcomes)} of the {len(load_faults())} faults of `faults.toml` were made, "
            f"{caught} of them are found.\n\n{describe(outcomes)}",
        )
    else:
        sys.stdout.write(describe(outcomes) + "\n")
    return 0 if caught == len(outcomes) else 1


if __name__ == "__main__":
    try:
        code = main(sys.argv[1:])
    except FaultError as error:
        code = 2
        sys.stderr.write(f"{error}\n")
    sys.exit(code)
