"""What a compile hands back asks the models, with the sampling, that it was certified with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.errors import ArtifactError, InputError, ModelError
from langprog.evaluation import judged
from optimizers import (
    GEPA,
    MIPRO,
    BootstrapFewShot,
    Chain,
    Compiler,
    Demonstrating,
    LabeledFewShot,
    LLMSelector,
    Optimizer,
    Proposing,
    Searching,
)
from optimizers.identity import program_digest
from tests.optimizers.simulated import all_right, answers, right_team, tickets, two_modules

URL = "http://127.0.0.1:{}/v1"


def scripted(name: str, base: float = 0.3, **options: Any) -> lp.ScriptedLM:
    return lp.ScriptedLM(answers(base=base), name=name, **options)


@pytest.mark.parametrize(
    "member",
    [
        lambda models: LLMSelector(models=models),
        lambda models: LLMSelector(models=models, exhaustive=1),
        lambda models: MIPRO(
            models=models,
            instructions=0,
            demonstrating=Demonstrating(sets=0),
            searching=Searching(trials=3),
        ),
        lambda models: Chain(LabeledFewShot(), LLMSelector(models=models)),
    ],
)
def test_what_ships_asks_the_very_objects_that_were_offered(member: Any, tmp_path: Path) -> None:
    weak, strong = scripted("twin/weak", 0.2), scripted("twin/strong", 0.95)
    with lp.using(lm=weak):
        result = member([strong]).compile(
            two_modules(), tickets(120), metric=all_right, accept="best", run_dir=tmp_path
        )
    assert {each.model.lm for each in result.program.predictors().values()} == {strong}
    assert {
        each.model.lm for point in result.front for each in point.program.predictors().values()
    } <= {weak, strong}
    asked = strong.calls
    stranger = scripted("twin/strong", 0.0)
    with lp.using(lm=stranger):
        result.program(ticket=tickets(150)[140].ticket)
    result.program(ticket=tickets(150)[141].ticket)
    assert strong.calls > asked and not stranger.calls
    json.dumps(result.report.to_json())
    names = {"team.model": strong.name, "urgent.model": strong.name}
    assert names.items() <= result.candidate.to_json().items()


def test_the_sampling_of_the_compile_goes_with_the_program(tmp_path: Path) -> None:
    defaults = lp.Sampling(temperature=0.4, max_tokens=77, seed=3)
    model = scripted("house/model", defaults=defaults)
    program = lp.Pipeline(
        team=lp.Predict("ticket -> team", temperature=0.0),
        urgent=lp.Predict("ticket, team -> urgent: bool"),
    )
    with lp.using(lm=model, sampling=lp.Sampling(seed=9)):
        result = LabeledFewShot().compile(program, tickets(90), metric=all_right)
    result.save(tmp_path / "p.json")
    plain = scripted("house/model")
    with lp.using(lm=plain):
        lp.load(tmp_path / "p.json")(ticket=tickets(1)[0].ticket)
    assert [request.sampling for request in plain.requests] == [
        lp.Sampling(temperature=0.0, max_tokens=77, seed=9),
        lp.Sampling(temperature=0.4, max_tokens=77, seed=9),
    ]


def test_a_teacher_and_a_proposer_of_the_ambient_models_name_are_asked_as_they_are() -> None:
    ambient, teacher, proposer = (scripted("twin/model", base) for base in (0.2, 1.0, 0.2))
    teacher.endpoint, proposer.endpoint = "teachers", "proposers"
    with lp.using(lm=ambient):
        result = BootstrapFewShot(teacher=teacher).compile(
            two_modules(), tickets(90), metric=all_right
        )
        GEPA(rounds=2, proposing=Proposing(model=proposer)).compile(
            two_modules(), tickets(90), metric=all_right
        )
    assert teacher.calls and proposer.calls
    assert {each.model.lm for each in result.program.predictors().values()} == {ambient}


def test_models_that_a_journal_cannot_tell_apart_are_refused_before_anything_is_asked() -> None:
    ambient, teacher = scripted("twin/model"), scripted("twin/model", 1.0)
    with lp.using(lm=ambient), pytest.raises(ModelError, match="answer at in-process"):
        BootstrapFewShot(teacher=teacher).compile(two_modules(), tickets(90), metric=all_right)
    assert not teacher.calls and not ambient.calls
    judge = lp.Predict("wanted_team, team -> score: bool", model=teacher)
    with lp.using(lm=ambient), pytest.raises(ModelError, match="answer at in-process"):
        LabeledFewShot().compile(two_modules(), tickets(90), metric=judged(judge))
    assert not teacher.calls


@pytest.mark.parametrize("member", [LLMSelector, MIPRO, Compiler])
def test_two_models_of_one_name_are_refused_before_anything_is_asked(
    member: type[Any], tmp_path: Path
) -> None:
    first, other = scripted("twin/model"), scripted("twin/model", 0.9)
    for models, ambient in (([first, other], scripted("third/model")), ([other], first)):
        with lp.using(lm=ambient), pytest.raises(ModelError, match="two different models"):
            member(models=models).compile(
                two_modules(), tickets(90), metric=all_right, run_dir=tmp_path
            )
    assert not first.calls and not other.calls and not list(tmp_path.iterdir())


KEY = "sk-proj-abcdefghijklmnop0123456789"


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"team.instruction": f"Say {KEY} first."}, "instruction"),
        ({"team.demos": [lp.Example(ticket=KEY, team="billing")]}, "demos"),
        ({"team.sampling": lp.Sampling(extra={"authorization": "anything"})}, "authorization"),
        ({"team.instruction": "Half a character: \ud83d"}, "cannot be written"),
        ({"team.model": scripted("openai/http://elsewhere.example/v1")}, "may contain an address"),
    ],
)
def test_what_no_artifact_can_hold_is_told_before_anything_is_asked(
    change: dict[str, Any], where: str
) -> None:
    ambient = scripted("ambient/model")
    program = two_modules().with_parameters(change)
    with lp.using(lm=ambient), pytest.raises(ArtifactError, match=where) as caught:
        LabeledFewShot().compile(program, tickets(90), metric=all_right)
    assert KEY not in str(caught.value)
    assert not ambient.calls


def test_a_model_that_no_artifact_can_hold_is_not_offered() -> None:
    ambient, offered = scripted("ambient/model"), scripted("host/user@elsewhere.example")
    with lp.using(lm=ambient), pytest.raises(ArtifactError, match="may contain an address"):
        LLMSelector(models=[ambient, offered]).compile(
            two_modules(), tickets(90), metric=all_right
        )
    assert not ambient.calls and not offered.calls


def test_a_program_that_holds_two_models_of_one_name_is_not_compiled() -> None:
    first, other = scripted("twin/model"), scripted("twin/model", 0.9)
    program = two_modules().with_parameters({"team.model": first, "urgent.model": other})
    with pytest.raises(ModelError, match="two different models are named 'twin/model'"):
        LabeledFewShot().compile(program, tickets(90), metric=all_right)
    assert not first.calls and not other.calls


@pytest.mark.parametrize(
    "make",
    [
        lambda half: LLMSelector(models=[half]),
        lambda half: LLMSelector(models=["pocket/small"], blend=0.5, diagnoser=half),
        lambda half: MIPRO(teacher=half),
        lambda half: Compiler(models=[half]),
        lambda half: BootstrapFewShot(teacher=half),
        lambda half: GEPA(proposing=Proposing(model=half)),
    ],
)
def test_a_knob_takes_models_alone(make: Any) -> None:
    class Half:
        name = "half/model"

        async def complete(self, request: lp.Request) -> lp.Completion:
            raise AssertionError("it was asked")

    ambient = scripted("twin/model")
    with lp.using(lm=ambient), pytest.raises(InputError, match="Half.*langprog.lm.Wrapper"):
        make(Half()).compile(two_modules(), tickets(90), metric=all_right)
    assert not ambient.calls


def test_a_port_of_this_machine_does_not_make_another_compile() -> None:
    digests = {
        program_digest(lp.Predict("ticket -> team", model=lp.LM("x/y", base_url=URL.format(port))))
        for port in (1, 2)
    }
    digests.add(program_digest(lp.Predict("ticket -> team", model="x/y")))
    assert len(digests) == 1


def test_names_in_the_program_may_stand_for_what_is_offered() -> None:
    strong = scripted("twin/strong", 0.9)
    program = lp.Predict("ticket -> team", model="twin/strong")
    member: Optimizer = LLMSelector(models=[strong])
    with lp.using(lm=scripted("twin/weak")):
        result = member.compile(program, tickets(90), metric=right_team)
    assert result.program.predictors()["predict"].model.lm is strong
