"""What every optimizer promises, whatever it does inside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import models_in, read_artifact
from langprog.errors import FrozenError, InputError, MetricError
from langprog.evaluation import salted_digest
from langprog.lm import Request
from optimizers import (
    Event,
    Finished,
    Message,
    Optimizer,
    SpendUpdated,
    StageStarted,
    Tried,
    event_to_json,
)
from optimizers.journal import FILE
from tests.optimizers.members import MEMBERS, OF_MODELS, OF_TEXTS, fitting
from tests.optimizers.simulated import (
    all_right,
    always,
    answers,
    one_module,
    right_team,
    tickets,
    two_modules,
)

ROWS = 45

every_member = pytest.mark.parametrize("member", MEMBERS)
# Where the model is made hopeless, those that may take another one are not.
every_prompt_member = pytest.mark.parametrize(
    "member", [name for name in MEMBERS if name not in OF_MODELS | OF_TEXTS]
)


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on(self, event: Event, /) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


def compiled(optimizer: Optimizer, **options):
    """Compile the two-module program on the simulated model."""
    model = options.pop("model", None) or lp.ScriptedLM(answers())
    options.setdefault("metric", all_right)
    program = options.pop("program", None) or fitting(optimizer, two_modules())
    with lp.using(lm=model):
        return optimizer.compile(program, options.pop("trainset", tickets(ROWS)), **options)


def outcome(result) -> str:
    return json.dumps(
        [result.candidate.to_json(), result.report.evidence.to_json()], sort_keys=True
    )


@dataclass(frozen=True)
class Run:
    """A compile that several tests look at: with a journal, and everything recorded."""

    member: str
    program: lp.Module
    values: dict[str, Any]  # the program's parameters before
    progress: Recorder
    run_dir: Path
    result: Any


Recorded = Callable[[str], Run]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    @cache
    def run(member: str) -> Run:
        program = fitting(MEMBERS[member](), two_modules())
        values = {key: each.value for key, each in program.parameters().items()}
        # In a folder of its own: the attempts on a holdout are counted beside it.
        progress, run_dir = Recorder(), tmp_path_factory.mktemp(member) / "run"
        result = compiled(
            MEMBERS[member](), program=program, progress=progress, run_dir=run_dir, seed=7
        )
        return Run(member, program, values, progress, run_dir, result)

    return run


OfFew = Callable[[str], tuple[Any, list[int]]]


@pytest.fixture(scope="module")
def of_12() -> OfFew:
    """Return a function that compiles on too few examples.

    It gives how many requests there had been by each warning, too.
    """

    @cache
    def run(member: str) -> tuple[Any, list[int]]:
        model = lp.ScriptedLM(answers())
        asked: list[int] = []

        class Watch(Recorder):
            def on(self, event: Event, /) -> None:
                if isinstance(event, Message) and "could be luck" in event.text:
                    asked.append(len(model.requests))

        result = compiled(MEMBERS[member](), model=model, trainset=tickets(12), progress=Watch())
        return result, asked

    return run


OfMany = Callable[[str], tuple[str, Any]]


@pytest.fixture(scope="module")
def of_240(tmp_path_factory: pytest.TempPathFactory) -> OfMany:
    """Return a function that compiles a saved program on enough examples for a certificate."""

    @cache
    def run(member: str) -> tuple[str, Any]:
        program = fitting(MEMBERS[member](), two_modules())
        path = tmp_path_factory.mktemp("saved") / "before.json"
        digest = lp.save(program, path)
        models = {str(model): model for _, model in models_in(program)}
        loaded = lp.load(path, models=models, allow_modules=["tests.optimizers.members"])
        return digest, compiled(MEMBERS[member](), program=loaded, trainset=tickets(240))

    return run


@every_member
def test_same_seed_same_result_at_any_width(member: str, recorded: Recorded) -> None:
    one = outcome(recorded(member).result)
    assert one == outcome(compiled(MEMBERS[member](concurrency=1), seed=7))


@every_member
def test_another_seed_another_result(member: str, of_12: OfFew) -> None:
    other = compiled(MEMBERS[member](), trainset=tickets(12), seed=8)
    assert outcome(other) != outcome(of_12(member)[0])


@every_member
def test_the_input_program_is_left_as_it_is(member: str, recorded: Recorded) -> None:
    run = recorded(member)
    assert {key: each.value for key, each in run.program.parameters().items()} == run.values
    assert not run.program.frozen and run.result.program.frozen
    with pytest.raises(FrozenError):
        run.result.program.extra = 1


@every_member
def test_a_gain_is_found_and_certified(member: str, of_240: OfMany) -> None:
    _, result = of_240(member)
    certificate = result.certificate
    assert certificate.difference > 0 and certificate.low > 0 and certificate.p_value <= 0.04
    if MEMBERS[member]().objective == "cost":
        # Not worse is shown; cheaper cannot be, where no model has a price.
        assert certificate.claims[0].holds and "neither has a price" in certificate.reason
    else:
        assert (certificate.verdict, certificate.finding) == ("certified", "better")
    assert certificate.n == 72
    assert certificate.wins + certificate.losses + certificate.ties == certificate.n


@every_member
def test_the_artifact_has_the_scores_of_every_row_and_what_it_was_compiled_from(
    member: str, of_240: OfMany, tmp_path: Path
) -> None:
    digest, result = of_240(member)
    result.save(tmp_path / "after.json")
    after = read_artifact(tmp_path / "after.json")
    (parent,) = after.data.lineage
    name = type(MEMBERS[member]()).__name__
    assert (parent.digest, parent.how, parent.optimizer) == (digest, "compiled", name)
    assert after.evidence is not None
    rows, certificate = after.evidence["rows"], result.certificate
    assert len(rows) == certificate.n and len({row[0] for row in rows}) == len(rows)
    (record,) = after.data.compiles
    known = {salted_digest(record.salt, example.digest) for example in tickets(240)}
    assert {row[0] for row in rows} <= known
    sizes = [size for size, _ in result.report.evidence.data.values()]
    used = [len(part.split()) for part in (record.train, record.validation)]
    assert (record.parent, record.optimizer, used) == (digest, name, sizes[:2])
    wins = sum(high > low for _, low, high in rows)
    assert (wins, sum(high < low for _, low, high in rows)) == (
        certificate.wins,
        certificate.losses,
    )


@every_prompt_member
def test_without_a_gain_the_original_comes_back_frozen(member: str) -> None:
    result = compiled(
        MEMBERS[member](),
        model=lp.ScriptedLM(always(0.6)),
        program=one_module(),
        metric=right_team,
        trainset=tickets(60),
    )
    assert result.certificate.verdict == "original"
    assert result.program.frozen
    shipped = result.program.predictors()["predict"]
    assert shipped.signature == one_module().signature and shipped.demos == ()


@every_prompt_member
def test_accept_best_ships_the_candidate_marked(member: str) -> None:
    result = compiled(
        MEMBERS[member](),
        model=lp.ScriptedLM(always(0.6)),
        program=one_module(),
        metric=right_team,
        trainset=tickets(60),
        accept="best",
    )
    if result.certificate.finding == "worse":
        assert result.certificate.verdict == "original"
    elif result.candidate.parameters:
        assert result.certificate.verdict == "uncertified"
        wanted = result.candidate.apply(one_module()).predictors()["predict"]
        shipped = result.program.predictors()["predict"]
        assert (shipped.demos, shipped.signature) == (wanted.demos, wanted.signature)


@every_member
def test_the_budget_is_kept_and_ends_the_same_way_at_any_width(member: str) -> None:
    model, calls = lp.ScriptedLM(answers()), 300
    result = compiled(MEMBERS[member](), model=model, budget=lp.Budget(calls=calls))
    narrow = compiled(MEMBERS[member](concurrency=1), budget=lp.Budget(calls=calls))
    assert outcome(narrow) == outcome(result)
    assert len(model.requests) <= result.report.paid.calls <= calls
    if member not in OF_MODELS:  # whose requests go to two models
        assert result.report.paid.calls == len(model.requests)
    assert result.certificate.n >= 5


@every_member
def test_a_budget_too_small_for_one_candidate_is_refused_or_enough(member: str) -> None:
    model = lp.ScriptedLM(answers())
    optimizer = MEMBERS[member]()
    with lp.using(lm=model):
        found = optimizer.estimate(
            fitting(optimizer, two_modules()),
            tickets(ROWS),
            metric=all_right,
            budget=lp.Budget(calls=80),
        )
    model = lp.ScriptedLM(answers())
    if found.refusal is None:
        result = compiled(optimizer, model=model, budget=lp.Budget(calls=80))
        assert len(model.requests) <= 80 and result.certificate.n >= 5
        return
    with pytest.raises(InputError, match="buys no candidate"):
        compiled(optimizer, model=model, budget=lp.Budget(calls=80))
    assert not model.requests


@every_member
def test_the_forecast_holds_what_the_compile_takes(member: str, of_240: OfMany) -> None:
    model = lp.ScriptedLM(answers())
    optimizer = MEMBERS[member]()
    with lp.using(lm=model):
        program = fitting(optimizer, two_modules())
        found = optimizer.estimate(program, tickets(240), metric=all_right)
    assert found.probe is not None and found.probe.requested.calls <= 48
    _, result = of_240(member)
    taken = result.report.requested.calls
    assert found.calls.low / 1.5 <= taken <= found.calls.high * 1.5
    # A search that finds the top score early ends before its edits are done.
    assert found.calls.middle / 1.6 <= taken <= found.calls.middle * 1.6
    low, high = result.report.estimate["calls"]
    assert low / 1.5 <= taken <= high * 1.5


@every_member
def test_too_little_data_is_said_before_anything_is_spent(member: str, of_12: OfFew) -> None:
    result, asked = of_12(member)
    assert asked == [0]
    assert result.certificate.verdict == "original"
    assert any("luck" in note.text for note in result.report.notes)


@every_member
def test_progress_is_reported(member: str, recorded: Recorded) -> None:
    progress = recorded(member).progress
    stages = [event.stage for event in progress.of(StageStarted)]
    assert stages[0] == "prepare" and stages[-1] == "certify"
    assert len(progress.of(Finished)) == 1 and isinstance(progress.events[-1], Finished)
    spent = [event.paid.calls for event in progress.of(SpendUpdated)]
    assert spent and spent == sorted(spent)
    if member in ("random_search", "mipro"):
        means = [event.score.mean for event in progress.of(Tried) if event.best]
        assert means == sorted(means)
    assert all(json.dumps(event_to_json(event)) for event in progress.events)


@every_member
def test_a_journal_is_written_and_a_second_run_pays_nothing_and_saves_the_same(
    member: str, recorded: Recorded, tmp_path: Path
) -> None:
    run = recorded(member)
    first = run.result
    records = [json.loads(line) for line in (run.run_dir / FILE).read_text().splitlines()]
    assert records[0]["kind"] == "header"
    assert sum(record["kind"] == "call" for record in records) == first.report.paid.calls
    model = lp.ScriptedLM(answers())
    again = compiled(MEMBERS[member](), model=model, run_dir=run.run_dir, seed=7)
    assert len(model.requests) == 0
    assert outcome(again) == outcome(first)
    assert again.report.sessions == 2 and again.report.diverged_at is None
    first.save(tmp_path / "one.json")
    again.save(tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@every_member
def test_a_run_dir_of_another_compile_is_refused(member: str, recorded: Recorded) -> None:
    run_dir = recorded(member).run_dir
    with pytest.raises(InputError, match="seed"):
        compiled(MEMBERS[member](), run_dir=run_dir, seed=1)
    with pytest.raises(InputError, match="trainset"):
        compiled(MEMBERS[member](), run_dir=run_dir, seed=7, trainset=tickets(30))


@every_member
def test_the_search_never_looks_at_the_holdout(member: str) -> None:
    secret = tickets(30, start=1000)
    hidden = {example.ticket for example in secret}
    stage = ["start"]
    looks: Counter[str] = Counter()

    class Watch(Recorder):
        def on(self, event: Event, /) -> None:
            if isinstance(event, StageStarted):
                stage[0] = event.stage

    answer = answers()

    def watched(request: Request) -> str:
        if any(text in message.content for message in request.messages for text in hidden):
            looks[f"model, {stage[0]}"] += 1
        return answer(request)

    def metric(example: lp.Example, prediction: lp.Prediction) -> float:
        if example.ticket in hidden:
            looks[f"metric, {stage[0]}"] += 1
        return all_right(example, prediction)

    compiled(
        MEMBERS[member](),
        model=lp.ScriptedLM(watched),
        metric=metric,
        trainset=tickets(30),
        holdout=secret,
        progress=Watch(),
    )
    assert set(looks) == {"model, certify", "metric, certify"}
    assert looks["metric, certify"] == 2 * len(secret)


@every_member
def test_bad_input_is_refused_before_anything_is_asked(member: str) -> None:
    model = lp.ScriptedLM(answers())
    optimizer = MEMBERS[member]()
    with pytest.raises(InputError, match=r"trainset\[1\] has no field 'ticket'"):
        compiled(optimizer, model=model, trainset=[*tickets(1), lp.Example(team="billing")])
    with pytest.raises(MetricError):
        compiled(optimizer, model=model, metric=lambda only: 1.0)
    with pytest.raises(InputError, match="accept"):
        compiled(optimizer, model=model, accept="anything")
    with pytest.raises(InputError, match="too few"):
        compiled(optimizer, model=model, trainset=tickets(2))
    assert len(model.requests) == 0
