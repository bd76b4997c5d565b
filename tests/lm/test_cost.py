from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langprog.lm import Cost
from langprog.lm.cost import DECIMALS

amounts = st.floats(0, 1e6)
# Dollars are kept to a fixed number of decimals.
dollars = amounts.map(lambda amount: round(amount, DECIMALS))
costs = st.builds(Cost, amounts, amounts, dollars, amounts)
UNLIMITED = Cost(math.inf, math.inf, math.inf, math.inf)


@given(costs, costs)
def test_costs_add_and_compare_in_every_part(first: Cost, second: Cost) -> None:
    both = first + second
    assert both == second + first
    assert first <= both and second <= both
    assert first.max_with(second) <= both


def test_a_cost_above_the_limit_in_one_part_is_above_it() -> None:
    limit = Cost(10, 100, 1.0, 5.0)
    assert Cost(10, 100, 1.0, 5.0) <= limit
    for cost in (Cost(11), Cost(tokens=101), Cost(dollars=1.01), Cost(seconds=5.1)):
        assert not cost <= limit


@given(costs)
def test_no_limit_stays_none_whatever_is_taken_from_it(cost: Cost) -> None:
    left = UNLIMITED - cost
    assert left == UNLIMITED == UNLIMITED - UNLIMITED
    assert cost <= left and left.count_of(cost) == math.inf
    assert UNLIMITED * 0 == Cost() == Cost() * math.inf


def test_a_limit_is_counted_in_what_it_pays_for() -> None:
    assert Cost(10, 100, 1.0).count_of(Cost(2, 50, 0.1)) == 2
    assert Cost(10, 100, 1.0).count_of(Cost(dollars=0.1)) == pytest.approx(10)
    assert Cost(10).count_of(Cost()) == math.inf


def test_dollars_are_not_told_where_a_price_is_missing() -> None:
    priced, unpriced = Cost(1, 5, 0.25), Cost(1, 5, unpriced=1)
    assert priced.known_dollars == 0.25
    assert (priced + unpriced).known_dollars is None
    assert ((priced + unpriced) - unpriced).to_json() == {"calls": 1, "tokens": 5, "dollars": 0.25}
