from __future__ import annotations

import json
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

import langprog as lp
from langprog.artifact import digest_of, read_artifact, save_program
from langprog.errors import ArtifactError, FrozenError


class Urgency(Enum):
    LOW = "low"
    HIGH = "high"


class Person(BaseModel):
    name: str
    age: int = Field(ge=0, description="in years")


class Note(lp.Signature):
    """Read the note."""

    note: str = lp.Input("as it came in")
    lines: list[str] = lp.Input()
    urgency: Urgency = lp.Output()
    person: Person = lp.Output("who is meant")
    kind: Literal["a", "b"] = lp.Output()
    count: int | None = lp.Output(ge=0)


class Support(lp.Module):
    def __init__(self) -> None:
        self.first = lp.Predict("ticket -> team")
        self.rest = [lp.Predict("ticket, team -> reply")]

    def forward(self, ticket: str) -> Any:
        team = self.first(ticket=ticket).team
        return self.rest[0](ticket=ticket, team=team)


def mixed() -> lp.Pipeline:
    demo = lp.Example(
        note="n",
        lines=["x", "[[kind]]"],
        urgency=Urgency.HIGH,
        person=Person(name="Al", age=3),
        kind="a",
        count=None,
    )
    return lp.Pipeline(
        read=lp.Predict(Note, demos=[demo], model="pocket/small", adapter="json", temperature=0.3),
        answer=lp.ChainOfThought("note, kind -> answer", instruction="Say  it\nin two lines."),
    )


def test_a_program_comes_back_with_every_prompt_the_same(tmp_path: Path) -> None:
    program = mixed()
    digest = save_program(program, tmp_path / "p.json", evidence={"seed": 1})
    loaded = lp.load(tmp_path / "p.json")
    assert loaded.frozen and read_artifact(tmp_path / "p.json").digest == digest
    inputs = {"note": "hello", "lines": ["a"]}
    again = loaded.predictors()["read"]
    assert again.render(inputs) == program.predictors()["read"].render(inputs)
    assert again.model == "pocket/small" and again.sampling.temperature == 0.3
    with pytest.raises(FrozenError):
        loaded.other = 1
    assert save_program(loaded, tmp_path / "q.json", evidence={"seed": 1}) == digest
    assert (tmp_path / "p.json").read_bytes() == (tmp_path / "q.json").read_bytes()


def test_a_loaded_program_runs_with_rebuilt_types(tmp_path: Path) -> None:
    save_program(mixed(), tmp_path / "p.json")
    reply = {"urgency": "high", "person": {"name": "Bo", "age": 4}, "kind": "b", "count": 2}
    script = lp.ScriptedLM(
        [json.dumps(reply), "[[reasoning]]\nr\n[[answer]]\nyes"], name="pocket/small"
    )
    with lp.using(lm=script):
        prediction = lp.load(tmp_path / "p.json")(note="n", lines=[])
    assert prediction.urgency.value == "high"
    assert prediction.person.age == 4 and prediction.answer == "yes"


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


def test_a_changed_class_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(Support(), path)
    data = json.loads(path.read_text())
    data["program"]["source"] = "sha256:" + "0" * 64
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))
    with pytest.raises(ArtifactError, match="source of .*Support is not what it was"):
        lp.load(path, classes=[Support])


def rewritten(path: Path, **changes: Any) -> None:
    data = {**json.loads(path.read_text()), **changes}
    for key in [key for key, value in data.items() if value == "DELETE"]:
        del data[key]
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "upgrade langprog"),
        ({"format": "one"}, "no format version"),
        ({"program": "DELETE"}, "program: Field required"),
        ({"program": {"module": "Oracle"}}, "Oracle"),
        ({"surprise": 1}, "surprise: Extra"),
        (
            {
                "program": {
                    "module": "Predict",
                    "signature": {},
                    "demos": [],
                    "model": None,
                    "adapter": None,
                    "sampling": {},
                }
            },
            "signature cannot be read",
        ),
        (
            {
                "program": {
                    "module": "Predict",
                    "signature": {
                        "name": "x",
                        "instruction": "y",
                        "fields": [
                            {"name": "a", "role": "input", "type": "str"},
                            {"name": "b", "role": "output", "type": "str"},
                        ],
                    },
                    "demos": [],
                    "model": None,
                    "adapter": "yaml",
                    "sampling": {},
                }
            },
            "yaml",
        ),
    ],
)
def test_wrong_files_say_what_is_wrong(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    rewritten(path, **changes)
    with pytest.raises(ArtifactError, match=words):
        lp.load(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "JSON"), (b"\xff\xfe\x00", "JSON"), (b"[1]", "format"), (b'{"format": 1}', "digest")],
)
def test_files_that_are_no_artifacts_say_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=words):
        lp.load(path)
    with pytest.raises(ArtifactError, match="no such file"):
        lp.load(tmp_path / "missing.json")


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 0.999), byte=st.integers(0, 255))
def test_no_changed_byte_goes_unnoticed(
    tmp_path_factory: pytest.TempPathFactory, place: float, byte: int
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "p.json"
    save_program(mixed(), path)
    content = bytearray(path.read_bytes())
    original = json.loads(bytes(content))
    content[int(place * len(content))] = byte
    path.write_bytes(bytes(content))
    try:
        read_artifact(path)
    except ArtifactError:
        return
    assert json.loads(path.read_bytes()) == original


def test_what_looks_like_a_secret_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    leaky = lp.Predict("a -> b", instruction="Use the key sk-abcdefghijklmnopqrstuvwx.")
    with pytest.raises(ArtifactError, match="instruction looks like it holds a key") as caught:
        save_program(leaky, path)
    assert "abcdefg" not in str(caught.value)
    assert not path.exists()


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="plain JSON"):
        save_program(lp.Predict("a -> c"), path, evidence={"when": object()})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["p.json"]
    with pytest.raises(ArtifactError, match="cannot be written"):
        save_program(lp.Predict("a -> b"), tmp_path / "no" / "p.json")


def test_running_an_artifact_imports_no_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    code = (
        "import sys, langprog as lp\n"
        f"program = lp.load({str(path)!r})\n"
        "lp.configure(lm=lp.ScriptedLM(['[[b]]\\nfine']))\n"
        "assert program(a='x').b == 'fine'\n"
        "loaded = {'optimizers', 'optuna', 'litellm', 'torch'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


texts = st.text(max_size=30)


@settings(max_examples=50, deadline=None)
@given(instruction=texts, demos=st.lists(st.tuples(texts, texts), max_size=3))
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory, instruction: str, demos: list[tuple[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("texts") / "p.json"
    program = lp.Predict(
        "a -> b", instruction=instruction, demos=[lp.Example(a=one, b=two) for one, two in demos]
    )
    save_program(program, path)
    loaded = lp.load(path)
    assert loaded.parameters() == program.parameters()
