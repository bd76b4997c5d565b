"""How long prompts are, what they have in common, and which of two candidates is cheaper."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

import langprog as lp
from langprog.lm import Completion, Priced, Request, Usage
from optimizers import KNNDemos, LabeledFewShot, Optimizer
from optimizers.budget.forecast import ForecastInputs, StageForecast
from optimizers.evaluation.candidate import Candidate
from optimizers.evaluation.prompts import PromptMeter, PromptSize, price_query
from optimizers.identity import OPERATIONAL
from optimizers.run import Run
from tests.optimizers.simulated import answers, one_module, right_team, tickets

PRICE = lp.Price(input=10.0, output=20.0, cached_input=1.0)


def by_character(request: Request) -> Completion:
    """Count a token for each character, and answer in one word."""
    text = answers(base=2.0)(request)
    size = sum(len(message.text) for message in request.messages)
    return Completion((text,), "scripted/lm", Usage(size, 5))


def measure(program: lp.Module, examples: list[lp.Example]) -> dict[str, PromptSize]:
    meter = PromptMeter()
    with lp.using(lm=lp.ScriptedLM(by_character)):
        meter.add(lp.evaluate(program, examples, right_team).rows)
    return meter.sizes


def test_what_prompts_have_in_common_is_measured_from_the_beginning() -> None:
    program = one_module().with_parameters({"predict.demos": tickets(4, start=900)})
    size = measure(program, tickets(10))["predict"]
    with lp.using(lm=lp.ScriptedLM([])):
        first, second = (
            [message.text for message in program.render({"ticket": text})]
            for text in ("ticket 0", "ticket 1")
        )
    assert first[:-1] == second[:-1]
    shared = sum(map(len, first[:-1]))
    assert size.calls == 1 and size.reply == 5
    # The last message begins alike, too, up to the number of the ticket.
    assert shared < size.shared < size.tokens
    assert size.shared - shared < len(first[-1]) + 20


def test_a_single_call_shares_nothing() -> None:
    assert measure(one_module(), tickets(1))["predict"].shared == 0
    assert PromptMeter().sizes == {}


def test_demonstrations_per_input_share_less() -> None:
    fixed = one_module().with_parameters({"predict.demos": tickets(4, start=900)})
    nearest = lp.Predict(fixed.signature, nearest=lp.NearestDemos(tickets(40, start=900), k=4))
    share = {
        name: size.shared / size.tokens
        for name, program in (("fixed", fixed), ("nearest", nearest))
        for size in measure(program, tickets(12)).values()
    }
    assert share["nearest"] < share["fixed"]


def test_shared_tokens_are_charged_as_cached_ones() -> None:
    sizes = {"predict": PromptSize(2.0, 1000.0, 900.0, 10.0)}
    with lp.using(lm=Priced(lp.ScriptedLM([]), PRICE)):
        dollars, tokens = price_query(one_module(), sizes)
    assert dollars == pytest.approx(2 * (100 * 10 + 900 * 1 + 10 * 20) / 1e6)
    assert tokens == 2020
    with lp.using(lm=lp.ScriptedLM([])):
        assert price_query(one_module(), sizes) == (None, 2020)


FIXED = Candidate.of(one_module(), {"predict.demos": tuple(tickets(4, 950))}, "fixed")
NEAREST = Candidate.of(
    one_module(), {"predict.nearest": lp.NearestDemos(tickets(30, start=900), k=2)}, "nearest"
)


@dataclass(frozen=True, kw_only=True)
class Both(Optimizer):
    """Score two candidates that are equally good."""

    candidates: tuple[Candidate, ...] = field(metadata={OPERATIONAL: True})

    def forecast(self, facts: ForecastInputs) -> tuple[StageForecast, ...]:
        return ()

    async def search(self, run: Run) -> Candidate:
        await run.score_fully(self.candidates)
        return run.best


@pytest.mark.parametrize("priced", [False, True])
@pytest.mark.parametrize("candidates", [(FIXED, NEAREST), (NEAREST, FIXED)])
def test_of_equal_candidates_the_one_with_the_cheaper_prompts_wins(
    priced: bool, candidates: tuple[Candidate, ...]
) -> None:
    """By tokens, that is the shorter prompt; where cached ones cost less, one that shares more."""
    model = lp.ScriptedLM(by_character)
    with lp.using(lm=Priced(model, PRICE) if priced else model):
        result = Both(candidates=candidates).compile(
            one_module(), tickets(90), metric=right_team, seed=1
        )
    assert result.candidate.label == ("fixed" if priced else "nearest")


def test_the_input_program_wins_a_tie() -> None:
    shorter = Candidate.of(one_module(), {"predict.instruction": "?"})
    with lp.using(lm=lp.ScriptedLM(by_character)):
        result = Both(candidates=(shorter, Candidate(), shorter)).compile(
            one_module(), tickets(90), metric=right_team
        )
    assert result.candidate == Candidate()


def test_the_report_says_how_long_the_prompts_are(tmp_path: Path) -> None:
    with lp.using(lm=lp.ScriptedLM(by_character)):
        result = KNNDemos(k=(2, 4)).compile(
            one_module(), tickets(120), metric=right_team, accept="best"
        )
    before, after = (each["predict"] for each in result.report.prompts)
    assert 0 < before["shared_tokens"] < before["tokens"]
    facts = dict(result.report.facts())
    assert (
        f"{before['tokens']:,} tokens, {before['shared_tokens']:,} of them"
        in (facts["prompt of predict"])
    )
    result.report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "of them in every call" in page
    with lp.using(lm=lp.ScriptedLM(by_character)):
        unmeasured = LabeledFewShot(k=3).compile(one_module(), tickets(90), metric=right_team)
    assert "not measured" in dict(unmeasured.report.facts())["prompt of predict"]
