"""Instructions are divided into clauses, and put together again."""

from __future__ import annotations

import pytest

from optimizers.instructions.clauses import join_clauses, split_clauses


@pytest.mark.parametrize(
    ("instruction", "texts"),
    [
        ("Read it. Then answer.", ["Read it.", "Then answer."]),
        ("Name the team, e.g. billing! Be brief.", ["Name the team, e.g. billing!", "Be brief."]),
        ("1. Read it. 2. Answer.", ["1. Read it.", "2. Answer."]),
        ("Take line 2. Then line 3.", ["Take line 2.", "Then line 3."]),
        ("Steps\n- read\n\n- answer", ["Steps", "- read", "- answer"]),
        ("Do this: read it; answer.", ["read it", "answer"]),
        ("Billing: invoices. Network: the rest.", ["Billing: invoices.", "Network: the rest."]),
        ("  ", []),
        ("...", []),
    ],
)
def test_sentences_lines_and_items_are_clauses(instruction: str, texts: list[str]) -> None:
    assert [clause.text for clause in split_clauses(instruction)] == texts


@pytest.mark.parametrize(
    "instruction",
    ["Read it. Then answer.", "Steps\n- read\n- answer", "Do this: read it; answer. Be brief."],
)
def test_what_was_divided_reads_the_same_again(instruction: str) -> None:
    assert join_clauses(split_clauses(instruction)) == instruction


def test_items_of_one_list_stay_together_and_nothing_is_said_twice() -> None:
    first = split_clauses("Do this: read it; answer.")
    other = split_clauses("Be brief. Do this: look twice; Read it.")
    assert join_clauses([*first, *other]) == "Do this: read it; answer; look twice. Be brief."
