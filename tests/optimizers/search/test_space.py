from __future__ import annotations

import random
from collections import Counter

import langprog as lp
from optimizers.identity import derive_seed, random_stream
from optimizers.search.halving import list_rungs
from optimizers.search.race import estimate_paired
from optimizers.search.sampler import suggest
from optimizers.search.space import Choice, SearchSpace, list_module_choices

SPACE = SearchSpace((Choice("a", list("wxyz")), Choice("b", [0, 1, 2])))


def test_a_balanced_design_shows_every_value_about_as_often() -> None:
    points = SPACE.draw_balanced(12, random.Random(0))
    counts = Counter(point[0] for point in points)
    assert max(counts.values()) - min(counts.values()) <= 1 or len(points) < 12
    assert len(set(points)) == len(points)
    assert set(counts) == {0, 1, 2, 3}


def test_a_point_in_words_leaves_out_what_stays() -> None:
    assert SPACE.label((0, 0)) == "the program as it is"
    assert SPACE.label((2, 0)) == "a=2"
    assert SPACE.values((2, 1)) == {"a": "y", "b": 1}


def test_a_point_in_words_names_a_parameter_once() -> None:
    program = lp.Pipeline(find=lp.Retrieve(lp.FunctionRetriever(lambda query, k: []), k=3))
    (choice,) = list_module_choices(program)
    assert SearchSpace((choice,)).label((2,)) == f"find.k={choice.values[2]}"


def test_suggestions_are_new_repeatable_and_end_with_the_space() -> None:
    seen = {(0, 0): 0.5, (1, 1): 0.9, (2, 2): 0.2}
    points = suggest(SPACE, seen, 4, seed=3)
    assert points == suggest(SPACE, seen, 4, seed=3)
    assert len(set(points)) == 4 and not set(points) & set(seen)
    assert len(suggest(SPACE, seen, 50, seed=3)) == SPACE.size - len(seen)


def test_suggestions_lean_toward_what_did_well() -> None:
    space = SearchSpace((Choice("a", range(8)), Choice("b", range(8))))
    seen = {(a, b): 1.0 if a == 5 else 0.0 for a in range(8) for b in range(0, 8, 2)}
    near = [point for seed in range(6) for point in suggest(space, seen, 2, seed)]
    assert sum(point[0] == 5 for point in near) > len(near) / 4


def test_an_estimate_is_paired_with_the_baseline_on_the_same_examples() -> None:
    baseline = {0: 1.0, 1: 0.0, 2: 0.0, 3: 0.0}
    # One of two right, where the baseline has one of two as well: no better than it.
    assert estimate_paired(baseline, {0: 0.0, 1: 1.0}) == 0.25
    assert estimate_paired(baseline, {2: 1.0, 3: 1.0}) == 1.25
    assert estimate_paired(baseline, {0: 1.0, 7: 1.0}) == 0.25  # 7 has no baseline


def test_rungs_grow_to_the_whole() -> None:
    assert list_rungs(20, 150, 3) == [20, 60, 150]
    assert list_rungs(20, 12, 3) == [12]
    assert list_rungs(20, 150) == [20, 150]
    assert list_rungs(20, 20) == [20]


def test_streams_are_named_and_stable() -> None:
    assert derive_seed(0, "a", 1) == 597688857
    assert random_stream(0, "a").random() != random_stream(0, "b").random()
    assert random_stream(0, "a").random() == random_stream(0, "a").random()
