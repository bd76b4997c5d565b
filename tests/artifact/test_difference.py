from __future__ import annotations

from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import diff, save_program
from langprog.artifact.difference import word_diff

DEMOS = [lp.Example(a="x", b=1), lp.Example(a="y", b=2)]
PROGRAM = lp.Pipeline(
    first=lp.Predict("a -> b: int", demos=DEMOS, model="openai/gpt-4.1-mini"),
    vote=lp.Vote(lp.Predict("b: int -> c"), k=3),
)
CERTIFICATE = {
    "verdict": "certified",
    "before": {"mean": 0.5},
    "after": {"mean": 0.75},
    "low": 0.1,
    "high": 0.4,
    "p_value": 0.01,
    "n": 40,
}


def test_every_kind_of_change_is_said() -> None:
    other = PROGRAM.with_parameters(
        {
            "first.instruction": "Given a, return b.",
            "first.demos": [DEMOS[1], lp.Example(a="z", b=3)],
            "first.model": "openai/gpt-4.1",
            "first.sampling": lp.Sampling(temperature=0.0),
            "first.adapter": "json",
            "vote.k": 5,
        }
    )
    assert str(diff(PROGRAM, other)) == (
        "first.instruction: Given a, [-produce-]{+return+} b.\n"
        "first.demos: 1 removed, 1 added, 1 kept\n"
        '  - {"a": "x", "b": 1}\n'
        '  + {"a": "z", "b": 3}\n'
        "first.model: openai/gpt-4.1-mini -> openai/gpt-4.1\n"
        "first.sampling.temperature: null -> 0.0\n"
        "first.adapter: null -> json\n"
        "vote.k: 3 -> 5"
    )
    assert diff(other, PROGRAM).to_json()["changes"][-1] == {
        "path": "vote",
        "what": "k",
        "before": 5,
        "after": 3,
    }
    assert not diff(PROGRAM, PROGRAM)
    assert str(diff(PROGRAM, PROGRAM)) == "no difference"


def test_fields_checks_and_parts_are_compared() -> None:
    short = lp.checks.length("b", most=9)
    said = str(diff(lp.Predict("a -> b"), lp.Predict("a, x -> b: int")))
    assert "predict.fields.x: null -> input x" in said
    assert "predict.fields.b: output b -> output b (integer)" in said
    said = str(diff(lp.Predict("a -> b"), lp.Predict("a -> b", checks=[short])))
    assert said.startswith("predict.checks: [] -> [")
    one = lp.Pipeline(first=lp.Predict("a -> b"))
    two = lp.Pipeline(first=lp.Predict("a -> b"), second=lp.Predict("b -> c"))
    assert "second.module: null -> Predict" in str(diff(one, two))
    swapped = lp.Predict("a -> b: int", demos=DEMOS[::-1])
    said = str(diff(lp.Predict("a -> b: int", demos=DEMOS), swapped))
    assert said == "predict.demos: the same 2 in another order"


def test_artifacts_are_compared_with_their_evidence(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    evidence = {"certificate": CERTIFICATE, "optimizer": "Labeled"}
    save_program(PROGRAM, first, evidence=evidence, canary=[{"a": "x"}], optimizer="Labeled")
    loaded = lp.load(first)
    lp.save(loaded.with_parameters({"vote.k": 5}), second)
    text = str(diff(first, second))
    assert text.splitlines()[0] == "the second was edited from the first"
    assert (
        "certificate: certified, 0.500 to 0.750 [+0.100, +0.400], p = 0.01, n = 40 -> null" in text
    )
    assert "evidence.optimizer: Labeled -> null" in text
    assert "canary rows: 1 -> 0" in text
    lp.save(lp.load(second).with_parameters({"vote.k": 7}), tmp_path / "third.json")
    assert diff(tmp_path / "third.json", first).relation == (
        "the first was edited from the second, 2 steps later"
    )
    assert diff(first, PROGRAM).relation == ""


def test_programs_whose_code_is_missing_are_compared_by_their_data(tmp_path: Path) -> None:
    class Own(lp.Module):
        signature = "a -> b"

        def __init__(self) -> None:
            self.inner = lp.Predict("a -> b")

        def forward(self, a: str) -> lp.Prediction:
            return self.inner(a=a)

    lp.save(Own(), tmp_path / "a.json")
    changed = Own().with_parameters({"inner.instruction": "Given a, say b."})
    lp.save(changed, tmp_path / "b.json")
    assert "Given a, [-produce-]{+say+} b." in str(diff(tmp_path / "a.json", tmp_path / "b.json"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("a b c", "a c", "a [-b -]c"),
        ("", "x", "{+x+}"),
        ("same", "same", "same"),
        ("Say which team it is.", "Route it.", "[-Say which team it is.-]{+Route it.+}"),
        ("w " * 40 + "old " + "w " * 40, "w " * 40 + "new " + "w " * 40, None),
    ],
)
def test_words_are_compared(before: str, after: str, said: str | None) -> None:
    text = word_diff(before, after)
    if said is None:
        assert "[-old-]{+new+}" in text and text.startswith(" ... ") and text.endswith(" ... ")
        assert len(text) < 60
    else:
        assert text == said


def test_long_texts_are_compared_in_bounded_time() -> None:
    assert "{+b\n+}" in word_diff("a b\n" * 3000, "a b\n" * 3000 + "b\n")
    assert " -> " in word_diff("a\n" * 50_000, "b\n" * 50_000)
