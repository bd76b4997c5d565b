"""Tables as spreadsheets write them."""

from __future__ import annotations

from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import ExampleError


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "ticket,team\nno wifi,a\n"),
        ("a.csv", "ticket;team\nno wifi;a\n"),
        ("a.csv", "\ufeffticket;team\r\nno wifi;a\r\n"),
        ("a.csv", '"ticket";"team"\n"no wifi";a\n'),
        ("a.csv", "sep=;\nticket;team\nno wifi;a\n"),
        ("a.csv", "ticket\tteam\nno wifi\ta\n"),
        ("a.csv", "ticket|team\nno wifi|a\n"),
        ("a.csv", "ticket, team\nno wifi, a\n"),
        ("a.csv", '"ticket"; "team"\n"no wifi"; "a"\n'),
        ("a.tsv", "ticket\tteam\nno wifi\ta\n"),
        ("a.tsv", "ticket\tteam\nno wifi\ta\n\n"),
    ],
)
def test_separators_are_found_out(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    assert lp.load_examples(path) == [lp.Example(ticket="no wifi", team="a")]


def test_commas_in_cells_and_quoted_names_part_no_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('"a,b";team\n"1,5";x\n')
    assert lp.load_examples(path)[0].to_dict() == {"a,b": "1,5", "team": "x"}
    path = tmp_path / "b.tsv"
    path.write_text("a,b\tteam\n1;5\tx\n")
    assert lp.load_examples(path)[0].to_dict() == {"a,b": "1;5", "team": "x"}


def test_blanks_in_cells_stay_where_the_header_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ticket,team\n no wifi , a\n")
    assert lp.load_examples(path) == [lp.Example(ticket=" no wifi ", team=" a")]


def test_a_cell_may_hold_a_document(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ticket,team\n" + f'"{"y" * 200_000}",a\n' * 2)
    assert [len(row.ticket) for row in lp.load_examples(path)] == [200_000, 200_000]


def test_a_wrong_row_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("ticket;team\na;b;c\n")
    with pytest.raises(ExampleError, match=r"a\.csv:2: has 3 fields, but the header has 2"):
        lp.load_examples(path)


def test_an_optional_column_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"q": "x", "a": "v"}\n{"q": "y", "context": "c", "a": "v"}\n')
    program = lp.Predict("q, context: Optional[str] -> a")
    first, second = lp.load_examples(path, program)
    assert ("context" in first, second.context) == (False, "c")
    with pytest.raises(ExampleError, match=r"a\.jsonl:1: lacks the input 'context'"):
        lp.load_examples(path, lp.Predict("q, context -> a"))


def test_cells_are_typed(tmp_path: Path) -> None:
    photo = tmp_path / "cat.png"
    photo.write_bytes(b"\x89PNG\r\n")
    path = tmp_path / "a.csv"
    path.write_text(f'photo,day,both,pair,names\n{photo},2024-01-05,5,"[1, 2]","[""a"", ""a""]"\n')
    program = lp.Predict(
        "photo: Image, day: date, both: Union[int, str], pair: tuple[int, int], names: set[str] "
        "-> a"
    )
    row = lp.load_examples(path, program)[0]
    assert row.photo == lp.Image(photo)
    assert (row.day.year, row.both, row.pair, row.names) == (2024, 5, (1, 2), {"a"})


def test_files_are_looked_for_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "cat.png"
    photo.write_bytes(b"\x89PNG\r\n")
    path = tmp_path / "a.csv"
    path.write_text('photo,more\nphotos/cat.png,"[""photos/cat.png""]"\n')
    program = lp.Predict("photo: Image, more: list[Image] -> a")
    row = lp.load_examples(path, program)[0]
    assert row.photo == lp.Image(photo) and row.more == [lp.Image(photo)]
    path.write_text('photo,more\nnowhere.png,"[]"\n')
    with pytest.raises(ExampleError, match=r"a\.csv:2: 'photo' does not fit: .*cannot be read"):
        lp.load_examples(path, program)
