"""The simulated tasks on which few calls are measured."""

from __future__ import annotations

import pytest

from benchmarks.surface.programs import items, program, truth
from benchmarks.surface.small import WORLDS, WorldSurface


@pytest.mark.parametrize(
    ("world", "sign"), [("demonstrations help", 1), ("demonstrations hurt", -1)]
)
def test_demonstrations_do_what_the_name_of_a_task_says(world: str, sign: int) -> None:
    surface, bare = WorldSurface(WORLDS[world], 3), program(1)
    shown = bare.with_parameters({"predict.demos": items(surface, 0, 16)})
    assert sign * (truth(shown, surface, 200) - truth(bare, surface, 200)) > 0.1
    assert surface.calls == 0
