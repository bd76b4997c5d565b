"""What an artifact stores of a type comes back as the same type, and earlier files still load."""

from __future__ import annotations

import datetime
import json
import typing
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Optional, TypedDict, Union

import pytest
import typing_extensions
from pydantic import BaseModel, ConfigDict, Field

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.errors import ArtifactError, InputError
from langprog.signature import SignatureSpec

Json = typing_extensions.TypeAliasType("Json", "dict[str, Json] | list[Json] | str | int | None")


class Circle(BaseModel):
    size: float


class Square(BaseModel):
    size: float


class Movie(TypedDict):
    title: str
    seen: typing.NotRequired[list[datetime.date]]


class Point(NamedTuple):
    x: int
    y: Annotated[int, Field(description="upwards")] = 0


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Tree(BaseModel):
    name: str
    at: Optional[Point] = None
    parts: list[Tree] = []


class Add(BaseModel):
    left: Add | Circle
    right: Add | Circle


@dataclass
class Link:
    at: Annotated[Decimal, Field(description="in metres")]
    after: Optional[Link] = None


@dataclass
class Stay:
    days: Annotated[int, Field(description="how many")]


@dataclass
class Closed:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    day: datetime.date


class Aliased(BaseModel):
    street: str = Field(alias="streetName")


CASES: dict[str, tuple[Any, Any]] = {
    "date": (datetime.date, datetime.date(2024, 1, 5)),
    "duration": (datetime.timedelta, datetime.timedelta(days=400, seconds=1.5)),
    "decimal": (Annotated[Decimal, Field(ge=Decimal("0.5"))], Decimal("9.90")),
    "day": (
        Annotated[datetime.date, Field(ge=datetime.date(2020, 1, 1))],
        datetime.date(2024, 1, 5),
    ),
    "pair": (tuple[int, str], (5, "a")),
    "tuple": (tuple[Decimal, ...], (Decimal("1.0"),)),
    "set": (set[str], {"a", "b"}),
    "frozenset": (frozenset[int], frozenset({1})),
    "number or word": (Union[int, Literal["unknown"]], "unknown"),
    "one of two models": (Union[Circle, Square], Square(size=2.0)),
    "typed dict": (Movie, {"title": "M", "seen": [datetime.date(2024, 1, 5)]}),
    "named tuple": (Point, Point(1, 2)),
    "recursive model": (Tree, Tree(name="a", at=Point(1), parts=[Tree(name="b")])),
    "recursive union": (
        Add,
        Add(left=Circle(size=1), right=Add(left=Circle(size=2), right=Circle(size=3))),
    ),
    "recursive dataclass": (Link, Link(Decimal("1.0"), Link(Decimal("2.0")))),
    "dataclass with settings": (Closed, Closed(datetime.date(2024, 1, 5))),
    "alias": (Aliased, Aliased(streetName="High")),
    "json": (Json, {"a": [1, {"b": None}], "c": "x"}),
    "levels": (dict[str, list[Level]], {"a": [Level.HIGH]}),
    "described": (Annotated[Level, lp.describe({"HIGH": "today"})], Level.LOW),
}


def signature(annotation: Any, **inputs: Any) -> SignatureSpec:
    spec = lp.Predict("q -> a").signature.with_field("value", lp.Output(), annotation)
    for name, (kind, mark) in inputs.items():
        spec = spec.with_field(name, mark, kind)
    return spec.without_field("a")


def resealed(data: dict[str, Any], path: Path) -> None:
    content = {key: value for key, value in data.items() if key != "digest"}
    path.write_text(json.dumps({**content, "digest": digest_of(content)}))


def saved(program: lp.Module, folder: Path) -> Path:
    path = folder / "p.json"
    save_program(program, path)
    return path


@pytest.mark.parametrize("kind", CASES)
def test_types_come_back(tmp_path: Path, kind: str) -> None:
    annotation, value = CASES[kind]
    spec = signature(annotation)
    plain = spec.outputs["value"].plain(value)
    program = lp.Predict(spec, demos=[{"q": "x", "value": value}])
    loaded = lp.load(saved(program, tmp_path))
    (predictor,) = loaded.predictors().values()
    field = predictor.outputs["value"]
    assert field.line == spec.outputs["value"].line
    assert field.json_schema() == spec.outputs["value"].json_schema()
    assert predictor.render({"q": "y"}) == program.render({"q": "y"})
    assert field.plain(predictor.demos[0]["value"]) == plain
    with lp.using(lm=lp.ScriptedLM(lambda request: f"[[value]]\n{json.dumps(plain)}")):
        got, wanted = loaded(q="z").value, program(q="z").value
    assert wanted == value
    assert str(got) == str(value)
    assert field.plain(got) == plain


@pytest.mark.parametrize(
    "kind", ["named tuple", "recursive model", "one of two models", "typed dict"]
)
def test_types_that_are_handed_over_are_taken(tmp_path: Path, kind: str) -> None:
    annotation, value = CASES[kind]
    path = saved(lp.Predict(signature(annotation)), tmp_path)
    loaded = lp.load(path, classes=[Point, Tree, Circle, Square, Movie])
    plain = signature(annotation).outputs["value"].plain(value)
    with lp.using(lm=lp.ScriptedLM([f"[[value]]\n{json.dumps(plain)}"])):
        got = loaded(q="x").value
    assert got == value and type(got) is type(value)


def test_images_files_and_turns_come_back(tmp_path: Path) -> None:
    spec = signature(
        str,
        photo=(lp.Image, lp.Input()),
        files=(list[lp.File], lp.Input()),
        history=(lp.History, lp.Input()),
    )
    given = {
        "q": "x",
        "photo": lp.Image(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20),
        "files": [lp.File(b"%PDF", name="a.pdf"), lp.File("https://example.org/b.pdf")],
        "history": lp.History([{"role": "user", "content": ["see", lp.Image(b"i")]}]),
    }
    program = lp.Predict(spec, demos=[{**given, "value": "a"}])
    loaded = lp.load(saved(program, tmp_path))
    (predictor,) = loaded.predictors().values()
    assert predictor.demos == program.demos
    assert predictor.render(given) == program.render(given)


# --- defaults ------------------------------------------------------------------------------------


def today() -> datetime.date:
    return datetime.date(2024, 1, 5)


class Ask(lp.Signature):
    """Answer."""

    q: str = lp.Input()
    style: str = lp.Input(default="plainly")
    tags: list[str] = lp.Input(default_factory=list)
    day: datetime.date = lp.Input(default_factory=today)
    a: str = lp.Output()


def test_defaults_come_back_but_no_code_does(tmp_path: Path) -> None:
    path = saved(lp.Predict(Ask), tmp_path)
    model = lp.ScriptedLM(lambda request: "[[a]]\nx")
    loaded = lp.load(path)
    with lp.using(lm=model):
        assert loaded(q="x", day=today()).a == "x"
        assert "plainly" in model.requests[0].messages[-1].text
        with pytest.raises(InputError, match=r"default comes from your code, .*:today"):
            loaded(q="x")
        assert lp.load(path, classes=[Ask])(q="x").a == "x"
    assert "2024-01-05" in model.requests[-1].messages[-1].text


# --- earlier artifacts ---------------------------------------------------------------------------


def test_prompts_of_earlier_artifacts_keep_their_words(tmp_path: Path) -> None:
    spec = signature(Level).with_field("rooms", lp.Output(), dict[str, Circle])
    spec = spec.with_field("stay", lp.Output(), Stay)
    path = saved(lp.Predict(spec), tmp_path)
    text = path.read_text()
    assert text.count('"wording"') == 3
    data = json.loads(text)
    for field in data["program"]["signature"]["fields"]:  # as an earlier version wrote it
        field.pop("wording", None)
    del data["program"]["signature"]["fields"][-1]["type"]["fields"][0]["told"]
    resealed(data, path)
    for loaded in (lp.load(path), lp.load(path, classes=[Level, Circle, Stay])):
        (predictor,) = loaded.predictors().values()
        head = predictor.render({"q": "x"})[0].text
        assert "- value (one of: 1, 2)\n- rooms (JSON object)\n" in head
        assert '- stay (JSON object: {"days": integer})' in head
        schema = json.dumps(predictor.signature.json_schema())
        assert "how many" not in schema
        save_program(loaded, tmp_path / "again.json")
        assert '"wording"' not in (tmp_path / "again.json").read_text()


def test_types_of_which_json_knows_nothing_are_not_guessed(tmp_path: Path) -> None:
    path = saved(lp.Predict(signature(Tree)), tmp_path)
    data = json.loads(path.read_text())
    field = data["program"]["signature"]["fields"][-1]
    for wrong in (
        {"kind": "again", "name": "Tree"},
        {"kind": "union", "of": []},
        {"kind": "tuple", "of": "int"},
        {"kind": "recursive", "name": 3, "of": "int"},
        {"kind": "described", "of": "int", "labels": {"a": "b"}},
        {"kind": "named_tuple", "name": "P", "fields": [{"name": "class", "type": "int"}]},
        {"kind": "recursive", "name": "A", "of": {"kind": "again", "name": "A"}},
        {"kind": "bounded", "of": "date", "limits": {"ge": "soon"}},
    ):
        field["type"] = wrong
        resealed(data, path)
        with pytest.raises(ArtifactError, match="(?i)type|limit|names? |describe"):
            lp.load(path)
