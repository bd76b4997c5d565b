"""What ships, and what the sentence that says why claims."""

from __future__ import annotations

import asyncio

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.evaluation import Claims, PairedScores, check_claims
from langprog.lm import Cost
from optimizers import BootstrapFewShot, LabeledFewShot
from optimizers.evaluation.scoring import Scoring
from optimizers.stats.certificate import Certificate
from optimizers.stats.certify import Holdout, certify
from optimizers.stats.terms import Terms
from optimizers.stats.verdict import decide_verdict
from tests.optimizers.simulated import answers, one_module, right_team, tickets


def won(count: int, level: float) -> Claims:
    return check_claims(PairedScores([0.0] * count, [1.0] * count), level=level)


@pytest.mark.parametrize(
    ("attempt", "said"), [(1, "96 %"), (2, "99.66 %"), (3, "99.83 %"), (20, "99.9952 %")]
)
def test_the_confidence_is_that_of_the_attempt(attempt: int, said: str) -> None:
    terms = Terms(attempt=attempt)
    verdict, reason = decide_verdict(won(40, terms.level), terms, (), False, (Cost(), Cost()))
    assert verdict == "certified" and f"({said} confidence)" in reason


def certify_itself(metric: object) -> Certificate:
    program = lp.Predict("x -> y")
    examples = [lp.Example(x=f"row {n}") for n in range(30)]
    with lp.using(lm=lp.ScriptedLM(lambda request: "[[y]]\na")):
        found, _ = asyncio.run(
            certify(
                program,
                program,
                Holdout(examples, [example.x for example in examples]),
                Scoring(metric),  # type: ignore[arg-type]  # see the tests
                Terms(),
                concurrency=1,
            )
        )
    return found


def test_a_program_is_not_better_than_itself_however_its_metric_wavers() -> None:
    seen: dict[str, int] = {}

    def first_run_fails(example: lp.Example, prediction: lp.Prediction) -> float:
        seen[example.x] = seen.get(example.x, 0) + 1
        return float(seen[example.x] > 1)

    found = certify_itself(first_run_fails)
    assert (found.verdict, found.finding, found.claims) == ("original", "cannot tell", ())
    assert found.p_value == 1.0 and "nothing better than the program as it is" in found.reason


@pytest.mark.parametrize("how", ["compile", "estimate"])
def test_a_tolerance_that_nothing_could_exceed_is_refused_before_anything_is_paid(
    how: str,
) -> None:
    lm = lp.ScriptedLM(answers())
    optimizer = LabeledFewShot(objective="cost", tolerance=1.0)
    with lp.using(lm=lm), pytest.raises(InputError, match="lie between 0 and 1.*give less than 1"):
        getattr(optimizer, how)(one_module(), tickets(60), metric=right_team)
    assert lm.calls == 0


def test_without_a_run_dir_the_certificate_does_not_count_attempts_and_says_so() -> None:
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = BootstrapFewShot().compile(one_module(), tickets(60), metric=right_team)
    notes = [note.text for note in compiled.report.notes]
    assert any("attempts on this holdout are not counted" in note for note in notes)
