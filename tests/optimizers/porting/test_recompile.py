"""An artifact compiled again: from where it is, past caches, on rows that prove something."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import read_artifact
from langprog.errors import ConnectError, InputError
from langprog.lm import Cached, MemoryCache, Request
from optimizers import BootstrapFewShot, LabeledFewShot, recompile
from optimizers.split import Inputs
from tests.optimizers.simulated import Triage, answers, right_team, tickets

QUIET: Any = lambda event: None  # noqa: E731 - a view that shows nothing


class Endpoint:
    """A model behind a cache; ``calls`` counts what reaches it."""

    def __init__(self) -> None:
        self.calls, self.reply = 0, answers()
        inner = lp.ScriptedLM(self._answer, name="house/m")
        self.model = Cached(inner, MemoryCache())

    def _answer(self, request: Request) -> str:
        self.calls += 1
        return self.reply(request)


class Desk(lp.Module):
    def __init__(self) -> None:
        self.triage = lp.Predict(Triage, model="house/m")

    def forward(self, ticket: str) -> Any:
        return self.triage(ticket=ticket)


@dataclass(frozen=True)
class Made:
    folder: Path
    endpoint: Endpoint

    @property
    def path(self) -> Path:
        return self.folder / "a.json"

    def load(self, path: Path | None = None) -> lp.Module:
        models: Any = {"house/m": self.endpoint.model}
        return lp.load(path or self.path, [Desk, Triage], models=models)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, endpoint = tmp_path_factory.mktemp("first"), Endpoint()
    with lp.using(models=[endpoint.model]):
        compiled = LabeledFewShot().compile(
            Desk(),
            tickets(90),
            metric=right_team,
            run_dir=folder / "runs" / "first",
            progress=QUIET,
            accept="best",
        )
    compiled.save(folder / "a.json")
    return folder


@pytest.fixture
def made(first: Path, tmp_path: Path) -> Made:
    shutil.copytree(first, tmp_path, dirs_exist_ok=True)
    return Made(tmp_path, Endpoint())


def again(made: Made, rows: list[lp.Example], **more: Any) -> Any:
    more = {"optimizer": LabeledFewShot(), "accept": "best", "program": made.load(), **more}
    return recompile(made.path, rows, metric=right_team, progress=QUIET, **more)


def test_new_rows_make_the_holdout_and_the_lineage_names_the_artifact(made: Made) -> None:
    program = made.load()
    rows = tickets(180)
    compiled = again(made, rows, run_dir=made.folder / "runs" / "second")
    inputs = Inputs(program)
    used = {row.ticket for row in rows if inputs.use_of(row) == "choosing"}
    assert used and any("kept out of the holdout" in str(each) for each in compiled.report.notes)
    after = Inputs(compiled.program)
    held = {row.ticket for row in rows if after.use_of(row) == "holdout"}
    assert held and not held & used
    compiled.save(made.folder / "b.json")
    first, second = read_artifact(made.path), read_artifact(made.folder / "b.json")
    assert second.data.lineage[0].digest == first.digest
    assert second.data.lineage[0].how == "compiled"
    assert len(second.data.compiles) == 2 and second.data.compiles[0].parent == first.digest
    # The program in the certificate's "before" is the artifact's, demonstrations and all.
    assert "before" in compiled.certificate.to_json()
    assert made.load(made.folder / "b.json")(ticket="my router").team


def test_the_same_rows_count_as_a_further_attempt_on_their_holdout(made: Made) -> None:
    compiled = again(made, tickets(90), seed=1, run_dir=made.folder / "runs" / "second")
    assert compiled.certificate.attempt == 2
    held = compiled.report.evidence.data["holdout"][0]
    old = read_artifact(made.path).data.compiles[0]
    assert 0 < held <= len(old.holdout.split())


def test_it_begins_with_the_demonstrations_of_the_artifact(made: Made) -> None:
    shown = made.load().predictors()["triage"].demos
    assert shown
    compiled = again(made, tickets(60, 300), optimizer=BootstrapFewShot(bootstrapped=1))
    before = compiled.report.prompts[0]["triage"]
    assert all(demo.ticket in str(before) for demo in shown)


def test_caches_are_passed_but_a_journal_answers(made: Made) -> None:
    endpoint = made.endpoint
    with lp.using(models=[endpoint.model]):
        first = LabeledFewShot().compile(
            made.load(), tickets(90), metric=right_team, seed=1, progress=QUIET,
            run_dir=made.folder / "runs" / "cached",
        )  # fmt: skip
    paid = endpoint.calls
    anew = again(made, tickets(90), seed=1)
    assert endpoint.calls == 2 * paid and anew.report.paid.calls == paid
    paid = endpoint.calls
    journal = made.folder / "runs" / "cached"
    replayed = again(made, tickets(90), seed=1, journal=journal, accept="certified")
    assert endpoint.calls == paid and replayed.report.paid.calls == 0
    assert replayed.certificate.to_json()["difference"] == first.certificate.difference


def test_an_edited_artifact_is_compiled_from_what_was_edited(made: Made) -> None:
    instruction = "Say which team owns the ticket."
    program = made.load()
    edited = program.with_parameters({"triage.instruction": instruction})
    lp.save(edited, made.path)
    assert read_artifact(made.path).data.lineage[0].how == "edited"
    compiled = again(made, tickets(120, 90))
    compiled.save(made.folder / "b.json")
    saved = read_artifact(made.folder / "b.json")
    assert [each.how for each in saved.data.lineage] == ["compiled", "edited"]
    assert compiled.program.predictors()["triage"].signature.instruction == instruction
    # What its first compile chose by still proves nothing.
    with pytest.raises(InputError, match="leave 0 with distinct inputs for holdout"):
        again(made, [row for row in tickets(90) if Inputs(program).use_of(row) == "choosing"])


@pytest.mark.parametrize("wrong", [lp.Predict(Triage), 3])
def test_another_program_is_refused(made: Made, wrong: Any) -> None:
    with pytest.raises(InputError, match="not the program of .*a.json"):
        again(made, tickets(60), program=wrong)


def test_a_program_in_place_of_a_path_is_refused(made: Made) -> None:
    with pytest.raises(InputError, match="recompile takes the artifact's path"):
        recompile(made.load(), tickets(60), metric=right_team)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="journal .* cannot be read"):
        again(made, tickets(60), journal=made.folder / "none")


def test_canaries_are_recorded_in_a_compile_and_resumed_for_nothing(made: Made) -> None:
    run_dir = made.folder / "runs" / "second"
    before = made.endpoint.calls
    compiled = again(made, tickets(90, 90), canaries=5, run_dir=run_dir)
    calls = made.endpoint.calls - before
    assert len(compiled.canaries) == 5
    assert all(len(canary["runs"]) == 4 for canary in compiled.canaries)
    # Each reply was asked for, although the requests are the same.
    assert calls == compiled.report.requested.calls
    digest = compiled.save(made.folder / "b.json")
    resumed = again(made, tickets(90, 90), canaries=5, run_dir=run_dir)
    assert made.endpoint.calls - before == calls and resumed.save(made.path) == digest
    program = made.load()
    rows = read_artifact(made.path).data.canary
    assert not lp.verify(program, canaries=rows).drifted
    made.endpoint.reply = lambda request: "[[team]]\nnobody"
    assert lp.verify(program, canaries=rows, alpha=0.5).drifted


def test_a_budget_reserves_for_canaries_and_a_lack_is_noted(made: Made) -> None:
    rows = tickets(90, 90)
    compiled = again(made, rows, canaries=5, budget=lp.Budget(calls=90))
    paid = made.endpoint.calls
    assert len(compiled.canaries) == 5 and compiled.report.paid.calls == paid <= 90
    reply, made.endpoint.calls = made.endpoint.reply, 0

    def go_away(request: Request) -> str:
        if made.endpoint.calls > paid - 20:
            raise ConnectError("the endpoint is away")
        return reply(request)

    made.endpoint.reply = go_away
    lacking = again(made, rows, canaries=5, budget=lp.Budget(calls=90))
    assert lacking.canaries == () and lacking.certificate == compiled.certificate
    assert "no canaries were recorded: 5 of 5" in str(lacking.report.notes)
    with pytest.raises(InputError, match="canaries"):
        again(made, rows, canaries=-1)
