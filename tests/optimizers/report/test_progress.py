"""Who is told of a compile's events: a user's view or function, the log, a notebook."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ConnectError, InputError
from langprog.lm import Cost
from optimizers import (
    BootstrapFewShot,
    Compiled,
    Event,
    Finished,
    LabeledFewShot,
    Message,
    SpendUpdated,
    StageAdvanced,
    StageStarted,
)
from optimizers.report.progress import LogView, NotebookView, find_notebook, open_progress
from tests.optimizers.simulated import all_right, answers, field, tickets, two_modules, unit


def run(rows: int = 60, answer: Any = None, **more: Any) -> Compiled:
    with lp.using(lm=lp.ScriptedLM(answer or answers())):
        return LabeledFewShot().compile(two_modules(), tickets(rows), metric=all_right, **more)


def test_without_a_view_warnings_and_stages_go_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "langprog"):
        run(rows=12)
    warned = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert ["only 4 holdout examples" in each.getMessage() for each in warned] == [True]
    informed = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
    assert any(text.startswith("certify: ") for text in informed)
    assert {each.name for each in caplog.records} == {"langprog"}


SCRIPT = """
import langprog as lp
from optimizers import LabeledFewShot
model = lp.ScriptedLM(lambda request: "[[team]]\\nbilling")
rows = [lp.Example(ticket=f"ticket {n}", team="billing") for n in range(12)]
with lp.using(lm=model):
    LabeledFewShot().compile(
        lp.Predict("ticket -> team"), rows, metric=lambda example, done: 1.0
    )
"""


def test_a_plain_script_shows_warnings_on_standard_error_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout == ""
    assert "only 4 holdout examples" in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_function_is_a_view() -> None:
    events: list[Event] = []
    run(progress=events.append)
    assert isinstance(events[0], StageStarted) and isinstance(events[-1], Finished)


def test_print_shows_lines_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    run(rows=12, progress=print)
    written = capsys.readouterr().out
    assert "prepare: 4 examples for train" in written
    assert "warning: only 4 holdout examples" in written
    assert "(" not in written.splitlines()[0]


@pytest.mark.parametrize("wrong", [3, "print", logging, LogView, object()])
def test_what_takes_no_events_is_refused(wrong: Any) -> None:
    model = lp.ScriptedLM(answers())
    with lp.using(lm=model), pytest.raises(InputError, match=r"progress is a .*on\(event\)"):
        LabeledFewShot().compile(two_modules(), tickets(60), metric=all_right, progress=wrong)
    assert not model.requests


def test_an_asynchronous_view_is_refused() -> None:
    async def on(event: Event) -> None: ...

    class Callable:
        async def __call__(self, event: Event) -> None: ...

    for view in (on, Callable()):
        with pytest.raises(InputError, match="progress is asynchronous"):
            run(progress=view)


class Broken:
    def __init__(self) -> None:
        self.calls = 0

    def on(self, event: Event, /) -> None:
        self.calls += 1
        raise ConnectionError("the tracking server is away")


def test_a_view_that_raises_does_not_end_the_compile(caplog: pytest.LogCaptureFixture) -> None:
    broken = Broken()
    result, expected = run(progress=broken), run(progress=lambda event: None)
    assert broken.calls > 3
    assert result.certificate == expected.certificate
    said = "the progress callback raised ConnectionError: the tracking server is away"
    warned = [note for note in result.report.notes if said in note.text]
    assert len(warned) == 1 and warned[0].warning
    assert caplog.text.count(said) == 1


def test_an_interrupt_in_a_view_ends_the_compile() -> None:
    def interrupt(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(progress=interrupt)


def down_at_first(seen: set[str]) -> Callable[[lp.Request], str]:
    """Return answers that fail the first time for some tickets."""

    def reply(request: lp.Request) -> str:
        ticket = field(request.messages[-1].content, "ticket")
        if unit(ticket, "down") < 0.3 and ticket not in seen:
            seen.add(ticket)
            raise ConnectError("nobody answers", model="scripted/lm")
        return answers()(request)

    return reply


@pytest.mark.parametrize("rows", [60, 900])
def test_the_certify_stage_moves_to_its_end(rows: int) -> None:
    events: list[Event] = []
    result = run(rows, down_at_first(set()), progress=events.append)
    started = next(e for e in events if isinstance(e, StageStarted) and e.stage == "certify")
    steps = [e for e in events if isinstance(e, StageAdvanced) and e.stage == "certify"]
    done = [step.done for step in steps]
    assert started.total == 2 * result.certificate.n == done[-1]
    assert done == sorted(set(done)) and len(done) <= 100
    assert {step.total for step in steps} == {started.total}


class Screen:
    """Takes what a notebook would show."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def show(self, html: str) -> Callable[[str], None]:
        self.shown.append(html)
        return self.shown.append


def test_a_notebook_shows_a_bar_and_in_the_end_the_certificate() -> None:
    screen = Screen()
    view = NotebookView(screen.show)
    view.on(StageStarted("search", 8, "<b>trials</b>"))
    assert "<progress max='8' value='0'>" in screen.shown[-1]
    assert "&lt;b&gt;trials" in screen.shown[-1]
    view.on(StageAdvanced("search", 3, 8))
    view.on(SpendUpdated(Cost(5, 100), lp.Budget(calls=10)))
    view.on(StageStarted("certify", 4, "both programs"))
    assert "5/10 calls" in screen.shown[-1] and "both programs" in screen.shown[-1]
    view.on(Finished("original", "original: no <gain>"))
    assert "<progress" not in screen.shown[-1] and "no &lt;gain&gt;" in screen.shown[-1]


def test_a_notebook_has_its_warnings_in_the_log_too(caplog: pytest.LogCaptureFixture) -> None:
    NotebookView(Screen().show).on(Message("too few", warning=True))
    assert "too few" in caplog.text


def notebook(monkeypatch: pytest.MonkeyPatch, shell: object) -> list[str]:
    """Make it look as if IPython ran; returns what is displayed."""
    shown: list[str] = []
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")

    def put(html: str, *, display_id: bool) -> object:
        shown.append(html)
        return SimpleNamespace(update=shown.append)

    vars(ipython)["get_ipython"] = lambda: shell
    vars(display).update(HTML=str, display=put)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return shown


def test_a_running_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = notebook(monkeypatch, SimpleNamespace(kernel=object()))
    with lp.using(lm=lp.ScriptedLM(answers())):
        BootstrapFewShot().compile(two_modules(), tickets(60), metric=all_right)
    assert "<progress>" in shown[0] and "<progress" not in shown[-1]


@pytest.mark.parametrize("shell", [None, SimpleNamespace()])
def test_a_shell_in_a_terminal_has_no_bar(shell: object, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook(monkeypatch, shell)
    assert find_notebook() is None
    assert isinstance(open_progress(None), LogView)
