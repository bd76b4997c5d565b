"""Reprs fit on a screen, whatever an object holds; cards show every text as text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from langprog.example import ExampleList
from langprog.notebook import render_card, shorten

LONG = "long words " * 2_000
HOSTILE = "</td></table></div><script>alert(1)</script><img src=x onerror='a()'>\"'&"
SCREEN = 2000
LABELS = tuple(f"label number {n}" for n in range(500))


class Support(lp.Module):
    def __init__(self, size: int = 2) -> None:
        self.steps = {
            f"step {n}": lp.Predict(f"ticket, a{n} -> team, b{n}", instruction=LONG)
            for n in range(size)
        }

    def forward(self, ticket: str) -> dict[str, Any]:
        return {"team": ticket}


class Unlistable(lp.Module):
    def __init__(self) -> None:
        self.parts = {lp.Predict("a -> b")}


def echo(text: str) -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: f"[[team]]\n{text}")


@cache
def evaluated(rows: int = 300, text: str = LONG) -> lp.Report:
    examples = [lp.Example(ticket=f"{n} {text}", team="x") for n in range(rows)]
    with lp.using(lm=echo(text)):
        return lp.evaluate(lp.Predict("ticket -> team"), examples, lambda example, done: 0.5)


@cache
def failed(rows: int = 300, text: str = LONG) -> lp.Report:
    class Typed(lp.Signature):
        ticket: str = lp.Input()
        team: int = lp.Output()

    examples = [lp.Example(ticket=f"{n} {text}") for n in range(rows)]
    with lp.using(lm=echo(text)):
        return lp.evaluate(lp.Predict(Typed), examples, lambda example, done: 0.5)


def predicted(text: str = LONG) -> lp.Prediction:
    with lp.using(lm=echo(text)):
        return lp.Predict("ticket -> team")(ticket=text)


def wide(fields: int = 300) -> lp.Predict:
    names = ", ".join(f"field_{n}" for n in range(fields))
    return lp.Predict(f"{names} -> team", demos=[lp.Example(team=LONG)] * 50)


def labelled() -> lp.Predict:
    class Intent(lp.Signature):
        text: str = lp.Input(LONG)
        intent: Literal[LABELS] = lp.Output()  # type: ignore[valid-type]  # made, not written

    return lp.Predict(Intent)


THINGS: dict[str, Callable[[], object]] = {
    "example": lambda: lp.Example(**{f"field_{n}": LONG for n in range(50)}),
    "examples": lambda: ExampleList(lp.Example(ticket=LONG, n=n) for n in range(5000)),
    "prediction": predicted,
    "trace": lambda: predicted().trace,
    "report": evaluated,
    "report of failures": failed,
    "row": lambda: evaluated(1).rows[0],
    "failed row": lambda: failed(1).rows[0],
    "predict": wide,
    "signature": lambda: wide().signature.with_instruction(LONG),
    "fields": lambda: dict(labelled().inputs),
    "labels": lambda: dict(labelled().outputs),
    "parameters": lambda: wide().parameters(),
    "chain of thought": lambda: lp.ChainOfThought(wide().signature),
    "vote": lambda: lp.Vote(wide(), k=3),
    "own module": lambda: Support(200),
    "pipeline": lambda: lp.Pipeline(
        **{f"step_{n}": lp.Predict(f"x{n} -> x{n + 1}") for n in range(200)}
    ),
}


@pytest.mark.parametrize("name", THINGS)
def test_a_repr_fits_on_a_screen(name: str) -> None:
    text = repr(THINGS[name]())
    assert 0 < len(text) < SCREEN
    assert text.count("\n") < 24


@pytest.mark.parametrize("name", THINGS)
def test_a_card_fits_on_a_screen_as_well(name: str) -> None:
    card = getattr(THINGS[name](), "_repr_html_", str)()
    assert len(card) < 40_000


def test_a_program_of_ones_own_names_its_parts() -> None:
    assert repr(Support(1)) == (
        "Support(steps[step 0]=Predict('ticket, a0 -> team, b0', demos=0, model=None))"
    )


def test_a_program_that_cannot_be_listed_has_a_repr() -> None:
    assert repr(Unlistable()) == "Unlistable()"


def test_short_values_are_shown_in_full() -> None:
    assert repr(lp.Example(a=1, b="x")) == "Example(a=1, b='x')"
    assert repr(lp.Prediction(team="billing")) == "Prediction(team='billing')"
    assert repr(ExampleList()) == "[]"
    assert "2 more" in repr(ExampleList(lp.Example(n=n) for n in range(5)))


def test_a_report_says_why_rows_failed() -> None:
    report = failed(3, "no number")
    assert "3 parse" in repr(report) and "no number" in repr(report)
    assert list(report.first_failures) == ["parse"]
    assert "no number" in report.to_json()["first_failures"]["parse"]
    assert "no number" in report._repr_html_()


def test_examples_with_long_values_that_differ_at_the_end_stay_different() -> None:
    inner = [lp.Example(text=LONG + end) for end in ("a", "b")]
    outer = [lp.Example(inside=example) for example in inner]
    assert outer[0] != outer[1] and outer[0].digest != outer[1].digest
    done = [lp.Example(inside=lp.Prediction(text=LONG + end)) for end in ("a", "b")]
    assert done[0] != done[1]


def test_a_file_of_examples_is_shown_as_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("ticket,team\n" + "no wifi,network\n" * 100)
    rows = lp.load_examples(path)
    assert isinstance(rows, list) and rows == [lp.Example(ticket="no wifi", team="network")] * 100
    assert "97 more" in repr(rows)
    assert "the first 10 of 100" in rows._repr_html_()  # type: ignore[attr-defined]  # for notebooks


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=40) | st.just(HOSTILE))
def test_a_card_shows_every_text_as_text(text: str) -> None:
    plain, card = (
        Tags(render_card(t, [(t, t)], heads=(t,), rows=[(t,)], note=t or "x"))
        for t in ("x", text or "x")
    )
    assert card.tags == plain.tags


@pytest.mark.parametrize(
    "make",
    [
        lambda text: predicted(text),
        lambda text: evaluated(2, text),
        lambda text: failed(2, text),
        lambda text: lp.Example(**{"a": text}),
        lambda text: ExampleList([lp.Example(a=text)]),
    ],
)
def test_what_a_model_says_adds_no_markup_to_a_notebook(make: Callable[[str], Any]) -> None:
    card = Tags(make(HOSTILE)._repr_html_())
    assert card.tags == Tags(make("harmless")._repr_html_()).tags
    assert "<script>alert(1)</script>" in card.text


def test_shorten_keeps_to_its_limit() -> None:
    assert shorten("abc", 3) == "abc"
    assert len(shorten("a" * 100, 20)) <= 20
