"""The dialect of llama.cpp's server with a real model: what programs get from it.

Skipped where the server is not installed: 'python -m benchmarks.real --install' builds it.
"""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import pytest

import langprog as lp
from benchmarks.real.server import (
    CONTEXT,
    SLOTS,
    connect,
    explain_missing_server,
    find_server,
    serve,
    server_folder,
)
from langprog.errors import ContextWindowError, LangprogWarning, ParseError
from langprog.lm import (
    Completed,
    Completion,
    LanguageModel,
    Message,
    Request,
    Sampling,
    TextDelta,
    ToolSpec,
    WithoutTools,
    dialect_of,
    stream_completion,
)

INSTALLED = find_server(server_folder())
pytestmark = pytest.mark.skipif(INSTALLED is None, reason=explain_missing_server())

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "warm": {"type": "boolean"}},
    "required": ["colour", "warm"],
    "additionalProperties": False,
}
WEATHER = ToolSpec(
    "get_weather",
    "Get the weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Paris", "London"]}},
    "required": ["city"],
}
# Without it, this small model rarely ends by itself.
SHORT = Sampling(max_tokens=24)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert INSTALLED is not None
    with serve(INSTALLED) as base_url:
        yield base_url


@pytest.fixture
def model(address: str) -> LanguageModel:
    return connect(address)


def asking(text: str, **options: Any) -> Request:
    return Request((Message("user", text),), **{"sampling": SHORT, **options})


def complete(model: LanguageModel, request: Request) -> Completion:
    async def run() -> Completion:
        try:
            return await model.complete(request)
        finally:
            await model.aclose()

    return asyncio.run(run())


def test_a_schema_becomes_a_grammar_that_no_reply_leaves(model: LanguageModel) -> None:
    for temperature in (0.0, 2.0):  # at 2 a model of this size writes noise
        sampling = Sampling(max_tokens=64, temperature=temperature, seed=1)
        request = asking("Hello!", response_schema=COLOUR, sampling=sampling)
        data = json.loads(complete(model, request).text)
        assert data["colour"] in ("red", "blue") and type(data["warm"]) is bool


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


@dataclass
class Person:
    name: str
    mood: Mood


def test_typed_outputs_of_every_kind_come_back_typed(model: LanguageModel) -> None:
    class Describe(lp.Signature):
        """Describe the people in the text."""

        text: str = lp.Input()
        first: Person = lp.Output()
        moods: list[Mood] = lp.Output(max_length=3)
        count: int = lp.Output(ge=0, le=9)
        language: Literal["English", "French"] | None = lp.Output()
        sure: bool = lp.Output()

    with lp.using(lm=model):
        answer = lp.Predict(Describe, sampling=Sampling(max_tokens=300))(text="Ann is glad.")
    assert isinstance(answer.first, Person) and isinstance(answer.first.mood, Mood)
    assert all(isinstance(mood, Mood) for mood in answer.moods) and len(answer.moods) <= 3
    assert 0 <= answer.count <= 9
    assert answer.language in ("English", "French", None)
    assert answer.sure in (True, False)


def test_auto_means_json_and_streams_field_by_field(model: LanguageModel) -> None:
    async def run() -> tuple[str, lp.Prediction]:
        pieces, last = [], None
        async for event in lp.Predict("question -> answer: str").astream(question="Who are you?"):
            if isinstance(event, lp.FieldDelta):
                pieces.append(event.text)
            elif isinstance(event, lp.Prediction):
                last = event
        assert last is not None
        return "".join(pieces), last

    with lp.using(lm=model):
        streamed, prediction = asyncio.run(run())
    assert streamed == prediction.answer != ""


def test_log_probabilities_are_one_for_each_token(model: LanguageModel) -> None:
    completion = complete(model, asking("Count to three.", logprobs=True))
    assert completion.logprobs is not None
    (values,) = completion.logprobs
    assert len(values) in (
        completion.usage.completion_tokens,
        completion.usage.completion_tokens - 1,  # the token that ends the reply has no text
    )
    assert all(value <= 0.0 for value in values)


def test_several_completions_of_one_prompt_differ(model: LanguageModel) -> None:
    sampling = Sampling(max_tokens=24, temperature=1.0, seed=5)
    completion = complete(model, asking("Write a line of a poem.", n=3, sampling=sampling))
    assert len(completion.texts) == len(completion.finish_reasons) == 3
    assert len(set(completion.texts)) > 1


# The template of this model has no place for tools, and the server leaves them out.


@pytest.mark.parametrize("choice", ["required", "get_weather"])
def test_tools_are_ignored_without_a_word(model: LanguageModel, choice: str) -> None:
    request = asking("What is the weather in Paris?", tools=(WEATHER,), tool_choice=choice)
    completion = complete(model, request)
    assert completion.text and not completion.tool_calls


def test_an_answer_that_had_to_be_a_call_is_a_failure_that_says_so(model: LanguageModel) -> None:
    with lp.using(lm=model, adapter="tools"):
        with pytest.raises(ParseError, match="does not call the function"):
            lp.Predict("text -> sentiment: Literal['good', 'bad']")(text="A fine film.")


def test_tools_that_are_ignored_go_into_the_prompt(model: LanguageModel) -> None:
    def readable(completion: Completion) -> None:
        if not completion.tool_calls and not completion.text.startswith("{"):
            raise ParseError("it calls no tool", text=completion.text)

    request = asking(
        "What is the weather in Paris?",
        tools=(WEATHER,),
        tool_choice="required",
        accept=readable,
        without_tools=WithoutTools((Message("user", "Which city? Reply in JSON."),), CITY),
    )
    with pytest.warns(LangprogWarning, match="does not accept tools: prompts describe them"):
        completion = complete(model, request)
    assert completion.without_tools
    assert json.loads(completion.text)["city"] in ("Paris", "London")
    dialect = dialect_of(model)
    assert dialect is not None and dialect.refused == {"tools"}


def test_a_stream_adds_up_to_its_completion(model: LanguageModel) -> None:
    async def run() -> tuple[str, Completion]:
        pieces, last = [], None
        async for delta in stream_completion(model, asking("Tell me of the sea.")):
            if isinstance(delta, TextDelta):
                pieces.append(delta.text)
            elif isinstance(delta, Completed):
                last = delta.completion
        await model.aclose()
        assert last is not None
        return "".join(pieces), last

    streamed, completion = asyncio.run(run())
    assert streamed == completion.text
    assert completion.usage.prompt_tokens > 0
    assert completion.usage.completion_tokens == SHORT.max_tokens
    assert completion.finish_reason == "length"


def busy_slots(address: str) -> int:
    with urllib.request.urlopen(address.removesuffix("/v1") + "/slots") as reply:
        return sum(slot["is_processing"] for slot in json.loads(reply.read()))


@pytest.mark.parametrize("streamed", [True, False])
def test_a_cancelled_request_frees_its_slot(
    address: str, model: LanguageModel, streamed: bool
) -> None:
    # At this temperature it does not end by itself for minutes.
    endless = Sampling(max_tokens=CONTEXT - 100, temperature=2.0, extra={"ignore_eos": True})
    request = asking("Tell me everything.", sampling=endless)

    async def answer(started: asyncio.Event) -> None:
        if not streamed:
            started.set()
            await model.complete(request)
        async for _ in stream_completion(model, request):
            started.set()

    async def run() -> None:
        started = asyncio.Event()
        task = asyncio.create_task(answer(started))
        await started.wait()
        await wait_for_slots(address, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await wait_for_slots(address, 0)
        await model.aclose()

    asyncio.run(run())


async def wait_for_slots(address: str, count: int) -> None:
    end = time.monotonic() + 60.0
    while await asyncio.to_thread(busy_slots, address) != count:
        assert time.monotonic() < end, f"the server does not come to {count} busy slots"
        # It looks whether a client is still there once a second without other news, as this is.
        await asyncio.sleep(1.5)


def test_more_requests_than_slots_are_all_answered(model: LanguageModel) -> None:
    async def run() -> list[Completion]:
        requests = [
            asking(f"What is {number} plus one?", sampling=Sampling(max_tokens=4))
            for number in range(3 * SLOTS)
        ]
        try:
            return await asyncio.gather(*(model.complete(request) for request in requests))
        finally:
            await model.aclose()

    assert all(completion.text for completion in asyncio.run(run()))


def test_a_prompt_that_is_too_long_is_told_apart(model: LanguageModel) -> None:
    with pytest.raises(ContextWindowError):
        complete(model, asking("word " * (CONTEXT + 100)))


def test_a_schema_that_it_cannot_use_leaves_others_alone(model: LanguageModel) -> None:
    long = {"type": "object", "properties": {"a": {"type": "string", "minLength": 5000}}}
    for unusable in ({"type": "colour"}, {**long, "required": ["a"]}):
        assert complete(model, asking("Hello!", response_schema=unusable)).text
    data = json.loads(complete(model, asking("Hello!", response_schema=COLOUR)).text)
    assert data["colour"] in ("red", "blue")


def test_a_stop_text_ends_the_reply_before_it(model: LanguageModel) -> None:
    sampling = Sampling(max_tokens=60, temperature=0.0, stop=(",",))
    completion = complete(model, asking("Count from one to ten, with commas.", sampling=sampling))
    assert "," not in completion.text
    assert completion.finish_reason in ("stop", "length")


def test_the_history_of_a_conversation_is_read(model: LanguageModel) -> None:
    class Chat(lp.Signature):
        history: lp.History = lp.Input()
        message: str = lp.Input()
        reply: str = lp.Output()

    turns = lp.History([{"message": "My name is Ann.", "reply": "Hello, Ann."}])
    with lp.using(lm=model):
        answer = lp.Predict(Chat)(history=turns, message="What is my name?")
    assert isinstance(answer.reply, str) and answer.reply
