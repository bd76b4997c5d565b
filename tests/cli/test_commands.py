from __future__ import annotations

import asyncio
import importlib
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.artifact.format import FORMAT
from langprog.cli.loading import load_object
from langprog.cli.main import run
from langprog.errors import LangprogError
from tests.forking import COMMAND_LINE, Forking

PROGRAM = """
import langprog as lp

program = lp.Predict("ticket -> team")
number = 7


def metric(example, prediction):
    return example.team == prediction.team


def wrong(example):
    return True


def broken(example, prediction):
    return example.colour
"""
SERVE = ["-m", "langprog", "lm", "serve", "openai/scripted", "--port", "0"]
SERVING = (*COMMAND_LINE, "aiohttp.web")
WORDS = {"bill": "billing", "wifi": "network"}


def answer(request: lp.Request) -> str:
    """Route by a word, once an instruction or a demonstration says that it matters."""
    system, last = request.messages[0].content, request.messages[-1].content
    wanted = system.rsplit("\n", 1)[-1]
    if "[[instruction]]" in wanted:
        return "[[instruction]]\nLook at the words: bill means billing, wifi means network."
    if "[[summary]]" in wanted:
        return "[[summary]]\nTickets."
    if len(request.messages) == 2 and "words" not in system:
        return "[[team]]\nbilling"
    return f"[[team]]\n{next((team for word, team in WORDS.items() if word in last), 'billing')}"


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("mine", "raises", "leaves"):  # of another test's folder
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    model = lp.ScriptedLM(answer, name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    (tmp_path / "mine.py").write_text(PROGRAM)
    rows = [
        {"ticket": f"the {word} number {i} is wrong", "team": team}
        for i in range(30)
        for word, team in WORDS.items()
    ]
    (tmp_path / "data.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    save_program(lp.Predict("ticket -> team", model="openai/scripted"), tmp_path / "a.json")
    return tmp_path


COMPILE = (
    "compile mine.py:program --train data.jsonl --metric mine.py:metric --out out.json "
    "--lm openai/scripted"
)


def test_the_journey(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*COMPILE.split(), "--calls", "900", "--report", "report.html"]) == 0
    assert "certified" in capsys.readouterr().out
    assert run(["show", "out.json"]) == 0
    shown = capsys.readouterr().out
    assert "certified" in shown and "demo 1" in shown or "words" in shown
    assert run(["run", "out.json", "--input", '{"ticket": "the wifi is slow"}']) == 0
    assert json.loads(capsys.readouterr().out) == {"team": "network"}
    arguments = ["eval", "out.json", "--data", "data.jsonl", "--metric", "exact:team", "--json"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == 1.0
    assert "<html" in (place / "report.html").read_text().lower()


def test_a_certificate_has_terms_of_its_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "must.jsonl").write_text('{"ticket": "must pass", "team": "nobody"}\n')
    terms = "--must-pass must.jsonl --repeats 2 --max-errors 0 --objective cost --tolerance 0.2"
    assert run([*COMPILE.split(), "--optimizer", "labeled", *terms.split()]) == 0
    shown = capsys.readouterr()
    assert "all of 2 runs pass on" in shown.out and "0 of 1 pass" in shown.out
    assert "must_pass[0] in 2 of 2 runs" in shown.out


def test_an_estimate_says_what_a_compile_takes(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = COMPILE.replace("compile", "estimate", 1).replace("--out out.json ", "")
    assert run([*asked.split(), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert run([*COMPILE.split(), "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    last = [event for event in events if event["event"] == "spend"][-1]
    taken = last["paid"]["calls"] + last["reused"]
    low, high = found["calls"]
    assert low / 1.5 <= taken <= high * 1.5
    assert found["refusal"] is None and found["probe"]["score"]["n"] == 12
    assert run(asked.split()) == 0
    assert "holdout examples: a gain of" in capsys.readouterr().out


def test_a_budget_that_buys_nothing_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = COMPILE.replace("compile", "estimate", 1).replace("--out out.json ", "")
    assert run([*asked.split(), "--calls", "30"]) == 1
    assert "not worth starting: the budget buys no candidate" in capsys.readouterr().out
    assert run([*COMPILE.split(), "--calls", "30"]) == 2
    assert "buys no candidate" in capsys.readouterr().err
    assert not (place / "out.json").exists()


def test_show_says_the_format_and_what_a_program_was_made_from(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = save_program(lp.Predict("ticket -> team"), place / "a.json")
    changed = lp.load(place / "a.json").with_parameters({"predict.instruction": "Sort it."})
    second = lp.save(changed, place / "b.json")
    save_program(lp.load(place / "b.json"), place / "c.json", optimizer="Labeled")
    assert run(["show", "c.json"]) == 0
    shown = capsys.readouterr().out
    assert f"format {FORMAT}, written by" in shown
    assert f"compiled by Labeled from {second}\nedited from {first}\n" in shown


def test_show_names_the_checks_and_takes_the_module_of_those_in_code(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "short.py").write_text("def is_short(team: str) -> bool:\n    return len(team) < 9\n")
    is_short = load_object("short.py:is_short", "CHECK")
    checks = [
        lp.Check(is_short, "be brief", level="suggest"),
        lp.checks.regex("team", "[a-z]+"),
    ]
    save_program(lp.Predict("ticket -> team", checks=checks, reasks=3), place / "checked.json")
    assert run(["show", "checked.json"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "needs your check 'is_short' (short:is_short)" in said and "--allow short" in said
    assert run(["show", "checked.json", "--allow", "short"]) == 0
    shown = capsys.readouterr().out
    assert "suggest is_short: be brief" in shown
    assert "require regex(team): pattern='[a-z]+', whole=True" in shown
    assert "up to 3 times" in shown


def test_an_allowed_module_may_lie_in_the_folder_of_the_command(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "beside.py").write_text(
        "def is_brief(team: str) -> bool:\n    return len(team) < 9\n"
    )
    is_brief = load_object("beside.py:is_brief", "CHECK")
    save_program(lp.Predict("ticket -> team", checks=[lp.Check(is_brief, "x")]), place / "b.json")
    monkeypatch.delitem(sys.modules, "beside")  # as in a process of its own
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each not in ("", str(place))])
    importlib.invalidate_caches()
    assert run(["show", "b.json", "--allow", "beside"]) == 0
    shown = capsys.readouterr().out
    assert "require is_brief: x" in shown and "cannot be imported" not in shown


def test_show_says_what_votes_and_cascades_are_set_to(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = lp.Predict("ticket -> team")
    steps = lp.Cascade.over(asked, ["pocket/small", "pocket/medium"], thresholds=[0.9])
    save_program(lp.Vote(steps, k=3), place / "vote.json")
    assert run(["show", "vote.json"]) == 0
    shown = capsys.readouterr().out
    assert "Vote" in shown and "Cascade" in shown
    assert "[[0, 0.9], [1, null]]" in shown
    assert "pocket/medium" in shown


def test_the_same_command_again_pays_nothing_and_gives_the_same_artifact(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(COMPILE.split()) == 0
    first = json.loads((place / "out.json").read_text())["digest"]
    (place / "out.json").unlink()
    assert run([*COMPILE.split(), "--width", "1"]) == 0
    assert json.loads((place / "out.json").read_text())["digest"] == first


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "Missing command"),
        ("frobnicate", "frobnicate"),
        ("compile", "program"),
        (COMPILE.replace("data.jsonl", "nope.jsonl"), "nope.jsonl: there is no such file"),
        (COMPILE.replace("data.jsonl", "bad.jsonl"), "bad.jsonl:2: not JSON"),
        (COMPILE.replace("data.jsonl", "other.jsonl"), "other.jsonl:1: lacks the input 'ticket'"),
        (COMPILE.replace("mine.py:program", "none.py:program"), "no file none.py"),
        (COMPILE.replace("mine.py:program", "mine.py:missing"), "no 'missing'"),
        (COMPILE.replace("mine.py:program", "mine.py:number"), "is a int"),
        (COMPILE.replace("mine.py:program", "raises.py:program"), "cannot be imported at line 2"),
        (COMPILE.replace("mine.py:program", "leaves.py:program"), "SystemExit: 0"),
        (COMPILE.replace("mine.py:program", "random.py:program"), "rename the file"),
        (COMPILE.replace("mine.py:program", "mine"), "package.module:name"),
        (COMPILE.replace("mine.py:program", "no.such.module:x"), "no module no.such.module"),
        (COMPILE.replace("mine.py:metric", "mine.py:wrong"), "metric(example, prediction)"),
        (COMPILE.replace("mine.py:metric", "mine.py:broken"), "trainset["),
        (COMPILE.replace("mine.py:metric", "nothing"), "METRIC 'nothing'"),
        (COMPILE.replace("openai/scripted", "gpt"), "no provider"),
        (COMPILE.replace("openai/scripted", "pocket/gigantic"), "pocket/gigantic"),
        (COMPILE.replace("openai/scripted", "groq/some-model"), "GROQ_API_KEY"),
        (COMPILE.replace("openai/scripted", "openai/unknown"), "unknown"),
        (COMPILE.replace("out.json", "no/folder/out.json"), "no/folder does not exist"),
        (f"{COMPILE} --calls -1", "-1"),
        (f"{COMPILE} --width 0", "--width"),
        (f"{COMPILE} --optimizer magic", "magic"),
        (f"{COMPILE} --accept everything", "certified or best"),
        (f"{COMPILE} --repeats 0", "--repeats"),
        (f"{COMPILE} --must-pass nope.jsonl", "nope.jsonl: there is no such file"),
        (f"{COMPILE} --objective cost --tolerance 2", "give less than 1"),
        (f"{COMPILE} --optimizer labeled --auto light", "no --auto; these have: compiler, mipro"),
        (f"{COMPILE} --optimizer selector", "--models A,B"),
        (f"{COMPILE} --optimizer cascade", "no Cascade: wrap it"),
        (f"{COMPILE} --optimizer router", "no Route: wrap it"),
        (f"{COMPILE} --optimizer votes", "no Vote and no BestOf"),
        ("eval tampered.json --data data.jsonl --metric exact", "changed after it was written"),
        ("eval newer.json --data data.jsonl --metric exact", "upgrade langprog"),
        ("eval a.json --data data.jsonl --metric f1:colour", "colour"),
        ("show nothing.json", "no such file"),
        ("show data.jsonl", "not an artifact"),
        ("run a.json", "--input"),
        ("run a.json --input notjson", "--input: not JSON"),
        ("run a.json --input {}", "lacks 'ticket'"),
        ("run a.json --batch data.jsonl", "--out"),
        ("run a.json --batch none.jsonl --out o.jsonl", "none.jsonl"),
        ("lm serve pocket/gigantic", "gigantic"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    place: Path,
    command: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    (place / "bad.jsonl").write_text('{"ticket": "a", "team": "b"}\n{"ticket": \n')
    (place / "other.jsonl").write_text('{"text": "a", "team": "b"}\n' * 30)
    (place / "raises.py").write_text("import os\nraise RuntimeError('on purpose')\n")
    (place / "leaves.py").write_text("raise SystemExit(0)\n")
    (place / "random.py").write_text(PROGRAM)
    data = json.loads((place / "a.json").read_text())
    (place / "tampered.json").write_text(json.dumps({**data, "langprog": "9"}))
    newer = {**data, "format": 99}
    del newer["digest"]
    (place / "newer.json").write_text(json.dumps({**newer, "digest": digest_of(newer)}))
    assert run(command.split()) == 2
    captured = capsys.readouterr()
    last = captured.err.strip().splitlines()[-1]
    assert last.startswith("langprog: ") and words in last
    assert "Traceback" not in captured.err + captured.out
    assert not (place / "out.json").exists()


def batch(place: Path, rows: int) -> list[str]:
    lines = [json.dumps({"ticket": f"the wifi {i} is slow"}) for i in range(rows)]
    (place / "in.jsonl").write_text("\n".join(lines) + "\n")
    return ["run", "a.json", "--batch", "in.jsonl", "--out", "o.jsonl", "--width", "4"]


def results(place: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (place / "o.jsonl").read_text().splitlines()]


def test_every_row_in_gives_one_row_out(place: Path) -> None:
    command = batch(place, 12)
    text = (place / "in.jsonl").read_text().splitlines()
    text[5] = '{"subject": "no ticket"}'
    text[6] = "not json"
    (place / "in.jsonl").write_text("\n".join(text) + "\n")
    assert run([*command, "--order", "input"]) == 1
    rows = results(place)
    assert [row["row"] for row in rows] == [*range(1, 13)]
    assert ["failure" in row for row in rows] == [i in (5, 6) for i in range(12)]
    assert rows[0]["outputs"] == {"team": "billing"}


def test_a_batch_goes_on_behind_a_torn_line(place: Path) -> None:
    command = [*batch(place, 9), "--order", "input"]
    assert run(command) == 0
    whole = (place / "o.jsonl").read_bytes()
    lines = whole.splitlines(keepends=True)
    (place / "o.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:10])
    assert run(command) == 0
    assert (place / "o.jsonl").read_bytes() == whole


def test_a_batch_leaves_a_file_alone_that_is_not_its_own(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = batch(place, 2)
    for precious in ('{"ticket": "the only copy"}', "no end of line", '{"key": "other"}\n'):
        (place / "o.jsonl").write_text(precious)
        assert run(command) == 2
        assert "name another file" in capsys.readouterr().err
        assert (place / "o.jsonl").read_text() == precious


def test_a_batch_does_not_write_over_its_source(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch(place, 1)
    before = (place / "in.jsonl").read_bytes()
    assert run(["run", "a.json", "--batch", "in.jsonl", "--out", "./in.jsonl"]) == 2
    assert "is the file that --batch reads" in capsys.readouterr().err
    assert (place / "in.jsonl").read_bytes() == before


def test_a_batch_mixes_no_two_programs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = batch(place, 3)
    assert run(command) == 0
    save_program(lp.Predict("ticket -> mood", model="openai/scripted"), place / "a.json")
    assert run(command) == 2
    assert "not the result of this program" in capsys.readouterr().err


def test_rows_that_are_no_text_are_rows_too(place: Path) -> None:
    command = batch(place, 1)
    rows = [
        b"\xef\xbb\xbf" + b'{"ticket": "wifi"}',
        b"\xff\xfe",
        b"",
        b'{"ticket": "half a \\ud800 pair"}',
        b"7",
    ]
    (place / "in.jsonl").write_bytes(b"\n".join(rows) + b"\n")
    assert run([*command, "--order", "input"]) == 1
    found = results(place)
    assert ["outputs" in row for row in found] == [True, False, False, False]
    assert "not UTF-8" in found[1]["failure"]["message"]
    assert "half of a character" in found[2]["failure"]["message"]


def test_a_batch_refuses_results_of_another_file(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(batch(place, 3)) == 0
    (place / "in.jsonl").write_text('{"ticket": "another"}\n')
    assert run(["run", "a.json", "--batch", "in.jsonl", "--out", "o.jsonl"]) == 2
    assert "row 1 is not the result of this program on row 1" in capsys.readouterr().err


def wait_until_closed(url: str) -> None:
    """Wait until nothing listens at an address any more."""
    address = urlsplit(url)
    assert address.hostname is not None and address.port is not None
    with pytest.raises(ConnectionRefusedError):
        while True:
            socket.create_connection((address.hostname, address.port), timeout=20).close()


def test_serve_answers_what_is_under_way_before_it_ends(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
    processes: Forking,
) -> None:
    asked, release = threading.Event(), threading.Event()

    def slow(request: lp.Request) -> str:
        asked.set()
        return "[[team]]\nbilling"

    class Slow(lp.ScriptedLM):
        async def complete(self, request: lp.Request) -> lp.Completion:
            completion = await super().complete(request)
            await asyncio.to_thread(release.wait, 20)
            return completion

    behind = scripted_endpoint(Slow(slow, name="openai/scripted"))
    monkeypatch.setenv("OPENAI_BASE_URL", behind)
    for signals in (1, 2):
        asked.clear()
        release.clear()
        process = processes.start(SERVE, imports=SERVING, stdout=subprocess.PIPE)
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        lm = lp.LM("openai/scripted", base_url=url, cache=False, attempts=1)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(lambda: lp.Predict("ticket -> team", model=lm)(ticket="wifi"))  # noqa: B023 - it ends in this round
            assert asked.wait(20)
            process.send_signal(signal.SIGTERM)
            if signals == 1:
                release.set()
                assert answer.result(20).team == "billing"
            else:
                wait_until_closed(url)  # the first signal was heard
                process.send_signal(signal.SIGTERM)
                with pytest.raises(LangprogError):
                    answer.result(20)
                release.set()
            assert process.wait() == 0
        process.stdout.close()


def test_serve_answers_until_it_is_stopped(place: Path, processes: Forking) -> None:
    process = processes.start(SERVE, imports=SERVING, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://127.0.0.1:")
        lm = lp.LM("openai/scripted", base_url=url, cache=False)
        with lp.using(lm=lm):
            assert lp.Predict("ticket -> team")(ticket="wifi").team == "billing"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait() == 0
        process.stdout.close()
