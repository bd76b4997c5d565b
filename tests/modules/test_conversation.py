"""An answer that fails a check is asked for again, in the same conversation."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Literal

import pytest

import langprog as lp
from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    CheckError,
    InputError,
    LangprogError,
    ParseError,
    ServerError,
)
from langprog.lm import Cached, DiskCache, OpenAICompatible, Retry, ToolCall
from langprog.runtime import run_sync
from tests.lm.endpoint import Answer, Endpoint, choice, endpoint, good, refuses, resets, says

SHORT = lp.checks.length("summary", most=10)
LONG, OTHER, FIT = (f"[[summary]]\n{text}" for text in ("much too long", "too long, too", "fits"))


def summarize(**options: object) -> lp.Predict:
    return lp.Predict("ticket -> summary", **({"checks": [SHORT]} | options))


def test_an_answer_that_fails_is_sent_back_with_the_message() -> None:
    lm = lp.ScriptedLM([LONG, FIT])
    with lp.using(lm=lm):
        answer = summarize()(ticket="x")
    assert answer.summary == "fits"
    first, again = (request.messages for request in lm.requests)
    assert again[:-2] == first
    assert again[-2].role == "assistant" and again[-2].content == LONG
    assert again[-1].content == (
        "That answer is not accepted: summary must have at most 10 characters; it has 13. "
        "Answer again, in the same form."
    )


def test_reasks_are_counted_in_the_trace_and_in_the_usage() -> None:
    with lp.using(lm=lp.ScriptedLM([LONG, OTHER, FIT])):
        answer = summarize()(ticket="x")
    (step,) = answer.trace
    assert (step.reasks, step.repairs, step.failure, step.unmet) == (2, 0, None, ())
    assert step.text == FIT
    assert (answer.usage.calls, answer.usage.reasks, answer.usage.unmet) == (3, 2, 0)


@pytest.mark.parametrize("adapter", ["chat", "json", "xml", "tools"])
def test_the_first_prompt_is_the_same_with_and_without_checks(adapter: str) -> None:
    with_checks, without = (
        lp.Predict("ticket -> summary", checks=checks, adapter=adapter).render({"ticket": "x"})
        for checks in ([SHORT], [])
    )
    assert with_checks == without


def test_a_required_check_that_fails_to_the_end_is_a_check_error() -> None:
    lm = lp.ScriptedLM([LONG, OTHER])
    with lp.using(lm=lm), pytest.raises(CheckError) as raised:
        summarize(reasks=1)(ticket="x")
    assert str(raised.value) == (
        "the answer of ticket -> summary fails the check length(summary), also after "
        "1 more attempts: summary must have at most 10 characters; it has 13"
    )
    assert raised.value.text == OTHER
    assert lm.calls == 2


def test_a_suggestion_that_fails_to_the_end_passes_with_a_note() -> None:
    check = lp.Check(lambda summary: len(summary) < 5, "be brief", level="suggest")
    with lp.using(lm=lp.ScriptedLM([LONG, OTHER, LONG])):
        answer = summarize(checks=[check])(ticket="x")
    assert answer.summary == "much too long"
    assert answer.trace[0].unmet == ("be brief",)
    assert (answer.usage.reasks, answer.usage.unmet) == (2, 1)


def test_an_answer_that_fails_only_suggestions_beats_a_later_one_that_fails_more() -> None:
    checks = [SHORT, lp.checks.regex("summary", "[a-z]+", level="suggest")]
    with lp.using(lm=lp.ScriptedLM(["[[summary]]\nFits", LONG, "no such field"])):
        answer = summarize(checks=checks, reasks=2)(ticket="x")
    assert answer.summary == "Fits"
    assert answer.trace[0].text == "[[summary]]\nFits"
    assert answer.trace[0].unmet == ("summary must match the pattern [a-z]+",)


def test_all_messages_go_in_one_reask() -> None:
    checks = [SHORT, lp.Check(lambda summary, ticket: ticket in summary, "name the ticket.")]
    lm = lp.ScriptedLM([LONG, "[[summary]]\nabout x"])
    with lp.using(lm=lm):
        summarize(checks=checks)(ticket="x")
    said = lm.requests[1].messages[-1].content
    assert "it has 13; name the ticket. Answer" in said


def test_a_check_may_say_what_is_wrong_with_this_answer() -> None:
    def polite(summary: str) -> str:
        return "" if "please" in summary else f"say please, {len(summary)} times"

    lm = lp.ScriptedLM([FIT, "[[summary]]\nplease"])
    with lp.using(lm=lm):
        assert summarize(checks=[lp.Check(polite, "be polite")])(ticket="x").summary == "please"
    assert "say please, 4 times" in lm.requests[1].messages[-1].content


def test_a_check_may_be_asynchronous_and_call_a_program() -> None:
    judge = lp.Predict("summary -> good: bool")

    async def good(summary: str) -> bool:
        return (await judge.acall(summary=summary)).good

    def also_good(summary: str) -> bool:
        return judge(summary=summary).good

    replies = [FIT, *(f"[[good]]\n{verdict}" for verdict in ("true", "true"))]
    checks = [lp.Check(good, "be good"), lp.Check(also_good, "be good as well")]
    with lp.using(lm=lp.ScriptedLM(replies)):
        answer = summarize(checks=checks)(ticket="x")
    assert answer.usage.calls == 3
    assert [step.path for step in answer.trace] == ["predict", *["summary -> good: bool"] * 2]


def test_a_check_that_raises_is_the_users_error_and_is_named() -> None:
    def broken(summary: str) -> bool:
        return bool(1 / 0)

    with lp.using(lm=lp.ScriptedLM([FIT])), pytest.raises(InputError) as raised:
        summarize(checks=[lp.Check(broken, "x")])(ticket="x")
    assert str(raised.value) == "the check 'broken' raised ZeroDivisionError: division by zero"


def test_a_check_that_returns_nothing_is_the_users_error() -> None:
    check = lp.Check(lambda summary: None, "x", name="nothing")
    with lp.using(lm=lp.ScriptedLM([FIT])), pytest.raises(InputError, match="'nothing' returned"):
        summarize(checks=[check])(ticket="x")


def test_an_outage_inside_a_check_stays_an_outage() -> None:
    judge = lp.Predict("summary -> good: bool")
    check = lp.Check(lambda summary: judge(summary=summary).good, "x")
    with lp.using(lm=lp.ScriptedLM([FIT, ServerError("down")])), pytest.raises(ServerError):
        summarize(checks=[check])(ticket="x")


@pytest.mark.parametrize("level", ["require", "suggest"])
def test_an_outage_in_a_reask_stays_an_outage(level: str) -> None:
    check = lp.checks.length("summary", most=10, level=level)
    lm = lp.ScriptedLM([LONG, ServerError("down")])
    with lp.using(lm=lm), pytest.raises(ServerError):
        summarize(checks=[check])(ticket="x")


def test_a_budget_that_cannot_afford_the_reask_is_spent() -> None:
    lm = lp.ScriptedLM([LONG, FIT])
    with lp.using(lm=lm, budget=lp.Budget(calls=1)), pytest.raises(BudgetExceeded):
        summarize()(ticket="x")
    assert lm.calls == 1


def test_an_unreadable_reask_is_repaired_once_in_a_conversation() -> None:
    program = lp.Predict("ticket -> n: int", checks=[lp.checks.in_range("n", 0, 9)])
    with lp.using(lm=lp.ScriptedLM(["[[n]]\n10", "[[n]]\nmany", "[[n]]\n9"])):
        answer = program(ticket="x")
    assert (answer.n, answer.trace[0].repairs, answer.trace[0].reasks) == (9, 1, 1)
    lm = lp.ScriptedLM(["[[n]]\nmany", "[[n]]\n10", "[[n]]\nmany"])
    with lp.using(lm=lm), pytest.raises(ParseError):
        program(ticket="x")


def test_an_endpoint_that_rejects_the_reask_leaves_the_last_answer() -> None:
    lm = lp.ScriptedLM([LONG, BadRequestError("no second turn")])
    with lp.using(lm=lm), pytest.raises(CheckError, match="fails the check length"):
        summarize()(ticket="x")


def test_a_tool_call_that_fails_gets_a_result_before_the_message() -> None:
    long, fit = (
        lp.Completion(
            texts=("",),
            model="scripted/lm",
            tool_calls=((ToolCall(str(number), "answer", f'{{"summary": "{text}"}}'),),),
            finish_reasons=("tool_calls",),
        )
        for number, text in enumerate(["much too long", "fits"])
    )
    lm = lp.ScriptedLM([long, fit])
    with lp.using(lm=lm):
        assert summarize(adapter="tools")(ticket="x").summary == "fits"
    assert [message.role for message in lm.requests[1].messages[-3:]] == [
        "assistant",
        "tool",
        "user",
    ]


def test_a_model_that_repeats_itself_is_not_answered_from_the_cache(tmp_path: Path) -> None:
    inner = lp.ScriptedLM([LONG, LONG, FIT])
    with lp.using(lm=Cached(inner, DiskCache(tmp_path / "cache"))):
        first, second = summarize()(ticket="x"), summarize()(ticket="x")
    assert inner.calls == 3
    assert first.summary == second.summary == "fits"
    assert second.usage.cached_calls == 3


def test_calls_run_at_once_without_mixing_their_reasks() -> None:
    def reply(request: lp.Request) -> str:
        ticket = str(request.messages[1].content).removeprefix("[[ticket]]\n")
        return f"[[summary]]\n{ticket}" if len(request.messages) > 2 else LONG

    async def run() -> list[str]:
        program = summarize()
        calls = (program.acall(ticket=f"t{number}") for number in range(50))
        return [answer.summary for answer in await asyncio.gather(*calls)]

    with lp.using(lm=lp.ScriptedLM(reply)):
        assert run_sync(run()) == [f"t{number}" for number in range(50)]


class Triage(lp.Signature):
    """Route the ticket."""

    ticket: str = lp.Input()
    team: Literal["billing", "network"] = lp.Output()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"checks": SHORT}, r"checks= takes a list"),
        ({"checks": [len]}, r"takes lp.Check\(function, message\)"),
        ({"checks": [lp.checks.length("text", most=3)]}, "'text', which is not a field of Triage"),
        ({"checks": [lp.checks.length("ticket", most=3)]}, "looks at no output of Triage"),
        ({"checks": [lp.Check(lambda teem: True, "x")]}, "takes 'teem', which is not a field"),
        ({"reasks": -1}, "reasks"),
        ({"reasks": 11}, "reasks"),
        ({"reasks": True}, "reasks"),
    ],
)
def test_wrong_checks_are_refused_when_the_predictor_is_made(options: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        lp.Predict(Triage, **options)


def test_the_worst_case_of_calls_is_counted() -> None:
    assert summarize().calls_per_example() == 3
    assert summarize(reasks=0).calls_per_example() == 1
    assert summarize(checks=[]).calls_per_example() == 1
    assert lp.ChainOfThought("q -> summary", checks=[SHORT]).calls_per_example() == 3


def test_chain_of_thought_and_refine_keep_the_checks() -> None:
    program = lp.ChainOfThought("ticket -> summary", checks=[SHORT], reasks=4)
    assert program.predict.checks == (SHORT,)
    assert program.with_parameters({"predict.instruction": "x"}).predict.checks == (SHORT,)
    refine = lp.Refine(summarize(reasks=4), lp.Predict("summary -> good: bool"))
    assert (refine.reviser.checks, refine.reviser.reasks) == ((SHORT,), 4)


def test_reasoning_that_a_check_looks_at_is_not_left_out() -> None:
    check = lp.Check(lambda reasoning: bool(reasoning), "reason")
    program = lp.ChainOfThought("ticket -> summary", checks=[check])
    assert program.predict.search_space() == {"structure": []}
    with pytest.raises(InputError, match="takes 'reasoning', which is not a field"):
        program.with_parameters({"predict.structure": ("summary",)})
    free = lp.ChainOfThought("ticket -> summary", checks=[SHORT])
    assert free.predict.search_space() == {"structure": [("summary",)]}
    less = free.with_parameters({"predict.structure": ("summary",)})
    with lp.using(lm=lp.ScriptedLM([LONG, FIT])):
        assert less(ticket="x").to_dict() == {"reasoning": "", "summary": "fits"}


def test_a_vote_goes_on_without_a_sample_that_fails() -> None:
    lm = lp.ScriptedLM([LONG, FIT, FIT])
    with lp.using(lm=lm):
        assert lp.Vote(summarize(reasks=0), k=3)(ticket="x").summary == "fits"


# --- over HTTP -----------------------------------------------------------------------------------


def asked_over_http(*answers: Answer, **options: Any) -> tuple[Any, Endpoint]:
    """Ask a predictor with a check; return its answer or error, and what the endpoint got."""

    async def main() -> tuple[Any, Endpoint]:
        async with endpoint(*answers) as seen:
            inner = OpenAICompatible("test/model", base_url=seen.base_url)
            model = Retry(inner, attempts=3, sleep=lambda seconds: asyncio.sleep(0))
            with lp.using(lm=model):
                try:
                    return await summarize(**options).acall(ticket="x"), seen
                except LangprogError as error:
                    return error, seen
                finally:
                    await inner.aclose()

    return asyncio.run(main())


def test_over_http_a_reask_is_a_longer_conversation_and_is_retried() -> None:
    said = [says(good(choice(text))) for text in (LONG, FIT)]
    answer, seen = asked_over_http(said[0], refuses(503), resets(), said[1])
    assert answer.summary == "fits"
    assert (answer.usage.calls, answer.usage.reasks, answer.usage.prompt_tokens) == (2, 1, 14)
    first, *others = (request["messages"] for request in seen.requests)
    assert others[0] == others[1] == others[2]
    assert others[0][:-2] == first
    assert [message["role"] for message in others[0][-2:]] == ["assistant", "user"]


@pytest.mark.parametrize(
    ("failure", "kind"), [(refuses(503), ServerError), (refuses(401), AuthError)]
)
def test_over_http_a_failure_in_a_reask_is_not_a_failed_check(failure: Answer, kind: type) -> None:
    error, _ = asked_over_http(says(good(choice(LONG))), failure)
    assert isinstance(error, kind)


def test_over_http_a_reask_that_is_refused_leaves_the_check() -> None:
    error, seen = asked_over_http(says(good(choice(LONG))), refuses(400))
    assert isinstance(error, CheckError) and seen.calls >= 2


def test_the_number_of_checks_is_bounded() -> None:
    with pytest.raises(InputError, match="takes up to 50 checks, not 51"):
        summarize(checks=[SHORT] * 51)
