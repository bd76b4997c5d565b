"""The elements of a list: read one by one, numbered, and what stands for one that failed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from langprog.errors import InputError, LangprogError
from langprog.runtime import call_in_worker

# What a sync iterator gives after its last element: no element is this object.
_END = object()


@dataclass(frozen=True, slots=True)
class ElementFailure:
    """What stands in the place of an element that failed.

    Args:
        index: The element's position in the list, from 0.
        error: The name of the error's class, such as ``ParseError``.
        message: What happened.
    """

    index: int
    error: str
    message: str


def with_count(error: LangprogError, failed: int, count: int) -> LangprogError:
    """Return an error of the same class that also says how many elements failed."""
    if count == 1:
        return error
    told = type(error)(
        f"{failed} of the first {count} elements of a Map failed; one of them: {error}"
    )
    vars(told).update(vars(error))
    told.__cause__ = error
    return told


async def number_elements(
    elements: AsyncGenerator[Any, None],
) -> AsyncGenerator[tuple[int, Any], None]:
    """Yield the elements with their places, from 0."""
    index = 0
    async with aclosing(elements):
        async for element in elements:
            yield index, element
            index += 1


async def iterate(value: Any, name: str) -> AsyncGenerator[Any, None]:
    """Yield the elements of a list, an iterator or an asynchronous iterator.

    Raises:
        InputError: It is none of them.
    """
    if isinstance(value, AsyncIterable):
        elements = aiter(value)
        try:
            async for element in elements:
                yield element
        finally:
            # What produces the elements is to end as well.
            close = getattr(elements, "aclose", None)
            if close is not None:
                await close()
        return
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise InputError(
            f"{name} of a Map is a {type(value).__name__}: give a list, or anything to iterate "
            "over, also asynchronously"
        )
    if isinstance(value, (Sequence, set, frozenset)):
        for element in value:
            yield element
        return
    iterator: Iterator[Any] = iter(value)
    # In a thread: the next element may take its time.
    while (element := await call_in_worker(next, iterator, _END)) is not _END:
        yield element
