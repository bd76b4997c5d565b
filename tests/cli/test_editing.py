from __future__ import annotations

import sys
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.cli.main import run

PROGRAM = lp.Predict("a -> b: int", demos=[{"a": "x", "b": 1}])


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    evidence = {"certificate": {"verdict": "certified", "reason": "better"}}
    save_program(PROGRAM, "a.json", evidence=evidence, optimizer="Labeled")
    return tmp_path / "a.json"


def use_editor(monkeypatch: pytest.MonkeyPatch, folder: Path, old: str, new: str) -> None:
    script = folder / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        f"file.write_text(file.read_text().replace({old!r}, {new!r}))\n"
    )
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{sys.executable}' {script}")


def test_a_set_value_is_sealed_again_and_the_certified_artifact_kept(
    artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = artifact.read_bytes()
    digest = read_artifact(artifact).digest
    assert run(["edit", "a.json", "--set", "predict.instruction=Say b = 1."]) == 0
    said = capsys.readouterr().out
    assert "predict.instruction: [-Given a, produce b.-]{+Say b = 1.+}" in said
    assert f"edited from {digest}; its certificate is void" in said
    kept = artifact.with_name(f"a.{digest[7:15]}.json")
    assert kept.read_bytes() == before
    edited = read_artifact(artifact)
    assert edited.evidence is None
    assert [(each.how, each.digest) for each in edited.data.lineage] == [("edited", digest)]
    assert lp.load(artifact).predictors()["predict"].signature.instruction == "Say b = 1."
    assert run(["show", "a.json"]) == 0
    assert f"edited, certificate void: that of {digest} does not hold" in capsys.readouterr().out
    assert run(["diff", str(kept), "a.json"]) == 0
    said = capsys.readouterr().out
    assert "the second was edited from the first" in said and "certificate: certified" in said
    assert run(["diff", "a.json", "a.json", "--json"]) == 0
    assert capsys.readouterr().out == '{"relation": "", "changes": []}\n'


def test_an_editor_changes_the_text(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_editor(monkeypatch, artifact.parent, '{"a": "x", "b": 1}', '{"a": "y", "b": 2}')
    assert run(["edit", "a.json", "--out", "b.json"]) == 0
    assert lp.load("b.json").predictors()["predict"].demos == (lp.Example(a="y", b=2),)
    assert read_artifact(artifact).evidence is not None
    assert len(list(artifact.parent.glob("a*"))) == 1
    assert run(["edit", "b.json"]) == 0
    assert "nothing was changed, so nothing was written" in capsys.readouterr().out


def test_a_broken_edit_is_refused_and_loses_nothing(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = artifact.read_bytes()
    use_editor(monkeypatch, artifact.parent, '"b": 1', '"b": "one"')
    assert run(["edit", "a.json"]) == 2
    said = capsys.readouterr().err
    assert "predict.demos: demonstration 1: 'b' does not fit" in said
    assert artifact.read_bytes() == before
    (kept,) = artifact.parent.glob("a.edit.*.txt")
    assert f"langprog edit a.json --form {kept}" in said
    kept.write_text(kept.read_text().replace('"one"', "7"))
    assert run(["edit", "a.json", "--form", str(kept)]) == 0
    assert lp.load(artifact).predictors()["predict"].demos == (lp.Example(a="x", b=7),)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--set", "predict.demos=x"], "predict.demos: it is not JSON"),
        (["--set", "predict.adapter=morse"], "there is no adapter 'morse'"),
        (["--set", "predict.model=https://a.b/c?key=x"], "address"),
        (["--set", "color=red"], "there is no parameter 'color' to edit"),
        (["--set", "red"], "write PATH.NAME=VALUE"),
        (["--set", "a=1", "--set", "a=2"], "'a' is given twice"),
        (["--set", "a=1", "--form", "b"], "give --set or --form, not both"),
        (["--form", "nowhere.txt"], "there is no such file"),
        (["--out", "nowhere/a.json", "--set", "a=1"], "the folder nowhere does not exist"),
    ],
)
def test_a_bad_edit_is_one_sentence(
    artifact: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    before = artifact.read_bytes()
    assert run(["edit", "a.json", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert artifact.read_bytes() == before


def test_an_editor_that_fails_changes_nothing(
    artifact: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    for editor, said in (("false", "ended with 1"), ("no-such-editor", "cannot be started")):
        monkeypatch.setenv("EDITOR", editor)
        assert run(["edit", "a.json"]) == 2
        assert said in capsys.readouterr().err


def test_programs_and_artifacts_are_compared(
    artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("other.py").write_text("import langprog as lp\nprogram = lp.Predict('a -> b: int')\n")
    assert run(["diff", "a.json", "other.py:program"]) == 0
    assert "predict.demos: 1 removed, 0 added, 0 kept" in capsys.readouterr().out
    assert run(["diff", "a.json", "missing.json"]) == 2
