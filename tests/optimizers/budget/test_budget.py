"""What a budget does to a compile: it is kept, and it ends the search the same way every time."""

from __future__ import annotations

import json

import pytest

import langprog as lp
from langprog.lm import Cost, Priced, Request
from optimizers import (
    MIPRO,
    BootstrapRandomSearch,
    Chain,
    Compiler,
    Demonstrating,
    Optimizer,
    Searching,
)
from optimizers.budget.plan import plan_budget, subtract_spent
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.scorer import ScoreRequest
from optimizers.pipeline import run_search
from optimizers.run import Run
from tests.optimizers.simulated import (
    all_right,
    answers,
    one_module,
    right_team,
    tickets,
    two_modules,
)


def stuttering(request: Request) -> str:
    """Answer a prompt with demonstrations unreadably at first, so that it costs a call more."""
    plain = answers()(request)
    repairing = "could not be read" in request.messages[-1].content
    shown = sum(message.role == "assistant" for message in request.messages)
    if "[[team]]" in plain and shown and not repairing:
        return "[[nothing]]"
    if repairing:
        return answers()(Request(request.messages[:-2]))
    return plain


def run(optimizer: Optimizer, calls: int, reply=stuttering, program=one_module, metric=right_team):
    model = lp.ScriptedLM(reply)
    with lp.using(lm=model):
        result = optimizer.compile(
            program(), tickets(120), metric=metric, budget=lp.Budget(calls=calls)
        )
    outcome = [result.candidate.to_json(), result.report.evidence.to_json()]
    return json.dumps(outcome, sort_keys=True), result, model.calls


@pytest.mark.parametrize(
    ("kind", "calls"),
    [
        *(("mipro", calls) for calls in (200, 230, 260, 310)),
        ("random_search", 230),
        ("random_search", 310),
        ("sequence", 200),
        ("sequence", 260),
    ],
)
def test_a_round_that_the_cap_cuts_off_leaves_no_trace(kind: str, calls: int) -> None:
    def member(width: int) -> Optimizer:
        mipro = MIPRO(
            instructions=0, searching=Searching(trials=12, first_block=15), concurrency=width
        )
        return {
            "mipro": mipro,
            "random_search": BootstrapRandomSearch(sets=6, concurrency=width),
            "sequence": Chain(mipro, mipro, concurrency=width),
        }[kind]

    wide, result, sent = run(member(64), calls)
    narrow, _, _ = run(member(1), calls)
    assert wide == narrow
    assert sent <= calls
    assert result.certificate.n >= 5


def test_a_small_budget_still_finds_something() -> None:
    optimizer = MIPRO(instructions=0, demonstrating=Demonstrating(sets=3))
    _, result, sent = run(optimizer, 300, answers(base=0.1))
    assert sent <= 300
    assert result.certificate.verdict == "certified"


def test_a_budget_in_seconds_ends_in_good_order() -> None:
    model = lp.ScriptedLM(answers())
    with lp.using(lm=model):
        result = MIPRO().compile(
            two_modules(), tickets(90), metric=all_right, budget=lp.Budget(seconds=0.0)
        )
    assert result.certificate.verdict == "original" and model.calls == 0
    assert "budget" in result.certificate.reason or "lost" in result.certificate.reason


def test_a_reserve_is_kept_for_the_certificate() -> None:
    whole = plan_budget(lp.Budget(calls=1000, tokens=1000, dollars=10.0), holdout=50, predictors=2)
    assert whole.certified_rows == 50
    assert whole.search.calls == pytest.approx(1000 - 220, abs=1)
    assert whole.search_budget.tokens == 850 and whole.search_budget.dollars == 8.5
    # Nothing is known of what a query takes: as much as ever is kept.
    unknown = whole.reserve()
    assert (unknown.calls, unknown.tokens, unknown.dollars) == pytest.approx((0.0, 200.0, 2.0))
    # 50 pairs with a tenth for repairs: 440 tokens are too many, 4.40 dollars as well.
    assert whole.reserve(Cost(2.0, 8.0, 0.08)) == unknown
    # 220 tokens are 70 more than the 150 that no search may touch.
    assert whole.reserve(Cost(2.0, 4.0, 0.0)).tokens == pytest.approx(70)
    assert whole.reserve(Cost(2.0, 1.0, 0.01)) == Cost(0.0, 0.0, 0.0)
    tight = plan_budget(lp.Budget(calls=100), holdout=50, predictors=2)
    assert tight.certified_rows == 7 and tight.search.calls is not None
    assert tight.search.calls >= 50


@pytest.mark.parametrize("kind", ["tokens", "dollars"])
def test_what_the_certificate_does_not_need_is_searched_with(kind: str) -> None:
    price = lp.Price(input=1.0, output=4.0)
    # A holdout of 30 takes a small part of this budget, and the search would go on for long.
    budget = lp.Budget(tokens=90_000) if kind == "tokens" else lp.Budget(dollars=0.1)
    cap = float(getattr(budget, kind))
    model = lp.ScriptedLM(answers(base=0.1))
    # A call reserves what it may take at most, so short replies let the search come near its end.
    with lp.using(lm=Priced(model, price), sampling=lp.Sampling(max_tokens=50)):
        result = Compiler(auto="heavy", rounds=20).compile(
            two_modules(),
            tickets(150),
            metric=all_right,
            valset=tickets(60, 1000),
            holdout=tickets(30, 2000),
            budget=budget,
        )
    evidence = result.report.evidence
    spent = {
        part: float(getattr(one, kind) or 0.0)
        for part, one in (("search", evidence.searched), ("certificate", evidence.certified))
    }
    # A round that cannot be paid for whole is not begun.
    assert 0.65 * cap < spent["search"] <= 0.85 * cap
    assert sum(spent.values()) <= cap
    assert result.certificate.n == 30 and result.certificate.verdict == "certified"


def test_a_part_that_took_more_than_its_share_in_whole_rounds_is_not_cut_off() -> None:
    calls = [0]

    class Part(MIPRO):
        async def search(self, run: Run) -> Candidate:
            assert run.budget_left().calls == 4  # a tenth of 48
            await run.score([ScoreRequest(run.start, range(8))])
            raise AssertionError("eight calls are more than the share")

    class Whole(MIPRO):
        async def search(self, run: Run) -> Candidate:
            await run_search(Part(), run.make_child("part", run.start, 0.1))
            calls[0] = run.requested().calls
            assert run.tally.settled.calls == 8 and not run.tally.cut
            await run.score([ScoreRequest(run.start, range(49))])
            raise AssertionError("49 calls are more than there are")

    with lp.using(lm=lp.ScriptedLM(answers())):
        result = Whole().compile(
            one_module(),
            tickets(60),
            metric=right_team,
            valset=tickets(60, 1000),
            holdout=tickets(10, 2000),
            budget=lp.Budget(calls=70),
        )
    assert calls == [8]
    assert result.certificate.verdict == "original" and result.certificate.n == 10


def test_what_earlier_sessions_paid_counts() -> None:
    left = subtract_spent(lp.Budget(calls=100, dollars=1.0), Cost(130, 5, 0.25), seconds=3.0)
    assert left.calls == 0 and left.dollars == 0.75
    assert left.tokens is None and left.seconds is None
