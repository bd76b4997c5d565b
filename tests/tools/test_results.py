from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from langprog.tools import render_result


@dataclass
class City:
    name: str
    founded: date


def test_text_stays_and_values_become_json() -> None:
    assert render_result("Grüße\n", 99) == "Grüße\n"
    assert render_result(City("Wien", date(1221, 1, 2)), 99) == (
        '{"name": "Wien", "founded": "1221-01-02"}'
    )
    assert render_result([1, None, "ü"], 99) == '[1, null, "ü"]'


def test_a_date_or_a_decimal_has_no_quotes() -> None:
    assert render_result(date(1221, 1, 2), 99) == "1221-01-02"
    assert render_result(Decimal("46.250"), 99) == "46.250"
    assert render_result([Decimal("46.250")], 99) == '["46.250"]'


def test_nothing_is_said() -> None:
    assert render_result(None, 99) == render_result("  ", 99) == "(no result)"
    assert render_result(0, 99) == "0"


def test_a_megabyte_is_cut_and_says_so() -> None:
    text = render_result("x" * 1_000_000, 20_000)
    assert text.startswith("x" * 20_000)
    assert text.endswith("\n(cut off: these are the first 20,000 of 1,000,000 characters)")
    assert len(text) < 20_100


def test_what_has_no_json_form_is_shown_all_the_same() -> None:
    around: list[object] = []
    around.append(around)
    assert render_result(around, 99) == "[[...]]"
    assert "object object" in render_result(object(), 99)
    assert render_result(b"\xff\xfe", 99) == "b'\\xff\\xfe'"
    assert render_result("half \ud800", 99) == "half ?"


@given(st.recursive(st.none() | st.text() | st.integers(), st.lists, max_leaves=20))
def test_every_result_is_text_that_can_be_sent(value: object) -> None:
    text = render_result(value, 50)
    assert text.encode()
    assert json.dumps(text)
