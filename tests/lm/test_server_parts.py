"""The whole contract over HTTP: our own client, and the official one, against our own server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import aiohttp
import openai
import pytest

from langprog.errors import (
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    InputError,
    LangprogError,
    LMError,
    ServerError,
    TruncatedError,
)
from langprog.lm import (
    Audio,
    Completed,
    Completion,
    Delta,
    File,
    Image,
    LanguageModel,
    Message,
    OpenAICompatible,
    Reasoning,
    ReasoningDelta,
    Request,
    Restarted,
    Sampling,
    ScriptedLM,
    Server,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolSpec,
    Usage,
)
from tests.lm.endpoint import asking
from tests.lm.test_server import asks, body, posted, with_client

PNG = bytes(range(256))
CALLS = (ToolCall("call_7", "weather", '{"city": "Ulm"}'), ToolCall("call_8", "time", "{}"))
TOOLS = (
    ToolSpec("weather", "the weather of a city", {"type": "object", "properties": {"city": {}}}),
    ToolSpec("time", "what time it is"),
)
WHOLE = Completion(
    ("It is warm.", ""),
    "test/model",
    Usage(40, 30, 16, 8, 4),
    ("stop", "tool_calls"),
    ((-0.25, -0.5), ()),
    tool_calls=((), CALLS),
    reasoning=("think of\nUlm", ""),
)


def through(model: LanguageModel, work: Callable[[OpenAICompatible], Any]) -> Any:
    """Serve a model, and let our own client ask it."""

    async def run() -> Any:
        async with Server({"test/model": model}) as server:
            client = OpenAICompatible("test/model", base_url=server.base_url, model="test/model")
            try:
                return await work(client)
            finally:
                await client.aclose()

    return asyncio.run(run())


async def streamed(client: OpenAICompatible, request: Request) -> tuple[list[Delta], Completion]:
    *deltas, last = [delta async for delta in client.stream(request)]
    assert isinstance(last, Completed)
    return deltas, last.completion


def said(completion: Completion) -> tuple[Any, ...]:
    return (
        completion.texts,
        completion.usage,
        completion.finish_reasons,
        completion.logprobs,
        completion.tool_calls,
        completion.reasoning,
    )


class Streaming:
    """A model that streams what it is told to, an error where it is one."""

    name, endpoint, defaults = "test/model", "in-process", Sampling()

    def __init__(self, *deltas: Delta | Exception) -> None:
        self.deltas = deltas

    async def complete(self, request: Request) -> Completion:
        raise AssertionError("a stream is asked for")

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        for delta in self.deltas:
            if isinstance(delta, Exception):
                raise delta
            yield delta

    async def aclose(self) -> None:
        pass


CONVERSATION = (
    Message("system", "be brief"),
    Message(
        "user",
        (
            Text("what is this?"),
            Image(PNG, media_type="image/webp"),
            Image(url="https://pictures.example/cat.png"),
            Audio(b"RIFF\x00\xff", media_type="audio/wav"),
            Audio(b"ID3\xff", media_type="audio/mpeg"),
            File(b"%PDF", name="a.pdf"),
            File(url="https://papers.example/b.pdf"),
            File(b"a,b\n", media_type="text/csv"),
        ),
    ),
    Message("assistant", (Reasoning("a cat?"), Text("let me look"), *CALLS)),
    Message("tool", (ToolResult("call_7", "warm \u00fc"),)),
    Message("tool", (ToolResult("call_8", ""),)),
    Message("assistant", (CALLS[0],)),
    Message("assistant", "done"),
)


def test_every_part_arrives_as_it_was_sent() -> None:
    lm = ScriptedLM(["a cat"])
    through(lm, lambda client: client.complete(Request(CONVERSATION)))
    assert lm.requests == [Request(CONVERSATION)]


@pytest.mark.parametrize("choice", [None, "auto", "none", "required", "weather"])
def test_every_setting_arrives_as_it_was_sent(choice: str | None) -> None:
    lm = ScriptedLM([WHOLE])
    sampling = Sampling(0.5, 90, 0.75, ("X", "Y"), 4, "high", {"top_k": 20})
    request = Request(
        (Message("user", "hi"),), sampling, 2, {"type": "object"}, True,
        tools=TOOLS, tool_choice=choice,
    )  # fmt: skip
    through(lm, lambda client: client.complete(request))
    assert lm.requests == [request]


def test_a_completion_arrives_whole_in_one_piece_and_in_many() -> None:
    request = asking(n=2, logprobs=True, tools=TOOLS)
    whole = through(ScriptedLM([WHOLE]), lambda client: client.complete(request))
    assert said(whole) == said(WHOLE)
    deltas, whole = through(ScriptedLM([WHOLE]), lambda client: streamed(client, request))
    assert said(whole) == said(WHOLE)
    assert ReasoningDelta("think of\nUlm", 0) in deltas
    assert ToolCallDelta(0, "call_7", "weather", '{"city": "Ulm"}', 1) in deltas


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter", "tool_calls"])
def test_why_an_answer_ended_arrives(reason: str) -> None:
    completion = Completion(("a", "b"), "m", Usage(1, 1), (reason, "stop"))
    for stream in (False, True):
        got = through(
            ScriptedLM([completion]),
            lambda client, stream=stream: (
                streamed(client, asking(n=2)) if stream else client.complete(asking(n=2))
            ),
        )
        assert (got[1] if stream else got).finish_reasons == (reason, "stop")


def test_an_answer_that_was_broken_off_is_no_answer() -> None:
    broken = Completion(("a",), "m", Usage(1, 1), ("error",))
    for work in (
        lambda client: client.complete(asking()),
        lambda client: streamed(client, asking()),
    ):
        with pytest.raises(ServerError, match="broke"):
            through(ScriptedLM([broken]), work)


def test_deltas_are_sent_as_they_come() -> None:
    """The second delta is made only when a client has read the first one."""

    async def run() -> list[str]:
        read = asyncio.Event()

        class Slow(Streaming):
            async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
                yield TextDelta("first ")
                await read.wait()
                yield TextDelta("second")
                yield Completed(Completion(("first second",), "m"))

        async with Server({"test/model": Slow()}) as server:
            client = OpenAICompatible("test/model", base_url=server.base_url, model="test/model")
            texts = []
            async for delta in client.stream(asking()):
                if isinstance(delta, TextDelta):
                    texts.append(delta.text)
                    read.set()
            await client.aclose()
            return texts

    assert asyncio.run(run()) == ["first ", "second"]


PIECES = (
    ReasoningDelta("hm", 0),
    TextDelta("one ", 0),
    ToolCallDelta(0, "call_7", "weather", '{"city"', 1),
    TextDelta("two", 0),
    ToolCallDelta(0, "", "", ': "Ulm"}', 1),
    ToolCallDelta(1, "call_8", "time", "{}", 1),
)
END = Completed(
    Completion(
        ("one two", ""),
        "m",
        Usage(5, 6, 1, 2, 3),
        ("stop", "stop"),
        tool_calls=((), CALLS),
        reasoning=("hm", ""),
    )
)


def test_the_official_client_reads_the_pieces() -> None:
    def work(client: openai.OpenAI) -> list[Any]:
        return list(asks(client, stream=True, n=2, stream_options={"include_usage": True}))

    *chunks, last = with_client(Streaming(*PIECES, END), work)
    firsts: dict[int, Any] = {}
    for chunk in chunks:
        firsts.setdefault(chunk.choices[0].index, chunk.choices[0].delta)
    assert {delta.role for delta in firsts.values()} == {"assistant"}
    deltas = [chunk.choices[0] for chunk in chunks]
    assert "".join(choice.delta.content or "" for choice in deltas) == "one two"
    calls = [call for choice in deltas for call in choice.delta.tool_calls or ()]
    assert [(call.index, call.id) for call in calls] == [(0, "call_7"), (0, None), (1, "call_8")]
    assert "".join(call.function.arguments for call in calls) == '{"city": "Ulm"}{}'
    reasons = [(c.index, c.finish_reason) for c in deltas if c.finish_reason]
    assert reasons == [(0, "stop"), (1, "tool_calls")]
    assert (last.choices, last.usage.total_tokens) == ([], 11)
    assert last.usage.prompt_tokens_details.cached_tokens == 1
    assert last.usage.prompt_tokens_details.cache_write_tokens == 3
    assert last.usage.completion_tokens_details.reasoning_tokens == 2


def test_the_official_client_calls_tools() -> None:
    lm = ScriptedLM([Completion(("",), "m", Usage(3, 4, 0, 2), tool_calls=(CALLS,)), "warm"])
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    named = {"type": "function", "function": {"name": "weather"}}

    def work(client: openai.OpenAI) -> Any:
        message = {"role": "user", "content": "and the weather?"}
        options: dict[str, Any] = {"tools": [tool], "parallel_tool_calls": True}
        first = asks(client, messages=[message], tool_choice=named, **options)
        [choice] = first.choices
        assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
        assert [(call.id, call.function.name) for call in choice.message.tool_calls] == [
            ("call_7", "weather"),
            ("call_8", "time"),
        ]
        assert first.usage.completion_tokens_details.reasoning_tokens == 2
        results = [
            {"role": "tool", "tool_call_id": call.id, "content": "warm"}
            for call in choice.message.tool_calls
        ]
        second = asks(client, messages=[message, choice.message, *results], **options)
        return second.choices[0].message.content

    assert with_client(lm, work) == "warm"
    assert lm.requests[0].tool_choice == "weather"
    assert lm.requests[1].messages[1:] == (
        Message("assistant", CALLS),
        Message("tool", (ToolResult("call_7", "warm"),)),
        Message("tool", (ToolResult("call_8", "warm"),)),
    )


AGAIN = Restarted("the connection broke")


@pytest.mark.parametrize(
    "deltas",
    [
        (AGAIN, *PIECES, END),
        (*PIECES[:2], AGAIN, *PIECES, END),
        (*PIECES, AGAIN, *PIECES[:3], AGAIN, END),
        (END,),
        (*PIECES[:3], END),
    ],
)
def test_a_restart_that_answers_the_same_goes_on_where_it_was(deltas: tuple[Delta, ...]) -> None:
    _, whole = through(Streaming(*deltas), lambda client: streamed(client, asking(n=2)))
    assert said(whole)[0] == ("one two", "")
    assert whole.tool_calls == ((), CALLS)
    assert whole.reasoning == ("hm", "")


OTHER = Completed(Completion(("one three", ""), "m", Usage(1, 1), ("stop", "stop")))


@pytest.mark.parametrize(
    "deltas",
    [
        (*PIECES[:4], AGAIN, TextDelta("one three"), OTHER),
        (*PIECES[2:], AGAIN, OTHER),
        (PIECES[0], AGAIN, OTHER),
        (*PIECES[:4], OTHER),
    ],
)
def test_what_was_sent_is_never_contradicted(deltas: tuple[Delta, ...]) -> None:
    with pytest.raises(ServerError, match="differs from what was already sent"):
        through(Streaming(*deltas), lambda client: streamed(client, asking(n=2)))

    def work(client: openai.OpenAI) -> None:
        with pytest.raises(openai.APIError, match="differs from what was already sent"):
            list(asks(client, stream=True, n=2))

    with_client(Streaming(*deltas), work)


IN_STREAMS: list[tuple[LangprogError, type[LMError]]] = [
    (ServerError("down"), ServerError),
    (ContextWindowError("no room"), ContextWindowError),
    (ContentFilterError("not this"), ContentFilterError),
    (BadRequestError("odd"), BadRequestError),
    (TruncatedError("cut off"), BadRequestError),
]


@pytest.mark.parametrize(("error", "kind"), IN_STREAMS)
def test_an_error_in_a_stream_ends_it_and_keeps_its_kind(
    error: LangprogError, kind: type[LMError]
) -> None:
    model = Streaming(TextDelta("half an "), error)
    with pytest.raises(kind, match=str(error)) as caught:
        through(model, lambda client: streamed(client, asking()))
    assert caught.type is kind

    def work(client: openai.OpenAI) -> None:
        with pytest.raises(openai.APIError, match=str(error)):
            list(asks(client, stream=True))

    with_client(model, work)


@pytest.mark.parametrize("deltas", [(), (TextDelta("half an "),)])
def test_a_stream_without_an_end_is_no_answer(deltas: tuple[Delta, ...]) -> None:
    with pytest.raises(ServerError, match="stream"):
        through(Streaming(*deltas), lambda client: streamed(client, asking()))


def test_a_cut_off_reply_is_not_worth_asking_again() -> None:
    [(status, data)] = posted(ScriptedLM([TruncatedError("cut off at 5 tokens")]), body())
    assert (status, data["error"]["code"]) == (400, "truncated")


def test_the_setting_that_an_endpoint_refused_is_named() -> None:
    error = BadRequestError("no temperature", said="temperature?", params=("temperature",))
    [(status, data)] = posted(ScriptedLM([error]), body(temperature=1))
    assert (status, data["error"]["param"]) == (400, "temperature")


def user(*parts: Any) -> bytes:
    return body(messages=[{"role": "user", "content": list(parts)}])


def assistant(**more: Any) -> bytes:
    return body(messages=[{"role": "assistant", **more}])


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"type": "function", "function": {"name": "f"}}
BAD: dict[str, tuple[bytes, str]] = {
    "image without a scheme": (
        user({"type": "image_url", "image_url": {"url": "cat.png"}}),
        "messages[0]",
    ),
    "image from a file": (
        user({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}),
        "messages[0]",
    ),
    "image that is no base 64": (
        user({"type": "image_url", "image_url": {"url": "data:image/png;base64,???"}}),
        "messages[0]",
    ),
    "image without base 64": (
        user({"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}),
        "messages[0]",
    ),
    "image in another detail": (
        user({"type": "image_url", "image_url": {"url": "https://a.b/c", "detail": "low"}}),
        "messages[0]",
    ),
    "sound without a format": (
        user({"type": "input_audio", "input_audio": {"data": "AAAA"}}),
        "messages[0]",
    ),
    "sound without data": (
        user({"type": "input_audio", "input_audio": {"format": "wav"}}),
        "messages[0]",
    ),
    "file by its id": (user({"type": "file", "file": {"file_id": "f-1"}}), "messages[0]"),
    "part of an unknown type": (user({"type": "video", "video": {}}), "messages[0]"),
    "part that is a text": (user("hi"), "messages[0]"),
    "name of a speaker": (
        body(messages=[{"role": "user", "content": "hi", "name": "Ann"}]),
        "messages[0]",
    ),
    "assistant without anything": (assistant(content=None), "messages[0]"),
    "assistant with a sound": (assistant(content="", audio={"id": "a"}), "messages[0]"),
    "assistant with an old call": (
        assistant(content=None, function_call={"name": "f"}),
        "messages[0]",
    ),
    "call without an id": (
        assistant(content=None, tool_calls=[{**CALL, "id": None}]),
        "messages[0]",
    ),
    "call without arguments": (
        assistant(content=None, tool_calls=[{**CALL, "function": {"name": "f"}}]),
        "messages[0]",
    ),
    "calls are a text": (assistant(content=None, tool_calls="f()"), "messages[0]"),
    "thoughts are a list": (assistant(content="a", reasoning_content=["b"]), "messages[0]"),
    "result without an id": (body(messages=[{"role": "tool", "content": "a"}]), "messages[0]"),
    "result is an image": (
        body(
            messages=[
                {
                    "role": "tool",
                    "tool_call_id": "c",
                    "content": [{"type": "image_url", "image_url": {"url": "https://a.b/c"}}],
                }
            ]
        ),
        "messages[0]",
    ),
    "tools are an object": (body(tools={}), "tools"),
    "tool of another type": (body(tools=[{"type": "web_search"}]), "tools[0]"),
    "tool without a name": (body(tools=[{"type": "function", "function": {}}]), "tools[0]"),
    "tool with a text as schema": (
        body(tools=[{"type": "function", "function": {"name": "f", "parameters": "x"}}]),
        "tools[0]",
    ),
    "choice of a tool that is none": (
        body(tools=[FUNCTION], tool_choice={"type": "function", "function": {"name": "g"}}),
        "tool_choice",
    ),
    "choice is another word": (body(tools=[FUNCTION], tool_choice="any"), "tool_choice"),
    "effort is a number": (body(reasoning_effort=3), "reasoning_effort"),
    "format of another kind": (
        body(response_format={"type": "grammar", "grammar": "x"}),
        "response_format",
    ),
    "sounds as the answer": (body(modalities=["text", "audio"]), "modalities"),
    "old functions": (body(functions=[{"name": "f"}]), "functions"),
    "other tokens as well": (body(logprobs=True, top_logprobs=5), "top_logprobs"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_cannot_be_handed_on_is_refused_and_named(bad: str) -> None:
    raw, param = BAD[bad]
    lm = ScriptedLM(["fine"])
    [(status, data)] = posted(lm, raw)
    assert (status, data["error"]["param"]) == (400, param)
    assert lm.calls == 0


def test_members_that_change_nothing_are_passed_over_and_others_reach_the_model() -> None:
    lm = ScriptedLM(lambda request: "fine")
    [(status, _), (other, _)] = posted(
        lm,
        body(
            user="me", store=True, metadata={"a": "b"}, parallel_tool_calls=True, service_tier="x",
            frequency_penalty=0.0, presence_penalty=0, logit_bias={}, top_logprobs=0, min_p=None,
            modalities=["text"], stream_options=None, seed=None, safety_identifier="y",
        ),
        body(parallel_tool_calls=False, frequency_penalty=0.5, top_k=3),
    )  # fmt: skip
    assert (status, other) == (200, 200)
    extra = {"parallel_tool_calls": False, "frequency_penalty": 0.5, "top_k": 3}
    assert lm.requests == [asking("hi"), asking("hi", sampling=Sampling(extra=extra))]


def test_a_json_object_is_a_schema_of_any_object() -> None:
    lm = ScriptedLM(["{}"])
    posted(lm, body(response_format={"type": "json_object"}))
    assert lm.requests[0].response_schema == {"type": "object"}


def test_other_forms_of_the_same() -> None:
    lm = ScriptedLM(["fine"])
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]
    posted(
        lm,
        body(
            messages=[
                {"role": "assistant", "content": parts},
                {"role": "assistant", "content": None, "refusal": "no"},
                {"role": "assistant", "content": "", "tool_calls": [], "reasoning": "why"},
                {"role": "tool", "tool_call_id": "c", "name": "f", "content": parts[:1]},
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"file_data": "AAEC", "filename": "a.csv"}},
                        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                    ],
                },
            ]
        ),
    )
    assert lm.requests[0].messages == (
        Message("assistant", "ab"),
        Message("assistant", "no"),
        Message("assistant", (Reasoning("why"),)),
        Message("tool", (ToolResult("c", "a"),)),
        Message("user", (File(b"\0\1\2", media_type="text/csv", name="a.csv"), Text("a"))),
    )


def test_a_sound_at_an_address_is_refused_before_it_is_sent() -> None:
    request = Request((Message("user", (Audio(url="https://sounds.example/a.wav"),)),))
    lm = ScriptedLM(["fine"])
    with pytest.raises(InputError, match="audio as bytes"):
        through(lm, lambda client: client.complete(request))
    assert lm.calls == 0


def test_a_stream_that_ends_well_and_only_that_has_the_end_mark() -> None:
    async def read(model: LanguageModel) -> list[str]:
        async with Server({"test/model": model}) as server, aiohttp.ClientSession() as session:
            url = f"{server.base_url}/chat/completions"
            async with session.post(url, data=body(stream=True, n=2)) as reply:
                assert reply.content_type == "text/event-stream"
                return (await reply.text()).split("\n\n")

    *_, last, rest = asyncio.run(read(Streaming(*PIECES, END)))
    assert (last, rest) == ("data: [DONE]", "")
    *_, last, rest = asyncio.run(read(Streaming(*PIECES, ServerError("down"))))
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["message"], error["type"], error["status"]) == ("down", "server_error", 500)
    assert rest == ""
