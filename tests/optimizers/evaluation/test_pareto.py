from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from optimizers.evaluation.pareto import dominates, find_front

LOSSES = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), max_size=30)


def test_an_item_dominates_where_it_is_no_worse_and_not_the_same() -> None:
    assert dominates((0.0, 1.0), (0.0, 2.0))
    assert not dominates((0.0, 1.0), (0.0, 1.0))
    assert not dominates((0.0, 2.0), (1.0, 1.0))


@given(LOSSES)
def test_the_front_is_what_nothing_dominates(losses: list[tuple[float, ...]]) -> None:
    expected = [item for item in losses if not any(dominates(other, item) for other in losses)]
    assert find_front(losses, lambda item: item) == expected
