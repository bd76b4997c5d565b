"""Concurrent calls from synchronous code."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar, overload

from langprog.errors import InputError
from langprog.hints import with_hints
from langprog.modules.base import Module
from langprog.modules.elsewhere import OF_PARALLEL
from langprog.modules.prediction import Prediction
from langprog.modules.trace import record_part
from langprog.runtime import call_in_worker, gather_in_order, run_sync

T = TypeVar("T")
Item = TypeVar("Item")


@overload
def parallel(
    function: Module, items: Iterable[Mapping[str, Any]], *, width: int = ...
) -> list[Prediction]: ...
@overload
def parallel(
    function: Callable[[Item], T], items: Iterable[Item], *, width: int = ...
) -> list[T]: ...
@with_hints(
    OF_PARALLEL,
    by_name="write lp.parallel(program, rows, width=...)",
    needed={"items": "write lp.parallel(program, rows)"},
)
def parallel(function: Any, items: Iterable[Any], *, width: int = 8) -> list[Any]:
    """Call ``function`` on every item, several at a time, and wait for all of them.

    For ``forward`` and for scripts; in ``async def aforward``, use ``asyncio.gather``. Every call
    uses the trace, budget and model in force here, and the trace lists the calls in the order of
    the items::

        class Digest(lp.Module):
            def __init__(self):
                self.summary = lp.Predict("text -> summary")

            def forward(self, texts):
                parts = lp.parallel(self.summary, [{"text": text} for text in texts])
                return {"summary": " ".join(part.summary for part in parts)}

    Args:
        function: A module, which takes each item as its inputs; or a function of one item, which
            may call modules, and runs in a thread unless it is asynchronous.
        items: The items; dicts of inputs if ``function`` is a module.
        width: Maximum number of concurrent calls.

    Returns:
        The results in the order of the items.

    Raises:
        InputError: ``width`` is below 1, or an item for a module is not a dict.
        LangprogError: Called from a program's asynchronous code.
        Exception: The first failure. No further items are started, and running ones have ended: a
            module is cancelled, a function may make no further calls of modules.
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise InputError(f"parallel(width={width!r}): must be a whole number, 1 or more")
    works = [_work(function, index, item) for index, item in enumerate(items)]
    return run_sync(gather_in_order(works, width))


def _work(function: Any, index: int, item: Any) -> Callable[[], Any]:
    if not isinstance(function, Module):
        return partial(_call, function, item)
    if isinstance(item, Mapping):
        return partial(function.acall, **item)
    raise InputError(
        f"parallel: item {index} is a {type(item).__name__}; a module takes a dict of its inputs"
    )


async def _call(function: Callable[[Any], Any], item: Any) -> Any:
    with record_part() as inner:
        if inspect.iscoroutinefunction(function):
            return await function(item)
        running = asyncio.ensure_future(call_in_worker(function, item))
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError:
            # A thread cannot be stopped: refuse its calls and wait for it, so that nothing goes on
            # in the background.
            inner.close()
            await asyncio.wait([running])
            if not running.cancelled():
                running.exception()  # or asyncio logs that it was never retrieved
            raise
        result = running.result()
        return await result if inspect.isawaitable(result) else result
