from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from langprog.errors import ContextWindowError, ModelError
from langprog.lm import Completion, LanguageModel, Message, Request, Sampling
from langprog.pocket import SIZES, PocketLM, generate
from langprog.pocket.models import load_runner
from langprog.pocket.tokenizer import Tokenizer

HEAD = Message(
    "system",
    "Choose the team.\n\nInput fields:\n- ticket\n"
    "Output fields:\n- team (one of: billing, network)\n\n"
    "Reply with the output fields, each under its marker, in this order: [[team]]",
)


def _request(text: str, **settings: object) -> Request:
    sampling = Sampling(max_tokens=8, **settings)  # type: ignore[arg-type]  # settings of the test
    return Request((HEAD, Message("user", f"[[ticket]]\n{text}")), sampling)


def _ask(*requests: Request) -> list[Completion]:
    async def run() -> list[Completion]:
        lm = PocketLM("pocket/small")
        return list(await asyncio.gather(*(lm.complete(r) for r in requests)))

    return asyncio.run(run())


def test_it_is_a_language_model() -> None:
    lm = PocketLM()
    assert isinstance(lm, LanguageModel)
    assert (lm.name, lm.endpoint, lm.defaults.temperature) == ("pocket/small", "in-process", 0.0)


@pytest.mark.parametrize("size", SIZES)
def test_every_size_answers_with_a_label_of_the_prompt(size: str) -> None:
    async def run() -> Completion:
        return await PocketLM(size).complete(_request("the invoice shows a wrong payment"))

    completion = asyncio.run(run())
    assert completion.text.splitlines()[1] in ("billing", "network")
    assert completion.model == f"pocket/{size}"


def test_larger_sizes_cost_more() -> None:
    prices = [(size.input_price, size.output_price) for size in SIZES.values()]
    assert prices == sorted(prices) and len(set(prices)) == len(prices)


def test_an_unknown_size_names_those_there_are() -> None:
    with pytest.raises(ModelError, match="pocket/small"):
        PocketLM("pocket/huge")


def test_concurrent_requests_are_answered_as_single_ones() -> None:
    texts = [f"my invoice {i} is wrong" for i in range(6)] + ["the wifi is slow"] * 3
    requests = [_request(t, temperature=0.8, seed=i) for i, t in enumerate(texts)]
    together = _ask(*requests)
    alone = [_ask(r)[0] for r in reversed(requests)][::-1]
    assert [c.texts for c in together] == [c.texts for c in alone]


def test_usage_and_nominal_price_are_counted() -> None:
    (first,) = _ask(_request("the router is dead"))
    (second,) = _ask(_request("the cable is dead"))
    assert first.usage.prompt_tokens > 20
    assert 1 <= first.usage.completion_tokens <= 8
    assert second.usage.cached_prompt_tokens > 0
    assert first.dollars is not None
    assert 0 < first.dollars < 1e-3
    assert first.logprobs is None


def test_log_probabilities_come_when_asked_for() -> None:
    request = Request((HEAD, Message("user", "hello")), Sampling(max_tokens=3), n=2, logprobs=True)
    (completion,) = _ask(request)
    assert len(completion.texts) == len(completion.finish_reasons) == 2
    assert completion.logprobs is not None
    assert len(completion.logprobs[0]) == completion.usage.completion_tokens // 2


def test_too_many_demonstrations_are_refused_clearly() -> None:
    demos = [Message("user", "my invoice is wrong " * 10), Message("assistant", "billing")] * 80
    with pytest.raises(ContextWindowError, match="pocket/small.*fewer"):
        _ask(Request((HEAD, *demos, Message("user", "hello"))))


def test_the_event_loop_stays_free() -> None:
    async def run() -> int:
        turns = 0
        task = asyncio.ensure_future(PocketLM().complete(_request("the wifi is slow")))
        while not task.done():
            await asyncio.sleep(0)
            turns += 1
        return turns

    assert asyncio.run(run()) > 3


def test_a_caller_that_leaves_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, tokens = threading.Event(), 0
    choose = generate._choose

    def slow(*given: Any) -> tuple[int, float]:
        nonlocal tokens
        tokens += 1
        begun.set()
        # Never the end, so that nothing but the caller's leaving stops it.
        return 1000, choose(*given)[1]

    monkeypatch.setattr(generate, "_choose", slow)
    long = Request((Message("user", "tell a story"),), Sampling(max_tokens=900), n=100)

    async def run() -> None:
        lm = PocketLM("pocket/small")
        running, waiting = (asyncio.create_task(lm.complete(long)) for _ in range(2))
        await asyncio.to_thread(begun.wait)
        for task in (waiting, running):
            task.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        monkeypatch.setattr(generate, "_choose", choose)
        assert (await lm.complete(_request("the wifi is slow"))).text

    asyncio.run(run())
    assert tokens < 900, "it went on after the caller had left"


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*given: Any) -> list[int]:
        raise AssertionError("it was read")

    monkeypatch.setattr(Tokenizer, "encode", refuse)
    for messages in ([Message("user", "a" * 10**6)], [Message("user", "")] * 5000):
        with pytest.raises(ContextWindowError, match="cannot fit"):
            _ask(Request(tuple(messages)))


def test_a_long_word_takes_linear_time_and_no_memory() -> None:
    tokenizer = load_runner("small").tokenizer
    before = len(tokenizer._cache)
    ids = tokenizer.encode("abcdefghij" * 20_000)
    assert tokenizer.decode(ids) == "abcdefghij" * 20_000
    assert len(tokenizer._cache) == before
