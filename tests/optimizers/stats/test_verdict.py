"""What ships, and what the sentence that says why claims."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

import langprog as lp
from langprog.errors import InputError, ServerError
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


def test_without_a_run_dir_only_the_lineage_counts_attempts_and_a_note_says_so() -> None:
    with lp.using(lm=lp.ScriptedLM(answers())):
        compiled = BootstrapFewShot().compile(one_module(), tickets(60), metric=right_team)
    notes = [note.text for note in compiled.report.notes]
    assert any("counted in the lineage of the program alone" in note for note in notes)


def certify_lossy(
    lost: set[int], *, count: int = 20, repeats: int = 1, accept: str = "certified", must: int = 0
) -> tuple[Certificate, object]:
    """Certify a gain on every row, where the new model is not reached on some."""

    def reply(request: lp.Request) -> str | Exception:
        number = int(str(request.messages[-1].content).rpartition("row ")[2].partition(".")[0])
        return ServerError("503", model="m/after") if number in lost else "[[y]]\n1"

    before, after = lp.ScriptedLM(lambda request: "[[y]]\n0"), lp.ScriptedLM(reply, name="m/after")
    program = lp.Predict("x -> y: int")
    examples = [lp.Example(x=f"row {n}.", y=1) for n in range(count)]
    with lp.using(lm=before, models=[after]):
        return asyncio.run(
            certify(
                program,
                program.with_parameters({"predict.model": after}),
                Holdout(examples, [each.x for each in examples], examples[:must]),
                Scoring(lambda example, prediction: float(prediction.y)),
                Terms(repeats=repeats, accept=accept),  # type: ignore[arg-type]  # one of both
                concurrency=4,
            )
        )


def test_an_example_that_must_pass_and_was_not_reached_is_named_as_such() -> None:
    found, _ = certify_lossy({2}, must=3)
    assert found.verdict == "original" and found.must_pass[0] == 3
    assert "does not pass 1 of the examples that must pass" in found.reason
    assert "without a score: transport" in found.reason


def test_what_ships_without_evidence_says_that_must_pass_was_not_run() -> None:
    found, _ = certify_lossy(set(), count=4, accept="best", must=3)
    assert found.verdict == "uncertified"
    assert found.reason.endswith("The 3 examples that must pass were not run")


def test_with_repeats_the_rows_are_those_of_the_first_run() -> None:
    found, pairs = certify_lossy({3}, repeats=2)
    names = [before.example.x for before, _ in pairs]  # type: ignore[attr-defined]  # pairs of rows
    assert len(names) == len(set(names)) == 19 == found.rows
    assert found.missing == 2 and found.verdict == "certified"


def test_a_later_attempt_is_named_in_the_sentence() -> None:
    found, _ = certify_lossy(set())
    assert "attempt" not in str(found) and "(attempt 3)" in str(replace(found, attempt=3))
    assert ("holdout", "20 examples with 20 distinct inputs") in found.facts()


@pytest.mark.parametrize(
    ("objective", "said"),
    [
        ("cost", "In total it costs more, 10.1 times as much: a few queries are much dearer."),
        (
            "latency",
            "In total it takes longer, 10.1 times as long: a few queries are much slower.",
        ),
    ],
)
@pytest.mark.parametrize("outliers", [True, False])
def test_less_on_most_queries_and_more_in_total_is_said(
    objective: str, said: str, outliers: bool
) -> None:
    def model(name: str, usual: float, rare: float) -> lp.ScriptedLM:
        def reply(request: lp.Request) -> lp.Completion:
            rarely = "0." in str(request.messages[-1].content)
            spent = rare if outliers and rarely else usual
            return lp.Completion(("[[y]]\n1",), name, dollars=spent, latency=spent)

        return lp.ScriptedLM(reply, name=name)

    before, after = model("m/before", 1.0, 1.0), model("m/after", 0.1, 100.0)
    program = lp.Predict("x -> y: int")
    examples = [lp.Example(x=f"row {n}.", y=1) for n in range(100)]
    with lp.using(lm=before, models=[after]):
        found, _ = asyncio.run(
            certify(
                program,
                program.with_parameters({"predict.model": after}),
                Holdout(examples, [each.x for each in examples]),
                Scoring(lambda example, prediction: float(prediction.y)),
                Terms(objective=objective, tolerance=0.1),  # type: ignore[arg-type]  # one of both
                concurrency=4,
            )
        )
    assert found.verdict == "certified", found.reason
    assert found.reason.endswith(said) is outliers and ("In total" in found.reason) is outliers
