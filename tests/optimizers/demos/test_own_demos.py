"""Demonstrations that came with the program: kept first, or their loss is said."""

from __future__ import annotations

import random

import pytest

import langprog as lp
from optimizers import (
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    Compiler,
    Demonstrating,
    LabeledFewShot,
    Optimizer,
    Searching,
)
from optimizers.demos.demo_sets import draw_set
from optimizers.demos.demos import Demonstrations, collect_labeled
from tests.optimizers.simulated import Triage, answers, one_module, right_team, tickets

MINE = (
    lp.Example(ticket="MINE: my router hums", team="network"),
    lp.Example(ticket="MINE: whose invoice is this", team="billing"),
)
OPTIMIZERS = {
    "labeled": LabeledFewShot(k=5),
    "few shot": BootstrapFewShot(bootstrapped=3, labeled=2),
    "random search": BootstrapRandomSearch(sets=4, most=5),
    "mipro": MIPRO(
        instructions=0, demonstrating=Demonstrating(most=5), searching=Searching(trials=6)
    ),
    "compiler": Compiler(rounds=2),
}


def mine() -> lp.Predict:
    return lp.Predict(Triage, demos=MINE)


def compile_with(optimizer: Optimizer, program: lp.Module, lm: lp.ScriptedLM | None = None):
    with lp.using(lm=lm or lp.ScriptedLM(answers())):
        return optimizer.compile(
            program, tickets(120), metric=right_team, accept="best", budget=lp.Budget(calls=900)
        )


def notes(result) -> str:
    return " ".join(note.text for note in result.report.notes)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_they_stay_first_in_their_order(optimizer: Optimizer) -> None:
    result = compile_with(optimizer, mine())
    demos = result.program.predictors()["predict"].demos
    assert demos[:2] == MINE
    assert len(demos) > 2 or not result.candidate.parameters.get("predict.demos")
    assert "were replaced" not in notes(result)


@pytest.mark.parametrize("optimizer", [LabeledFewShot(k=5), BootstrapFewShot(bootstrapped=3)])
def test_they_count_toward_the_size_of_a_set(optimizer: Optimizer) -> None:
    own, bare = compile_with(optimizer, mine()), compile_with(optimizer, one_module())
    count = [len(each.program.predictors()["predict"].demos) for each in (own, bare)]
    assert count[0] == count[1]


def test_more_of_them_than_a_set_holds_all_stay() -> None:
    result = compile_with(LabeledFewShot(k=1), mine())
    assert result.program.predictors()["predict"].demos == MINE


def test_they_go_where_that_is_asked_for_and_a_note_says_so() -> None:
    result = compile_with(LabeledFewShot(k=5, keep_demos=False), mine())
    demos = result.program.predictors()["predict"].demos
    assert len(demos) == 5 and not set(MINE) & set(demos)
    assert "2 of 2 at predict" in notes(result)
    assert "came with the program were replaced" in notes(result)


def test_those_of_a_compiled_program_may_be_replaced() -> None:
    lm = lp.ScriptedLM(answers())
    first = compile_with(LabeledFewShot(k=5), mine(), lm).program
    again = compile_with(LabeledFewShot(k=3), first, lm)
    demos = again.program.predictors()["predict"].demos
    assert len(demos) == 3 and "came with the program were replaced" in notes(again)
    kept = compile_with(LabeledFewShot(k=7, keep_demos=True), first, lm)
    assert kept.program.predictors()["predict"].demos[:5] == first.demos


def test_no_training_example_repeats_one_of_them() -> None:
    twin = tickets(1)[0]
    own = (lp.Example(ticket=twin.ticket, team="accounts"),)
    everything = Demonstrations(collect_labeled(one_module(), tickets(4)), {})
    signature = one_module().signature
    for seed in range(5):
        demos = draw_set(
            everything,
            "predict",
            signature,
            bootstrapped=0,
            labeled=9,
            rng=random.Random(seed),
            own=own,
        )
        assert demos[0] == own[0] and len(demos) == 4
        assert sum(demo.ticket == twin.ticket for demo in demos) == 1
