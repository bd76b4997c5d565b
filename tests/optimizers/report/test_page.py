"""The report as people see it: in a browser, with charts and tables, nothing from outside."""

from __future__ import annotations

import copy
import json
import math
import re
import shutil
import subprocess
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ConnectError
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapRandomSearch,
    Compiled,
    LabeledFewShot,
    LLMSelector,
    Optimizer,
)
from optimizers.report.charts import Axis, draw_front, draw_intervals
from optimizers.report.page import render_page
from optimizers.report.picture import render_picture
from optimizers.report.rendering import content_hash
from tests.optimizers.simulated import all_right, answers, field, tickets, two_modules, unit

BROWSER = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
in_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    "</pre></td></style></script><script>alert(1)</script><img src=x onerror=a()>\"'&{{ 7*7 }}"
)


@cache
def compile_two(optimizer: Optimizer, answer: Any = None) -> Compiled:
    """Compile two modules; several tests look at what one compile gives."""
    with lp.using(lm=lp.ScriptedLM(answer or answers())):
        return optimizer.compile(two_modules(), tickets(100), metric=all_right)


def page_of(compiled: Compiled, folder: Path) -> str:
    compiled.report.save(folder / "report.html")
    return (folder / "report.html").read_text(encoding="utf-8")


def failing(request: lp.Request) -> str:
    """Answer, but for a few tickets: some replies cannot be read, some requests fail."""
    ticket = field(request.messages[-1].content, "ticket")
    if not ticket or unit(ticket, "parse") < 0.1:  # nor is an unreadable reply repaired
        return "I cannot say."
    if unit(ticket, "down") < 0.02:
        raise ConnectError("nobody answers", model="scripted/lm")
    return answers()(request)


class Page(HTMLParser):
    """Tags with the names of their attributes, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str | None]] = []
        self.text = ""
        self.raw: dict[str, str] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += attrs

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw[self.cdata_elem] = self.raw.get(self.cdata_elem, "") + data
        self.text += data


def open_page(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    profile = f"--user-data-dir={page.parent / 'profile'}"
    quiet = ("--disable-background-networking", "--disable-component-update", "--disable-sync")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", *quiet, profile, *options]
    return subprocess.run(
        [*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )


def with_script(text: str, script: str) -> str:
    """Return a page that also runs a script of the test's, which its policy then allows."""
    allowed = f"script-src &#39;{content_hash(script)}&#39; "
    assert "script-src &#39;" in text or "script-src '" in text
    text = text.replace("script-src ", allowed.replace("&#39;", "'"), 1)
    return text.replace("</body>", f"<script>{script}</script></body>")


@in_browser
def test_a_browser_shows_it_without_complaint_and_its_tables_sort(tmp_path: Path) -> None:
    text = page_of(compile_two(MIPRO(instructions=3)), tmp_path)
    script = """
      const heads = [...document.querySelectorAll("table.sortable th")];
      const head = heads.find(each => each.textContent === "mean");
      const means = () => [...head.closest("table").tBodies[0].rows]
        .map(row => Number(row.cells[2].dataset.value));
      const button = head.querySelector("button");
      button.click(); const up = means(); button.click(); const down = means();
      const sorted = [...up].sort((a, b) => a - b);
      const fits = document.documentElement.scrollWidth <= window.innerWidth;
      document.title = JSON.stringify(up) === JSON.stringify(sorted)
        && JSON.stringify(down) === JSON.stringify(sorted.reverse()) && fits
        && head.getAttribute("aria-sort") === "descending" ? "as it should be" : "not";
    """
    page = tmp_path / "clicked.html"
    page.write_text(with_script(text, script), encoding="utf-8")
    for width in ("1280,800", "500,800"):
        shown = open_page(page, f"--window-size={width}", "--enable-logging=stderr", "--dump-dom")
        assert "CONSOLE" not in shown.stderr
        assert "<title>as it should be</title>" in shown.stdout


@in_browser
def test_a_script_that_got_into_the_page_would_not_run(tmp_path: Path) -> None:
    text = page_of(compile_two(LabeledFewShot(k=4)), tmp_path)
    page = tmp_path / "attacked.html"
    attack = "<script>document.title = 'attacked'</script><img src=x onerror='document.title=1'>"
    page.write_text(text.replace("</body>", f"{attack}</body>"), encoding="utf-8")
    assert "<title>Compile report: LabeledFewShot</title>" in open_page(page, "--dump-dom").stdout


@pytest.mark.parametrize(
    "optimizer", [MIPRO(instructions=3), GEPA(rounds=4), BootstrapRandomSearch(sets=4)]
)
def test_the_charts_have_marks_and_nothing_comes_from_outside(
    optimizer: Optimizer, tmp_path: Path
) -> None:
    text = page_of(compile_two(optimizer), tmp_path)
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    assert len(pictures) >= 4
    assert all("mark" in picture for picture in pictures)
    assert not re.search(r"(src|href)=[\"']?(https?:|//)", text) and "@import" not in text
    assert len(text.encode()) < 2_000_000
    assert text.index("Certificate:") < text.index("Spend") < text.index("The search")
    assert '<td class="better">' in text


def test_a_search_without_trials_has_a_page_too(tmp_path: Path) -> None:
    text = page_of(compile_two(LabeledFewShot(k=4)), tmp_path)
    assert "Certificate:" in text and "The search" not in text


def test_the_top_names_program_model_metric_data_and_date(tmp_path: Path) -> None:
    compiled = compile_two(LabeledFewShot(k=4))
    page = Page(page_of(compiled, tmp_path))
    top = page.text[: page.text.index("Certificate:")]
    data = compiled.report.evidence.data
    for words in (
        "Pipeline(team=Predict(",
        "scripted/lm",
        "all_right",
        "LabeledFewShot, seed 0",
        f"{data['train'][0]} train ({data['train'][1][:12]})",
        f"{data['holdout'][0]} holdout ({data['holdout'][1][:12]})",
        compiled.report.date,
    ):
        assert words in top
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", compiled.report.date)


def test_failures_are_listed_by_kind_with_the_first_message(tmp_path: Path) -> None:
    compiled = compile_two(MIPRO(instructions=3), failing)
    failures = {each["kind"]: each for each in compiled.report.to_json()["failures"]}
    assert failures["parse"]["count"] > 20 and failures["transport"]["count"] > 0
    assert failures["transport"]["first"] == "nobody answers"
    text = Page(page_of(compiled, tmp_path)).text
    for each in failures.values():
        assert f"{each['count']:,} runs: {each['kind']}" in text
        assert each["first"] in text
    assert f"{failures['parse']['count']:,} parse" in repr(compiled.report)


def test_warnings_stand_near_the_top(tmp_path: Path) -> None:
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = LabeledFewShot().compile(two_modules(), tickets(12), metric=all_right)
    text = page_of(compiled, tmp_path)
    assert text.index('<p class="warning">only 4 holdout examples') < text.index("Spend")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    return compile_two(MIPRO(instructions=3), failing).report.to_json()


KEPT = {"what", "digest", "date"}


def replace_texts(value: Any, text: str, key: str = "") -> Any:
    """Return a report's JSON with every text in it replaced, but for what steers the page."""
    if isinstance(value, dict):
        return {name: replace_texts(inner, text, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [replace_texts(inner, text, key) for inner in value]
    return text if isinstance(value, str) and key not in KEPT else value


def test_no_text_of_a_report_becomes_markup(report: dict[str, Any]) -> None:
    data = json.loads(json.dumps(report))
    data["prompts"]["before"] |= {HOSTILE: copy.deepcopy(data["prompts"]["before"]["team"])}
    data["prompts"]["after"] |= {HOSTILE: copy.deepcopy(data["prompts"]["after"]["team"])}
    for row in data["rows"]:
        for part in (row["inputs"], row["wanted"], row["before"]["outputs"]):
            part[HOSTILE] = HOSTILE
    harmless = Page(render_page(replace_texts(data, "harmless")))
    attacked = Page(render_page(replace_texts(data, HOSTILE)))
    assert attacked.tags == harmless.tags
    assert attacked.text.count("{{ 7*7 }}") > 100


def test_the_page_allows_its_own_style_and_script_and_no_other(report: dict[str, Any]) -> None:
    page = Page(render_page(report))
    policy = next(
        value for name, value in page.values if name == "content" and value and "src" in value
    )
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert f"style-src '{content_hash(page.raw['style'])}'" in policy
    assert f"script-src '{content_hash(page.raw['script'])}'" in policy
    names = {name for _, attributes in page.tags for name in attributes}
    assert "style" not in names and not any(name.startswith("on") for name in names)


def trial(digest: str, mean: float, tokens: float) -> dict[str, Any]:
    cost = {"calls": 1.0, "tokens": tokens, "dollars": 0.0}
    ends = {"low": mean - 0.1, "high": mean + 0.1, "mean": mean}
    return {"digest": digest, "label": digest, "n": 10, "cost": cost, **ends}


def test_the_front_is_a_line_also_where_it_is_a_single_point() -> None:
    for trials in ([trial("a", 0.5, 10)], [trial("a", 0.5, 10), trial("b", 0.7, 20)]):
        picture = draw_front(trials, "a")
        corners = re.findall(r'<polyline[^>]* points="([^"]*)"', picture)[0].split()
        assert len(set(corners)) >= 3
        assert picture.count('class="whisker') == len(trials)


def test_what_the_front_is_above_is_not_on_it() -> None:
    picture = draw_front([trial("a", 0.7, 10), trial("worse", 0.5, 20)], "a")
    assert picture.count('class="whisker') == 1 and picture.count("<circle") == 2


def test_an_interval_is_drawn_and_written() -> None:
    picture = draw_intervals([("before", 0.5, 0.4, 0.6), ("after", 0.7, 0.6, 0.8)])
    assert picture.count('class="whisker') == 2
    assert "0.500 [0.400, 0.600]" in picture and "0.700 [0.600, 0.800]" in picture


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5))
@example([-1e6, math.nextafter(-1e6, 0.0)])
def test_an_axis_holds_its_values_and_has_a_few_round_ticks(values: list[float]) -> None:
    axis = Axis.over(values, "x")
    assert axis.low < min(values) or axis.low == min(values)
    assert axis.high >= max(values)
    assert 2 <= len(axis.ticks()) <= 8
    assert all(0 <= axis.at(value, 0.0, 1.0) <= 1 for value in values)


def test_a_changed_model_is_named_with_the_one_that_was_asked_before(tmp_path: Path) -> None:
    dear = lp.ScriptedLM(answers(), name="scripted/dear", dollars=0.01)
    cheap = lp.ScriptedLM(answers(), name="scripted/cheap", dollars=0.001)
    with lp.using(lm=dear):
        result = LLMSelector(models=[cheap], objective="cost").compile(
            two_modules(), tickets(90), metric=all_right
        )
    assert "model scripted/dear → scripted/cheap" in page_of(result, tmp_path)


def test_the_page_says_how_often_a_compile_was_resumed(report: dict[str, Any]) -> None:
    for sessions, words in ((2, "resumed once"), (4, "resumed 3 times")):
        assert words in Page(render_page({**report, "sessions": sessions})).text
    assert "resumed" not in Page(render_page({**report, "sessions": 1})).text


def test_the_page_says_what_was_tested_and_at_which_level(report: dict[str, Any]) -> None:
    data = copy.deepcopy(report)
    claim = {"name": "better", "holds": True, "p_value": 0.002, "bound": 0.1, "margin": 0.0}
    data["evidence"]["certificate"] |= {
        "finding": "better",
        "claims": [{**claim, "level": 0.0033}],
        "level": 0.0033,
        "attempt": 2,
        "n": 6,
        "rows": 60,
        "missing": 2,
        "missing_runs": "2 runs of the input program (transport: 503)",
        "must_pass": {"examples": 5, "failed": ["trainset[3]"]},
        "repeats": {"count": 3, "passed_before": 0.25, "passed_after": 0.5, "within": 0.1},
    }
    text = render_page(data)
    for said in (
        "one-sided p = 0.002, level 0.0033, bound +0.100 against +0",
        "difference [lower bound, level 0.0033; upper bound, level 0.05]",
        "60 examples with 6 distinct inputs; 2 missing: 2 runs of the input program",
        "4 of 5 pass",
        "all of 3 runs pass",
        "25% of the examples before, 50% after",
    ):
        assert said in text


def test_a_picture_is_svg_that_loads_nothing_and_shows_texts_as_texts(
    report: dict[str, Any], tmp_path: Path
) -> None:
    compiled = compile_two(MIPRO(instructions=3))
    compiled.report.save(tmp_path / "report.svg")
    drawn = (tmp_path / "report.svg").read_text(encoding="utf-8")
    certificate = compiled.certificate
    texts = [each.text or "" for each in ElementTree.fromstring(drawn).iter(f"{SVG}text")]
    assert certificate.before is not None and certificate.after is not None
    for mean in (certificate.before.mean, certificate.after.mean):
        assert any(text.startswith(f"{mean:.3f} [") for text in texts)
    assert drawn.count("http") == 1  # the namespace
    hostile = copy.deepcopy(report)
    hostile["evidence"]["certificate"] |= {"before": None, "after": None, "reason": HOSTILE}
    hostile["decisions"] = []
    tags = {each.tag for each in ElementTree.fromstring(render_picture(hostile)).iter()}
    assert tags == {f"{SVG}{name}" for name in ("svg", "style", "rect", "text")}
