"""Adapters in artifacts: by name and version, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.adapters import Adapter, registry
from langprog.artifact import digest_of, save_program
from langprog.errors import ArtifactError
from langprog.lm import Completion, Message
from langprog.signature import SignatureSpec


class Whisper(Adapter):
    """The inputs in small letters, the answer as it is."""

    name = "whisper"

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return (Message("user", f"{signature.instruction} {dict(inputs)}".lower()),)

    def parse(self, signature: SignatureSpec, completion: Completion) -> dict[str, Any]:
        return dict.fromkeys(signature.outputs, completion.text)


class Fainter(Whisper):
    version = 2


class Namesake(Whisper):
    """Another adapter under the same name."""


class Choosing(lp.Module):
    """Has an adapter as a parameter of its own."""

    def __init__(self) -> None:
        self.chosen: Any = "json"
        self.step = lp.Predict("a -> b")

    def own_parameters(self) -> dict[str, Any]:
        from_modules = lp.Predict("a -> b").own_parameters()["adapter"]
        return {"chosen": type(from_modules)("adapter", self.chosen)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Any:
        new = Choosing()
        new.step = self.step
        new.chosen = values["chosen"]
        return new


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def install(value: str) -> None:
        point = EntryPoint("whisper", value, registry.GROUP)
        monkeypatch.setattr(registry, "entry_points", lambda group: [point])
        forget()

    def forget() -> None:
        registry._points.cache_clear()
        registry._installed_versions.cache_clear()

    yield install
    forget()


def named_in(path: Path) -> Any:
    return json.loads(path.read_text())["program"]["adapter"]


@pytest.mark.parametrize("name", ["chat", "json", "xml", "tools", "auto", None])
def test_a_known_adapter_is_kept_by_its_name(tmp_path: Path, name: str | None) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b", adapter=name), path)
    assert named_in(path) == (name if name in ("auto", None) else f"{name}@1")
    assert lp.load(path).predictors()["predict"].adapter == name


@pytest.mark.parametrize(("mine", "kept"), [(Whisper(), "whisper@1"), (Fainter(), "whisper@2")])
def test_an_object_comes_back_where_it_is_handed_over(
    tmp_path: Path, mine: Adapter, kept: str
) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b", adapter=mine), path)
    assert named_in(path) == kept
    assert lp.load(path, adapters=[mine]).predictors()["predict"].adapter is mine
    with pytest.raises(ArtifactError, match=f"no adapter '{kept}'.* lp.load.path, adapters="):
        lp.load(path)
    other = Fainter() if kept == "whisper@1" else Whisper()
    with pytest.raises(ArtifactError, match=f"no adapter '{kept}'"):
        lp.load(path, adapters=[other])
    with pytest.raises(ArtifactError, match="adapters=: Whisper is a class"):
        lp.load(path, adapters=[Whisper])  # type: ignore[list-item]  # the mistake under test


def test_an_installed_adapter_needs_no_handing_over(
    tmp_path: Path, installed: Callable[[str], None]
) -> None:
    installed(f"{__name__}:Whisper")
    path = tmp_path / "p.json"
    for adapter in ("whisper", Whisper()):
        save_program(lp.Predict("a -> b", adapter=adapter), path)
        assert named_in(path) == "whisper@1"
        with lp.using(lm=lp.ScriptedLM(["yes"])):
            assert lp.load(path)(a="x").b == "yes"


def test_a_namesake_of_an_installed_adapter_is_not_saved(
    tmp_path: Path, installed: Callable[[str], None]
) -> None:
    installed(f"{__name__}:Whisper")
    with pytest.raises(ArtifactError, match="Namesake has the name 'whisper', which an installed"):
        save_program(lp.Predict("a -> b", adapter=Namesake()), tmp_path / "p.json")


def test_a_version_that_is_not_known_here_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b", adapter="chat"), path)
    data = json.loads(path.read_text())
    data["program"]["adapter"] = "chat@2"
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="'chat' has no version 2 here, only 1: upgrade langp"):
        lp.load(path)


def test_an_adapter_among_the_parameters_of_a_users_module_is_kept_too(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    mine = Whisper()
    program = Choosing().with_parameters({"program.chosen": mine})
    save_program(program, path)
    assert '"value": "whisper@1"' in path.read_text()
    loaded = lp.load(path, classes=[Choosing], adapters=[mine])
    assert loaded.parameters()["program.chosen"].value is mine


class Marked(Whisper):
    """One with a state of its own."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def render(
        self, signature: SignatureSpec, demos: Sequence[lp.Example], inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        return (Message("user", f"{self.mark} {dict(inputs)}"),)


def test_each_predictor_may_have_its_own_copy_of_one_adapter(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    program = lp.Pipeline(
        x=lp.Predict("a -> b", adapter=Marked("-")), y=lp.Predict("b -> c", adapter=Marked("-"))
    )
    save_program(program, path)
    again = lp.load(path, adapters=[Marked("-")])
    assert {step.adapter.mark for step in again.predictors().values()} == {"-"}  # type: ignore[union-attr] # they are Marked


def test_two_adapters_of_one_name_that_differ_are_not_saved(tmp_path: Path) -> None:
    program = lp.Pipeline(
        x=lp.Predict("a -> b", adapter=Marked("-")), y=lp.Predict("b -> c", adapter=Marked("+"))
    )
    with pytest.raises(ArtifactError, match="the adapter of y"):
        save_program(program, tmp_path / "p.json")
