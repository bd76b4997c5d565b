"""Files in, files out: formats that are what they say, and outputs that a crash left behind."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as checking
from hypothesis import strategies as st

import langprog as lp
from langprog.batch.results import DoneRows, ResultFile, line_of, record_in
from langprog.batch.sorting import ExternalSort
from langprog.batch.sources import Source
from langprog.errors import BadRequestError, ExampleError, InputError, ServerError
from tests.batch.running import Place

pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
TRICKY = [
    "plain",
    'a "quoted", one',
    "two\nlines",
    "tab\there",
    "\u00fc \U0001f600",
    "two  spaces",
]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def write(path: Path, form: str, columns: dict[str, list[Any]]) -> None:
    if form == "parquet":
        parquet.write_table(pyarrow.table(columns), path)
        return
    rows = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        if form == "jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(columns), delimiter="," if form == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)


def read(path: Path, form: str) -> list[dict[str, Any]]:
    if form == "parquet":
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return rows
    with path.open(encoding="utf-8", newline="") as file:
        if form == "jsonl":
            flat = []
            for row in map(json.loads, file):
                flat.append({**row, **row.pop("outputs", {})})
            return flat
        return list(csv.DictReader(file, delimiter="," if form == "csv" else "\t"))


FORMS = ["jsonl", "csv", "tsv", "parquet"]


@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize("source", FORMS)
def test_any_format_goes_in_and_any_comes_out(place: Place, source: str, target: str) -> None:
    place.source, place.target = place.folder / f"in.{source}", place.folder / f"out.{target}"
    place.reply = lambda question: f"{len(question)}"
    write(place.source, source, {"id": [*range(6)], "question": TRICKY, "note": TRICKY[::-1]})
    done = place.run(keep=("note",), order="input")
    assert (done.written, done.failed) == (6, 0)
    rows = read(place.target, target)
    assert sorted(place.asked) == sorted(text.strip() for text in TRICKY)
    assert [str(row["id"]) for row in rows] == [str(number) for number in range(6)]
    assert [int(row["row"]) for row in rows] == [*range(1, 7)]
    assert [row["note"] for row in rows] == TRICKY[::-1]
    assert {row["answer"] for row in rows} == {str(len(text.strip())) for text in TRICKY}
    assert place.run(keep=("note",), order="input").earlier == 6
    assert len(place.asked) == 6 and read(place.target, target) == rows
    assert sorted(path.name for path in place.folder.iterdir()) == sorted(
        [place.source.name, place.target.name]
    )


@pytest.mark.parametrize("target", ["csv", "tsv", "parquet"])
def test_a_table_is_gone_on_with(place: Place, target: str) -> None:
    place.target = place.folder / f"out.{target}"
    errors = {"b": ServerError("down", model="m"), "c": BadRequestError("no, never", model="m")}
    place.reply = lambda question: errors.get(question, f"{question}, fine")
    place.rows("a", "b", "c", "d")
    assert place.run(order="input").failures == {"transport": 1, "refused": 1}
    rows = read(place.target, target)
    assert [bool(row["failure_kind"]) for row in rows] == [False, True, True, False]
    assert "no, never" in rows[2]["failure_message"]
    errors.clear()
    done = place.run(order="input")
    assert (done.written, done.earlier, done.failures) == (1, 3, {"refused": 1})
    rows = read(place.target, target)
    assert [row["answer"] or row["failure_kind"] for row in rows] == [
        "a, fine",
        "b, fine",
        "refused",
        "d, fine",
    ]
    done = place.run(order="input", retry_failed=True)
    assert (done.written, done.failed) == (1, 0)
    assert not (place.folder / f"out.{target}.partial.jsonl").exists()


@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_a_table_that_was_stopped_halfway_is_gone_on_with(place: Place, target: str) -> None:
    place.target = place.folder / f"out.{target}"
    place.rows(*(f"question {number}" for number in range(40)))
    done = place.run(budget=lp.Budget(calls=15))
    assert done.stopped and done.unfinished is not None and done.unfinished.exists()
    assert not place.target.exists()
    done = place.run()
    assert (done.written, done.earlier, done.unfinished) == (25, 15, None)
    assert len(read(place.target, target)) == 40 and len(set(place.asked)) == 40


@pytest.mark.parametrize("target", ["csv", "parquet"])
def test_a_table_that_is_not_one_of_results_is_left_alone(place: Place, target: str) -> None:
    place.target = place.folder / f"out.{target}"
    place.rows("a")
    write(place.target, target, {"key": ["mine"], "precious": ["yes"]})
    before = place.target.read_bytes()
    with pytest.raises(InputError, match="name another"):
        place.run()
    assert place.target.read_bytes() == before
    place.target.unlink()
    place.run()
    before = place.target.read_bytes()
    with pytest.raises(InputError, match="not the result of this program"):
        place.run(run="another")
    assert place.target.read_bytes() == before
    assert sorted(path.name for path in place.folder.iterdir()) == ["in.jsonl", f"out.{target}"]


def test_outputs_of_every_type_come_out_of_tables(place: Place) -> None:
    class Typed(lp.Module):
        signature = "question -> answer, flag: bool, number: int, share: float, parts: list[str]"

        def forward(self, question: str) -> dict[str, Any]:
            values = {"answer": question, "flag": True, "number": 3, "share": 0.5}
            return {**values, "parts": ["a", "\u00fc"]}

    place.program = Typed()
    place.rows("x")
    for form in ("parquet", "csv"):
        place.target = place.folder / f"out.{form}"
        place.run()
        [row] = read(place.target, form)
        values = [row[name] for name in ("flag", "number", "share", "parts")]
        if form == "parquet":
            assert values == [True, 3, 0.5, '["a", "\u00fc"]']
        else:
            assert values == ["true", "3", "0.5", '["a", "\u00fc"]']


def test_parquet_values_reach_the_program_and_pass_through(place: Place) -> None:
    place.source = place.folder / "in.parquet"
    day = dt.date(2024, 2, 29)
    columns = {"question": ["a"], "id": [7], "day": [day], "price": [Decimal("1.10")]}
    write(place.source, "parquet", columns)
    place.run(keep=("day", "price"))
    [row] = place.results
    assert (row["id"], row["day"], row["price"]) == (7, "2024-02-29", "1.10")


def test_cells_of_a_table_are_read_as_the_declared_types(place: Place) -> None:
    class Doubled(lp.Module):
        signature = "number: int, words: list[str], maybe: str | None -> twice: int, text"

        def forward(self, number: int, words: list[str], maybe: str | None) -> dict[str, Any]:
            return {"twice": 2 * number, "text": f"{words} {maybe}"}

    place.program = Doubled()
    place.source = place.folder / "in.csv"
    place.source.write_text('number,words,maybe\n7,"[""a""]",\nseven,[],x\n')
    assert place.run(order="input").failures == {"input": 1}
    assert place.results[0]["outputs"] == {"twice": 14, "text": "['a'] None"}
    assert "number" in place.results[1]["failure"]["message"]


WRONG: dict[str, tuple[str, bytes, str]] = {
    "CSV as JSONL": ("in.jsonl", b"question\na\nb\n", "none of the first 3 rows"),
    "JSONL as CSV": ("in.csv", b'{"question": "a"}\n{"question": "b"}\n', "question"),
    "Parquet as JSONL": ("in.jsonl", b"PAR1\x15\x04\x00", "jsonl"),
    "Parquet as CSV": ("in.csv", b"PAR1\x15\x04\xff\x00", "csv"),
    "text as Parquet": ("in.parquet", b"question\na\n", "not a Parquet file"),
    "cut Parquet": ("in.parquet", b"PAR1" + bytes(100), "not a Parquet file"),
    "UTF-16": ("in.csv", "question\na\n".encode("utf-16"), "UTF-8"),
    "UTF-16 JSONL": ("in.jsonl", '{"question": "a"}\n'.encode("utf-16"), "not"),
    "another column": ("in.csv", b"text\na\n", "lacks 'question'"),
    "other fields": ("in.jsonl", b'{"text": "a"}\n', "lacks 'question'"),
    "semicolons": ("in.csv", b"question;id\na;1\n", "lacks 'question'"),
    "a column twice": ("in.csv", b"question,question\na,b\n", "twice"),
    "no name": ("in.csv", b"question,\na,b\n", "no name"),
    "no suffix": ("input", b'{"question": "a"}\n', "--format"),
    "a spreadsheet": ("in.xlsx", b"PK\x03\x04", "--format"),
    "compressed": ("in.jsonl.gz", b"\x1f\x8b", "--format"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_not_what_it_says_is_refused_before_anything_is_written(
    place: Place, name: str
) -> None:
    file, content, words = WRONG[name]
    place.source = place.folder / file
    place.source.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        place.run()
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
    assert [path.name for path in place.folder.iterdir()] == [file] and not place.asked


def test_other_files_that_are_refused(place: Place) -> None:
    place.rows("a", id=[1])
    for options, words in (
        ({"format": "xml"}, "--format 'xml'"),
        ({"keep": ("outputs",)}, "--keep outputs"),
        ({"keep": ("nothing",)}, "lacks 'nothing'"),
    ):
        with pytest.raises(InputError, match=words):
            place.run(**options)
    for target in ("out.xlsx", "out"):
        place.target = place.folder / target
        with pytest.raises(InputError, match="--format"):
            place.run()
    place.target = place.source
    with pytest.raises(InputError, match="is the file given as --batch"):
        place.run()
    place.target = place.folder / "out.csv"
    with pytest.raises(InputError, match="--keep key"):
        place.run(keep=("key",))
    place.source = place.folder / "none.jsonl"
    with pytest.raises(ExampleError, match="there is no such file"):
        place.run()
    place.source = place.folder
    with pytest.raises(InputError):
        place.run(format="jsonl")
    assert [path.name for path in place.folder.iterdir()] == ["in.jsonl"]


def test_a_format_can_be_named(place: Place) -> None:
    place.source, place.target = place.folder / "data.txt", place.folder / "result"
    place.source.write_text("question\na\n")
    assert place.run(format="csv").written == 1
    assert place.target.read_text().startswith("key,row,answer,failure_kind,failure_message\n")


def test_a_broken_line_of_a_table_is_one_failure(place: Place) -> None:
    place.source = place.folder / "in.csv"
    lines = [b"question,id", b"a,1", b"b", b"c,3,4", b"\xff,5", b'"d"e,6', b"f,7"]
    place.source.write_bytes(b"\n".join(lines) + b"\n")
    done = place.run(order="input")
    assert (done.written, done.failures) == (6, {"input": 4})
    assert {place.answers[row] for row in (1, 6)} == {"re: a", "re: f"}


def test_a_quote_that_nobody_closes_is_said(place: Place) -> None:
    place.source = place.folder / "in.csv"
    place.source.write_text('question\na\n"b\nc\nd\n')
    done = place.run()
    assert done.failures == {"input": 1} and "in.csv:3" in done.first["input"]


def test_an_empty_file_gives_an_empty_one(place: Place) -> None:
    for form, content in (("jsonl", b""), ("csv", b"question\n"), ("jsonl", b"\n\n")):
        place.source = place.folder / f"in.{form}"
        place.source.write_bytes(content)
        place.target = place.folder / f"out.{form}"
        assert place.run().written == 0 and place.target.exists()


# --- outputs after a crash -----------------------------------------------------------------------


def whole_output(place: Place) -> bytes:
    place.rows(*(f"question {number} \u00fc" for number in range(8)))
    place.run()
    return place.target.read_bytes()


@pytest.mark.parametrize("seed", range(40))
def test_an_output_is_mended_whatever_a_crash_left(place: Place, seed: int) -> None:
    whole, rng = whole_output(place), random.Random(seed)
    asked = len(place.asked)
    cut = rng.randrange(len(whole))
    zeros = bytes(rng.choice([4, 7, 64, 4096]))
    left = {
        0: whole[:cut],
        1: whole[:cut] + zeros,
        2: zeros + whole[len(zeros) :],
        3: whole[:cut] + zeros + whole[cut + len(zeros) :],
        4: whole[:-1],
    }[seed % 5]
    place.target.write_bytes(left)
    kept = [line for line in left.split(b"\n") if record_in(line + b"\n")]
    done = place.run()
    assert (done.earlier, done.failed) == (len(kept), 0)
    assert sorted(place.answers) == [*range(1, 9)] and len(place.results) == 8
    assert len(place.asked) - asked == 8 - len(kept)
    assert sorted(place.target.read_bytes().split(b"\n")) == sorted(whole.split(b"\n"))


PRECIOUS = {
    "text": b"my notes\n",
    "text without an end": b"my notes",
    "JSON": b'{"question": "the only copy"}\n',
    "JSON with a key": b'{"key": "other", "outputs": {}}\n',
    "results of another kind": b'{"key": "0123456789abcdef", "outputs": {"answer": "x"}}\n',
    "UTF-16": '{"key": "0123456789abcdef"}\n'.encode("utf-16"),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10",
    "a database": b"SQLite format 3\0\x10\0\x01\x01\0@  ",
    "zeros and data": bytes(64) + b"data of mine",
    "a list": b"[]\n",
}


@pytest.mark.parametrize("name", PRECIOUS)
@pytest.mark.parametrize("behind", [False, True], ids=["alone", "behind results"])
def test_a_file_of_something_else_is_left_alone(place: Place, name: str, behind: bool) -> None:
    content = (whole_output(place) if behind else b"") + PRECIOUS[name]
    if behind and name == "zeros and data":
        return  # that is what a power failure leaves behind results
    place.rows("a") if not behind else None
    place.target.write_bytes(content)
    with pytest.raises(InputError, match="name another file, or remove it"):
        place.run()
    assert place.target.read_bytes() == content


def test_a_row_that_is_there_twice_stays_once(place: Place) -> None:
    whole = whole_output(place)
    place.target.write_bytes(whole + whole.splitlines(keepends=True)[2])
    assert place.run().earlier == 8
    assert place.target.read_bytes() == whole


def test_an_output_keeps_its_permissions(place: Place) -> None:
    whole = whole_output(place)
    os.chmod(place.target, 0o640)
    place.target.write_bytes(whole[:-20])
    place.run()
    assert place.target.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link_and_leftovers_go(place: Place) -> None:
    real = place.folder / "real.jsonl"
    place.target.symlink_to(real)
    (place.folder / ".real.jsonl.123.new").write_text("left by a process that was killed")
    place.rows("b", "a")
    place.run(order="input")
    assert place.target.is_symlink() and len(real.read_text().splitlines()) == 2
    names = sorted(path.name for path in place.folder.iterdir())
    assert names == ["in.jsonl", "out.jsonl", "real.jsonl"]


def test_what_is_not_a_plain_file_is_refused(place: Place) -> None:
    place.rows("a")
    place.target = Path("/dev/null")
    with pytest.raises(InputError, match="not a plain file"):
        place.run(format="jsonl")


def test_an_output_that_is_being_written_is_refused(place: Place) -> None:
    whole = whole_output(place)
    holder = ResultFile(place.target, place.target, lambda kind: False)
    with pytest.raises(InputError, match="is being written by another run"):
        place.run()
    holder.close()
    assert place.target.read_bytes() == whole and place.run().earlier == 8


def test_a_disk_that_is_full_loses_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.rows(*(f"question {number}" for number in range(100)))
    written, write = 0, os.write

    def full(fd: int, data: Any) -> int:
        nonlocal written
        if bytes(data[:2]) == b'{"':
            written += 1
            if written > 50:
                write(fd, data[:9])
                raise OSError(28, "No space left on device")
        return write(fd, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        place.run(width=2)
    monkeypatch.setattr(os, "write", write)
    done = place.run()
    assert done.earlier == 50 and len(place.results) == 100


# --- parts ---------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.booleans(), st.text(), st.integers()), max_size=60), st.integers(1, 9)
)
@checking(max_examples=50, deadline=None)
def test_sorting_on_disk_is_sorting(rows: list[tuple[bool, str, int]], most: int) -> None:
    sort = ExternalSort(most_rows=most, most_bytes=50)
    numbered = [[*row, number] for number, row in enumerate(rows)]
    for row in numbered:
        sort.add(row, len(row[1]))
    assert list(sort.drain()) == sorted(numbered)
    sort.close()


@given(st.dictionaries(st.integers(1, 2**40), st.integers(0, 2**64 - 1), max_size=50))
@checking(max_examples=50, deadline=None)
def test_done_rows_are_a_map(rows: dict[int, int]) -> None:
    done = DoneRows()
    for number, key in rows.items():
        assert done.add(number, f"{key:016x}")
        assert not done.add(number, f"{key:016x}")
    assert done.count == len(rows)
    for number, key in rows.items():
        assert done.has(number, f"{key:016x}") is True
        assert done.has(number, f"{(key + 7) % 2**64:016x}") is None
    assert done.has(2**41, "0" * 16) is False


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.floats(), st.lists, max_leaves=5)))
@checking(max_examples=50, deadline=None)
def test_a_record_is_one_line_of_json(outputs: dict[str, Any]) -> None:
    line = line_of({"key": "0" * 16, "row": 1, "outputs": outputs})
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    record = record_in(line)
    assert record is not None and record["outputs"].keys() == outputs.keys()
    json.loads(line, parse_constant=lambda word: pytest.fail(word))


def test_a_line_that_never_ends_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langprog.batch.sources.LARGEST_ROW", 100)
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'{"a": 1}\n' + b"x" * 1050 + b"\n" + b'{"a": 2}\n' + b"y" * 100)
    rows = list(Source(path, "jsonl").rows())
    assert [row.values for row in rows] == [{"a": 1}, {}, {"a": 2}, {}]
    assert "longer than" in rows[1].problem
