"""What every client and every wrapper keeps: one suite, run over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    LMError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completion,
    LanguageModel,
    Ledger,
    MemoryCache,
    Negotiated,
    OpenAICompatible,
    Price,
    Priced,
    Recorded,
    Retry,
    Sampling,
    ScriptedLM,
    Throttle,
)
from tests.lm.endpoint import asking, at_once

Serve = Callable[[ScriptedLM], str]
Make = Callable[[ScriptedLM, Serve], LanguageModel]


class Memo:
    def __init__(self) -> None:
        self.kept: dict[str, Completion] = {}

    def get(self, key: str) -> Completion | None:
        return self.kept.get(key)

    def put(self, key: str, completion: Completion) -> None:
        self.kept[key] = completion


def remote(lm: ScriptedLM, serve: Serve) -> OpenAICompatible:
    return OpenAICompatible(lm.name, base_url=serve(lm), defaults=lm.defaults)


def chain(lm: ScriptedLM, serve: Serve) -> LanguageModel:
    paid = Budgeted(Priced(remote(lm, serve), Price(1.0, 1.0)))
    asked = Negotiated(Throttle(paid), lm.defaults)
    return Recorded(Cached(Retry(asked, sleep=at_once), MemoryCache()), Memo())


MODELS: dict[str, Make] = {
    "scripted": lambda lm, serve: lm,
    "openai_compatible": remote,
    "cached": lambda lm, serve: Cached(lm, MemoryCache()),
    "retry": lambda lm, serve: Retry(lm, sleep=at_once),
    "negotiated": lambda lm, serve: Negotiated(lm, lm.defaults),
    "throttle": lambda lm, serve: Throttle(lm, rpm=100, tpm=100_000),
    "budgeted": lambda lm, serve: Budgeted(Priced(lm, Price(0.0, 0.0))),
    "priced": lambda lm, serve: Priced(lm, Price(1.0, 2.0)),
    "recorded": lambda lm, serve: Recorded(lm, Memo()),
    "chain": chain,
}
ERRORS = [
    AuthError,
    BadRequestError,
    ContentFilterError,
    ContextWindowError,
    RateLimitError,
    ServerError,
    TimeoutError,
]
DEFAULTS = Sampling(temperature=0.25, max_tokens=32, stop=("END",))


@pytest.fixture(params=MODELS.values(), ids=MODELS.keys())
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def echo(text: str = "fine") -> ScriptedLM:
    return ScriptedLM(lambda request: text, name="test/model", defaults=DEFAULTS)


def test_is_a_language_model_with_the_name_and_defaults_inside(
    make: Make, scripted_endpoint: Serve
) -> None:
    inner = echo()
    model = make(inner, scripted_endpoint)
    assert isinstance(model, LanguageModel)
    assert (model.name, model.defaults) == ("test/model", DEFAULTS)
    assert model.endpoint == inner.endpoint or model.endpoint.startswith("http://127.0.0.1")


def test_the_completion_arrives(make: Make, scripted_endpoint: Serve) -> None:
    inner = echo("one\n\n two \u2028 \u00fc \U0001f600\n")
    model = make(inner, scripted_endpoint)

    async def run() -> Completion:
        try:
            return await model.complete(asking("a b c", n=2, sampling=Sampling(seed=5)))
        finally:
            await model.aclose()

    completion = asyncio.run(run())
    assert completion.texts == ("one\n\n two \u2028 \u00fc \U0001f600\n",) * 2
    assert completion.model == "test/model"
    assert completion.usage.prompt_tokens == 3
    assert completion.finish_reasons == ("stop", "stop")
    assert not completion.cached
    [request] = inner.requests
    assert request.n == 2
    assert request.sampling.over(DEFAULTS) == Sampling(0.25, 32, None, ("END",), 5)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_typed_errors_pass_through(
    make: Make, scripted_endpoint: Serve, kind: type[LMError]
) -> None:
    model = make(
        ScriptedLM(lambda request: kind("as told", model="test/model"), name="test/model"),
        scripted_endpoint,
    )

    async def run() -> None:
        try:
            await model.complete(asking())
        finally:
            await model.aclose()

    with pytest.raises(kind, match="as told") as caught:
        asyncio.run(run())
    assert caught.type is kind
    assert caught.value.model == "test/model"


def test_works_on_one_event_loop_after_the_other(make: Make, scripted_endpoint: Serve) -> None:
    model = make(echo(), scripted_endpoint)
    ledger = Ledger(Budget(calls=100))

    async def run(text: str) -> list[str]:
        requests = [asking(f"{text} {i % 3}", ledgers=(ledger,)) for i in range(9)]
        done = await asyncio.gather(*(model.complete(request) for request in requests))
        return [completion.text for completion in done]

    for text in ("first", "second", "third"):
        assert asyncio.run(run(text)) == ["fine"] * 9
    asyncio.run(model.aclose())


def test_closing_twice_is_fine_and_it_works_again_afterwards(
    make: Make, scripted_endpoint: Serve
) -> None:
    model = make(echo(), scripted_endpoint)

    async def run() -> tuple[str, str]:
        await model.aclose()
        before = await model.complete(asking("before"))
        await model.aclose()
        await model.aclose()
        after = await model.complete(asking("after"))
        await model.aclose()
        return before.text, after.text

    assert asyncio.run(run()) == ("fine", "fine")


def test_a_cancelled_request_leaves_the_model_usable(make: Make, scripted_endpoint: Serve) -> None:
    model = make(echo(), scripted_endpoint)

    async def run() -> str:
        task = asyncio.create_task(model.complete(asking("never mind")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            return (await model.complete(asking())).text
        finally:
            await model.aclose()

    assert asyncio.run(run()) == "fine"
