"""Who teaches: a model, or a whole program."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import InputError, ModelError
from optimizers import MIPRO, BootstrapFewShot, BootstrapRandomSearch, Optimizer, Searching
from optimizers.demos.teacher import list_teacher_models, make_teaching_program
from tests.optimizers.simulated import Triage, answers, one_module, right_team, tickets

MEMBERS = {
    "few shot": lambda teacher: BootstrapFewShot(labeled=0, teacher=teacher),
    "random search": lambda teacher: BootstrapRandomSearch(sets=3, most=4, teacher=teacher),
    "mipro": lambda teacher: MIPRO(instructions=0, teacher=teacher, searching=Searching(trials=4)),
}


def student_model() -> lp.ScriptedLM:
    return lp.ScriptedLM(answers(base=0.2), name="scripted/student")


def compile_with(optimizer: Optimizer, program: lp.Module | None = None, rows=None, lm=None):
    with lp.using(lm=lm or student_model()):
        return optimizer.compile(
            program or one_module(), rows or tickets(120), metric=right_team, accept="best"
        )


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
def test_a_whole_program_can_teach(make) -> None:
    model = lp.ScriptedLM(answers(base=1.0), name="scripted/teacher")
    teacher = lp.Predict(Triage, instruction="Teach: read the ticket.", model=model).freeze()
    result = compile_with(make(teacher))
    assert model.calls > 0
    assert all(request.messages[0].content.startswith("Teach:") for request in model.requests[1:6])
    assert "Teach" not in result.program.predictors()["predict"].signature.instruction
    assert result.program.predictors()["predict"].model.name == "scripted/student"


def test_a_teacher_of_another_build_teaches_what_fits() -> None:
    def script(request: lp.Request) -> str:
        return f"[[reasoning]]\nbecause\n{answers(base=1.0)(request)}"

    model = lp.ScriptedLM(script, name="scripted/teacher")
    teacher = lp.Vote(lp.ChainOfThought(Triage, model=model), k=3)
    bare = [row.without("team") for row in tickets(120)]
    truth = {row.ticket: row.team for row in tickets(120)}
    with lp.using(lm=student_model()):
        result = BootstrapFewShot(labeled=0, teacher=teacher).compile(
            one_module(),
            bare,
            metric=lambda example, prediction: prediction.team == truth[example.ticket],
            accept="best",
        )
    demos = result.program.predictors()["predict"].demos
    assert demos and all(set(demo) == {"ticket", "team"} for demo in demos)
    assert all(demo.team == truth[demo.ticket] for demo in demos)


def test_a_teacher_keeps_its_own_demonstrations_when_it_gets_hints() -> None:
    model = lp.ScriptedLM(answers(base=0.0), name="scripted/teacher")
    own = lp.Example(ticket="OWN: no invoice", team="billing")
    teacher = lp.Predict(Triage, model=model, demos=[own])
    compile_with(BootstrapFewShot(teacher=teacher))
    runs = model.requests[1:]  # the first one only asks whether the key is accepted
    shown = [len([m for m in each.messages if m.role == "assistant"]) for each in runs]
    assert set(shown) == {1, 7}
    assert all("OWN: no invoice" in each.messages[1].content for each in runs)


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
def test_a_teacher_without_a_predictor_that_fits_is_refused_before_any_call(make) -> None:
    lm = student_model()
    with pytest.raises(InputError, match=r"no predictor of the teacher.*ticket -> team.*a -> b"):
        compile_with(make(lp.Predict("a -> b")), lm=lm)
    assert lm.calls == 0


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
def test_a_teacher_that_takes_what_the_rows_lack_is_refused_before_any_call(make) -> None:
    lm = student_model()
    teacher = lp.Predict("ticket, context -> team")
    with pytest.raises(InputError, match=r"the teacher takes context, which a training example"):
        compile_with(make(teacher), lm=lm)
    assert lm.calls == 0


def test_what_a_teacher_cannot_be_is_explained() -> None:
    with pytest.raises(ModelError):
        compile_with(BootstrapFewShot(teacher=5))


def test_the_models_of_a_teacher_are_those_of_its_predictors() -> None:
    one, two = (lp.ScriptedLM([], name=f"scripted/{name}") for name in ("one", "two"))
    program = lp.Pipeline(
        a=lp.Predict("x -> y", model=one),
        b=lp.Predict("y -> z", model=two),
        c=lp.Predict("z -> w"),
    )
    assert [model.lm for model in list_teacher_models(program)] == [one, two]
    assert list_teacher_models("scripted/x") == ("scripted/x",)
    assert list_teacher_models(None) == ()


def test_a_teaching_model_leaves_frozen_parts_alone() -> None:
    program = lp.Pipeline(a=lp.Predict("x -> y"), b=lp.Predict("y -> z")).freeze("a")
    taught = make_teaching_program(program, lp.ScriptedLM([], name="scripted/t"))
    models = {path: each.model for path, each in taught.predictors().items()}
    assert models["a"] is None and models["b"].name == "scripted/t"
