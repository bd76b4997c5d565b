"""The demo's records: balanced, no row twice, nothing that crosses from one part to another."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

import langprog as lp
from programs.tickets import metric, program, records

PARTS = {"train": 96, "validation": 96, "holdout": 128}
TEAMS = ("harbor", "atlas", "ember", "cedar")
ROOT = Path(__file__).parents[2]
FILLING = frozenset(
    "a an and are at be by can could do does for from have how i in is it me my of on or our "
    "please some that the there this to was we what when where which will with you your".split()
)


def rows(part: str) -> list[lp.Example]:
    return lp.load_examples(records(part))  # type: ignore[arg-type]  # a part's name is a Literal


def words(ticket: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z]+", ticket.lower())) - FILLING


@pytest.mark.parametrize(("part", "size"), PARTS.items())
def test_every_part_has_each_team_and_priority_equally_often(part: str, size: int) -> None:
    counts = Counter((row.team, row.priority) for row in rows(part))
    cells = [(team, priority) for team in TEAMS for priority in ("urgent", "normal")]
    assert counts == {cell: size // len(cells) for cell in cells}


def test_no_ticket_is_there_twice_or_nearly() -> None:
    tickets = [row.ticket for part in (*PARTS, "new") for row in rows(part)]
    assert len(tickets) >= 320
    for one, two in combinations(tickets, 2):
        first, second = words(one), words(two)
        shared = len(first & second) / max(1, len(first | second))
        assert shared < 0.75, (one, two)


def test_no_ticket_says_its_answer() -> None:
    for part in (*PARTS, "new"):
        for row in rows(part):
            assert not words(row.ticket) & set(TEAMS), row.ticket


def test_no_ticket_is_in_what_the_embedded_model_learns_from() -> None:
    learnt = " ".join(
        path.read_text().lower()
        for path in (ROOT / "langprog" / "pocket").rglob("*")
        if path.suffix in (".txt", ".jsonl", ".py")
    )
    found = [row.ticket for part in PARTS for row in rows(part) if row.ticket.lower() in learnt]
    assert not found


def test_the_metric_gives_half_a_point_for_each_and_says_what_was_wrong() -> None:
    example = lp.Example(ticket="where is my parcel", team="cedar", priority="normal")
    answers = {
        ("cedar", "normal"): (1.0, None),
        ("atlas", "normal"): (0.5, "team was atlas, should be cedar"),
        ("atlas", "urgent"): (
            0.0,
            "team was atlas, should be cedar; priority was urgent, should be normal",
        ),
    }
    for (team, priority), expected in answers.items():
        with lp.using(lm=lp.ScriptedLM([f"[[team]]\n{team}", f"[[priority]]\n{priority}"])):
            score = metric(example, program(ticket=example.ticket))
        assert (score.value, score.feedback) == expected


def test_the_second_module_reads_what_the_first_one_said() -> None:
    model = lp.ScriptedLM(["[[team]]\nharbor", "[[priority]]\nurgent"])
    with lp.using(lm=model):
        program(ticket="refund me today")
    assert "harbor" in model.requests[1].messages[-1].content
