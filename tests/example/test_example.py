from __future__ import annotations

import copy
import enum
import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ExampleError, FrozenError
from langprog.example import dataset_digest, iterate_examples


class Color(enum.Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: int


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input("what the customer wrote")
    team: Literal["billing", "network"] = lp.Output("who owns it")
    hours: int | None = lp.Output(ge=0)
    tags: list[str] = lp.Output()


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- the value -----------------------------------------------------------------------------------


def test_fields_are_read_by_attribute_and_by_item() -> None:
    example = lp.Example(ticket="help", team="billing")
    assert example.ticket == example["ticket"] == "help"
    assert dict(example) == example.to_dict() == {"ticket": "help", "team": "billing"}
    assert list(example) == ["ticket", "team"]
    assert "team" in example
    assert len(example) == 2


def test_any_name_can_be_a_field() -> None:
    example = lp.Example(**{"self": 1, "Ticket text": 2, "values": 3})
    assert [example["self"], example["Ticket text"], example["values"]] == [1, 2, 3]
    assert example.with_(self=4)["self"] == 4


def test_a_missing_field_is_named_with_those_that_are_there() -> None:
    example = lp.Example(ticket="help")
    with pytest.raises(AttributeError, match="no field 'team'; it has ticket"):
        _ = example.team
    with pytest.raises(KeyError):
        _ = example["team"]


def test_an_example_cannot_be_changed() -> None:
    example = lp.Example(ticket="help", tags=["a"])
    with pytest.raises(FrozenError, match="with_"):
        example.ticket = "other"
    with pytest.raises(FrozenError):
        del example.ticket
    example.tags.append("b")
    example["tags"].append("b")
    example.to_dict()["tags"].append("b")
    assert example.tags == ["a"]


def test_an_example_does_not_follow_the_list_that_it_was_given() -> None:
    tags = [["a"]]
    example = lp.Example(tags=tags)
    tags[0].append("b")
    assert example.tags == [["a"]]


def test_with_and_without_return_copies() -> None:
    example = lp.Example(ticket="help", team="billing")
    assert example.with_(team="network").team == "network"
    assert example.without("team") == lp.Example(ticket="help")
    assert example.team == "billing"


def test_equality_is_by_value_whatever_the_order() -> None:
    one, other = lp.Example(a=1, b=[2]), lp.Example(b=[2], a=1)
    assert one == other
    assert hash(one) == hash(other)
    assert one != lp.Example(a=1, b=[3])
    assert one != {"a": 1, "b": [2]}


def test_one_true_and_one_point_zero_differ() -> None:
    assert len({lp.Example(a=1), lp.Example(a=True), lp.Example(a=1.0), lp.Example(a="1")}) == 4


def test_values_of_other_types_count_as_plain_data() -> None:
    assert lp.Example(a=Color.RED, b=Point(1)) == lp.Example(a="red", b={"x": 1})
    assert lp.Example(a={"b", "a"}) == lp.Example(a={"a", "b"})


def test_what_has_no_value_to_compare_is_refused() -> None:
    example = lp.Example(a=object())
    with pytest.raises(ExampleError, match="object, which has no plain form"):
        _ = example.digest


def test_the_digest_does_not_depend_on_the_process() -> None:
    code = "import langprog as lp; print(lp.Example(a={'x', 'y', 'z'}, b='é').digest)"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == lp.Example(b="é", a={"z", "y", "x"}).digest


@given(st.dictionaries(st.text(), PLAIN, max_size=4))
def test_copies_are_equal(values: dict[str, object]) -> None:
    example = lp.Example(**values)
    for again in (pickle.loads(pickle.dumps(example)), copy.deepcopy(example), example.with_()):
        assert again == example
        assert again.digest == example.digest
        assert again.to_dict() == values


def test_dataset_digest_depends_on_values_and_order() -> None:
    one, other = lp.Example(a=1), lp.Example(a=2)
    assert dataset_digest([one, other]) == dataset_digest([lp.Example(a=1), other])
    assert len({dataset_digest(d) for d in ([one, other], [other, one], [one], [])}) == 4


# --- files ---------------------------------------------------------------------------------------

ROWS = [{"ticket": "naïve ☃", "n": 1}, {"ticket": 'with "quotes", and\nlines', "n": 2}]


def test_jsonl(tmp_path: Path) -> None:
    lines = "\r\n".join(json.dumps(row) for row in ROWS)
    path = write(tmp_path, "a.jsonl", "\ufeff" + lines + "\r\n\n  \n")
    assert lp.load_examples(path) == [lp.Example(**row) for row in ROWS]
    assert lp.load_examples(str(path)) == lp.load_examples(path)


def test_json(tmp_path: Path) -> None:
    path = write(tmp_path, "a.json", "\ufeff" + json.dumps(ROWS, indent=2, ensure_ascii=False))
    assert lp.load_examples(path) == [lp.Example(**row) for row in ROWS]


def test_csv_keeps_text_as_it_is(tmp_path: Path) -> None:
    content = (
        '\ufeffticket, n\r\n"with ""quotes"", and\r\nlines",1\r\n\r\none\u2028two\x0bthree,\r\n'
    )
    rows = lp.load_examples(write(tmp_path, "a.csv", content))
    assert rows == [
        lp.Example(ticket='with "quotes", and\r\nlines', n="1"),
        lp.Example(ticket="one\u2028two\x0bthree", n=""),
    ]


def test_a_byte_order_mark_before_a_quoted_header_is_fine(tmp_path: Path) -> None:
    rows = lp.load_examples(write(tmp_path, "a.csv", '\ufeff"a","b"\n1,2\n'))
    assert rows == [lp.Example(a="1", b="2")]


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    rows = [{"ticket": "a", "tags": ["x"], "n": 1}, {"ticket": "b", "tags": [], "n": None}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    assert lp.load_examples(path) == [lp.Example(**row) for row in rows]


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ExampleError, match=r"pip install 'langprog\[parquet\]'"):
        lp.load_examples(write(tmp_path, "a.parquet", b"PAR1"))


def test_fields_are_renamed(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"Ticket text": "a", "n": 1}')
    assert lp.load_examples(path, fields={"Ticket text": "ticket"}) == [
        lp.Example(ticket="a", n=1)
    ]
    with pytest.raises(ExampleError, match=r"a\.jsonl:1: two fields are named 'n'"):
        lp.load_examples(path, fields={"Ticket text": "n"})


def test_rows_are_read_one_by_one(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"a": 1}\nbroken\n')
    rows = iterate_examples(path)
    assert next(rows) == lp.Example(a=1)
    with pytest.raises(ExampleError, match=r"a\.jsonl:2: not JSON"):
        next(rows)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"a": 1}\n{"a": }\n', r"a\.jsonl:2: not JSON: .* column 7"),
        (
            "a.jsonl",
            '{"a": 1}\n[1]\n',
            r"a\.jsonl:2: must be a JSON object with fields, not \[1\]",
        ),
        ("a.jsonl", "{}", r"a\.jsonl:1: must be a JSON object with fields"),
        ("a.jsonl", '{"a": 1, "a": 2}', r"a\.jsonl:1: the field 'a' appears twice"),
        ("a.jsonl", '{"a": NaN}', r"a\.jsonl:1: NaN is not a number"),
        ("a.jsonl", '{"a": -1e999}', r"a\.jsonl:1: -1e999 is larger than any number"),
        ("a.jsonl", '{"a": "\\ud83d"}', r"a\.jsonl:1: .*half of a character"),
        ("a.jsonl", b'{"a": 1}\n{"a": "\xff"}', r"a\.jsonl:2: not UTF-8 text at byte 8"),
        ("a.jsonl", '{"a": ' + "[" * 100_000, r"a\.jsonl:1: "),
        ("a.jsonl", "\n\n", r"a\.jsonl: there are no rows"),
        ("a.json", "[]", r"a\.json: there are no rows"),
        ("a.json", '[{"a": 1},\n{"a" 2}]', r"a\.json:2: not JSON: .* column 6"),
        ("a.json", '{"a": 1}', r"a\.json: must hold a list of objects, not a dict"),
        ("a.json", '[{"a": 1}, 2]', r"a\.json, row 2: must be a JSON object"),
        ("a.csv", "", r"a\.csv: there are no rows"),
        ("a.csv", "a,b\n", r"a\.csv: there are no rows"),
        ("a.csv", "a,b,a\n1,2,3\n", r"a\.csv:1: the column 'a' comes twice"),
        ("a.csv", "a,,b\n1,2,3\n", r"a\.csv:1: a column has no name"),
        ("a.csv", 'a,b\n"1\n2",3\n4\n', r"a\.csv:4: has 1 fields, but the header has 2"),
        ("a.csv", 'a,b\n1,2\n"3,4\n', r"a\.csv:3: not CSV"),
        ("a.csv", b"a,b\n1,\xff\n", r"a\.csv:2: not UTF-8 text at byte 3"),
        ("a.parquet", b"no parquet", r"a\.parquet: not a Parquet file"),
        ("a.txt", "a", r"a\.txt: unknown suffix; use \.jsonl"),
    ],
)
def test_a_bad_file_says_where_and_what(
    tmp_path: Path, name: str, content: str | bytes, message: str
) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    with pytest.raises(ExampleError, match=message) as caught:
        lp.load_examples(write(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match=r"nowhere\.jsonl: there is no such file"):
        lp.load_examples(tmp_path / "nowhere.jsonl")


# --- files, read as a signature says -------------------------------------------------------------


def test_csv_is_turned_into_the_declared_types(tmp_path: Path) -> None:
    path = write(
        tmp_path, "a.csv", 'ticket,team,hours,tags,id\n007,billing,3,"[""a""]",9\nx,network,,[],\n'
    )
    assert lp.load_examples(path, Triage) == [
        lp.Example(ticket="007", team="billing", hours=3, tags=["a"], id="9"),
        lp.Example(ticket="x", team="network", hours=None, tags=[], id=""),
    ]


def test_a_program_says_the_types_too(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "ticket,hours\na,3\n")
    program = lp.Predict(Triage)
    assert lp.load_examples(path, program) == [lp.Example(ticket="a", hours=3)]
    assert lp.load_examples(path, Triage.spec) == [lp.Example(ticket="a", hours=3)]


def test_outputs_may_be_left_out_and_other_fields_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"ticket": "a", "id": 7}')
    assert lp.load_examples(path, Triage) == [lp.Example(ticket="a", id=7)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.jsonl",
            '{"ticket": "a"}\n{"text": "b"}',
            r"a\.jsonl:2: lacks the input 'ticket'; it has text",
        ),
        (
            "a.jsonl",
            '{"ticket": 3}',
            r"a\.jsonl:1: 'ticket' does not fit: it is 3, but",
        ),
        ("a.jsonl", '{"ticket": "a", "team": "sales"}', r"a\.jsonl:1: 'team' does not fit"),
        ("a.jsonl", '{"ticket": "a", "hours": -1}', r"a\.jsonl:1: 'hours' does not fit: .*0"),
        ("a.csv", "ticket,hours\na,many\n", r"a\.csv:2: 'hours' does not fit: .*integer"),
        ("a.csv", "ticket,tags\na,b\n", r"a\.csv:2: 'tags' does not fit: not JSON"),
        ("a.csv", "ticket,team\na,\n", r"a\.csv:2: 'team' does not fit"),
    ],
)
def test_a_value_that_does_not_fit_is_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    with pytest.raises(ExampleError, match=message):
        lp.load_examples(write(tmp_path, name, content), Triage)


def test_a_short_form_is_told_apart(tmp_path: Path) -> None:
    path = write(tmp_path, "a.jsonl", '{"ticket": "a"}')
    with pytest.raises(ExampleError, match="signature_of"):
        lp.load_examples(path, "ticket -> team")  # type: ignore[arg-type]  # the mistake
