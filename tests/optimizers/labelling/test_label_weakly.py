"""Weak labels: typed votes, joined, marked; they are trained on and certify nothing."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Literal

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogError, ServerError
from langprog.evaluation import compare_programs
from optimizers import BootstrapFewShot, label_weakly
from optimizers.labelling.shares import keep_to_shares


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input()
    team: Literal["billing", "network"] = lp.Output()


PROGRAM = lp.Predict(Triage)
TEAMS = ("billing", "network")
WORDS = {"billing": ("bill", "money"), "network": ("wifi", "router")}


def rows(count: int, seed: int = 0) -> list[dict[str, str]]:
    rng = random.Random(seed)
    drawn = [(rng.choice(TEAMS), at) for at in range(count)]
    return [{"ticket": f"{rng.choice(WORDS[team])} {at}", "team": team} for team, at in drawn]


def without(labelled: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"ticket": row["ticket"]} for row in labelled]


def share_right(weak: Any, truth: list[dict[str, str]]) -> float:
    team = {row["ticket"]: row["team"] for row in truth}
    return sum(row.team == team[row.ticket] for row in weak.rows) / len(weak.rows)


RULES = {
    "bill": lambda row: "billing" if "bill" in row.ticket else None,
    "wifi": lambda row: "network" if "wifi" in row.ticket else None,
}


def test_rules_vote_and_rows_without_a_vote_stay_without_a_label() -> None:
    truth = rows(60)
    weak = label_weakly(PROGRAM, without(truth), RULES)
    assert share_right(weak, truth) == 1.0
    assert len(weak.rows) == sum(weak.voted.values()) and len(weak.rows) + weak.unlabelled == 60
    assert {row["train_only"] for row in weak.rows} == {
        "weak label: 1 of 1 votes, probability 0.75"
    }
    assert "no row has a label, so how far voters are right is guessed" in weak.notes[0]


def test_labelled_rows_tell_whom_to_trust() -> None:
    truth, known = rows(80), rows(40, seed=1)
    wrong = {"billing": "network", "network": "billing"}
    team = {row["ticket"]: row["team"] for row in (*truth, *known)}
    voters = {
        "liar": lambda row: wrong[team[row.ticket]],
        "liar too": lambda row: wrong[team[row.ticket]],
        "honest": lambda row: team[row.ticket],
    }
    weak = label_weakly(PROGRAM, without(truth), voters, labelled=known)
    assert share_right(weak, truth) == 1.0
    assert weak.accuracies["honest"] > 0.9 and weak.accuracies["liar"] < 0.1
    assert "honest" in str(weak) and weak.unlabelled >= 0


def test_a_poor_program_that_votes_on_every_row_does_not_outvote_the_labelled_rows() -> None:
    labels = tuple("abcdef")
    rng = random.Random(0)
    drawn = [rng.choice(labels) for _ in range(1240)]
    rows = [
        {"ticket": f"{label if rng.random() < 0.5 else '?'} {at}"}
        for at, label in enumerate(drawn)
    ]
    truth = {row["ticket"]: label for row, label in zip(rows, drawn, strict=True)}
    # Right on 40 %, and elsewhere it says the same of everything, as a model of few labels does.
    poor = {text: label if rng.random() < 0.28 else "a" for text, label in truth.items()}

    def make(label: str) -> Any:
        return lambda row: label if row.ticket.startswith(label) else None

    voters = {**{label: make(label) for label in labels}, "poor": lambda row: poor[row.ticket]}
    known = [{**row, "team": truth[row["ticket"]]} for row in rows[:40]]
    program = lp.Predict("ticket -> team")
    weak = label_weakly(program, rows[40:], voters, labelled=known)
    right = [row.team == truth[row.ticket] for row in weak.rows]
    assert sum(right) / len(right) > 0.95 and len(right) > 500
    assert weak.accuracies["poor"] < 0.6


def test_programs_vote_typed_under_a_budget_and_a_journal(tmp_path: Path) -> None:
    truth = rows(20)
    calls = 0

    def answer(request: lp.Request) -> str:
        nonlocal calls
        calls += 1
        text = str(request.messages[-1].content)
        team = next(team for team, words in WORDS.items() if any(word in text for word in words))
        return f"[[team]]\n{'Cafeteria' if text.endswith('7') else team.upper()}"

    model = lp.ScriptedLM(answer, name="openai/old")
    old = lp.Predict("ticket -> team", model=model)
    for _ in range(2):
        weak = label_weakly(
            PROGRAM, without(truth), {"old": old, **RULES},
            budget=lp.Budget(calls=40), run_dir=tmp_path,
        )  # fmt: skip
    assert calls == 20 == weak.paid.calls
    assert "answers that are not labels of the field, such as" in str(weak.notes)
    assert share_right(weak, truth) == 1.0
    with pytest.raises(LangprogError, match="'old' could not vote on .* of 20 rows"):
        label_weakly(PROGRAM, without(truth), {"old": old}, budget=lp.Budget(calls=3))


def test_an_outage_is_not_a_vote() -> None:
    def fail(request: lp.Request) -> str:
        raise ServerError("it is down")

    old = lp.Predict("ticket -> team", model=lp.ScriptedLM(fail))
    with pytest.raises(LangprogError, match="'old' could not vote on 5 of 5 rows.*it is down"):
        label_weakly(PROGRAM, without(rows(5)), {"old": old, **RULES})


def test_known_shares_are_kept_to() -> None:
    chances = [{"a": 0.6 + 0.01 * at, "b": 0.4 - 0.01 * at} for at in range(10)]
    kept = keep_to_shares(chances, {"a": 0.3, "b": 0.7})
    assert sum(row["a"] for row in kept) == pytest.approx(3.0, abs=1e-4)
    assert [row["a"] for row in kept] == sorted(row["a"] for row in kept)
    with pytest.raises(InputError, match="the shares lack the label b"):
        keep_to_shares(chances, {"a": 1.0})
    truth = rows(30)
    voters = {"blind": lambda row: "billing", "wifi": RULES["wifi"]}
    shares = {"billing": 0.5, "network": 0.5}
    weak = label_weakly(PROGRAM, without(truth), voters, shares=shares)
    assert not weak.rows and max(weak.accuracies.values()) < 0.7


def test_wrong_arguments_are_refused_in_a_sentence() -> None:
    data = without(rows(4))
    two = lp.Predict("ticket -> team, mood")
    refused: list[tuple[lp.Module, dict[str, Any], dict[str, Any], str]] = [
        (PROGRAM, {}, {}, "there are no voters"),
        (PROGRAM, {"a": 3}, {}, "voter 'a' is a int"),
        (PROGRAM, {"a": lambda row: "nobody"}, {}, "voter 'a' votes 'nobody' on row 0"),
        (PROGRAM, {"a": lambda row: row.missing}, {}, "voter 'a' raised AttributeError on row 0"),
        (PROGRAM, {"a": lp.Predict("ticket -> mood")}, {}, "'team' is to be labelled"),
        (two, RULES, {}, "name the output that is labelled, of team, mood"),
        (PROGRAM, RULES, {"field": "mood"}, "the program has no output 'mood'"),
        (PROGRAM, RULES, {"labelled": data}, r"labelled\[0\] has no label"),
        (PROGRAM, RULES, {"shares": {"billing": 0.4}}, "add up to 0.400"),
        (PROGRAM, RULES, {"shares": {"nobody": 1.0}}, "'nobody'"),
        (PROGRAM, RULES, {"least": 2}, r"label_weakly\(least=2\)"),
    ]
    for program, voters, options, says in refused:
        with pytest.raises(InputError, match=says):
            label_weakly(program, data, voters, **options)


def test_weak_labels_are_trained_on_and_refused_by_whatever_proves() -> None:
    sure = [lp.Example(**row) for row in rows(40)]
    others = [{"ticket": f"other {row['ticket']}"} for row in rows(40)]
    weak = label_weakly(PROGRAM, others, RULES)
    model = lp.ScriptedLM(lambda request: "[[team]]\nbilling")

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        return bool(example.team == prediction.team)

    with lp.using(lm=model):
        compiled = BootstrapFewShot().compile(PROGRAM, [*sure, *weak.rows], metric=metric)
        assert any("weak label" in str(note) for note in compiled.report.notes)
        with pytest.raises(InputError, match=r"holdout\[0\] is marked 'train_only' \(weak label"):
            BootstrapFewShot().compile(PROGRAM, sure, metric=metric, holdout=weak.rows)
        with pytest.raises(InputError, match="example 0 is marked 'train_only'"):
            compare_programs(PROGRAM, PROGRAM.with_parameters({}), weak.rows, metric)
        report = lp.evaluate(PROGRAM, weak.rows, metric)
    with pytest.raises(InputError, match=r"rows\[0\] is marked 'train_only'"):
        lp.compare(report, report)
