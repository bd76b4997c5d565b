"""The order of demonstrations is a choice like their number."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

import langprog as lp
from optimizers import MIPRO, BootstrapRandomSearch, Demonstrating, Searching
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


def test_sets_that_cost_more_calls_than_the_program_do_not_use_up_the_search() -> None:
    """With demonstrations, the model's first reply cannot be read."""

    def reply(request: lp.Request) -> str:
        *earlier, last = request.messages
        if any(each.role == "assistant" for each in earlier) and field(last.text, "ticket"):
            return "That is easy."
        asked = next(each for each in reversed(earlier + [last]) if field(each.text, "ticket"))
        helped = any(each.role == "assistant" for each in earlier)
        plain = replace(request, messages=(request.messages[0], asked))
        return always(1.0 if helped else 0.2)(plain)

    with lp.using(lm=lp.ScriptedLM(reply)):
        result = BootstrapRandomSearch().compile(
            one_module(),
            tickets(60),
            valset=tickets(60, 1000),
            holdout=tickets(40, 2000),
            metric=right_team,
            budget=lp.Budget(calls=300),
        )
    assert result.candidate.parameters["predict.demos"]
    assert result.report.paid.calls <= 300
