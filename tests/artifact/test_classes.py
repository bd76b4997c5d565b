"""The user's own classes: named, checked, handed over."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, read_artifact, save_program
from langprog.errors import ArtifactError, InputError
from langprog.modules import Parameter
from tests.forking import Forking


class Support(lp.Module):
    def __init__(self, tone: str = "kind") -> None:
        self.first = lp.Predict("ticket -> team")
        self.rest = [lp.Predict("ticket, team -> reply")]
        self.tone = tone
        self.limits = {"words": 50, "lists": [1, 2.5, None]}
        self.pattern = re.compile("x")
        self._seen: list[str] = []
        self._width = 3

    def forward(self, ticket: str) -> Any:
        team = self.first(ticket=ticket).team
        return self.rest[0](ticket=ticket, team=team)


class Searching(lp.Module):
    """Cannot be made without arguments."""

    def __init__(self, index: Mapping[str, str]) -> None:
        self.index = index
        self.answer = lp.Predict("question, passage -> answer")

    def forward(self, question: str) -> Any:
        return self.answer(question=question, passage=self.index[question])


class Voting(lp.Module):
    """Has a parameter of its own."""

    def __init__(self, k: int = 3) -> None:
        self.k = k
        self.member = lp.Predict("question -> answer")

    def own_parameters(self) -> dict[str, Parameter]:
        return {"k": Parameter("k", self.k)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Voting:
        new = Voting(values["k"])
        new.member = self.member
        return new

    def forward(self, question: str) -> Any:
        return self.member(question=question)


class Louder(lp.Predict):
    """A predictor of one's own."""

    def __init__(self) -> None:
        super().__init__("question -> answer", instruction="Shout.")


class Outer(lp.Module):
    def __init__(self) -> None:
        self.loud = Louder()
        self.one = lp.ChainOfThought("question -> answer")
        self.same = self.one
        self.votes = Voting()

    def forward(self, question: str) -> Any:
        return self.one(question=question)


def test_a_users_class_is_named_and_has_to_be_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    program = Support().with_parameters({"rest[0].instruction": "Be kind."})
    save_program(program, path)
    with pytest.raises(ArtifactError, match=r"needs your class .*Support.*classes="):
        lp.load(path)
    loaded = lp.load(path, classes=[Support])
    assert loaded.predictors()["rest[0]"].signature.instruction == "Be kind."
    module = Support.__module__
    sys.modules.setdefault(module, sys.modules[__name__])
    assert lp.load(path, allow_modules=[module]).frozen
    assert lp.load(path, allow_modules=[module.partition(".")[0]]).frozen
    with pytest.raises(ArtifactError, match="classes= takes"):
        lp.load(path, classes=["Support"])  # type: ignore[list-item]  # the mistake under test


def test_plain_settings_come_back_and_the_class_makes_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    program = Support("stern")
    program.limits["words"] = 10
    program._width = 7
    program._seen.append("a ticket")
    save_program(program, path)
    loaded: Any = lp.load(path, classes=[Support])
    assert loaded.tone == "stern" and loaded.limits == {"words": 10, "lists": [1, 2.5, None]}
    assert loaded._width == 7 and loaded._seen == [] and loaded.pattern.match("x")
    assert "a ticket" not in path.read_text()


def test_an_instance_stands_for_a_class_that_needs_arguments(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    program = Searching({"q": "secret passage"})
    save_program(program.with_parameters({"answer.instruction": "Be brief."}), path)
    with pytest.raises(
        ArtifactError, match="cannot be created without arguments .*pass an instance"
    ):
        lp.load(path, classes=[Searching])
    loaded: Any = lp.load(path, classes=[program])
    assert loaded.index == program.index
    assert loaded.predictors()["answer"].signature.instruction == "Be brief."
    assert program.predictors()["answer"].signature.instruction != "Be brief."


def test_parameters_of_ones_own_and_shared_parts_come_back(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    values = {
        "votes.k": 7,
        "loud.instruction": "SHOUT.",
        "loud.demos": [lp.Example(question="q", answer="A!")],
        "one.predict.instruction": "Think.",
    }
    program = Outer().with_parameters(values)
    save_program(program, path)
    loaded: Any = lp.load(path, classes=[Outer, Voting, Louder])
    assert loaded.parameters() == program.parameters()
    assert loaded.same is loaded.one and loaded.votes.k == 7
    assert list(loaded.predictors()) == ["loud", "one.predict", "votes.member"]


def test_a_changed_class_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(Support(), path)
    data = json.loads(path.read_text())
    data["program"]["source"] = "sha256:" + "0" * 64
    resigned(path, data)
    with pytest.raises(ArtifactError, match="source of .*Support has changed"):
        lp.load(path, classes=[Support])


def resigned(path: Path, data: dict[str, Any]) -> None:
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_such_module:X", "cannot be imported"),
        ("json:JSONDecoder", r"is not an lp.Module class"),
        ("json:Nothing", "cannot be imported"),
    ],
)
def test_only_modules_come_from_an_allowed_import(tmp_path: Path, name: str, words: str) -> None:
    path = tmp_path / "p.json"
    save_program(Support(), path)
    data = json.loads(path.read_text())
    data["program"]["class"] = name
    resigned(path, data)
    with pytest.raises(ArtifactError, match=words):
        lp.load(path, allow_modules=["json", "no_such_module"])
    assert read_artifact(path).data.program.module == "user"  # reading alone imports nothing


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: p["parts"].pop(), "has the parts first, rest"),
        (lambda p: p["parts"].append(p["parts"][0]), "the same name"),
        (
            lambda p: p["parts"].__setitem__(0, same("nowhere")),
            "refers to 'nowhere', which does not exist",
        ),
        (lambda p: p["parameters"].update(k={"kind": "k", "value": 3}), "has no parameter 'k'"),
    ],
)
def test_what_does_not_fit_the_class_says_so(tmp_path: Path, change: Any, words: str) -> None:
    path = tmp_path / "p.json"
    save_program(Support(), path)
    data = json.loads(path.read_text())
    change(data["program"])
    resigned(path, data)
    with pytest.raises(ArtifactError, match=f"p.json: .*{re.escape(words)}"):
        lp.load(path, classes=[Support])


def same(path: str) -> dict[str, Any]:
    return {"name": "first", "program": {"module": "same", "path": path}}


def test_a_class_whose_making_fails_says_so(tmp_path: Path) -> None:
    class Fragile(lp.Module):
        broken = False

        def __init__(self) -> None:
            if type(self).broken:
                raise FileNotFoundError("index.bin")
            self.answer = lp.Predict("question -> answer")

        def forward(self, question: str) -> Any:
            return self.answer(question=question)

    save_program(Fragile(), tmp_path / "p.json")
    Fragile.broken = True
    with pytest.raises(ArtifactError, match=r"Fragile cannot be created .*\(index.bin\)"):
        lp.load(tmp_path / "p.json", classes=[Fragile])


SCRIPT = """
import sys
import langprog as lp
from langprog.artifact import save_program

class Own(lp.Module):
    def __init__(self):
        self.step = lp.Predict("a -> b")
    def forward(self, a):
        return self.step(a=a)

if __name__ == "__main__":
    save_program(Own(), "own.json")
else:
    assert lp.load("own.json", classes=[Own]).frozen
"""


def test_a_class_of_a_script_is_known_by_the_scripts_name(
    tmp_path: Path, processes: Forking
) -> None:
    (tmp_path / "triage.py").write_text(SCRIPT)
    for command in (["triage.py"], ["-c", "import triage"]):
        assert processes.start(command, folder=tmp_path).wait() == 0
    data = json.loads((tmp_path / "own.json").read_text())
    assert data["program"]["class"] == "triage:Own"
    code = "import langprog as lp; lp.load('own.json', allow_modules=['triage'])"
    assert processes.start(["-c", code], folder=tmp_path).wait() == 0


def test_a_class_without_source_cannot_be_written(tmp_path: Path) -> None:
    scope: dict[str, Any] = {"lp": lp}
    exec("class Own(lp.Module):\n    def forward(self, a): return {'b': a}", scope)
    with pytest.raises(ArtifactError, match="source of Own cannot be found"):
        save_program(scope["Own"](), tmp_path / "p.json")
    with pytest.raises(InputError):
        save_program(Support(), tmp_path / "missing" / "p.json")
