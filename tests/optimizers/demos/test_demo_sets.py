"""The order of demonstrations is a choice like their number."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from optimizers import MIPRO, Demonstrating, Searching
from optimizers.demos.demo_sets import reorder
from tests.optimizers.simulated import always, field, one_module, right_team, tickets

DEMOS = tuple(tickets(6, start=500))


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 10**6))
def test_the_same_demonstrations_stay_and_own_ones_where_they_were(
    count: int, kept: int, seed: int
) -> None:
    demos, own = DEMOS[:count], DEMOS[: min(kept, count)]
    other = reorder(demos, own, random.Random(seed))
    assert sorted(demo.digest for demo in other) == sorted(demo.digest for demo in demos)
    assert other[: len(own)] == own
    assert (other != demos) == (count - len(own) > 1)


def test_equal_demonstrations_have_no_other_order() -> None:
    same = (DEMOS[0], lp.Example(**DEMOS[0]))
    assert reorder(same, (), random.Random(0)) == same


def test_the_order_of_demonstrations_is_searched() -> None:
    """The model is right where the first demonstration is not about a router."""

    def reply(request: lp.Request) -> str:
        ticket = field(request.messages[1].text, "ticket")
        helped = len(request.messages) > 2 and "router" not in ticket
        return always(1.0 if helped else 0.2)(request)

    shown = [tickets(1, start=1)[0], *tickets(1, start=0)]
    assert "router" in shown[0].ticket and "router" not in shown[1].ticket
    program = one_module().with_parameters({"predict.demos": shown})
    optimizer = MIPRO(
        instructions=0,
        demonstrating=Demonstrating(sets=1, keep_demos=False),
        searching=Searching(trials=6),
    )
    with lp.using(lm=lp.ScriptedLM(reply)):
        result = optimizer.compile(program, tickets(160, start=10), metric=right_team)
    assert result.candidate.parameters["predict.demos"] == (shown[1], shown[0])
    assert "the same in another order" in result.candidate.label
