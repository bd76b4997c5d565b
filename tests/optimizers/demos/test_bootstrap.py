from __future__ import annotations

import random
from collections import Counter

import pytest

import langprog as lp
from langprog.errors import InputError
from langprog.evaluation import Row, Score
from langprog.lm import Request
from langprog.modules import RunUsage
from optimizers import BootstrapFewShot, LabeledFewShot, Optimizer
from optimizers.demos.demo_sets import draw_distinct_sets, list_set_specs
from optimizers.demos.demos import (
    Demonstrations,
    SourcedDemo,
    collect_labeled,
    draw_demos,
    select_passing,
)
from tests.optimizers.simulated import (
    TEAMS,
    Triage,
    all_right,
    answers,
    field,
    one_module,
    right_team,
    team_of,
    tickets,
    two_modules,
)

SPEC = lp.Predict(Triage).signature


def row(value: float | None) -> Row:
    example = lp.Example(ticket=f"t{value}")
    score = None if value is None else Score(value)
    prediction = None if value is None else lp.Prediction(team="billing")
    return Row(0, example, prediction, score, None, RunUsage())


def compiled(optimizer: Optimizer, program: lp.Module, reply=None, metric=all_right, count=120):
    with lp.using(lm=lp.ScriptedLM(reply or answers())):
        return optimizer.compile(program, tickets(count), metric=metric, accept="best")


def test_labelled_demonstrations_reach_the_middle_of_a_pipeline() -> None:
    shown = collect_labeled(two_modules(), tickets(4))
    assert shown["urgent"][0].demo.to_dict() == {
        "ticket": tickets(1)[0].ticket,
        "team": "billing",
        "urgent": True,
    }
    without_team = [example.without("team") for example in tickets(4)]
    assert collect_labeled(two_modules(), without_team)["urgent"] == ()


def test_a_demonstration_may_lack_reasoning_and_nothing_else() -> None:
    examples = [lp.Example(ticket=f"t{number}", team="billing") for number in range(3)]
    reasoned = lp.ChainOfThought("ticket -> team")
    assert len(collect_labeled(reasoned, examples)["predict"]) == 3
    more = lp.ChainOfThought("ticket -> team, urgent: bool")
    assert collect_labeled(more, examples)["predict"] == ()


def test_a_draw_covers_the_labels_and_repeats_nothing() -> None:
    shown = collect_labeled(one_module(), [*tickets(40), *tickets(40)])["predict"]
    for seed in range(5):
        picked = draw_demos(shown, 6, SPEC, random.Random(seed))
        assert Counter(item.demo.team for item in picked) == dict.fromkeys(TEAMS, 2)
        assert len({item.source for item in picked}) == 6
    assert len(draw_demos(shown, 1000, SPEC, random.Random(0))) == 40


def test_labels_that_the_type_does_not_name_are_covered_too() -> None:
    spec = lp.Predict("text -> kind").signature
    shown = [
        SourcedDemo(lp.Example(text=str(number), kind="rare" if number % 10 == 0 else "usual"), "")
        for number in range(40)
    ]
    picked = draw_demos(shown, 4, spec, random.Random(0))
    assert Counter(item.demo.kind for item in picked) == {"rare": 2, "usual": 2}


@pytest.mark.parametrize(
    ("values", "threshold", "kept"),
    [
        ([1.0, 0.0, 1.0, None], None, [1.0, 1.0]),
        ([0.1, 0.4, 0.2, 0.3, 0.0], None, [0.4, 0.3]),
        ([0.0, 0.0], None, []),
        ([0.0, 0.6, 0.9], 0.5, [0.6, 0.9]),
        ([None, None], None, []),
    ],
)
def test_which_runs_are_good_enough(values, threshold, kept) -> None:
    chosen = select_passing([row(value) for value in values], threshold, (0.0, 1.0))
    assert [passed.score.value for passed in chosen if passed.score is not None] == kept


@pytest.mark.parametrize(
    ("threshold", "passing"), [(0.5, "every run would be good enough"), (6, "no run would be")]
)
def test_a_threshold_on_another_scale_is_refused_before_anything_is_paid(
    threshold: float, passing: str
) -> None:
    model = lp.ScriptedLM(answers())
    grade = lp.metric(range=(1, 5))(lambda example, prediction: 5)
    with lp.using(lm=model), pytest.raises(InputError, match=f"between 1 and 5, so {passing}"):
        BootstrapFewShot(threshold=threshold).compile(one_module(), tickets(30), metric=grade)
    assert model.calls == 0


def test_a_row_without_an_example_that_looks_secret() -> None:
    hidden = lp.Example(ticket="my key is sk-abcdefghijklmnopqrstuvwx", team="billing")
    shown = collect_labeled(one_module(), [*tickets(3), hidden])["predict"]
    assert len(shown) == 3


def test_demo_sets_are_different_and_begin_with_what_there_is() -> None:
    everything = Demonstrations(collect_labeled(one_module(), tickets(30)), {"predict": ()})
    now = (tickets(1, 500)[0].without("urgent"),)
    sets = draw_distinct_sets(
        everything, "predict", SPEC, list_set_specs(6, 6), now, random.Random(1)
    )
    assert sets[0][0] == now
    assert () in [demos for demos, _ in sets]
    assert len({demos for demos, _ in sets}) == len(sets)
    assert all(len(demos) <= 6 for demos, _ in sets)


def test_traced_demonstrations_come_from_good_runs_only() -> None:
    # The first module is right for "router" tickets alone, so only those can be shown.
    def reply(request: Request) -> str:
        ticket = field(request.messages[-1].content, "ticket")
        team = team_of(ticket)
        return f"[[team]]\n{'network' if team == 'network' else 'billing'}"

    def metric(example: lp.Example, prediction: lp.Prediction) -> bool:
        return team_of(example.ticket) == prediction.team == "network"

    bare = [example.without("team", "urgent") for example in tickets(60)]
    with lp.using(lm=lp.ScriptedLM(reply)):
        result = BootstrapFewShot(bootstrapped=3, labeled=0).compile(
            one_module(), bare, metric=metric, accept="best"
        )
    demos = result.candidate.parameters["predict.demos"]
    assert len(demos) == 3
    assert all("router" in demo.ticket and demo.team == "network" for demo in demos)


def test_a_pipeline_gets_the_traced_value_between_its_modules() -> None:
    def reply(request: Request) -> str:
        if "[[urgent]]" in request.messages[0].content:
            return "[[urgent]]\ntrue"
        return "[[team]]\naccounts"

    with lp.using(lm=lp.ScriptedLM(reply)):
        bare = [example.without("team") for example in tickets(60)]
        result = BootstrapFewShot(bootstrapped=2, labeled=0).compile(
            two_modules(),
            bare,
            metric=lambda example, prediction: example.urgent == prediction.urgent,
            accept="best",
        )
    demos = result.candidate.parameters["urgent.demos"]
    assert [(demo.team, demo.urgent) for demo in demos] == [("accounts", True)] * 2


def test_a_label_takes_the_place_of_what_was_answered() -> None:
    def reply(request: Request) -> str:
        if "[[urgent]]" in request.messages[0].content:
            ticket = field(request.messages[-1].content, "ticket")
            return f"[[urgent]]\n{'true' if ' now' in ticket else 'false'}"
        return "[[team]]\naccounts"

    with lp.using(lm=lp.ScriptedLM(reply)):
        result = BootstrapFewShot(bootstrapped=3, labeled=0).compile(
            two_modules(),
            tickets(60),
            metric=lambda example, prediction: example.urgent == prediction.urgent,
            accept="best",
        )
    for demo in result.candidate.parameters["team.demos"]:
        assert demo.team == team_of(demo.ticket)


def test_another_model_can_teach() -> None:
    teacher = lp.ScriptedLM(answers(base=1.0), name="scripted/teacher")
    student = lp.ScriptedLM(answers(base=0.0), name="scripted/student")
    with lp.using(lm=student):
        result = BootstrapFewShot(teacher=teacher).compile(
            one_module(), tickets(120), metric=right_team
        )
    assert teacher.calls > 0
    assert result.program.predictors()["predict"].model.lm is student


def test_labelled_demonstrations_need_no_call_of_their_own() -> None:
    model = lp.ScriptedLM(answers())
    with lp.using(lm=model):
        result = LabeledFewShot(k=5).compile(one_module(), tickets(60), metric=right_team)
    assert len(result.candidate.parameters["predict.demos"]) == 5
    assert model.calls == 2 * result.certificate.n
