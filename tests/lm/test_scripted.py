from __future__ import annotations

import asyncio

import pytest

from langprog.errors import ModelError, ServerError
from langprog.lm import (
    Completed,
    Completion,
    Delta,
    Image,
    Message,
    ReasoningDelta,
    Request,
    Sampling,
    ScriptedLM,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
    stream_completion,
)
from tests.lm.endpoint import asking


def test_replies_come_in_their_order_and_then_end() -> None:
    lm = ScriptedLM(["one", ServerError("no"), ["a", "b"]])

    async def run() -> None:
        assert (await lm.complete(asking("x y"))).text == "one"
        with pytest.raises(ServerError):
            await lm.complete(asking())
        assert (await lm.complete(asking(n=2))).texts == ("a", "b")
        with pytest.raises(ModelError, match="3 replies"):
            await lm.complete(asking())

    asyncio.run(run())
    assert lm.calls == 4
    assert lm.requests[0] == asking("x y")


def test_a_function_sees_the_request() -> None:
    lm = ScriptedLM(
        lambda request: f"{request.n} of {request.messages[0].content}",
        name="a/b",
        dollars=0.5,
        defaults=Sampling(temperature=0.1),
    )
    completion = asyncio.run(lm.complete(asking("what", n=3)))
    assert completion.texts == ("3 of what",) * 3
    assert (completion.model, completion.dollars) == ("a/b", 0.5)
    assert completion.usage == Usage(1, 9)
    assert completion.finish_reasons == ("stop",) * 3


@pytest.mark.parametrize("reply", [[], ["only one"], 7, None])
def test_a_script_that_does_not_fit_is_a_clear_error(reply: object) -> None:
    lm = ScriptedLM(lambda request: reply)  # type: ignore[arg-type,return-value]  # the mistake
    with pytest.raises(ModelError, match="scripted/lm"):
        asyncio.run(lm.complete(asking(n=2)))


def test_a_completion_with_tool_calls_and_thoughts_comes_as_it_is_and_in_pieces() -> None:
    call = ToolCall("c", "lookup", '{"word": "a"}')
    whole = Completion(
        ("let me see",), "m", Usage(3, 4, 1, 2), ("tool_calls",),
        tool_calls=((call,),), reasoning=("hm",),
    )  # fmt: skip

    async def deltas(lm: ScriptedLM) -> list[Delta]:
        return [delta async for delta in stream_completion(lm, asking())]

    lm = ScriptedLM(lambda request: whole)
    assert asyncio.run(lm.complete(asking())) is whole
    assert asyncio.run(deltas(lm)) == [
        ReasoningDelta("hm"),
        TextDelta("let me see"),
        ToolCallDelta(0, "c", "lookup", '{"word": "a"}'),
        Completed(whole),
    ]
    assert lm.requests == [asking(), asking()]


def test_a_stream_raises_what_the_script_raises() -> None:
    async def run() -> None:
        async for _ in stream_completion(ScriptedLM([ServerError("no")]), asking()):
            raise AssertionError("there is nothing to stream")

    with pytest.raises(ServerError, match="no"):
        asyncio.run(run())


def test_parts_beside_text_are_not_counted_as_words() -> None:
    request = Request((Message("user", (Text("two words"), Image(b"png"))),))
    assert asyncio.run(ScriptedLM(["x"]).complete(request)).usage == Usage(2, 1)
