"""A thinking model's reasoning between the steps of a ReAct: sent back, and kept nowhere."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import warnings
from typing import Any

import pytest
from aiohttp import web

import langprog as lp
from langprog.lm import Message, Reasoning, ToolCall, dialect_of
from langprog.modules.tool_steps import Step, ToolUse
from tests.lm.endpoint import Answer, Endpoint, endpoint
from tests.modules.tool_endpoint import Body, chunks, completion, refusal, send_events

STEPS: list[Any] = [[("population", {"city": "Lyon"})], [("submit", {"answer": 520_774})]]


def population(city: str) -> int:
    """Look up how many people live in a city."""
    return 520_774


def thinking(member: str, complains: str = "", about: bool = True) -> Answer:
    """Answer from STEPS with reasoning, and refuse bodies with or without it.

    Args:
        member: The member of a message with the reasoning.
        complains: The error's text.
        about: Whether messages with reasoning are refused, or those of calls without it.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        body: Body = json.loads(await request.read())
        said = [message for message in body["messages"] if message["role"] == "assistant"]
        asked = [m["content"] for m in body["messages"] if m["role"] == "user"]
        step = sum(m["role"] == "tool" for m in body["messages"]) - 2 * (len(asked) - 1)
        wrong = refusal(body)
        if complains and any((member in message) is about for message in said):
            wrong = complains
        if wrong is not None:
            error = {"message": wrong, "type": "invalid_request_error", "param": None}
            return web.json_response({"error": error}, status=400)
        whole = completion(STEPS[step], step)
        whole["choices"][0]["message"][member] = f"I think {step}."
        if not body.get("stream"):
            return web.json_response(whole)
        events = chunks(whole)
        events[0]["choices"][0]["delta"][member] = f"I think {step}."
        return await send_events(request, events)

    return answer


def work(
    answer: Answer, *, stream: bool = False, **options: Any
) -> tuple[lp.Prediction, Endpoint, lp.ReAct, Any]:
    program = lp.ReAct("question -> answer: int", [population], **options)

    async def main() -> tuple[lp.Prediction, Endpoint, lp.ReAct, Any]:
        async with endpoint(answer) as served:
            lm = lp.LM("openai/x", base_url=served.base_url, api_key="k", cache=False)
            with lp.using(lm=lm):
                if stream:
                    *_, last = [event async for event in program.astream(question="How many?")]
                    assert isinstance(last, lp.Prediction)
                else:
                    last = await program.acall(question="How many?")
                return last, served, program, lm

    return asyncio.run(main())


MISSING = "thinking is enabled but reasoning_content is missing in assistant tool call message"
REFUSED = "The parameter 'messages.2.reasoning_content' is not supported."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("member", ["reasoning_content", "reasoning"])
def test_reasoning_goes_back_under_the_name_under_which_it_came(member: str, stream: bool) -> None:
    prediction, served, _, _ = work(thinking(member, MISSING, about=False), stream=stream)
    assert prediction.answer == 520_774
    first, second = served.requests
    assert not any(member in message for message in first["messages"])
    [said] = [message for message in second["messages"] if message["role"] == "assistant"]
    # The reasoning is the thought, and comes once.
    assert (said[member], said["content"]) == ("I think 0.", None)


def test_an_endpoint_that_refuses_it_gets_none_from_then_on_and_nothing_is_lost() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prediction, served, program, lm = work(thinking("reasoning_content", REFUSED))
    assert prediction.answer == 520_774
    assert served.calls == 3
    dialect = dialect_of(lm)
    assert dialect is not None
    assert dialect.refused == {"reasoning_content"}
    [said] = [each for each in served.requests[2]["messages"] if each["role"] == "assistant"]
    assert "reasoning_content" not in said


def test_an_endpoint_that_misses_it_in_demonstrations_gets_it_empty() -> None:
    demo = lp.Example(
        question="And of Bonn?",
        steps=[Step("", [ToolUse("population", {"city": "Bonn"})], ["336465"])],
        thought="",
        tool_calls=[ToolUse("submit", {"answer": 336_465})],
    )
    answer = thinking("reasoning_content", MISSING, about=False)
    prediction, served, _, lm = work(answer, demos=[demo])
    assert prediction.answer == 520_774
    assert dialect_of(lm).refused == {"missing_reasoning"}
    said = [each for each in served.requests[-1]["messages"] if each["role"] == "assistant"]
    assert [each["reasoning_content"] for each in said] == ["", "", "I think 0."]


def test_neither_demonstrations_nor_artifacts_hold_it(tmp_path: Any) -> None:
    prediction, _, program, _ = work(thinking("reasoning_content"))
    last = prediction.trace[-1]
    [step] = last.inputs["steps"]
    assert step.reasoning == Reasoning("I think 0.")
    demo = lp.Example(**last.inputs, **last.outputs)
    shown = program.with_parameters({"step.demos": [demo]})
    for adapter in ("tools", "chat"):
        prompt = shown.with_parameters({"step.adapter": adapter}).step.render({"question": "?"})
        parts = [part for message in prompt for part in message.content if message.role != "user"]
        assert not any(isinstance(part, Reasoning) for part in parts)
    lp.save(shown, tmp_path / "a.json")
    node = json.loads((tmp_path / "a.json").read_text())["program"]
    [kept] = node["step"]["demos"][0]["steps"]
    assert sorted(kept) == ["notice", "results", "thought", "tool_calls"]


def test_it_is_no_part_of_a_steps_value_but_travels_with_it() -> None:
    step = Step("", [ToolUse("population", {"city": "Lyon"})], ["520774"])
    thought = step.with_reasoning(Reasoning("hm", "signed"))
    assert (thought == step, step.reasoning) == (True, None)
    for other in (copy.deepcopy(thought), pickle.loads(pickle.dumps(thought))):
        assert other.reasoning == Reasoning("hm", "signed")


def test_a_reply_that_is_sent_back_keeps_its_reasoning_beside_its_calls() -> None:
    class Sized(lp.Signature):
        """Say how large it is."""

        question: str = lp.Input()
        size: int = lp.Output()

    calls = ((ToolCall("c", "Sized", '{"size": 1}'),),)
    first = lp.Completion(
        ("",), "scripted/lm", tool_calls=calls, reasoning=("hm",), signatures=("signed",)
    )
    again = lp.Completion(
        ("",), "scripted/lm", tool_calls=((ToolCall("d", "Sized", '{"size": 2}'),),)
    )
    lm = lp.ScriptedLM([first, again])
    check = lp.Check(lambda size: size > 1, "too small")
    with lp.using(lm=lm):
        assert lp.Predict(Sized, adapter="tools", checks=[check])(question="?").size == 2
    assert lm.requests[1].messages[-3] == Message(
        "assistant", (Reasoning("hm", "signed"), *calls[0])
    )
