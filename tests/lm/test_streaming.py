"""What a stream keeps, whichever client it comes from and however many wrappers it passes."""

from __future__ import annotations

import asyncio
import random
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Literal

import pytest

from langprog.errors import (
    BadRequestError,
    BudgetExceeded,
    ConnectError,
    LangprogWarning,
    LMError,
    RateLimitError,
    ServerError,
    TimeoutError,
)
from langprog.lm import (
    Budget,
    Budgeted,
    Cached,
    Completed,
    Completion,
    Cost,
    Delta,
    LanguageModel,
    Ledger,
    MemoryCache,
    Negotiated,
    Price,
    Priced,
    ReasoningDelta,
    Recorded,
    Request,
    Restarted,
    Retry,
    Sampling,
    ScriptedLM,
    TextDelta,
    Throttle,
    ToolCall,
    ToolCallDelta,
    Usage,
    Wrapper,
    replay_completion,
    stream_completion,
)
from tests.lm.endpoint import asking, at_once
from tests.lm.test_contract import MODELS, Make, Memo, Serve

CALLS = ((ToolCall("c1", "look", '{"at": 1}'),), ())
WHOLE = Completion(
    ("a b c", "d"),
    "test/model",
    Usage(5, 4, 1, 2),
    ("tool_calls", "stop"),
    tool_calls=CALLS,
    reasoning=("hm", ""),
)


class Streaming:
    """A model of a user's own; what it streams is told request by request."""

    name, endpoint, defaults = "test/model", "in-process", Sampling()

    def __init__(self, *scripts: list[Delta | Exception]) -> None:
        self.scripts = list(scripts)
        self.open = self.asked = 0

    async def complete(self, request: Request) -> Completion:
        async for delta in self.stream(request):
            if isinstance(delta, Completed):
                return delta.completion
        raise AssertionError("no end")

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        self.asked += 1
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        self.open += 1
        try:
            for step in script:
                await asyncio.sleep(0)
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.open -= 1

    async def aclose(self) -> None:
        """Do nothing."""


GOOD: list[Delta | Exception] = [
    ReasoningDelta("hm"),
    TextDelta("a "),
    TextDelta("b c"),
    TextDelta("d", 1),
    ToolCallDelta(0, "c1", "look", '{"at"'),
    ToolCallDelta(0, "", "", ": 1}"),
    Completed(WHOLE),
]
WRAPPERS: dict[str, Callable[[LanguageModel], LanguageModel]] = {
    "none": lambda lm: lm,
    "cached": lambda lm: Cached(lm, MemoryCache()),
    "recorded": lambda lm: Recorded(lm, Memo()),
    "retry": lambda lm: Retry(lm, sleep=at_once),
    "throttle": lambda lm: Throttle(lm, width=1),
    "negotiated": Negotiated,
    "budgeted": lambda lm: Budgeted(Priced(lm, Price(1.0, 1.0))),
    "chain": lambda lm: Recorded(
        Cached(
            Retry(
                Negotiated(Throttle(Budgeted(Priced(lm, Price(1.0, 1.0))), width=1)),
                sleep=at_once,
            ),
            MemoryCache(),
        ),
        Memo(),
    ),
}


@pytest.fixture(params=WRAPPERS.values(), ids=WRAPPERS.keys())
def wrap(request: pytest.FixtureRequest) -> Callable[[LanguageModel], LanguageModel]:
    return request.param


async def collect(model: LanguageModel, request: Request) -> list[Delta]:
    async with aclosing(stream_completion(model, request)) as stream:
        return [delta async for delta in stream]


def whole_of(deltas: list[Delta]) -> Completion:
    """Return the end of a stream, having checked that the pieces before it make it up."""
    *before, last = deltas
    assert isinstance(last, Completed)
    completion = last.completion
    started = [at for at, delta in enumerate(before) if isinstance(delta, Restarted)]
    before = before[started[-1] + 1 :] if started else before
    assert not any(isinstance(delta, Completed) for delta in before)

    def joined(kind: type[Any], index: int) -> str:
        return "".join(d.text for d in before if isinstance(d, kind) and d.index == index)

    for index, text in enumerate(completion.texts):
        assert joined(TextDelta, index) == text
    for index, thought in enumerate(completion.reasoning):
        assert joined(ReasoningDelta, index) == thought
    for index, calls in enumerate(completion.tool_calls):
        for place, call in enumerate(calls):
            here = [
                d
                for d in before
                if isinstance(d, ToolCallDelta) and (d.index, d.place) == (index, place)
            ]
            assert "".join(d.arguments for d in here) == call.arguments
            assert (here[0].id, here[0].name) == (call.id, call.name)
    return completion


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_every_model_streams_what_it_completes(make: Make, scripted_endpoint: Serve) -> None:
    lm = ScriptedLM(lambda request: "one\n\n two \u2028 \U0001f600", name="test/model")
    model, twin = make(lm, scripted_endpoint), make(lm, scripted_endpoint)

    async def run() -> tuple[Completion, list[Delta]]:
        request = asking("a b c", n=2)
        try:
            return await twin.complete(request), await collect(model, request)
        finally:
            await model.aclose()
            await twin.aclose()

    complete, deltas = asyncio.run(run())
    streamed = whole_of(deltas)
    assert streamed.texts == complete.texts
    assert (streamed.usage, streamed.finish_reasons) == (complete.usage, complete.finish_reasons)
    assert (streamed.model, streamed.cached) == (complete.model, False)


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS.keys())
def test_errors_of_a_stream_are_those_of_complete(make: Make, scripted_endpoint: Serve) -> None:
    for kind in (BadRequestError, RateLimitError, ServerError):
        lm = ScriptedLM(lambda request, kind=kind: kind("as told"), name="test/model")
        model = make(lm, scripted_endpoint)

        async def run(model: LanguageModel = model) -> None:
            try:
                await collect(model, asking())
            finally:
                await model.aclose()

        with pytest.raises(kind, match="as told"):
            asyncio.run(run())


def test_pieces_come_first_and_the_whole_comes_last(
    wrap: Callable[[LanguageModel], LanguageModel],
) -> None:
    inner = Streaming(GOOD)
    deltas = asyncio.run(collect(wrap(inner), asking(n=2)))
    assert whole_of(deltas).texts == WHOLE.texts
    assert len(deltas) == len(GOOD)
    assert inner.open == 0


@pytest.mark.parametrize("at", range(len(GOOD)))
def test_an_error_at_any_place_leaves_nothing_open_and_nothing_reserved(
    wrap: Callable[[LanguageModel], LanguageModel], at: int
) -> None:
    inner = Streaming([*GOOD[:at], BadRequestError("no", charge="everything")])
    ledger = Ledger()
    with pytest.raises(BadRequestError):
        asyncio.run(collect(wrap(inner), asking(n=2, ledgers=(ledger,))))
    assert inner.open == 0
    assert ledger.reserved == Cost()


@pytest.mark.parametrize("at", range(1, len(GOOD)))
def test_a_stream_that_is_left_is_closed_and_paid_once(
    wrap: Callable[[LanguageModel], LanguageModel], at: int
) -> None:
    inner = Streaming(GOOD)
    ledger = Ledger(Budget(tokens=100_000))
    model = wrap(inner)
    request = asking(n=2, sampling=Sampling(max_tokens=50), ledgers=(ledger,))

    async def run() -> None:
        async with aclosing(stream_completion(model, request)) as stream:
            for _ in range(at):
                await anext(stream)

    asyncio.run(run())
    assert inner.open == 0
    assert ledger.reserved == Cost()
    paid = any(isinstance(layer, Budgeted) for layer in _layers(model))
    assert ledger.paid.calls == (1 if paid else 0)
    assert ledger.paid.tokens == (16 + len("hello") + 100 if paid else 0)


@pytest.mark.parametrize("turns", range(12))
def test_a_stream_that_is_cancelled_is_closed_and_paid_once(
    wrap: Callable[[LanguageModel], LanguageModel], turns: int
) -> None:
    inner = Streaming(GOOD)
    ledger = Ledger()
    model = wrap(inner)

    async def run() -> None:
        task = asyncio.create_task(collect(model, asking(n=2, ledgers=(ledger,))))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert inner.open == 0
        assert ledger.reserved == Cost()
        assert ledger.paid.calls <= 1
        # Whoever comes next has its turn.
        assert whole_of(await collect(model, asking(n=2))).texts == WHOLE.texts

    asyncio.run(run())


def test_a_retry_says_that_what_came_before_is_void() -> None:
    broken: list[Delta | Exception] = [TextDelta("x"), ServerError("cut off")]
    inner = Streaming(broken, [ConnectError("gone", charge="nothing")], broken, GOOD)
    ledger = Ledger()
    model = WRAPPERS["chain"](inner)
    deltas = asyncio.run(collect(model, asking(n=2, ledgers=(ledger,))))
    assert [delta.reason for delta in deltas if isinstance(delta, Restarted)] == ["cut off"] * 2
    assert whole_of(deltas).texts == WHOLE.texts
    assert ledger.paid.calls == 3  # the one that never arrived is not paid


def test_what_was_kept_is_streamed_again_and_paid_by_nobody() -> None:
    for keep in ("cached", "recorded"):
        inner = Streaming(GOOD)
        model = WRAPPERS[keep](Budgeted(inner))
        first, second = Ledger(), Ledger()

        async def run(model: LanguageModel = model, *ledgers: Ledger) -> list[Completion]:
            return [
                whole_of(await collect(model, asking(n=2, ledgers=(ledger,))))
                for ledger in ledgers
            ]

        fresh, again = asyncio.run(run(model, first, second))
        assert (fresh.cached, again.cached) == (False, True)
        assert (again.texts, again.tool_calls, again.reasoning) == (
            WHOLE.texts,
            WHOLE.tool_calls,
            WHOLE.reasoning,
        )
        assert inner.asked == 1
        assert (first.paid.calls, second.paid.calls, second.uncached.calls) == (1, 0, 1)
        complete = asyncio.run(model.complete(asking(n=2)))
        assert (complete.texts, complete.cached) == (WHOLE.texts, True)


def test_a_stream_that_was_left_or_cut_off_is_not_kept() -> None:
    cut = Completion(("a",), "test/model", Usage(1, 1), ("length",))
    inner = Streaming([TextDelta("a"), Completed(cut)])
    model = Cached(inner, MemoryCache())
    for _ in range(2):
        assert not whole_of(asyncio.run(collect(model, asking()))).cached
    assert inner.asked == 2


def test_a_model_without_a_stream_answers_whole() -> None:
    class Plain:
        name, endpoint, defaults = "own/model", "in-process", Sampling()

        async def complete(self, request: Request) -> Completion:
            return WHOLE

        async def aclose(self) -> None:
            """Do nothing."""

    for model in (Plain(), Budgeted(Plain()), Retry(Negotiated(Throttle(Plain())))):
        assert whole_of(asyncio.run(collect(model, asking(n=2)))) == WHOLE


def test_a_plain_iterator_will_do() -> None:
    class Steps:
        def __init__(self) -> None:
            self.left = [delta for delta in GOOD if not isinstance(delta, Exception)]

        def __aiter__(self) -> Steps:
            return self

        async def __anext__(self) -> Delta:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    class Own(Streaming):
        def stream(self, request: Request) -> Steps:  # type: ignore[override]  # that is the point
            return Steps()

    for name in WRAPPERS:
        got = asyncio.run(collect(WRAPPERS[name](Own(GOOD)), asking(n=2)))
        assert whole_of(got).texts == WHOLE.texts


def test_a_stream_without_its_end_is_the_models_fault(
    wrap: Callable[[LanguageModel], LanguageModel],
) -> None:
    inner = Streaming(GOOD[:3])
    ledger = Ledger()
    with pytest.raises(ServerError, match="ended without"):
        asyncio.run(collect(wrap(inner), asking(n=2, ledgers=(ledger,))))
    assert (inner.open, ledger.reserved) == (0, Cost())


def test_a_wrapper_that_changes_complete_alone_keeps_its_idea() -> None:
    class Shouting(Wrapper):
        async def complete(self, request: Request) -> Completion:
            return Completion(("LOUD",), self.name)

    deltas = asyncio.run(collect(Shouting(Streaming(GOOD)), asking()))
    assert deltas == [TextDelta("LOUD"), Completed(Completion(("LOUD",), "test/model"))]


def test_replaying_gives_the_pieces_of_a_whole() -> None:
    async def run() -> list[Delta]:
        return [delta async for delta in replay_completion(WHOLE)]

    assert whole_of(asyncio.run(run())) == WHOLE


FAILURES: list[Callable[[], Exception]] = [
    lambda: RateLimitError("slow down"),
    lambda: ServerError("busy"),
    lambda: TimeoutError("late"),
    lambda: ConnectError("reset", charge="everything"),
    lambda: ConnectError("refused", charge="nothing"),
    lambda: BadRequestError("Unsupported parameter: 'seed'", params=("seed",)),
    lambda: ValueError("a fault in the user's own model"),
]


class Wild(Streaming):
    """Fails in one of many ways, at any place."""

    def __init__(self, rng: random.Random) -> None:
        super().__init__(GOOD)
        self.rng = rng

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        script = list(GOOD)
        if self.rng.random() < 0.5:
            script[self.rng.randrange(len(script)) :] = [self.rng.choice(FAILURES)()]
        self.scripts = [script]
        async for delta in super().stream(request):
            yield delta


async def ask_somehow(model: LanguageModel, number: int, ledgers: tuple[Ledger, ...]) -> None:
    sampling = Sampling(max_tokens=20, seed=number)
    request = asking(str(number % 30), n=2, sampling=sampling, ledgers=ledgers)
    if number % 2:
        await model.complete(request)
        return
    async with aclosing(stream_completion(model, request)) as stream:
        async for _ in stream:
            if number % 10 == 0:
                return


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_ledgers_balance_whatever_goes_wrong(
    seed: int, action: Literal["ignore", "error"]
) -> None:
    rng = random.Random(seed)
    inner = Wild(rng)
    ledgers = (
        Ledger(Budget(calls=60, tokens=12_000, dollars=0.01)),
        Ledger(),
        Ledger(Budget(calls=200)),
    )
    model = WRAPPERS["chain"](inner)
    known = (LMError, BudgetExceeded, ValueError, LangprogWarning, asyncio.CancelledError)

    async def run() -> list[Any]:
        tasks = [asyncio.create_task(ask_somehow(model, i, ledgers)) for i in range(60)]
        for task in tasks:
            await asyncio.sleep(0)
            if rng.random() < 0.1:
                task.cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    with warnings.catch_warnings():
        warnings.simplefilter(action)  # as an error it comes where a setting was left out
        done = asyncio.run(run())
    assert all(isinstance(result, known) for result in done if result is not None), done
    assert inner.open == 0
    for ledger in ledgers:
        assert ledger.reserved == Cost()
        assert ledger.paid.calls <= inner.asked
    paid = ledgers[0].paid
    assert (paid.calls <= 60, paid.tokens <= 12_000, paid.dollars <= 0.01) == (True,) * 3


def _layers(model: LanguageModel) -> list[LanguageModel]:
    layers = [model]
    while isinstance(layers[-1], Wrapper):
        layers.append(layers[-1].inner)
    return layers
