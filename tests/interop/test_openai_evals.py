from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError, MetricError
from langprog.interop import fuzzy_match, includes, match


def row(asked: str, ideal: str | list[str]) -> dict[str, Any]:
    system = {"role": "system", "content": "Name the capital."}
    return {"input": [system, {"role": "user", "content": asked}], "ideal": ideal}


ROWS = [row("France", "Paris"), row("The Netherlands", ["Amsterdam", "The Hague"])]


def written(folder: Path, rows: list[Any]) -> Path:
    path = folder / "samples.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_rows_with_the_same_beginning_are_inputs_and_answers(tmp_path: Path) -> None:
    data = lp.from_openai_evals(written(tmp_path, ROWS))
    assert [dict(row) for row in data.examples] == [
        {"input": "France", "answer": "Paris"},
        {"input": "The Netherlands", "answer": "Amsterdam", "ideal": ["Amsterdam", "The Hague"]},
    ]
    assert list(data.metrics) == ["match", "includes", "fuzzy_match"]
    assert data.notes == (
        "all rows begin with the instruction 'Name the capital.', which belong to the program",
    )
    assert data.program is not None
    lm = lp.ScriptedLM(["It is Paris", "Amsterdam"])
    with lp.using(lm=lm):
        report = lp.evaluate(data.program, data.examples, data.metrics["match"])
    assert report.mean == 0.5
    asked = [[message.content for message in request.messages] for request in lm.requests]
    assert sorted(asked) == [
        ["Name the capital.", "France"],
        ["Name the capital.", "The Netherlands"],
    ]


def test_what_differs_before_the_question_becomes_columns(tmp_path: Path) -> None:
    turns = [
        {"role": "system", "content": "Add."},
        {"role": "system", "name": "example_user", "content": "1+1"},
        {"role": "system", "name": "example_assistant", "content": "2"},
        {"role": "user", "content": "2+2"},
    ]
    data = lp.from_openai_evals(
        written(tmp_path, [{"input": turns, "ideal": "4"}, {"input": "3+3", "ideal": "6"}])
    )
    assert data.program is None
    assert [dict(row) for row in data.examples] == [
        {
            "system": "Add.",
            "history": [
                {"role": "user", "content": "1+1"},
                {"role": "assistant", "content": "2"},
            ],
            "input": "2+2",
            "answer": "4",
        },
        {"system": "", "history": [], "input": "3+3", "answer": "6"},
    ]
    program = lp.Predict("system, history: History, input -> answer")
    with lp.using(lm=lp.ScriptedLM(lambda _: "[[answer]]\n4")):
        report = lp.evaluate(program, data.examples, metric=data.metrics["match"])
    assert report.mean == 0.5


@pytest.mark.parametrize(
    ("metric", "given", "ideal", "right"),
    [
        (match, "Paris, of course", "Paris", 1),
        (match, "It is Paris", "Paris", 0),
        (match, "paris", "Paris", 0),
        (match, "Hague", ["The Hague", "Hague"], 1),
        (match, " Paris", "Paris ", 1),
        (includes, "It is Paris", "Paris", 1),
        (includes, "It is paris", "Paris", 0),
        (includes, "P", "Paris", 0),
        (includes, "42", ["41", "42"], 1),
        (fuzzy_match, "The Hague!", "hague", 1),
        (fuzzy_match, "hague", "It's in the Hague, I think", 1),
        (fuzzy_match, "...", "", 1),
        (fuzzy_match, "", "Paris", 0),
        (fuzzy_match, "athens", "then", 1),
    ],
)
def test_metrics_score_as_openai_evals_does(
    metric: Any, given: str, ideal: str | list[str], right: int
) -> None:
    score = metric()(lp.Example(ideal=ideal), lp.Prediction(answer=given))
    assert score.value == right
    assert bool(score.feedback) == (not right)


def test_a_metric_says_what_it_misses() -> None:
    two = lp.Prediction(answer="a", confidence=1)
    with pytest.raises(MetricError, match=r"say which is compared, match:answer"):
        match()(lp.Example(ideal="a"), two)
    assert match("answer")(lp.Example(ideal="a"), two).value == 1
    reasoned = lp.Prediction(reasoning="b", answer="a")
    assert includes()(lp.Example(answer="a"), reasoned).value == 1
    with pytest.raises(MetricError, match="no ideal answer"):
        match()(lp.Example(input="x"), lp.Prediction(answer="a"))
    with pytest.raises(MetricError, match="no 'team'"):
        match("team")(lp.Example(ideal="x"), lp.Prediction(answer="a"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there are no rows in it"),
        ("\n{\n", "samples.jsonl:2: it is not JSON"),
        ('{"input": "a", "ideal": "b"}\n[1]', "samples.jsonl:2: a line holds one JSON object"),
        ('{"input": "a"}', "samples.jsonl:1: the row has no 'ideal'"),
        ('{"ideal": "a"}', "samples.jsonl:1: the row has no 'input'"),
        ('{"input": "a", "ideal": []}', "'ideal' is a text or a list of texts"),
        ('{"input": "a", "ideal": {"a": 1}}', "'ideal' is a text or a list of texts"),
        ('{"input": 7, "ideal": "a"}', "'input' is a text or a list of messages"),
        ('{"input": [{"role": "tool", "content": "a"}], "ideal": "a"}', ":1: message 1 is not"),
        ('{"input": [{"role": "user", "content": [{}]}], "ideal": "a"}', "message 1 has no text"),
        (
            '{"input": [{"role": "assistant", "content": "a"}], "ideal": "a"}',
            "the last message is the assistant's",
        ),
        ('{"input": "\\ud800", "ideal": "a"}', "half of a character"),
        ('{"input": "a", "input": "b", "ideal": "a"}', "appears twice"),
        ('{"input": "a", "ideal": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        lp.from_openai_evals(path)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400 + len(str(path))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        lp.from_openai_evals(tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="is not a file"):
        lp.from_openai_evals(tmp_path)
    (tmp_path / "latin.jsonl").write_bytes(b'{"input": "a", "ideal": "b"}\n\xff')
    with pytest.raises(InputError, match=r"latin.jsonl:2: it is not UTF-8"):
        lp.from_openai_evals(tmp_path / "latin.jsonl")


def test_the_command_writes_examples_that_an_evaluation_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, ROWS)
    command = ["import", "samples.jsonl", "--from", "openai-evals", "--out", "rows.jsonl"]
    assert run([*command, "--program", "prompt.json"]) == 0
    said = capsys.readouterr().out
    assert "wrote 2 examples to rows.jsonl: input, answer, ideal" in said
    assert "--metric match (or includes, fuzzy_match)" in said
    assert lp.load_examples("rows.jsonl", lp.Predict("input -> answer"))[1]["ideal"] == [
        "Amsterdam",
        "The Hague",
    ]
    Path("asking.py").write_text(
        'import langprog as lp\nprogram = lp.Predict("input -> answer")\n'
    )
    options = ["--metric", "includes", "--lm", "pocket/small", "--json"]
    assert run(["eval", "asking.py:program", "--data", "rows.jsonl", *options]) == 0


def test_the_command_lists_the_formats(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(written(tmp_path, ROWS))
    assert run(["import", path, "--from", "exel", "--out", f"{tmp_path}/rows.jsonl"]) == 2
    said = capsys.readouterr().err
    assert "there is no format 'exel'" in said and "openai-evals (a data set" in said
    options = ["--from", "openai-evals", "--out"]
    assert run(["import", path, *options, f"{tmp_path}/rows.csv"]) == 2
    assert "examples are written to a .jsonl file" in capsys.readouterr().err
    assert run(["import", path, *options, f"{tmp_path}/rows.jsonl", "--set", "a=b"]) == 2
    assert "openai-evals has no option 'a'; it has none" in capsys.readouterr().err
    assert not (tmp_path / "rows.jsonl").exists()
