from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.artifact import read_changes, read_form, write_form
from langprog.errors import InputError

PROGRAM = lp.Pipeline(
    first=lp.Predict("a -> b: int", demos=[{"a": "x", "b": 1}], model="openai/gpt-4.1-mini"),
    vote=lp.Vote(lp.ChainOfThought("b: int -> c"), k=3),
)
LINES = st.text(alphabet="a =>\\\n{}\"'é", max_size=30)


def test_the_form_has_what_a_person_can_change() -> None:
    assert write_form(lp.Predict("a -> b: int", demos=[{"a": "x", "b": 1}], temperature=0.5)) == (
        "Change what follows a line that starts with ==> and save. Instructions are text,\n"
        "demonstrations one JSON object a line, everything else is JSON.\n"
        "\n"
        "==> predict.instruction\n"
        "Given a, produce b.\n"
        "\n"
        "==> predict.demos\n"
        '{"a": "x", "b": 1}\n'
        "\n"
        "==> predict.model\n"
        "null\n"
        "\n"
        "==> predict.sampling\n"
        '{"temperature": 0.5}\n'
        "\n"
        "==> predict.adapter\n"
        "null\n"
        "\n"
        "==> predict.structure\n"
        '["b"]\n'
    )


@settings(max_examples=50, deadline=None)
@given(LINES, LINES, LINES)
def test_an_unchanged_form_changes_nothing(instruction: str, text: str, other: str) -> None:
    program = PROGRAM.with_parameters(
        {"first.instruction": instruction, "first.demos": [lp.Example(a=text, b=1)]}
    )
    form = write_form(program)
    assert read_form(program, form) == {}
    assert read_form(program, form.replace("\n", "\r\n")) == {}
    assert read_form(program, form.rstrip("\n")) == {}
    # A form of another program sets what differs, but for line ends at the end of a text.
    changed = program.with_parameters({"first.instruction": other})
    values = read_form(program, write_form(changed))
    wanted = other.rstrip("\n")
    assert values == ({} if wanted == instruction.rstrip("\n") else {"first.instruction": wanted})


def test_changed_sections_are_values() -> None:
    form = write_form(PROGRAM)
    form = form.replace("Given a, produce b.", "Say b.\n\n\\==> not a section")
    form = form.replace('{"a": "x", "b": 1}', '{"a": "y", "b": "2"}\n{"a": "z", "b": 3}')
    form = form.replace("==> vote.k\n3", "==> vote.k\n5").replace('"openai/gpt-4.1-mini"', "null")
    assert read_form(PROGRAM, form) == {
        "first.instruction": "Say b.\n\n==> not a section",
        "first.demos": [lp.Example(a="y", b=2), lp.Example(a="z", b=3)],
        "first.model": None,
        "vote.k": 5,
    }
    assert read_form(PROGRAM, "==> vote.k\n7") == {"vote.k": 7}


def test_changes_are_read_by_the_kind_of_the_parameter() -> None:
    values = read_changes(
        PROGRAM,
        {
            "first.instruction": " = as it is\n",
            "first.model": "openai/gpt-4.1",
            "first.adapter": "json",
            "first.demos": '{"a": "y", "b": 2}',
            "first.sampling": '{"temperature": 0, "stop": ["x"]}',
            "vote.module.predict.structure": '["c", "reasoning"]',
            "vote.module.predict.model": "null",
        },
    )
    assert values == {
        "first.instruction": " = as it is\n",
        "first.model": "openai/gpt-4.1",
        "first.adapter": "json",
        "first.demos": [lp.Example(a="y", b=2)],
        "first.sampling": lp.Sampling(temperature=0, stop=("x",)),
        "vote.module.predict.structure": ("c", "reasoning"),
        "vote.module.predict.model": None,
    }
    assert PROGRAM.with_parameters(values).predictors()["first"].signature.instruction == (
        " = as it is\n"
    )


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("first.color", "red", "there is no parameter 'first.color' to edit; there are first.in"),
        ("vote.k", "five", "vote.k: it is not JSON"),
        ("first.model", "7", None),
        ("first.model", "[1]", None),
        ("first.demos", "x", "first.demos: it is not JSON"),
        ("first.demos", "[]", "first.demos: demonstration 1 is not a JSON object"),
        ("first.demos", '{"a": 1, "d": 2}', "demonstration 1 has 'd'; the fields are a, b"),
        ("first.demos", '{"a": "x", "b": "y"}', "demonstration 1: 'b' does not fit"),
        ("first.sampling", "[]", "an object with settings"),
        ("first.sampling", '{"heat": 1}', "there is no setting 'heat'; there are temperature"),
        ("first.sampling", '{"temperature": "hot"}', "temperature"),
        ("first.sampling", '{"temperature": 0, "temperature": 1}', "appears twice"),
        ("first.structure", '"b"', "a list of names"),
    ],
)
def test_a_broken_value_is_refused(key: str, text: str, said: str | None) -> None:
    if said is None:  # a name needs no quotes
        assert read_changes(PROGRAM, {key: text}) == {key: text}
        return
    with pytest.raises(InputError) as refused:
        read_changes(PROGRAM, {key: text})
    assert said in str(refused.value)


def test_a_broken_form_is_refused_with_its_line() -> None:
    form = write_form(PROGRAM)
    for broken, said in (
        (form.replace("==> vote.k\n3", "==> vote.k\nx"), "vote.k: it is not JSON"),
        (form + "==> vote.size\n3", "there is no parameter 'vote.size' to edit"),
        (form + "==> vote.k\n3", "'vote.k' is there twice"),
    ):
        with pytest.raises(InputError, match=r"^line \d+: ") as refused:
            read_form(PROGRAM, broken)
        assert said in str(refused.value)
