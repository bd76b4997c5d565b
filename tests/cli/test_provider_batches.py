"""`langprog run --engine provider` in this process: options, messages, exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import langprog as lp
from langprog.artifact import save_program
from langprog.cli.main import run
from tests.batch.provider import ProviderPlace, provider

QUICK = "--engine provider --poll 0.001 --gather 0.02 --width 20".split()


@pytest.fixture(scope="module")
def place() -> Iterator[ProviderPlace]:
    with provider() as made:
        program = lp.Predict("question -> answer", adapter="chat", model="openai/gpt-4.1-mini")
        save_program(program, made.source.with_name("a.json"))
        made.rows(*(f"question {number}" for number in range(4)))
        yield made


@pytest.fixture(autouse=True)
def environment(place: ProviderPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.source.parent)
    monkeypatch.setenv("OPENAI_BASE_URL", place.url)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("LANGPROG_CACHE", "off")
    for name in ("out.jsonl", "out.jsonl.batches"):
        Path(name).unlink(missing_ok=True)


def batch(*options: str) -> int:
    return run("run a.json --batch in.jsonl --out out.jsonl".split() + list(options))


def test_it_says_how_far_batches_are_and_what_was_saved(
    place: ProviderPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(*QUICK) == 0
    said = capsys.readouterr().err
    [sent] = place.endpoint.batches
    assert f"  {sent} completed: 4 of 4 requests done, sent at " in said
    # 0.40 and 1.60 dollars per million tokens, 20 and 5 tokens, half of it.
    assert (
        f"4 rows written, 0 failed, ${4 * 0.5 * (20 * 0.4 + 5 * 1.6) / 1e6:.4f} (50% off)" in said
    )
    assert batch(*QUICK) == 0
    assert "0 rows written, 4 already there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "cloud"], "--engine 'cloud': write local, provider or ray"),
        (["--engine", "ray", "--poll", "5"], "--poll needs --engine provider"),
        (["--workers", "2"], "--workers needs --engine ray"),
        (["--poll", "5"], "--poll needs --engine provider"),
        (["--cancel"], "--cancel needs --engine provider"),
        (["--discount", "0.5"], "--discount needs --engine provider"),
        ([*QUICK, "--discount", "2"], "discount=2.0"),
        ([*QUICK, "--per-file", "0"], "requests_per_file=0"),
        ([*QUICK, "--cancel"], "has no batches at a provider"),
    ],
)
def test_wrong_options_are_refused(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(*options) == 2
    assert said in capsys.readouterr().err
    assert not Path("out.jsonl.batches").exists()


def test_one_input_is_not_a_batch(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "a.json", "--input", "{}", "--engine", "provider"]) == 2
    assert "--engine provider is for --batch" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:the budget covers")
def test_a_spent_budget_says_that_a_larger_one_continues(
    place: ProviderPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert batch(*QUICK, "--calls", "3") == 1
    said = capsys.readouterr().err
    assert "stopped: the budget of 3 calls is used up (it counts all runs" in said
    assert "the same command continues with a larger budget" in said
    assert batch(*QUICK, "--calls", "4") == 0


def test_a_state_of_something_else_is_refused(
    place: ProviderPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("out.jsonl.batches").write_text("my notes")
    assert batch(*QUICK) == 2
    assert "is not a state of provider batches" in capsys.readouterr().err
    assert Path("out.jsonl.batches").read_text() == "my notes"


def test_a_state_of_another_run_is_refused(
    place: ProviderPlace, capsys: pytest.CaptureFixture[str]
) -> None:
    place.endpoint.fates = ["cancelled"] * 99
    assert batch(*QUICK) == 1
    place.endpoint.fates = []
    Path("out.jsonl").unlink()
    other = ["--model", "openai/gpt-4.1-mini=openai/gpt-4.1"]
    assert batch(*QUICK, *other) == 2
    assert "has the batches of another run" in capsys.readouterr().err
    assert batch(*QUICK) == 0
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert len(rows) == 4
