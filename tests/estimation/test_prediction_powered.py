from __future__ import annotations

import math
import random
from statistics import fmean

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.evaluation import mean_interval

Row = tuple[float, float | None]


def draw_rows(rng: random.Random, n: int, labelled: int, worth: float) -> list[Row]:
    """Rows whose judge goes along with the label as far as ``worth`` says; mean label 0.3."""
    rows: list[Row] = []
    for index in range(n):
        label = float(rng.random() < 0.3)
        score = 3 + 2 * (label if rng.random() < worth else rng.random())
        rows.append((score, label if index < labelled else None))
    return rows


def estimate(rows: list[Row]) -> tuple[float, float]:
    return lp.estimate_mean([score for score, _ in rows], [label for _, label in rows]).interval


@pytest.mark.parametrize("worth", [0.0, 0.8])
def test_the_interval_covers_the_mean_from_a_hundred_labels_on(worth: float) -> None:
    rng = random.Random(1)
    hits = 0
    for _ in range(400):
        low, high = estimate(draw_rows(rng, 500, 100, worth))
        hits += low <= 0.3 <= high
    assert 0.925 <= hits / 400 <= 0.98  # 0.95, with a standard error of 0.011


def test_a_good_judge_shortens_the_interval() -> None:
    rng = random.Random(2)
    rows = draw_rows(rng, 2000, 200, 0.9)
    low, high = estimate(rows)
    left, right = mean_interval([label for _, label in rows if label is not None])
    assert high - low < 0.7 * (right - left)


def test_the_scale_and_the_sign_of_the_judge_do_not_matter() -> None:
    rows = draw_rows(random.Random(3), 400, 100, 0.7)
    turned: list[Row] = [(100 - 7 * score, label) for score, label in rows]
    assert estimate(turned) == pytest.approx(estimate(rows))


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([0.5] * 40, "says the same"),
        ([None] * 40, "says the same"),
        (list(range(20)), "Every row has a label"),
    ],
)
def test_a_judge_that_says_nothing_leaves_the_labels_alone(
    scores: list[float | None], said: str
) -> None:
    labels: list[float | None] = [1.0, 0.0, 1.0, 1.0] * 5
    wide = [*labels, *[None] * (len(scores) - 20)]
    result = lp.estimate_mean(scores, wide)
    known = [label for label in labels if label is not None]
    assert result.interval == mean_interval(known) and result.mean == fmean(known)
    assert result.labels_alone == (result.mean, result.interval)
    assert said in str(result) and "20 labels" in str(result)


def test_few_labels_stand_alone() -> None:
    result = lp.estimate_mean(list(range(30)), [True] * 5 + [None] * 25)
    assert result.interval == mean_interval([1.0] * 5)
    assert "Below 10 labels" in str(result)


def test_missing_judge_scores_cost_width_only() -> None:
    rng = random.Random(4)
    hits, missing = 0, 0
    for _ in range(300):
        rows = draw_rows(rng, 300, 100, 0.8)
        # The judge fails more often where the label is 1: no mean of what is left would be right.
        scores = [None if rng.random() < (score - 3) / 4 else score for score, _ in rows]
        result = lp.estimate_mean(scores, [label for _, label in rows])
        missing += sum(score is None for score in scores)
        hits += result.interval[0] <= 0.3 <= result.interval[1]
    assert missing > 1000 and hits / 300 >= 0.92


def test_rows_of_a_cluster_are_a_single_observation() -> None:
    rows = draw_rows(random.Random(5), 300, 100, 0.7)
    thrice = [row for row in rows for _ in range(3)]
    names = [index for index in range(300) for _ in range(3)]
    scores, labels = [score for score, _ in thrice], [label for _, label in thrice]
    result = lp.estimate_mean(scores, labels, clusters=names)
    assert result.interval == pytest.approx(estimate(rows)) and result.labels == 100
    assert result.rows == 300


def test_labels_on_another_scale_have_a_range() -> None:
    rows = draw_rows(random.Random(6), 300, 100, 0.7)
    labels = [None if label is None else 1 + 4 * label for _, label in rows]
    scores = [score for score, _ in rows]
    low, high = lp.estimate_mean(scores, labels, score_range=(1, 5)).interval
    assert ((low - 1) / 4, (high - 1) / 4) == pytest.approx(estimate(rows))
    low, high = lp.estimate_mean(scores, labels).interval
    assert 1 < low < high < 5


@pytest.mark.parametrize("count", [1, 2, 40])
def test_labels_that_are_all_the_same_do_not_make_a_mean_certain(count: int) -> None:
    scores, labels = [1.0, 5.0] * 40, [7.0] * count + [None] * (80 - count)
    result = lp.estimate_mean(scores, labels)
    assert result.interval == (-math.inf, math.inf) and "give score_range" in str(result)
    low, high = lp.estimate_mean(scores, labels, score_range=(0, 10)).interval
    assert low < 7 < high
    low, high = lp.estimate_mean(scores, [1.0] * count + [None] * (80 - count)).interval
    assert low < high == 1


def test_a_report_of_a_judge_is_taken() -> None:
    program = lp.Predict("question -> answer", model=lp.ScriptedLM(lambda _: "[[answer]]\nyes"))
    rows = [{"question": f"number {index}"} for index in range(30)]
    report = lp.evaluate(program, rows, lambda example, _: float(example.question[-1] in "02468"))
    labels = [index % 2 == 0 if index < 20 else None for index in range(30)]
    result = lp.estimate_mean(report, labels)
    assert result.mean == pytest.approx(0.5) and result.rows == 30


@pytest.mark.parametrize(
    ("scores", "labels", "options", "said"),
    [
        ([1.0, 2.0], [1.0], {}, "2 judge scores and 1 labels"),
        ([1.0, 2.0], [None, None], {}, "there is no label"),
        ([math.nan, 1.0], [1.0, None], {}, r"judge_scores\[0\] is nan"),
        ([1.0, 2.0], [1.0, math.inf], {}, r"labels\[1\] is inf"),
        ([1.0, "yes"], [1.0, None], {}, r"judge_scores\[1\] is 'yes'"),
        ("scores", [1.0], {}, "judge_scores is a str"),
        ([1.0, 2.0], [1.0, None], {"clusters": ["a"]}, "1 clusters for 2 rows"),
        ([1.0, 2.0], [7.0, None], {"score_range": (1, 5)}, "labels has 7"),
    ],
)
def test_what_is_no_estimate_is_refused_in_a_sentence(
    scores: list[float], labels: list[float | None], options: dict[str, object], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        lp.estimate_mean(scores, labels, **options)  # type: ignore[arg-type]  # refused


def test_the_result_says_what_it_assumes_and_is_plain_json() -> None:
    rows = draw_rows(random.Random(7), 300, 100, 0.7)
    result = lp.estimate_mean([score for score, _ in rows], [label for _, label in rows])
    assert "drawn at random" in str(result) and "drawn at random" in repr(result)
    data = result.to_json()
    assert data["interval"] == list(result.interval) and data["labels"] == 100
    assert data["labels_alone"]["mean"] == result.labels_alone[0]  # type: ignore[index]  # it has
    assert "drawn at random" in result._repr_html_()
