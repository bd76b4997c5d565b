"""The report as people see it: in a browser, with charts and tables, nothing from outside."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import langprog as lp
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapRandomSearch,
    LabeledFewShot,
    LLMSelector,
    Optimizer,
)
from optimizers.report.charts import Axis
from optimizers.report.difference import word_difference
from optimizers.report.tables import Markup, table
from tests.optimizers.simulated import all_right, answers, tickets, two_modules

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
in_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


def report_of(optimizer: Optimizer, folder: Path) -> str:
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = optimizer.compile(two_modules(), tickets(240), metric=all_right)
    compiled.report.save(folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def opened(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", profile, *options]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


@in_browser
def test_a_browser_shows_it_without_complaint_and_its_tables_sort(tmp_path: Path) -> None:
    text = report_of(MIPRO(instructions=3), tmp_path)
    click = """<script>
      const heads = [...document.querySelectorAll("table.sortable th")];
      const head = heads.find(one => one.textContent === "mean");
      const means = () => [...head.closest("table").tBodies[0].rows]
        .map(row => Number(row.cells[2].dataset.value));
      head.click(); const up = means(); head.click(); const down = means();
      const sorted = [...up].sort((a, b) => a - b);
      document.title = JSON.stringify(up) === JSON.stringify(sorted)
        && JSON.stringify(down) === JSON.stringify(sorted.reverse()) ? "sorted" : "not sorted";
    </script></body>"""
    page = tmp_path / "clicked.html"
    page.write_text(text.replace("</body>", click), encoding="utf-8")
    shown = opened(page, "--enable-logging=stderr", "--dump-dom")
    assert "CONSOLE" not in shown.stderr
    assert "<title>sorted</title>" in shown.stdout
    width = opened(page, "--window-size=390,800", "--dump-dom")
    assert width.returncode == 0


@pytest.mark.parametrize(
    "optimizer", [MIPRO(instructions=3), GEPA(rounds=4), BootstrapRandomSearch(sets=4)]
)
def test_the_charts_have_marks_and_nothing_comes_from_outside(
    optimizer: Optimizer, tmp_path: Path
) -> None:
    text = report_of(optimizer, tmp_path)
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(pictures) >= 4
    assert all("mark" in picture for picture in pictures)
    assert not re.search(r"(src|href)=[\"']?(https?:|//)", text) and "@import" not in text
    assert len(text.encode()) < 2_000_000
    assert text.index("Certificate:") < text.index("Spend") < text.index("The search")
    assert "won</span>" in text


def test_a_search_without_trials_has_a_page_too(tmp_path: Path) -> None:
    text = report_of(LabeledFewShot(k=4), tmp_path)
    assert "Certificate:" in text and "The search" not in text


def test_what_a_user_wrote_is_shown_as_text(tmp_path: Path) -> None:
    model = lp.ScriptedLM("[[answer]]\n<script>alert(1)</script>")
    rows = [lp.Example(question=f"<b>{i}</b>", answer="<i>x</i>") for i in range(30)]
    with lp.using(lm=model):
        compiled = LabeledFewShot(k=2).compile(
            lp.Predict("question -> answer"), rows, metric=lambda example, prediction: 0.5
        )
    compiled.report.save(tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    assert "<script>alert" not in text and "<b>1" not in text


class Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.old, self.new, self.inside = "", "", ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside != "ins":
            self.old += data
        if self.inside != "del":
            self.new += data


@given(st.text("ab <&. ", max_size=30), st.text("ab <&. ", max_size=30))
def test_both_texts_can_be_read_out_of_their_difference(before: str, after: str) -> None:
    words = Words()
    words.feed(word_difference(before, after))
    words.close()
    apart = "\n" if words.old == before + "\n" else ""
    assert words.old == before + apart and words.new == apart + after


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
@example([-1e6, math.nextafter(-1e6, 0.0)])
def test_an_axis_holds_its_values_and_has_a_few_round_ticks(values: list[float]) -> None:
    axis = Axis.over(values, "x")
    assert axis.low < min(values) or axis.low == min(values)
    assert axis.high >= max(values)
    assert 2 <= len(axis.ticks()) <= 8
    assert all(0 <= axis.at(value, 0.0, 1.0) <= 1 for value in values)


def test_cells_are_text_unless_they_are_markup() -> None:
    text = table(("a",), [("<b>",), (Markup("<b>x</b>"),), (1234,), (0.5,)])
    assert "&lt;b&gt;" in text and "<td><b>x</b></td>" in text
    assert "data-value='1234'>1,234" in text and "0.500" in text


def test_a_changed_model_is_named_with_the_one_that_was_asked_before(tmp_path: Path) -> None:
    dear = lp.ScriptedLM(answers(), name="scripted/dear", dollars=0.01)
    cheap = lp.ScriptedLM(answers(), name="scripted/cheap", dollars=0.001)
    with lp.using(lm=dear):
        result = LLMSelector(models=[cheap], objective="cost").compile(
            two_modules(), tickets(90), metric=all_right
        )
    result.report.save(tmp_path / "report.html")
    shown = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "model scripted/dear to scripted/cheap" in shown
