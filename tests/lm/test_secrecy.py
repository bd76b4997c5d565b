from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langprog.errors import LMError
from langprog.lm import (
    Completed,
    Completion,
    Message,
    OpenAICompatible,
    Request,
    ToolCall,
    public_address,
    request_key,
)
from langprog.lm.secrecy import is_distinct, without_secrets
from tests.lm.endpoint import choice, client, good, says, sends

KEY = "sk-proj-Planted0Key1234567890"
TOKEN = "4f9a8b7c6d5e4f3a2b1c0d9e"
OTHER = "0a9b8c7d6e5f4a3b2c1d0e9f"
ASKING = Request((Message("user", "hello"),))


def test_a_token_in_a_path_is_kept_and_shown_nowhere() -> None:
    models = [
        OpenAICompatible("my/model", base_url=f"https://host/{token}/v1")
        for token in (TOKEN, OTHER, TOKEN)
    ]
    assert all(TOKEN not in model.endpoint for model in models)
    assert models[0].endpoint.startswith("https://host/***")
    # Two accounts share no answers, and one shares its own.
    keys = [request_key(model, ASKING) for model in models]
    assert keys[0] != keys[1] and keys[0] == keys[2]
    assert public_address(f"https://host/{TOKEN}/v1") == models[0].endpoint


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com/v1",
        "https://my-resource.openai.azure.com/openai/deployments/gpt-4o-mini-2024-07-18",
        "http://localhost:8000/v1#Qwen2.5-7B",
        "https://openrouter.ai/api/v1",
        "in-process",
    ],
)
def test_a_plain_address_stays_as_it_is(address: str) -> None:
    assert public_address(address) == address


def test_errors_do_not_show_a_token_of_the_path() -> None:
    async def run() -> list[str]:
        said = []
        for answer in (
            says({"error": {"message": f"no such path /{TOKEN}/v1"}}, 404),
            sends(f"<html>{TOKEN}".encode(), "text/html"),
        ):
            async with client(answer) as (model, seen):
                # The server answers under one path alone, so the token is put on afterwards.
                there = OpenAICompatible("test/model", base_url=f"{seen.base_url}?token={TOKEN}")
                with pytest.raises(LMError) as caught:
                    await there.complete(ASKING)
                said.append(str(caught.value))
                await there.aclose()
        gone = OpenAICompatible("test/model", base_url=f"http://127.0.0.1:9/{TOKEN}/v1")
        with pytest.raises(LMError) as caught:
            await gone.complete(ASKING)
        await gone.aclose()
        return [*said, str(caught.value)]

    for text in asyncio.run(run()):
        assert TOKEN not in text


def echo(text: str) -> dict[str, Any]:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": text}}]
    message = {"role": "assistant", "content": text, "reasoning_content": text}
    return choice(None, message={**message, "tool_calls": calls})


def events(*texts: str) -> bytes:
    data = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    end = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    lines = [f"data: {json.dumps(item)}\n\n" for item in (*data, end)]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


@pytest.mark.parametrize("where", ["key", "header", "request header", "query"])
def test_a_reply_that_repeats_a_credential_does_not_keep_it(where: str) -> None:
    request = ASKING
    options: dict[str, Any] = {}
    if where == "key":
        options["api_key"] = KEY
    elif where == "header":
        options["headers"] = {"X-Api-Key": KEY}
    elif where == "request header":
        request = Request(ASKING.messages, headers={"Authorization": f"Bearer {KEY}"})

    async def run() -> list[Completion]:
        answers = (
            says(good(echo(f"your key is {KEY}."))),
            sends(events("your key is ", KEY[:9], KEY[9:], "."), "text/event-stream"),
        )
        async with client(*answers, **options) as (model, seen):
            if where == "query":
                model = OpenAICompatible("test/model", base_url=f"{seen.base_url}?api_key={KEY}")
            whole = await model.complete(request)
            [last] = [
                delta async for delta in model.stream(request) if isinstance(delta, Completed)
            ]
            await model.aclose()
            return [whole, last.completion]

    whole, streamed = asyncio.run(run())
    assert whole.texts == streamed.texts == ("your key is ***.",)
    assert KEY not in repr(whole) + repr(streamed)
    assert whole.tool_calls[0][0].arguments == whole.reasoning[0] == "your key is ***."


@pytest.mark.parametrize("key", ["none", "EMPTY", "anything", "not-needed", "password"])
def test_words_that_stand_for_no_key_change_no_reply(key: str) -> None:
    async def run() -> str:
        async with client(says(good(choice(f"it is {key}.")))) as (_, seen):
            model = OpenAICompatible("test/model", base_url=seen.base_url, api_key=key)
            completion = await model.complete(ASKING)
            await model.aclose()
            return completion.text

    assert not is_distinct(key)
    assert asyncio.run(run()) == f"it is {key}."


def test_a_header_that_is_not_a_credential_changes_no_reply() -> None:
    async def run() -> str:
        title = "my application number 1"
        async with client(says(good(choice(title))), headers={"X-Title": title}) as (model, _):
            return (await model.complete(ASKING)).text

    assert asyncio.run(run()) == "my application number 1"


@given(st.text(), st.text())
def test_what_holds_no_secret_stays_the_same_object(before: str, after: str) -> None:
    completion = Completion((before, after), "m", tool_calls=((ToolCall("c", "f", after),),))
    assert without_secrets(completion, (KEY,)) is completion
    changed = without_secrets(Completion((f"{before}{KEY}{after}",), "m"), (KEY,))
    assert changed.texts == (f"{before}***{after}",)
