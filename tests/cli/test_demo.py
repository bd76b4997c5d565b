"""The demo's journey, with a scripted model in the place of the embedded one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from programs import tickets
from programs.tickets import PARTS, records
from tests.forking import COMPILING, Forked, Forking

ANSWERS = {
    row.ticket: row
    for part in ("train", "validation", "holdout")
    for row in lp.load_examples(records(part))  # type: ignore[arg-type]  # a Literal
}
COMMAND = ["demo", "--lm", "openai/scripted"]
ROWS = 28  # of each part, as calls take time
# The command in a process of its own, with the files of the folder it is started in.
ENTRY = """
from pathlib import Path
from langprog.cli import main
from programs import tickets

tickets.records = lambda part: Path("tickets", f"{part}.jsonl")
main()
"""


def learner(request: lp.Request) -> str:
    """Know the answer where demonstrations are shown, else say the same to everything."""
    wanted = request.messages[0].content.rsplit("\n", 1)[-1]
    if "[[instruction]]" in wanted:
        return "[[instruction]]\nLook at the words of the ticket."
    if "[[summary]]" in wanted:
        return "[[summary]]\nTickets."
    field = "team" if "[[team]]" in wanted else "priority"
    usual = {"team": "harbor", "priority": "normal"}[field]
    if len(request.messages) < 4:
        return f"[[{field}]]\n{usual}"
    ticket = request.messages[-1].content.split("\n")[1]
    return f"[[{field}]]\n{ANSWERS[ticket][field] if ticket in ANSWERS else usual}"


def stubborn(request: lp.Request) -> str:
    """Learn nothing from anything."""
    return learner(lp.Request(messages=request.messages[:1]))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    folder = tmp_path / "tickets"
    folder.mkdir()
    for part in PARTS:
        lines = records(part).read_text().splitlines(keepends=True)
        (folder / f"{part}.jsonl").write_text("".join(lines[:ROWS]))
    monkeypatch.setattr(tickets, "records", lambda part: folder / f"{part}.jsonl")
    return tmp_path


def test_it_compiles_saves_and_runs_in_a_fresh_process_and_a_terminal_shows_a_bar(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
    capsys: pytest.CaptureFixture[str],
    processes: Forking,
) -> None:
    model = lp.ScriptedLM(learner, name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    reader, terminal = os.openpty()
    with (place / "stdout").open("wb") as out:
        process = processes.start(
            ["-c", ENTRY, *COMMAND], imports=COMPILING, stdout=out.fileno(), stderr=terminal
        )
    os.close(terminal)
    bar = _read_all(reader)
    assert process.wait() == 0, bar
    _check_bar(bar)
    shown = (place / "stdout").read_text()
    for words in ("certified: 0.", "difference +0.", "the first change of a prompt", "  + {"):
        assert words in shown
    answers = (place / "langprog-demo" / "new.out.jsonl").read_text().splitlines()
    assert len(answers) == 4 and all("outputs" in json.loads(line) for line in answers)
    assert "<html" in (place / "langprog-demo" / "triage.html").read_text().lower()
    assert "before" in (place / "langprog-demo" / "triage.svg").read_text()
    told = _commands(shown)
    assert len(told) == 2
    for command in told:
        assert run(shlex.split(command)) == 0
    assert "harbor" in capsys.readouterr().out


def _check_bar(shown: str) -> None:
    """It shows the stage, what was spent, and what is left."""
    for stage in ("bootstrap", "search", "certify"):
        assert re.search(rf"{stage} .*━.*\d/\d+.*\d calls", shown), stage
    assert "best so far" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back


def _read_all(reader: int) -> str:
    """Return what was written to a terminal until nobody has it open any more."""
    found = b""
    with contextlib.suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(reader, 65536):
            found += part
    os.close(reader)
    return found.decode()


def _commands(shown: str) -> list[str]:
    lines = [line.split("langprog ", 1)[1] for line in shown.splitlines() if "langprog " in line]
    return [line for line in lines if line.startswith("show ") or " --input " in line]


def test_without_a_gain_it_says_so_and_exits_with_1(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = lp.ScriptedLM(stubborn, name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    assert run(COMMAND) == 1
    assert "No gain could be certified" in capsys.readouterr().out


def test_an_interrupted_demo_goes_on_and_an_ended_one_starts_anew(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
    capsys: pytest.CaptureFixture[str],
    processes: Forking,
) -> None:
    victims: list[Forked] = []

    def interrupting(request: lp.Request) -> str:
        if len(model.requests) == 80:
            victims[0].send_signal(signal.SIGINT)
        return learner(request)

    model = lp.ScriptedLM(interrupting, name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    victims.append(
        processes.start(["-c", ENTRY, *COMMAND], imports=COMPILING, stderr=subprocess.DEVNULL)
    )
    assert victims[0].wait() == 130
    monkeypatch.setenv("LANGPROG_CACHE", str(place / "other"))  # the journal alone has to do
    assert run(COMMAND) == 0
    assert "resuming: " in capsys.readouterr().err
    assert run(COMMAND) == 0  # the cache has all answers, so that it takes less time
    assert "resuming: " not in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_said(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "file").write_text("")
    assert run(["demo", "--out", "file/inside"]) == 2
    assert "--out: file/inside cannot be made" in capsys.readouterr().err
