"""What does not pay for itself is put back after a search; a report says what each is worth."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.lm import Completion, Cost, Priced, Request, Usage
from optimizers import MIPRO, BootstrapFewShot, Chain, Compiled, KNNDemos, LabeledFewShot
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.budget.plan import plan_budget
from optimizers.evaluation.candidate import Candidate
from optimizers.identity import OPERATIONAL
from optimizers.pruning.member import PrunedOptimizer
from optimizers.run import Run
from tests.optimizers.simulated import (
    TEAMS,
    Triage,
    always,
    one_module,
    right_team,
    team_of,
    tickets,
    unit,
)
from tests.optimizers.simulated import (
    field as field_of,
)

NEW = "Name the team by what it is about."
DEMOS = tuple(lp.Example(ticket=each.ticket, team=each.team) for each in tickets(8, 5000))


@pytest.fixture(autouse=True)
def much_to_spend(monkeypatch: pytest.MonkeyPatch) -> None:
    """A search that is told what to find takes few calls, of which pruning gets a share."""
    monkeypatch.setattr("optimizers.budget.plan.MOST_PRUNING", 8.0)


@dataclass(frozen=True, kw_only=True)
class Shipping(PrunedOptimizer):
    """Find what it is told to find, on the first ``rows`` of validation; try ``also``."""

    values: Mapping[str, Any] = field(default_factory=dict, metadata={OPERATIONAL: True})
    also: Mapping[str, Any] = field(default_factory=dict, metadata={OPERATIONAL: True})
    rows: int = 1000
    weighed: bool = False

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        return ()

    async def search(self, run: Run) -> Candidate:
        run.weighed = self.weighed  # else the objective may choose another candidate
        run.scorer.narrow(self.rows)
        candidate = run.make_candidate(self.values, "what was found")
        await run.score_fully([run.start, candidate])
        if self.also:
            await run.score_fully([run.make_candidate(self.also, "also tried")])
        return candidate


def model(skill: Callable[[str, int], float]) -> lp.ScriptedLM:
    """Return a model that is right as often as its instruction and number of examples say."""

    def reply(request: Request) -> str:
        ticket = field_of(request.messages[-1].text, "ticket")
        shown = sum(message.role == "assistant" for message in request.messages)
        team = team_of(ticket)
        right = unit(ticket) < skill(request.messages[0].text, shown)
        return f"[[team]]\n{team if right else TEAMS[(TEAMS.index(team) + 1) % 3]}"

    return lp.ScriptedLM(reply)


def ship(
    lm: lp.LanguageModel,
    values: Mapping[str, Any],
    *,
    budget: lp.Budget | None = None,
    **knobs: Any,
) -> Compiled:
    optimizer = Shipping(values=values, **knobs)
    with lp.using(lm=lm):
        return optimizer.compile(
            one_module(),
            tickets(20),
            valset=tickets(100, 1000),
            holdout=tickets(60, 2000),
            metric=right_team,
            accept="best",
            budget=budget,
        )


BOTH = {"predict.instruction": NEW, "predict.demos": DEMOS}


def outcome(compiled: Compiled) -> tuple[set[str], int]:
    parameters = compiled.candidate.parameters
    return set(parameters), len(parameters.get("predict.demos", ()))


def test_what_pays_stays_and_what_rides_along_goes() -> None:
    by_demos = ship(model(lambda system, shown: 0.9 if shown else 0.4), BOTH)
    assert outcome(by_demos)[0] == {"predict.demos"}
    by_words = ship(model(lambda system, shown: 0.9 if NEW in system else 0.4), BOTH)
    assert outcome(by_words) == ({"predict.instruction"}, 0)
    both = ship(model(lambda system, shown: 0.3 + 0.3 * (NEW in system) + 0.3 * (shown > 0)), BOTH)
    assert outcome(both)[0] == set(BOTH)
    for compiled in (by_demos, by_words, both):
        assert compiled.certificate.verdict == "certified"


def test_where_nothing_pays_the_input_program_is_left() -> None:
    compiled = ship(model(lambda system, shown: 0.6), BOTH)
    assert outcome(compiled) == (set(), 0)
    assert compiled.program.predictors()["predict"].signature == one_module().signature


def test_demonstrations_go_by_halves_where_that_can_be_told() -> None:
    assert outcome(ship(model(lambda system, shown: 0.9 if shown >= 4 else 0.2), BOTH))[1] == 4
    # Each adds so little that chance would decide: all stay.
    gradual = ship(model(lambda system, shown: 0.5 + 0.02 * shown), BOTH)
    assert outcome(gradual)[1] == 8


def test_the_report_says_what_each_part_is_worth(tmp_path: Path) -> None:
    compiled = ship(model(lambda system, shown: 0.9 if shown else 0.4), BOTH)
    first, second, *_ = compiled.report.shares
    assert (first["part"], first["kept"]) == ("the instruction of predict", False)
    assert first["low"] <= first["mean"] == 0.0 <= first["high"] and first["n"] == 100
    assert (second["part"], second["kept"]) == ("demonstrations 1 to 8 of predict", True)
    assert 0 < second["low"] < second["mean"] < second["high"]
    (note,) = [each.text for each in compiled.report.notes if "taken out" in each.text]
    assert "the instruction of predict" in note
    compiled.report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert "What each change is worth" in page and "demonstrations 1 to 8 of predict" in page
    assert "the instruction of predict: +0.000" in repr(compiled.report)


def test_rows_that_the_search_did_not_choose_by_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("optimizers.budget.plan.MOST_PRUNING", 5.5)
    lm = model(lambda system, shown: 0.9 if shown else 0.4)
    compiled = ship(lm, BOTH, rows=20)
    # The search took 40 calls, so that there are 220 for three programs: 73 rows.
    asked = [field_of(request.messages[-1].text, "ticket") for request in lm.requests]
    used, tested = set(asked[:40]), set(asked[40 : 40 + 2 * 73])
    assert len(used) == 20 and len(tested) == 73 and not used & tested
    assert compiled.report.shares[0]["n"] == 73


def test_it_can_be_turned_off_and_some_ship_what_they_were_asked_for() -> None:
    useless = model(lambda system, shown: 0.6)
    kept = ship(useless, BOTH, prune=False)
    assert outcome(kept)[0] == set(BOTH) and not kept.report.shares
    assert MIPRO().prunes() and KNNDemos().prunes() and not KNNDemos(k=[4]).prunes()
    assert not LabeledFewShot().prunes() and not BootstrapFewShot().prunes()
    assert Chain(LabeledFewShot(), MIPRO()).prunes()
    assert not Chain(MIPRO(), LabeledFewShot()).prunes()


def test_a_setting_is_not_put_back_where_a_query_gets_dearer() -> None:
    """The structure without reasoning is as good and shorter: it pays through the price."""

    def reply(request: Request) -> Completion:
        reasons = "[[reasoning]]" in request.messages[0].text
        before = "[[reasoning]]\nIts words say so.\n" if reasons else ""
        text = before + always(1.0)(request)
        return Completion((text,), "scripted/lm", Usage(40, 4 + 60 * reasons))

    optimizer = Shipping(values={"predict.structure": ("team",)})
    with lp.using(lm=Priced(lp.ScriptedLM(reply), lp.Price(input=1.0, output=4.0))):
        compiled = optimizer.compile(
            lp.ChainOfThought(Triage), tickets(150), metric=right_team, accept="best"
        )
    assert set(compiled.candidate.parameters) == {"predict.structure"}


@pytest.mark.parametrize(("seconds", "kept"), [(0.5, {"predict.structure"}), (0.05, set())])
def test_for_latency_a_setting_is_put_back_unless_a_query_gets_slower(
    seconds: float, kept: set[str]
) -> None:
    """Without reasoning a program is as good, at the same price."""

    def reply(request: Request) -> Completion:
        reasons = "[[reasoning]]" in request.messages[0].text
        text = ("[[reasoning]]\nIts words say so.\n" if reasons else "") + always(1.0)(request)
        latency = seconds if reasons else 0.1
        return Completion((text,), "scripted/lm", Usage(40, 4), latency=latency)

    optimizer = Shipping(values={"predict.structure": ("team",)}, weighed=True)
    with lp.using(lm=lp.ScriptedLM(reply)):
        compiled = replace(optimizer, objective="latency").compile(
            lp.ChainOfThought(Triage), tickets(150), metric=right_team, accept="best"
        )
    assert set(compiled.candidate.parameters) == kept
    assert [share["kept"] for share in compiled.report.shares] == [bool(kept)]


def test_demonstrations_of_the_input_program_are_no_part_of_it() -> None:
    own = DEMOS[:2]
    optimizer = Shipping(values={"predict.demos": DEMOS})
    with lp.using(lm=model(lambda system, shown: 0.6)):
        compiled = optimizer.compile(
            lp.Predict(Triage, demos=own), tickets(150), metric=right_team, accept="best"
        )
    assert not compiled.candidate.parameters
    assert compiled.program.predictors()["predict"].demos == own


def test_it_gets_what_the_search_leaves() -> None:
    tokens = plan_budget(lp.Budget(tokens=100_000), holdout=100, predictors=1)
    assert tokens.limit_pruning(Cost(100.0, 60_000.0)).tokens == 25_000
    assert tokens.limit_pruning(Cost(100.0, 60_000.0)).calls == 800


def test_scores_that_the_search_has_paid_for_need_no_calls() -> None:
    lm = model(lambda system, shown: 0.9 if shown else 0.4)
    # The search takes all that the certificate leaves of the budget: 300 of 432 calls.
    compiled = ship(lm, BOTH, budget=lp.Budget(calls=432), also={"predict.demos": DEMOS})
    assert outcome(compiled)[0] == {"predict.demos"}
    shares = [(share["part"], share["kept"], share["n"]) for share in compiled.report.shares]
    assert shares == [
        ("the instruction of predict", False, 100),
        ("demonstrations 1 to 8 of predict", True, 100),
    ]
    assert lm.calls <= 300 + 2 * 60


def test_without_calls_or_scores_all_stays() -> None:
    lm = model(lambda system, shown: 0.6)
    compiled = ship(lm, BOTH, budget=lp.Budget(calls=340))
    assert outcome(compiled)[0] == set(BOTH) and not compiled.report.shares


@pytest.mark.parametrize("calls", [330, 420, 700])
def test_the_cap_holds_and_the_certificate_keeps_its_calls(calls: int) -> None:
    lm = model(lambda system, shown: 0.9 if shown else 0.4)
    compiled = ship(lm, BOTH, budget=lp.Budget(calls=calls))
    assert lm.calls == compiled.report.paid.calls <= calls
    assert compiled.certificate.n >= min(60, int(0.35 * calls / 2.2))
