from __future__ import annotations

import langprog as lp
from langprog.evaluation import all_of, exact, numeric
from optimizers import MIPRO, Searching
from optimizers.identity import describe_knobs, metric_digest, program_digest
from tests.optimizers.simulated import one_module, right_team, tickets, two_modules


def test_metrics_are_told_apart_by_what_they_compute() -> None:
    def lenient(limit: float):
        return lambda example, prediction: example.x > limit

    metrics = [
        exact("a"),
        exact("b"),
        all_of(exact("a")),
        all_of(exact("b")),
        numeric("a", tolerance=0.1),
        numeric("a", tolerance=0.2),
        right_team,
        lenient(0.1),
        lenient(0.2),
        lambda example, prediction: example.a == prediction.a,
        lambda example, prediction: example.a != prediction.a,
    ]
    assert len({metric_digest(one) for one in metrics}) == len(metrics)
    assert metric_digest(exact("a")) == metric_digest(exact("a"))
    assert metric_digest(lenient(0.1)) == metric_digest(lenient(0.1))


def test_programs_are_told_apart_by_what_they_do() -> None:
    bare = one_module()
    shown = bare.with_parameters({"predict.demos": tuple(tickets(2))})
    worded = bare.with_parameters({"predict.instruction": "Decide."})
    cool = bare.with_parameters({"predict.sampling": lp.Sampling(temperature=0.5)})
    programs = [bare, shown, worded, cool, two_modules()]
    assert len({program_digest(one) for one in programs}) == len(programs)
    assert program_digest(one_module()) == program_digest(bare)


def test_knobs_leave_out_what_changes_only_the_speed() -> None:
    one = MIPRO(models=[lp.ScriptedLM(["x"], name="scripted/a")], concurrency=3)
    two = MIPRO(models=["scripted/a"], concurrency=64)
    assert describe_knobs(one) == describe_knobs(two)
    assert describe_knobs(one) != describe_knobs(MIPRO(searching=Searching(trials=3)))
