"""Kinds of modules that other packages bring: found by entry point, refused in a sentence."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.errors import ArtifactError
from langprog.modules import module_type
from langprog.modules.registry import kinds

Install = Callable[..., None]

TWICE = """
from typing import Any, ClassVar, Literal

import langprog as lp
from langprog.modules import AnyNode, Node


class TwiceNode(Node):
    module: Literal["Twice"]
    asks: AnyNode
    loud: bool


class Twice(lp.Module):
    node: ClassVar[type[Node]] = TwiceNode

    def __init__(self, asks, loud=False):
        self.asks = asks
        self.loud = loud

    def to_node(self, parts, types):
        return {"module": "Twice", "asks": parts["asks"], "loud": self.loud}

    @classmethod
    def from_node(cls, node, parts, types):
        return cls(parts["asks"], node.loud)

    async def aforward(self, **inputs):
        await self.asks.acall(**inputs)
        return await self.asks.acall(**inputs)
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what puts a package with an entry point on the path."""

    def put(name: str, code: str, value: str, kind: str = "Twice") -> None:
        folder = tmp_path / name
        (folder / f"{name}-1.dist-info").mkdir(parents=True)
        (folder / f"{name}.py").write_text(code)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n"
        (folder / f"{name}-1.dist-info" / "METADATA").write_text(metadata)
        points = f"[langprog.modules]\n{kind} = {value}\n"
        (folder / f"{name}-1.dist-info" / "entry_points.txt").write_text(points)
        monkeypatch.syspath_prepend(str(folder))

    return put


def test_a_kind_of_another_package_is_written_and_read(install: Install, tmp_path: Path) -> None:
    install("plugtwice", TWICE, "plugtwice:Twice")
    assert "Twice" in kinds()
    assert "plugtwice" not in sys.modules
    cls = module_type("Twice")
    assert cls is not None
    program = cls(lp.Vote(lp.Predict("a -> b", model="m/x")), loud=True)
    save_program(program, tmp_path / "p.json")
    artifact = read_artifact(tmp_path / "p.json")
    loaded = artifact.program()
    assert type(loaded) is cls and loaded.loud is True
    assert list(loaded.predictors()) == ["asks.module"]
    assert artifact.model_names == ("m/x",)


def test_a_kind_that_nobody_brings_is_named(install: Install, tmp_path: Path) -> None:
    install("plugtwice", TWICE, "plugtwice:Twice")
    cls = module_type("Twice")
    assert cls is not None
    save_program(cls(lp.Predict("a -> b")), tmp_path / "p.json")
    sys.path[:] = [entry for entry in sys.path if "plugtwice" not in entry]
    with pytest.raises(
        ArtifactError, match="'Twice' is not a known kind of module.*install the package"
    ) as error:
        lp.load(tmp_path / "p.json")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "value", "words"),
    [
        (
            "import nowhere_to_be_found",
            "plugbad:Twice",
            "'Twice' .plugbad:Twice. cannot be loaded",
        ),
        ("raise ValueError('broken')", "plugbad:Twice", "ValueError: broken"),
        ("Twice = 3", "plugbad:Twice", "plugbad:Twice is not the kind of module 'Twice'"),
        ("import langprog\nTwice = langprog.Vote", "plugbad:Twice", r"is Literal\['Twice'\]"),
        ("", "plugbad:Twice", "AttributeError"),
    ],
)
def test_a_package_that_does_not_fit_is_refused(
    install: Install, code: str, value: str, words: str
) -> None:
    install("plugbad", code, value)
    with pytest.raises(ArtifactError, match=words):
        module_type("Twice")


def test_two_packages_with_one_kind_are_refused(install: Install) -> None:
    install("plugone", TWICE, "plugone:Twice")
    install("plugtwo", TWICE, "plugtwo:Twice")
    with pytest.raises(ArtifactError, match="two packages provide the kind of module 'Twice'"):
        module_type("Twice")


def test_no_package_takes_the_place_of_a_kind_of_ours(install: Install) -> None:
    install("plugvote", TWICE, "plugvote:Twice", kind="Vote")
    assert module_type("Vote") is lp.Vote
    assert "plugvote" not in sys.modules


def test_a_class_that_derives_from_a_kind_is_the_users_own(tmp_path: Path) -> None:
    class Loud(lp.Vote):
        pass

    save_program(Loud(lp.Predict("a -> b")), tmp_path / "p.json")
    with pytest.raises(ArtifactError, match="needs your class"):
        lp.load(tmp_path / "p.json")
    loaded = lp.load(tmp_path / "p.json", classes=[Loud(lp.Predict("a -> b"))])
    assert type(loaded) is Loud
