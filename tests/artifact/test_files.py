from __future__ import annotations

import datetime
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
from tests.artifact.comparing import without_lineage


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
    assert again.model == lp.ModelRef("pocket/small", "in-process")
    assert again.sampling.temperature == 0.3
    with pytest.raises(FrozenError):
        loaded.other = 1
    save_program(loaded, tmp_path / "q.json", evidence={"seed": 1})
    assert without_lineage(tmp_path / "p.json") == without_lineage(tmp_path / "q.json")


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


def test_links_stay_links_and_modes_stay_modes(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    save_program(lp.Predict("a -> b"), real)
    assert real.stat().st_mode & 0o777 == 0o644
    real.chmod(0o600)
    link.symlink_to(real)
    save_program(lp.Predict("a -> c"), link)
    assert link.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert list(lp.load(real).outputs) == ["c"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="is a folder: name a file in it"):
        save_program(lp.Predict("a -> b"), tmp_path)
    with pytest.raises(ArtifactError, match="there is no folder"):
        save_program(lp.Predict("a -> b"), tmp_path / "no" / "p.json")


def test_what_cannot_be_written_is_refused_before_the_file_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    with pytest.raises(ArtifactError, match="text that cannot be written"):
        save_program(lp.Predict("a -> b", instruction="half \ud83d"), path)
    with pytest.raises(ArtifactError, match="plain JSON"):
        save_program(lp.Predict("a -> b"), path, evidence={"p": float("nan")})
    assert not path.exists()


def test_the_file_is_read_and_diffed_by_people(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(mixed(), path, evidence={"seed": 1, "metric": {"name": "m", "digest": "d"}})
    lines = path.read_text().splitlines()
    assert lines[0] == "{" and lines[1] == '  "format": 3,' and path.read_text().endswith("}\n")
    assert list(json.loads(path.read_text())["evidence"]) == ["metric", "seed"]
    save_program(mixed(), path, evidence={"metric": {"digest": "d", "name": "m"}, "seed": 1})
    assert path.read_text().splitlines() == lines


def test_a_demonstration_keeps_what_stands_in_the_prompt_and_no_more(tmp_path: Path) -> None:
    when = datetime.date(2024, 5, 1)
    demo = lp.Example(b="2", a="1", row_id=17, when=when)
    save_program(lp.Predict("a -> b", demos=[demo]), tmp_path / "p.json")
    (kept,) = lp.load(tmp_path / "p.json").predictors()["predict"].demos
    assert kept.to_dict() == {"a": "1", "b": "2"}


def test_the_order_inside_a_value_is_signed(tmp_path: Path) -> None:
    class Counted(lp.Signature):
        words: dict[str, int] = lp.Input()
        most: str = lp.Output()

    path = tmp_path / "p.json"
    demo = lp.Example(words={"b": 1, "a": 2}, most="a")
    program = lp.Predict(Counted, demos=[demo])
    save_program(program, path)
    loaded = lp.load(path).predictors()["predict"]
    assert loaded.render({"words": {}}) == program.render({"words": {}})
    text = path.read_text()
    swapped = text.replace('"b": 1,', '"?": 2,').replace('"a": 2', '"b": 1').replace("?", "a")
    assert json.loads(swapped) == json.loads(text) and swapped != text
    path.write_text(swapped)
    with pytest.raises(ArtifactError, match="was changed"):
        lp.load(path)


def rewritten(path: Path, **changes: Any) -> None:
    data = {**json.loads(path.read_text()), **changes}
    for key in [key for key, value in data.items() if value == "DELETE"]:
        del data[key]
    data["digest"] = digest_of({key: value for key, value in data.items() if key != "digest"})
    path.write_text(json.dumps(data))


def test_two_parts_of_one_path_are_refused(tmp_path: Path) -> None:
    inner = lp.Pipeline(y=lp.Predict("a -> b"))
    save_program(lp.Pipeline(x=inner, z=lp.Predict("b -> c")), tmp_path / "p.json")
    program = json.loads((tmp_path / "p.json").read_text())["program"]
    program["steps"][1]["name"] = "x.y"
    rewritten(tmp_path / "p.json", program=program)
    with pytest.raises(ArtifactError, match="both called x.y"):
        lp.load(tmp_path / "p.json")


def nested(program: Any, times: int = 2) -> Any:
    for _ in range(times):
        more = {"k": 1, "temperature": 0.5, "voted_on": [], "keep": None}
        program = {"module": "Vote", "asks": program, **more}
    return program


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 99}, "upgrade langprog"),
        ({"format": "one"}, "not a format version"),
        ({"program": "DELETE"}, "program: Field required"),
        ({"program": {"module": "Oracle"}}, "'Oracle' is not a known kind of module"),
        ({"program": {"module": ["Vote"]}}, "program: a module is an object whose field"),
        ({"program": 7}, "program: a module is an object whose field"),
        ({"program": {"module": "same", "path": "x"}}, "refers to 'x', which does not exist"),
        ({"program": nested(7)}, "program.asks.asks.*a module is an object"),
        ({"program": nested({"module": "same", "path": ""}, 600)}, "nested too deeply"),
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
    [
        (b"", "is empty"),
        (b"\xff\xff\x00", "not .JSON. text"),
        (b"PK\x03\x04", "not JSON"),
        (b"[1]", "no field 'format'"),
        (b'{"format": 1}', "'digest' is missing"),
        (b'{"format": 1, "program": {"mod', "is cut off"),
        (b'{"format": 1, "digest": "x", "digest": "y"}', "'digest' appears twice"),
        (b'{"format": 1, "p": NaN, "digest": "x"}', "NaN is not a number"),
        (b'{"format": 1, "p": "\\ud800", "digest": "x"}', "was changed"),
        (b'{"format": true, "digest": "x"}', "not a format version"),
        (b'{"format": 1, "p": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too deeply"),
    ],
)
def test_files_that_are_no_artifacts_say_so(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=words):
        lp.load(path)
    with pytest.raises(ArtifactError, match="no such file"):
        lp.load(tmp_path / "missing.json")
    with pytest.raises(ArtifactError, match="is a folder"):
        lp.load(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_that_was_cut_off_says_so(tmp_path: Path, share: float) -> None:
    path = tmp_path / "p.json"
    save_program(mixed(), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))].rstrip(b"}\n"))
    with pytest.raises(ArtifactError, match="is cut off"):
        lp.load(path)


@settings(max_examples=50, deadline=None)
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


def test_two_parts_at_the_same_path_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    inner = lp.Pipeline(b=lp.Predict("x -> y", model="openai/hidden"))
    save_program(lp.Pipeline(a=inner, c=lp.Predict("x -> z")), path)
    program = json.loads(path.read_text())["program"]
    program["steps"][1]["name"] = "a.b"
    rewritten(path, program=program)
    with pytest.raises(ArtifactError, match="two modules of the program are both called"):
        lp.load(path)


@pytest.mark.parametrize("name", ["model", "messages", "n", "stream"])
def test_a_file_decides_no_part_of_a_request_that_is_langprogs_own(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b", sampling=lp.Sampling(extra={"top_k": 3})), path)
    assert lp.load(path).predictors()["predict"].sampling.extra == {"top_k": 3}
    program = json.loads(path.read_text())["program"]
    program["sampling"]["extra"] = {"top_k": 3, name: "other"}
    rewritten(path, program=program)
    with pytest.raises(
        ArtifactError, match=f"extra contains '{name}', which langprog sets itself"
    ):
        lp.load(path)


def test_a_part_that_stands_in_many_places_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    program: lp.Module = lp.Predict("a -> b")
    for _ in range(40):  # 2**40 ways lead to the predictor
        program = lp.Route([program, program])
    save_program(program, path)
    assert len(lp.load(path).predictors()) == 1


def test_what_cannot_be_built_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Pipeline(step=lp.Predict("a -> b")), path)
    program = json.loads(path.read_text())["program"]
    program["steps"][0]["name"] = "self"
    rewritten(path, program=program)
    with pytest.raises(ArtifactError, match="multiple values for argument 'self'"):
        lp.load(path)


def test_a_failed_save_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(lp.Predict("a -> b"), path)
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match="plain JSON"):
        save_program(lp.Predict("a -> c"), path, evidence={"when": object()})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["p.json"]


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
