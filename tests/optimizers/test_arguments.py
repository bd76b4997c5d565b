"""Arguments in the wrong place or of the wrong type are met with one helpful sentence."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapFewShot,
    BootstrapRandomSearch,
    Chain,
    Compiler,
    Demonstrating,
    Finished,
    Hygiene,
    LabeledFewShot,
    Optimizer,
    Proposing,
    Searching,
)
from tests.optimizers.members import MEMBERS
from tests.optimizers.simulated import answers, one_module, right_team, tickets


def compile_tickets(optimizer: Optimizer | None = None, rows: Any = None, **options: Any) -> Any:
    rows = tickets(60) if rows is None else rows
    with lp.using(lm=lp.ScriptedLM(answers())):
        return (optimizer or LabeledFewShot()).compile(
            one_module(), rows, **{"metric": right_team, **options}
        )


@pytest.mark.parametrize("member", MEMBERS)
def test_the_metric_goes_to_compile(member: str) -> None:
    kind = type(MEMBERS[member]())
    for name in ("metric", "trainset", "budget"):
        with pytest.raises(InputError, match=rf"{kind.__name__} has no knob '{name}'.*compile\("):
            kind(**{name: None})


@pytest.mark.parametrize(
    ("kind", "name", "ours"),
    [
        (MIPRO, "num_threads", "use concurrency="),
        (MIPRO, "max_bootstrapped_demos", r"use demonstrating=Demonstrating\(most=\.\.\.\)"),
        (MIPRO, "num_trials", r"use searching=Searching\(trials=\.\.\.\)"),
        (MIPRO, "num_candidates", "use instructions="),
        (MIPRO, "prompt_model", r"use proposing=Proposing\(model=\.\.\.\)"),
        (MIPRO, "task_model", r"lp\.using\(lm=\.\.\.\)"),
        (BootstrapFewShot, "max_bootstrapped_demos", "use bootstrapped="),
        (BootstrapFewShot, "max_labeled_demos", "use labeled="),
        (BootstrapFewShot, "metric_threshold", "use threshold="),
        (BootstrapRandomSearch, "num_candidate_programs", "use sets="),
        (GEPA, "reflection_lm", r"use proposing=Proposing\(model=\.\.\.\)"),
        (GEPA, "max_metric_calls", r"budget=lp\.Budget\(calls=\.\.\.\)"),
        (GEPA, "reflection_minibatch_size", "use minibatch="),
        (Compiler, "log_dir", "run_dir="),
        (Compiler, "num_threads", "use concurrency="),
        (MIPRO, "instruction", r"did you mean instructions=\.\.\.\?"),
        (LabeledFewShot, "colour", "it has concurrency, k, keep_demos, objective, tolerance"),
        (Chain, "num_threads", "use concurrency="),
    ],
)
def test_a_name_from_elsewhere_leads_to_ours(kind: type, name: str, ours: str) -> None:
    with pytest.raises(InputError, match=ours) as told:
        kind(**{name: 4})
    assert str(told.value).startswith(f"{kind.__name__} has no knob '{name}': ")


def test_a_metric_without_a_name_goes_to_compile_too() -> None:
    with pytest.raises(InputError, match=r"takes its knobs by name.*compile\(program, trainset"):
        MIPRO(right_team)  # type: ignore[call-arg, misc]  # the mistake under test


def test_checking_names_leaves_everything_else_as_it_was() -> None:
    optimizer = MIPRO(instructions=3, concurrency=2)
    assert replace(optimizer, instructions=4) == MIPRO(instructions=4, concurrency=2)
    assert copy.deepcopy(optimizer) == copy.copy(optimizer) == optimizer
    assert pickle.loads(pickle.dumps(optimizer)) == optimizer
    assert Chain(optimizer, LabeledFewShot(), concurrency=3).concurrency == 3

    @dataclass(frozen=True, kw_only=True)
    class Mine(LabeledFewShot):
        more: int = 1

    class Own(LabeledFewShot):
        def __init__(self, anything: object, **options: object) -> None:
            super().__init__(**options)  # type: ignore[arg-type]  # handed on

    assert Mine(more=2, k=3).k == 3
    assert Own("x", k=2).k == 2
    with pytest.raises(InputError, match="Mine has no knob 'most'"):
        Mine(most=2)  # type: ignore[call-arg]  # the mistake under test


@pytest.mark.parametrize("budget", [300, {"calls": 300}, "300", 1.5])
@pytest.mark.parametrize("how", ["compile", "estimate"])
def test_a_budget_is_a_budget(budget: object, how: str) -> None:
    with pytest.raises(InputError, match=r"pass lp\.Budget\(calls=300\)"):
        getattr(LabeledFewShot(), how)(one_module(), tickets(30), metric=right_team, budget=budget)


def test_rows_that_are_missing_or_given_twice_are_named() -> None:
    rows = tickets(60)
    with pytest.raises(InputError, match="trainset is None"):
        LabeledFewShot().compile(one_module(), None, metric=right_team)  # type: ignore[arg-type]  # the mistake under test
    for again in (rows, list(rows), tuple(rows), [lp.Example(**row.to_dict()) for row in rows]):
        with pytest.raises(InputError, match="valset and trainset are the same examples"):
            compile_tickets(rows=rows, valset=again)
        with pytest.raises(InputError, match="holdout and trainset are the same examples"):
            compile_tickets(rows=rows, holdout=again)
    with pytest.raises(InputError, match="holdout and valset are the same examples"):
        compile_tickets(rows=rows[:30], valset=rows[30:], holdout=rows[30:])
    with pytest.raises(InputError, match="seed has to be an integer"):
        compile_tickets(seed="first")


@pytest.mark.parametrize("name", ["trainset", "valset", "holdout"])
@pytest.mark.parametrize(
    ("examples", "told"),
    [
        ("train.jsonl", r"is a path: pass \w+=lp\.load_examples\('train.jsonl'\)"),
        (Path("train.jsonl"), "is a path"),
        (5, "is of type int: pass a list of examples"),
        ({"ticket": "no wifi", "team": "a"}, "is a single example"),
        (lp.Example(ticket="no wifi", team="a"), "is a single example"),
    ],
    ids=repr,
)
def test_examples_of_another_type_are_explained(name: str, examples: object, told: str) -> None:
    given = {"trainset": tickets(30), name: examples}
    with pytest.raises(InputError, match=f"{name} {told}"):
        compile_tickets(rows=given.pop("trainset"), **given)


def test_a_chain_takes_optimizers() -> None:
    with pytest.raises(InputError, match="a Chain takes optimizers, not"):
        Chain(LabeledFewShot(), one_module())  # type: ignore[arg-type]  # the mistake under test


def test_a_function_takes_the_events() -> None:
    events: list[object] = []
    compile_tickets(progress=events.append)
    assert any(isinstance(event, Finished) for event in events)


def test_an_object_with_on_takes_the_events() -> None:
    class Lines:
        def __init__(self) -> None:
            self.events: list[object] = []

        def on(self, event: object) -> None:
            self.events.append(event)

    lines = Lines()
    compile_tickets(progress=lines)
    assert any(isinstance(event, Finished) for event in lines.events)


def test_what_cannot_take_an_event_is_refused() -> None:
    with pytest.raises(InputError, match="a function that takes an event"):
        compile_tickets(progress="rich")


def test_a_progress_that_raises_is_warned_about_once_and_changes_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    quiet = compile_tickets()

    def faulty(event: object) -> None:
        raise ZeroDivisionError("no such bar")

    loud = compile_tickets(progress=faulty)
    said = [record.message for record in caplog.records if "no such bar" in record.message]
    assert said == [
        "the progress callback raised ZeroDivisionError: no such bar; the compile continues"
    ]
    assert loud.candidate == quiet.candidate
    assert loud.certificate.n == quiet.certificate.n


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("repeats", "3", r"compile\(repeats='3'\): repeats has to be a whole number from 1"),
        ("repeats", 1.5, "repeats has to be a whole number"),
        ("repeats", True, "repeats has to be a whole number"),
        ("repeats", None, "repeats has to be a whole number"),
        ("repeats", 10**9, "from 1 to 1,000"),
        ("max_errors", "x", r"compile\(max_errors='x'\): max_errors has to be a whole number"),
        ("max_errors", None, "max_errors has to be a whole number from 0"),
        ("run_dir", 5, "run_dir=5: pass the path of a folder"),
        ("run_dir", "", "run_dir='': pass the path of a folder"),
    ],
)
def test_what_else_compile_takes_is_checked(name: str, value: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        compile_tickets(**{name: value})


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Proposing(**{"proposer": "openai/x"}), "write model=, which takes"),
        (lambda: Proposing(**{"temprature": 1.0}), "did you mean 'temperature'?"),
        (lambda: Searching(**{"trails": 3}), "did you mean 'trials'?"),
        (lambda: Demonstrating(**{"shots": 3}), "it has sets, most, threshold, keep_demos"),
        (lambda: Hygiene(**{"max_words": 3}), "it has copied_words, most_words"),
    ],
)
def test_a_word_that_a_group_of_knobs_does_not_have_is_explained(
    make: Callable[[], Any], said: str
) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        make()
