"""A batch's progress fits 80 columns, and is silent until there is something to say."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.artifact import save_program
from langprog.batch import BatchProgress
from langprog.cli import counting
from tests.forking import COMMAND_LINE, Forking

FAST = BatchProgress(999_999, 1_000_000, 12_345, 999_999, 100.0, 1234.5)


@given(
    st.integers(0, 10**7),
    st.none() | st.integers(0, 10**7),
    st.integers(0, 10**6),
    st.floats(1, 10**6),
    st.none() | st.floats(0, 10**4),
)
def test_a_line_fits_80_columns(
    done: int, total: int | None, failed: int, seconds: float, dollars: float | None
) -> None:
    progress = BatchProgress(done, total, failed, done, seconds, dollars)
    assert len(counting.line_of(progress)) <= 80


def test_lines_say_what_is_of_use() -> None:
    progress = BatchProgress(2_500, 10_000, 3, 2_000, 100.0, 0.5)
    assert counting.line_of(progress) == (
        "  2,500 of 10,000 rows, 20 rows/s, $0.50, 6:15 left, 3 failed"
    )
    early = BatchProgress(1, None, 0, 1, 0.0, None)
    assert counting.line_of(early) == "  1 rows, 0 rows/s"
    wide = BatchProgress(999_999, 10**6, 10**5, 10**6, 1.0, 12345.0)
    assert counting.line_of(wide) == (
        "  999,999 of 1,000,000 rows, $12345.00, 0:00 left, 100,000 failed"
    )
    assert counting.clock(3 * 3600 + 62) == "3:01:02"


def test_lines_come_seldom_and_never_for_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr(counting.time, "monotonic", lambda: now)
    lines = counting.Lines()
    for second in range(100):
        now = float(second)
        lines.on(FAST)
    lines.on(BatchProgress(5, 5, 0, 5, 1.0, None))
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Path:
    model = lp.ScriptedLM(lambda request: "[[team]]\nbilling", name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    save_program(lp.Predict("ticket -> team", model="openai/scripted"), tmp_path / "a.json")
    rows = [{"ticket": f"ticket {number}"} for number in range(500)]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


COMMAND = ["-m", "langprog", "run", "a.json", "--batch", "in.jsonl", "--out"]


def test_a_bar_fits_a_terminal_of_80_columns(place: Path, processes: Forking) -> None:
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = processes.start(
        [*COMMAND, "out.jsonl"],
        imports=COMMAND_LINE,
        folder=place,
        environment=environment,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    said = b""
    while True:
        try:
            piece = os.read(leader, 2**16)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(leader)
    assert process.wait() == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\r", said.decode())
    frames = [frame for frame in re.split(r"[\r\n]+", text) if frame.strip()]
    assert frames[-1] == "500 rows written, 0 failed"
    assert all(len(frame) <= 80 for frame in frames), frames


def test_elsewhere_a_short_run_says_one_line(place: Path, processes: Forking) -> None:
    process = processes.start(
        [*COMMAND, "o.csv"],
        imports=COMMAND_LINE,
        folder=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.communicate() == ("", "500 rows written, 0 failed\n")
    assert process.returncode == 0
