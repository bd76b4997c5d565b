"""Which outputs a prompt asks for, and that callers do not notice."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact.classes import Classes
from langprog.artifact.nodes import program_from_node, program_to_json
from langprog.errors import ArtifactError, InputError
from langprog.modules.node import read_node
from langprog.modules.structure import list_structures
from langprog.signature import signature_of

BACKWARDS = lp.Predict("question -> answer: int, reasoning")


class Guess(lp.Signature):
    """Guess."""

    kind: str = lp.Output()
    question: str = lp.Input()
    answer: int = lp.Output(ge=0)


@pytest.mark.parametrize(
    ("signature", "structures"),
    [
        ("question -> answer", [("reasoning", "answer")]),
        ("question -> answer, reasoning", [("reasoning", "answer")]),
        ("question -> reasoning, answer", []),
        ("question -> answer, final_rationale, sure", [("final_rationale", "answer", "sure")]),
        ("question -> thoughts", []),
        ("question, reasoning -> answer", []),
        (
            "question -> reason: bool, answer",
            [("reasoning", "reason", "answer"), ("answer", "reason")],
        ),
        ("q -> a, b, c", [("reasoning", "a", "b", "c"), ("c", "a", "b")]),
    ],
)
def test_few_structures_are_worth_trying(signature: str, structures: list[Any]) -> None:
    assert list_structures(signature_of(signature)) == structures
    assert lp.Predict(signature).search_space() == {"structure": structures}


def test_the_reasoning_of_a_chain_of_thought_may_go() -> None:
    inner = lp.ChainOfThought("question -> answer").predict
    assert inner.search_space() == {"structure": [("answer",)]}


def test_callers_get_the_declared_outputs_in_their_order() -> None:
    program = BACKWARDS.with_parameters({"predict.structure": ("reasoning", "answer")})
    lm = lp.ScriptedLM(["[[reasoning]]\n1 and 1\n[[answer]]\n2"])
    with lp.using(lm=lm):
        prediction = program(question="1 + 1?")
    assert dict(prediction) == {"answer": 2, "reasoning": "1 and 1"}
    assert list(prediction) == list(program.outputs) == ["answer", "reasoning"]
    assert list(program.signature.outputs) == ["reasoning", "answer"]
    system = lm.requests[0].messages[0].text
    assert system.index("[[reasoning]]") < system.index("[[answer]]")


def test_added_reasoning_is_in_the_trace_alone() -> None:
    program = lp.Predict("question -> answer").with_parameters(
        {"predict.structure": ["reasoning", "answer"]}
    )
    with lp.using(lm=lp.ScriptedLM(["[[reasoning]]\n1 and 1\n[[answer]]\n2"])):
        prediction = program(question="1 + 1?")
    assert dict(prediction) == {"answer": "2"} and list(program.outputs) == ["answer"]
    assert prediction.trace[0].outputs == {"reasoning": "1 and 1", "answer": "2"}


def test_reasoning_that_is_left_out_is_empty() -> None:
    program = lp.ChainOfThought("question -> answer").with_parameters(
        {"predict.structure": ("answer",)}
    )
    with lp.using(lm=lp.ScriptedLM(["[[answer]]\n2"])):
        prediction = program(question="1 + 1?")
    assert dict(prediction) == {"reasoning": "", "answer": "2"}


def test_the_declared_structure_can_be_set_again() -> None:
    program = lp.Predict(Guess)
    changed = program.with_parameters({"predict.structure": ("answer", "kind")})
    assert list(changed.signature.outputs) == ["answer", "kind"]
    again = changed.with_parameters({"predict.structure": ("kind", "answer")})
    assert again.signature == program.signature
    assert again.render({"question": "?"}) == program.render({"question": "?"})


@pytest.mark.parametrize(
    "structure",
    [(), "answer", ("answer", "answer"), ("reasoning",), ("answer", "question"), (1, 2), ("b",)],
)
def test_a_structure_without_a_declared_output_is_refused(structure: Any) -> None:
    with pytest.raises(InputError, match="structure"):
        lp.Predict("question -> answer").with_parameters({"predict.structure": structure})


def test_reasoning_is_not_added_beside_an_input_of_that_name() -> None:
    with pytest.raises(InputError, match="'reasoning'"):
        lp.Predict("reasoning -> answer").with_parameters(
            {"predict.structure": ("reasoning", "answer")}
        )


@pytest.mark.parametrize(
    ("program", "structure"),
    [
        (lp.Predict(Guess), ("reasoning", "kind", "answer")),
        (
            lp.Predict(Guess, demos=[{"question": "a", "kind": "b", "answer": 3}]),
            ("answer", "kind"),
        ),
        (BACKWARDS, ("reasoning", "answer")),
        (lp.ChainOfThought("question -> answer"), ("answer",)),
    ],
)
def test_an_artifact_keeps_the_structure(
    program: lp.Module, structure: tuple[str, ...], tmp_path: Path
) -> None:
    changed = program.with_parameters({"predict.structure": structure, "predict.instruction": "x"})
    lp.save(changed, tmp_path / "program.json")
    loaded = lp.load(tmp_path / "program.json")
    for other in (loaded, pickle.loads(pickle.dumps(changed)), copy.deepcopy(changed)):
        (before,), (after,) = changed.predictors().values(), other.predictors().values()
        assert after.render({"question": "?"}) == before.render({"question": "?"})
        assert list(after.outputs) == list(before.outputs)
        assert after.own_parameters()["structure"].value == structure


def test_an_artifact_with_a_wrong_structure_is_refused() -> None:
    data = program_to_json(
        BACKWARDS.with_parameters({"predict.structure": ("reasoning", "answer")})
    )
    assert data["structure"] == ["reasoning", "answer"]
    with pytest.raises(ArtifactError, match="wrong about 'no'"):
        program_from_node(read_node({**data, "structure": ["no", "answer"]}), Classes())


def test_a_program_as_declared_is_written_as_before(tmp_path: Path) -> None:
    lp.save(BACKWARDS, tmp_path / "program.json")
    assert "structure" not in (tmp_path / "program.json").read_text()
