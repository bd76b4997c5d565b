from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import AuthError, InputError
from langprog.lm import Capabilities, Completion, Declared, ToolCall, Usage
from langprog.observe import read_calls
from langprog.observe.call_log import LONGEST
from langprog.runtime import run_sync

ANSWER = lp.Predict("question -> answer")
KEY = "sk-" + "a1b2" * 8


def look(at: str) -> str:
    """Look there."""
    return at * 1000


def entries_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_entry_for_each_call(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "calls.jsonl"
    reply = Completion(("[[answer]]\nParis",), "test/m", Usage(7, 3), ("stop",), dollars=0.5)
    with lp.callbacks(lp.CallLog(path)):
        with lp.using(lm=lp.ScriptedLM([reply, AuthError("no")])):
            ANSWER(question="Which city?")
            with pytest.raises(AuthError):
                ANSWER(question="Which city?")
        run_sync(lp.Tool(lambda: "found", name="look", description="").run({}))
    good, failed, tool = entries_of(path)
    assert (good["kind"], good["path"], good["name"]) == ("model", "predict", "scripted/lm")
    assert [message["role"] for message in good["messages"]] == ["system", "user"]
    assert "Which city?" in good["messages"][1]["content"]
    assert good["texts"] == ["[[answer]]\nParis"]
    assert (good["prompt_tokens"], good["completion_tokens"], good["dollars"]) == (7, 3, 0.5)
    assert (failed["error"], failed["message"]) == ("AuthError", "no")
    assert (tool["kind"], tool["name"], tool["result"]) == ("tool", "look", "found")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_calls_of_tools_and_their_results_read_as_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calls.jsonl"
    calls = (ToolCall("x", "look", '{"at": "Lyon"}'),)
    first = Completion(("Let me see.",), "m", Usage(7, 3), ("tool_calls",), tool_calls=(calls,))
    last = replace(first, tool_calls=((ToolCall("y", "submit", '{"answer": "z"}'),),))
    able = Declared(lp.ScriptedLM([first, last]), Capabilities(tools=True))
    with lp.callbacks(lp.CallLog(path)), lp.using(lm=able):
        lp.ReAct("question -> answer", [look])(question="Where?")
    messages = entries_of(path)[-1]["messages"]
    assert messages[2]["content"] == 'Let me see.\nlook {"at": "Lyon"} (call00001)'
    assert messages[3]["content"] == "Lyon" * 1000 + " (call00001)"
    assert run(["show", "--last", "--log", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "... (1,012 more characters)" in shown and "--full shows them" in shown
    assert run(["show", "--last", "--log", str(path), "--full"]) == 0
    assert "Lyon" * 1000 + " (call00001)" in capsys.readouterr().out


def test_secrets_are_left_out_and_long_texts_cut(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with lp.callbacks(lp.CallLog(path)), lp.using(lm=lp.ScriptedLM([f"[[answer]]\n{KEY}"])):
        ANSWER(question=f"{'x' * (LONGEST - 50)} {KEY} {'y' * LONGEST}")
    text = path.read_text()
    assert "a1b2" not in text
    assert "[secret]" in text
    assert "more characters)" in text
    assert len(text) < 2 * LONGEST


def test_without_content(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with (
        lp.callbacks(lp.CallLog(path, content=False)),
        lp.using(lm=lp.ScriptedLM(["[[answer]]\nParis"])),
    ):
        ANSWER(question="Which city?")
    assert "Paris" not in path.read_text()
    assert "Which" not in path.read_text()
    assert entries_of(path)[0]["finish_reason"] == "stop"


def test_its_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with (
        lp.callbacks(lp.CallLog(path, max_bytes=3000)),
        lp.using(lm=lp.ScriptedLM(lambda request: "[[answer]]\nParis")),
    ):
        for number in range(30):
            ANSWER(question=f"number {number}")
    assert sorted(os.listdir(tmp_path)) == ["calls.jsonl", "calls.jsonl.1"]
    assert path.stat().st_size <= 3000
    assert path.with_name("calls.jsonl.1").stat().st_size <= 3000
    last = read_calls(path, 4)
    assert [entry["messages"][1]["content"].split()[-1] for entry in last] == [
        *("26", "27", "28", "29")
    ]


def test_a_damaged_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    path.write_bytes(b'{"kind": "model"}\n{"ki\xff\n[1]\n{"kind": "tool"}\n')
    assert [entry["kind"] for entry in read_calls(path, 9)] == ["model", "tool"]
    with pytest.raises(InputError, match="LANGPROG_LOG"):
        read_calls(tmp_path / "no.jsonl", 1)


def test_a_log_that_cannot_be_written_loses_no_answer(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    log = lp.CallLog(tmp_path / "file" / "calls.jsonl")
    with lp.callbacks(log), lp.using(lm=lp.ScriptedLM(["[[answer]]\nParis"])):
        with pytest.warns(lp.errors.LangprogWarning, match="CallLog raised"):
            assert ANSWER(question="?").answer == "Paris"


def test_a_process_logs_by_itself_and_show_prints_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.jsonl"
    code = (
        "import langprog as lp\n"
        "lp.configure(lm=lp.ScriptedLM(lambda request: '[[answer]]\\nParis \\x1b[2J'))\n"
        "lp.configure(callbacks=[])\n"
        "for city in 'abc': lp.Predict('question -> answer')(question=f'city {city}?')\n"
    )
    environment = {**os.environ, "LANGPROG_LOG": str(path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert len(entries_of(path)) == 3
    monkeypatch.setenv("LANGPROG_LOG", str(path))
    assert run(["show", "--last"]) == 0
    shown = capsys.readouterr().out
    assert "city c?" in shown
    assert "city b?" not in shown
    assert "[reply]\n[[answer]]\nParis \\x1b[2J" in shown
    monkeypatch.delenv("LANGPROG_LOG")
    assert run(["show", "--last", "2", "--log", str(path)]) == 0
    shown = capsys.readouterr().out
    assert shown.count("[reply]") == 2
    assert shown.index("city b?") < shown.index("city c?")
    assert run(["show", "--last", "2", "--log", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [entry["path"] for entry in data] == ["predict", "predict"]


def test_show_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LANGPROG_LOG", raising=False)
    for arguments, said in (
        (["show"], "name an artifact"),
        (["show", "--last"], "LANGPROG_LOG"),
        (["show", "--last", "0", "--log", "x"], "1 or more"),
        (["show", "--last", "--log", str(tmp_path / "no")], "cannot be read"),
    ):
        assert run(arguments) == 2
        assert said in capsys.readouterr().err
