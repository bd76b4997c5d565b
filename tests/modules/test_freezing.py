"""Freezing a whole program, and freezing some parts of it."""

from __future__ import annotations

import copy

import pytest

import langprog as lp
from langprog.errors import FrozenError, InputError


class Support(lp.Module):
    """A router, two experts and a vote."""

    def __init__(self) -> None:
        self.route = lp.Predict("ticket -> team")
        self.experts = [lp.Predict("ticket -> reply"), lp.Predict("ticket -> reply")]
        self.final = lp.Vote(lp.Predict("ticket, reply -> answer"), k=3)

    def forward(self, ticket: str) -> dict[str, str]:
        return {"answer": ticket}


def test_a_whole_program_has_no_frozen_parts() -> None:
    assert Support().frozen_parts() == ()
    assert Support().freeze().frozen_parts() == ()
    assert lp.Predict("a -> b").freeze().frozen_parts() == ()


def test_a_part_is_frozen_with_everything_inside_it() -> None:
    program = Support().freeze("final", "route")
    assert program.frozen_parts() == ("route", "final", "final.module")
    assert not program.frozen and program.route.frozen and not program.experts[0].frozen
    program.experts = []
    with pytest.raises(FrozenError):
        program.final.k = 5


def test_the_name_of_a_list_stands_for_its_modules() -> None:
    assert Support().freeze("experts").frozen_parts() == ("experts[0]", "experts[1]")
    assert Support().freeze("experts[1]").frozen_parts() == ("experts[1]",)


def test_freezing_parts_leaves_the_program_as_it_was() -> None:
    program = Support()
    program.freeze("route")
    assert program.frozen_parts() == () and not program.route.frozen


def test_an_unknown_part_is_named_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"no part 'rout' to freeze.*route, experts\[0\]"):
        Support().freeze("rout")
    with pytest.raises(InputError, match="its parts are: none"):
        lp.Predict("a -> b").freeze("predict")


def test_a_module_that_was_frozen_before_is_a_frozen_part() -> None:
    program = Support()
    program.route = program.route.freeze()
    assert program.frozen_parts() == ("route",)


@pytest.mark.parametrize("early", [True, False])
def test_frozen_parts_stay_frozen_parts_in_every_copy(early: bool) -> None:
    program = Support()
    if early:
        program.route = program.route.freeze()
    else:
        program = program.freeze("route")
    changed = program.with_parameters({"experts[0].instruction": "Reply."})
    assert changed.frozen_parts() == ("route",)
    assert changed.freeze().frozen_parts() == ("route",)
    assert changed.freeze().with_parameters({}).frozen_parts() == ("route",)
    assert copy.copy(changed).frozen_parts() == ("route",)
    assert changed.freeze("final").frozen_parts() == ("route", "final", "final.module")
    assert changed.freeze().freeze("final").frozen_parts() == ("route", "final", "final.module")


def test_a_frozen_part_taken_on_its_own_is_a_whole_program() -> None:
    assert Support().freeze("final").final.frozen_parts() == ()


def test_the_mark_is_not_a_setting() -> None:
    program = Support().freeze("route")
    assert program.plain_settings() == Support().plain_settings()
    whole = Support().freeze("route", "final").freeze()
    assert whole.frozen and whole.plain_settings() == Support().plain_settings()
