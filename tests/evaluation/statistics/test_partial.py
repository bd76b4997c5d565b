"""Missing scores: what they could change is in the bounds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langprog.errors import InputError
from langprog.evaluation import PairedCosts, PairedScores, PartialScores, check_claims

MAYBE = st.none() | st.sampled_from([0.0, 1.0])


def test_a_score_that_only_one_program_has_counts_at_its_worst() -> None:
    partial = PartialScores.of([0.0, 1.0, None, None], [1.0, None, 0.5, None])
    assert (partial.observed.before, partial.observed.after) == ((0.0,), (1.0,))
    assert (partial.lowest.before, partial.lowest.after) == ((0.0, 1.0, 1.0), (1.0, 0.0, 0.5))
    assert (partial.highest.before, partial.highest.after) == ((0.0, 1.0, 0.0), (1.0, 1.0, 0.5))
    assert partial.kept == (0, 1, 2) and partial.one_sided == 2


def test_the_worst_is_the_end_of_the_range() -> None:
    partial = PartialScores.of([5.0, 3.0], [5.0, None], score_range=(1, 5))
    assert partial.lowest.after == (5.0, 1.0) and partial.highest.after == (5.0, 5.0)


def test_ten_wins_do_not_outweigh_ten_rows_that_were_lost() -> None:
    before = [1.0] * 80 + [0.0] * 10 + [1.0] * 10
    after = [1.0] * 90 + [None] * 10
    claims = check_claims(PartialScores.of(before, after))
    assert claims.finding == "cannot tell" and claims.low <= 0.0
    assert (claims.n, claims.wins, claims.losses) == (90, 10, 0)
    assert check_claims(PairedScores(before[:90], after[:90])).finding == "better"


def test_worse_is_not_claimed_because_scores_are_missing() -> None:
    # At their best, the ten missing ones make up for the ten losses.
    before = [1.0] * 10 + [0.0] * 10 + [1.0] * 80
    after = [0.0] * 10 + [None] * 10 + [1.0] * 80
    assert check_claims(PartialScores.of(before, after)).finding == "cannot tell"
    assert check_claims(PartialScores.of(before, [0.0] * 20 + [1.0] * 80)).finding == "worse"


def test_what_a_row_without_a_score_cost_is_no_evidence() -> None:
    scores = PartialScores.of([1.0] * 8, [1.0] * 5 + [None] * 3)
    dollars = PairedCosts([2.0] * 8, [1.0] * 5 + [None] * 3)
    claims = check_claims(scores, objective="cost", tolerance=0.9, dollars=dollars)
    assert "cheaper" not in claims.holding
    with pytest.raises(InputError, match="costs of 5 clusters for scores of 8"):
        check_claims(scores, dollars=PairedCosts([2.0] * 5, [1.0] * 5))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(MAYBE, MAYBE), min_size=1, max_size=30))
def test_bounds_hold_for_everything_that_the_missing_scores_may_be(
    rows: list[tuple[float | None, float | None]],
) -> None:
    before, after = [b for b, _ in rows], [a for _, a in rows]
    if not any(None not in row for row in rows):
        with pytest.raises(InputError, match="no row has a score for both"):
            PartialScores.of(before, after)
        return
    partial = PartialScores.of(before, after)
    claims = check_claims(partial)
    assert claims.low <= claims.difference <= claims.high
    kept = [rows[place] for place in partial.kept]
    for value in (0.0, 1.0):
        filled = PairedScores(
            [value if b is None else b for b, _ in kept],
            [value if a is None else a for _, a in kept],
        )
        whole = check_claims(filled)
        assert claims.low <= whole.low + 1e-9 and claims.high >= whole.high - 1e-9
        assert set(claims.holding) <= set(whole.holding)
