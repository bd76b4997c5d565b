from __future__ import annotations

import asyncio
import random
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, LangprogError, MetricError
from langprog.estimation.strata import allocate, estimate_strata, stratify

BATCH = [{"text": f"row {index}", "truth": index % 10 < 3} for index in range(400)]
TRUTH = 0.3


def truth(row: lp.Example) -> bool:
    return bool(row.truth)


def guess(row: lp.Example) -> float:
    return len(row.text) + 5 * row.truth


def covered(proxies: list[float], values: list[float], calls: int, runs: int) -> float:
    """How often the interval contains the mean of all values; the work of lp.aggregate."""
    hits = 0
    for seed in range(runs):
        strata = stratify(proxies, 5, random.Random(seed))
        for counts in ([calls // 10] * 5, None):
            more = counts or allocate(strata, calls // 2, (0, 1))
            for each, count in zip(strata, more, strict=True):
                each.values += [values[row] for row in each.take(count)]
        low, high = estimate_strata(strata, (0, 1))[1]
        hits += low <= fmean(values) <= high
    return hits / runs


@pytest.mark.parametrize(("noise", "share"), [(0.1, 0.5), (1.0, 0.1)])
def test_the_interval_covers_the_mean_from_a_hundred_labels_on(noise: float, share: float) -> None:
    rng = random.Random(1)
    values = [float(rng.random() < share) for _ in range(1000)]
    proxies = [rng.random() if rng.random() < noise else value for value in values]
    assert covered(proxies, values, 100, 250) >= 0.92  # 0.95, with a standard error of 0.014


def test_the_interval_covers_the_mean_where_some_strata_hardly_ever_fail() -> None:
    rng = random.Random(3)
    shares = (0.8, 0.93, 0.97, 0.99, 0.995)
    values = [float(rng.random() < share) for share in shares for _ in range(260)]
    proxies = [share for share in shares for _ in range(260)]
    assert covered(proxies, values, 400, 150) >= 0.92


def test_a_good_proxy_shortens_the_interval() -> None:
    good = lp.aggregate(BATCH, guess, truth, lp.Budget(calls=100))
    poor = lp.aggregate(BATCH, [0] * 400, truth, lp.Budget(calls=100))
    assert good.labels == poor.labels == 100
    width = [result.interval[1] - result.interval[0] for result in (good, poor)]
    assert width[0] < 0.7 * width[1]
    for result in (good, poor):
        assert result.interval[0] <= TRUTH <= result.interval[1]


@pytest.mark.parametrize("proxy", [guess, [None] * 400, [7] * 400])
def test_a_batch_that_is_asked_about_whole_is_known(proxy: Any) -> None:
    result = lp.aggregate(BATCH, proxy, truth, lp.Budget(calls=10_000))
    assert result.mean == pytest.approx(TRUTH) and result.labels == 400
    assert result.interval == pytest.approx((TRUTH, TRUTH))


def test_the_oracle_is_asked_as_often_as_the_budget_says_and_never_twice() -> None:
    asked: list[str] = []

    def oracle(row: lp.Example) -> bool:
        asked.append(row.text)
        return bool(row.truth)

    result = lp.aggregate(BATCH, guess, oracle, lp.Budget(calls=57), seed=3)
    assert len(asked) == len(set(asked)) == 57 == result.labels


def test_the_seed_alone_chooses_the_rows() -> None:
    first, again, other = (
        lp.aggregate(BATCH, guess, truth, lp.Budget(calls=60), seed=seed, concurrency=width)
        for seed, width in ((1, 1), (1, 16), (2, 16))
    )
    assert first == again != other


def test_failures_of_the_oracle_are_not_zeros() -> None:
    async def oracle(row: lp.Example) -> bool:
        await asyncio.sleep(0)
        if row.text.endswith("7"):  # a tenth of the rows, all of them without
            raise ConnectionError("the service is away")
        return True

    result = lp.aggregate(BATCH, [0] * 400, oracle, lp.Budget(calls=100))
    assert result.mean == 1 and result.labels + result.missing == 100
    # Had all that failed been zeros, the mean would be about 0.9: the interval allows for it.
    assert result.interval[0] < 0.9 and result.interval[1] == 1
    assert "the service is away" in str(result)


def test_an_oracle_that_answers_nothing_is_an_error() -> None:
    def oracle(row: lp.Example) -> bool:
        raise TimeoutError("nobody there")

    with pytest.raises(LangprogError, match="answered nothing.*nobody there"):
        lp.aggregate(BATCH, guess, oracle, lp.Budget(calls=20))


def test_a_bug_of_the_oracle_names_its_row() -> None:
    def oracle(row: lp.Example) -> bool:
        return bool(row.missing_field)

    with pytest.raises(MetricError, match=r"failed on example 1 \(text='row "):
        lp.aggregate(BATCH, guess, oracle, lp.Budget(calls=20))


def test_values_on_another_scale_have_a_range() -> None:
    @lp.metric(range=(1, 5))
    def stars(row: lp.Example) -> int:
        return 5 if row.truth else 1

    result = lp.aggregate(BATCH, guess, stars, lp.Budget(calls=100))
    plain = lp.aggregate(BATCH, guess, truth, lp.Budget(calls=100))
    assert result.mean == pytest.approx(1 + 4 * plain.mean)
    assert [(end - 1) / 4 for end in result.interval] == pytest.approx(plain.interval)
    with pytest.raises(MetricError, match="range"):
        lp.aggregate(BATCH, guess, lambda row: 7, lp.Budget(calls=100))


def judge(fail: bool = False) -> lp.Predict:
    def reply(request: lp.Request) -> str:
        text = request.messages[-1].text
        number = int(text.split("row ")[1].split()[0])
        if fail and number % 2:
            return "I would rather not say"
        return f"[[verdict]]\n{number % 10 < 3}"

    return lp.Predict("text -> verdict: bool", model=lp.ScriptedLM(reply, name="test/judge"))


def test_an_oracle_may_be_a_program_or_an_artifact(tmp_path: Path) -> None:
    result = lp.aggregate(BATCH, guess, judge(), lp.Budget(calls=80))
    assert result == lp.aggregate(BATCH, guess, truth, lp.Budget(calls=80))
    path = tmp_path / "judge.json"
    lp.save(lp.Predict("text -> verdict: bool", model="pocket/small"), path)
    read = lp.aggregate(BATCH[:30], guess, path, lp.Budget(calls=6))
    assert read.labels + read.missing <= 6 and read.rows == 30


def test_unreadable_replies_of_the_oracle_are_missing() -> None:
    budget = lp.Budget(calls=400)  # a reply that cannot be read is asked for once more
    result = lp.aggregate(BATCH, guess, judge(fail=True), budget)
    assert result.missing > 50 and result.mean > 0.1
    assert "calls" in str(result) or "missing counts" in str(result)


def test_the_proxy_may_be_a_program_and_counts_under_the_cap() -> None:
    result = lp.aggregate(BATCH[:100], judge(), judge(), lp.Budget(calls=140))
    assert result.labels == 40 and result.interval[0] <= TRUTH <= result.interval[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"batch": []}, "no rows"),
        ({"batch": "rows.jsonl"}, "the batch is a str"),
        ({"proxy": [1, 2]}, "2 proxies for 400 rows"),
        ({"proxy": [float("nan")] * 400}, r"proxy\[0\] is nan"),
        ({"oracle": 3}, "the oracle is a int"),
        ({"budget": lp.Budget(dollars=3)}, "no calls"),
        ({"budget": lp.Budget(calls=1)}, "two are the fewest"),
        ({"budget": 100}, r"budget=100 is a int"),
        ({"score_range": (3, 1)}, "worst and the best"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_a_sentence(
    change: dict[str, Any], said: str
) -> None:
    usual = {"batch": BATCH, "proxy": guess, "oracle": truth, "budget": lp.Budget(calls=10)}
    with pytest.raises(InputError, match=said):
        lp.aggregate(**{**usual, **change})


def test_the_result_says_what_it_assumes() -> None:
    result = lp.aggregate(BATCH, guess, truth, lp.Budget(calls=100))
    assert "the oracle is right" in str(result) and "100 labels of 400 rows" in str(result)
