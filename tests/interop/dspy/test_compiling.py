"""A DSPy program compiles here, and comes back as a DSPy program with the certified score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, InputError
from optimizers import Compiler
from tests.interop.dspy.toy import plain_score, toy_model, words

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def kind_of(word: str) -> str:
    return "vowel" if word[0] in "ae" else "other"


def answer(name: str, inputs: Mapping[str, str], system: str, shown: int) -> str:
    """Say what kind a word is of, which only demonstrations tell."""
    if name == "reasoning":
        return "I look at its first letter."
    return kind_of(inputs["word"]) if shown else inputs["word"][0]


def rows(count: int) -> list[lp.Example]:
    return [lp.Example(word=word, kind=kind_of(word)) for word in words(count)]


def metric(example: Any, prediction: Any, trace: Any = None) -> bool:
    return bool(example.kind == prediction.kind)


def test_one_predictor_compiles_and_comes_back(
    dspy: Any, in_plain_dspy: Callable[..., Any], tmp_path: Path
) -> None:
    original = dspy.ChainOfThought("word -> kind")
    before = original.dump_state()
    model = toy_model(answer)
    program = lp.from_dspy(original)
    data = rows(100)
    with lp.using(lm=model):
        compiled = Compiler().compile(
            program, data[:60], holdout=data[60:], metric=metric, budget=lp.Budget(calls=300)
        )
    assert compiled.certificate.verdict == "certified"
    assert original.dump_state() == before

    again = lp.to_dspy(compiled)
    assert type(again) is type(original)
    asked = model.calls
    with in_plain_dspy(model):
        assert plain_score(again, data[60:], "kind", "word") == compiled.certificate.after.mean
    # Byte for byte, what the certificate was for is what DSPy sends.
    predictor = compiled.program.predictors()["predict"]
    assert model.requests[asked].messages == predictor.render({"word": data[60].word})

    target = tmp_path / "compiled.json"
    compiled.save(target)
    with pytest.raises(ArtifactError, match="needs your DSPy program"):
        lp.load(target)
    loaded = lp.load(target, classes=[original], models={"openai/toy": model})
    assert loaded(word="a1").kind == "vowel"
    assert lp.to_dspy(loaded).dump_state() == again.dump_state()


def test_predictors_have_the_names_that_dspy_gives_them(dspy: Any) -> None:
    class Inner(dspy.Module):  # type: ignore[misc, name-defined]  # DSPy has no types
        def __init__(self) -> None:
            super().__init__()
            self.steps = [dspy.Predict("a -> b"), dspy.ChainOfThought("b -> c")]
            self.by_name = {"last": dspy.Predict("c -> d")}

        def forward(self, a: str) -> Any:
            return self.by_name["last"](c=self.steps[1](b=self.steps[0](a=a).b).c)

    class Outer(dspy.Module):  # type: ignore[misc, name-defined]  # DSPy has no types
        def __init__(self) -> None:
            super().__init__()
            self.inner = Inner()

        def forward(self, a: str) -> Any:
            return self.inner(a=a)

    program = lp.from_dspy(Outer())
    assert list(program.predictors()) == [name for name, _ in Outer().named_predictors()]
    with lp.using(lm=toy_model(lambda name, inputs, system, shown: name)):
        prediction = program(a="x")
    assert prediction.d == "d"
    assert [step.path for step in prediction.trace] == list(program.predictors())
    assert all(step.listed for step in prediction.trace)


def test_what_is_no_program_of_dspy_is_refused() -> None:
    with pytest.raises(InputError, match="takes a dspy.Module, not a str"):
        lp.from_dspy("question -> answer")
    with pytest.raises(InputError, match="to_dspy takes"):
        lp.to_dspy(lp.Predict("question -> answer"))
