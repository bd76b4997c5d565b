"""Canaries in Python: recorded, asked again, past caches, from one look to the next."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact, save_program
from langprog.errors import ConnectError, InputError, LangprogError, LangprogWarning
from langprog.lm import Cached, MemoryCache, Request
from langprog.locking import lock_file


class Model:
    """Answers by what it was asked; changes its mind on demand, or goes away."""

    def __init__(self) -> None:
        self.teams, self.moods, self.calls, self.away = "billing", "calm", 0, False

    def reply(self, request: Request) -> str:
        self.calls += 1
        if self.away:
            raise ConnectError("the endpoint is away")
        prompt = str(request.messages)
        return (
            f"[[mood]]\n{self.moods}"
            if "`mood`" in prompt or "mood" in prompt
            else (f"[[team]]\n{self.teams}")
        )


ROWS = [{"ticket": f"ticket {number}"} for number in range(12)]


@pytest.fixture
def model() -> Model:
    return Model()


def program_of(model: Model, *, cached: bool = False) -> lp.Module:
    lm: Any = lp.ScriptedLM(model.reply, name="house/m")
    lm = Cached(lm, MemoryCache()) if cached else lm
    team = lp.Predict("ticket -> team", model=lm, adapter="chat")
    mood = lp.Predict("ticket -> mood", model=lm, adapter="chat")
    return lp.Pipeline(team=team, mood=mood)


def test_a_model_that_answers_as_before_is_no_drift(model: Model, tmp_path: Path) -> None:
    program = program_of(model)
    canaries = lp.record_canaries(program, ROWS, n=10, replies=3)
    assert len(canaries) == 10 and all(len(row["runs"]) == 3 for row in canaries)
    assert model.calls == 60
    result = lp.verify(program, canaries=canaries)
    assert not result.drifted and result.runs == 10 and result.calls == 20
    assert [each.name for each in result.results] == ["end to end", "team", "mood"]
    assert "no drift found" in str(result) and "replies if 100% of them change" in str(result)


def test_drift_names_the_module_and_shows_before_and_after(model: Model) -> None:
    program = program_of(model)
    canaries = lp.record_canaries(program, ROWS)
    model.moods = "angry"
    result = lp.verify(program, canaries=canaries)
    drifted = {each.name for each in result.results if each.drifted}
    assert result.drifted and drifted <= {"end to end", "mood"} and drifted
    change = result.changes[0]
    assert "calm" in change.before[0][0] and change.before[0][1] == 4 and "angry" in change.after
    assert "angry" in str(result) and "before" in str(result)
    json.dumps(result.to_json())


def test_caches_are_passed(model: Model) -> None:
    program = program_of(model, cached=True)
    canaries = lp.record_canaries(program, ROWS[:2], replies=2)
    assert model.calls == 8
    lp.verify(program, canaries=canaries)
    assert model.calls == 12


def test_an_outage_is_missing_data(model: Model, tmp_path: Path) -> None:
    program = program_of(model)
    canaries = lp.record_canaries(program, ROWS)
    model.away = True
    with pytest.raises(LangprogError, match="nothing was tested: .*away"):
        lp.verify(program, canaries=canaries)
    result = lp.verify(program, canaries=canaries, state=tmp_path / "s")
    assert not result.drifted and result.missing == 12 and result.runs == 0
    assert "12 runs are missing, and not counted" in str(result)
    with pytest.raises(LangprogError, match="nothing was recorded"):
        lp.record_canaries(program, ROWS)


def test_a_budget_ends_a_look(model: Model) -> None:
    program = program_of(model)
    canaries = lp.record_canaries(program, ROWS)
    before = model.calls
    result = lp.verify(program, canaries=canaries, budget=lp.Budget(calls=6), concurrency=1)
    assert model.calls - before == 6 and result.runs == 3 and not result.drifted and result.spent


def test_the_test_goes_on_from_one_look_to_the_next(model: Model, tmp_path: Path) -> None:
    program, state = program_of(model), tmp_path / "state"
    canaries = lp.record_canaries(program, ROWS)
    first = lp.verify(program, canaries=canaries, state=state)
    second = lp.verify(program, canaries=canaries, state=state)
    assert (first.runs, second.runs) == (12, 24) and not second.drifted
    model.teams = "sales"
    for _ in range(4):
        result = lp.verify(program, canaries=canaries, state=state)
    assert result.drifted
    calls = model.calls
    again = lp.verify(program, canaries=canaries, state=state)
    assert again.drifted and again.calls == 0 and model.calls == calls
    assert again.results == result.results
    with pytest.raises(InputError, match="test of other canaries, or at another alpha"):
        lp.verify(program, canaries=canaries, state=state, alpha=0.01)
    state.write_text("{")
    with pytest.raises(InputError, match="not the state of a verification"):
        lp.verify(program, canaries=canaries, state=state)


def test_looks_at_one_file_come_one_after_another(model: Model, tmp_path: Path) -> None:
    program, state = program_of(model), tmp_path / "state"
    canaries = lp.record_canaries(program, ROWS, replies=2)
    lp.verify(program, canaries=canaries, state=state)
    # Somebody else has the file, and another look in it by the time it is free.
    copy = tmp_path / "copy"
    shutil.copy(state, copy)
    lp.verify(program, canaries=canaries, state=copy)
    lock, said = os.open(f"{state}.lock", os.O_RDWR), []
    lock_file(lock)

    def let_go(text: str) -> None:
        said.append(text)
        os.replace(copy, state)
        os.close(lock)

    with lp.using(notice=let_go):
        assert lp.verify(program, canaries=canaries, state=state).runs == 36
    assert said == [f"waiting for another verification that uses {state}"]
    # Two at once do not lose each other's replies, nor bet on any twice.
    with ThreadPoolExecutor(2) as pool, warnings.catch_warnings():
        warnings.simplefilter("ignore", LangprogWarning)
        looks = [pool.submit(lp.verify, program, canaries=canaries, state=state) for _ in "ab"]
        assert sorted(look.result().runs for look in looks) == [48, 60]
    kept = [index for index, _ in json.loads(state.read_text())["runs"]]
    assert sorted(kept) == sorted([*range(12)] * 5)


def test_used_up_canaries_say_so(model: Model, tmp_path: Path) -> None:
    program = lp.Predict("ticket -> team", adapter="chat")
    lm = lp.ScriptedLM(model.reply, name="house/m")
    canaries = lp.record_canaries(program, ROWS[:1], replies=2, lm=lm)
    for _ in range(28):
        result = lp.verify(program, canaries=canaries, lm=lm, state=tmp_path / "s")
    assert result.used_up and "record new ones" in str(result)
    assert lp.verify(program, canaries=canaries, lm=lm, state=tmp_path / "s").calls == 0


def test_canaries_are_part_of_the_artifact_and_the_program_stays(
    model: Model, tmp_path: Path
) -> None:
    program, path = lp.Predict("ticket -> team", adapter="chat"), tmp_path / "a.json"
    lm = lp.ScriptedLM(model.reply, name="house/m")
    digest = save_program(program, path, evidence={"seed": 1})
    with pytest.raises(InputError, match="has no canaries.*--record --data"):
        lp.verify(path, lm=lm)
    before = read_artifact(path)
    lp.record_canaries(path, ROWS, lm=lm)
    after = read_artifact(path)
    assert after.data.program == before.data.program and after.evidence == before.evidence
    assert after.data.lineage[0].digest == digest and len(after.data.canary) == 12
    model.teams = "sales"
    result = lp.verify(path, lm=lm)
    assert result.drifted and [each.name for each in result.results] == ["end to end"]


def test_secrets_are_not_kept(model: Model, tmp_path: Path) -> None:
    program, path = lp.Predict("ticket -> team", adapter="chat"), tmp_path / "a.json"
    model.teams = "sk-" + "proj-" + "a1B2" * 12
    lm = lp.ScriptedLM(model.reply, name="house/m")
    save_program(program, path)
    lp.record_canaries(path, ROWS, lm=lm, n=2)
    assert model.teams not in path.read_text() and "[secret]" in path.read_text()


@pytest.mark.parametrize(
    ("canaries", "said"),
    [([], "has no canaries"), ([{"inputs": {}}], "no recorded replies"), ([1], "no recorded")],
)
def test_bad_canaries_are_refused(model: Model, canaries: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        lp.verify(program_of(model), canaries=canaries)
