from __future__ import annotations

import random
from collections import Counter

from optimizers.identity import derive_seed, random_stream
from optimizers.search.race import _rungs
from optimizers.search.sampler import suggest
from optimizers.search.shrinkage import shrunken
from optimizers.search.space import Choice, Space

SPACE = Space((Choice("a", list("wxyz")), Choice("b", [0, 1, 2])))


def test_a_balanced_design_shows_every_value_about_as_often() -> None:
    points = SPACE.balanced(12, random.Random(0))
    counts = Counter(point[0] for point in points)
    assert max(counts.values()) - min(counts.values()) <= 1 or len(points) < 12
    assert len(set(points)) == len(points)
    assert set(counts) == {0, 1, 2, 3}


def test_a_point_in_words_leaves_out_what_stays() -> None:
    assert SPACE.label((0, 0)) == "the program as it is"
    assert SPACE.label((2, 0)) == "a=2"
    assert SPACE.values((2, 1)) == {"a": "y", "b": 1}


def test_suggestions_are_new_repeatable_and_end_with_the_space() -> None:
    seen = {(0, 0): 0.5, (1, 1): 0.9, (2, 2): 0.2}
    one = suggest(SPACE, seen, 4, seed=3)
    assert one == suggest(SPACE, seen, 4, seed=3)
    assert len(set(one)) == 4 and not set(one) & set(seen)
    assert len(suggest(SPACE, seen, 50, seed=3)) == SPACE.size - len(seen)


def test_suggestions_lean_toward_what_did_well() -> None:
    space = Space((Choice("a", range(8)), Choice("b", range(8))))
    seen = {(a, b): 1.0 if a == 5 else 0.0 for a in range(8) for b in range(0, 8, 2)}
    near = [point for seed in range(6) for point in suggest(space, seen, 2, seed)]
    assert sum(point[0] == 5 for point in near) > len(near) / 4


def test_a_lucky_block_is_pulled_back_more_than_a_long_record() -> None:
    baseline = {index: float(index % 2) for index in range(120)}
    lucky = dict.fromkeys(range(6), 1.0)
    proven = {index: 1.0 if index % 5 else 0.0 for index in range(120)}
    others = [{index: float(index % 2) for index in range(20)} for _ in range(4)]
    few, many, *rest = shrunken(baseline, [lucky, proven, *others])
    kept_of_lucky, kept_of_proven = (few - 0.5) / 0.5, (many - 0.5) / 0.3
    assert kept_of_lucky < 0.7 < 0.9 < kept_of_proven
    assert many > few
    assert all(abs(one - 0.5) < 0.1 for one in rest)


def test_rungs_grow_to_the_whole() -> None:
    assert _rungs(20, 150) == [20, 60, 150]
    assert _rungs(20, 12) == [12]


def test_streams_are_named_and_stable() -> None:
    assert derive_seed(0, "a", 1) == 597688857
    assert random_stream(0, "a").random() != random_stream(0, "b").random()
    assert random_stream(0, "a").random() == random_stream(0, "a").random()
