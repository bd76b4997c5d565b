"""What earlier compiles of a program used stays out of a new holdout, or counts as an attempt."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog import Example
from langprog.artifact import read_artifact
from langprog.errors import InputError, LangprogWarning
from langprog.evaluation import assert_not_worse, compare_programs
from langprog.modules import add_compile, list_compiles, origin_of
from optimizers import Compiled, LabeledFewShot
from optimizers.split import Inputs, Split, split
from optimizers.split.lineage import CompileRows, Lineage
from optimizers.stats.attempts import Attempt
from optimizers.stats.certificate import Certificate
from tests.optimizers.simulated import answers, one_module, right_team, tickets


def rows(count: int, start: int = 0) -> list[Example]:
    return [
        Example(ticket=f"Ticket number {number}", team="ab"[number % 2])
        for number in range(start, start + count)
    ]


def compiled_on(parts: Split, program: lp.Module | None = None) -> lp.Module:
    """Return a program that remembers a compile on these parts."""
    program = lp.Predict("ticket -> team") if program is None else program
    keys = [Inputs(program).key(example) for example in parts.holdout]
    used = CompileRows(program, parts.train, parts.validation, parts.holdout)
    attempt = Attempt.on(keys, "candidate", "quality metric")
    record = used.record("Some", attempt, Certificate("certified", "why", level=0.04))
    return add_compile(program.with_parameters({}), record)


def divide(program: lp.Module, trainset: Sequence[Example], **more: Any) -> Split:
    given = {"valset": None, "holdout": None, **more}
    return split(trainset, given["valset"], given["holdout"], 3, inputs=Inputs(program))


FIRST = divide(lp.Predict("ticket -> team"), rows(100))


def test_what_a_compile_chose_by_is_in_no_later_holdout() -> None:
    program = compiled_on(FIRST)
    parts = divide(program, rows(100))
    assert {*parts.holdout} == {*FIRST.holdout}
    assert (len(parts.train), len(parts.validation), len(parts.holdout)) == (30, 40, 30)
    assert any("70 examples of the trainset were used by an earlier" in n for n in parts.notes)
    assert any("30 of the 30 examples of the holdout were in the" in n for n in parts.notes)


def test_digests_of_two_compiles_do_not_tell_which_rows_they_share() -> None:
    other = divide(lp.Predict("ticket -> team"), rows(80))
    assert {*other.train} & {*FIRST.train}
    one, two = (list_compiles(compiled_on(parts))[0] for parts in (FIRST, other))
    assert not {*one["train"].split()} & {*two["train"].split()}
    assert one["salt"] != two["salt"]


def test_unused_examples_come_first_and_others_join_where_they_are_few() -> None:
    program = compiled_on(FIRST)
    many = divide(program, rows(150))
    assert len(many.holdout) == 45 and {*many.holdout} <= {*rows(50, 100)}
    assert not Inputs(program).attempts_on(many.holdout)
    few = divide(program, rows(110))
    assert len(few.holdout) == 33 and {*rows(10, 100)} < {*few.holdout}
    assert {*few.holdout} <= {*FIRST.holdout, *rows(10, 100)}
    assert len({example.team for example in few.holdout}) == 2


def test_a_given_holdout_loses_what_was_chosen_by_and_is_refused_if_nothing_remains() -> None:
    program = compiled_on(FIRST)
    given = [*FIRST.train, *FIRST.holdout, *rows(10, 500)]
    parts = divide(program, rows(30, 800), holdout=given)
    assert {*parts.holdout} == {*FIRST.holdout, *rows(10, 500)}
    assert any("30 examples of the holdout were used by an earlier" in n for n in parts.notes)
    with pytest.raises(InputError, match="too few examples.*30 examples of the holdout were used"):
        divide(program, rows(30, 800), holdout=FIRST.train)
    with pytest.raises(InputError, match="leave 0 with distinct inputs for holdout"):
        divide(program, [*FIRST.train, *FIRST.validation])


def test_examples_are_recognized_in_another_spelling_type_and_order() -> None:
    program = compiled_on(FIRST)
    lineage = Lineage(program)
    known = FIRST.train[0]
    again = Example(id=7, team="?", ticket=f" {known.ticket.upper()}\n")
    assert lineage.use_of(again) == lineage.use_of(known) == "choosing"
    assert lineage.use_of(FIRST.holdout[0]) == "holdout"
    assert lineage.use_of(rows(1, 999)[0]) is None
    numbers = lp.Predict("number: int, word -> team")
    one = Example(number=7, word="x", team="a")
    used = Split((one,), (), ())
    assert Lineage(compiled_on(used, numbers)).use_of(one.with_(number="7")) == "choosing"


def test_a_program_with_other_inputs_still_recognizes_the_rows() -> None:
    class Both(lp.Module):
        def __init__(self) -> None:
            self.old = compiled_on(FIRST)

        def forward(self, ticket: str, language: str) -> Any:
            return self.old(ticket=f"{language}: {ticket}")

    lineage = Lineage(Both())
    assert lineage.use_of(FIRST.train[0].with_(language="en")) == "choosing"
    renamed = [Example(text=example.ticket) for example in FIRST.train]
    assert lineage.use_of(renamed[0]) is None
    (note,) = lineage.describe_unrecognizable(renamed)
    assert "(ticket): whether an earlier compile used it cannot be seen" in note
    assert not lineage.describe_unrecognizable(FIRST.train)


def compile_(program: lp.Module, trainset: list[Example], **more: Any) -> Compiled:
    optimizer = more.pop("optimizer", LabeledFewShot(k=2))
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled: Compiled = optimizer.compile(program, trainset, metric=right_team, **more)
    return compiled


def examined(compiled: Compiled) -> set[str]:
    return {row["inputs"]["ticket"] for row in compiled.report.rows}


@pytest.fixture(scope="module")
def first() -> Compiled:
    return compile_(one_module(), tickets(60), accept="best")


def test_an_artifact_says_what_its_compile_used_and_tried(first: Compiled, tmp_path: Path) -> None:
    first.save(tmp_path / "a.json")
    (record,) = read_artifact(tmp_path / "a.json").data.compiles
    sizes = [len(part.split()) for part in (record.train, record.validation, record.holdout)]
    assert sizes == [18, 24, 18] and record.inputs == ["ticket"] and record.parent is None
    assert record.attempt is not None and record.optimizer == "LabeledFewShot"
    verdict = first.certificate.verdict
    assert (record.attempt.number, record.attempt.level) == (1, 0.04)
    assert record.attempt.verdict == verdict == "uncertified"
    text = (tmp_path / "a.json").read_text()
    for example in tickets(60):
        # Neither a row nor its inputs can be looked up by their plain digests.
        assert example.digest[:12] not in text
        assert Inputs(one_module()).key(example)[:12] not in text


def test_a_compile_of_an_artifact_examines_what_was_not_chosen_by(
    first: Compiled, tmp_path: Path
) -> None:
    digest = first.save(tmp_path / "a.json")
    loaded = lp.load(tmp_path / "a.json")
    second = compile_(loaded, tickets(60), accept="best", seed=7, optimizer=LabeledFewShot(k=3))
    assert examined(second) <= examined(first) and len(examined(second)) == 17
    assert (second.certificate.attempt, second.certificate.level) == (2, pytest.approx(0.02 / 6))
    second.save(tmp_path / "b.json")
    newest, oldest = read_artifact(tmp_path / "b.json").data.compiles
    assert newest.parent == digest and oldest.parent is None
    assert newest.attempt is not None and newest.attempt.number == 2
    # In a third compile with new rows, nothing that either chose by is examined.
    third = compile_(second.program, tickets(120), optimizer=LabeledFewShot(k=4))
    assert examined(third) <= {example.ticket for example in tickets(60, 60)}
    assert third.certificate.attempt == 1


def test_a_program_that_was_edited_and_saved_again_keeps_its_compiles(
    first: Compiled, tmp_path: Path
) -> None:
    first.save(tmp_path / "a.json")
    edited = lp.load(tmp_path / "a.json").with_parameters({"predict.instruction": "Other."})
    lp.save(edited, tmp_path / "b.json")
    lp.save(lp.load(tmp_path / "b.json"), tmp_path / "c.json")
    compiles = [read_artifact(tmp_path / f"{name}.json").data.compiles for name in "abc"]
    assert compiles[0] == compiles[1] == compiles[2] and len(compiles[0]) == 1
    lp.save(first.program, tmp_path / "d.json")  # not loaded from anywhere
    assert read_artifact(tmp_path / "d.json").data.compiles == compiles[0]
    assert read_artifact(tmp_path / "d.json").data.lineage == []
    assert all(len(list_compiles(point.program)) == 1 for point in first.front)


def test_the_input_program_stays_as_it_is() -> None:
    program = one_module()
    compiled = compile_(program, tickets(60))
    assert compiled.program is not program and origin_of(program) is None
    assert len(list_compiles(compiled.program)) == 1


def test_copies_that_are_written_almost_alike_are_one_observation() -> None:
    """Five spellings of a ticket are answered alike, so they are no evidence from five tickets."""
    spellings = ["{}", "{}!", " {} ", "{}\u200b", "{}..."]
    distinct = tickets(30)
    rows = [row.with_(ticket=each.format(row.ticket)) for row in distinct for each in spellings]
    compiled = compile_(one_module(), rows, accept="best")
    certificate = compiled.certificate
    assert certificate.rows == 5 * certificate.n == 45
    assert "with 9 distinct inputs" in str(certificate)
    loud = [row.with_(ticket=row.ticket.upper()) for row in distinct]
    with lp.using(lm=lp.ScriptedLM(answers())):
        report = lp.evaluate(one_module(), [*distinct, *loud], right_team)
    assert report.n_inputs == 30 and lp.compare(report, report).n == 30


def test_comparisons_say_which_rows_favour_a_program(first: Compiled) -> None:
    rows, new = tickets(60), tickets(60, 60)
    with lp.using(lm=lp.ScriptedLM(answers())):
        with pytest.warns(LangprogWarning, match="42 of the 60 examples .* choose the program"):
            compare_programs(first.program, one_module(), rows, right_team)
        with pytest.warns(LangprogWarning, match="choose the baseline"):
            assert_not_worse(one_module(), first.program, [*rows, *new], right_team, tolerance=0.9)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compare_programs(first.program, one_module(), new, right_team)
