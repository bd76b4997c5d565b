"""``langprog show``: a program, its prompts and its evidence, for a person to read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from langprog.modules import Step, ToolUse

CERTIFICATE = {
    "verdict": "certified",
    "reason": "The compiled program is better.",
    "before": {"mean": 0.4255},
    "after": {"mean": 0.5213},
    "difference": 0.0957,
    "low": 0.0091,
    "high": 0.242,
    "p_value": 0.017,
    "rows": 47,
    "n": 45,
    "wins": 15,
    "losses": 8,
    "ties": 24,
    "cost_before": {"calls": 2.0, "tokens": 1099.5, "dollars": 0.0000026},
    "cost_after": {"calls": 2.0, "tokens": 459.4, "dollars": 0.0000098},
    "missing": 0,
}
EVIDENCE: dict[str, Any] = {
    "certificate": CERTIFICATE,
    "optimizer": {"name": "MIPRO", "knobs": {"auto": "light", "teacher": None}, "seed": 3},
    "metric": {"name": "exact", "digest": "x"},
    "data": {"train": {"digest": "y", "examples": 1096}, "holdout": {"examples": 47}},
    "spend": {"search": {"calls": 1080, "tokens": 7191, "dollars": 0.5}},
}


def look_up(city: str, year: int = 2024) -> str:
    """Look up a city.

    Args:
        city: Its name.
    """
    return city


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *options: str, program: Any = None) -> str:
    """What is shown, without the width of the screen."""
    if program is not None:
        lp.save(program, "p.json")
    assert run(["show", "p.json", *options]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_the_tree_and_each_predictor_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    program = lp.Pipeline(
        each=lp.Map(
            lp.ChainOfThought("review: str, lang: Literal['de', 'en'] -> complaint"),
            over="reviews",
            item="review",
            outputs={"complaint": "complaints"},
        ),
        combine=lp.Predict(
            "complaints: list[str] -> summary",
            instruction="Sum it up.",
            model="openai/gpt-4.1-mini",
            sampling=lp.Sampling(temperature=0.3, stop=("END",)),
            adapter="json",
            demos=[{"complaints": ["slow"], "summary": "It is\nslow."}],
            checks=[lp.checks.length("summary", most=300)],
        ),
    )
    said = shown(capsys, program=program)
    assert (
        "program Pipeline each Map over reviews, item review, outputs "
        '{"complaint": "complaints"}, at once 16, on error keep, expected length 10 module '
        "ChainOfThought predict Predict review, lang -> reasoning, complaint combine Predict "
        "complaints -> summary" in said
    )
    assert (
        "each.module.predict instruction Given review and lang, produce complaint. inputs review "
        "lang (one of: de, en) outputs reasoning: think step by step complaint model what is set "
        "where it runs adapter what is set where it runs demonstrations none" in said
    )
    assert (
        "combine instruction Sum it up. inputs complaints (JSON list of text) outputs summary "
        'model openai/gpt-4.1-mini, temperature 0.3, stop ["END"] adapter json@1 checks require '
        "length(summary): most=300, unit='characters' asked again up to 2 times where one fails "
        'demonstrations 1 1 complaints: ["slow"] summary: It is slow.' in said
    )
    assert "models openai/gpt-4.1-mini $0.4 in and $1.6 out for a million tokens" in said


def test_tools_and_demonstrations_of_conversations(capsys: pytest.CaptureFixture[str]) -> None:
    demo = {
        "question": "How many?",
        "steps": [Step("Look.", [ToolUse("look_up", {"city": "Lyon"})], ["520774"])],
        "thought": "Done.",
        "tool_calls": [ToolUse("submit", {"answer": 5})],
    }
    other = lp.Tool(look_up, name="other")
    program = lp.ReAct(
        "question -> answer: int", [look_up, other], offered=["look_up"], demos=[demo]
    )
    said = shown(capsys, program=program)
    assert "program ReAct max steps 10 step NextStep question -> answer" in said
    assert "tools look_up(city, year): Look up a city. other(city, year) (not offered)" in said
    assert (
        'question: How many? steps: Look. look_up(city="Lyon") -> 520774 thought: Done. '
        "tool_calls: submit(answer=5)" in said
    )


def test_what_is_long_is_cut_unless_all_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    demos = [{"q": f"{number} {'x' * 1000}", "a": "b"} for number in range(9)]
    program = lp.Predict("q -> a", instruction="y" * 5000, demos=demos)
    said = shown(capsys, program=program)
    assert "... (702 more characters)" in said and "... (3,000 more characters)" in said
    assert "demonstrations 9 1 q: 0 x" in said and "3 q: 2 x" in said and "4 q:" not in said
    assert "... and 6 more" in said
    assert said.endswith("Long texts are cut: --full shows them.")
    whole = shown(capsys, "--full").replace(" ", "")
    assert "x" * 1000 in whole and "y" * 5000 in whole and "9q:8x" in whole
    assert "more characters" not in whole and "--full" not in whole


def test_the_evidence_in_sentences(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_program(lp.Predict("q -> a"), place / "p.json", evidence=EVIDENCE)
    said = shown(capsys)
    assert "verdict certified: The compiled program is better. ships the compiled program" in said
    assert (
        "on 47 examples that no search saw with 45 distinct inputs, the mean score went from "
        "0.425 to 0.521: +0.096, between +0.009 and +0.242 (p = 0.017)" in said
    )
    assert "15 became better, 8 worse, 24 stayed the same" in said
    assert (
        "a query 2 -> 2 calls, 1,100 -> 459 tokens, $0.0026 -> $0.0098 for a thousand compile "
        "optimizer MIPRO(auto=light, seed=3) metric exact data 47 holdout examples, 1096 train "
        "examples paid search 1,080 calls, $0.5, 7,191 tokens" in said
    )


@pytest.mark.parametrize("odd", ["x", 5, [1], {"mean": "x"}, {}, None])
def test_odd_evidence_is_shown_as_far_as_it_goes(
    odd: Any, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_program(lp.Predict("q -> a"), place / "p.json", evidence=EVIDENCE)
    data = json.loads((place / "p.json").read_text())
    for name in EVIDENCE:
        for inside in (None, "before", "cost_after", "wins", "knobs", "train", "search"):
            evidence = json.loads(json.dumps(EVIDENCE))
            if inside is None:
                evidence[name] = odd
            elif inside in evidence[name]:
                evidence[name][inside] = odd
            else:
                continue
            save_program(lp.Predict("q -> a"), place / "p.json", evidence=evidence)
            assert "predict instruction" in shown(capsys)
    assert data["evidence"] == EVIDENCE
