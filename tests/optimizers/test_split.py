from __future__ import annotations

import pytest

from langprog import Example
from langprog.errors import InputError
from optimizers.split import split


def examples(count: int, start: int = 0) -> list[Example]:
    return [Example(x=number, y=number % 2) for number in range(start, start + count)]


def test_a_trainset_alone_is_divided_without_overlap() -> None:
    parts = split(examples(100), None, None, seed=0)
    assert (len(parts.train), len(parts.validation), len(parts.holdout)) == (30, 40, 30)
    together = {*parts.train, *parts.validation, *parts.holdout}
    assert len(together) == 100


def test_the_order_of_the_file_does_not_matter_but_the_seed_does() -> None:
    some = examples(60)
    assert split(some, None, None, 0) == split(some[::-1], None, None, 0)
    assert split(some, None, None, 0) != split(some, None, None, 1)


def test_equal_examples_stay_together() -> None:
    parts = split(examples(50) * 3, None, None, seed=3)
    for one, other in (
        (parts.train, parts.validation),
        (parts.train, parts.holdout),
        (parts.validation, parts.holdout),
    ):
        assert not set(one) & set(other)


def test_with_a_valset_the_holdout_comes_from_the_trainset() -> None:
    parts = split(examples(60), examples(20, start=100), None, seed=0)
    assert len(parts.validation) == 20 and len(parts.train) == len(parts.holdout) == 30


def test_with_both_given_the_trainset_stays_whole() -> None:
    parts = split(examples(10), examples(10, 20), examples(10, 40), seed=0)
    assert len(parts.train) == 10 and parts.moved == 0


def test_a_holdout_example_is_taken_out_of_the_other_parts() -> None:
    parts = split(examples(10), examples(10, 5), examples(10, 8), seed=0)
    held = set(parts.holdout)
    assert not held & set(parts.train) and not held & set(parts.validation)
    assert not set(parts.train) & set(parts.validation)
    assert parts.moved > 0


def test_too_few_examples_are_refused_with_advice() -> None:
    with pytest.raises(InputError, match="too few examples"):
        split(examples(3), None, None, seed=0)
