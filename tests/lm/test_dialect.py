"""Endpoints that refuse settings: what is left out, what is said, how often they are asked."""

from __future__ import annotations

import asyncio
import json
import warnings
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from langprog.errors import BadRequestError, ContextWindowError, LangprogWarning, ServerError
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completed,
    Completion,
    Delta,
    Ledger,
    MemoryCache,
    Message,
    Negotiated,
    Price,
    Priced,
    Reasoning,
    Request,
    Restarted,
    Retry,
    Sampling,
    Text,
    TextDelta,
    ToolCall,
    ToolResult,
    ToolSpec,
    Usage,
    WithoutTools,
    completion_from_json,
    completion_to_json,
    dialect_of,
)
from langprog.lm.openai_errors import error_of
from langprog.lm.refusals import NAMED, QUIET, Setting, uses_setting
from tests.lm.endpoint import at_once

MESSAGES = (Message("system", "Be brief."), Message("user", "hello"))
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}}}
FULL = Sampling(0.2, 64, 0.9, ("END",), 7, "low")
PLAIN = WithoutTools((*MESSAGES[:1], Message("user", "hello, without tools")), SCHEMA)
ASKED = (*MESSAGES, Message("assistant", (Reasoning("hm"), Text("?"))), Message("user", "so?"))
EVERYTHING = Request(
    ASKED,
    FULL,
    n=3,
    response_schema=SCHEMA,
    logprobs=True,
    tools=(ToolSpec("look"),),
    tool_choice="auto",
    without_tools=PLAIN,
)
LOUD = {"temperature", "seed", "top_p", "stop", "reasoning_effort", "tool_choice", "tools"}
APART = ("max_completion_tokens", "missing_reasoning", "stream_options")
SETTINGS = [name for name in NAMED if name not in APART]
Words = Callable[[str], Any]


def in_its_words(name: str) -> Any:
    message = f"Unsupported parameter: '{name}' is not supported with this model."
    return {"error": {"message": message, "param": name, "code": "unsupported_parameter"}}


def in_text_alone(name: str) -> Any:
    named = {"n": "'n'", "stop": "'stop'", "system": "the system role"}.get(name, name)
    return {"object": "error", "message": f"this model does not support {named}", "param": None}


def by_place(name: str) -> Any:
    inside = {"system": (0, "role"), "reasoning_content": (2, "reasoning_content")}.get(name)
    place = ["body", name] if inside is None else ["body", "messages", *inside]
    said = "system is not permitted" if name == "system" else "Extra inputs are not permitted"
    return {"detail": [{"type": "extra_forbidden", "loc": place, "msg": said, "input": 1}]}


def vaguely(name: str) -> Any:
    return {"error": "Extra inputs are not permitted"}


class Endpoint:
    """A model that refuses settings, one after the other, in words of its own."""

    name, endpoint, defaults = "test/model", "in-process", Sampling()

    def __init__(
        self, refused: Iterable[Setting] = (), words: Words = in_its_words, text: str = "fine"
    ) -> None:
        self.refused, self.words, self.text = list(refused), words, text
        self.answered: list[Request] = []
        self.refusals = 0

    def check(self, request: Request, *, streamed: bool = False) -> None:
        for name in self.refused:
            if uses_setting(request, name) and (streamed or name != "stream_options"):
                self.refusals += 1
                raise error_of(400, {}, json.dumps(self.words(name)), self.name)
        self.answered.append(request)

    async def complete(self, request: Request) -> Completion:
        await asyncio.sleep(0)
        self.check(request)
        return self.completion(request)

    def completion(self, request: Request) -> Completion:
        texts = (self.text,) * request.n
        return Completion(texts, self.name, Usage(5, request.n), ("stop",) * request.n)

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        await asyncio.sleep(0)
        self.check(request, streamed=True)
        completion = self.completion(request)
        for index, text in enumerate(completion.texts):
            yield TextDelta(text, index)
        yield Completed(completion)

    async def aclose(self) -> None:
        """Do nothing."""


def ask(model: Any, *requests: Request) -> list[Completion]:
    async def run() -> list[Completion]:
        return [await model.complete(request) for request in requests]

    return asyncio.run(run())


def at_the_same_time(model: Any, requests: list[Request]) -> list[Completion]:
    async def run() -> list[Completion]:
        return await asyncio.gather(*map(model.complete, requests))

    return asyncio.run(run())


def deltas(model: Any, request: Request) -> list[Delta]:
    async def run() -> list[Delta]:
        return [delta async for delta in model.stream(request)]

    return asyncio.run(run())


def said(caught: Iterable[warnings.WarningMessage]) -> list[str]:
    return sorted(str(one.message).split(":")[0].rpartition(" ")[2] for one in caught)


@pytest.mark.parametrize("words", [in_its_words, in_text_alone, by_place, vaguely])
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_that_is_refused_is_left_out_and_remembered(
    setting: Setting, words: Words
) -> None:
    if setting == "max_tokens" and words is vaguely:
        pytest.skip("a bound is not left out on a guess")
    inner = Endpoint([setting], words)
    model = Negotiated(inner)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        first, second = ask(model, EVERYTHING, replace(EVERYTHING, logprobs=True))
    assert first.texts == second.texts == ("fine",) * 3
    assert model.refused == {setting}
    sent = inner.answered[-1]
    assert not uses_setting(sent, setting)
    # The form without tools has no turn with reasoning.
    left = {setting, "n"} | ({"tool_choice", "reasoning_content"} if setting == "tools" else set())
    others = [name for name in SETTINGS if name not in left]
    assert first.without_tools == second.without_tools == (setting == "tools")
    assert all(uses_setting(sent, name) for name in others if name != "max_tokens")
    assert sent.sampling.max_tokens == 64
    assert said(caught) == ([setting] if setting in LOUD else [])
    before = inner.refusals
    with warnings.catch_warnings(record=True) as again:
        warnings.simplefilter("always")
        ask(model, EVERYTHING)
    assert (inner.refusals, list(again)) == (before, [])


@pytest.mark.parametrize("words", [in_its_words, in_text_alone, by_place, vaguely])
@pytest.mark.parametrize("attempts", [1, 6])
def test_all_of_them_together(words: Words, attempts: int) -> None:
    # On a guess, a bound is not left out, and others go together with the tools.
    sure = {"max_tokens", "reasoning_content", "tool_choice"} if words is vaguely else set()
    refused = [name for name in SETTINGS if name not in sure]
    inner = Endpoint(refused, words)
    model = Retry(Negotiated(inner), attempts=attempts, sleep=at_once)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        [completion] = ask(model, EVERYTHING)
    assert completion.texts == ("fine",) * 3
    assert said(caught) == sorted(LOUD - sure)
    [user] = inner.answered[-1].messages
    assert user.text == "Be brief.\n\nhello, without tools"
    assert dialect_of(model) is model.inner
    assert isinstance(model.inner, Negotiated)
    assert model.inner.refused == set(refused)


@pytest.mark.parametrize(
    "words",
    [
        "Missing `reasoning_content` field in the assistant message at message index 2.",
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at "
        "index 2",
        "messages[2]: assistant message with tool_calls must include reasoning_content.",
    ],
)
def test_an_endpoint_that_misses_reasoning_gets_it_empty_where_there_is_none(words: str) -> None:
    call, result = ToolCall("c", "look", "{}"), ToolResult("c", "found")
    turns = (
        Message("assistant", (call,)),
        Message("tool", (result,)),
        Message("user", "and?"),
        Message("assistant", (Reasoning("hm"), Text("so"), call)),
        Message("tool", (result,)),
    )
    inner = Endpoint(["missing_reasoning"], lambda name: {"error": {"message": words}})
    model = Negotiated(inner)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(model, Request((*MESSAGES, *turns)), Request((*MESSAGES, *turns)))
    assert (inner.refusals, model.refused) == (1, {"missing_reasoning"})
    sent = inner.answered[-1].messages
    assert sent[2].content == (Reasoning(""), call)
    assert (*sent[:2], *sent[3:]) == (*MESSAGES, *turns[1:])


def test_of_64_at_once_each_is_refused_about_once_and_not_once_a_setting() -> None:
    inner = Endpoint(["temperature", "seed", "top_p", "stop", "logprobs", "system"])
    model = Negotiated(inner)
    requests = [
        replace(EVERYTHING, n=1, messages=(*MESSAGES, Message("user", str(i)))) for i in range(64)
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = at_the_same_time(model, requests)
    assert [completion.text for completion in done] == ["fine"] * 64
    assert inner.refusals <= 64 + 6
    assert said(caught) == ["seed", "stop", "temperature", "top_p"]


def test_where_nothing_is_refused_nobody_waits_for_anybody() -> None:
    inner = Endpoint()
    at_the_same_time(Negotiated(inner), [EVERYTHING] * 64)
    assert (inner.refusals, len(inner.answered)) == (0, 64)


def test_nobody_waits_for_ever_for_one_that_is_cancelled_while_it_finds_out() -> None:
    class Stalling(Endpoint):
        async def complete(self, request: Request) -> Completion:
            if not uses_setting(request, "seed") and not self.stalled.is_set():
                self.stalled.set()
                await asyncio.Event().wait()
            return await super().complete(request)

    async def run() -> str:
        inner = Stalling(["seed"])
        inner.stalled = asyncio.Event()
        model = Negotiated(inner)
        first = asyncio.create_task(model.complete(EVERYTHING))
        await inner.stalled.wait()
        second = asyncio.create_task(model.complete(EVERYTHING))
        for _ in range(5):
            await asyncio.sleep(0)
        first.cancel()
        return (await second).text

    with pytest.warns(LangprogWarning, match="seed"):
        assert asyncio.run(run()) == "fine"


def test_it_works_from_one_event_loop_to_the_next() -> None:
    inner = Endpoint(["logprobs", "system"])
    model = Negotiated(inner)
    for _ in range(3):
        at_the_same_time(model, [EVERYTHING] * 3)
    assert model.refused == {"logprobs", "system"}


def test_a_setting_of_the_librarys_own_is_left_out_without_a_word_until_a_user_sets_it() -> None:
    model = Negotiated(Endpoint(["temperature", "seed"]))
    added = replace(EVERYTHING, optional=frozenset({"temperature", "seed"}))
    ask(model, added)  # a warning would be an error here
    with pytest.warns(LangprogWarning) as caught:
        ask(model, EVERYTHING, EVERYTHING)
    assert said(caught) == ["seed", "temperature"]


def test_who_asked_to_be_told_is_told_and_nobody_is_warned() -> None:
    model = Negotiated(Endpoint(["temperature", "logprobs"]))
    told: list[frozenset[str]] = []
    model.subscribe(told.append)
    ask(model, EVERYTHING)
    assert told[-1] == {"temperature", "logprobs"}
    model.unsubscribe(told.append)
    model.refuse({"seed"})
    assert told[-1] == {"temperature", "logprobs"}


def test_what_is_known_from_before_is_not_asked_again() -> None:
    inner = Endpoint(["logprobs", "n"])
    model = Negotiated(inner)
    model.refuse({"logprobs", "n"})
    [completion] = ask(model, EVERYTHING)
    assert (inner.refusals, completion.texts) == (0, ("fine",) * 3)


@pytest.mark.parametrize(
    "message",
    [
        "You uploaded an unsupported image.",
        "The model does not exist.",
        "temperature: range: 0..1",
        "Invalid schema for function 'f': 'seed' is not permitted",
    ],
)
def test_the_users_own_error_stays_it_and_is_sent_once(message: str) -> None:
    inner = Endpoint(["temperature"], lambda name: {"error": {"message": message}})
    model = Negotiated(inner)
    with pytest.raises(BadRequestError):
        ask(model, EVERYTHING)
    assert (inner.refusals, model.refused) == (1, frozenset())


def test_a_vague_refusal_of_something_else_is_searched_a_few_times_and_no_more() -> None:
    inner = Endpoint(["max_tokens"], vaguely)
    model = Negotiated(inner)
    counts = []
    for _ in range(6):
        before = inner.refusals
        with pytest.raises(BadRequestError):
            ask(model, EVERYTHING)
        counts.append(inner.refusals - before)
    assert counts[0] < 25
    assert counts[3:] == [1, 1, 1]
    assert model.refused == frozenset()


def test_nothing_is_learned_from_a_guess_that_helped_nobody() -> None:
    message = {"error": {"message": "bad value", "param": "seed"}}
    inner = Endpoint(["max_tokens"], lambda name: message)
    model = Negotiated(inner)
    with pytest.raises(BadRequestError):
        ask(model, EVERYTHING)
    assert model.refused == frozenset()


def test_what_an_endpoint_says_outright_is_learned_even_where_another_error_follows() -> None:
    class Short(Endpoint):
        def completion(self, request: Request) -> Completion:
            raise ContextWindowError("too long")

    inner = Short(["logprobs"])
    model = Negotiated(inner)
    with pytest.raises(ContextWindowError):
        ask(model, EVERYTHING)
    assert model.refused == {"logprobs"}


def test_a_failure_on_the_way_teaches_nothing_and_is_tried_again() -> None:
    class Flaky(Endpoint):
        failures = 2

        def completion(self, request: Request) -> Completion:
            if self.failures:
                self.failures -= 1
                raise ServerError("busy")
            return super().completion(request)

    inner = Flaky(["logprobs"])
    [completion] = ask(Retry(Negotiated(inner), sleep=at_once), EVERYTHING)
    assert (completion.text, inner.refusals) == ("fine", 3)


def test_what_is_refused_beside_something_else_is_taken_without_it() -> None:
    class Either(Endpoint):
        def check(self, request: Request, *, streamed: bool = False) -> None:
            if request.tools and uses_setting(request, "response_format"):
                self.refusals += 1
                message = "response_format cannot be combined with tool calling"
                raise error_of(400, {}, json.dumps({"error": {"message": message}}), self.name)
            super().check(request)

    inner = Either()
    model = Negotiated(inner)
    tools = replace(EVERYTHING, without_tools=None)
    ask(model, tools, tools, replace(EVERYTHING, tools=()))
    assert inner.refusals == 1
    assert [uses_setting(request, "response_format") for request in inner.answered] == [
        False,
        False,
        True,
    ]


def test_a_schema_that_is_refused_leaves_others_alone() -> None:
    class Strict(Endpoint):
        def check(self, request: Request, *, streamed: bool = False) -> None:
            if request.response_schema == {"bad": 1}:
                self.refusals += 1
                message = "Invalid schema for response_format 'outputs': In context=()"
                raise error_of(400, {}, json.dumps({"error": {"message": message}}), self.name)
            super().check(request)

    inner = Strict()
    bad = replace(EVERYTHING, response_schema={"bad": 1})
    ask(Negotiated(inner), bad, EVERYTHING, bad)
    assert inner.refusals == 1
    assert [request.response_schema for request in inner.answered] == [None, SCHEMA, None]


def test_stop_is_kept_here_where_the_endpoint_does_not_take_it() -> None:
    class Bare(Endpoint):
        def completion(self, request: Request) -> Completion:
            return Completion((self.text,) * request.n, self.name, logprobs=((0.0,),) * request.n)

    model = Negotiated(Bare(["stop"], text="a END b"))
    with pytest.warns(LangprogWarning, match="stop"):
        [completion] = ask(model, EVERYTHING)
    assert completion.texts == ("a ",) * 3
    assert completion.finish_reasons == ("stop",) * 3
    assert completion.logprobs is None  # they are those of the whole text


def test_fewer_completions_than_asked_for_are_asked_one_by_one() -> None:
    class Single(Endpoint):
        def completion(self, request: Request) -> Completion:
            if request.n > 1:
                raise BadRequestError("there is 1", params=("n",), charge="everything")
            return super().completion(request)

    inner = Single()
    [completion] = ask(Negotiated(inner), EVERYTHING)
    assert completion.texts == ("fine",) * 3
    assert completion.usage == Usage(15, 3)
    seeds = [request.sampling.seed for request in inner.answered if request.n == 1]
    assert sorted(seed for seed in seeds if seed is not None) == [7, 8, 9]


def test_two_draws_stay_two_where_the_endpoint_never_sees_a_seed() -> None:
    inner = Endpoint(["seed", "temperature"])
    model = Cached(Negotiated(inner), MemoryCache())
    draws = [
        replace(
            EVERYTHING,
            n=1,
            sampling=replace(FULL, seed=seed),
            optional=frozenset({"seed", "temperature"}),
        )
        for seed in (1, 2, 1)
    ]
    assert [completion.cached for completion in ask(model, *draws)] == [False, False, True]


@pytest.mark.parametrize("cap", [Budget(tokens=100_000), Budget(dollars=1.0)])
def test_a_bound_is_never_left_out_under_a_cap(cap: Budget) -> None:
    inner = Endpoint(["max_tokens", "max_completion_tokens"])
    model = Negotiated(Budgeted(Priced(inner, Price(1.0, 1.0))))
    with pytest.raises(BadRequestError):
        ask(model, replace(EVERYTHING, ledgers=(Ledger(cap),)))
    assert inner.answered == []
    with pytest.warns(LangprogWarning, match="max_tokens"):
        ask(model, EVERYTHING)
    assert inner.answered[-1].sampling.max_tokens is None


def test_a_bound_that_a_budget_added_goes_under_its_other_name() -> None:
    inner = Endpoint(["max_tokens"])
    model = Negotiated(Budgeted(Priced(inner, Price(1.0, 1.0))))
    ledger = Ledger(Budget(tokens=100_000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ask(model, Request(MESSAGES, ledgers=(ledger,)))
    [sent] = inner.answered
    assert (sent.token_limit, sent.sampling.max_tokens) == ("max_completion_tokens", 4096)
    assert (ledger.paid.calls, ledger.reserved.tokens) == (1, 0)


@pytest.mark.parametrize("words", [in_its_words, vaguely])
def test_a_stream_is_negotiated_like_a_whole(words: Words) -> None:
    refused = ["temperature", "seed", "logprobs", "top_p", "system"]
    if words is in_its_words:
        refused.append("stream_options")
    inner = Endpoint(refused, words)  # type: ignore[arg-type]  # they are settings
    model = Negotiated(inner)
    with pytest.warns(LangprogWarning):
        *before, last = deltas(model, replace(EVERYTHING, n=1))
    assert before == [TextDelta("fine", 0)]
    assert isinstance(last, Completed)
    assert last.completion.text == "fine"
    assert model.refused == set(refused)


def test_a_stream_with_too_few_completions_starts_again() -> None:
    class Single(Endpoint):
        async def stream(self, request: Request) -> AsyncIterator[Delta]:
            yield TextDelta("fine", 0)
            if request.n > 1:
                raise BadRequestError("there is 1", params=("n",), charge="everything")
            yield Completed(self.completion(request))

    got = deltas(Negotiated(Single()), EVERYTHING)
    assert [type(delta).__name__ for delta in got[:2]] == ["TextDelta", "Restarted"]
    assert isinstance(got[1], Restarted)
    assert isinstance(got[-1], Completed)
    assert got[-1].completion.texts == ("fine",) * 3


def test_a_stream_that_is_left_lets_go_of_what_is_inside() -> None:
    closed: list[bool] = []

    class Watched(Endpoint):
        async def stream(self, request: Request) -> AsyncIterator[Delta]:
            try:
                self.check(request, streamed=True)
                yield TextDelta("fi")
                yield TextDelta("ne")
            finally:
                closed.append(True)

    async def run() -> None:
        async with aclosing(Negotiated(Watched()).stream(EVERYTHING)) as stream:
            async for _ in stream:
                break

    asyncio.run(run())
    assert closed == [True]


def test_the_quiet_settings_are_those_that_lose_nothing() -> None:
    assert QUIET.isdisjoint(LOUD)


def test_an_error_in_a_tool_is_the_users_own() -> None:
    class Strict(Endpoint):
        def check(self, request: Request, *, streamed: bool = False) -> None:
            self.refusals += 1
            message = "Invalid 'tools[0].function.parameters': 'x' is not of type 'object'"
            body = {"error": {"message": message, "param": "tools[0].function.parameters"}}
            raise error_of(400, {}, json.dumps(body), self.name)

    inner = Strict()
    model = Negotiated(inner)
    with pytest.raises(BadRequestError, match="Invalid 'tools"):
        ask(model, EVERYTHING)
    assert (inner.refusals, model.refused) == (1, frozenset())


def test_tools_that_are_refused_go_into_the_prompt_also_in_a_stream() -> None:
    inner = Endpoint(["tools"], in_text_alone)
    model = Negotiated(inner)

    async def stream() -> Completion:
        async with aclosing(model.stream(replace(EVERYTHING, n=1))) as deltas:
            *_, last = [delta async for delta in deltas]
        assert isinstance(last, Completed)
        return last.completion

    with pytest.warns(LangprogWarning, match="accept tools: prompts describe them from now on"):
        completion = asyncio.run(stream())
    assert completion.without_tools
    assert inner.answered[0].messages == PLAIN.messages
    assert completion_from_json(completion_to_json(completion)).without_tools
