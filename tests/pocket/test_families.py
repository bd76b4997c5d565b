"""The answers of the task world are right: worked out again from the text alone."""

from __future__ import annotations

import random
import re

import pytest

from langprog.pocket.world.chains import chain
from langprog.pocket.world.numbers import LARGEST, sums


@pytest.mark.parametrize("seed", range(20))
def test_a_chain_leads_where_it_says(seed: int) -> None:
    steps = seed % 4 + 1
    episode = chain(random.Random(seed), "train", steps=steps, reasoning=True, demos=2)
    for row in episode.rows:
        facts, question = (str(value) for value in row.inputs.values())
        leads, homes = {}, {}
        for name, words, end in re.findall(r"(\w+) ([a-z ]+) (\w+)\.", facts):
            (homes if " " in words else leads)[name] = end
        (here,) = [name for name in leads if name in re.findall(r"\w+", question)]
        for _ in range(steps):
            here = leads[here]
        assert row.outputs["answer"] == homes[here]
        assert str(row.outputs["reasoning"]).count(".") == steps + 1
        assert str(row.outputs["reasoning"]).endswith(f"{homes[here]}.")


@pytest.mark.parametrize("seed", range(20))
def test_sums_add_up(seed: int) -> None:
    steps = seed % 2 + 1
    episode = sums(random.Random(seed), "train", steps=steps, reasoning=True, demos=2)
    for row in episode.rows:
        (text,) = row.inputs.values()
        written = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)\.", str(row.outputs["reasoning"]))
        assert len(written) == steps
        now = written[0][0]
        for first, sign, second, result in written:
            assert first == now
            expected = int(first) + int(second) * (1 if sign == "+" else -1)
            assert int(result) == expected
            assert 0 <= expected <= LARGEST
            now = result
        assert [str(n) for n in re.findall(r"\d+", str(text))] == [
            written[0][0],
            *(second for _, _, second, _ in written),
        ]
        (target,) = [name for name in row.outputs if name != "reasoning"]
        assert str(row.outputs[target]) == now


@pytest.mark.parametrize("draw", [chain, sums])
def test_held_out_wordings_are_never_trained(draw: object) -> None:
    rng = random.Random(0)
    train = {draw(rng, "train").instruction for _ in range(200)}  # type: ignore[operator]  # a family
    held = {draw(rng, "held").instruction for _ in range(200)}  # type: ignore[operator]  # a family
    assert train and held and not train & held
