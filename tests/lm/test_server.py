"""The endpoint, as the official client and as careless ones see it."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import openai
import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    BudgetExceeded,
    ConnectError,
    ContextWindowError,
    InputError,
    LangprogError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from langprog.lm import Completion, LanguageModel, Request, Sampling, ScriptedLM, Server, Usage
from langprog.lm import Message as Said

TEXT = "first line\n\n  second \u2028 line \u00fc \U0001f600\n"


def with_client(
    models: dict[str, LanguageModel] | LanguageModel, work: Callable[[openai.OpenAI], Any]
) -> Any:
    """Serve, and let the official client work in a thread."""
    served = models if isinstance(models, dict) else {"test/model": models}

    async def run() -> Any:
        async with Server(served) as server:
            # Without TLS, whose certificates take longer to load than all the rest.
            plain = openai.DefaultHttpxClient(verify=False)
            with openai.OpenAI(
                base_url=server.base_url, api_key="none", max_retries=0, http_client=plain
            ) as client:
                return await asyncio.to_thread(work, client)

    return asyncio.run(run())


def posted(model: LanguageModel, *bodies: bytes | io.BytesIO) -> list[tuple[int, Any]]:
    """Post raw bodies; return the status and JSON of each reply."""

    async def run() -> list[tuple[int, Any]]:
        async with Server({"test/model": model}) as server, aiohttp.ClientSession() as session:
            replies = []
            for body in bodies:
                url = f"{server.base_url}/chat/completions"
                async with session.post(url, data=body) as reply:
                    assert reply.content_type == "application/json", await reply.text()
                    replies.append((reply.status, await reply.json()))
            return replies

    return asyncio.run(run())


def asks(client: openai.OpenAI, **options: Any) -> Any:
    given = {"model": "test/model", "messages": [{"role": "user", "content": "hi"}], **options}
    return client.chat.completions.create(**given)


def test_the_official_client_gets_a_completion() -> None:
    lm = ScriptedLM([[TEXT, "other"]])
    reply = with_client(
        lm,
        lambda client: asks(
            client,
            messages=[
                {"role": "developer", "content": "be brief"},
                {"role": "user", "content": [{"type": "text", "text": "h"}]},
                {"role": "assistant", "content": "\u00fc"},
            ],
            n=2,
            temperature=0,
            top_p=0.5,
            max_completion_tokens=7,
            max_tokens=9,
            stop=["X", "Y"],
            seed=3,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "o", "schema": {"type": "object"}},
            },
        ),
    )
    assert [choice.message.content for choice in reply.choices] == [TEXT, "other"]
    assert [choice.finish_reason for choice in reply.choices] == ["stop", "stop"]
    assert (reply.model, reply.object) == ("test/model", "chat.completion")
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply.usage.prompt_tokens == 4
    messages = (Said("system", "be brief"), Said("user", "h"), Said("assistant", "\u00fc"))
    assert lm.requests == [
        Request(messages, Sampling(0.0, 7, 0.5, ("X", "Y"), 3), 2, {"type": "object"})
    ]


def test_a_stream_is_the_same_text_in_pieces() -> None:
    def work(client: openai.OpenAI) -> list[Any]:
        return list(asks(client, stream=True, n=2, stream_options={"include_usage": True}))

    *chunks, last = with_client(ScriptedLM([[TEXT, "a \ud800 b"]]), work)
    texts = ["", ""]
    reasons: dict[int, str] = {}
    for chunk in chunks:
        [choice] = chunk.choices
        assert choice.index not in reasons, "nothing comes after the end of a choice"
        texts[choice.index] += choice.delta.content or ""
        if choice.finish_reason:
            reasons[choice.index] = choice.finish_reason
    assert texts == [TEXT, "a \ud800 b"]
    assert reasons == {0: "stop", 1: "stop"}
    assert last.choices == []
    assert last.usage.prompt_tokens == 1
    assert len({chunk.id for chunk in chunks}) == 1


def test_log_probabilities_arrive() -> None:
    class Sure(ScriptedLM):
        async def complete(self, request: Request) -> Completion:
            assert request.logprobs
            probabilities = ((-0.5, -1.0), ())
            return Completion(("a b", ""), "m", Usage(), ("stop", "length"), probabilities)

    reply = with_client(Sure([]), lambda client: asks(client, logprobs=True, n=2))
    tokens = [[token.logprob for token in choice.logprobs.content] for choice in reply.choices]
    assert tokens == [[-0.5, -1.0], []]
    assert reply.choices[1].finish_reason == "length"


def test_models_are_listed_and_found_by_their_last_part() -> None:
    models: dict[str, LanguageModel] = {
        name: ScriptedLM([f"I am {name}"], name=name)
        for name in ("one/small", "one/large", "two/large")
    }

    def work(client: openai.OpenAI) -> None:
        assert [model.id for model in client.models.list()] == list(models)
        assert client.models.retrieve("one/small").id == "one/small"
        assert asks(client, model="small").choices[0].message.content == "I am one/small"
        assert asks(client, model="two/large").choices[0].message.content == "I am two/large"
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("one/none")
        for unclear in ("large", "", "none"):
            with pytest.raises(openai.NotFoundError, match="there are one/small") as caught:
                asks(client, model=unclear)
            assert caught.value.code == "model_not_found"
            assert caught.value.param == "model"

    with_client(models, work)


ERRORS: list[tuple[LangprogError, type[openai.APIStatusError], str | None]] = [
    (
        ContextWindowError("prompt of 900 tokens, 512 fit"),
        openai.BadRequestError,
        "context_length_exceeded",
    ),
    (BadRequestError("odd"), openai.BadRequestError, None),
    (InputError("odd"), openai.BadRequestError, None),
    (AuthError("who"), openai.AuthenticationError, None),
    (RateLimitError("slow", retry_after=2.5), openai.RateLimitError, None),
    (BudgetExceeded("spent"), openai.RateLimitError, "insufficient_quota"),
    (ServerError("down"), openai.InternalServerError, None),
    (ConnectError("gone"), openai.InternalServerError, None),
    (TimeoutError("late"), openai.InternalServerError, None),
]


def test_a_models_errors_reach_the_client() -> None:
    def work(client: openai.OpenAI) -> None:
        for stream in (False, True):
            for error, kind, code in ERRORS:
                with pytest.raises(kind, match=str(error)) as caught:
                    asks(client, stream=stream)
                assert caught.value.code == code
                if isinstance(error, RateLimitError):
                    assert caught.value.response.headers["Retry-After"] == "3"

    with_client(ScriptedLM([error for error, _, _ in ERRORS] * 2), work)


def test_a_bug_in_a_model_tells_nothing_of_the_inside() -> None:
    def work(client: openai.OpenAI) -> None:
        with pytest.raises(openai.InternalServerError) as caught:
            asks(client)
        assert "secret" not in caught.value.response.text

    with_client(ScriptedLM(lambda request: ZeroDivisionError("secret")), work)


def body(**change: Any) -> bytes:
    given = {"model": "test/model", "messages": [{"role": "user", "content": "hi"}], **change}
    return json.dumps(given).encode()


BAD: dict[str, tuple[bytes, str | None]] = {
    "no JSON": (b"{nonsense", None),
    "nothing": (b"", None),
    "no UTF-8": (b"\xff\xfe\xfa", None),
    "deep nesting": (b"[" * 100_000, None),
    "a list": (b"[]", None),
    "a number": (b"5", None),
    "model is a number": (body(model=5), "model"),
    "no model": (b'{"messages": []}', "model"),
    "no messages": (body(messages=[]), "messages"),
    "messages is a text": (body(messages="hi"), "messages"),
    "message is a text": (body(messages=["hi"]), "messages[0]"),
    "role is unknown": (body(messages=[{"role": "robot", "content": "hi"}]), "messages[0]"),
    "role is a list": (body(messages=[{"role": [], "content": "hi"}]), "messages[0]"),
    "content is a number": (body(messages=[{"role": "user", "content": 5}]), "messages[0]"),
    "content is an image": (
        body(messages=[{"role": "user", "content": [{"type": "image_url"}]}]),
        "messages[0]",
    ),
    "temperature is a text": (body(temperature="hot"), "temperature"),
    "temperature is negative": (body(temperature=-1), "temperature"),
    "temperature is not a number": (body(temperature=float("nan")), "temperature"),
    "temperature is infinite": (body(temperature=float("inf")), "temperature"),
    "temperature is huge": (body(temperature=10**400), "temperature"),
    "temperature is true": (body(temperature=True), "temperature"),
    "top_p is above 1": (body(top_p=1.5), "top_p"),
    "max_tokens is 0": (body(max_tokens=0), "max_tokens"),
    "max_tokens is a fraction": (body(max_tokens=1.5), "max_tokens"),
    "n is 0": (body(n=0), "n"),
    "n is huge": (body(n=10**9), "n"),
    "n is a text": (body(n="two"), "n"),
    "seed is a text": (body(seed="x"), "seed"),
    "stop is a number": (body(stop=5), "stop"),
    "stop holds a number": (body(stop=["a", 5]), "stop"),
    "stop is an object": (body(stop={"a": 1}), "stop"),
    "logprobs is a text": (body(logprobs="yes"), "logprobs"),
    "stream is a text": (body(stream="yes"), "stream"),
    "stream_options is a text": (body(stream=True, stream_options="x"), "stream_options"),
    "response_format is a text": (body(response_format="json"), "response_format"),
    "json_schema is a text": (
        body(response_format={"type": "json_schema", "json_schema": "x"}),
        "response_format",
    ),
    "schema is missing": (
        body(response_format={"type": "json_schema", "json_schema": {"name": "x"}}),
        "response_format",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_body_is_an_error_object_that_names_the_field(bad: str) -> None:
    raw, param = BAD[bad]
    lm = ScriptedLM(["fine"])
    (status, data), (next_status, _) = posted(lm, raw, body())
    assert status == 400
    assert set(data) == {"error"}
    error = data["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"]
    assert next_status == 200
    assert lm.calls == 1, "nothing is asked of the model for a bad body"


def test_a_body_that_is_too_large_is_an_error_object() -> None:
    [(status, data)] = posted(ScriptedLM([]), io.BytesIO(b" " * (33 * 2**20)))
    assert status == 413
    assert data["error"]["type"] == "invalid_request_error"


def test_settings_that_are_null_or_text_formats_are_left_open() -> None:
    lm = ScriptedLM(["fine"])
    raw = body(
        temperature=None, stop=None, n=None, logprobs=None, stream=None,
        response_format={"type": "text"}, tools=None, user="somebody",
    )  # fmt: skip
    [(status, _)] = posted(lm, raw)
    assert status == 200
    assert lm.requests == [Request((Said("user", "hi"),))]


def test_other_paths_say_so() -> None:
    async def run() -> None:
        async with Server({"a/b": ScriptedLM([])}) as server, aiohttp.ClientSession() as session:
            root = server.base_url.removesuffix("/v1")
            async with session.get(f"{root}/health") as reply:
                assert await reply.json() == {"status": "ok"}
            for path, status in (("/v1/embeddings", 404), ("/v1/chat/completions", 405)):
                async with session.get(root + path) as reply:
                    assert reply.status == status
                    assert (await reply.json())["error"]["type"] == "invalid_request_error"

    asyncio.run(run())


def test_many_clients_at_once() -> None:
    lm = ScriptedLM(lambda request: request.messages[0].content)

    async def run() -> None:
        async with Server({"test/model": lm}) as server, aiohttp.ClientSession() as session:

            async def ask(number: int) -> None:
                content = {"role": "user", "content": f"number {number}"}
                raw = body(messages=[content])
                async with session.post(f"{server.base_url}/chat/completions", data=raw) as reply:
                    data = await reply.json()
                    assert data["choices"][0]["message"]["content"] == f"number {number}"

            await asyncio.gather(*(ask(number) for number in range(100)))

    asyncio.run(run())


def test_a_client_that_hangs_up_in_a_stream_harms_nobody() -> None:
    lm = ScriptedLM(lambda request: "line\n" * 20_000)

    async def run() -> int:
        async with Server({"test/model": lm}) as server, aiohttp.ClientSession() as session:
            url = f"{server.base_url}/chat/completions"
            async with session.post(url, data=body(stream=True)) as reply:
                await reply.content.readany()
                reply.close()
            async with session.post(url, data=body()) as reply:
                return reply.status

    assert asyncio.run(run()) == 200


def test_a_port_that_is_taken_is_a_clear_error() -> None:
    async def run() -> None:
        async with Server({"a/b": ScriptedLM([])}) as server:
            with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{server.port}"):
                async with Server({"a/b": ScriptedLM([])}, port=server.port):
                    pass

    asyncio.run(run())


def test_it_can_be_started_again_and_needs_a_model() -> None:
    with pytest.raises(InputError, match="at least one model"):
        Server({})

    async def run() -> None:
        server = Server({"a/b": ScriptedLM([])})
        for _ in range(2):
            async with server:
                assert server.base_url == f"http://127.0.0.1:{server.port}/v1"

    asyncio.run(run())


def test_an_ipv6_address_is_a_url() -> None:
    assert Server({"a/b": ScriptedLM([])}, host="::1").base_url == "http://[::1]:0/v1"
