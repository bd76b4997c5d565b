"""What a retriever does wrong has a type, and is never an empty answer."""

from __future__ import annotations

import asyncio
import builtins
import inspect
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import langprog as lp
from langprog.errors import (
    AuthError,
    ConnectError,
    InputError,
    LangprogError,
    ServerError,
    TimeoutError,
    TransportError,
)
from langprog.retrieval import passages_from


class Unusual(Exception):
    """What a client of a service raises."""


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ConnectionRefusedError("refused"), ConnectError),
        (ConnectionResetError("reset"), ConnectError),
        (OSError("no route"), ServerError),
        (builtins.TimeoutError(), TimeoutError),
        (Unusual("503"), ServerError),
        (KeyError("hits"), ServerError),
        (ValueError("not JSON"), ServerError),
        (StopIteration(), ServerError),
        (AuthError("no key"), AuthError),
        (InputError("no such language"), InputError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_what_it_raises_is_told_apart(raised: Exception, kind: type[LangprogError]) -> None:
    def search(query: str, k: int) -> Any:
        raise raised

    async def search_later(query: str, k: int) -> Any:
        raise raised

    for function in (search, search_later):
        if isinstance(raised, StopIteration) and function is search_later:
            continue  # a coroutine cannot raise it
        with pytest.raises(kind) as caught:
            lp.FunctionRetriever(function, name="wiki")("x", k=1)
        assert type(caught.value) is kind
        if issubclass(kind, TransportError):
            assert "the retriever 'wiki'" in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        {"text": "a"},
        7,
        [None],
        [["a"]],
        [{"id": "a"}],
        [{"text": 7}],
        [{"text": "a", "score": "high"}],
        [{"text": "a", "score": float("nan")}],
        [lp.Passage("a", float("inf"))],
        [lp.Passage(None)],
        (each for each in ["a"]),
    ],  # type: ignore[arg-type]  # what the test is about
    ids=lambda given: "generator" if isinstance(given, Iterator) else repr(given),
)
def test_what_is_not_a_list_of_passages_is_an_outage(given: Any) -> None:
    with pytest.raises(ServerError, match="the retriever 'wiki'"):
        lp.FunctionRetriever(lambda query, k: given, name="wiki")("x", k=2)


def test_an_empty_list_is_an_answer() -> None:
    assert lp.FunctionRetriever(lambda query, k: [])("x", k=2) == []


def test_texts_and_dicts_are_passages_and_the_first_are_taken() -> None:
    given = ["a", {"text": "b", "id": 7, "score": 2, "title": "t"}, lp.Passage("c", 1.0, "c"), 7]
    passages = lp.FunctionRetriever(lambda query, k: given[:3])("x", k=2)
    assert passages == [lp.Passage("a"), lp.Passage("b", 2.0, "7", {"title": "t"})]


def test_a_retriever_that_hangs_is_not_waited_for() -> None:
    async def hang(query: str, k: int) -> Any:
        await asyncio.Event().wait()

    released = threading.Event()

    def hang_in_thread(query: str, k: int) -> Any:
        released.wait(30)
        return []

    async def both() -> None:
        for function in (hang, hang_in_thread):
            with pytest.raises(TimeoutError, match="gave no answer within 0.01 seconds"):
                await passages_from(lp.FunctionRetriever(function, name="slow"), "x", 1, 0.01)
        released.set()

    asyncio.run(both())


def test_what_a_late_thread_starts_is_closed() -> None:
    released, returned = threading.Event(), threading.Event()

    async def later() -> list[Any]:
        return []

    class Late(lp.Retriever):
        kind = "late"

        def search(self, query: str, k: int) -> Any:
            released.wait(30)
            self.result = later()
            returned.set()
            return self.result

    late = Late()

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await passages_from(late, "x", 1, 0.01)
        released.set()
        await asyncio.to_thread(returned.wait, 30)

    asyncio.run(ask())
    end = time.monotonic() + 20
    while inspect.getcoroutinestate(late.result) != inspect.CORO_CLOSED:
        assert time.monotonic() < end  # the thread is between its result and its end


def test_a_retriever_of_your_own_that_gives_something_else_is_an_outage() -> None:
    class Wrong(lp.Retriever):
        kind = "wrong"

        def search(self, query: str, k: int) -> Any:
            return [{"text": "a dict is not a passage here"}]

    with pytest.raises(ServerError, match="gave a dict among its passages"):
        Wrong()("x", k=1)


def test_what_is_not_a_function_is_refused() -> None:
    for wrong in (7, str, None):
        with pytest.raises(InputError, match="takes a function of a query and a number"):
            lp.FunctionRetriever(wrong)  # type: ignore[arg-type]  # that is the test
    with pytest.raises(InputError, match="corpus= names the corpus"):
        lp.FunctionRetriever(lambda query, k: [], corpus=" ")
