"""Which rows to label next: where answers differ, unlike each other, within a budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogError, ServerError
from optimizers import label_next


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input()
    team: Literal["billing", "network", "accounts"] = lp.Output()


TOPICS = ("bill", "wifi", "login", "parcel")
ROWS = [{"ticket": f"{TOPICS[at % 4]} {at % 4} question number {at}"} for at in range(80)]
# Rows about parcels are those that samples disagree about.
HARD = {row["ticket"] for row in ROWS if "parcel" in row["ticket"]}


class Model:
    """Sure of everything but parcels."""

    def __init__(self, fail: bool = False) -> None:
        self.calls = 0
        self.fail = fail
        self.model = lp.ScriptedLM(self.answer, name="openai/triage")

    def answer(self, request: lp.Request) -> str:
        self.calls += 1
        if self.fail:
            raise ServerError("the endpoint is down")
        last = str(request.messages[-1].content)
        seed = request.sampling.seed or 0
        team = ("billing", "network", "accounts")[seed % 3 if "parcel" in last else 0]
        return f"[[team]]\n{team}"


def test_it_chooses_where_answers_differ_and_draws_the_rest() -> None:
    model = Model()
    choice = label_next(lp.Predict(Triage), ROWS, 10, pool=75, lm=model.model)
    chosen, drawn = choice.rows[:5], choice.rows[5:]
    assert all(row.disagreement for row in chosen) and not any(row.disagreement for row in drawn)
    assert {row.example.ticket for row in chosen} <= HARD
    assert len({row.place for row in choice.rows}) == 10
    assert model.calls == 75 * 4 == choice.paid.calls
    assert "5 chosen out of 75" in str(choice) and "5 drawn at random" in str(choice)
    first = chosen[0].to_json()
    assert first["train_only"] == "chosen by label-next" and first["ticket"] in HARD
    assert sum(first["label_next"]["answers"].values()) == 4
    assert "train_only" not in drawn[0].to_json()


def test_the_same_seed_chooses_the_same_rows_at_every_width() -> None:
    choices = [
        label_next(
            lp.Predict(Triage), ROWS, 10, pool=40, lm=Model().model, concurrency=width, seed=seed
        )
        for width, seed in ((1, 3), (64, 3), (64, 4))
    ]
    first, same, other = ([row.place for row in choice.rows] for choice in choices)
    assert first == same != other


def test_rows_like_labelled_ones_are_not_chosen() -> None:
    rows = [{"ticket": "parcel lost in the post"}, {"ticket": "parcel arrived twice today"}]
    same = {"ticket": "Parcel lost in the post!", "team": "network"}
    model = Model().model
    with pytest.raises(InputError, match=r"there are 1 to choose from \(1 rows are labelled"):
        label_next(lp.Predict(Triage), rows, 2, labelled=[same], lm=model)
    like = {"ticket": "parcel lost in a post office", "team": "network"}
    choice = label_next(
        lp.Predict(Triage), rows, 1, labelled=[like], random_share=0.0, lm=model, seed=1
    )
    assert [row.place for row in choice.rows] == [1]


def test_a_batch_is_diverse() -> None:
    rows = [{"ticket": f"parcel lost in the post {at}"} for at in range(9)]
    rows.append({"ticket": "parcels: broken glass inside"})
    choice = label_next(lp.Predict(Triage), rows, 2, random_share=0.0, lm=Model().model)
    assert 9 in {row.place for row in choice.rows}


def test_several_programs_are_compared_as_they_are() -> None:
    sure, unsure = (
        lp.ScriptedLM([f"[[team]]\n{team}"] * 40, name=f"openai/{team}")
        for team in ("billing", "network")
    )
    programs = [lp.Predict(Triage, model=model) for model in (sure, unsure)]
    choice = label_next(programs[0], ROWS, 4, candidates=programs[1:], random_share=0.0)
    assert choice.candidates == 2 and choice.paid.calls == 40
    assert choice.rows[0].answers == {"billing": 1, "network": 1}


def test_texts_differ_by_their_words_and_unreadable_replies_count() -> None:
    replies = {
        "same": ("[[answer]]\nin the red house", "[[answer]]\nIn the  red house"),
        "near": ("[[answer]]\nin the red house", "[[answer]]\nin the blue house"),
        "far": ("[[answer]]\nyes", "[[answer]]\nin the blue house"),
        "none": ("[[answer]]\nyes", ""),
    }
    models = [
        lp.ScriptedLM(
            lambda request, at=at: next(
                each[at]
                for name, each in replies.items()
                if name in str(request.messages[1].content)
            ),
            name=f"openai/{at}",
        )
        for at in (0, 1)
    ]
    programs = [lp.Predict("question -> answer", model=model) for model in models]
    rows = [{"question": name} for name in replies]
    choice = label_next(programs[0], rows, 4, candidates=programs[1:], random_share=0.0)
    said = {row.example.question: row.disagreement for row in choice.rows}
    assert said == {"same": 0.0, "near": 0.25, "far": 1.0, "none": 1.0}
    assert "the row is unlike the others" in choice.rows[-1].reason


def test_near_asks_about_neighbours_of_labelled_rows() -> None:
    model = Model()
    labelled = [{"ticket": "parcel 3 question", "team": "network"}]
    choice = label_next(
        lp.Predict(Triage), ROWS, 5, labelled=labelled, pool_from="near", pool=10,
        random_share=0.0, lm=model.model,
    )  # fmt: skip
    assert {row.example.ticket for row in choice.rows} <= HARD and model.calls == 40


def test_a_budget_is_a_cap_over_sessions_and_the_journal_resumes(tmp_path: Path) -> None:
    program, model = lp.Predict(Triage), Model()
    with pytest.raises(InputError, match="4 calls a row, and 5 are to be chosen.*nothing was"):
        label_next(program, ROWS, 10, budget=lp.Budget(calls=19), lm=model.model)
    assert model.calls == 0
    few = label_next(
        program, ROWS, 10, budget=lp.Budget(calls=40), lm=model.model, run_dir=tmp_path
    )
    assert few.asked == 10 and model.calls == 40
    assert "the budget pays for a pool of 10 rows" in few.notes
    again = label_next(
        program, ROWS, 10, budget=lp.Budget(calls=100), lm=model.model, run_dir=tmp_path
    )
    assert again.asked == 25 and model.calls == 100 == again.paid.calls


def test_an_outage_is_told_and_no_row_is_chosen_by_it() -> None:
    with pytest.raises(LangprogError, match="the first 8 rows have no answer.*is down"):
        label_next(lp.Predict(Triage), ROWS, 4, lm=Model(fail=True).model)


def test_wrong_arguments_are_refused_in_a_sentence() -> None:
    program = lp.Predict(Triage)
    labelled = [{**row, "team": "billing"} for row in ROWS]
    refused = [
        ({}, [], "there are no unlabelled rows"),
        ({}, labelled, r"unlabelled\[0\] has team = 'billing', and so have 80 of 80 rows"),
        ({}, [{"text": "x"}], "has no field 'ticket' that the program needs"),
        ({"n": 81}, ROWS, "81 rows are to be chosen, and there are 80"),
        ({"n": 0}, ROWS, r"label_next\(n=0\)"),
        ({"samples": 1}, ROWS, "one answer to a row cannot disagree"),
        ({"pool_from": "near"}, ROWS, "give labelled"),
        ({"pool_from": "far"}, ROWS, "one of 'random', 'near'"),
        ({"on": ["mood"]}, ROWS, "'mood', and the program has team"),
    ]
    for options, rows, says in refused:
        with pytest.raises(InputError, match=says):
            label_next(program, rows, **{"n": 5, "lm": Model().model, **options})


def test_the_file_that_it_writes_compiles_once_labels_are_filled_in(tmp_path: Path) -> None:
    choice = label_next(lp.Predict(Triage), ROWS, 20, lm=Model().model)
    path = tmp_path / "to_label.jsonl"
    choice.save(path)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    examples = lp.load_examples([{**row, "team": "billing"} for row in rows], Triage)
    assert len(examples) == 20 and sum("train_only" in row for row in examples) == 10
