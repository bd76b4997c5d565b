"""Every example runs as it stands, against an endpoint that is as strict as the official API."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.examples.running import (
    EXAMPLES,
    run_example,
    run_notebook,
    serve_example,
    stream_answer,
)
from tests.examples.scripts import PRINTED, SCRIPTS, check_streamed, http_streaming, notebook
from tests.examples.server import Asked, serve, text_of

ROOT = EXAMPLES.parent


class Ran:
    """What an example printed and asked, run in this process."""

    def __init__(self, lines: list[str], requests: list[Asked]) -> None:
        self.lines, self.requests = lines, requests


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[[str], Ran]:
    def run_here(name: str) -> Ran:
        path = EXAMPLES / f"{name}.py"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [str(path)])
        with serve(SCRIPTS[name]) as endpoint:
            monkeypatch.setenv("OPENAI_BASE_URL", endpoint.base_url)
            monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
            monkeypatch.setenv("LANGPROG_CACHE", "off")
            runpy.run_path(str(path), run_name="__main__")
        assert not endpoint.failures, endpoint.failures
        return Ran(capsys.readouterr().out.splitlines(), endpoint.requests)

    return run_here


Run = Callable[[str], Ran]


def test_multi_hop_rag(run: Run) -> None:
    ran = run("multi_hop_rag")
    assert ran.lines == PRINTED["multi_hop_rag"]
    *searches, answer = ran.requests
    assert [asked.fields for asked in searches] == [("reasoning", "query")] * 3
    notes = [asked.value("notes") for asked in ran.requests]
    assert len(set(notes)) == 4, "a hop read nothing new"
    assert "Orvane lies on the river Tell" in answer.last


def test_it_runs_as_a_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run_example(EXAMPLES / "multi_hop_rag.py", SCRIPTS["multi_hop_rag"], tmp_path)
    assert done.lines == PRINTED["multi_hop_rag"] and done.stderr == ""


def test_nested_extraction(run: Run) -> None:
    ran = run("nested_extraction")
    assert ran.lines == PRINTED["nested_extraction"]
    first, again = ran.requests
    for told in ("number", "price", "due", "[A-Z]{2}", "The total is the sum"):
        assert told in first.system, f"the prompt does not say {told!r}"
    assert [message["role"] for message in again.messages[-2:]] == ["assistant", "user"]
    assert "the items do not add up to the total" in again.last


def test_many_labels(run: Run) -> None:
    ran = run("many_labels")
    assert ran.lines == PRINTED["many_labels"]
    assert len(ran.requests) == 4
    for asked in ran.requests:
        assert sum(message["role"] == "assistant" for message in asked.messages) == 3
        assert asked.system.count("card_late") == 1 and asked.system.count("_stolen") == 11


def test_summary_judge(run: Run) -> None:
    ran = run("summary_judge")
    assert ran.lines == PRINTED["summary_judge"]
    judging = [asked for asked in ran.requests if "verdict" in asked.fields]
    *_, before_last, last = judging
    for asked in (before_last, last):  # the metric's calls: new summaries, and what was learned
        shown = [text_of(m) for m in asked.messages if m["role"] == "assistant"]
        assert shown and all("verdict" in text for text in shown)
        assert "ferry" not in asked.text and "fox" not in asked.text, "a held-out label leaked"


def test_map_combine(run: Run) -> None:
    ran = run("map_combine")
    assert ran.lines == [*PRINTED["map_combine"], "document 2 was left out: ParseError"]
    *documents, combined = ran.requests
    assert len(documents) == 5, "the page that cannot be read is asked for once more"
    assert combined.value("ferries") == '["north", "south", "night"]'
    assert combined.value("counts") == "[2, 0, 5]"


def test_images_history(run: Run) -> None:
    ran = run("images_history")
    assert ran.lines == PRINTED["images_history"]
    for turns, asked in enumerate(ran.requests):
        roles = [message["role"] for message in asked.messages]
        assert roles == ["system", *["user", "assistant"] * turns, "user"]
        assert len(asked.images) == 1
        assert "base64" not in asked.text and "iVBOR" not in asked.text


def test_react_tools(run: Run) -> None:
    ran = run("react_tools")
    assert ran.lines == [PRINTED["react_tools"][0].format(4)]
    for asked in ran.requests:
        assert asked.tools == ["departures", "fare", "convert", "submit"]
    day = ran.requests[0].body["tools"][0]["function"]["parameters"]["properties"]["day"]
    assert day == {"type": "string", "format": "date"}
    results = [asked.results for asked in ran.requests]
    assert results[1] == ["Error: KeyError: 'Orwane'"]  # a tool that raises is an observation
    assert results[2][1:] == ['["07:40:00", "12:15:00"]', "46.250"]  # two calls in one step
    made = ran.requests[2].messages[-3]["tool_calls"]
    assert json.loads(made[1]["function"]["arguments"])["adults"] == 2


def test_text_to_sql(run: Run) -> None:
    ran = run("text_to_sql")
    assert ran.lines == PRINTED["text_to_sql"]
    first, second, third = ran.requests
    assert "create table ferry" in first.last
    assert "no such column: capacity" in second.last and "capacity" in text_of(second.messages[-2])
    assert "it returns no rows" in third.last


def test_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    cells = run_notebook(EXAMPLES / "notebook.ipynb", notebook, tmp_path)
    told = [output for cell in cells for output in cell if output["output_type"] == "stream"]
    assert not told, "a notebook shows cards, and no warnings"
    _, answer, report, compiled, prompt = (
        "".join(output["data"].get("text/html") or output["data"]["text/plain"] for output in cell)
        for cell in cells
    )
    assert "harbor" in answer and "1 call," in answer
    assert "0.250" in report and "on 24 rows" in report
    assert "Compiled: certified" in compiled and "-&gt; 1.000" in compiled
    assert prompt.count("role='assistant'") >= 4


def test_tracing(run: Run) -> None:
    reply, *tree, tokens = run("tracing").lines
    assert [reply, tokens] == PRINTED["tracing"]
    assert tree == [
        "Pipeline program",
        "  Predict team",
        "    chat gpt-6-luna",
        "  ChainOfThought reply",
        "    Predict reply.predict",
        "      chat gpt-6-luna",
    ]


def test_http_streaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = EXAMPLES / "http_streaming.py"
    with serve_example(path, http_streaming, tmp_path) as (port, endpoint):
        check_streamed(port, endpoint)
        endpoint.gate.clear()
        with closing(stream_answer(port)) as events:
            next(events)
        assert endpoint.cancelled.wait(timeout=60), "the model went on when the client had left"
