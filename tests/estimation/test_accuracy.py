from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogError
from langprog.estimation.sparse_shift import estimate_shifted

Codes = dict[str, list[str]]


def draw(rng: random.Random, n: int, right: float, formal: float) -> tuple[list[float], Codes]:
    """Rows of which a feature tells well whether they are right; another says nothing."""
    scores, confident, tone = [], [], []
    for _ in range(n):
        score = rng.random() < right
        scores.append(float(score))
        confident.append(str(rng.random() < (0.9 if score else 0.2)))
        tone.append("formal" if rng.random() < formal else "casual")
    return scores, {"confident": confident, "tone": tone}


@pytest.mark.parametrize(("right", "formal"), [(0.8, 0.5), (0.5, 0.5), (0.8, 0.9)])
def test_the_mean_of_shifted_rows_is_estimated(right: float, formal: float) -> None:
    hits, errors = 0, []
    for seed in range(3):
        rng = random.Random(seed)
        scores, labelled = draw(rng, 300, 0.8, 0.5)
        truth, others = draw(rng, 600, right, formal)
        mean = sum(truth) / len(truth)
        shift = estimate_shifted(scores, labelled, others, count=600, sparsity=1, seed=seed)
        hits += shift.interval[0] <= mean <= shift.interval[1]
        errors.append(abs(shift.mean - mean))
        assert shift.informative > 0.7
    assert hits >= 2 and sum(errors) / 3 < 0.1


def test_a_row_of_an_unknown_kind_widens_the_interval() -> None:
    scores, labelled = draw(random.Random(1), 200, 0.8, 0.5)
    _, others = draw(random.Random(2), 200, 0.8, 0.5)
    others["tone"] = ["shouting"] * 100 + others["tone"][100:]
    shift = estimate_shifted(scores, labelled, others, count=200, sparsity=1, seed=0)
    assert shift.features == ("tone",) and shift.unsupported == pytest.approx(0.5)
    assert shift.interval[1] - shift.interval[0] >= 0.5


def test_rows_that_no_shift_explains_widen_the_interval_to_the_whole_range() -> None:
    def draw_pair(rng: random.Random, n: int, at_odds: bool) -> tuple[list[float], Codes]:
        scores, first, second = [], [], []
        for _ in range(n):
            score = rng.random() < 0.7
            signs = [rng.random() < (0.8 if score else 0.3) for _ in range(2)]
            scores.append(float(score))
            first.append(str(signs[0]))
            # In the new rows, one sign says what the other one denies.
            second.append(str(not signs[0] if at_odds else signs[1]))
        return scores, {"first": first, "second": second}

    scores, labelled = draw_pair(random.Random(0), 300, at_odds=False)
    for at_odds in (False, True):
        _, others = draw_pair(random.Random(1), 200, at_odds)
        shift = estimate_shifted(scores, labelled, others, count=200, sparsity=1, seed=0)
        assert (shift.interval == (0.0, 1.0)) is (not shift.explained) is at_odds


def rows(n: int, hard: float, seed: int) -> list[lp.Example]:
    rng = random.Random(seed)
    return [
        lp.Example(
            question=f"q{index}", kind="hard" if rng.random() < hard else "easy", answer="a"
        )
        for index in range(n)
    ]


def answer(request: lp.Request) -> str:
    text = request.messages[-1].text
    number = int(text.split("q")[-1].split()[0]) if "q" in text else 0
    hard = "hard" in text.rpartition("[[kind]]")[2]
    wrong = random.Random(number).random() < (0.8 if hard else 0.1)
    return f"[[answer]]\n{'b' if wrong else 'a'}"


def program() -> lp.Predict:
    return lp.Predict("question, kind -> answer", model=lp.ScriptedLM(answer, name="test/answer"))


def right(example: lp.Example, prediction: lp.Prediction) -> bool:
    return bool(example.answer == prediction.answer)


def test_a_program_is_run_on_both_and_a_harder_mix_is_seen() -> None:
    labelled, new = rows(200, 0.2, 1), rows(200, 0.8, 2)
    result = lp.estimate_accuracy(
        program(),
        [{"question": row.question, "kind": row.kind} for row in new],
        labelled=labelled,
        metric=right,
        features=lambda example, prediction: {"kind": example.kind},
    )
    truth = lp.evaluate(program(), new, right).mean
    assert truth is not None and result.labels_alone is not None
    assert result.interval[0] <= truth <= result.interval[1]
    assert abs(result.mean - truth) < 0.12 < abs(result.labels_alone[0] - truth)
    assert "'kind'" in str(result) and "no test can show that" in str(result)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labelled": rows(10, 0.2, 1)}, "10 labelled rows: 50 are the fewest"),
        ({"unlabelled": rows(3, 0.2, 1)}, "3 new rows: 20 are the fewest"),
        ({"sparsity": 9}, "sparsity"),
        ({"features": lambda example, prediction: float("nan")}, "nan"),
    ],
)
def test_what_says_nothing_is_refused_in_a_sentence(change: dict[str, Any], said: str) -> None:
    usual = {
        "unlabelled": rows(20, 0.2, 1), "labelled": rows(50, 0.2, 1), "metric": right,
    }  # fmt: skip
    with pytest.raises(InputError, match=said):
        lp.estimate_accuracy(program(), **{**usual, **change})


def test_an_outage_is_an_error_and_no_accuracy_of_zero() -> None:
    def away(request: lp.Request) -> str:
        raise ConnectionError("away")

    broken = lp.Predict("question -> answer", model=lp.ScriptedLM(away, name="test/away"))
    with pytest.raises(LangprogError, match="0 of 50 labelled rows"):
        lp.estimate_accuracy(broken, rows(20, 0.2, 1), labelled=rows(50, 0.2, 1), metric=right)


def test_an_artifact_is_taken_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "answer.json"
    lp.save(lp.Predict("question -> answer", model="pocket/small"), path)
    with pytest.raises(InputError, match="2 labelled rows"):
        lp.estimate_accuracy(path, rows(1, 0.2, 1), labelled=rows(2, 0.2, 1), metric=right)
