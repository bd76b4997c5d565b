"""The client through the real litellm, against endpoints on loopback. Skipped without it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from langprog.errors import BadRequestError, ConnectError, LMError, ModelError, ServerError
from langprog.lm import (
    Completed,
    Completion,
    Image,
    LiteLLM,
    Message,
    Negotiated,
    Request,
    Sampling,
    ScriptedLM,
    Server,
    Text,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
)
from tests.lm.endpoint import Endpoint, asking, endpoint, good, refuses, says

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None, reason="litellm is not installed"
    ),
    pytest.mark.filterwarnings("ignore"),  # what litellm warns of is its own
]

CALL = ToolCall("call_7", "weather", '{"city": "Ulm"}')
WHOLE = Completion(
    ("It is warm.",),
    "test/model",
    Usage(40, 30, 16, 8),
    ("tool_calls",),
    tool_calls=((CALL,),),
    reasoning=("think of\nUlm",),
)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # nothing is fetched
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-nobody-0123456789")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-of-nobody-0123456789")


def with_server(
    monkeypatch: pytest.MonkeyPatch, lm: ScriptedLM, work: Callable[[LiteLLM], Awaitable[Any]]
) -> Any:
    """Serve a script, and let litellm ask it."""

    async def run() -> Any:
        async with Server({"test/model": lm}) as server:
            monkeypatch.setenv("OPENAI_API_BASE", server.base_url)
            return await work(LiteLLM("openai/test/model", timeout=10.0))

    return asyncio.run(run())


def with_endpoint(
    monkeypatch: pytest.MonkeyPatch,
    answers: list[Any],
    work: Callable[[LiteLLM, Endpoint], Awaitable[Any]],
) -> Any:
    async def run() -> Any:
        async with endpoint(*answers) as seen:
            monkeypatch.setenv("OPENAI_API_BASE", seen.base_url)
            return await work(LiteLLM("openai/model", timeout=10.0), seen)

    return asyncio.run(run())


REQUEST = Request(
    (
        Message("system", "be brief"),
        Message("user", (Text("what is this?"), Image(b"\0\1", media_type="image/webp"))),
        Message("assistant", (CALL,)),
        Message("tool", (ToolResult("call_7", "warm"),)),
    ),
    Sampling(0.5, 90, 0.75, ("X",), 4, None, {"top_k": 20}),
    tools=(ToolSpec("weather", "of a city", {"type": "object", "properties": {"city": {}}}),),
    tool_choice="weather",
)


def test_a_request_and_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = ScriptedLM([WHOLE])
    completion = with_server(monkeypatch, lm, lambda model: model.complete(REQUEST))
    assert lm.requests == [REQUEST]
    assert (completion.texts, completion.usage) == (WHOLE.texts, WHOLE.usage)
    assert completion.tool_calls == WHOLE.tool_calls
    assert completion.reasoning == WHOLE.reasoning
    assert completion.finish_reasons == WHOLE.finish_reasons


def test_several_answers_with_log_probabilities(monkeypatch: pytest.MonkeyPatch) -> None:
    several = Completion(("a", "b"), "m", Usage(1, 2), ("stop", "length"), ((-0.5,), (-1.0, -2.0)))
    lm = ScriptedLM([several])
    completion = with_server(
        monkeypatch, lm, lambda model: model.complete(asking(n=2, logprobs=True))
    )
    assert (completion.texts, completion.finish_reasons) == (("a", "b"), ("stop", "length"))
    assert completion.logprobs == several.logprobs


def test_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(model: LiteLLM) -> list[Any]:
        return [delta async for delta in model.stream(asking())]

    *deltas, last = with_server(monkeypatch, ScriptedLM([WHOLE]), work)
    assert isinstance(last, Completed) and len(deltas) >= 3
    completion = last.completion
    assert (completion.texts, completion.usage) == (WHOLE.texts, WHOLE.usage)
    assert completion.tool_calls == WHOLE.tool_calls
    assert completion.reasoning == WHOLE.reasoning


TEMPERATURE = {
    "message": "Unsupported value: 'temperature' does not support 0.5 with this model.",
    "type": "invalid_request_error",
    "param": "temperature",
    "code": "unsupported_value",
}


def test_a_setting_that_an_endpoint_refuses_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: LiteLLM, seen: Endpoint) -> None:
        model = Negotiated(client)
        request = asking(sampling=Sampling(temperature=0.5, seed=1))
        with pytest.warns(match="does not accept temperature"):
            assert (await model.complete(request)).text == "fine"
        assert model.refused == {"temperature"}
        assert ["temperature" in body for body in seen.requests] == [True, False]
        assert all(body["seed"] == 1 for body in seen.requests)

    answers = [says({"error": TEMPERATURE}, 400), says(good())]
    with_endpoint(monkeypatch, answers, work)


def test_a_refusal_is_sent_once_and_keeps_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: LiteLLM, seen: Endpoint) -> LMError:
        with pytest.raises(LMError) as caught:
            await client.complete(asking())
        assert seen.calls == 1
        return caught.value

    assert isinstance(with_endpoint(monkeypatch, [refuses(500)], work), ServerError)
    limited = with_endpoint(monkeypatch, [refuses(429, Retry_After="7")], work)
    assert getattr(limited, "retry_after", None) == 7.0
    inside = with_endpoint(monkeypatch, [says({"error": {"message": "no", "code": 503}})], work)
    assert isinstance(inside, ServerError)


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_BASE", "http://127.0.0.1:9/v1")
    with pytest.raises(ConnectError) as caught:
        asyncio.run(LiteLLM("openai/model", timeout=10.0).complete(asking()))
    assert caught.value.charge == "nothing"


ANSWER = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-6",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "warm"},
        {"type": "tool_use", "id": "call_7", "name": "weather", "input": {"city": "Ulm"}},
    ],
    "stop_reason": "max_tokens",
    "usage": {"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": 3},
}


@asynccontextmanager
async def anthropic(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[dict[str, Any]]]:
    """Serve an endpoint in another provider's form."""
    bodies: list[dict[str, Any]] = []

    async def answer(request: web.Request) -> web.Response:
        bodies.append(json.loads(await request.read()))
        return web.json_response(ANSWER)

    app = web.Application()
    app.router.add_post("/v1/messages", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.01)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("ANTHROPIC_API_BASE", f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield bodies
    finally:
        await runner.cleanup()


def test_another_providers_form(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with anthropic(monkeypatch) as bodies:
            model = LiteLLM("anthropic/claude-sonnet-4-6", timeout=10.0)
            completion = await model.complete(
                asking(sampling=Sampling(max_tokens=7, extra={"top_k": 3, "inference_geo": "eu"}))
            )
        [sent] = bodies
        assert (sent["top_k"], sent["inference_geo"], sent["max_tokens"]) == (3, "eu", 7)
        assert (completion.text, completion.reasoning) == ("warm", ("hm",))
        assert json.loads(completion.first_tool_calls[0].arguments) == {"city": "Ulm"}
        assert completion.finish_reasons == ("length",)
        assert (completion.usage.prompt_tokens, completion.usage.cached_prompt_tokens) == (8, 3)

    asyncio.run(run())


def test_what_litellm_knows_a_provider_not_to_have_is_learned_and_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def run() -> None:
        async with anthropic(monkeypatch) as bodies:
            model = Negotiated(LiteLLM("anthropic/claude-sonnet-4-6", timeout=10.0))
            request = asking(sampling=Sampling(temperature=0.5, seed=4), logprobs=True)
            with pytest.warns(match="does not accept seed"):
                assert (await model.complete(request)).text == "warm"
        assert model.refused == {"seed", "logprobs"}
        [sent] = bodies
        assert sent["temperature"] == 0.5

    asyncio.run(run())


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key", "mock_response", "timeout"])
def test_no_member_of_extra_steers_litellm(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    request = asking(sampling=Sampling(extra={name: "http://elsewhere.example"}))

    async def direct(model: LiteLLM) -> Any:
        return await model.complete(request)

    with pytest.raises(ModelError, match=f"litellm uses '{name}' itself"):
        asyncio.run(direct(LiteLLM("anthropic/claude-sonnet-4-6")))
    lm = ScriptedLM(["fine"])
    assert with_server(monkeypatch, lm, direct).text == "fine"
    assert lm.requests == [request], "it arrives in the body, where it is harmless"


def test_a_request_that_is_wrong_is_the_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(client: LiteLLM, seen: Endpoint) -> None:
        with pytest.raises(BadRequestError, match="no such thing"):
            await Negotiated(client).complete(asking())

    with_endpoint(monkeypatch, [refuses(400, message="no such thing")], work)
