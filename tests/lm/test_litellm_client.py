"""The client through litellm: a stand-in for its errors, the real one where it is installed."""

from __future__ import annotations

import asyncio
import builtins
import importlib.util
import json
import sys
from collections.abc import AsyncIterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    ConnectError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    ModelError,
    RateLimitError,
    ServerError,
    TimeoutError,
    TransportError,
)
from langprog.lm import (
    Completed,
    Completion,
    Delta,
    File,
    Image,
    LanguageModel,
    LiteLLM,
    Message,
    Reasoning,
    ReasoningDelta,
    Request,
    Sampling,
    Text,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    ToolResult,
    ToolSpec,
    Usage,
)
from tests.lm.endpoint import asking

KEY = "sk-very-secret-0123456789"


class APIError(Exception):
    def __init__(self, **headers: str) -> None:
        super().__init__(f"failed with the key {KEY}")
        self.response = SimpleNamespace(headers=headers) if headers else None


# litellm's names, some of them derived from others as they are there.
BASES = {
    "BadRequestError": "APIError",
    "ContextWindowExceededError": "BadRequestError",
    "ContentPolicyViolationError": "BadRequestError",
    "UnprocessableEntityError": "APIError",
    "NotFoundError": "APIError",
    "AuthenticationError": "APIError",
    "PermissionDeniedError": "APIError",
    "RateLimitError": "APIError",
    "Timeout": "APIError",
    "APIConnectionError": "APIError",
    "ServiceUnavailableError": "APIError",
    "InternalServerError": "APIError",
    "BadGatewayError": "APIError",
}
OURS: dict[str, type[LMError]] = {
    "BadRequestError": BadRequestError,
    "ContextWindowExceededError": ContextWindowError,
    "ContentPolicyViolationError": ContentFilterError,
    "UnprocessableEntityError": BadRequestError,
    "NotFoundError": BadRequestError,
    "AuthenticationError": AuthError,
    "PermissionDeniedError": AuthError,
    "RateLimitError": RateLimitError,
    "Timeout": TimeoutError,
    "APIConnectionError": ConnectError,
    "ServiceUnavailableError": ServerError,
    "InternalServerError": ServerError,
    "BadGatewayError": ServerError,
    "APIError": ServerError,
}


class Fake(ModuleType):
    """Stands in for litellm: answers, and notes what it was called with."""

    def __init__(self, lazy: bool = False) -> None:
        super().__init__("litellm")
        errors: dict[str, type[Exception]] = {"APIError": APIError}
        for name, base in BASES.items():
            errors[name] = type(name, (errors[base],), {})
        self.errors = errors
        self.calls: list[dict[str, Any]] = []
        self.answer: Any = None
        if not lazy:
            vars(self).update(errors)

    def __getattr__(self, name: str) -> Any:
        # The real one loads its names when they are first asked for.
        try:
            return vars(self)["errors"][name]
        except KeyError:
            raise AttributeError(name) from None

    async def acompletion(self, **arguments: Any) -> Any:
        self.calls.append(arguments)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")


@pytest.fixture
def litellm(monkeypatch: pytest.MonkeyPatch) -> Fake:
    fake = Fake()
    monkeypatch.setitem(sys.modules, "litellm", fake)
    return fake


class Dumped:
    """A reply or a chunk of litellm's: what counts is the data that it gives."""

    def __init__(self, data: Any) -> None:
        self.data = data

    def model_dump(self, **options: Any) -> Any:
        return self.data


def choice(text: Any = "fine", reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, **more.pop("message", {})}
    return {"index": 0, "message": message, "finish_reason": reason, "logprobs": None, **more}


def reply(*choices: Any, usage: Any = None) -> Dumped:
    counted = usage or {"prompt_tokens": 7, "completion_tokens": 3}
    return Dumped({"choices": list(choices), "usage": counted})


def complete(request: Request | None = None, **options: Any) -> Completion:
    model = LiteLLM("cohere/command", **options)
    return asyncio.run(model.complete(request or asking()))


def test_the_key_that_was_given_is_the_one_used_and_stays_out_of_messages(litellm: Fake) -> None:
    litellm.answer = reply(choice("a"))
    complete(api_key=" given-key-1 ")
    complete()
    assert [call.get("api_key") for call in litellm.calls] == ["given-key-1", None]
    refused = litellm.errors["AuthenticationError"]
    quoting = type("Quoting", (refused,), {"__str__": lambda _: "given-key-1 is unknown"})
    litellm.answer = quoting()
    with pytest.raises(AuthError) as caught:
        complete(api_key="given-key-1")
    assert "given-key-1" not in str(caught.value)


def test_what_is_asked_arrives(litellm: Fake) -> None:
    litellm.answer = reply(choice("a"), choice("b", "length"))
    request = Request(
        (Message("system", "be brief"), Message("user", "hi")),
        Sampling(max_tokens=5, stop=("X",), seed=3),
        n=2,
        response_schema={"type": "object"},
        logprobs=True,
    )
    completion = complete(request, defaults=Sampling(temperature=0.5, max_tokens=9), timeout=12.0)
    assert completion.texts == ("a", "b")
    assert completion.finish_reasons == ("stop", "length")
    assert (completion.model, completion.usage) == ("cohere/command", Usage(7, 3))
    assert (completion.logprobs, completion.dollars) == (None, None)
    [sent] = litellm.calls
    assert sent["model"] == "cohere/command"
    assert sent["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hi"},
    ]
    assert (sent["temperature"], sent["max_tokens"], sent["seed"]) == (0.5, 5, 3)
    assert (sent["stop"], sent["n"], sent["logprobs"]) == (["X"], 2, True)
    assert sent["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (sent["timeout"], sent["num_retries"]) == (12.0, 0)
    assert "top_p" not in sent


def test_log_probabilities_and_all_counts_of_tokens(litellm: Fake) -> None:
    tokens = {"content": [{"logprob": -0.5}, {"logprob": -1}]}
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "prompt_tokens_details": {
            "cached_tokens": 4,
            "audio_tokens": None,
            "cache_write_tokens": 1,
        },
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    litellm.answer = reply(choice(logprobs=tokens), usage=usage)
    completion = complete(asking(logprobs=True))
    assert completion.logprobs == ((-0.5, -1.0),)
    assert completion.usage == Usage(7, 5, 4, 2, 1)


def test_tool_calls_and_thoughts(litellm: Fake) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"tool_calls": [call], "reasoning_content": "hm"}
    litellm.answer = reply(choice(None, message=message))
    completion = complete()
    assert completion.first_tool_calls == (ToolCall("c", "f", "{}"),)
    assert (completion.reasoning, completion.finish_reason) == (("hm",), "tool_calls")


def test_everything_that_a_request_can_hold_arrives(litellm: Fake) -> None:
    litellm.answer = reply(choice())
    request = Request(
        (
            Message("user", (Text("a"), Image(b"i"), File(url="https://a.b/c.pdf"))),
            Message("assistant", (Reasoning("hm", "sig"), ToolCall("c", "f", "{}"))),
            Message("tool", (ToolResult("c", "1"), ToolResult("d", "2"))),
        ),
        Sampling(reasoning_effort="low", extra={"top_k": 3, "frequency_penalty": 0.5}),
        tools=(ToolSpec("f", "does it"),),
        tool_choice="f",
        extra={"top_k": 4},
        headers={"X-Trace": "1"},
        token_limit="max_completion_tokens",
    )
    complete(
        request,
        defaults=Sampling(max_tokens=9),
        headers={"X-Team": "a", "X-Trace": "0"},
        api_key=KEY,
        api_version="2030-01-01",
    )
    [sent] = litellm.calls
    user, assistant, *results = sent["messages"]
    assert user["content"][1]["image_url"]["url"] == "data:image/png;base64,aQ=="
    assert user["content"][2]["file"] == {"file_id": "https://a.b/c.pdf"}
    assert assistant["tool_calls"][0]["function"] == {"name": "f", "arguments": "{}"}
    assert assistant["thinking_blocks"] == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"}
    ]
    assert [result["tool_call_id"] for result in results] == ["c", "d"]
    assert sent["tools"][0]["function"]["name"] == "f"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert (sent["reasoning_effort"], sent["max_completion_tokens"]) == ("low", 9)
    assert (sent["extra_body"], sent["frequency_penalty"]) == ({"top_k": 4}, 0.5)
    assert sent["extra_headers"] == {"X-Team": "a", "X-Trace": "1"}
    assert (sent["api_key"], sent["api_version"]) == (KEY, "2030-01-01")
    assert (sent["num_retries"], sent["max_retries"], sent["drop_params"]) == (0, 0, False)


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("lazy", [False, True])
def test_its_errors_in_our_terms(monkeypatch: pytest.MonkeyPatch, name: str, lazy: bool) -> None:
    fake = Fake(lazy)
    monkeypatch.setitem(sys.modules, "litellm", fake)
    fake.answer = fake.errors[name]()
    with pytest.raises(LMError) as caught:
        complete()
    assert caught.type is OURS[name]
    assert caught.value.model == "cohere/command"
    assert name in str(caught.value)
    assert KEY not in str(caught.value)
    assert "failed with the ***" in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("header", ["Retry-After", "retry-after"])
@pytest.mark.parametrize("place", ["response", "litellm_response_headers"])
def test_retry_after(litellm: Fake, header: str, place: str) -> None:
    for name in ("RateLimitError", "ServiceUnavailableError", "Timeout"):
        litellm.answer = litellm.errors[name](**{header: "9"})
        if place == "litellm_response_headers":
            litellm.answer.litellm_response_headers = litellm.answer.response.headers
            litellm.answer.response = None
        with pytest.raises((RateLimitError, ServerError, TimeoutError)) as caught:
            complete()
        assert caught.value.retry_after == 9.0


def test_a_key_from_the_environment_is_in_no_error(
    litellm: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COHERE_API_KEY", "of an odd form")
    litellm.answer = litellm.errors["AuthenticationError"]()
    litellm.answer.args = ("bad key: of an odd form!",)
    with pytest.raises(AuthError, match=r"bad key: \*\*\*!"):
        complete()


def test_an_error_that_is_none_of_its_own_stays_what_it_is(litellm: Fake) -> None:
    litellm.answer = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        complete()


def test_a_time_out_below_litellm(litellm: Fake) -> None:
    litellm.answer = builtins.TimeoutError()
    with pytest.raises(TimeoutError, match="cohere/command"):
        complete()


@pytest.mark.parametrize(
    "answer",
    [
        None,
        SimpleNamespace(),
        Dumped(None),
        Dumped({}),
        Dumped({"choices": None, "usage": None}),
        reply(),
        reply(choice(5)),
        reply({"message": None, "finish_reason": "stop"}),
        reply(choice(), usage={"prompt_tokens": "many", "completion_tokens": 0}),
        reply(choice(), usage={"prompt_tokens": -5, "completion_tokens": 0}),
    ],
)
def test_a_reply_that_is_no_completion(litellm: Fake, answer: Any) -> None:
    litellm.answer = answer
    with pytest.raises(ServerError, match="not a completion"):
        complete()


def test_null_content_and_missing_usage(litellm: Fake) -> None:
    litellm.answer = Dumped({"choices": [choice(None, None)]})
    completion = complete()
    assert (completion.texts, completion.usage) == (("",), Usage())
    assert completion.finish_reasons == ("stop",)


def test_filtered_and_too_few(litellm: Fake) -> None:
    litellm.answer = reply(choice(None, "content_filter"))
    with pytest.raises(ContentFilterError):
        complete()
    litellm.answer = reply(choice())
    with pytest.raises(BadRequestError, match="n=3"):
        complete(asking(n=3))


def test_an_error_inside_a_reply(litellm: Fake) -> None:
    litellm.answer = reply(choice("half", error={"code": 429, "message": "slow down"}))
    with pytest.raises(RateLimitError, match="slow down"):
        complete()
    litellm.answer = reply(choice("half", "error"))
    with pytest.raises(ServerError, match="broke"):
        complete()


TEMPERATURE = {"message": "temperature?", "param": "temperature", "code": "unsupported_value"}


@pytest.mark.parametrize("place", ["body", "text", "text without JSON"])
def test_what_an_endpoint_refuses_is_known_by_name(litellm: Fake, place: str) -> None:
    error = litellm.errors["BadRequestError"]()
    text = "Unsupported value: 'temperature'"
    if place == "body":
        error.body = TEMPERATURE
    elif place == "text":
        text = f"litellm.BadRequestError: XException - {json.dumps({'error': TEMPERATURE})} ."
    error.args = (text,)
    litellm.answer = error
    with pytest.raises(BadRequestError) as caught:
        complete()
    assert "temperature" in caught.value.said
    assert caught.value.params == (() if place == "text without JSON" else ("temperature",))


def test_what_litellm_itself_refuses_is_known_by_name(litellm: Fake) -> None:
    error = litellm.errors["BadRequestError"]()
    error.args = (
        "litellm.UnsupportedParamsError: cohere does not support parameters: ['seed', 'n'], for "
        "model=command. To drop these, set `litellm.drop_params=True`",
    )
    litellm.answer = error
    with pytest.raises(BadRequestError) as caught:
        complete()
    assert caught.value.params == ("seed", "n")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("BadRequestError", "maximum context length is 5 tokens", ContextWindowError),
        ("BadRequestError", "content_filter", ContentFilterError),
        ("RateLimitError", "insufficient_quota", AuthError),
    ],
)
def test_kinds_that_litellm_does_not_tell_apart(
    litellm: Fake, name: str, text: str, kind: type[LMError]
) -> None:
    litellm.answer = litellm.errors[name]()
    litellm.answer.args = (text,)
    with pytest.raises(kind) as caught:
        complete()
    assert caught.type is kind


def test_a_call_that_reached_nobody_costs_nothing(litellm: Fake) -> None:
    for name in ("APIConnectionError", "InternalServerError"):
        litellm.answer = litellm.errors[name]()
        litellm.answer.__cause__ = ConnectionRefusedError()
        with pytest.raises(ConnectError) as caught:
            complete()
        assert caught.value.charge == "nothing"
    litellm.answer = litellm.errors["APIConnectionError"]()
    with pytest.raises(ConnectError) as caught:
        complete()
    assert caught.value.charge == "everything", "it may have been answered"


class Chunks:
    """A stream of litellm's."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self.items:
            if isinstance(item, Exception):
                raise item
            yield Dumped(item)

    async def aclose(self) -> None:
        self.closed = True


def chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def streams(request: Request | None = None) -> list[Delta]:
    async def run() -> list[Delta]:
        model = LiteLLM("cohere/command")
        return [delta async for delta in model.stream(request or asking())]

    return asyncio.run(run())


def test_a_stream(litellm: Fake) -> None:
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "id": None, "function": {"name": None, "arguments": "}"}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3}
    litellm.answer = Chunks(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="hm", content=None),
        chunk(content="fine"),
        chunk(tool_calls=[call]),
        chunk(tool_calls=[more]),
        chunk("tool_calls"),
        {"choices": [], "usage": usage},
    )
    *deltas, last = streams()
    assert deltas == [
        ReasoningDelta("hm"),
        TextDelta("fine"),
        ToolCallDelta(0, "c", "f", "{"),
        ToolCallDelta(0, "", "", "}"),
    ]
    assert isinstance(last, Completed)
    assert last.completion.first_tool_calls == (ToolCall("c", "f", "{}"),)
    assert (last.completion.text, last.completion.usage) == ("fine", Usage(7, 3))
    [sent] = litellm.calls
    assert (sent["stream"], sent["stream_options"]) == (True, {"include_usage": True})
    assert litellm.answer.closed


def test_a_stream_that_breaks_or_ends_early(litellm: Fake) -> None:
    for broken in (
        litellm.errors["InternalServerError"](),
        litellm.errors["APIConnectionError"](),
    ):
        litellm.answer = Chunks(chunk(content="half"), broken)
        with pytest.raises(TransportError) as caught:
            streams()
        assert caught.value.charge == "everything"
        assert litellm.answer.closed
    litellm.answer = Chunks(chunk(content="half"))
    with pytest.raises(ServerError, match="ended early"):
        streams()


def test_several_completions_come_whole(litellm: Fake) -> None:
    litellm.answer = reply(choice("a"), choice("b"))
    *deltas, last = streams(asking(n=2))
    assert deltas == [TextDelta("a", 0), TextDelta("b", 1)]
    assert "stream" not in litellm.calls[0]


def test_it_is_a_language_model_that_names_no_secret() -> None:
    model = LiteLLM("cohere/command", defaults=Sampling(seed=1))
    assert isinstance(model, LanguageModel)
    assert (model.name, model.endpoint) == ("cohere/command", "litellm:cohere")
    asyncio.run(model.aclose())


def test_without_litellm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    with pytest.raises(ModelError, match=r"pip install 'langprog\[litellm\]'"):
        complete()


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="litellm is not installed")
@pytest.mark.parametrize("name", OURS)
def test_the_real_one_still_has_these_errors(name: str) -> None:
    # Read, not imported: litellm takes seconds to load.
    spec = importlib.util.find_spec("litellm")
    assert spec is not None and spec.submodule_search_locations is not None
    source = f"{spec.submodule_search_locations[0]}/exceptions.py"
    with open(source, encoding="utf-8") as file:
        assert f"class {name}(" in file.read()
