"""Artifacts that were written once stay as they are, byte for byte, and stay loadable."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator

import langprog as lp
from langprog.artifact import read_artifact, sample_values, save_program
from langprog.artifact.format import FORMAT
from langprog.lm import Sampling
from langprog.modules import Parameter, Rule, Tier
from tests.artifact.comparing import without_lineage

# The files of format 1 stand in the folder itself, those of a later one in a folder of their own.
GOLDEN = Path(__file__).parent / "golden"
NEWEST = GOLDEN / f"format_{FORMAT}"
FOLDERS = [GOLDEN, *(GOLDEN / f"format_{number}" for number in range(2, FORMAT + 1))]


class Tone(Enum):
    WARM = "warm"
    COOL = "cool"


def trimmed(value: str) -> str:
    return value.strip()


class Answer(lp.Signature):
    """Answer the question."""

    question: str = lp.Input("as it came in")
    answer: Annotated[str, AfterValidator(trimmed)] = lp.Output()
    tone: Tone = lp.Output("how it sounds")


class Shop(lp.Module):
    """A module of the user's with settings, a parameter of its own, and parts in containers."""

    def __init__(self) -> None:
        self.first = lp.Predict("question -> answer", adapter="json")
        self.others = [lp.Predict("question -> answer"), self.first]
        self.named = {"last": lp.ChainOfThought("question -> answer")}
        self.limits = {"words": [10, 20]}
        self.style = "plain"
        self._name = "shop"

    def own_parameters(self) -> dict[str, Parameter]:
        return {"style": Parameter("threshold", self.style)}

    def with_own_parameters(self, values: Mapping[str, Any]) -> Shop:
        new = self.with_children(self.children())
        new.style = values["style"]
        return new

    def forward(self, question: str) -> Any:
        return self.first(question=question)


def asked(instruction: str) -> lp.Predict:
    return lp.Predict("question -> answer", instruction=instruction, model="house/small")


def everything() -> lp.Module:
    """Return a program with every kind of module that the first format had."""
    judge = lp.Predict("question, answer -> right: bool")
    demo = lp.Example(question="why?", answer="so", tone=Tone.COOL)
    router = lp.Router(
        centers=(((0, 0.6), (3, 0.8)), ((1, 1.0),)),
        buckets=4,
        quality=((0.5, 0.75), (0.25, 1.0)),
        cost=(0.001, 0.02),
        trade=2.5,
    )
    rules = (Rule(0.5, (0.1,) * 7, ((2, 0.25),)), Rule(-1.0))
    sampling = Sampling(top_p=0.9, stop=("END",), seed=7, reasoning_effort="low", extra={"a": 1})
    shared = asked("Shared.")
    return lp.Pipeline(
        typed=lp.Predict(Answer, demos=[demo], sampling=sampling),
        voted=lp.Pipeline(
            a=lp.Vote(
                lp.Predict("question -> colour"),
                k=3,
                temperature=0.5,
                on=["colour"],
                keep=lp.Predict("question, colour -> fits: bool"),
            ),
            b=lp.Vote(lp.ChainOfThought("colour -> shade")),
        ),
        best=lp.BestOf(
            [lp.Predict("shade -> paint"), lp.Predict("shade -> paint", temperature=0.2)],
            judge=lp.Predict("paint -> good: float"),
            k=4,
        ),
        tiered=lp.Cascade(
            [lp.Predict("paint -> price: int"), lp.Predict("paint -> price: int")],
            tiers=[Tier(1, 0.75), Tier(0, None)],
            signal=lp.signals.Learned(rules, 64),
            check=lp.Predict("paint, price -> fair: bool"),
        ),
        simple=lp.Cascade.over(lp.Predict("price: int -> offer"), ["house/a", "house/b"]),
        routed=lp.Route(
            [lp.Predict("offer -> reply"), lp.Predict("offer -> reply")], router=router
        ),
        open=lp.Route([lp.Predict("reply -> end"), lp.Predict("reply -> end")]),
        twice=lp.Vote(lp.BestOf([_renamed(shared), _renamed(shared)], judge=_last(judge))),
        shop=_Signed(),
    )


def _renamed(predict: lp.Predict) -> lp.Predict:
    return lp.Predict("end -> last", instruction=predict.signature.instruction)


def _last(judge: lp.Predict) -> lp.Predict:
    return lp.Predict("end, last -> right: bool", instruction=judge.signature.instruction)


class _Signed(lp.Module):
    """A user's module as a step: what goes in and out, and a module that hangs in two places."""

    signature = "last -> done"

    def __init__(self) -> None:
        self.shop = Shop()
        self.again = self.shop

    def forward(self, last: str) -> Any:
        return {"done": self.shop(question=last).answer}


CLASSES = [Answer, Shop, _Signed]


FILES = ["every_module.json", "demo.json"]


def prompts(program: lp.Module) -> str:
    """Return what every predictor asks, for inputs made from its types."""
    lines = []
    for path, predictor in program.predictors().items():
        fields = predictor.signature.inputs
        inputs = {name: field.validate(sample_values(field)[0]) for name, field in fields.items()}
        for message in predictor.render(inputs):
            lines += [f"=== {path}: {message.role}", message.content]
    return "\n".join(lines) + "\n"


def test_every_kind_of_module_is_written_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    save_program(everything(), path, evidence={"seed": 1}, canary=[{"inputs": {"question": "x"}}])
    assert path.read_text() == (NEWEST / "every_module.json").read_text()


@pytest.mark.parametrize("folder", FOLDERS, ids=["1", "2", "3"])
@pytest.mark.parametrize("name", FILES)
def test_what_was_written_once_loads_and_is_written_again_the_same(
    name: str, folder: Path, tmp_path: Path
) -> None:
    kept = read_artifact(folder / name)
    program = kept.program(classes=CLASSES)
    path = tmp_path / "again.json"
    save_program(program, path, evidence=kept.evidence, canary=kept.data.canary)
    assert without_lineage(path) == without_lineage(NEWEST / name)
    parent = read_artifact(path).data.lineage[0]
    assert (parent.digest, parent.how) == (kept.digest, "saved")


@pytest.mark.parametrize("folder", FOLDERS, ids=["1", "2", "3"])
@pytest.mark.parametrize("name", FILES)
def test_what_was_written_once_asks_the_same(name: str, folder: Path) -> None:
    program = lp.load(folder / name, classes=CLASSES)
    assert prompts(program) == (GOLDEN / name).with_suffix(".prompts.txt").read_text()
