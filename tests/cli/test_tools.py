"""``--tool`` and ``--mcp``: a program with tools runs from the command line."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run
from tests.conftest import served
from tests.tools import mcp_server

PEOPLE = """
import langprog as lp

def population(city: str) -> int:
    '''Look up how many people live in a city.'''
    return {"Lyon": 520774}[city]

def other(town: str) -> int:
    '''Look up how many people live in a city.'''
    return 0

as_tool = lp.Tool(population, name="people_in")

def right(example, prediction):
    return prediction.answer == 520774
"""


def reply(request: lp.Request) -> str:
    steps = sum(message.role == "assistant" for message in request.messages)
    tool, given = (("population", {"city": "Lyon"}), ("submit", {"answer": 520_774}))[steps]
    calls = [{"tool": tool, "arguments": given}]
    return f"[[thought]]\nt\n[[tool_calls]]\n{json.dumps(calls)}"


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("people_here.py").write_text(PEOPLE)
    Path("rows.jsonl").write_text('{"question": "How many?"}\n')
    from people_here import population  # type: ignore[import-not-found]  # noqa: PLC0415

    program = lp.ReAct("question -> answer: int", [population], model="vllm/x", adapter="chat")
    lp.save(program, "p.json")
    with served(lp.ScriptedLM(reply, name="vllm/x")) as base_url:
        monkeypatch.setenv("VLLM_BASE_URL", base_url)
        yield tmp_path
    sys.modules.pop("people_here", None)


@pytest.mark.parametrize(
    "options",
    [
        ["--tool", "population=people_here.py:population"],
        ["--tool", "population=people_here:as_tool"],
        ["--allow", "people_here"],
    ],
)
def test_tools_are_handed_over_or_imported(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--model", "vllm/x=vllm/x"]
    assert run(["run", "p.json", "--input", '{"question": "How many?"}', *where, *options]) == 0
    assert json.loads(capsys.readouterr().out) == {"answer": 520_774}
    scored = ["eval", "p.json", "--data", "rows.jsonl", "--metric", "people_here.py:right"]
    assert run([*scored, *where, *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == 1.0
    compared = ["compare", "p.json", "p.json", *scored[2:]]
    assert run([*compared, *where, *options]) == 0


def test_tools_of_a_server_are_handed_over(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, str(Path(mcp_server.__file__))]
    with lp.mcp_tools(command, names=["population"]) as tools:
        program = lp.ReAct("question -> answer: int", tools, model="vllm/x", adapter="chat")
        lp.save(program, "q.json")
    options = ["--model", "vllm/x=vllm/x", "--mcp", shlex.join(command)]
    assert run(["run", "q.json", "--input", '{"question": "How many?"}', *options]) == 0
    assert json.loads(capsys.readouterr().out) == {"answer": 520_774}


def test_the_program_is_shown_with_them_and_the_options_named_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["show", "p.json", "--tool", "population=people_here:population"]) == 0
    shown = capsys.readouterr().out
    assert "ReAct" in shown and "population" in shown and "question -> answer" in shown
    assert run(["show", "p.json"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "the artifact needs your tool 'population' (people_here:population): pass it, "
        "lp.load(path, tools=[population]) or --tool population=people_here:population, or allow "
        "its import, lp.load(path, allow_modules=['people_here']) or --allow people_here"
    ) in told
    assert "question -> answer" in told  # what the file itself says
    assert "tools population(city): Look up how many people" in told


@pytest.mark.parametrize(
    ("program", "options", "words"),
    [
        ("p.json", [], "or --tool population=people_here:population"),
        ("p.json", ["--tool", "population"], "write NAME=package.module:name"),
        ("p.json", ["--tool", "population=people_here"], "write NAME=package.module:name"),
        (
            "p.json",
            ["--tool", "x=people_here:other", "--allow", "people_here"],
            "tools= has 'x', but the artifact has population",
        ),
        ("p.json", ["--tool", "population=people_here:none"], "--tool: people_here has no 'none'"),
        ("p.json", ["--tool", "population=people_here:other"], "takes other arguments than those"),
        (
            "p.json",
            ["--tool", "population=people_here:other", "--tool", "population=people_here:other"],
            "'population' is given twice",
        ),
        ("p.json", ["--mcp", "/nowhere/at/all"], "the MCP server /nowhere/at/all cannot be used"),
    ],
)
def test_what_does_not_fit_is_one_line(
    program: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["run", program, "--input", '{"question": "x"}', *options]) == 2
    told = capsys.readouterr().err
    assert words in " ".join(told.split())
    assert "Traceback" not in told
