from __future__ import annotations

import math

import pytest

from langprog.errors import InputError
from langprog.evaluation import PairedCosts, PairedScores, attempt_level, check_claims

TIES = PairedScores([1.0] * 100, [1.0] * 100)
BETTER = PairedScores([0.0] * 20 + [1.0] * 80, [1.0] * 100)
LESS = PairedCosts([2.0] * 100, [1.0] * 100)
MORE = PairedCosts([1.0] * 100, [2.0] * 100)


def test_a_gain_is_better() -> None:
    claims = check_claims(BETTER)
    assert claims.finding == "better"
    assert claims.primary.name == "better" and claims.primary.holds
    assert 0.0 < claims.low < claims.difference < claims.high
    assert claims.primary.bound == claims.low


def test_a_loss_is_worse_whatever_was_asked_for() -> None:
    worse = BETTER.swapped()
    for objective in ("quality", "cost", "latency"):
        claims = check_claims(worse, objective=objective, tolerance=0.05, dollars=LESS)  # type: ignore[arg-type]  # the loop's names
        assert claims.finding == "worse"
        assert claims.high < 0


def test_ties_and_less_cost_are_not_worse_and_cheaper() -> None:
    claims = check_claims(TIES, objective="cost", tolerance=0.05, dollars=LESS)
    assert claims.finding == "not worse and cheaper"
    assert claims.holding == ("not worse", "cheaper")
    assert [claim.name for claim in claims.tested] == ["not worse", "cheaper", "better", "worse"]
    assert claims.low >= -0.05


def test_ties_and_less_time_are_not_worse_and_quicker() -> None:
    claims = check_claims(TIES, objective="latency", tolerance=0.05, seconds=LESS)
    assert claims.finding == "not worse and quicker"


@pytest.mark.parametrize("dollars", [None, MORE, PairedCosts([1.0] * 100, [1.0] * 100)])
def test_what_is_not_cheaper_is_not_claimed_to_be(dollars: PairedCosts | None) -> None:
    claims = check_claims(BETTER, objective="cost", tolerance=0.05, dollars=dollars)
    assert claims.finding == "cannot tell"
    assert [claim.name for claim in claims.tested] == ["not worse", "cheaper", "worse"]


def test_a_bare_majority_of_cheaper_queries_may_be_luck() -> None:
    for cheaper, shown in ((55, False), (62, True)):
        costs = PairedCosts([2.0] * 100, [1.0] * cheaper + [3.0] * (100 - cheaper))
        claims = check_claims(TIES, objective="cost", tolerance=0.05, dollars=costs, level=0.04)
        assert ("cheaper" in claims.holding) == shown


def test_nothing_follows_a_claim_that_failed() -> None:
    few = PairedScores([1.0] * 58, [1.0] * 58)
    costs = PairedCosts([2.0] * 58, [1.0] * 58)
    claims = check_claims(few, objective="cost", tolerance=0.05, dollars=costs)
    assert claims.finding == "cannot tell"
    assert [claim.name for claim in claims.tested] == ["not worse", "worse"]


def test_a_tie_is_not_a_win() -> None:
    claims = check_claims(TIES)
    assert claims.finding == "cannot tell"
    assert claims.primary.p_value == 1.0


def test_worse_has_a_level_of_its_own() -> None:
    data = PairedScores([1.0] * 5 + [0.0] * 10, [0.0] * 15)  # p = 1/32
    assert check_claims(data, level=0.001).finding == "worse"
    assert check_claims(data, worse_level=0.03).finding == "cannot tell"


def test_the_level_decides() -> None:
    data = PairedScores([0.0] * 5 + [1.0] * 10, [1.0] * 15)  # p = 1/32
    assert check_claims(data, level=0.04).finding == "better"
    assert check_claims(data, level=0.03).finding == "cannot tell"


def test_levels_of_all_attempts_add_up_to_five_percent() -> None:
    assert attempt_level(1) == 0.04
    assert attempt_level(2) == pytest.approx(0.02 / 6)
    total = math.fsum(attempt_level(attempt) for attempt in range(1, 5000))
    assert 0.0499 < total <= 0.05
    with pytest.raises(InputError, match="from 1"):
        attempt_level(0)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(InputError, match="tolerance"):
        check_claims(TIES, objective="cost", tolerance=-0.1)
    with pytest.raises(InputError, match="tolerance"):
        check_claims(TIES, objective="cost", tolerance=1.0)
    with pytest.raises(InputError, match="costs of 1 clusters"):
        check_claims(TIES, objective="cost", dollars=PairedCosts([1.0], [1.0]))


def test_claims_are_plain_json() -> None:
    data = check_claims(TIES, objective="cost", tolerance=0.05, dollars=LESS).to_json()
    assert data["finding"] == "not worse and cheaper"
    assert data["tested"][0]["name"] == "not worse"
