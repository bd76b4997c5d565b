"""What a predictor makes of a completion that is no answer."""

from __future__ import annotations

import pytest

import langprog as lp
from langprog.errors import (
    ContentFilterError,
    LangprogError,
    ParseError,
    ServerError,
    TruncatedError,
)
from langprog.lm import Cached, Completion, MemoryCache, ToolCall, Usage

GOOD = "[[answer]]\n4"


def completion(text: str = GOOD, reason: str = "stop", **more: object) -> Completion:
    return Completion((text,), "scripted/lm", Usage(5, 32), (reason,), **more)  # type: ignore[arg-type]  # what the test says


def ask(*replies: Completion) -> tuple[lp.Prediction | LangprogError, lp.ScriptedLM]:
    lm = lp.ScriptedLM(list(replies))
    with lp.using(lm=Cached(lm, MemoryCache())):
        try:
            return lp.Predict("question -> answer: int")(question="2+2?"), lm
        except LangprogError as error:
            return error, lm


@pytest.mark.parametrize(
    ("reply", "kind", "said"),
    [
        (completion(reason="length"), TruncatedError, "after 32 tokens: raise max_tokens"),
        (completion(reason="MAX_TOKENS"), TruncatedError, "raise max_tokens"),
        (completion("", "length", reasoning=("hm",)), TruncatedError, "spent on reasoning"),
        (completion(reason="SAFETY"), ContentFilterError, "refused"),
        (completion(reason="aborted"), ServerError, "broke off the reply"),
    ],
)
def test_a_reply_that_is_not_whole_is_an_error_of_its_kind_and_not_repaired(
    reply: Completion, kind: type[LangprogError], said: str
) -> None:
    outcome, lm = ask(reply)
    assert type(outcome) is kind
    assert said in str(outcome)
    assert lm.calls == 1


def test_a_cut_off_reply_carries_what_came_before_the_cut() -> None:
    outcome, _ = ask(completion("[[answer]]\n", "length"))
    assert isinstance(outcome, TruncatedError)
    assert outcome.text == "[[answer]]\n"


def test_a_tool_call_where_an_answer_was_asked_for_is_sent_back_once() -> None:
    call = completion("", tool_calls=((ToolCall("c", "look", "{}"),),))
    outcome, lm = ask(call, call)
    assert isinstance(outcome, ParseError)
    assert "look" in str(outcome)
    assert lm.calls == 2
    outcome, _ = ask(call, completion())
    assert isinstance(outcome, lp.Prediction)
    assert outcome.answer == 4


def test_a_tool_call_beside_what_cannot_be_read_is_named() -> None:
    call = ((ToolCall("1", "look_up", "{}"),),)
    thinking = completion("<think>[[answer]]\n7</think>", "tool_calls", tool_calls=call)
    outcome, _ = ask(thinking, thinking)
    assert isinstance(outcome, ParseError)
    assert "it also calls the tool 'look_up'" in str(outcome)


def test_a_repair_that_is_cut_off_is_no_answer() -> None:
    outcome, _ = ask(completion("?"), completion(reason="length"))
    assert isinstance(outcome, TruncatedError)


def test_what_could_not_be_read_is_not_served_again_and_what_could_be_is() -> None:
    lm = lp.ScriptedLM([completion("?"), completion("?"), completion(), completion("never")])
    predict = lp.Predict("question -> answer: int")
    with lp.using(lm=Cached(lm, MemoryCache())):
        with pytest.raises(ParseError):
            predict(question="2+2?")
        assert [predict(question="2+2?").answer for _ in range(3)] == [4] * 3
    assert lm.calls == 3


@pytest.mark.parametrize("adapter", ["chat", "json"])
def test_half_of_a_character_is_refused_at_any_depth_and_a_whole_one_is_not(adapter: str) -> None:
    program = lp.Predict("question -> words: list[str]", adapter=adapter)
    around = {"chat": "[[words]]\n%s", "json": '{"words": %s}'}[adapter]
    lm = lp.ScriptedLM([around % r'["\ud83d"]', around % r'["\ud83d\ude00"]'])
    with lp.using(lm=lm):
        assert program(question="?").words == ["\U0001f600"]
    assert "'words' does not fit: it holds half of a character" in lm.requests[1].messages[-1].text


def test_half_of_a_character_in_the_arguments_of_a_tool_is_sent_back() -> None:
    def look(city: str) -> str:
        """Look up a city."""
        return city

    half = ToolCall("c", "look", r'{"city": "\udead"}')
    done = ToolCall("d", "submit", '{"answer": "x"}')
    lm = lp.ScriptedLM([completion("", tool_calls=((call,),)) for call in (half, done)])
    with lp.using(lm=lm):
        assert lp.ReAct("question -> answer", [look], adapter="tools")(question="?").answer == "x"
    assert "half of a character" in lm.requests[1].messages[-1].text
