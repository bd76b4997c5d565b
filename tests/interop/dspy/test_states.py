"""DSPy's JSON states: read into a program of DSPy or of ours, and written for DSPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.cli.main import run
from langprog.errors import InputError
from langprog.interop import format_to_read, format_to_write
from tests.interop.dspy.programs import Steps, dspy

INTO = """
import dspy
import langprog as lp

theirs = dspy.ChainOfThought("word -> kind")
ours = lp.ChainOfThought("word -> kind")
"""


def compiled_by_hand() -> Any:
    program = Steps()
    for number, (_, predictor) in enumerate(program.named_predictors()):
        predictor.signature = predictor.signature.with_instructions(f"Step {number}.")
        values = {name: 3 if name == "size" else name for name in predictor.signature.fields}
        predictor.demos = [dspy.Example(augmented=True, **values)]
    return program


def test_a_state_is_read_into_its_program_and_written_again(tmp_path: Path) -> None:
    original = compiled_by_hand()
    original.save(tmp_path / "state.json")
    fresh = lp.from_dspy(Steps())
    imported = format_to_read("dspy").read(tmp_path / "state.json", fresh, {})
    program = imported.program
    assert [each.signature.instruction for each in program.predictors().values()] == [
        "Step 0.",
        "Step 1.",
        "Step 2.",
    ]
    assert lp.to_dspy(program).dump_state() == original.dump_state()
    assert lp.to_dspy(fresh).dump_state() == Steps().dump_state()

    text = format_to_write("dspy").write(program, {}, None).text
    (tmp_path / "again.json").write_text(text)
    again = Steps()
    again.load(tmp_path / "again.json")
    assert again.dump_state() == original.dump_state()


def test_a_single_predictor_has_a_state_without_a_name(tmp_path: Path) -> None:
    original = dspy.Predict(dspy.Signature("word -> kind", "Name it."))
    original.demos = [dspy.Example(word="egg", kind="vowel")]
    original.save(tmp_path / "state.json")
    read, write = format_to_read("dspy").read, format_to_write("dspy").write
    for fresh in (lp.from_dspy(dspy.Predict("word -> kind")), lp.Predict("word -> kind")):
        program = read(tmp_path / "state.json", fresh, {}).program
        (predictor,) = program.predictors().values()
        assert predictor.signature.instruction == "Name it."
        assert predictor.demos == (lp.Example(word="egg", kind="vowel"),)
        (tmp_path / "again.json").write_text(write(program, {}, None).text)
        again = dspy.Predict("word -> kind")
        again.load(tmp_path / "again.json")
        assert again.signature.instructions == "Name it."
        assert again.demos[0]["kind"] == "vowel"


def test_a_state_of_another_program_is_refused(tmp_path: Path) -> None:
    compiled_by_hand().save(tmp_path / "state.json")
    read = format_to_read("dspy").read
    with pytest.raises(InputError, match="the state is for steps.* the program has predict"):
        read(tmp_path / "state.json", lp.from_dspy(dspy.ChainOfThought("word -> kind")), {})
    with pytest.raises(InputError, match="the state is for steps"):
        read(tmp_path / "state.json", lp.ChainOfThought("word -> kind"), {})
    (tmp_path / "rows.json").write_text('{"word": "a"}')
    with pytest.raises(InputError, match="is not a state of DSPy"):
        read(tmp_path / "rows.json", lp.ChainOfThought("word -> kind"), {})


def test_a_program_of_ours_and_one_of_dspy_exchange_states(tmp_path: Path) -> None:
    demo = lp.Example(word="egg", reasoning="An e.", kind="vowel")
    ours = lp.ChainOfThought("word -> kind", instruction="Name the kind.", demos=[demo])
    written = format_to_write("dspy").write(ours, {}, None)
    assert written.notes == ("DSPy writes prompts of its own, for which no certificate was given",)
    (tmp_path / "ours.json").write_text(written.text)
    theirs = dspy.ChainOfThought("word -> kind")
    theirs.load(tmp_path / "ours.json")
    assert theirs.predict.signature.instructions == "Name the kind."
    assert theirs.predict.demos[0]["kind"] == "vowel"

    theirs.save(tmp_path / "theirs.json")
    imported = format_to_read("dspy").read(
        tmp_path / "theirs.json", lp.ChainOfThought("word -> kind"), {}
    )
    predictor = imported.program.predictors()["predict"]
    assert predictor.signature.instruction == "Name the kind."
    assert predictor.demos == (demo,)


@pytest.mark.parametrize("name", ["theirs", "ours"])
def test_the_command_line_reads_a_state(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(f"with_{name}.py").write_text(INTO)
    state = dspy.ChainOfThought(dspy.Signature("word -> kind", "Name it."))
    state.save("state.json")
    command = ["import", "state.json", "--from", "dspy", "--into", f"with_{name}.py:{name}"]
    assert run([*command, "--out", "read.json"]) == 0
    assert "Name it." in json.dumps(json.loads(Path("read.json").read_text())["program"])
    assert run(["show", "read.json", "--allow", f"with_{name}"]) == 0
