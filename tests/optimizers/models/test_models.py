"""Which model each module asks: assignments, objectives, and what nothing else beats."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import langprog as lp
from langprog.errors import InputError, ModelError
from langprog.lm import Request
from optimizers import (
    MIPRO,
    Chain,
    Compiler,
    Demonstrating,
    FrugalCascade,
    LabeledFewShot,
    LLMSelector,
    ModelRouter,
    Optimizer,
    Searching,
    VoteSize,
)
from tests.optimizers.simulated import (
    all_right,
    answers,
    field,
    one_module,
    right_team,
    team_of,
    tickets,
    two_modules,
    unit,
)

SKILLS = {"cheap": {"team": 0.9, "urgent": 0.4}, "dear": {"team": 0.6, "urgent": 0.95}}


def skilled(name: str, price: float, skills: dict[str, float] | None = None) -> lp.ScriptedLM:
    """Return a model that is good at some modules; it marks its answers with a price."""
    known = skills or SKILLS[name]

    def reply(request: Request) -> str:
        system, last = request.messages[0].content, request.messages[-1].content
        for asked in ("instruction", "summary"):
            if f"[[{asked}]]" in system.splitlines()[-1]:
                return f"[[{asked}]]\nRead the ticket with care."
        if "[[right]]" in system:
            said = last.split("[[outputs]]")[1]
            wanted = last.split("[[wanted]]")[1]
            right = said.split(": ")[1].split("\n")[0] in wanted
            return f"[[right]]\n{'true' if right else 'false'}"
        ticket = field(last, "ticket")
        module = "urgent" if "[[urgent]]" in system else "team"
        right = unit(ticket, module, name) < known[module]
        if module == "urgent":
            return f"[[urgent]]\n{'true' if (' now' in ticket) == right else 'false'}"
        team = team_of(ticket)
        return f"[[team]]\n{team if right else 'billing' if team != 'billing' else 'network'}"

    return lp.ScriptedLM(reply, name=f"scripted/{name}", dollars=price / 1000)


def compiled(optimizer, start: lp.ScriptedLM, **options):
    with lp.using(lm=start):
        return optimizer.compile(
            two_modules(), tickets(240), metric=all_right, accept="best", **options
        )


def assignment(result) -> dict[str, str]:
    return {
        path: str(each.model).removeprefix("scripted/")
        for path, each in result.candidate.apply(result.program).predictors().items()
    }


@pytest.mark.parametrize("exhaustive", [1, 4])
@pytest.mark.parametrize("blend", [0.0, 0.5])
def test_the_best_assignment_is_mixed_and_found(exhaustive: int, blend: float) -> None:
    dear, cheap = skilled("dear", 10), skilled("cheap", 1)
    selector = LLMSelector(models=[cheap], exhaustive=exhaustive, blend=blend, diagnoser=cheap)
    result = compiled(selector, dear)
    assert assignment(result) == {"team": "cheap", "urgent": "dear"}
    assert result.certificate.verdict == "certified"


def test_climbing_takes_calls_linear_in_the_modules() -> None:
    names = [f"m{number}" for number in range(5)]
    models = [
        skilled(name, 1, {"team": 0.5 + 0.08 * i, "urgent": 0.9 - 0.08 * i})
        for i, name in enumerate(names)
    ]
    few = compiled(LLMSelector(models=models[1:], rounds=1), models[0])
    all_of_them = compiled(LLMSelector(models=models[1:], exhaustive=25), models[0])
    assert assignment(few) == assignment(all_of_them) == {"team": "m4", "urgent": "m0"}
    asked = [each.report.evidence.searched.calls for each in (few, all_of_them)]
    assert asked[0] < 0.6 * asked[1]


def test_a_model_that_is_clearly_worse_meets_only_the_first_examples() -> None:
    dear = skilled("dear", 10, {"team": 0.9, "urgent": 0.9})
    poor = skilled("poor", 1, {"team": 0.9, "urgent": 0.1})
    result = compiled(LLMSelector(models=[poor], exhaustive=1), dear)
    asked = ["[[urgent]]" in request.messages[0].content for request in poor.requests]
    examples = {request.messages[-1].content for request in poor.requests}
    assert assignment(result)["urgent"] == "dear"
    assert sum(asked) == 24 < len(examples)


def test_for_cost_every_module_gets_the_cheapest_model_that_will_do() -> None:
    dear = skilled("dear", 10, {"team": 0.95, "urgent": 0.95})
    middle = skilled("middle", 3, {"team": 0.95, "urgent": 0.95})
    cheap = skilled("cheap", 1, {"team": 0.95, "urgent": 0.3})
    chosen = LLMSelector(models=[middle, cheap], exhaustive=1, objective="cost", tolerance=0.1)
    result = compiled(chosen, dear)
    assert assignment(result) == {"team": "cheap", "urgent": "middle"}
    assert "cheaper" in result.certificate.reason


def test_after_its_rounds_the_flagship_assigns_models_with_a_share_of_its_own() -> None:
    dear, cheap = skilled("dear", 10), skilled("cheap", 1)
    result = compiled(Compiler(models=[cheap]), dear, budget=lp.Budget(calls=1200))
    said = [each["what"] for each in result.report.decisions]
    assert "llmselector.trial" in said
    assert assignment(result) == {"team": "cheap", "urgent": "dear"}
    low, high = result.report.estimate["calls"]
    assert low / 1.5 <= result.report.requested.calls <= 1.5 * high


def test_for_cost_the_flagship_takes_out_demonstrations_that_bring_little() -> None:
    def reply(request: Request) -> lp.lm.Completion:
        """Answer better with demonstrations, much better for a team; longer prompts cost more."""
        system, last = request.messages[0].content, request.messages[-1].content
        shown = min(6, sum(message.role == "assistant" for message in request.messages))
        ticket = field(last, "ticket")
        if "[[urgent]]" in system:
            right = unit(ticket, "urgent") < 0.8 + 0.02 * shown
            text = f"[[urgent]]\n{'true' if (' now' in ticket) == right else 'false'}"
        else:
            team = team_of(ticket) if unit(ticket) < 0.5 + 0.07 * shown else "network"
            text = f"[[team]]\n{team}"
        length = sum(len(message.content) for message in request.messages)
        return lp.lm.Completion((text,), "scripted/lm", dollars=length / 1e6)

    changed = {}
    for objective in ("quality", "cost"):
        search = Compiler(objective=objective, tolerance=0.08, rounds=1)
        changed[objective] = set(compiled(search, lp.ScriptedLM(reply)).candidate.parameters)
    assert changed["quality"] >= {"team.demos", "urgent.demos"}
    assert "team.demos" in changed["cost"] and "urgent.demos" not in changed["cost"]


@pytest.mark.parametrize("member", [LLMSelector, partial(Compiler, rounds=1)])
def test_a_cheaper_program_that_is_about_as_good_is_certified_as_that(
    member: Callable[..., Optimizer],
) -> None:
    dear = skilled("dear", 10, {"team": 0.9, "urgent": 0.9})
    cheap = skilled("cheap", 1, {"team": 0.9, "urgent": 0.9})
    result = compiled(
        member(models=[cheap], objective="cost", tolerance=0.15),
        dear,
        budget=lp.Budget(calls=1500),
    )
    assert assignment(result) == {"team": "cheap", "urgent": "cheap"}
    certificate = result.certificate
    assert certificate.verdict == "certified" and "cheaper" in certificate.reason
    assert certificate.ratios["dollars"] == pytest.approx(0.1, rel=0.01)
    assert certificate.low >= -0.15


def test_a_cheaper_program_that_is_worse_is_not() -> None:
    dear = skilled("dear", 10, {"team": 0.9, "urgent": 0.9})
    cheap = skilled("cheap", 1, {"team": 0.5, "urgent": 0.5})
    with lp.using(lm=dear):
        result = LLMSelector(models=[cheap], objective="cost", tolerance=0.05).compile(
            two_modules(), tickets(240), metric=all_right
        )
    assert result.certificate.verdict == "original"
    assert {str(each.model) for each in result.program.predictors().values()} == {"scripted/dear"}


def test_the_front_holds_what_nothing_else_beats(tmp_path: Path) -> None:
    dear, cheap = skilled("dear", 10), skilled("cheap", 1)
    result = compiled(LLMSelector(models=[cheap], exhaustive=4), dear)
    front = result.front
    assert [each.quality.mean for each in front] == sorted(
        (each.quality.mean for each in front), reverse=True
    )
    assert [each.cost.dollars for each in front] == sorted(
        (each.cost.dollars for each in front), reverse=True
    )
    assert len(front) >= 2 and front[0].candidate == result.candidate
    for each, other in itertools.permutations(front, 2):
        assert not each.beats(other)
    digest = front[-1].save(tmp_path / "front.json")
    assert digest.startswith("sha256:")
    with lp.using(models=[dear, cheap]):
        loaded = lp.load(tmp_path / "front.json")
        assert loaded(ticket="my invoice now").team in ("billing", "network", "accounts")


def test_mipro_chooses_models_together_with_the_rest() -> None:
    dear, cheap = skilled("dear", 10), skilled("cheap", 1)
    search = MIPRO(
        models=[cheap],
        instructions=0,
        demonstrating=Demonstrating(sets=0),
        searching=Searching(trials=3, finalists=3),
    )
    assert assignment(compiled(search, dear)) == {"team": "cheap", "urgent": "dear"}


def test_a_model_that_cannot_be_read_loses_there_and_nowhere_else() -> None:
    def mute_on_urgency(request: Request) -> str:
        if "[[urgent]]" in request.messages[0].content:
            return "[[nothing]]"
        return f"[[team]]\n{team_of(field(request.messages[-1].content, 'ticket'))}"

    dear = skilled("dear", 10)
    half = lp.ScriptedLM(mute_on_urgency, name="scripted/half", dollars=0.001)
    assert assignment(compiled(LLMSelector(models=[half]), dear)) == {
        "team": "half",
        "urgent": "dear",
    }


@pytest.mark.parametrize(
    "knobs",
    [{"models": []}, {"models": "pocket/small"}, {"models": ["a/b"], "blend": 2.0}],
)
def test_wrong_knobs_are_refused(knobs: dict[str, object]) -> None:
    with pytest.raises(InputError):
        LLMSelector(**knobs)
    with pytest.raises(InputError, match="objective"):
        MIPRO(objective="speed")
    with pytest.raises(InputError, match="tolerance"):
        MIPRO(tolerance=-1.0)


def test_a_missing_price_is_asked_for_where_cost_counts() -> None:
    dear = skilled("dear", 10)
    free = lp.ScriptedLM(answers(), name="scripted/unpriced", dollars=None)
    with pytest.raises(ModelError, match="no price is known for scripted/unpriced"):
        compiled(LLMSelector(models=[free], objective="cost"), dear)


def test_the_forecast_knows_when_all_are_tried() -> None:
    with lp.using(lm=lp.ScriptedLM(answers())):
        few = LLMSelector(models=[skilled("cheap", 1)], exhaustive=4).estimate(
            two_modules(), tickets(90), metric=all_right
        )
    assert few.candidates.high == 3


# --- votes and cascades in one search with everything else ---------------------------------------


def sampled(right: float) -> lp.ScriptedLM:
    """Return a model that is right in so many of its samples."""

    def reply(request: Request) -> str:
        ticket = field(request.messages[-1].content, "ticket")
        team = team_of(ticket)
        lucky = unit(ticket, str(request.sampling.seed)) < right
        wrong = "billing" if team != "billing" else "network"
        return f"[[team]]\n{team if lucky else wrong}"

    return lp.ScriptedLM(reply)


def test_mipro_chooses_how_many_samples_a_vote_takes() -> None:
    search = MIPRO(instructions=0, demonstrating=Demonstrating(sets=0))
    program = lp.Vote(one_module(), k=1)
    with lp.using(lm=sampled(0.75)):
        result = search.compile(program, tickets(240), metric=right_team)
    assert result.candidate.parameters["program.k"] in (5, 9)
    assert result.certificate.verdict == "certified"
    assert result.program.k == result.candidate.parameters["program.k"]


def test_mipro_chooses_the_tiers_of_a_cascade() -> None:
    cascade = lp.Cascade.over(one_module(), ["scripted/weak", "scripted/strong"])
    start = cascade.with_parameters({"program.tiers": [[0, None]]})
    search = MIPRO(instructions=0, demonstrating=Demonstrating(sets=0))
    models = [
        skilled("weak", 1, {"team": 0.5}),
        skilled("strong", 9, {"team": 0.95}),
    ]
    with lp.using(models=models, lm=models[0]):
        start = start.with_parameters({"program.signal": {"signal": "agreement", "k": 2}})
        result = search.compile(start, tickets(240), metric=right_team)
    assert result.candidate.parameters["program.tiers"] == [[1, None]]


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (FrugalCascade(), "no Cascade"),
        (ModelRouter(), "no Route"),
        (VoteSize(), "no Vote"),
        (Chain(LabeledFewShot(), VoteSize()), "no Vote"),
    ],
)
def test_a_program_with_nothing_to_set_is_refused_before_a_call(
    member: Optimizer, words: str
) -> None:
    asked = lp.ScriptedLM(["[[team]]\nharbor"])
    for act in (member.estimate, member.compile):
        with lp.using(lm=asked), pytest.raises(InputError, match=words):
            act(one_module(), tickets(60), metric=right_team)
    assert not asked.requests
