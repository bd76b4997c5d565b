from __future__ import annotations

import random
from statistics import fmean
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError

Verdicts = dict[str, list[Any]]
GOOD = {"ann": 0.9, "bob": 0.5, "cat": 0.5, "dan": 0.5}


def draw(n: int, worth: dict[str, float], seed: int = 1) -> tuple[list[str], Verdicts]:
    rng = random.Random(seed)
    truth = [rng.choice("abc") for _ in range(n)]
    others = {"a": "bc", "b": "ac", "c": "ab"}
    judges = {
        name: [t if rng.random() < share else rng.choice(others[t]) for t in truth]
        for name, share in worth.items()
    }
    return truth, judges


def accuracy(answers: tuple[Any, ...], truth: list[str]) -> float:
    return fmean(a == t for a, t in zip(answers, truth, strict=True))


def test_a_better_judge_counts_more_than_the_majority() -> None:
    truth, judges = draw(600, GOOD)
    result = lp.agree(judges)
    columns = zip(*judges.values(), strict=True)
    majority = [max(row, key=row.count) for row in columns]
    assert accuracy(result.answers, truth) > accuracy(tuple(majority), truth) + 0.03
    for name, share in GOOD.items():
        assert result.accuracies[name] == pytest.approx(share, abs=0.08)
        assert result.confusions[name]["a"]["a"] == pytest.approx(share, abs=0.15)


def test_the_second_answer_is_right_where_the_first_is_not() -> None:
    truth, judges = draw(600, GOOD)
    result = lp.agree(judges)
    rows = [row for row, answer in enumerate(result.answers) if answer != truth[row]]
    assert fmean(result.second[row] == truth[row] for row in rows) > 0.6  # 0.5 by chance
    assert all(sum(row.values()) == pytest.approx(1) for row in result.probabilities)


def test_labels_correct_judges_that_err_together() -> None:
    truth, judges = draw(500, {"ann": 0.7})
    copies: Verdicts = {f"copy {k}": list(judges["ann"]) for k in range(5)}
    labels = [t if row < 100 else None for row, t in enumerate(truth)]
    sure = {}
    for name, given in (("without", None), ("with", labels)):
        result = lp.agree(copies, given)
        chances = [max(row.values()) for row in result.probabilities[100:]]
        sure[name] = fmean(chances) - accuracy(result.answers[100:], truth[100:])
    assert sure["without"] > 0.2  # it takes five copies for five judges
    assert abs(sure["with"]) < 0.1


def test_a_label_stands() -> None:
    result = lp.agree({"a": ["x", "y", "x"], "b": ["x", "y", "y"]}, ["y", None, None])
    assert result.answers[0] == "y" and result.probabilities[0]["y"] == 1
    assert result.labels == 1


def test_a_judge_may_give_no_verdict() -> None:
    truth, judges = draw(300, GOOD)
    judges["bob"] = [None] * 300
    result = lp.agree(judges)
    assert accuracy(result.answers, truth) > 0.8
    assert result.accuracies["bob"] is None and "bob unknown" in str(result)


def test_judges_that_always_agree_are_believed() -> None:
    result = lp.agree({"a": [True, False, True] * 20, "b": [True, False, True] * 20})
    assert result.answers == (True, False, True) * 20
    assert result.second[0] is False


def test_a_single_verdict_has_no_second() -> None:
    result = lp.agree({"a": ["x", "x"], "b": ["x", None]})
    assert result.answers == ("x", "x") and result.second == (None, None)


@pytest.mark.parametrize(
    ("judges", "labels", "said"),
    [
        ({"a": ["x"]}, None, "two or more judges"),
        ([["x"], ["y"]], None, "two or more judges"),
        ({"a": ["x"], "b": []}, None, "a 1, b 0"),
        ({"a": ["x"], "b": ["y"]}, ["x", "y"], "2 labels for 1 rows"),
        ({"a": [None], "b": [None]}, None, "no judge has given"),
        ({"a": [float("nan")], "b": ["x"]}, None, r"a\[0\] is nan"),
        ({"a": [["x"]], "b": ["x"]}, None, r"a\[0\] is \['x'\]"),
        ({"a": ["x"], "b": ["x"]}, [float("nan")], r"labels\[0\] is nan"),
        ({"a": ["x"], "b": ["x"]}, [["x"]], r"labels\[0\] is \['x'\]"),
        ({"a": [1], "b": [1]}, ["1"], "1 and '1' look the same"),
        ({"a": "x", "b": ["x"]}, None, "a is a str: give a list"),
        ({"a": ["x"], "b": None}, None, "b is a NoneType: give a list"),
        ({1: ["x"], "1": ["y"]}, None, "give their names as texts"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_a_sentence(
    judges: Any, labels: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        lp.agree(judges, labels)


def test_the_result_says_what_it_assumes() -> None:
    result = lp.agree({"a": ["x", "y"], "b": ["x", "y"]})
    assert "err independently" in str(result) and "too sure" in repr(result)
    assert result.to_json()["answers"] == ("x", "y")
