from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import InputError, ServerError
from langprog.lm import Request
from optimizers import GEPA, MIPRO, Demonstrating, Hygiene, Proposing, Searching
from optimizers.evaluation.wording import example_text, mistake_text, program_text, task_text
from optimizers.instructions.grounding import group_by_answer
from tests.optimizers.simulated import (
    GOOD,
    TEAMS,
    Triage,
    always,
    answers,
    field,
    one_module,
    right_team,
    tickets,
    two_modules,
)

SPEC = lp.Predict(Triage).signature


def instructions_only(count: int = 6, **more) -> MIPRO:
    return MIPRO(
        instructions=count,
        demonstrating=Demonstrating(sets=0),
        searching=Searching(trials=count),
        **more,
    )


def compiled(optimizer: MIPRO, reply, program=None, **more):
    model = lp.ScriptedLM(reply)
    with lp.using(lm=model):
        result = optimizer.compile(
            program or one_module(), tickets(150), metric=right_team, **more
        )
    return result, model


def test_the_wording_is_the_one_that_the_embedded_models_know() -> None:
    assert program_text(two_modules()) == "team: ticket -> team\nurgent: ticket, team -> urgent"
    assert task_text(SPEC) == f"ticket -> team (one of: {', '.join(TEAMS)})"
    example = lp.Example(ticket="my invoice is wrong", team="billing")
    assert example_text(SPEC, example) == "ticket: my invoice is wrong\nteam: billing"
    assert mistake_text(SPEC, {"ticket": "x"}, {"team": "network"}, example, "look") == (
        "ticket: x\nanswered: network\nwanted: billing\nfeedback: look"
    )


def test_a_proposal_sees_program_task_summary_tip_current_and_examples() -> None:
    result, model = compiled(instructions_only(), answers())
    asked = [
        request.messages[-1].content
        for request in model.requests
        if request.messages[0].content.startswith("Write a clear instruction")
    ]
    assert field(asked[1], "program") == "predict: ticket -> team"
    assert field(asked[1], "current") == "Read the ticket."
    assert field(asked[1], "summary").startswith("Tickets of customers")
    assert field(asked[1], "tip") == "Name every label and say when it applies."
    assert "[[tip]]" not in asked[0]  # an empty tip is left out
    assert field(asked[0], "examples").count("ticket: ") == 6
    assert len({field(text, "examples") for text in asked}) == len(asked)


def test_proposals_are_drawn_apart_and_the_first_is_the_likeliest() -> None:
    _, model = compiled(instructions_only(), answers())
    asked = [
        request.sampling
        for request in model.requests
        if request.messages[0].content.startswith(("Write a clear", "Rewrite the"))
    ]
    assert len({sampling.seed for sampling in asked}) == len(asked) == 6
    assert asked[0].temperature == 0.0 and asked[1].temperature == 0.9


def test_some_proposals_come_from_mistakes_on_training_examples() -> None:
    result, model = compiled(instructions_only(8), answers(base=0.1))
    asked = [
        request.messages[-1].content
        for request in model.requests
        if request.messages[0].content.startswith("Rewrite the instruction")
    ]
    assert len(asked) == 2
    mistakes = field(asked[0], "mistakes")
    assert mistakes.count("answered: ") == mistakes.count("wanted: ") == 4
    trained = {example.ticket for example in tickets(150)}
    assert all(
        line.removeprefix("ticket: ") in trained
        for line in mistakes.splitlines()
        if line.startswith("ticket: ")
    )


def test_the_instruction_that_helps_is_found() -> None:
    result, _ = compiled(instructions_only(8), answers(base=0.2))
    assert GOOD in result.candidate.parameters["predict.instruction"]
    assert result.certificate.verdict == "certified"


def test_refused_proposals_are_logged_with_the_reason_and_never_tried() -> None:
    def reply(request: Request) -> str:
        if request.messages[0].content.startswith(("Write a clear", "Rewrite the")):
            return "[[instruction]]\nImprove the accuracy on the validation set."
        return always(0.5)(request)

    result, model = compiled(instructions_only(3), reply)
    refused = [entry["data"] for entry in result.report.decisions if entry["what"] == "refused"]
    assert len(refused) == 3
    assert all("speaks of the search" in entry["reason"] for entry in refused)
    assert not result.candidate.parameters
    assert not any("accuracy" in request.messages[0].content for request in model.requests)


def test_limits_of_the_gate_are_knobs() -> None:
    strict = Proposing(hygiene=Hygiene(most_words=3))
    result, _ = compiled(instructions_only(3, proposing=strict), answers())
    assert not result.report.trials


def test_a_proposer_that_fails_leaves_the_rest_working() -> None:
    def reply(request: Request) -> str | Exception:
        if request.messages[0].content.startswith(("Write a clear", "Rewrite the")):
            return ServerError("the endpoint is down")
        return answers()(request)

    optimizer = MIPRO(instructions=3, searching=Searching(trials=6))
    result, _ = compiled(optimizer, reply)
    assert result.certificate.verdict == "certified"
    assert "predict.demos" in result.candidate.parameters
    (note,) = [note for note in result.report.notes if "proposals for predict" in note.text]
    assert note.warning and note.text == (
        "3 of 3 proposals for predict were refused, because: no answer came (3); "
        "the first: the endpoint is down"
    )


def test_another_model_can_propose() -> None:
    writer = lp.ScriptedLM(answers(), name="scripted/writer")
    worker = lp.ScriptedLM(answers(), name="scripted/worker")
    with lp.using(lm=worker, models=[writer]):
        instructions_only(3, proposing=Proposing(model="scripted/writer")).compile(
            one_module(), tickets(90), metric=right_team
        )
    assert {request.messages[0].content.split("\n")[0] for request in writer.requests} <= {
        "Describe what the examples are about and how inputs and outputs are related.",
        "Write a clear instruction that makes a language model do this task well.",
        "Rewrite the instruction so that the mistakes do not happen again.",
        "Read the ticket.",
    }
    # One more: whether its key is accepted is found out before the other model is paid.
    assert writer.calls == 5 and writer.requests[0].sampling.max_tokens == 16


def test_examples_of_one_answer_stand_together_in_the_order_of_the_signature() -> None:
    signature = one_module().signature
    examples = [lp.Example(ticket=str(n), team=TEAMS[n % 3]) for n in range(6)]
    examples.append(lp.Example(ticket="unlabelled"))
    chosen = group_by_answer(signature, examples)
    assert [item.get("team") for item in chosen] == [team for team in TEAMS for _ in "12"] + [None]
    assert [item.ticket for item in chosen if item.get("team") == TEAMS[0]] == ["0", "3"]
    free = lp.Predict("question -> answer").signature
    answers = [lp.Example(question="?", answer=text) for text in "bca"]
    assert group_by_answer(free, answers) == answers


WRITTEN = ("Say who has to deal with it.", f"{GOOD} Name the team.")


@pytest.mark.parametrize("member", [MIPRO, GEPA])
def test_written_instructions_are_tried_as_they_are_and_nothing_is_proposed(
    member: type[MIPRO] | type[GEPA],
) -> None:
    proposing = Proposing(written={"predict": WRITTEN})
    result, model = compiled(member(proposing=proposing), answers(per_prompt=0.6))
    shown = {request.messages[0].content.splitlines()[0] for request in model.requests}
    assert shown >= {"Read the ticket.", *WRITTEN}
    assert not any("[[instruction]]" in request.messages[0].content for request in model.requests)
    assert result.candidate.parameters["predict.instruction"] == WRITTEN[1]


def test_where_no_instruction_was_written_some_are_proposed() -> None:
    proposing = Proposing(written={"team": WRITTEN})
    search = instructions_only(3, proposing=proposing)
    result, _ = compiled(search, answers(), two_modules())
    (sizes,) = [each["data"] for each in result.report.decisions if each["what"] == "space"]
    assert sizes["team.instruction"] == 3 and sizes["urgent.instruction"] > 1


def test_written_instructions_belong_to_predictors_and_are_texts() -> None:
    with pytest.raises(InputError, match="'teams', but no predictor .* there are: predict"):
        compiled(MIPRO(proposing=Proposing(written={"teams": WRITTEN})), answers())
    for wrong in ({"predict": "one text"}, {"predict": []}, {"predict": [" "]}, ["a text"]):
        with pytest.raises(InputError, match="a dict of lists of one or more texts"):
            Proposing(written=wrong)
