"""The client against endpoints that misbehave: nothing lost, nothing wrong, nothing leaked."""

from __future__ import annotations

import asyncio
import gzip
import json
import traceback
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import pytest
from aiohttp import web

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
    Message,
    OpenAICompatible,
    Request,
    Retry,
    Sampling,
    TextDelta,
    Usage,
)
from tests.lm.endpoint import (
    Answer,
    asking,
    at_once,
    choice,
    client,
    endpoint,
    good,
    refuses,
    resets,
    says,
    sends,
    stalls,
)

KEY = "sk-very-secret-0123456789"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def in_an_hour() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)


def fails(*answers: Answer, request: Request | None = None, **options: Any) -> LMError:
    """Return the error that these answers give."""

    async def run() -> LMError:
        async with client(*answers, **options) as (model, _):
            with pytest.raises(LMError) as caught:
                await model.complete(request or asking())
            return caught.value

    return asyncio.run(run())


def completes(*answers: Answer, request: Request | None = None, **options: Any) -> Completion:
    async def run() -> Completion:
        async with client(*answers, **options) as (model, _):
            return await model.complete(request or asking())

    return asyncio.run(run())


# What an endpoint does once, and the error that stands for it.
MISHAPS: dict[str, tuple[Answer, type[TransportError]]] = {
    "429": (refuses(429), RateLimitError),
    "429 for seconds": (refuses(429, Retry_After="7"), RateLimitError),
    "429 until a date": (refuses(429, Retry_After=in_an_hour()), RateLimitError),
    "500": (refuses(500), ServerError),
    "502 in HTML": (sends(b"<html>bad gateway</html>", "text/html", 502), ServerError),
    "503": (refuses(503, Retry_After="2"), ServerError),
    "504": (refuses(504), TimeoutError),
    "529": (refuses(529, "overloaded_error"), ServerError),
    "408": (refuses(408), TimeoutError),
    "reset before a byte": (resets(), ConnectError),
    "reset in the head": (resets(b"HTTP/1.1 200 OK\r\nContent-Le"), ConnectError),
    "no HTTP": (resets(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), ConnectError),
    "reset in the body": (
        resets(b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"choices": [{"mess'),
        TransportError,
    ),
    "cut off chunks": (
        resets(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"cho\r\n'),
        TransportError,
    ),
    "broken gzip": (
        resets(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd"),
        TransportError,
    ),
    "no answer": (stalls(), TimeoutError),
    "half of the JSON": (sends(json.dumps(good()).encode()[:40]), ServerError),
    "HTML": (sends(b"<html>Welcome to the hotel's network</html>", "text/html"), ServerError),
    "no bytes": (sends(b""), ServerError),
    "no UTF-8": (sends(b"\xff\xfe\x00"), ServerError),
    "no object": (says([1, 2]), ServerError),
    "null": (says(None), ServerError),
    "no choices": (says({"usage": {}}), ServerError),
    "choices are null": (says({"choices": None}), ServerError),
    "choices are empty": (says({"choices": []}), ServerError),
    "choices are an object": (says({"choices": {"0": choice()}}), ServerError),
    "choice is null": (says({"choices": [None]}), ServerError),
    "no message": (says({"choices": [{"finish_reason": "stop"}]}), ServerError),
    "no content": (says({"choices": [{"message": {"role": "assistant"}}]}), ServerError),
    "content is a number": (says(good({"message": {"content": 0}})), ServerError),
    "content is false": (says(good({"message": {"content": False}})), ServerError),
    "content is an object": (says(good({"message": {"content": {}}})), ServerError),
    "usage is a text": (says({**good(), "usage": "none"}), ServerError),
    "usage counts are texts": (
        says({**good(), "usage": {"prompt_tokens": "many"}}),
        ServerError,
    ),
    "usage is infinite": (
        sends(json.dumps({**good(), "usage": {"prompt_tokens": float("inf")}}).encode()),
        ServerError,
    ),
    "usage is negative": (says({**good(), "usage": {"prompt_tokens": -7}}), ServerError),
    "deep nesting": (sends(b'{"choices":' + b"[" * 100_000), ServerError),
    "an error with status 200": (
        says({"error": {"message": "upstream is overloaded", "code": 502}}),
        ServerError,
    ),
    "a rate limit with status 200": (
        says({"error": {"message": "slow down", "code": 429}}),
        RateLimitError,
    ),
    "204": (sends(b"", status=204), ServerError),
}


@pytest.mark.parametrize("mishap", MISHAPS)
def test_a_mishap_is_told_and_the_next_attempt_loses_nothing(mishap: str) -> None:
    answer, kind = MISHAPS[mishap]
    request = asking("in", sampling=Sampling(seed=3))

    async def run() -> Completion:
        async with client(answer, says(good()), timeout=0.2, api_key=KEY) as (model, seen):
            with pytest.raises(kind) as caught:
                await model.complete(request)
            assert caught.value.model == "test/model"
            assert "test/model" in str(caught.value)
            assert KEY not in told(caught.value)
        async with client(answer, says(good()), timeout=0.2, api_key=KEY) as (model, seen):
            completion = await Retry(model, sleep=at_once).complete(request)
            first, second = seen.requests
            assert first == second
            assert (first["messages"], first["seed"]) == ([{"role": "user", "content": "in"}], 3)
            return completion

    completion = asyncio.run(run())
    assert completion.texts == ("fine",)
    assert completion.usage == Usage(7, 3, 0)
    assert completion.finish_reasons == ("stop",)
    assert (completion.dollars, completion.cached) == (None, False)


# What no second attempt can mend, and the words that tell it.
REFUSALS: dict[str, tuple[Answer, type[LMError]]] = {
    "401": (refuses(401, "invalid_api_key"), AuthError),
    "402": (refuses(402, message="Insufficient balance"), AuthError),
    "403": (refuses(403), AuthError),
    "no quota": (refuses(429, "insufficient_quota"), AuthError),
    "400": (refuses(400, message="temperature is too high"), BadRequestError),
    "404": (refuses(404, "model_not_found"), BadRequestError),
    "405": (sends(b"405: Method Not Allowed", "text/plain", 405), BadRequestError),
    "413": (sends(b"too large", "text/plain", 413), ContextWindowError),
    "422": (refuses(422), BadRequestError),
    "deep nesting": (sends(b"[" * 100_000, status=400), BadRequestError),
    "context, OpenAI": (refuses(400, "context_length_exceeded"), ContextWindowError),
    "context, vLLM": (
        says({"message": "This model's maximum context length is 4096 tokens", "code": 400}, 400),
        ContextWindowError,
    ),
    "context, llama.cpp": (
        refuses(400, message="the request exceeds the available context size"),
        ContextWindowError,
    ),
    "filter, Azure": (refuses(400, "content_filter"), ContentFilterError),
    "filter, OpenRouter": (
        refuses(403, message="Your chosen model requires moderation"),
        ContentFilterError,
    ),
    "filter in the reply": (
        says(good(choice(None, finish_reason="content_filter"))),
        ContentFilterError,
    ),
    "refusal in the reply": (
        says(good({"message": {"content": None, "refusal": "I can't help with that."}})),
        ContentFilterError,
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_told_at_once_and_not_sent_again(refusal: str) -> None:
    answer, kind = REFUSALS[refusal]

    async def run() -> LMError:
        async with client(answer, says(good()), api_key=KEY) as (model, seen):
            with pytest.raises(LMError) as caught:
                await Retry(model, sleep=at_once).complete(asking())
            assert seen.calls == 1
            return caught.value

    error = asyncio.run(run())
    assert type(error) is kind
    assert not isinstance(error, TransportError)


def told(error: BaseException) -> str:
    """Return everything that a traceback or a log of the error could show."""
    return "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.args)


def test_what_the_endpoint_says_is_in_the_error_in_one_short_line() -> None:
    error = fails(refuses(400, "bad_thing", "the  sampling\nis odd " + "x" * 5000))
    assert "HTTP 400: bad_thing: the sampling is odd x" in str(error)
    assert len(str(error)) < 400
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("-3", 0, 0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
    ],
)
@pytest.mark.parametrize("name", ["Retry_After", "retry_after"])
def test_retry_after_in_seconds_or_as_a_date(
    name: str, value: str, low: float, high: float
) -> None:
    error = fails(refuses(429, **{name: value}))
    assert isinstance(error, RateLimitError)
    assert error.retry_after is not None
    assert low <= error.retry_after <= high


@pytest.mark.parametrize("name", ["Retry_After", "retry_after"])
def test_retry_after_a_date_is_the_time_until_then(name: str) -> None:
    then, before = in_an_hour(), datetime.now(UTC)
    error = fails(refuses(429, **{name: then}))
    after = datetime.now(UTC)
    assert isinstance(error, RateLimitError)
    assert error.retry_after is not None
    date = parsedate_to_datetime(then)
    most, least = (date - before).total_seconds(), (date - after).total_seconds()
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("value", ["soon", "nan", "inf", "", "Wed, 99 Oct 99999999999 07:28:00"])
def test_a_retry_after_that_says_nothing(value: str) -> None:
    error = fails(refuses(503, Retry_After=value))
    assert isinstance(error, ServerError)
    assert error.retry_after is None


def test_the_key_is_sent_and_is_in_no_error() -> None:
    echo = refuses(401, message=f"Incorrect API key provided: {KEY}. Find yours at example.com")
    plain = sends(f"who is Bearer {KEY}?".encode(), "text/plain", 500)
    inside = says({"error": {"message": f"no such key: {KEY}", "code": 401}})

    async def run() -> None:
        async with client(echo, plain, inside, says(good()), api_key=KEY) as (model, seen):
            for kind in (AuthError, ServerError, AuthError):
                with pytest.raises(kind) as caught:
                    await model.complete(asking())
                assert KEY not in told(caught.value)
            await model.complete(asking())
            assert [one["Authorization"] for one in seen.headers] == [f"Bearer {KEY}"] * 4
            assert KEY not in repr(model) + model.endpoint

    asyncio.run(run())


def test_headers_and_the_query_of_the_address_are_in_no_error() -> None:
    kept = {"X-Token": "tok-55-secret", "Authorization": "Bearer bearer-66-secret"}
    words = ("tok-55-secret", "bearer-66-secret", "query-77-secret", "call-88-secret")
    echo = refuses(400, message=f"not good: {' '.join(words)}")
    inside = says({"error": {"message": f"no: {' '.join(words)}", "code": 400}})

    async def run() -> None:
        async with client(echo, inside, headers=kept, api_version="query-77-secret") as (model, _):
            for _attempt in range(2):
                with pytest.raises(BadRequestError) as caught:
                    await model.complete(asking(headers={"X-Call": "call-88-secret"}))
                assert "no" in told(caught.value)
                assert "secret" not in str(caught.value)

    asyncio.run(run())


def test_a_key_that_is_a_common_word_does_not_change_what_the_model_wrote() -> None:
    completion = completes(says(good(choice("the list is EMPTY"))), api_key="EMPTY")
    assert completion.text == "the list is EMPTY"


def test_a_key_with_a_line_end_is_cleaned_and_a_broken_one_refused() -> None:
    async def run() -> None:
        async with client(says(good()), api_key=f"{KEY}\n") as (model, seen):
            await model.complete(asking())
            assert seen.headers[0]["Authorization"] == f"Bearer {KEY}"

    asyncio.run(run())
    for broken in ("sk-one\nX-Evil: yes", "sk-\u00e9\u20ac", "sk one\x00"):
        with pytest.raises(ModelError) as caught:
            OpenAICompatible("a/b", base_url="http://127.0.0.1/v1", api_key=broken)
        assert broken not in told(caught.value)


def test_no_key_no_header() -> None:
    async def run() -> None:
        async with client(says(good())) as (model, seen):
            await model.complete(asking())
            assert "Authorization" not in seen.headers[0]

    asyncio.run(run())


def test_the_key_does_not_follow_a_redirect_to_another_host() -> None:
    async def run() -> None:
        async with endpoint() as other:

            async def elsewhere(request: web.Request) -> web.StreamResponse:
                raise web.HTTPTemporaryRedirect(f"{other.base_url}/chat/completions")

            async with client(elsewhere, api_key=KEY) as (model, _):
                try:
                    await model.complete(asking())
                except LMError:
                    return
            assert all("Authorization" not in headers for headers in other.headers)

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000/v1",
        "ftp://host/v1",
        "http://",
        "http://host:99999/v1",
        "http://host:port/v1",
        "http://[::1/v1",
        "http://user:sk-very-secret-0123456789@host/v1",
    ],
)
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(ModelError, match="base_url of a/b") as caught:
        OpenAICompatible("a/b", base_url=url)
    assert KEY not in told(caught.value)


def test_the_query_of_the_url_is_sent_and_not_shown() -> None:
    async def run() -> None:
        paths: list[str] = []

        async def noting(request: web.Request) -> web.StreamResponse:
            paths.append(request.path_qs)
            return web.json_response(good())

        async with endpoint(noting) as seen:
            model = OpenAICompatible("a/b", base_url=f"{seen.base_url}/?key={KEY}")
            await model.complete(asking())
            await model.aclose()
            assert paths == [f"/v1/chat/completions?key={KEY}"]
            assert model.endpoint == seen.base_url

    asyncio.run(run())


def test_nobody_listens() -> None:
    async def run() -> None:
        async with endpoint() as seen:
            gone = seen.base_url
        model = OpenAICompatible("a/b", base_url=f"{gone}?key={KEY}", api_key=KEY)
        with pytest.raises(ConnectError, match="cannot be reached") as caught:
            await model.complete(asking())
        assert KEY not in told(caught.value)
        await model.aclose()

    asyncio.run(run())


def test_what_is_asked_arrives() -> None:
    async def run() -> None:
        defaults = Sampling(temperature=0.5, max_tokens=9, stop=("X",))
        async with client(says(good()), defaults=defaults) as (model, seen):
            messages = (Message("system", "be brief"), Message("user", "h\u00e9 \ud800 \u2028"))
            sampling = Sampling(temperature=0.0, top_p=0.9, seed=0)
            await model.complete(Request(messages, sampling, response_schema=SCHEMA))
            [sent] = seen.requests
        assert sent["model"] == "model"
        assert sent["messages"] == [
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": "h\u00e9 \ud800 \u2028"},
        ]
        assert (sent["temperature"], sent["top_p"], sent["seed"]) == (0.0, 0.9, 0)
        assert (sent["max_tokens"], sent["stop"]) == (9, ["X"])
        assert sent["response_format"]["json_schema"]["schema"] == SCHEMA
        assert "n" not in sent and "logprobs" not in sent and "stream" not in sent

    asyncio.run(run())


def test_several_completions_with_log_probabilities() -> None:
    tokens = [{"token": "fi", "logprob": -0.5}, {"token": "ne", "logprob": -1}]
    choices = [choice(text, logprobs={"content": tokens}) for text in ("one", "two", "three")]
    usage = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    completion = completes(
        says({"choices": choices, "usage": usage}), request=asking(n=3, logprobs=True)
    )
    assert completion.texts == ("one", "two", "three")
    assert completion.logprobs == ((-0.5, -1.0),) * 3
    assert completion.usage == Usage(5, 0, 4)
    assert completion.latency > 0


def test_log_probabilities_that_the_endpoint_does_not_have() -> None:
    assert completes(says(good()), request=asking(logprobs=True)).logprobs is None


def test_an_endpoint_that_gives_fewer_completions_is_told() -> None:
    error = fails(says(good()), request=asking(n=3))
    assert isinstance(error, BadRequestError)
    assert "1 completion" in str(error) and "3" in str(error)


def test_null_content_is_an_empty_text_and_usage_may_be_missing() -> None:
    completion = completes(says({"choices": [choice(None, finish_reason="length")]}))
    assert completion.texts == ("",)
    assert completion.finish_reasons == ("length",)
    assert completion.usage == Usage()
    assert completes(says({"choices": [{"message": {"content": "x"}}], "usage": None})).text == "x"


def test_content_in_parts_is_put_together() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert completes(says(good({"message": {"content": parts}}))).text == "one two"


def test_one_of_several_completions_filtered_keeps_the_others() -> None:
    reply = good(choice("fine"), choice(None, finish_reason="content_filter"))
    completion = completes(says(reply), request=asking(n=2))
    assert completion.texts == ("fine", "")
    assert completion.finish_reasons == ("stop", "content_filter")


@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream"])
def test_a_completion_with_the_wrong_content_type_is_a_completion(content_type: str) -> None:
    assert completes(sends(json.dumps(good()).encode(), content_type)).text == "fine"


def test_compressed_replies_are_read() -> None:
    async def packed(request: web.Request) -> web.StreamResponse:
        body = gzip.compress(json.dumps(good(choice("x" * 10_000))).encode())
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    assert completes(packed).text == "x" * 10_000


def test_many_at_once_each_get_their_own_answer() -> None:
    async def parrot(request: web.Request) -> web.StreamResponse:
        sent = json.loads(await request.read())
        return web.json_response(good(choice(sent["messages"][0]["content"])))

    async def run() -> None:
        async with client(parrot) as (model, seen):
            asked = [f"number {i}" for i in range(200)]
            done = await asyncio.gather(*(model.complete(asking(text)) for text in asked))
            assert [completion.text for completion in done] == asked
            assert seen.calls == 200

    asyncio.run(run())


def event(data: Any) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def delta(text: str | None) -> bytes:
    return event({"choices": [{"index": 0, "delta": {"content": text}}]})


def streams(*pieces: bytes, cut: bool = False) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        if cut:
            assert request.transport is not None
            request.transport.close()
        return response

    return answer


DONE = b"data: [DONE]\n\n"


def streamed(*answers: Answer, **options: Any) -> list[Delta]:
    async def run() -> list[Delta]:
        async with client(*answers, **options) as (model, seen):
            try:
                return [piece async for piece in model.stream(asking())]
            finally:
                assert seen.calls == 1
                assert seen.requests[0]["stream"] is True

    return asyncio.run(run())


def test_a_stream_gives_the_text_as_it_comes() -> None:
    whole = b": a comment\n\n" + delta(None) + delta("f\u00ef") + delta("ne\n")
    usage = event({"choices": [], "usage": {"prompt_tokens": 1}})
    role = event({"choices": [{"delta": {"role": "assistant"}}]})
    end = event({"choices": [{"delta": None, "finish_reason": "stop"}]})
    everything = role + whole + end + usage + DONE
    bytewise = [everything[i : i + 1] for i in range(len(everything))]
    for pieces in ([role, whole, end, usage, DONE], bytewise):
        *deltas, last = streamed(streams(*pieces))
        assert deltas == [TextDelta("f\u00ef"), TextDelta("ne\n")]
        assert isinstance(last, Completed)
        assert (last.completion.text, last.completion.finish_reason) == ("f\u00efne\n", "stop")
        assert last.completion.usage == Usage(1, 0)


def test_a_long_event_of_a_stream_is_read() -> None:
    *_, last = streamed(streams(delta("x" * 300_000), DONE))
    assert isinstance(last, Completed) and last.completion.text == "x" * 300_000


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (streams(delta("fi")), ServerError),
        (streams(delta("fi"), cut=True), TransportError),
        (streams(delta("fi"), b"data: {nonsense\n\n", DONE), ServerError),
        (streams(event({"choices": [{"delta": {"content": 7}}]}), DONE), ServerError),
        (streams(delta("fi"), event({"error": {"message": "x", "code": 429}})), RateLimitError),
        (sends(b"<html>hello</html>", "text/html"), ServerError),
        (refuses(429, Retry_After="3"), RateLimitError),
        (refuses(401, message=f"bad key {KEY}"), AuthError),
        (refuses(400, "context_length_exceeded"), ContextWindowError),
        (resets(), ConnectError),
        (stalls(), TimeoutError),
    ],
)
def test_a_stream_that_fails_says_so_and_is_never_taken_for_whole(
    answer: Answer, kind: type[LMError]
) -> None:
    with pytest.raises(kind) as caught:
        streamed(answer, timeout=0.2, api_key=KEY)
    assert KEY not in told(caught.value)


def test_a_stream_that_nobody_reads_to_its_end_gives_its_connection_back() -> None:
    async def run() -> None:
        endless = streams(*[delta("x")] * 1000, DONE)
        async with client(endless, says(good())) as (model, _):
            stream = model.stream(asking())
            assert await anext(stream) == TextDelta("x")
            await stream.aclose()
            assert (await model.complete(asking())).text == "fine"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (refuses(401, message="no such key"), "check the key and its account"),
        (refuses(404, message="no such page"), r"sent to http://127\.0\.0\.1:\d+/v1: check"),
        (says({"error": {"message": "too busy"}}), "an error inside a reply with HTTP 200: too b"),
        (
            sends(b"<html>welcome</html>", "text/html"),
            "is a web page, not a completion; the",
        ),
    ],
)
def test_a_failure_says_what_to_look_at(answer: Answer, advice: str) -> None:
    async def run() -> None:
        async with client(answer) as (model, _):
            with pytest.raises(LMError, match=advice):
                await model.complete(asking())

    asyncio.run(run())
