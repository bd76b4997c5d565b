"""A loaded program has the user's own types, or is refused."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import pydantic
import pytest
from pydantic import BaseModel, Field

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.errors import ArtifactError
from langprog.signature import FieldSpec, SignatureSpec

T = TypeVar("T")


class Color(Enum):
    RED = "red"
    GREEN = "green"
    CRIMSON = "red"  # another name of the first

    @property
    def warm(self) -> bool:
        return self is Color.RED


class Size(IntEnum):
    SMALL = 1
    BIG = 9


class Tone(StrEnum):
    KIND = "kind"
    STERN = "stern"


class Older(str, Enum):  # noqa: UP042 - the older way, which others still write
    YES = "yes"


@dataclasses.dataclass
class Base:
    x: int


@dataclasses.dataclass(frozen=True)
class Corner:
    size: Size
    names: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Derived(Base):
    color: Color = Color.GREEN

    def doubled(self) -> int:
        return self.x * 2


class Item(BaseModel):
    price: float = Field(ge=0, description="in euros")
    color: Color | None = None


class Bill(BaseModel):
    items: list[Item]
    corner: Corner | None = None

    def total(self) -> float:
        return sum(item.price for item in self.items)


class Page(BaseModel, Generic[T]):
    rows: list[T]


@pydantic.dataclasses.dataclass
class Checked:
    n: int = Field(ge=0)


VALUES: dict[str, tuple[Any, Any, Any]] = {
    "enum": (Color, "red", Color.RED),
    "int enum": (Size, 9, Size.BIG),
    "str enum": (Tone, "kind", Tone.KIND),
    "older str enum": (Older, "yes", Older.YES),
    "optional": (Color | None, "green", Color.GREEN),
    "list": (list[Color], ["red"], [Color.RED]),
    "dict": (dict[str, Size], {"a": 1}, {"a": Size.SMALL}),
    "keys": (dict[Tone, int], {"kind": 1}, {Tone.KIND: 1}),
    "nested": (list[dict[str, Color | None]], [{"a": "red"}], [{"a": Color.RED}]),
    "limited": (Annotated[list[Color], Field(max_length=2)], ["red"], [Color.RED]),
    "dataclass": (Derived, {"x": 3}, Derived(3)),
    "model": (
        Bill,
        {"items": [{"price": 2, "color": "red"}], "corner": {"size": 9}},
        Bill(items=[Item(price=2, color=Color.RED)], corner=Corner(Size.BIG)),
    ),
    "generic": (Page[Item], {"rows": [{"price": 1}]}, Page[Item](rows=[Item(price=1)])),
    "pydantic dataclass": (Checked, {"n": 1}, Checked(1)),
}


def spec_of(annotation: Any, name: str = "Ask") -> SignatureSpec:
    fields = (FieldSpec("q", "input"), FieldSpec("value", "output", annotation))
    return SignatureSpec(name, "Answer.", fields)


class Own(lp.Module):
    """Holds whatever its class attribute says."""

    asked: Any = "q -> value"

    def __init__(self) -> None:
        self.ask = lp.Predict(type(self).asked)

    def forward(self, q: str) -> Any:
        return {"value": self.ask(q=q).value}


def saved(program: lp.Module, folder: Path) -> Path:
    save_program(program, folder / "p.json")
    return folder / "p.json"


def value_of(program: lp.Module, reply: Any) -> Any:
    with lp.using(lm=lp.ScriptedLM(lambda request: json.dumps({"value": reply})), adapter="json"):
        return program(q="x").value


@pytest.mark.parametrize("kind", VALUES)
def test_a_module_that_is_handed_over_brings_the_types_of_its_predictors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    annotation, reply, right = VALUES[kind]
    monkeypatch.setattr(Own, "asked", spec_of(annotation))
    path = saved(Own(), tmp_path)
    for handed in ([Own], [Own()]):
        given = value_of(lp.load(path, classes=handed), reply)
        assert given == right and type(given) is type(right)


@pytest.mark.parametrize("kind", [kind for kind in VALUES if kind != "generic"])
def test_types_that_are_handed_over_are_taken(tmp_path: Path, kind: str) -> None:
    annotation, reply, right = VALUES[kind]
    path = saved(lp.ChainOfThought(spec_of(annotation)), tmp_path)
    types = [Color, Size, Tone, Older, Derived, Bill, Checked]
    program = lp.load(path, classes=types)
    with lp.using(
        lm=lp.ScriptedLM(lambda request: json.dumps({"reasoning": "r", "value": reply})),
        adapter="json",
    ):
        given = program(q="x").value
    assert given == right and type(given) is type(right)


def test_a_signature_that_is_handed_over_brings_its_types(tmp_path: Path) -> None:
    class Ask(lp.Signature):
        q: str = lp.Input()
        value: Bill = lp.Output()

    demo = lp.Example(q="x", value=Bill(items=[]))
    path = saved(lp.Predict(Ask, demos=[demo]), tmp_path)
    loaded = lp.load(path, classes=[Ask])
    assert value_of(loaded, {"items": [{"price": 2}]}).total() == 2
    assert type(loaded.predictors()["predict"].demos[0].value) is Bill


def test_without_code_of_the_users_nothing_has_to_be_handed_over(tmp_path: Path) -> None:
    path = saved(lp.Predict(spec_of(Color)), tmp_path)
    assert value_of(lp.load(path), "red").value == "red"


def test_types_come_from_an_allowed_module(tmp_path: Path) -> None:
    sys.modules.setdefault(__name__, sys.modules[Color.__module__])
    path = saved(lp.Predict(spec_of(Derived)), tmp_path)
    assert value_of(lp.load(path, allow_modules=[Derived.__module__]), {"x": 1}) == Derived(1)
    with pytest.raises(ArtifactError, match=r"own type Derived.*classes=\[\.\.\., Derived\]"):
        lp.load(path, allow_modules=["json"])
    with pytest.raises(ArtifactError, match="allowed module no_such_module cannot be imported"):
        lp.load(path, allow_modules=["no_such_module"])


def test_types_of_a_step_beside_code_of_the_users_must_be_had(tmp_path: Path) -> None:
    path = saved(hidden(), tmp_path)
    with pytest.raises(ArtifactError, match="'hue' of Pick has your own type Hue"):
        lp.load(path, classes=[Passing])


class Passing(lp.Module):
    """Sees whatever the step before it gives."""

    signature = "hue -> label"

    def forward(self, hue: Any) -> Any:
        return {"label": str(hue)}


def hidden() -> lp.Pipeline:
    class Hue(StrEnum):
        RED = "red"

    fields = (FieldSpec("q", "input"), FieldSpec("hue", "output", Hue))
    return lp.Pipeline(pick=lp.Predict(SignatureSpec("Pick", "Pick.", fields)), tell=Passing())


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    data = json.loads(text.replace(old, new))
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("annotation", "old", "new"),
    [
        (Color, '"GREEN"', '"VERT"'),
        (Color, '"green"', '"vert"'),
        (list[Item], '"in euros"', '"in pounds"'),
        (Bill, '"ge": 0', '"ge": 1'),
        (Derived, '"frozen": false', '"frozen": true'),
    ],
)
def test_a_type_that_changed_is_refused(
    tmp_path: Path, annotation: Any, old: str, new: str
) -> None:
    path = saved(lp.Predict(spec_of(annotation)), tmp_path)
    changed(path, old, new)
    with pytest.raises(ArtifactError, match="is not the type that the artifact was written with"):
        lp.load(path, classes=[Color, Item, Bill, Derived])


def test_a_signature_of_other_types_is_refused(tmp_path: Path) -> None:
    class Ask(lp.Signature):
        q: str = lp.Input()
        value: Size = lp.Output()

    path = saved(lp.Predict(spec_of(Color)), tmp_path)
    with pytest.raises(ArtifactError, match="Ask.value has another type than in the artifact"):
        lp.load(path, classes=[Ask])


def test_a_type_that_checks_by_now_is_refused(tmp_path: Path) -> None:
    def plain() -> type:
        @dataclasses.dataclass
        class Span:
            end: int

        return Span

    def checking() -> type:
        @dataclasses.dataclass
        class Span:
            end: int

            def __post_init__(self) -> None:
                assert self.end

        return Span

    path = saved(lp.Predict(spec_of(plain())), tmp_path)
    with pytest.raises(ArtifactError, match="is not the type"):
        lp.load(path, classes=[checking()])


def twins() -> Iterator[type]:
    for _ in range(2):

        class Team(Enum):
            A = "a"

        yield Team


def test_types_that_cannot_be_told_apart_are_refused(tmp_path: Path) -> None:
    first, second = twins()
    path = saved(lp.Predict(spec_of(first)), tmp_path)
    with pytest.raises(ArtifactError, match="both match the field 'value' of Ask"):
        lp.load(path, classes=[first, second])
    program = lp.Pipeline(
        one=lp.Predict(spec_of(first, "One")),
        two=lp.Predict(
            SignatureSpec(
                "Two", "", (FieldSpec("q", "input"), FieldSpec("other", "output", second))
            )
        ),
    )
    assert lp.load(saved(program, tmp_path)).frozen


def test_a_list_is_asked_for(tmp_path: Path) -> None:
    path = saved(lp.Predict(spec_of(Color)), tmp_path)
    with pytest.raises(ArtifactError, match="takes a list of classes"):
        lp.load(path, classes=Color)  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(ArtifactError, match=r"write allow_modules=\['json'\]"):
        lp.load(path, allow_modules="json")


FLOW = """
import enum
import langprog as lp
import shapes

class Flow(lp.Module):
    def __init__(self):
        self.pick = shapes.picker()
    def forward(self, q):
        return {"a": "money" if self.pick(q=q).team is shapes.TEAMS.BILLING else "other"}
"""
SHAPES = """
import enum
import langprog as lp
import hidden

TEAMS = hidden.Team

def picker():
    return lp.Predict(hidden.signature())
"""
HIDDEN = """
import enum
import langprog as lp
from langprog.signature import FieldSpec, SignatureSpec

class Team(enum.Enum):
    BILLING = "billing"

def signature():
    fields = (FieldSpec("q", "input"), FieldSpec("team", "output", Team))
    return SignatureSpec("Pick", "Pick.", fields)
"""
RUN = """
import sys
import langprog as lp
from langprog.artifact import save_program
if sys.argv[1] == "save":
    import flow
    save_program(flow.Flow(), "p.json")
else:
    with lp.using(lm=lp.ScriptedLM(["[[team]]\\nbilling"])):
        print(lp.load("p.json", allow_modules=["flow"])(q="x").a)
"""


def test_types_are_found_through_files_that_the_module_only_calls(tmp_path: Path) -> None:
    for name, text in {"flow": FLOW, "shapes": SHAPES, "hidden": HIDDEN, "run": RUN}.items():
        (tmp_path / f"{name}.py").write_text(text)
    for what, said in (("save", ""), ("load", "money\n")):
        command = [sys.executable, "run.py", what]
        done = subprocess.run(
            command, cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True
        )
        assert done.stdout == said
