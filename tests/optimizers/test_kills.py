"""A compile that is killed goes on as if nothing had happened, and pays for nothing twice."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def process(member: str, run_dir: Path, calls: Path, width: int, cap: int, delay: float):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.optimizers.compile_once"]
        + [member, str(run_dir), str(calls), str(width), str(delay), str(cap)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def asked_in(calls: Path) -> list[str]:
    return [line for line in lines(calls) if line.startswith("asked")]


def kill_after(
    member: str, run_dir: Path, calls: Path, width: int, cap: int, answered: int
) -> None:
    """Start a compile, and kill it as soon as the model has answered so many requests more."""
    before = sum(line.startswith("done") for line in lines(calls))
    running = process(member, run_dir, calls, width, cap, 0.002)
    while running.poll() is None:
        if sum(line.startswith("done") for line in lines(calls)) >= before + answered:
            break
        time.sleep(0.01)
    running.kill()
    running.communicate()


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, int], tuple[str, set[str]]]:
    """Return a function that compiles in a process, and tells the digest and what was asked."""

    @cache
    def run(member: str, cap: int) -> tuple[str, set[str]]:
        folder = tmp_path_factory.mktemp("whole")
        whole = process(member, folder / "run", folder / "calls", 16, cap, 0.0)
        wanted = whole.communicate()[0]
        assert wanted
        return wanted, {line.split()[1] for line in asked_in(folder / "calls")}

    return run


@pytest.mark.parametrize(
    ("member", "width", "cap", "kills"),
    [
        ("mipro", 64, 0, (20, 150, 120)),
        ("mipro", 8, 420, (150,)),
        ("random_search", 8, 0, (300,)),
    ],
)
def test_killed_and_resumed_it_ends_the_same_and_pays_nothing_twice(
    member: str,
    width: int,
    cap: int,
    kills: tuple[int, ...],
    tmp_path: Path,
    undisturbed: Callable[[str, int], tuple[str, set[str]]],
) -> None:
    wanted, needed = undisturbed(member, cap)
    run_dir, calls = tmp_path / "killed", tmp_path / "calls"
    for answered in kills:
        kill_after(member, run_dir, calls, width, cap, answered)
    final = process(member, run_dir, calls, width, cap, 0.0)
    assert final.communicate()[0] == wanted
    # Between the answer and the journal there is no way to know: those in flight may come twice.
    asked = Counter(line.split()[1] for line in asked_in(calls))
    again = sum(count - 1 for count in asked.values())
    assert again <= len(kills) * width
    assert set(asked) == needed
