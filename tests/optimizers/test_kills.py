"""A compile that is killed goes on as if nothing had happened, and pays for nothing twice."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.forking import COMPILING, Forked, Forking
from tests.optimizers import compile_once

ROOT = Path(__file__).parents[2]


def compiling(
    member: str, run_dir: Path, calls: Path, width: int, cap: int, delay: float = 0.0
) -> list[str]:
    return [member, str(run_dir), str(calls), str(width), str(delay), str(cap)]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def asked_in(calls: Path) -> list[str]:
    return [line for line in lines(calls) if line.startswith("asked")]


def kill_after(running: Forked, calls: Path, answered: int) -> None:
    """Kill a compile as soon as the model has answered so many requests."""
    while running.poll() is None:
        if sum(line.startswith("done") for line in lines(calls)) >= answered:
            break
        time.sleep(0.01)
    running.kill()
    running.wait()


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, int], tuple[str, set[str]]]:
    """Return a function that compiles, and tells the digest and what was asked."""

    @cache
    def run(member: str, cap: int) -> tuple[str, set[str]]:
        folder = tmp_path_factory.mktemp("whole")
        wanted = compile_once.main(*compiling(member, folder / "run", folder / "calls", 16, cap))
        return wanted, {line.split()[1] for line in asked_in(folder / "calls")}

    return run


@pytest.mark.parametrize(
    ("member", "width", "cap", "kills"),
    [
        ("mipro", 64, 0, (20, 80, 60)),
        ("mipro", 8, 250, (90,)),
        ("random_search", 8, 0, (150,)),
    ],
)
def test_killed_and_resumed_it_ends_the_same_and_pays_nothing_twice(
    member: str,
    width: int,
    cap: int,
    kills: tuple[int, ...],
    tmp_path: Path,
    undisturbed: Callable[[str, int], tuple[str, set[str]]],
    processes: Forking,
) -> None:
    wanted, needed = undisturbed(member, cap)
    run_dir, calls = tmp_path / "killed", tmp_path / "calls"
    module = ["-m", compile_once.__name__]
    for answered in kills:
        done = sum(line.startswith("done") for line in lines(calls))
        arguments = compiling(member, run_dir, calls, width, cap, 0.002)
        running = processes.start([*module, *arguments], imports=COMPILING, folder=ROOT)
        kill_after(running, calls, done + answered)
    assert compile_once.main(*compiling(member, run_dir, calls, width, cap)) == wanted
    # Between the answer and the journal there is no way to know: those in flight may come twice.
    asked = Counter(line.split()[1] for line in asked_in(calls))
    again = sum(count - 1 for count in asked.values())
    assert again <= len(kills) * width
    assert set(asked) == needed
