"""Validators are code: the artifact names the Signature class that declares them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, field_validator

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.artifact.checking import code_in
from langprog.errors import ArtifactError, ParseError
from langprog.signature import FieldSpec, SignatureSpec
from tests.artifact.comparing import without_lineage


def even(value: int) -> int:
    """An even number."""
    if value % 2:
        raise ValueError("must be even")
    return value


class Person(BaseModel):
    name: str
    age: int = Field(ge=0)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name != "Al":
            raise ValueError("nobody of that name")
        return name


@dataclass(frozen=True)
class Span:
    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError("ends before it starts")


class Plain(BaseModel):
    name: str = Field(max_length=5)
    rows: list[int] = Field(default_factory=list)


class Read(lp.Signature):
    """Read the note."""

    note: str = lp.Input()
    count: Annotated[int, AfterValidator(even)] = lp.Output()
    people: list[Person] = lp.Output("who is meant")
    spans: dict[str, Span] | None = lp.Output()


REPLY = {"count": 2, "people": [{"name": "Al", "age": 3}], "spans": None}


def answered(program: lp.Module, **changes: Any) -> lp.Prediction:
    script = lp.ScriptedLM(lambda request: json.dumps({**REPLY, **changes}))
    with lp.using(lm=script, adapter="json"):
        return program(note="n")


def test_code_in_types_is_found() -> None:
    assert code_in(Annotated[int, AfterValidator(even)]) == [even]
    assert code_in(list[Person] | None) == [Person]
    assert code_in(dict[str, Span]) == [Span]
    assert code_in(Plain) == code_in(str) == code_in(Annotated[int, Field(ge=0)]) == []


def test_checks_come_back_with_the_class_that_declares_them(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.ChainOfThought(Read, instruction="Read it well."), path)
    with pytest.raises(ArtifactError, match=r"needs your class .*:Read: pass it"):
        lp.load(path)
    program = lp.load(path, classes=[Read])
    assert "Read it well." in program.predictors()["predict"].render({"note": "n"})[0].content
    found = answered(program, reasoning="r")
    assert type(found.people[0]) is Person and found.count == 2
    for wrong in (
        {"count": 3},
        {"people": [{"name": "Bo", "age": 3}]},
        {"spans": {"x": {"start": 2, "end": 1}}},
    ):
        with pytest.raises(ParseError):
            answered(program, reasoning="r", **wrong)
    save_program(program, tmp_path / "q.json")
    assert without_lineage(tmp_path / "q.json") == without_lineage(path)


def test_changed_checks_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict(Read), path)
    data = json.loads(path.read_text())
    data["program"]["checked_by"]["source"] = "sha256:" + "0" * 64
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="source of .*Read has changed"):
        lp.load(path, classes=[Read])


def test_code_that_no_class_declares_cannot_be_written(tmp_path: Path) -> None:
    fields = (FieldSpec("note", "input"), FieldSpec("person", "output", Person))
    with pytest.raises(ArtifactError, match="'person' of Loose is validated by code"):
        save_program(lp.Predict(SignatureSpec("Loose", "Read.", fields)), tmp_path / "p.json")


def test_types_without_code_need_nobody(tmp_path: Path) -> None:
    class Simple(lp.Signature):
        note: str = lp.Input(max_length=100)
        plain: Plain = lp.Output()
        many: list[Plain] = lp.Output(min_length=1)

    save_program(lp.Predict(Simple), tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json")
    assert "checked_by" not in (tmp_path / "p.json").read_text()
    reply = {"plain": {"name": "Al"}, "many": [{"name": "Bo", "rows": [1]}]}
    with lp.using(lm=lp.ScriptedLM([json.dumps(reply)])):
        assert loaded(note="n").many[0].rows == [1]
    save_program(loaded, tmp_path / "q.json")  # rebuilt types are no code of the user's
