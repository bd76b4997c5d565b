from __future__ import annotations

import dataclasses
import json
import time
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Optional

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

import langprog as lp
from langprog.errors import InputError, SignatureError
from langprog.signature import SignatureSpec, type_from_json, type_to_json
from tests.signature.kinds import signatures


def lower(text: str) -> str:
    """Must be lower case.

    This is for programmers.
    """
    if text != text.lower():
        raise ValueError("not lower case")
    return text


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Size(IntEnum):
    BIG = 9
    SMALL = 1


class Tone(str, Enum):  # noqa: UP042 - the older way, which others still write
    WARM = "warm"


class Level(Enum):
    NONE = None
    HIGH = 2.5


class Street(BaseModel):
    """Not shown."""

    name: Annotated[str, AfterValidator(lower)] = Field(description="as on the sign", min_length=2)
    number: Optional[int] = Field(None, ge=1)  # noqa: UP045 - one of the ways to write it


class Address(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    street: Street
    colors: list[Color] = Field(default_factory=list, max_length=3)
    best: Color = Color.RED
    home: Street = Street(name="main")

    @field_validator("colors")
    @classmethod
    def once(cls, colors: list[Color]) -> list[Color]:
        """No color twice."""
        return colors

    @model_validator(mode="after")
    def together(self) -> Address:
        """The best is one of the colors."""
        return self


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.5
    names: list[str] = dataclasses.field(default_factory=lambda: ["a"])


@pydantic.dataclasses.dataclass
class Pair:
    one: int = Field(ge=0, description="the first")
    two: int = 0


class Everything(lp.Signature):
    """Do it."""

    text: str = lp.Input("some text", max_length=9)
    address: Address = lp.Output()
    points: list[Point] = lp.Output(min_length=1)
    pair: Pair = lp.Output()
    color: Color = lp.Output()
    size: Size | None = lp.Output()
    tone: Tone = lp.Output()
    level: Level = lp.Output()
    label: Literal["z", 1, True, None] = lp.Output()
    counts: dict[Color, dict[int, Point]] = lp.Output()
    code: Annotated[str, AfterValidator(lower)] = lp.Output(max_length=4)


def again(spec: SignatureSpec) -> SignatureSpec:
    """The signature as another process sees it."""
    return SignatureSpec.from_json(json.loads(json.dumps(spec.to_json())))


def test_everything_that_can_be_seen_of_a_signature_comes_back() -> None:
    spec = Everything.spec
    rebuilt = again(spec)
    assert rebuilt.to_json() == spec.to_json()
    assert rebuilt.digest == spec.digest
    assert [f.line for f in rebuilt.fields] == [f.line for f in spec.fields]
    assert rebuilt.json_schema() == spec.json_schema()
    assert again(rebuilt) == rebuilt


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=signatures())
def test_any_signature_comes_back_and_takes_the_same_values(
    case: tuple[SignatureSpec, dict[str, Any]],
) -> None:
    spec, values = case
    rebuilt = again(spec)
    assert rebuilt.to_json() == spec.to_json()
    assert rebuilt.digest == spec.digest
    assert rebuilt.json_schema() == spec.json_schema()
    for field, other in zip(spec.fields, rebuilt.fields, strict=True):
        assert other.line == field.line
        plain = field.plain(values[field.name])
        assert other.plain(other.validate(plain)) == plain == field.plain(field.validate(plain))


def test_limits_of_rebuilt_types_hold() -> None:
    rebuilt = again(Everything.spec)
    good = {"street": {"name": " main ", "number": 1}}
    address = rebuilt.outputs["address"].validate(good)
    assert address.street.name == " main "  # its own model does not strip
    assert address.home.name == "main"
    assert address.best == "red"
    for wrong in (
        {"street": {"name": "x"}},
        {"street": {"name": "main", "number": 0}},
        {**good, "more": 1},
        {**good, "colors": ["red"] * 4},
        {**good, "best": "green"},
    ):
        with pytest.raises(InputError, match="'address' does not fit"):
            rebuilt.outputs["address"].validate(wrong)
    with pytest.raises(InputError, match="'pair' does not fit"):
        rebuilt.outputs["pair"].validate({"one": -1})
    with pytest.raises(InputError, match="'points' does not fit"):
        rebuilt.outputs["points"].validate([])


def test_rebuilt_defaults_are_not_shared() -> None:
    points = again(Everything.spec).outputs["points"]
    one, other = points.validate([{"x": 1}, {"x": 2}])
    one.names.append("b")
    assert other.names == ["a"]
    assert other.y == 0.5


def test_rebuilt_enums_are_what_they_were() -> None:
    outputs = again(Everything.spec).outputs
    assert outputs["color"].validate("red") == "red"
    assert outputs["size"].validate(9) + 1 == 10
    assert outputs["tone"].validate("warm") == "warm"
    assert outputs["level"].validate(2.5).name == "HIGH"
    assert list(outputs["size"].annotation.__args__[0]) == [9, 1]


def test_a_validator_leaves_its_words_and_not_its_code() -> None:
    assert "must be lower case" not in Everything.outputs["code"].line
    assert Everything.outputs["code"].line.endswith("at most 4 long, Must be lower case)")
    with pytest.raises(InputError, match="not lower case"):
        Everything.outputs["code"].validate("A")
    rebuilt = again(Everything.spec)
    assert rebuilt.outputs["code"].line == Everything.outputs["code"].line
    assert rebuilt.outputs["code"].validate("A") == "A"
    assert "No color twice" in rebuilt.outputs["address"].line
    assert "(The best is one of the colors)" in rebuilt.outputs["address"].line


def test_the_same_description_gives_the_same_class() -> None:
    one, other = again(Everything.spec), again(Everything.spec)
    assert one.outputs["color"].annotation is other.outputs["color"].annotation
    assert one.outputs["address"].annotation is other.outputs["address"].annotation


def test_a_default_that_differs_each_time_is_refused() -> None:
    count = iter(range(9))

    class Counted(BaseModel):
        n: int = Field(default_factory=lambda: next(count))

    with pytest.raises(SignatureError, match="'value.n': its default_factory gives another value"):
        type_to_json(Counted)


def test_loading_a_type_runs_nothing(tmp_path: Path) -> None:
    target = tmp_path / "made"
    evil = f"x=open({str(target)!r},'w')"
    for data in (
        evil,
        {
            "kind": "dataclass",
            "name": evil,
            "frozen": False,
            "fields": [{"name": "a", "type": "int"}],
        },
        {
            "kind": "dataclass",
            "name": "D",
            "frozen": False,
            "fields": [{"name": evil, "type": "int"}],
        },
        {"kind": "model", "name": "M", "fields": [{"name": "a", "type": evil}]},
        {"kind": "enum", "name": evil, "base": "plain", "members": [["A", evil]]},
    ):
        try:
            type_from_json(data)
        except SignatureError:
            pass
        assert not target.exists()


@pytest.mark.parametrize(
    "data",
    [
        "complex",
        None,
        3,
        ["int"],
        {},
        {"kind": "bag", "of": "int"},
        {"kind": "list"},
        {"kind": "list", "of": "complex"},
        {"kind": "dict", "of": "int"},
        {"kind": "literal"},
        {"kind": "literal", "values": 3},
        {"kind": "enum", "name": "E", "base": "plain", "members": [["A"]]},
        {"kind": "enum", "name": "E", "base": "Flag", "members": [["A", 1]]},
        {"kind": "enum", "name": "E", "base": "IntEnum", "members": [["A", "x"]]},
        {"kind": "model", "name": "M", "fields": [{"type": "int"}]},
        {"kind": "model", "name": "M", "fields": 3},
        {"kind": "model", "name": "M", "fields": [{"name": "a", "type": "int", "default": "x"}]},
        {"kind": "dataclass", "name": "D", "fields": []},
        {
            "kind": "dataclass",
            "name": "D",
            "frozen": False,
            "fields": [{"name": "class", "type": "int"}],
        },
        {"kind": "bounded", "of": "int", "limits": {"odd": True}},
        {"kind": "bounded", "of": "str", "limits": {"max_length": 10**30}, "rules": 3},
        {"kind": "list", "of": "int", "more": 1},
        {"kind": "literal", "values": []},
        {"kind": "literal", "values": [["a"]]},
        {"kind": ["list"], "of": "int"},
        {"kind": "enum", "name": "E", "base": "plain", "members": []},
        {"kind": "enum", "name": 3, "base": "plain", "members": [["A", 1]]},
        {"kind": "enum", "name": "E", "base": "plain", "members": [["_order_", 1]]},
        {"kind": "enum", "name": "E", "base": "plain", "members": [["", 1]]},
        {"kind": "enum", "name": "E", "base": "plain", "members": [[["A"], 1]]},
        {"kind": "enum", "name": "E", "base": "plain", "members": [["__x__", 1]]},
        {"kind": "enum", "name": "E", "base": ["plain"], "members": [["A", 1]]},
        {"kind": "model", "name": "M", "fields": [], "settings": {"extra": "evil"}},
        {"kind": "model", "name": "M", "fields": [], "settings": {"frozen": "yes"}},
        {"kind": "model", "name": "M", "fields": [], "settings": {"from_attributes": True}},
        {"kind": "model", "name": "M", "fields": [{"name": "__base__", "type": "int"}]},
        {"kind": "model", "name": "M", "fields": [{"name": "_x", "type": "int"}]},
        {"kind": "model", "name": "M", "fields": [{"name": "model_config", "type": "int"}]},
        {"kind": "model", "name": "M", "fields": [{"name": "a", "type": "int"}] * 2},
        {"kind": "model", "name": "M", "fields": {"name": "a"}},
        {"kind": "model", "name": "M", "fields": [{"name": "a", "type": "int", "description": 3}]},
        {"kind": "dataclass", "name": "D", "frozen": 1, "fields": []},
        {
            "kind": "dataclass",
            "name": "D",
            "frozen": False,
            "fields": [{"name": "__class__", "type": "int"}],
        },
        {"kind": "bounded", "of": "int"},
    ],
)
def test_what_describes_no_type_is_refused(data: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        type_from_json(data)
    assert str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        {"kind": "enum", "name": "E", "base": "IntEnum", "members": [["A", 0.5]]},
        {"kind": "enum", "name": "E", "base": "str", "members": [["A", 1]]},
        {"kind": "enum", "name": "E", "base": "plain", "members": [["A", 1], ["B", 1]]},
        {"kind": "literal", "values": ["a", "a"]},
        {"kind": "bounded", "of": "int", "limits": {"ge": "x"}},
        {"kind": "list", "of": {"kind": "bounded", "of": "str", "limits": {"pattern": "("}}},
        {"kind": "list", "of": {"kind": "bounded", "of": "str", "limits": {"pattern": ["a"]}}},
        {"kind": "optional", "of": {"kind": "optional", "of": "int"}},
        {
            "kind": "model",
            "name": "M",
            "fields": [{"name": "a", "type": "int", "default": "1"}],
        },
        {"kind": "model", "name": "M", "fields": [{"name": "a", "type": "int", "more": 1}]},
    ],
)
def test_what_would_become_another_type_is_refused(data: Any) -> None:
    fields = [
        {"name": "a", "role": "input", "type": "str"},
        {"name": "b", "role": "output", "type": data},
    ]
    with pytest.raises(SignatureError):
        SignatureSpec.from_json({"name": "S", "instruction": "", "fields": fields})


def test_a_field_named_like_a_method_comes_back_without_a_warning() -> None:
    names = ["json", "copy", "mro", "model_x", "self", "dict", "schema"]
    for kind, more in (("model", {}), ("dataclass", {"frozen": False})):
        fields = [{"name": name, "type": "int"} for name in names]
        made = type_from_json({"kind": kind, "name": "M", **more, "fields": fields})
        value = pydantic.TypeAdapter(made).validate_python(dict.fromkeys(names, 1))
        assert [getattr(value, name) for name in names] == [1] * len(names)


def test_names_that_only_values_can_give_come_back() -> None:
    labels = Enum("Labels", {"not spam": "x", "class": "y", "1": 1})  # type: ignore[misc]  # built from values
    made = pydantic.create_model("Made", **{"a b": (labels, ...), "class": (int, 3)})  # type: ignore[call-overload]  # built from values
    for kind in (labels, made):
        assert type_to_json(type_from_json(type_to_json(kind))) == type_to_json(kind)


def test_deep_and_wide_types_take_time_that_grows_with_their_size() -> None:
    def seconds(levels: int, width: int) -> float:
        data: Any = {"kind": "literal", "values": [f"{levels}/{n}" for n in range(width)]}
        for _ in range(levels):
            data = {"kind": "list", "of": data}
        began = time.process_time()
        type_from_json(data)
        return time.process_time() - began

    seconds(2, 10)
    shallow, deep = seconds(2, 20_000), seconds(80, 20_000)
    assert deep < 3 * shallow + 0.1
    data: Any = "int"
    for _ in range(2000):
        data = {"kind": "list", "of": data}
    with pytest.raises(SignatureError, match="nested too deeply"):
        type_from_json(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 3}, "the name of a signature must be text"),
        ({"fields": None}, "cannot be read"),
        ({"instruction": 3}, "the instruction of S must be text"),
        ({"fields": [{"name": "a", "role": "input"}]}, "lacks 'type'"),
        ({"fields": [{"name": "a", "role": "both", "type": "str"}]}, "neither input nor output"),
        ({"fields": [{"name": 3, "role": "input", "type": "str"}]}, "cannot be read"),
        (
            {"fields": [{"name": "a", "role": "input", "type": "str", "constraints": {"x": 1}}]},
            "'x'",
        ),
    ],
)
def test_what_describes_no_signature_is_refused(change: dict[str, Any], message: str) -> None:
    data = {"name": "S", "instruction": "Do it.", "fields": [], **change}
    with pytest.raises(SignatureError, match=message):
        SignatureSpec.from_json(data)
    with pytest.raises(SignatureError, match="lacks 'name'"):
        SignatureSpec.from_json({"fields": [], "instruction": ""})
