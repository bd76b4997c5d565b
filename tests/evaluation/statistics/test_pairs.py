from __future__ import annotations

import math

import pytest

from langprog.errors import InputError
from langprog.evaluation import PairedCosts, PairedScores, bound_mean, bound_share


def test_a_cluster_counts_once_however_many_rows_it_has() -> None:
    data = PairedScores([0, 0, 0, 1], [1, 1, 0, 1], ["a", "a", "a", "b"])
    assert (data.n, data.wins, data.losses, data.ties) == (2, 1, 0, 1)
    assert data.difference == pytest.approx((2 / 3 + 0) / 2)


def test_copies_are_no_evidence() -> None:
    inputs = ["a", "b", "c", "d"] * 10
    assert bound_mean(PairedScores([0] * 40, [1] * 40, inputs)).p_values[0.0] > 0.05


def test_the_order_of_clusters_depends_on_their_names_alone() -> None:
    # A test that bets on one after the other must not be able to choose the order.
    names = [f"row {number}" for number in range(12)]
    up, down = ([step / 12 for step in order] for order in (range(12), range(11, -1, -1)))
    ascending = PairedScores([0.0] * 12, up, names).differences
    descending = PairedScores([0.0] * 12, down, names).differences
    assert descending == pytest.approx([11 / 12 - value for value in ascending])


def test_what_rounding_leaves_is_a_tie() -> None:
    data = PairedScores([0.3, 0.5], [0.1 + 0.2, 0.5])
    assert data.ties == 2
    assert bound_mean(data).method == "exact"


@pytest.mark.parametrize("value", [1.2, -0.1, math.nan, math.inf])
def test_scores_outside_the_range_are_refused(value: float) -> None:
    with pytest.raises(InputError, match=r"row 1 is outside the range 0 to 1"):
        PairedScores([0.5, value], [0.5, 0.5])
    with pytest.raises(InputError, match="row 1"):
        PairedScores([0.5, 0.5], [0.5, value])


def test_data_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(InputError, match="no pairs"):
        PairedScores([], [])
    with pytest.raises(InputError, match="2 values before, 1 after"):
        PairedScores([0, 1], [0])
    with pytest.raises(InputError, match="1 clusters"):
        PairedScores([0, 1], [0, 1], ["a"])
    with pytest.raises(InputError, match="score range"):
        PairedScores([0], [0], score_range=(1, 1))
    with pytest.raises(InputError, match="cost of row 0"):
        PairedCosts([-1.0], [0.0])


def test_equal_and_unknown_costs_count_against_being_cheaper() -> None:
    costs = PairedCosts([2.0, 1.0, None, 3.0], [1.0, 1.0, 1.0, None])
    assert (costs.smaller, costs.n) == (1, 4)
    assert bound_share(PairedCosts([0.0] * 9, [0.0] * 9)).p_value == 1.0


def test_costs_are_added_up_by_cluster() -> None:
    costs = PairedCosts([1.0, 5.0, 2.0], [2.0, 1.0, 3.0], ["a", "a", "b"])
    assert (costs.smaller, costs.n) == (1, 2)


@pytest.mark.parametrize("smaller", range(0, 21))
def test_most_are_cheaper_where_the_bound_reaches_one_half(smaller: int) -> None:
    after = [0.5] * smaller + [1.0] * (20 - smaller)
    share = bound_share(PairedCosts([1.0] * 20, after), level=0.04)
    tail = sum(math.comb(20, k) for k in range(smaller, 21)) / 2**20
    assert share.p_value == pytest.approx(tail)
    assert (share.p_value <= 0.04) == (share.bound >= 0.5)
