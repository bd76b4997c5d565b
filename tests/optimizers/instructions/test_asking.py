"""What a proposer's reply is taken for: whole proposals ship, and those that reason get room."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import BadRequestError, ContentFilterError, ContextWindowError
from langprog.lm import Request, Usage
from optimizers import GEPA, MIPRO, Compiler, Demonstrating, Hygiene, Proposing, Searching
from optimizers.instructions.asking import REASONING_TOKENS
from tests.optimizers.simulated import GOOD, answers, one_module, right_team, tickets, two_modules

WHOLE = f"Look at the {GOOD} of the ticket."
CUT = f"Look at the {GOOD} of the ticket, and if it says"
FORMS = ("Write a clear instruction", "Rewrite the instruction")
MEMBERS = {
    "mipro": lambda **more: MIPRO(
        instructions=3,
        demonstrating=Demonstrating(sets=0),
        searching=Searching(trials=3),
        proposing=Proposing(**more),
    ),
    "gepa": lambda **more: GEPA(rounds=4, proposing=Proposing(**more)),
    "compiler": lambda **more: Compiler(rounds=1, proposing=Proposing(**more)),
}


def proposes(request: Request) -> bool:
    return request.messages[0].content.startswith(FORMS)


def reply_with(text: str, finish: str | None = "stop", tokens: int = 20, **more) -> lp.Completion:
    reasons = () if finish is None else (finish,)
    return lp.Completion((text,), "scripted/lm", Usage(10, tokens), reasons, dollars=0.0, **more)


def compile_with(optimizer, proposal, program: lp.Module | None = None, **more):
    """Compile under a model that answers requests for a proposal with ``proposal(request)``."""

    def script(request: Request) -> str | lp.Completion | Exception:
        return proposal(request) if proposes(request) else answers(base=0.2)(request)

    model = lp.ScriptedLM(script)
    more.setdefault("budget", lp.Budget(calls=250))
    with lp.using(lm=model):
        result = optimizer.compile(
            program or one_module(), tickets(45), metric=right_team, accept="best", **more
        )
    return result, [request for request in model.requests if proposes(request)]


def instructions(result) -> set[str]:
    programs = [result.program, *(point.program for point in result.front)]
    return {each.signature.instruction for p in programs for each in p.predictors().values()}


def notes(result) -> str:
    return "\n".join(note.text for note in result.report.notes)


def refusals(result) -> list[str]:
    found = [entry for entry in result.report.decisions if entry["what"].endswith("refused")]
    return [entry["data"]["reason"] for entry in found]


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
@pytest.mark.parametrize(
    ("text", "finish"),
    [
        (f"[[instruction]]\n{CUT}", "length"),
        (f"[[instruction]]\n{CUT}", None),  # the endpoint does not say, but the limit is full
        (f"<think>\nThe {GOOD} matter", "stop"),  # it does not even say that
        (f"[[instruction]]\n<think>\nThe {GOOD} matter", "length"),
        (f"[[instruction]]\nOkay, the {GOOD} matter here. Name the team.", "stop"),
        (f"[[instruction]]\nLook at the {GOOD}.</think>", "stop"),
    ],
    ids=["cut", "full", "unclosed", "cut in thought", "monologue", "stray tag"],
)
def test_what_is_not_a_whole_proposal_never_ships(make, text, finish) -> None:
    result, asked = compile_with(make(), lambda _: reply_with(text, finish, tokens=400))
    assert asked and not any(GOOD in each for each in instructions(result))
    assert "were refused, because:" in notes(result)
    assert f"{len(refusals(result))} of {len(refusals(result))} proposals" in notes(result)


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nWhich words?\n</think>\n[[instruction]]\n{WHOLE}",
        f"[[instruction]]\n<think>\nWhich words?\n</think>\n{WHOLE}",
    ],
    ids=["before", "inside"],
)
def test_thinking_before_a_proposal_is_taken_away(make, text) -> None:
    result, _ = compile_with(make(), lambda _: reply_with(text))
    assert WHOLE in instructions(result)
    assert not any("Which words" in each for each in instructions(result))


def reasoning(kind: str):
    """Return a proposer that needs 3000 tokens to think, and shows it in some way."""

    def proposal(request: Request) -> lp.Completion:
        if request.sampling.max_tokens > 3000:
            return reply_with(f"[[instruction]]\n{WHOLE}", tokens=3020)
        if kind == "part":
            return reply_with("", "length", 400, reasoning=("Which words?",))
        if kind == "usage":
            usage = Usage(10, 400, reasoning_tokens=400)
            return lp.Completion(("",), "scripted/lm", usage, ("length",), dollars=0.0)
        return reply_with("<think>\nWhich words?", "length", 400)

    return proposal


@pytest.mark.parametrize("make", MEMBERS.values(), ids=MEMBERS.keys())
@pytest.mark.parametrize("kind", ["part", "usage", "tag"])
def test_a_proposer_that_reasons_gets_room(make, kind) -> None:
    result, asked = compile_with(make(), reasoning(kind))
    assert WHOLE in instructions(result)
    assert {request.sampling.max_tokens for request in asked} == {400, 400 + REASONING_TOKENS}


def test_room_that_helped_with_the_summary_is_given_from_the_start() -> None:
    def summarize(request: Request) -> lp.Completion | str:
        if request.messages[0].content.startswith("Describe what"):
            if request.sampling.max_tokens > 3000:
                return "[[summary]]\nTickets."
            return reply_with("<think>\nHm", "length", 400)
        return f"[[instruction]]\n{WHOLE}" if proposes(request) else answers(base=0.2)(request)

    model = lp.ScriptedLM(summarize)
    with lp.using(lm=model):
        MEMBERS["mipro"]().compile(one_module(), tickets(120), metric=right_team)
    asked = [request.sampling.max_tokens for request in model.requests if proposes(request)]
    assert set(asked) == {400 + REASONING_TOKENS} and len(asked) == 3


def test_a_proposal_that_is_only_too_long_is_not_requested_again() -> None:
    _, asked = compile_with(
        MEMBERS["mipro"](), lambda _: reply_with(f"[[instruction]]\n{CUT}", "length")
    )
    assert len(asked) == 3 and {request.sampling.max_tokens for request in asked} == {400}


def test_a_model_that_was_given_more_room_keeps_it() -> None:
    writer = lp.ScriptedLM(
        lambda request: reasoning("tag")(request),
        name="scripted/writer",
        defaults=lp.Sampling(max_tokens=20_000),
    )
    compile_with(MEMBERS["mipro"](model=writer), reasoning("tag"))
    assert max(request.sampling.max_tokens for request in writer.requests) == 20_000


def test_a_token_budget_limits_the_room() -> None:
    result, asked = compile_with(
        MEMBERS["mipro"](), reasoning("tag"), budget=lp.Budget(tokens=60_000)
    )
    most = max(request.sampling.max_tokens for request in asked)
    assert most - 400 <= 0.25 * 60_000 / 3
    assert not any("ended with its budget" in note.text for note in result.report.notes)


@pytest.mark.parametrize("error", [BadRequestError("max_tokens is too large"), None])
def test_an_endpoint_that_refuses_the_room_leaves_the_compile_working(error) -> None:
    def proposal(request: Request) -> lp.Completion | Exception:
        if request.sampling.max_tokens > 400:
            return error or ContextWindowError("too long")
        return reply_with("<think>\nWhich words?", "length", 400)

    result, _ = compile_with(MEMBERS["mipro"](), proposal)
    assert "3 of 3 proposals for predict were refused" in notes(result)


def test_width_does_not_decide_who_gets_room() -> None:
    def count(width: int) -> tuple[list[object], set[str]]:
        optimizer = MIPRO(
            instructions=4,
            demonstrating=Demonstrating(sets=0),
            searching=Searching(trials=4),
            concurrency=width,
        )
        result, asked = compile_with(optimizer, reasoning("tag"), two_modules())
        return sorted(str(each.sampling) for each in asked), instructions(result)

    assert count(1) == count(64)


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (lambda _: reply_with(f"[[instruction]]\n{CUT}", "length"), "cut off at 400 tokens (3)"),
        (lambda _: "", "no readable answer (3)"),
        (lambda _: ContentFilterError("not that"), "refused by a content filter (3); the first"),
        (lambda _: ContextWindowError("long"), "its request is too long for the model (3)"),
        (
            lambda _: "[[instruction]]\n" + " ".join(f"word{n}" for n in range(300)),
            "300 words, more than 250 (3). Proposing(hygiene=Hygiene(most_words=...)) admits",
        ),
    ],
    ids=["cut off", "unreadable", "filtered", "too long a request", "too many words"],
)
def test_a_note_says_why_every_proposal_was_refused(proposal, reason) -> None:
    result, _ = compile_with(MEMBERS["mipro"](), proposal)
    assert f"3 of 3 proposals for predict were refused, because: {reason}" in notes(result)


def test_gepa_says_so_as_well_and_once() -> None:
    strict = Hygiene(most_words=3)
    result, _ = compile_with(
        MEMBERS["gepa"](hygiene=strict), lambda _: f"[[instruction]]\n{WHOLE}"
    )
    (note,) = [note for note in result.report.notes if "proposals for predict" in note.text]
    assert note.warning and "words, more than 3" in note.text


def test_some_that_are_refused_and_some_that_fail_are_told_apart() -> None:
    def proposal(request: Request) -> str | Exception:
        if request.sampling.temperature == 0.0:
            return ContentFilterError("not that")
        return f"[[instruction]]\n{WHOLE} {request.sampling.seed}"

    result, _ = compile_with(MEMBERS["mipro"](), proposal)
    assert "1 of 3 proposals for predict failed; the first: not that" in notes(result)
    assert "were refused" not in notes(result)


def test_proposals_that_the_budget_has_no_room_for_are_missed_aloud() -> None:
    optimizer = MIPRO(instructions=60, searching=Searching(trials=3))
    result, asked = compile_with(optimizer, lambda _: WHOLE, budget=lp.Budget(calls=110))
    assert not asked and "no instructions were proposed" in notes(result)
