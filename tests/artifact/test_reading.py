"""Whatever a file is, reading it takes bounded time and memory and says one clean sentence."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, reading, save_program
from langprog.artifact.costs import weight
from langprog.artifact.reading import DEEPEST, LARGEST, LONGEST_MESSAGE, MOST_VALUES, one_line
from langprog.errors import ArtifactError

START = b'{"format": 1, "x": '


def refused(path: Path) -> str:
    with pytest.raises(ArtifactError) as caught:
        lp.load(path)
    told = str(caught.value)
    assert type(caught.value) is ArtifactError
    assert told.isprintable() and len(told) <= LONGEST_MESSAGE
    return told


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "p.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"format": 1}'.encode("utf-16"), "UTF-16"),
        ('{"format": 1}'.encode("utf-16-be"), "not JSON"),
        (gzip.compress(b"{}", mtime=0), "gzip"),
        (b"PK\x03\x04rest", "zip archive, not JSON"),
        (b"\x80\x04}.", "a pickle"),
        (b"\x00" * 99, "not JSON"),
        (b" \n\t " * 99, "is empty"),
        (b"true", "no field 'format'"),
        (START + b"9" * 5000 + b"}", "not JSON"),
        (START + b"1e999}", "1e999 is larger than any number"),
        (START + b"-Infinity}", "-Infinity is not a number"),
        (START + b'"\x07"}', "not JSON"),
        (START + b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1) + b"}", "nested too deeply"),
        (START + b"[" * 1_000_000, "nested too deeply"),
        (START + b'{"a":' * 1_000_000, "nested too deeply"),
        (START + b"[" + b"0," * (MOST_VALUES + 1) + b"0]}", "more than 500,000 values"),
        (START + b'"",' * (3 * MOST_VALUES), "more than 500,000 values"),
        (b'{"format": 1, "' + b"\x1b[31m\\n\\u202e" + b'": 0, "digest": "x"}', ""),
        (b'{"format": 1, "a": 0, "a": 0}', "'a' appears twice"),
    ],
)
def test_bytes_that_are_no_artifact(tmp_path: Path, content: bytes, words: str) -> None:
    assert words in refused(written(tmp_path, content))


def test_brackets_in_texts_are_no_levels(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    texts = ['[{"' * 5000, "\\" * 999 + '"[[' * 999, '\\"' * 999 + "{" * 999]
    demos = [lp.Example(a=text, b=text) for text in texts]
    save_program(lp.Predict("a -> b", demos=demos), path)
    assert [demo.a for demo in lp.load(path).predictors()["predict"].demos] == texts


def test_quotes_that_are_escaped_do_not_hide_a_level(tmp_path: Path) -> None:
    deep = b"[" * 5000
    for text in (rb'"\\"', rb'"\\\\"', rb'"\\\""', rb'"a\""'):
        told = refused(written(tmp_path, b'{"format": 1, "t": ' + text + b', "x": ' + deep))
        assert "nested too deeply" in told


def test_many_bytes_of_nothing_cost_little(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with path.open("wb") as file:
        file.truncate(100 * 2**20)
    tracemalloc.start()
    began = time.process_time()
    assert f"larger than {LARGEST // 2**20} MB" in refused(path)
    assert time.process_time() - began < 1
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST", 2**20)
    monkeypatch.setattr(reading, "_check_kind", lambda *_: None)
    assert "larger than 1 MB" in refused(written(tmp_path, b" " * (2**20 + 1)))


def test_places_that_are_no_files(tmp_path: Path) -> None:
    pipe, loop = tmp_path / "pipe", tmp_path / "loop"
    os.mkfifo(pipe)
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        assert "is a pipe, a socket or a device" in refused(tmp_path / "socket")
    assert "is a pipe, a socket or a device" in refused(pipe)
    assert "is a pipe, a socket or a device" in refused(Path(os.devnull))
    assert "cannot be read" in refused(loop)
    assert "no such file" in refused(tmp_path / "no" / "such")
    assert "cannot be read" in refused(tmp_path / "nu\0ll")
    assert "cannot be read" in refused(tmp_path / ("x" * 300))
    assert "no such file" in refused(tmp_path / "\x1b[31m\n\u202e")
    assert "is a folder" in refused(tmp_path)


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("^[A-Z]{3}$", 15, 30),
        (r"\d{4}-\d{2}", 6000, 6001),
        ("(ab{3}){10}", 40, 40),
        ("((a{10}){10}){10}", 1000, 1000),
        (r"[\w\]]{5}\[(", 5 * 2005, 5 * 2015),
        ("a{,5}b{2,}{", 8, 9),
        (")]}{9{", 6, 20),
        ("\\", 1, 1),
    ],
)
def test_the_weight_of_a_pattern(pattern: str, least: int, most: int) -> None:
    assert least <= weight(pattern) <= most


def test_patterns_that_would_fill_the_memory(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    data = json.loads(path.read_text())
    of = {"kind": "bounded", "of": "str", "limits": {"pattern": r"\w{200}"}}
    fields = [{"name": f"m{number}", "type": of} for number in range(200)]
    data["program"]["signature"]["fields"][1]["type"] = {
        "kind": "model",
        "name": "M",
        "fields": fields,
    }
    data["digest"] = digest_of({key: data[key] for key in data if key != "digest"})
    assert "patterns" in refused(written(tmp_path, json.dumps(data)))


def test_more_samples_than_anybody_pays_for(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    asked = lp.Predict("a -> b")
    for program in (
        lp.Vote(asked, k=5),
        lp.Cascade([asked], signal={"signal": "agreement", "k": 5}),
    ):
        save_program(program, path)
        lp.load(path)
        text = path.read_text().replace('"k": 5', f'"k": {10**9}')
        data = json.loads(text)
        data["digest"] = digest_of({key: data[key] for key in data if key != "digest"})
        assert "more than 10,000 samples" in refused(written(tmp_path, json.dumps(data)))


DSPY = {"traces": [], "train": [], "demos": [], "signature": {"instructions": "Do."}, "lm": None}
VERSIONS = {"dependency_versions": {"python": "3.12", "dspy": "3.4.0"}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"self": DSPY, "metadata": VERSIONS}, "is a DSPy state"),
        ({"metadata": VERSIONS}, "is a DSPy state"),
        (DSPY, "is a DSPy state"),
        ({"step.predict": DSPY}, "is a DSPy state"),
        ({"messages": []}, "of OpenAI's API"),
        ({"id": "x", "object": "chat.completion", "choices": []}, "of OpenAI's API"),
        ({"candidates": [], "val_aggregate_scores": []}, "GEPA"),
        ({"system_prompt": "Be good."}, "GEPA"),
        ([{"a": "x"}, {"a": "y"}], "GEPA"),
        ({}, "no field 'format'"),
        ([], "no field 'format'"),
        ([1], "no field 'format'"),
        ({"a": "x", "b": 1, "metadata": 3}, "no field 'format'"),
    ],
)
def test_files_of_other_tools_are_named(tmp_path: Path, data: Any, words: str) -> None:
    assert words in refused(written(tmp_path, json.dumps(data)))


def test_rows_and_folders_of_other_tools_are_named(tmp_path: Path) -> None:
    rows = '{"messages": []}\n{"messages": []}\n'
    assert "OpenAI requests or conversations" in refused(written(tmp_path, rows))
    assert "not JSON" in refused(written(tmp_path, '{"other": 1}\n{"other": 2}\n'))
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "metadata.json").write_text("{}")
    (folder / "program.pkl").write_bytes(b"")
    assert "folder of a saved DSPy program" in refused(folder)


def test_messages_are_one_clean_line() -> None:
    assert one_line("a\x1b[31mb\r\n c\u202ed\ud800e") == "a [31mb c d e"
    told = one_line("x" * 10**6 + " end")
    assert len(told) <= LONGEST_MESSAGE and told.endswith(" end")


def test_hostile_words_from_the_file_stand_clean_in_the_message(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    for change in (
        lambda data: data["program"]["signature"]["fields"][0].update(name="\x1b]0;x\x07" * 9999),
        lambda data: data["program"].update(adapter="\n\r\u2028" * 9999),
        lambda data: data.update({"x\x1b" * 9999: 1}),
        lambda data: data["program"].update(module="\x1b" * 9999),
        lambda data: data["program"].update(checked_by={"class": "\x1b:\n", "source": ""}),
    ):
        data = json.loads(path.read_text())
        change(data)
        data["digest"] = digest_of({key: data[key] for key in data if key != "digest"})
        refused(written(tmp_path, json.dumps(data)))
        save_program(lp.Predict("a -> b"), path)
