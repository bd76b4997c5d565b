"""The rounds of the default optimizer share its budget."""

from __future__ import annotations

import langprog as lp
from optimizers import Compiler, Structuring
from tests.optimizers.simulated import answers, one_module, right_team, tickets


def test_rounds_keep_enough_rows_to_choose_by() -> None:
    with lp.using(lm=lp.ScriptedLM(answers(base=0.2, per_prompt=0.6))):
        result = Compiler(structuring=Structuring(share=0)).compile(
            one_module(), tickets(400), metric=right_team, budget=lp.Budget(calls=1600), seed=1
        )
    said = [(each["what"], each["data"]) for each in result.report.decisions]
    rounds = [data["number"] for what, data in said if what == "round"]
    assert rounds == list(range(len(rounds))) and len(rounds) >= 2
    rows = {what.partition(".")[0]: data["n"] for what, data in said if what.endswith(".best")}
    assert len(rows) == len(rounds) and min(rows.values()) >= 45
    assert result.certificate.verdict == "certified"
