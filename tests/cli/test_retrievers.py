"""``--retriever``: a program that looks things up runs from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import langprog as lp
from langprog.cli.main import run

ROWS = [{"id": "fr", "text": "Paris, France"}, {"id": "it", "text": "Rome, Italy"}]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    lp.save(lp.Retrieve(lp.BM25Retriever(ROWS), k=1, name="capitals"), "p.json")
    Path("corpus.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in ROWS))
    Path("rows.jsonl").write_text('{"query": "Italy"}\n')
    Path("looking.py").write_text(
        "import langprog as lp\n"
        f"capitals = lp.BM25Retriever({ROWS!r})\n"
        "program = lp.Retrieve(capitals)\n"
        "def right(example, prediction):\n"
        "    return prediction.passages_ids == ['it']\n"
    )
    yield tmp_path
    sys.modules.pop("looking", None)


@pytest.mark.parametrize("handed", ["corpus.jsonl", "looking.py:capitals"])
def test_it_hands_a_corpus_or_a_retriever_over(
    handed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    option = ["--retriever", f"capitals={handed}"]
    assert run(["run", "p.json", "--input", '{"query": "Italy"}', *option]) == 0
    assert json.loads(capsys.readouterr().out)["passages_ids"] == ["it"]
    scored = ["eval", "p.json", "--data", "rows.jsonl", "--metric", "looking.py:right", *option]
    assert run([*scored, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == 1.0


def test_the_program_is_shown_with_it_and_the_option_named_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["show", "p.json", "--retriever", "capitals=corpus.jsonl"]) == 0
    shown = capsys.readouterr().out
    assert "Retrieve" in shown and '"kind": "bm25"' in shown
    assert run(["show", "p.json"]) == 0
    assert "or --retriever capitals=..." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("program", "options", "words"),
    [
        ("p.json", [], "or --retriever capitals=..."),
        ("p.json", ["capitals"], "write NAME=package.module:name"),
        ("p.json", ["capitals=corpus.jsonl", "capitals=x.jsonl"], "'capitals' is given twice"),
        ("p.json", ["capitals=none.jsonl"], "none.jsonl: there is no such file"),
        ("p.json", ["capitals=looking.py:none"], "--retriever: looking.py has no 'none'"),
        ("p.json", ["capitals=rows.jsonl"], "has no field 'text'"),
        ("looking.py:program", ["capitals=corpus.jsonl"], "--retriever applies to artifacts"),
    ],
)
def test_what_does_not_fit_is_one_line(
    program: str, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [part for option in options for part in ("--retriever", option)]
    command = ["eval", program, "--data", "rows.jsonl", "--metric", "looking.py:right", *given]
    assert run(command) == 2
    told = capsys.readouterr().err
    assert words in told and told.count("\n") == 1


def compare(*more: str) -> list[str]:
    return ["compare", *more, "--data", "rows.jsonl", "--metric", "looking.py:right"]


def test_two_programs_are_compared_with_what_each_of_them_needs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lp.save(lp.Retrieve(lp.BM25Retriever(ROWS), k=1, name="other"), "q.json")
    capitals, other = (
        ["--retriever", "capitals=corpus.jsonl"],
        ["--retriever", "other=corpus.jsonl"],
    )
    assert run([*compare("p.json", "q.json"), *capitals, *other]) == 0
    assert run([*compare("p.json", "looking.py:program"), *capitals]) == 0
    assert capsys.readouterr().out.count("finding: cannot tell") == 2
    assert run([*compare("p.json", "q.json"), *capitals]) == 2
    assert "or --retriever other=..." in capsys.readouterr().err
    assert run([*compare("p.json", "p.json"), *capitals, *other]) == 2
    told = capsys.readouterr().err
    assert "--retriever: neither artifact needs other" in told and told.count("\n") == 1
