"""The one place that calls retrievers, and gives failures their type."""

from __future__ import annotations

import asyncio
import inspect
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langprog.errors import ConnectError, LangprogError, ServerError, TimeoutError, TransportError
from langprog.retrieval.passage import Passage, check_count, check_query
from langprog.runtime import call_in_worker

if TYPE_CHECKING:
    from langprog.retrieval.base import Retriever


async def passages_from(
    retriever: Retriever, query: str, k: int, timeout: float | None = None
) -> list[Passage]:
    """Return up to ``k`` passages for ``query``, the best first.

    A retriever that is not ``async`` runs in a worker thread. Whatever a retriever raises says
    nothing about the program, so it is a transport failure: missing data, never an empty list.

    Args:
        retriever: The retriever.
        query: The text to search for.
        k: How many passages at most.
        timeout: Seconds to wait; a thread keeps running after that, but nobody waits for it.

    Raises:
        InputError: The query is empty, or ``k`` is not a number of passages.
        TransportError: The retriever failed, gave no answer in time, or gave no passages.
        LangprogError: The error that the retriever raised, if it is one already.
    """
    check_query(query)
    check_count(k)
    try:
        async with asyncio.timeout(timeout):
            result = await _search(retriever, query, k)
    except LangprogError as error:
        raise _with_place(error, retriever) from error.__cause__
    except Exception as error:
        raise _failure(error, retriever, timeout) from error
    return _check_passages(result, k, retriever)


async def _search(retriever: Retriever, query: str, k: int) -> Any:
    if inspect.iscoroutinefunction(retriever.search):
        return await retriever.search(query, k)
    started: list[Any] = []
    abandoned = False

    def search() -> None:
        started.append(retriever.search(query, k))
        if abandoned:
            _close(started)

    try:
        await call_in_worker(search)
    except asyncio.CancelledError:
        abandoned = True  # the thread goes on: whoever is last closes what it started
        _close(started)
        raise
    result = started[0]
    return await result if inspect.isawaitable(result) else result


def _close(started: list[Any]) -> None:
    for result in started:
        if inspect.iscoroutine(result):
            result.close()


def _place_of(retriever: Retriever) -> str:
    return f"the retriever {retriever.name or retriever.kind!r}"


def _with_place(error: LangprogError, retriever: Retriever) -> LangprogError:
    place = _place_of(retriever)
    if type(error) is not ServerError or place in str(error):
        return error
    return ServerError(f"{place} failed: {error}")


def _failure(error: Exception, retriever: Retriever, timeout: float | None) -> TransportError:
    place = _place_of(retriever)
    if isinstance(error, asyncio.TimeoutError):
        within = "" if timeout is None else f" within {timeout:g} seconds"
        return TimeoutError(f"{place} gave no answer{within}")
    told = f"{place} failed ({type(error).__name__}: {error})"
    return (ConnectError if isinstance(error, ConnectionError) else ServerError)(told)


def _check_passages(result: Any, k: int, retriever: Retriever) -> list[Passage]:
    place = _place_of(retriever)
    if isinstance(result, (str, bytes)) or not isinstance(result, Sequence):
        raise ServerError(f"{place} gave a {type(result).__name__}, not a list of lp.Passage")
    for passage in result[:k]:
        if not isinstance(passage, Passage):
            raise ServerError(f"{place} gave a {type(passage).__name__} among its passages")
        if not isinstance(passage.text, str) or not isinstance(passage.id, str):
            raise ServerError(f"{place} gave a passage whose text or id is not a text")
        if not _is_number(passage.score):
            raise ServerError(f"{place} gave a passage the score {passage.score!r:.40}")
    return list(result[:k])


def _is_number(score: Any) -> bool:
    number = isinstance(score, (int, float)) and not isinstance(score, bool)
    return number and math.isfinite(score)
