"""Faults in a program's structure are mended, and little is spent where there are none."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.pocket.world import extract
from optimizers import MIPRO, Compiler, Structuring
from optimizers.search.changes import list_changes
from tests.optimizers.simulated import (
    TEAMS,
    all_right,
    always,
    field,
    one_module,
    right_team,
    team_of,
    tickets,
)

FAULT = "predict was asked for answer before reasoning; asked for reasoning first: "
BACKWARDS = "ticket -> team, reasoning"
NOTHING = Structuring(order=False, reasoning=False, adapter=False, effort=False, temperature=False)


def thinking(request: lp.Request) -> str:
    """Answer right where the reasoning comes first, and never where it comes last."""
    system = request.messages[0].text
    if system.startswith(("Describe what", "Write a clear", "Rewrite the")):
        return always(1.0)(request)
    ticket = field(request.messages[-1].text, "ticket")
    answer = "urgent" if "[[urgent]]" in system else "team"
    if not ticket:  # the adapters json and xml, which this model does not know
        return "?"
    reasons = next((name for name in ("reasoning", "thoughts") if f"[[{name}]]" in system), "")
    right = bool(reasons) and system.index(f"[[{reasons}]]") < system.index(f"[[{answer}]]")
    team, soon = team_of(ticket), " now" in ticket
    if answer == "urgent":
        value = str(soon if right else not soon).lower()
    else:
        value = team if right else TEAMS[(TEAMS.index(team) + 1) % 3]
    parts = [f"[[{answer}]]\n{value}"]
    if reasons:
        parts.insert(0 if right else 1, f"[[{reasons}]]\nits words")
    return "\n".join(parts)


def compile_with(optimizer: Any, program: lp.Module, reply: Any = thinking, **more: Any) -> Any:
    lm = lp.ScriptedLM(reply)
    with lp.using(lm=lm):
        return optimizer.compile(
            program, tickets(160), metric=more.pop("metric", right_team), **more
        ), lm


def test_an_answer_before_its_reasoning_is_found_and_mended(tmp_path: Path) -> None:
    rows = extract.lookup(random.Random(0), "held", hops=True, reasoning=False, demos=109).rows
    data = [lp.Example(**row.inputs, **row.outputs) for row in rows]
    train, holdout, test = data[:70], data[70:90], data[90:]
    program = lp.Predict(
        "context, question -> answer, reasoning",
        instruction="Answer the question from the context.",
    )

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        return bool(example.answer == prediction.answer)

    with lp.using(lm=lp.LM("pocket/small")):
        result = Compiler().compile(
            program, train, holdout=holdout, metric=metric, budget=lp.Budget(calls=200)
        )
        assert result.certificate.verdict == "certified"
        assert result.candidate.parameters["predict.structure"] == ("reasoning", "answer")
        result.save(tmp_path / "artifact.json")
        loaded = lp.load(tmp_path / "artifact.json")
        report = lp.evaluate(loaded, test, metric)
    assert report.mean is not None and report.mean >= 0.9
    (fault,) = result.report.faults
    assert fault.startswith(FAULT) and fault in [note.text for note in result.report.notes]
    assert ("at fault", fault) in result.report.facts()
    result.report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert fault.replace(">", "&gt;") in page and "asked for answer, reasoning →" in page


def test_two_faults_that_hide_each_other_are_mended_together() -> None:
    program = lp.Pipeline(
        team=lp.Predict(BACKWARDS), urgent=lp.Predict("ticket, team -> urgent: bool, thoughts")
    )

    def both(example: lp.Example, prediction: lp.Prediction) -> bool:
        return all_right(example, prediction) == 1.0

    result, _ = compile_with(Compiler(), program, metric=both, budget=lp.Budget(calls=600))
    assert result.candidate.parameters["team.structure"] == ("reasoning", "team")
    assert result.candidate.parameters["urgent.structure"] == ("thoughts", "urgent")
    assert result.certificate.verdict == "certified"


def test_a_predictor_is_made_to_reason_and_returns_what_it_did() -> None:
    result, lm = compile_with(Compiler(), lp.Predict("ticket -> team"))
    assert result.report.faults[0].startswith("predict was asked for team alone; with reasoning")
    with lp.using(lm=lm):
        prediction = result.program(ticket="my router")
    assert dict(prediction) == {"team": "network"}


def test_other_optimizers_leave_the_structure_alone() -> None:
    result, _ = compile_with(MIPRO(auto="light"), lp.Predict(BACKWARDS))
    assert "predict.structure" not in result.candidate.parameters and not result.report.faults


def test_frozen_parts_are_left_alone() -> None:
    program = lp.Pipeline(team=lp.Predict(BACKWARDS), urgent=lp.Predict("team -> urgent: bool"))
    with lp.using(lm=lp.ScriptedLM([])):
        changes = list_changes(program.freeze("team"), Structuring())
    assert changes
    assert not [key for each in changes for key in each.values if key.startswith("team")]


@pytest.mark.parametrize("off", [NOTHING, Structuring(share=0)])
def test_it_can_be_turned_off(off: Structuring) -> None:
    optimizer = Compiler(structuring=off)
    result, _ = compile_with(optimizer, lp.Predict(BACKWARDS), budget=lp.Budget(calls=500))
    assert "predict.structure" not in result.candidate.parameters
    with lp.using(lm=lp.ScriptedLM(thinking)):
        estimate = optimizer.estimate(lp.Predict(BACKWARDS), tickets(160), metric=right_team)
    assert estimate.calls.high > 0


@pytest.mark.parametrize(
    ("kind", "keys"),
    [
        ("order", ["predict.structure"]),
        ("reasoning", ["predict.structure"]),
        ("adapter", ["predict.adapter", "predict.adapter"]),
        ("effort", ["predict.sampling", "predict.sampling"]),
        ("temperature", ["predict.sampling"]),
    ],
)
def test_each_kind_of_change_has_its_own_switch(kind: str, keys: list[str]) -> None:
    program: lp.Module = lp.Predict(
        BACKWARDS if kind == "order" else "ticket -> team",
        sampling=lp.Sampling(reasoning_effort="low", max_tokens=9),
    )
    with lp.using(lm=lp.ScriptedLM([])):
        some = list_changes(program, Structuring(**{**vars(NOTHING), kind: True}))
        rest = list_changes(program, Structuring(**{kind: False}))
        every = list_changes(program, Structuring())
    assert [key for each in some for key in each.values] == keys
    assert len(some) + len(rest) == len(every)
    for change in every:
        changed = program.with_parameters(change.values)
        assert changed.predictors()["predict"].sampling.max_tokens == 9


def test_settings_that_do_not_apply_are_not_tried() -> None:
    structuring = Structuring(order=False, reasoning=False, adapter=False)
    with lp.using(lm=lp.LM("pocket/small")):  # greedy already, and without reasoning efforts
        assert not list_changes(lp.Predict("ticket -> team"), structuring)
    with lp.using(lm=lp.ScriptedLM([])):
        assert not list_changes(lp.Vote(lp.Predict("ticket -> team"), k=3), structuring)
        parts = lp.Pipeline(a=lp.Predict("x -> y"), b=lp.Vote(lp.Predict("y -> z"), k=3))
        (change,) = list_changes(parts, structuring)
    assert list(change.values) == ["a.sampling"]


def test_reasoning_comes_first_in_the_race() -> None:
    program = lp.Pipeline(
        team=lp.Predict("ticket -> team"), urgent=lp.Predict("team -> urgent, rationale")
    )
    with lp.using(lm=lp.ScriptedLM([])):
        first, *others = list_changes(program, Structuring())
    assert first.suspect and first.values == {"urgent.structure": ("rationale", "urgent")}
    assert not any(change.suspect for change in others)


def test_an_adapter_that_the_model_cannot_write_is_replaced() -> None:
    def only_json(request: lp.Request) -> str:
        if "JSON object" not in request.messages[0].text:
            return "?"
        team = team_of(request.messages[-1].text)
        return f'{{"team": "{team}"}}'

    result, _ = compile_with(Compiler(), one_module(), only_json, budget=lp.Budget(calls=500))
    (shipped,) = result.program.predictors().values()
    assert shipped.adapter == "json" and result.certificate.verdict == "certified"
    assert result.report.faults == (
        "prompts were written by the adapter chat; written by json: 0.00 -> 1.00 on 8 "
        "validation examples",
    )


def test_where_nothing_is_to_be_gained_little_is_spent() -> None:
    spent = {}
    for share in (0.0, 0.25):
        optimizer = Compiler(structuring=Structuring(share=share))
        lm = lp.ScriptedLM(always(1.0))
        with lp.using(lm=lm):
            optimizer.compile(one_module(), tickets(160), metric=right_team)
        spent[share] = lm.calls
    assert spent[0.25] == spent[0.0]  # the block that shows it is scored in any case
    result, _ = compile_with(Compiler(), one_module(), always(0.5), budget=lp.Budget(calls=500))
    structural = [
        each for each in result.report.decisions if each["what"].startswith("structure.")
    ]
    assert max(each["data"]["calls"] for each in structural if "calls" in each["data"]) < 100
    assert not result.report.faults and "predict.structure" not in result.candidate.parameters


def test_a_small_budget_tries_only_what_looks_wrong() -> None:
    result, _ = compile_with(Compiler(), one_module(), always(0.5), budget=lp.Budget(calls=150))
    assert not [e for e in result.report.decisions if e["what"].startswith("structure.")]
    result, _ = compile_with(Compiler(), lp.Predict(BACKWARDS), budget=lp.Budget(calls=200))
    assert result.candidate.parameters["predict.structure"] == ("reasoning", "team")
