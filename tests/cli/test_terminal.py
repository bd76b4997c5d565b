"""What a model, an artifact, a server or a file's name says is shown, and steers no terminal."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, save_program
from langprog.cli.console import Live, open_progress_view
from langprog.cli.main import run
from langprog.cli.terminal import Terminal, json_visible, visible, write_json
from langprog.errors import BadRequestError
from langprog.lm import Budget, Cost
from optimizers import (
    Estimated,
    Event,
    Message,
    SpendUpdated,
    StageAdvanced,
    StageStarted,
    Tried,
    event_to_json,
)
from optimizers.evaluation.scorer import Estimate

# As Unicode says it: controls, what turns the direction of writing around, ends of lines.
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
STEERING = "".join(
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if (unicodedata.category(char) in ("Cc", "Zl", "Zp") and char not in "\n\t")
    or unicodedata.bidirectional(char) in TURNING
    or char in "\u200e\u200f\u061c"
)
COLOUR, TITLE = "\x1b[31mred", "\x1b]0;mine\x07"
HOSTILE = f"before{STEERING}{COLOUR}{TITLE}[red]:smile:[link=http://a.test]after"
NAME = "odd\x1b[31m\u202e\x9b.jsonl"
PROGRAM = """
import langprog as lp

program = lp.Predict("ticket -> team", model="openai/scripted")


def metric(example, prediction):
    return example.team == prediction.team


def failing(example, prediction):
    raise ValueError(HOSTILE)
"""


def steering_in(text: str) -> set[str]:
    return {char for char in text if char in STEERING}


@pytest.mark.parametrize("char", STEERING, ids=lambda char: f"U+{ord(char):04X}")
def test_every_steering_character_is_shown_in_text_and_json(char: str) -> None:
    shown = visible(f"a{char}b")
    assert not steering_in(shown)
    assert shown.startswith("a\\") and shown.endswith("b")
    text = json_visible({f"k{char}": [f"v{char}"]})
    assert not steering_in(text)
    assert json.loads(text) == {f"k{char}": [f"v{char}"]}


@pytest.mark.parametrize(
    "text",
    ["plain", "two\nlines\tand a tab", "é ß 漢字 שלום سلام", "👩\u200d👩\u200d👧 ✓", "", "\\x1b"],
)
def test_text_that_steers_nothing_stays_as_it_is(text: str) -> None:
    assert visible(text) == text
    assert json_visible(text) == json.dumps(text, ensure_ascii=False)


def test_half_of_a_character_is_shown() -> None:
    assert visible("a\ud800b") == "a\\ud800b"
    assert json.loads(json_visible("a\udfffb")) == "a\udfffb"


Written = Callable[[Terminal], None]


@pytest.mark.parametrize(
    "write",
    [
        lambda terminal: terminal.say(HOSTILE),
        lambda terminal: terminal.table((HOSTILE, "b"), [(HOSTILE, "1")]),
        lambda terminal: terminal.pairs([(HOSTILE, HOSTILE)]),
    ],
    ids=["say", "table", "pairs"],
)
def test_a_terminal_takes_no_orders_and_no_markup(
    write: Written, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    write(Terminal())
    shown = capsys.readouterr().out
    assert not steering_in(shown)
    assert "\\x1b[31mred\\x1b]0;mine\\x07[red]:smile:[link=http://a.test]after" in shown
    assert "\\u202e" in shown and "\\x9b" in shown


def test_a_table_is_as_wide_as_what_it_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    Terminal().table(("a", "b"), [("\x1b" * 9, "1"), ("plain", "2")])
    assert len({len(line.rstrip()) for line in capsys.readouterr().out.splitlines()}) == 1


def test_what_an_encoding_lacks_is_shown_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    narrow = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", narrow)
    Terminal().say("é 漢 \x1b")
    write_json({"a": "é 漢 \x7f"})
    said, data = raw.getvalue().decode("ascii").splitlines()
    assert said == "\\xe9 \\u6f22 \\x1b"
    assert json.loads(data) == {"a": "é 漢 \x7f"}


@pytest.fixture
def place(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> Path:
    model = lp.ScriptedLM(lambda _: f"[[team]]\n{HOSTILE}", name="openai/scripted")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(model))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    for name in ("mine", "raising"):  # of another test's folder
        monkeypatch.delitem(sys.modules, name, raising=False)
    signature = lp.Predict("ticket -> team").signature.with_instruction(HOSTILE)
    program = lp.Predict(signature, model="openai/scripted")
    evidence = {
        "certificate": {"verdict": HOSTILE, "reason": HOSTILE},
        **{name: {HOSTILE: HOSTILE} for name in ("optimizer", "metric", "data", "spend")},
    }
    save_program(program, tmp_path / "a.json", evidence=evidence)
    other = json.loads((tmp_path / "a.json").read_text())
    other["program"]["model"] = f"openai/{HOSTILE}"
    signed(tmp_path / "model.json", other)
    other["program"]["module"] = HOSTILE
    signed(tmp_path / "kind.json", other)
    rows = [{"ticket": f"{number} {HOSTILE}", "team": "x"} for number in range(60)]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "bad.jsonl").write_text(json.dumps({HOSTILE: "x"}) + "\n")
    (tmp_path / NAME).write_text("{")
    (tmp_path / "mine.py").write_text(PROGRAM.replace("HOSTILE", repr(HOSTILE)))
    (tmp_path / "raising.py").write_text(f"raise RuntimeError({HOSTILE!r})\n")
    return tmp_path


def signed(path: Path, data: Mapping[str, Any]) -> None:
    content = {key: value for key, value in data.items() if key != "digest"}
    path.write_text(json.dumps({**content, "digest": digest_of(content)}))


LIKELY = ["--data", "data.jsonl", "--metric", "exact"]
COMPILE = ["--train", "data.jsonl", "--metric", "mine.py:metric", "--optimizer", "bootstrap"]
COMMANDS: dict[str, tuple[list[str], int]] = {
    "show": (["show", "a.json"], 0),
    "show a model": (["show", "model.json"], 0),
    "show an unknown module": (["show", "kind.json"], 2),
    "show --json": (["show", "a.json", "--json"], 0),
    "show what is not there": (["show", HOSTILE.replace("\0", "")], 2),
    "show no artifact": (["show", NAME], 2),
    "run": (["run", "a.json", "--input", '{"ticket": "x"}'], 0),
    "run an unknown model": (["run", "model.json", "--input", '{"ticket": "x"}'], 2),
    "run an unknown module": (["run", "kind.json", "--input", '{"ticket": "x"}'], 2),
    "run no JSON": (["run", "a.json", "--input", HOSTILE], 2),
    "run without input": (["run", "a.json", "--input", json.dumps({HOSTILE: 1})], 2),
    "run --batch": (["run", "a.json", "--batch", "data.jsonl", "--out", f"{NAME}.jsonl"], 0),
    "run no batch": (["run", "a.json", "--batch", HOSTILE[:5] + NAME, "--out", "o"], 2),
    "run into a folder": (["run", "a.json", "--batch", "data.jsonl", "--out", f"{NAME}/o"], 2),
    "eval": (["eval", "a.json", *LIKELY], 0),
    "eval --json": (["eval", "a.json", *LIKELY, "--json"], 0),
    "eval of no artifact": (["eval", NAME, *LIKELY], 2),
    "eval on other rows": (["eval", "a.json", "--data", "bad.jsonl", "--metric", "exact"], 2),
    "eval by no metric": (["eval", "a.json", "--data", "data.jsonl", "--metric", HOSTILE], 2),
    "eval by a field": (["eval", "a.json", *LIKELY[:3], f"exact:{HOSTILE}"], 2),
    "eval by a failing one": (["eval", "a.json", *LIKELY[:3], "mine.py:failing"], 2),
    "compile": (["compile", "mine.py:program", *COMPILE, "--out", f"{NAME}.json"], 0),
    "compile --json": (["compile", "mine.py:program", *COMPILE, "--out", "o.json", "--json"], 0),
    "compile what raises": (["compile", "raising.py:program", *COMPILE, "--out", "o.json"], 2),
    "compile with what": (["compile", "mine.py:program", *COMPILE[:5], NAME, "--out", "o"], 2),
    "estimate": (["estimate", "mine.py:program", *COMPILE], 0),
    "serve": (["lm", "serve", f"pocket/{HOSTILE}"], 2),
    "no command": ([HOSTILE], 2),
    "no option": (["show", f"--{HOSTILE}"], 2),
    "no number": (["lm", "serve", "pocket/small", "--port", HOSTILE], 2),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_writes_what_steers(
    name: str,
    place: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments, code = COMMANDS[name]
    assert run(arguments) == code
    written = capsys.readouterr()
    assert written.out + written.err
    assert not steering_in(written.out + written.err)
    if "--json" in arguments or name == "run":
        assert all(json.loads(line) for line in written.out.splitlines())


def test_the_answer_keeps_its_text(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    text = HOSTILE.replace("\r", "")  # ends of lines are the adapter's matter
    asked = lp.ScriptedLM(lambda _: json.dumps({"team": text}), name="openai/asked")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(asked))
    program = lp.Predict("ticket -> team", model="openai/asked", adapter="json")
    save_program(program, place / "json.json")
    assert run(["run", "json.json", "--input", '{"ticket": "x"}']) == 0
    assert json.loads(capsys.readouterr().out) == {"team": text}
    assert run(["show", "a.json", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["program"]["signature"]["instruction"] == HOSTILE
    assert shown["evidence"]["data"] == {HOSTILE: HOSTILE}


def test_what_a_server_refuses_with_is_shown(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    scripted_endpoint: Callable[[lp.ScriptedLM], str],
) -> None:
    def refuse(request: lp.Request) -> str:
        raise BadRequestError(f"no: {HOSTILE}", model="openai/refusing")

    refusing = lp.ScriptedLM(refuse, name="openai/refusing")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(refusing))
    save_program(lp.Predict("ticket -> team", model="openai/refusing"), place / "a.json")
    for command in (
        ["run", "a.json", "--input", '{"ticket": "x"}'],
        ["run", "a.json", "--batch", "data.jsonl", "--out", "o.jsonl"],
        ["eval", "a.json", *LIKELY],
    ):
        assert run(command) == (1 if "--batch" in command else 2)
        said = capsys.readouterr()
        assert "\\x1b[31mred" in said.err
        assert not steering_in(said.out + said.err)


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_bug_is_shown_harmlessly(
    debug: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: str) -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr("langprog.cli.showing.read_artifact", broken)
    monkeypatch.setenv("LANGPROG_DEBUG", debug)
    assert run(["show", "a.json"]) == 2
    said = capsys.readouterr().err
    assert "\\x1b[31mred" in said and not steering_in(said)
    assert ("Traceback" in said) == bool(debug)
    assert said.splitlines()[-1].startswith("langprog: unexpected RuntimeError: before")


EVENTS: list[Event] = [
    StageStarted("search", 4, HOSTILE),
    Estimated((1, 2), None, (1, 2), 0.1, (HOSTILE,)),
    Tried(HOSTILE, Estimate(0.5, 0.1, 0.9, 7), best=True),
    Message(HOSTILE, True),
    StageAdvanced("search", 2, 4),
]


@pytest.mark.parametrize("as_json", [False, True])
def test_progress_shows_texts_of_others_harmlessly(
    as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    view = open_progress_view(as_json=as_json)
    for event in EVENTS:
        view.on(event)
    view.close()
    written = capsys.readouterr()
    assert not steering_in(written.out + written.err)
    if as_json:
        read = [json.loads(line) for line in written.out.splitlines()]
        assert read == json.loads(json.dumps([event_to_json(event) for event in EVENTS]))
    else:
        assert "warning: before" in written.err


def test_lines_of_a_long_stage_say_how_long_the_rest_may_take(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = open_progress_view(as_json=False)
    for event in (
        Estimated((100, 200), None, (1, 2), 0.1, ()),
        StageStarted("search", 4, "so many"),
        SpendUpdated(Cost(calls=50, seconds=100.0), Budget()),
        StageAdvanced("search", 2, 4),
    ):
        view.on(event)
    assert capsys.readouterr().err.endswith("search: 2 of 4, 1:40 to 5:00 left\n")


def test_a_bar_on_a_terminal_moves_by_its_own_orders_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal
    monkeypatch.setenv("COLUMNS", "2000")
    view = Live()
    for event in EVENTS:
        view.on(event)
    sys.stderr.write(f"a library: {HOSTILE}\n")
    view.close()
    written = capsys.readouterr().err
    assert "\x1b[" in written and "\\x1b[31mred\\x1b]0;mine\\x07[red]:smile:" in written
    # Left of a terminal's orders that are rich's own, nothing steers.
    rest = re.sub(r"\x1b\[[0-9;?]*[A-Zhlm]", "", written.replace("\r", ""))
    assert not steering_in(rest)
    assert written.count("\x1b]") == 0


GUARDED = """
import logging, sys, threading, warnings
from langprog.errors import LangprogWarning
from langprog.cli.terminal import guard_process

text = "said \\x1b]0;mine\\x07\\u202e\\x9b end"

class Broken:
    def __del__(self):
        raise ValueError(text)

def fail():
    raise RuntimeError(text)

guard_process()
warnings.warn(text)
warnings.warn(text, LangprogWarning)
logging.getLogger("a.library").warning("it %s", text)
try:
    fail()
except RuntimeError:
    logging.getLogger("a.library").exception("caught")
thread = threading.Thread(target=fail)
thread.start()
thread.join()
Broken()
"""


def test_what_python_writes_by_itself_is_harmless() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GUARDED], capture_output=True, text=True, timeout=60, check=True
    )
    assert not steering_in(done.stdout + done.stderr)
    assert done.stderr.count("said \\x1b]0;mine\\x07\\u202e\\x9b end") == 6
    assert "\nlangprog: warning: said" in done.stderr and "LangprogWarning" not in done.stderr
    for words in ("UserWarning", "it said", "caught", "Exception in Thread-1", "ignored"):
        assert words in done.stderr


IMPORTED = """
import logging, sys, threading, warnings

def hooks():
    return (
        warnings.formatwarning,
        threading.excepthook,
        sys.unraisablehook,
        logging.getLogRecordFactory(),
    )

before = hooks()
import langprog.cli.main
assert hooks() == before
"""


def test_the_guard_is_the_whole_process_and_nothing_of_an_import() -> None:
    """In a process of its own: Ray, once another test has imported it, sets a factory too."""
    subprocess.run([sys.executable, "-c", IMPORTED], timeout=60, check=True)
