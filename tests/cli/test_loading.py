from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.loading import (
    load_metric,
    load_object,
    load_program,
    read_examples,
)
from langprog.errors import ExampleError, InputError

PROGRAM = """
import langprog as lp


class Triage(lp.Signature):
    '''Route the ticket.'''

    ticket: str = lp.Input()
    team: str = lp.Output()


class Support(lp.Module):
    def __init__(self, depth=1):
        self.team = lp.Predict(Triage)

    def forward(self, ticket):
        return self.team(ticket=ticket)


class Needy(lp.Module):
    def __init__(self, depth):
        self.depth = depth


class Holder:
    program = lp.Predict(Triage)


def metric(example, prediction):
    return 1
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    sys.modules.pop("mine", None)
    (tmp_path / "mine.py").write_text(PROGRAM)
    yield tmp_path
    sys.modules.pop("mine", None)


@pytest.mark.parametrize("name", ["Triage", "Support", "Holder.program"])
def test_signatures_classes_and_instances_are_programs(place: Path, name: str) -> None:
    assert list(load_program(f"mine.py:{name}").input_names()) == ["ticket"]


def test_a_module_is_found_in_the_working_directory(place: Path) -> None:
    assert isinstance(load_program("mine:Triage"), lp.Predict)


def test_a_file_that_is_named_twice_runs_once(place: Path) -> None:
    (place / "mine.py").write_text(PROGRAM + "\nwith open('runs', 'a') as file: file.write('x')\n")
    program, metric = load_object("mine.py:Support", "PROGRAM"), load_metric("mine.py:metric")
    assert program.__module__ == metric.__module__
    assert load_object("./mine.py:metric", "METRIC") is metric
    assert (place / "runs").read_text() == "x"


def test_two_files_of_one_name_cannot_both_be_that_module(place: Path) -> None:
    (place / "other").mkdir()
    (place / "other" / "mine.py").write_text(PROGRAM)
    load_object("mine.py:metric", "METRIC")
    with pytest.raises(InputError, match="would hide the Python module 'mine'"):
        load_object("other/mine.py:Triage", "PROGRAM")


def test_a_file_that_failed_leaves_no_half_module(place: Path) -> None:
    (place / "mine.py").write_text("known = 1\nunknown\n")
    for _ in range(2):
        with pytest.raises(InputError, match="cannot be imported at line 2: NameError"):
            load_object("mine.py:known", "PROGRAM")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def broken(:\n", "SyntaxError"),
        ("import no_such_package\n", "no_such_package"),
        ("import sys\nsys.exit(3)\n", "at line 2: SystemExit: 3"),
    ],
)
def test_what_a_file_raises_is_said(place: Path, text: str, words: str) -> None:
    (place / "mine.py").write_text(text)
    with pytest.raises(InputError, match=words):
        load_program("mine.py:program")


def test_a_class_that_needs_arguments_is_refused(place: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be created: .*depth"):
        load_program("mine.py:Needy")


def test_ready_metrics_go_by_name() -> None:
    example = lp.Example(ticket="a", team="b")
    prediction = lp.Prediction(team="b")
    assert load_metric("exact:team")(example, prediction)


def test_a_table_comes_in_the_programs_types(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("ticket,urgent\nthe wifi is slow,true\n")
    program = lp.Predict("ticket -> urgent: bool")
    found = read_examples(str(tmp_path / "rows.csv"), "--train", program)
    assert found == [lp.Example(ticket="the wifi is slow", urgent=True)]
    (tmp_path / "rows.csv").write_text("ticket,urgent\nthe wifi is slow,perhaps\n")
    with pytest.raises(ExampleError, match=r"--train: .*rows.csv:2: 'urgent'"):
        read_examples(str(tmp_path / "rows.csv"), "--train", program)


def test_a_module_that_declares_nothing_takes_rows_as_they_are(tmp_path: Path) -> None:
    class Echo(lp.Module):
        def forward(self, **inputs: Any) -> lp.Prediction:
            return lp.Prediction(inputs)

    (tmp_path / "rows.csv").write_text("ticket\n7\n")
    assert read_examples(str(tmp_path / "rows.csv"), "--data", Echo()) == [lp.Example(ticket="7")]
