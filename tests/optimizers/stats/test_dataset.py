"""Scores of a whole data set: macro F1, Matthews correlation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import langprog as lp
from langprog.errors import InputError, MetricError
from langprog.evaluation import DatasetMetric, exact, macro_f1, matthews
from optimizers import LabeledFewShot, LLMSelector
from optimizers.evaluation.scoring import Scoring
from optimizers.stats.certificate import Certificate
from optimizers.stats.certify import Holdout, certify
from optimizers.stats.terms import Terms

PROGRAM = lp.Predict("x -> team")
# One rare class among many rows of a frequent one.
ROWS = [lp.Example(x=f"row {n}.", team="rare" if n % 5 == 0 else "usual") for n in range(40)]


def answering(name: str, knows_rare: bool) -> lp.ScriptedLM:
    def reply(request: lp.Request) -> str:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        return f"[[team]]\n{'rare' if knows_rare and number % 5 == 0 else 'usual'}"

    return lp.ScriptedLM(reply, name=name)


def examine(metric: DatasetMetric, before: bool, after: bool) -> Certificate:
    second = answering("m/after", after)
    with lp.using(lm=answering("m/before", before), models=[second]):
        found, _ = asyncio.run(
            certify(
                PROGRAM,
                PROGRAM.with_parameters({"predict.model": second}),
                Holdout(ROWS, [row.x for row in ROWS]),
                Scoring(metric),
                Terms(),
                concurrency=8,
            )
        )
    return found


@pytest.fixture(scope="module")
def gain() -> Certificate:
    """What is found of a program that learned the rare class."""
    return examine(macro_f1("team"), before=False, after=True)


def test_macro_f1_weighs_classes_alike(gain: Certificate) -> None:
    found = gain
    assert found.before is not None and found.after is not None
    assert found.after.mean == 1.0 and found.before.mean == pytest.approx(0.4444, abs=1e-3)
    assert (found.verdict, found.finding) == ("certified", "better")
    assert found.p_value < 0.01 and "approximate" in found.reason
    assert [claim.name for claim in found.claims] == ["better", "worse"]


def test_a_loss_and_a_tie_are_told_apart() -> None:
    assert examine(macro_f1("team"), before=True, after=False).finding == "worse"
    assert examine(matthews("team"), before=True, after=True).finding == "cannot tell"


def prediction(team: str) -> lp.Prediction:
    return lp.Prediction(team=team)


def test_scores_are_those_of_the_definition() -> None:
    wanted, given = "aaabbc", "aabbba"
    rows = [(lp.Example(team=w), prediction(g)) for w, g in zip(wanted, given, strict=True)]
    # a: 2 of 3 and 3; b: 2 of 2 and 3; c: none.
    assert macro_f1("team").score_rows(rows) == pytest.approx((4 / 6 + 4 / 5 + 0) / 3)
    sklearn = pytest.importorskip("sklearn.metrics")
    assert matthews("team").score_rows(rows) == pytest.approx(
        sklearn.matthews_corrcoef(list(wanted), list(given))
    )
    assert matthews("team").score_rows(rows[:3]) == 0.0
    failed = [(lp.Example(team="a"), None), (lp.Example(team="b"), prediction("b"))]
    assert macro_f1("team").score_rows(failed) == 0.5


def test_a_search_is_steered_by_rows_and_certified_by_the_set() -> None:
    @lp.dataset_metric(row=exact("team"))
    def worst(rows):
        classes = {example.team for example, _ in rows}
        right = {
            team: [p is not None and p.team == team for e, p in rows if e.team == team]
            for team in classes
        }
        return min(sum(hits) / len(hits) for hits in right.values())

    with lp.using(lm=answering("m/one", False)):
        compiled = LabeledFewShot(k=2).compile(PROGRAM, ROWS, metric=worst, accept="best")
    assert compiled.certificate.before is not None and compiled.certificate.before.mean == 0.0
    assert compiled.report.evidence.metric.endswith("worst")


def test_nothing_is_shown_to_be_not_worse() -> None:
    with lp.using(lm=answering("m/one", False)):
        with pytest.raises(InputError, match="a score of the whole data set"):
            LLMSelector(models=["m/one"], objective="cost").compile(
                PROGRAM, ROWS, metric=macro_f1("team")
            )


def test_a_score_that_is_no_number_is_an_error() -> None:
    broken = DatasetMetric(lambda rows: float("nan"), exact("team"), name="broken")
    with pytest.raises(MetricError, match="broken must return a finite number"):
        examine(broken, before=True, after=True)


@pytest.mark.parametrize("metric", [macro_f1("y"), matthews("y"), exact("y")])
@pytest.mark.parametrize(
    ("kind", "labels", "replies"),
    [
        ("bool", ["true", "FALSE"], ["true", "false"]),
        ("float", ["7", "2.50"], ["7", "2.5"]),
        ("int", ["7", "08"], ["7", "8"]),
        ("str", ["billing ", "Network"], ["Billing", "network"]),
    ],
)
def test_labels_of_a_file_equal_those_of_replies(
    metric: Any, kind: str, labels: list[str], replies: list[str]
) -> None:
    def reply(request: lp.Request) -> str:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        return f"[[y]]\n{replies[number % 2]}"

    rows = [lp.Example(x=f"row {n}.", y=labels[n % 2]) for n in range(10)]
    report = lp.evaluate(lp.Predict(f"x -> y: {kind}"), rows, metric, lm=lp.ScriptedLM(reply))
    assert report.mean == 1.0


def test_a_metric_may_sort_its_rows_without_a_mark() -> None:
    @lp.dataset_metric(row=exact("team"))
    def share_right(rows: Any) -> float:
        rows.sort(key=id)
        right = sum(example.team == prediction.team for example, prediction in rows)
        rows.clear()
        return right / len(ROWS)

    found = examine(share_right, before=False, after=True)
    assert found.difference == pytest.approx(0.2) and found.verdict == "certified"


def test_the_sentence_claims_no_bound_that_was_not_tested(gain: Certificate) -> None:
    assert "at least" not in gain.reason and f"(p = {gain.p_value:.2g})" in gain.reason
