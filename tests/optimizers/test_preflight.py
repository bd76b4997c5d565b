"""What is said before a compile starts: calls, dollars, what can be seen, whether to start."""

from __future__ import annotations

import json
import math
import random

import pytest

import langprog as lp
from langprog.evaluation import sign_flip_p
from optimizers import MIPRO, Estimated, LabeledFewShot
from optimizers.budget.forecast import Range, StageForecast, cut_to_budget
from optimizers.preflight import estimate_cost_from_prompts, find_detectable_gain
from tests.optimizers.simulated import answers, one_module, right_team, tickets, two_modules


def estimate(model: lp.ScriptedLM, **options):
    with lp.using(lm=model):
        return MIPRO().estimate(one_module(), tickets(200), metric=right_team, **options)


def test_the_probe_runs_a_few_validation_examples_twice() -> None:
    model = lp.ScriptedLM(answers(base=0.6, per_prompt=0.0))
    found = estimate(model)
    assert found.probe is not None
    assert found.probe.score.n == 12 and found.probe.requested.calls == model.calls == 24
    assert found.probe.right == found.probe.score.mean
    assert found.probe.steady == 1.0


def test_scores_that_change_when_sampled_again_are_seen() -> None:
    rng = random.Random(0)
    model = lp.ScriptedLM(lambda _: f"[[team]]\n{rng.choice(('billing', 'network'))}")
    found = estimate(model)
    assert found.probe is not None and found.probe.steady < 1.0


def test_dollars_follow_the_price_and_are_unknown_without_one() -> None:
    model = lp.ScriptedLM(answers())
    assert estimate(model).dollars is None
    priced = lp.LM("pocket/small", price=lp.Price(input=10.0, output=10.0))
    dear = lp.LM("pocket/small", price=lp.Price(input=20.0, output=20.0))
    with lp.using(lm=priced):
        one, known = estimate_cost_from_prompts(two_modules(), tickets(12))
    with lp.using(lm=dear):
        two, _ = estimate_cost_from_prompts(two_modules(), tickets(12))
    assert known and one.calls == 2
    assert two.dollars == pytest.approx(2 * one.dollars) and one.dollars > 0


@pytest.mark.parametrize(("rows", "share"), [(60, 0.4), (200, 0.15)])
def test_a_detectable_gain_is_detected_about_as_often_as_said(rows: int, share: float) -> None:
    gain = find_detectable_gain(rows, share * (1 - share))
    # Paired scores of 0 and 1 whose difference has the variance that is assumed.
    spread = share * (1 - share)
    won, lost = (spread + gain * gain + gain) / 2, (spread + gain * gain - gain) / 2
    rng = random.Random(rows)
    seen = 0
    for _ in range(300):
        draws = [rng.random() for _ in range(rows)]
        pairs = [1.0 if one < won else -1.0 if one < won + lost else 0.0 for one in draws]
        seen += sign_flip_p(pairs) <= 0.05
    assert 0.68 <= seen / 300 <= 0.9


def test_one_row_detects_nothing() -> None:
    assert math.isinf(find_detectable_gain(1, 0.25))


def test_a_budget_cuts_the_work_from_the_end() -> None:
    works = [
        StageForecast("prepare", Range(10, 10)),
        StageForecast("search", Range(20, 40), candidates=Range(4, 8)),
        StageForecast("final", Range(5, 5)),
    ]
    cut = cut_to_budget(works, 30)
    assert [one.queries for one in cut] == [Range(10, 10), Range(20, 20), Range(0, 0)]
    assert cut[1].candidates == Range(2, 4)


def test_a_late_stage_that_gets_nothing_in_the_dear_course_is_said_the_right_way_round() -> None:
    works = [StageForecast("search", Range(10, 40)), StageForecast("final", Range(5, 20))]
    early, late = cut_to_budget(works, 40)
    assert (str(early.queries), str(late.queries)) == ("10 to 40", "0 to 5")
    found = estimate(lp.ScriptedLM(answers()), budget=lp.Budget(calls=700))
    ends = [one["calls"] for one in found.to_json()["stages"]]
    assert all(low <= high for low, high in ends)


def test_every_compile_says_what_it_expects_before_it_asks() -> None:
    model = lp.ScriptedLM(answers())
    said: list[tuple[int, object]] = []

    class Watch:
        def on(self, event: object, /) -> None:
            said.append((model.calls, event))

    with lp.using(lm=model):
        result = LabeledFewShot().compile(
            one_module(), tickets(90), metric=right_team, progress=Watch()
        )
    calls, event = next(one for one in said if isinstance(one[1], Estimated))
    assert calls == 0 and event.calls[0] <= result.report.paid.calls <= event.calls[1]
    assert any("holdout" in line for line in event.lines)
    assert json.dumps(result.report.to_json()["estimate"])


def test_a_detectable_gain_is_on_the_scale_of_the_metric() -> None:
    grade = lp.metric(range=(1, 5))(lambda example, prediction: 1 + 4 * (example == prediction))
    events: list[Estimated] = []

    def watch(event: object) -> None:
        if isinstance(event, Estimated):
            events.append(event)

    with lp.using(lm=lp.ScriptedLM(answers())):
        for metric in (right_team, grade):
            LabeledFewShot().compile(one_module(), tickets(60), metric=metric, progress=watch)
    unit, graded = (event.detectable for event in events)
    assert graded == pytest.approx(4 * unit)
