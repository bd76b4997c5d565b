from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog import Example
from langprog.errors import InputError
from optimizers.split import Inputs, Split, split

PROGRAM = lp.Predict("ticket -> team")


def tickets(count: int, start: int = 0, **more: str) -> list[Example]:
    return [
        Example(ticket=f"ticket number {number}", team="ab"[number % 2], **more)
        for number in range(start, start + count)
    ]


def divide(
    trainset: Sequence[Example],
    valset: Sequence[Example] | None = None,
    holdout: Sequence[Example] | None = None,
    *,
    seed: int = 0,
    program: lp.Module = PROGRAM,
) -> Split:
    return split(trainset, valset, holdout, seed, inputs=Inputs(program))


def texts(part: Sequence[Example]) -> set[str]:
    return {example.ticket for example in part}


def assert_apart(parts: Split) -> None:
    train, validation, holdout = map(texts, (parts.train, parts.validation, parts.holdout))
    assert not train & validation and not train & holdout and not validation & holdout


def test_a_trainset_alone_is_divided_without_overlap() -> None:
    parts = divide(tickets(100))
    assert (len(parts.train), len(parts.validation), len(parts.holdout)) == (30, 40, 30)
    assert len({*parts.train, *parts.validation, *parts.holdout}) == 100
    assert not parts.notes


def test_the_order_of_the_file_does_not_matter_but_the_seed_does() -> None:
    some = tickets(60)
    assert divide(some) == divide(some[::-1])
    assert divide(some) != divide(some, seed=1)


@pytest.mark.parametrize("column", ["id", "seen_at", "weight"])
def test_examples_with_equal_inputs_stay_together_whatever_else_they_hold(column: str) -> None:
    rows = [
        example.with_(**{column: f"{number}-{example.ticket[-1]}"})
        for number in range(4)
        for example in tickets(30)
    ]
    parts = divide(rows)
    assert_apart(parts)
    assert len(parts.train) + len(parts.validation) + len(parts.holdout) == 120
    assert any("120 examples of the trainset have 30 distinct inputs" in n for n in parts.notes)


def test_two_labels_of_one_input_stay_together() -> None:
    rows = tickets(40)
    assert_apart(divide([*rows, *(row.with_(team="c") for row in rows)]))


def test_inputs_that_are_read_alike_are_one() -> None:
    program = lp.Predict("ticket: int -> team")
    rows = [Example(ticket=form(n), team="a") for n in range(30) for form in (int, str)]
    parts = divide(rows, program=program)
    inside = [{int(row.ticket) for row in part} for part in (parts.train, parts.holdout)]
    assert not inside[0] & inside[1]


def test_a_cluster_stands_together_in_the_holdout() -> None:
    parts = divide([row.with_(id=n) for n in range(3) for row in tickets(30)])
    order = [row.ticket for row in parts.holdout]
    assert all(order[n] == order[n + 1] == order[n + 2] for n in range(0, len(order), 3))


def test_with_a_valset_the_holdout_comes_from_the_trainset() -> None:
    parts = divide(tickets(60), tickets(20, start=100))
    assert len(parts.validation) == 20 and len(parts.train) == len(parts.holdout) == 30


def test_with_both_given_the_trainset_stays_whole() -> None:
    parts = divide(tickets(10), tickets(10, 20), tickets(10, 40))
    assert len(parts.train) == 10 and not parts.notes


def test_a_given_holdout_is_taken_out_of_the_other_parts_by_inputs() -> None:
    parts = divide(
        [row.with_(id=1) for row in tickets(10)],
        [row.with_(id=2) for row in tickets(10, 5)],
        [row.with_(id=3) for row in tickets(10, 8)],
    )
    assert_apart(parts)
    assert len(parts.holdout) == 10
    said = " ".join(parts.notes)
    assert "7 examples of the valset have the same inputs as examples of the holdout" in said
    assert "2 examples of the trainset have the same inputs as examples of the holdout" in said
    assert "3 examples of the trainset have the same inputs as examples of the valset" in said


def test_what_the_program_shows_is_used_for_training_alone() -> None:
    rows = tickets(60)
    program = lp.Predict("ticket -> team", demos=[row.to_dict() for row in rows[:20]])
    parts = divide(rows, program=program)
    assert texts(rows[:20]) <= texts(parts.train)
    assert_apart(parts)
    assert any("20 examples of the trainset are demonstrations" in note for note in parts.notes)


def test_what_the_program_shows_is_left_out_of_a_given_holdout() -> None:
    rows = tickets(20)
    program = lp.Predict("ticket -> team", demos=[row.to_dict() for row in rows[:5]])
    parts = divide(tickets(30, 100), holdout=rows, program=program)
    assert texts(parts.holdout) == texts(rows[5:])
    assert any("5 examples of the holdout" in note for note in parts.notes)


def test_a_demonstration_further_inside_is_known_by_its_text() -> None:
    class Outer(lp.Module):
        def __init__(self) -> None:
            demos = [{"query": "ticket number 7 is a long one", "team": "a"}]
            self.answer = lp.Predict("query -> team", demos=demos)

        def forward(self, ticket: str) -> lp.Prediction:
            return self.answer(query=ticket)

    inputs = Inputs(Outer())
    assert inputs.is_shown(Example(ticket="ticket number 7 is a long one", team="b"))
    assert not inputs.is_shown(Example(ticket="ticket number 8 is a long one", team="a"))
    # A label that reads like an input shows nothing.
    assert not inputs.is_shown(Example(ticket="a", team="a"))


def test_a_short_demonstration_under_another_name_is_known_too() -> None:
    class Outer(lp.Module):
        def __init__(self) -> None:
            self.answer = lp.Predict("q -> a", demos=[{"q": "2+2", "a": "4"}])

        def forward(self, question: str) -> lp.Prediction:
            return self.answer(q=question)

    rows = [Example(question=f"{n}+{n}", answer=str(2 * n)) for n in range(30)]
    for seed in range(5):
        parts = divide(rows, seed=seed, program=Outer())
        assert "2+2" in {row.question for row in parts.train}


TICKET = "The router in room 7 is dead"


@pytest.mark.parametrize(
    "instruction",
    [
        f"Route the ticket.\nExample: {TICKET} => network",
        f'Route the ticket. "{TICKET.lower()}!" belongs to the network team.',
        "Route the ticket, such as:\n- the  router in room 7\n  is dead -> network",
    ],
)
def test_an_example_in_the_instruction_is_known(instruction: str) -> None:
    program = lp.Predict(lp.Predict("ticket -> team").signature.with_instruction(instruction))
    inputs = Inputs(program)
    assert inputs.is_shown(Example(ticket=TICKET, team="network"))
    assert not inputs.is_shown(Example(ticket="The router in room 71 is dead", team="network"))
    # A short input may stand there by chance.
    assert not inputs.is_shown(Example(ticket="the ticket", team="network"))


def test_an_example_within_a_longer_text_of_a_demonstration_is_known() -> None:
    class Outer(lp.Module):
        def __init__(self) -> None:
            demos = [{"prompt": f"Ticket no. 12: {TICKET}", "team": "network"}]
            self.answer = lp.Predict("prompt -> team", demos=demos)

        def forward(self, ticket: str) -> lp.Prediction:
            return self.answer(prompt=f"Ticket: {ticket}")

    inputs = Inputs(Outer())
    assert inputs.is_shown(Example(ticket=TICKET, team="network"))
    assert not inputs.is_shown(Example(ticket=f"{TICKET} again", team="network"))


def test_all_inputs_of_an_example_have_to_stand_in_the_prompt() -> None:
    instruction = f"Answer. Example: {TICKET}, asked by Ann in 2024 => network"
    signature = lp.Predict("ticket, year: int -> team").signature
    inputs = Inputs(lp.Predict(signature.with_instruction(instruction)))
    assert inputs.is_shown(Example(ticket=TICKET, year=2024, team="network"))
    assert not inputs.is_shown(Example(ticket=TICKET, year=2023, team="network"))


@pytest.mark.parametrize(
    ("kind", "shown", "given"), [("int", 3, "3"), ("str", " Row THREE", "row  three")]
)
def test_a_demonstration_of_another_type_or_case_is_known(
    kind: str, shown: object, given: str
) -> None:
    program = lp.Predict(f"x: {kind} -> y", demos=[lp.Example(x=shown, y="a")])
    inputs = Inputs(program)
    assert inputs.is_shown(Example(x=given, y="b"))
    assert not inputs.is_shown(Example(x="4", y="b"))


def test_inputs_that_differ_in_case_and_blanks_stay_in_one_part() -> None:
    rows = tickets(40)
    rows += [row.with_(ticket=f"  {row.ticket.upper()} ") for row in rows]
    parts = divide(rows)
    inside = [
        {row.ticket.strip().lower() for row in part}
        for part in (parts.train, parts.validation, parts.holdout)
    ]
    assert not (inside[0] & inside[2] or inside[1] & inside[2] or inside[0] & inside[1])
    assert len(parts.train) + len(parts.validation) + len(parts.holdout) == 80
    assert any(
        "40 of the 80 distinct inputs of the trainset are written almost" in n for n in parts.notes
    )


def test_an_input_that_only_numbers_the_rows_is_named_where_it_hides_copies() -> None:
    program = lp.Predict("row_id, ticket -> team")
    repeated = [row.with_(row_id=f"T-{at}") for at, row in enumerate([*tickets(20), *tickets(20)])]
    parts = divide(repeated, program=program)
    (note,) = [note for note in parts.notes if "'row_id'" in note]
    assert "different in each of the 40 examples, whose other inputs have 20" in note
    once = [row.with_(row_id=f"T-{at}") for at, row in enumerate(tickets(40))]
    assert not divide(once, program=program).notes
    asked = lp.Predict("document, question -> team")
    rows = [
        Example(document="d", question=f"what of {word}?", team="a")
        for word in map(str, range(40))
    ]
    assert not [note for note in divide(rows, program=asked).notes if "numbers them" in note]


def test_a_given_holdout_takes_its_likes_out_of_the_other_parts() -> None:
    loud = [row.with_(ticket=row.ticket.upper()) for row in tickets(10)]
    parts = divide(tickets(40), holdout=loud)
    assert not {row.ticket.upper() for row in (*parts.train, *parts.validation)} & texts(loud)
    said = "10 examples of the trainset have the same inputs, written almost alike, as examples"
    assert any(said in note for note in parts.notes)


def test_the_search_does_not_use_what_must_pass() -> None:
    rows = tickets(60)
    parts = split(rows, None, None, 0, inputs=Inputs(PROGRAM), must_pass=rows[:5])
    assert not texts(rows[:5]) & texts([*parts.train, *parts.validation])
    assert any("5 examples of the trainset have the same inputs" in note for note in parts.notes)


def test_an_input_that_holds_the_label_is_named() -> None:
    program = lp.Predict("ticket, hint -> team")
    rows = [row.with_(hint=row.team) for row in tickets(40)]
    said = divide(rows, program=program).notes
    assert any("the input 'hint' equals 'team' in 40 of 40 examples" in note for note in said)
    mixed = [row.with_(hint="ab"[n % 3 % 2]) for n, row in enumerate(rows)]
    assert not divide(mixed, program=program).notes


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 12), st.integers(60, 200), st.integers(0, 5))
def test_a_class_of_three_is_spread_over_the_parts(rare: int, many: int, seed: int) -> None:
    rows = [row.with_(team="a") for row in tickets(many)]
    rows += [row.with_(team="c") for row in tickets(rare, 1000)]
    parts = divide(rows, seed=seed)
    inside = [Counter(row.team for row in part)["c"] for part in (parts.train, parts.validation)]
    held = sum(row.team == "c" for row in parts.holdout)
    assert abs(held - 0.3 * rare) <= 1 and abs(inside[1] - 0.4 * rare) <= 1.5
    said = any("team='c'" in note for note in parts.notes)
    assert (held > 0) != said


def test_a_class_that_is_not_in_the_holdout_is_named() -> None:
    rows = tickets(40)
    holdout = [row.with_(team="a") for row in tickets(20, 100)]
    said = " ".join(divide(rows, holdout=holdout).notes)
    assert "no example with the label team='b' (20 of 60)" in said


def test_six_examples_are_enough_and_five_are_not() -> None:
    parts = divide(tickets(6))
    assert [len(part) for part in (parts.train, parts.validation, parts.holdout)] == [2, 2, 2]
    with pytest.raises(InputError, match="too few examples: 5 in the trainset leave 1"):
        divide(tickets(5))


def test_a_valset_that_is_the_trainset_is_explained() -> None:
    rows = tickets(30)
    with pytest.raises(InputError, match="same inputs as examples of the valset"):
        divide(rows, rows)
