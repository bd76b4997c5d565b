"""Endpoints that ignore tools without a word, as llama.cpp does where a template has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

import langprog as lp
from langprog.errors import LangprogWarning, ParseError
from langprog.lm import (
    Completed,
    Completion,
    Delta,
    Message,
    Negotiated,
    Request,
    Restarted,
    Sampling,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
    WithoutTools,
)

PLAIN = WithoutTools((Message("user", "hello, and here are tools in words"),))
CALL = (ToolCall("call1", "look", "{}"),)


def readable(completion: Completion) -> None:
    if not (completion.without_tools or any(completion.tool_calls)):
        raise ParseError("it calls no tool", text=completion.text)


def unreadable(completion: Completion) -> None:
    raise ParseError("it is nothing", text=completion.text)


ASKED = Request(
    (Message("user", "hello"),),
    tools=(ToolSpec("look"),),
    tool_choice="required",
    accept=readable,
    without_tools=PLAIN,
)


class Ignoring:
    """A model that answers with text, and calls a tool only where it is told to."""

    name, endpoint, defaults = "test/model", "in-process", Sampling()

    def __init__(self, calls: Sequence[bool] = ()) -> None:
        self.calls = list(calls)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Completion:
        self.requests.append(request)
        called = bool(self.calls) and self.calls.pop(0)
        return Completion(
            ("fine",), self.name, Usage(5, 1), ("stop",), tool_calls=(CALL,) if called else ()
        )

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        completion = await self.complete(request)
        yield TextDelta(completion.text)
        yield Completed(completion)

    async def aclose(self) -> None:
        """Do nothing."""


def ask(model: Negotiated, *requests: Request) -> list[Completion]:
    async def run() -> list[Completion]:
        return [await model.complete(request) for request in requests]

    return asyncio.run(run())


def test_tools_that_are_ignored_go_into_the_prompt() -> None:
    inner = Ignoring()
    model = Negotiated(inner)
    with pytest.warns(LangprogWarning, match="accept tools: prompts describe them from now on"):
        first, second = ask(model, ASKED, ASKED)
    assert first.without_tools and second.without_tools
    # The second is sent without tools from the start.
    assert [bool(request.tools) for request in inner.requests] == [True, False, False]
    assert inner.requests[1].messages == PLAIN.messages
    assert model.refused == {"tools"}
    # The reply that nobody sees was paid as well.
    assert (first.usage, second.usage) == (Usage(10, 2), Usage(5, 1))


def test_an_endpoint_that_called_a_tool_before_takes_them() -> None:
    inner = Ignoring([True, False])
    model = Negotiated(inner)
    first, second = ask(model, ASKED, ASKED)
    assert first.first_tool_calls == CALL
    assert not second.without_tools and not second.tool_calls
    assert (len(inner.requests), model.refused) == (2, frozenset())


@pytest.mark.parametrize(
    "request_",
    [
        Request(ASKED.messages, tools=ASKED.tools, tool_choice="auto", without_tools=PLAIN),
        Request(ASKED.messages, tools=ASKED.tools, tool_choice="required", accept=readable),
        Request(ASKED.messages, tools=ASKED.tools, tool_choice="required", without_tools=PLAIN),
    ],
    ids=["not demanded", "no other form", "nobody to say whether it helped"],
)
def test_a_text_is_the_answer_where_nothing_shows_that_tools_are_ignored(
    request_: Request,
) -> None:
    inner = Ignoring()
    model = Negotiated(inner)
    (completion,) = ask(model, request_)
    assert (completion.text, len(inner.requests), model.refused) == ("fine", 1, frozenset())


def test_a_form_that_helps_nobody_teaches_nothing() -> None:
    inner = Ignoring()
    model = Negotiated(inner)
    hopeless = Request(
        ASKED.messages,
        tools=ASKED.tools,
        tool_choice="look",
        accept=unreadable,
        without_tools=PLAIN,
    )
    completions = ask(model, *[hopeless] * 5)
    assert not any(completion.without_tools for completion in completions)
    assert [completion.usage.prompt_tokens for completion in completions] == [10, 10, 10, 5, 5]
    # Three of them were also tried without tools; then it is the model that is wrong.
    assert (len(inner.requests), model.refused) == (8, frozenset())


def test_a_stream_starts_again_without_tools() -> None:
    inner = Ignoring()
    model = Negotiated(inner)

    async def run() -> list[Delta]:
        return [delta async for delta in model.stream(ASKED)]

    with pytest.warns(LangprogWarning, match="accept tools"):
        deltas = asyncio.run(run())
    kinds = [type(delta) for delta in deltas]
    assert kinds == [TextDelta, Restarted, TextDelta, Completed]
    assert isinstance(deltas[-1], Completed) and deltas[-1].completion.without_tools


def test_an_agent_works_where_tools_are_ignored() -> None:
    def look_up(city: str) -> str:
        """Look up the weather of a city."""
        return f"sunny in {city}"

    replies = iter(
        [
            "I cannot call anything.",
            '{"thought": "look", "tool_calls": [{"tool": "look_up", '
            '"arguments": {"city": "Paris"}}]}',
            '{"thought": "done", "tool_calls": [{"tool": "submit", '
            '"arguments": {"answer": "sunny"}}]}',
        ]
    )
    inner = lp.ScriptedLM(lambda request: next(replies), dollars=0.25)
    agent = lp.ReAct("question -> answer", tools=[look_up], adapter="auto")
    with (
        lp.using(lm=Negotiated(inner)),
        pytest.warns(LangprogWarning, match="accept tools"),
    ):
        answer = agent(question="What is the weather in Paris?")
    assert answer.answer == "sunny"
    assert answer.usage.dollars == 0.25 * inner.calls  # also for what is not in the trace
    assert [bool(request.tools) for request in inner.requests] == [True, False, False]
