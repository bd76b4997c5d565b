from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError
from langprog.evaluation import exact
from langprog.lm import Capabilities, Declared, ToolCall

ROWS = [lp.Example(a=f"{n}", b=f"{n % 2}") for n in range(6)]


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def answer(request: lp.Request) -> str:
    """Answer 0 to everything, which is right for half of the rows."""
    return "<think>hm</think>\nb: 0" if "[[b]]" in str(request.messages[0]) else "[[c]]\nd"


def tool_call(name: str, **arguments: str) -> lp.Completion:
    call = ToolCall(f"call_{name}", name, json.dumps(arguments))
    return lp.Completion(("",), "m", finish_reasons=("tool_calls",), tool_calls=((call,),))


def test_accepted_calls_are_lines_with_prompt_and_answer() -> None:
    program = lp.Predict("a -> b")
    with lp.using(lm=lp.ScriptedLM(answer)):
        report = lp.evaluate(program, ROWS, exact("b"))
        text = lp.to_fine_tuning(program, report)
    written = lines(text)
    assert len(written) == 3
    roles = [message["role"] for message in written[1]["messages"]]
    assert roles == ["system", "user", "assistant"]
    assert written[1]["messages"][:-1] == lp.to_messages(program, {"a": "2"})
    assert written[1]["messages"][-1]["content"] == "[[b]]\n0"
    with pytest.raises(InputError, match=r"none of the 6 rows has a score of 1\.5 or more"):
        lp.to_fine_tuning(program, report, threshold=1.5)
    with lp.using(lm=lp.ScriptedLM(answer)):
        assert len(lines(lp.to_fine_tuning(program, report, threshold=0))) == 6


@pytest.mark.parametrize(
    ("program", "replies", "said"),
    [
        (lp.Predict("a -> b", adapter="json"), ['{"b": "0"}'], '{"b": "0"}'),
        (lp.Predict("a -> b", adapter="xml"), ["<b>0</b>"], "<b>0</b>"),
        (lp.PromptTemplate("{a}", output="b"), ["0 "], "0"),
        (lp.Predict("a, h: History -> b"), ["[[b]]\n0"], "[[b]]\n0"),
        (lp.Predict("a -> b: int"), ["no", "[[b]]\n0"], "[[b]]\n0"),
    ],
)
def test_answers_are_in_the_form_of_the_program(
    program: lp.Module, replies: list[str], said: str
) -> None:
    row = lp.Example(a="x", b="0", h=[{"a": "1", "b": "1"}])
    with lp.using(lm=lp.ScriptedLM(replies)):
        report = lp.evaluate(program, [row], exact("b"))
        (line,) = lines(lp.to_fine_tuning(program, report))
    assert line["messages"][-1] == {"role": "assistant", "content": said}
    assert "could not be read" not in json.dumps(line)


def test_calls_of_tools_are_kept_as_calls() -> None:
    def find(query: str) -> str:
        """Find it."""
        return "found"

    program = lp.ReAct("a -> b", tools=[find])
    replies = [tool_call("find", query="x"), tool_call("submit", b="0")]
    lm = Declared(lp.ScriptedLM(replies), Capabilities(tools=True))
    with lp.using(lm=lm):
        report = lp.evaluate(program, [lp.Example(a="x", b="0")], exact("b"))
        first, second = lines(lp.to_fine_tuning(program, report))
    assert first["messages"][-1]["tool_calls"][0]["function"]["name"] == "find"
    assert [tool["function"]["name"] for tool in first["tools"]] == ["find", "submit"]
    assert second["messages"][-2]["role"] == "tool"


def test_every_call_of_a_program_is_a_line_and_equal_ones_are_written_once() -> None:
    program = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.Predict("b -> c"))
    with lp.using(lm=lp.ScriptedLM(answer)):
        report = lp.evaluate(program, ROWS, lambda example, prediction: example.b == prediction.b)
        written = lines(lp.to_fine_tuning(program, report))
    assert [line["messages"][-1]["content"] for line in written] == [
        *("[[b]]\n0", "[[c]]\nd", "[[b]]\n0", "[[b]]\n0")
    ]


# --- the command ---------------------------------------------------------------------------------


@pytest.fixture
def endpoint() -> lp.ScriptedLM:
    return lp.ScriptedLM(answer, name="openai/tiny")


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
    endpoint: lp.ScriptedLM,
) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(endpoint))
    lp.save(lp.Predict("a -> b", model="openai/tiny"), "a.json")
    rows = "".join(f"{json.dumps(dict(row))}\n" for row in ROWS)
    Path("rows.jsonl").write_text(rows)
    return tmp_path


EXPORT = "export a.json --as fine-tuning --out ft.jsonl --data rows.jsonl --metric exact:b".split()


def test_the_command_runs_the_rows_or_takes_the_results_of_a_batch(
    place: Path, capsys: pytest.CaptureFixture[str], endpoint: lp.ScriptedLM
) -> None:
    assert run(EXPORT) == 0
    assert "note: 3 calls of 3 of 6 rows" in capsys.readouterr().out
    written = Path("ft.jsonl").read_text()
    assert len(lines(written)) == 3
    assert run(["run", "a.json", "--batch", "rows.jsonl", "--out", "out.jsonl"]) == 0
    asked = len(endpoint.requests)
    assert run([*EXPORT, "--batch", "out.jsonl"]) == 0
    assert Path("ft.jsonl").read_text() == written
    assert len(endpoint.requests) == asked
    Path("out.jsonl").write_text('{"row": 9, "key": "x", "outputs": {"b": "1"}}\n')
    assert run([*EXPORT, "--batch", "out.jsonl"]) == 2
    assert "it is row 9, but --data has 6" in capsys.readouterr().err
    assert run([*EXPORT, "--batch", "rows.jsonl"]) == 2
    assert "rows.jsonl:1: it is not a result" in capsys.readouterr().err


def test_the_command_takes_runs_from_a_journal_and_calls_nothing(
    place: Path, capsys: pytest.CaptureFixture[str], endpoint: lp.ScriptedLM
) -> None:
    rows = [{"a": f"{n}", "b": "0"} for n in range(40)]
    Path("rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    compiling = "compile a.json --train rows.jsonl --metric exact:b --optimizer bootstrap"
    assert run([*compiling.split(), "--calls", "300", "--run-dir", "run", "--out", "c.json"]) == 0
    asked = len(endpoint.requests)
    capsys.readouterr()
    export = [*EXPORT, "--run-dir", "run"]
    assert run(export) == 0
    assert len(endpoint.requests) == asked
    said = capsys.readouterr().out
    assert "of 40 rows" in said and "rows have no score, as their calls did not arrive" in said
    assert 1 <= len(lines(Path("ft.jsonl").read_text())) < 40


def test_options_that_do_not_fit_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, said in (
        (EXPORT[:-2], "needs --data and --metric"),
        ([*EXPORT, "--run-dir", "x", "--batch", "y"], "not from both"),
        ([*EXPORT, "--run-dir", "nowhere"], "journal"),
        ([*EXPORT, "--set", "threshold=high"], "threshold is a number, not 'high'"),
        (["export", "a.json", "--as", "skill", "--out", "x", "--data", "y"], "--data is not for"),
    ):
        assert run(arguments) == 2
        assert said in capsys.readouterr().err
    assert not Path("ft.jsonl").exists()
