"""The same candidate on the same holdout: no other attempt, unless its results are others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import langprog as lp
from langprog.lm import Request
from langprog.modules import list_compiles
from optimizers import Compiled, LabeledFewShot, Message, SpendUpdated
from optimizers.stats.attempts import FILE
from tests.optimizers.simulated import TEAMS, field, one_module, right_team, team_of, tickets, unit


def answering(mood: str) -> lp.ScriptedLM:
    """Return a model that is right by chance, otherwise in each mood."""

    def reply(request: Request) -> str:
        ticket = field(request.messages[-1].content, "ticket")
        prompt = " ".join(message.content for message in request.messages)
        right = unit(prompt, mood) < 0.5
        return f"[[team]]\n{team_of(ticket) if right else TEAMS[0]}"

    return lp.ScriptedLM(reply)


def compiled_in(
    folder: Path,
    mood: str,
    tolerance: float = 0.05,
    progress: Callable[[Any], None] = id,
    repeats: int = 1,
) -> Compiled:
    optimizer = LabeledFewShot(k=2, tolerance=tolerance)
    with lp.using(lm=answering(mood)):
        return optimizer.compile(
            one_module(),
            tickets(60),
            metric=right_team,
            accept="best",
            run_dir=folder,
            progress=progress,
            repeats=repeats,
        )


def test_more_runs_of_the_same_examples_are_another_look(tmp_path: Path) -> None:
    # Else whoever adds runs until a claim succeeds would not be counted.
    for number, (folder, repeats) in enumerate([("a", 1), ("b", 2), ("c", 3)], start=1):
        found = compiled_in(tmp_path / folder, "calm", repeats=repeats)
        assert found.certificate.attempt == number
    assert compiled_in(tmp_path / "d", "calm", repeats=2).certificate.attempt == 2


def test_repeating_an_attempt_until_it_succeeds_is_counted(tmp_path: Path) -> None:
    first = compiled_in(tmp_path / "first", "calm")
    assert first.certificate.attempt == 1
    # The same answers in another folder, and the same folder again, prove nothing new.
    for folder, tolerance in (("again", 0.05), ("other", 0.1), ("first", 0.05)):
        assert compiled_in(tmp_path / folder, "calm", tolerance).certificate.attempt == 1
    for number, mood in enumerate(["lucky", "wild"], start=2):
        more = compiled_in(tmp_path / mood, mood)
        assert more.candidate.digest == first.candidate.digest
        assert more.certificate.attempt == number
        (said,) = [n.text for n in more.report.notes if "other results" in n.text]
        assert said == "the same candidate had other results on this holdout before"
        assert f"attempt {number} on this holdout" in " ".join(n.text for n in more.report.notes)
    (record,) = list_compiles(first.program)
    assert len(record["attempt"]["results"].split()) == 18
    assert "ticket" not in (tmp_path / FILE).read_text()


def test_what_a_later_attempt_needs_is_said_before_anything_is_paid(tmp_path: Path) -> None:
    compiled_in(tmp_path / "first", "calm")
    events: list[Any] = []
    compiled_in(tmp_path / "second", "wild", progress=events.append)
    texts = [event.text for event in events if isinstance(event, Message)]
    said = texts.index("attempt 2 on this holdout: a claim now needs p <= 0.0033")
    place = [isinstance(event, Message) and event.text == texts[said] for event in events]
    spent = [isinstance(event, SpendUpdated) for event in events]
    assert place.index(True) < spent.index(True)
