"""The holdout is used once, after the search, by the certificate alone."""

from __future__ import annotations

import langprog as lp
from optimizers import BootstrapRandomSearch, StageStarted
from tests.optimizers.simulated import answers, one_module, right_team, tickets


def test_no_row_of_the_holdout_is_seen_before_the_certificate() -> None:
    seen: set[str] = set()
    certified: set[str] = set()
    stages: list[str] = []

    def watch(event: object) -> None:
        if isinstance(event, StageStarted):
            stages.append(event.stage)

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        (certified if "certify" in stages else seen).add(example.ticket)
        return right_team(example, prediction)

    rows = tickets(60)
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = BootstrapRandomSearch(sets=3).compile(
            one_module(), rows, metric=metric, accept="best", progress=watch
        )
    assert len(certified) == 18 and not seen & certified
    shown = {demo.ticket for demo in compiled.program.predictors()["predict"].demos}
    assert shown and not shown & certified
