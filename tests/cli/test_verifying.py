"""``langprog verify`` against an endpoint whose model changes its answers."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from langprog.lm import Request, Server
from tests.forking import COMMAND_LINE, Forked, Forking


class Changing:
    """An endpoint in a thread; ``answer`` is what its model says."""

    def __init__(self) -> None:
        self.answer, self.url = "billing", ""
        self.calls, self.kill_at = 0, 0
        self.victim: Forked | None = None
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def _reply(self, request: Request) -> str:
        self.calls += 1
        if self.victim is not None and self.calls == self.kill_at:
            self.victim.kill()
        return f"[[team]]\n{self.answer}"

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with Server({"house/m": lp.ScriptedLM(self._reply, name="house/m")}) as server:
            self.url = server.base_url
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> Changing:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Changing]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    save_program(lp.Predict("ticket -> team", adapter="chat"), tmp_path / "a.json")
    rows = [json.dumps({"ticket": f"ticket {number}"}) for number in range(10)]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows))
    with Changing() as endpoint:
        yield endpoint


def test_from_a_record_to_an_alarm(place: Changing, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--lm", "house/m", "--base-url", place.url]
    assert run(["verify", "a.json", *asked]) == 2
    assert "record some while the model is trusted" in capsys.readouterr().err
    assert run(["verify", "a.json", "--record", "--data", "rows.jsonl", *asked]) == 0
    assert "recorded 10 canaries with 4 replies each" in capsys.readouterr().out
    assert run(["verify", "a.json", *asked]) == 0
    said = capsys.readouterr().out
    assert "no drift found: 10 new runs" in said and "10 calls now" in said
    assert (
        run(["verify", "a.json", "--watch", "0.01", "--state", "s", "--calls", "15", *asked]) == 0
    )
    assert "15 new runs compared" in capsys.readouterr().out
    place.answer = "sales"
    assert run(["verify", "a.json", "--watch", "0.01", *asked]) == 1
    said = capsys.readouterr().out
    assert 'before  team: "billing" (4x)' in said and 'now     team: "sales"' in said
    assert Path("a.json.verify").is_file()
    # What was found stays found, without a call.
    assert run(["verify", "a.json", "--state", "a.json.verify", "--json", *asked]) == 1
    assert json.loads(capsys.readouterr().out)["calls"] == 0


def test_a_killed_watch_goes_on_where_it_was(
    place: Changing, capsys: pytest.CaptureFixture[str], processes: Forking
) -> None:
    asked = ["--lm", "house/m", "--base-url", place.url]
    record = ["--record", "--data", "rows.jsonl", "--replies", "2"]
    assert run(["verify", "a.json", *record, *asked]) == 0
    # In the second look, after the ten runs of the first one.
    place.calls, place.kill_at = 0, 15
    command = ["-m", "langprog", "verify", "a.json", "--watch", "0.01", *asked]
    place.victim = processes.start(command, imports=COMMAND_LINE)
    assert place.victim.wait() == -signal.SIGKILL
    assert run(["verify", "a.json", "--state", "a.json.verify", *asked]) == 0
    assert "no drift found: 20 new runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["a.json", "--record"], "--record needs rows"),
        (["a.json", "--data", "rows.jsonl"], "--data is for --record"),
        (["a.json", "--watch", "0"], "above 0"),
        (["none.json"], "there is no such file"),
    ],
)
def test_bad_input_is_one_sentence(
    more: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["verify", *more]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
