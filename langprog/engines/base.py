"""The interface of engines, and the one that runs everything in this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self, TypeVar

T = TypeVar("T")
Work = Callable[..., Awaitable[T]]


class Engine(ABC):
    """Runs pieces of work, each under the settings in force where it was handed over.

    Use it as an asynchronous context manager; what it started ends with the block.
    """

    #: Rows of a data set in one piece of work; ``None`` for all of them.
    together: int | None = None

    @contextmanager
    def sharing(self, *values: Any) -> Iterator[tuple[Any, ...]]:
        """Prepare values that many pieces of work take, such as a program.

        Yields:
            What to pass to :meth:`run` in their place.

        Raises:
            InputError: A value cannot be sent to where work runs; says why.
        """
        yield values

    @abstractmethod
    async def run(self, work: Work[T], shared: tuple[Any, ...], *args: Any) -> T:
        """Return ``await work(*shared, *args)``.

        Args:
            work: A function of a module of langprog or optimizers.
            shared: What :meth:`sharing` yielded.
            *args: Further arguments, for this piece of work only.

        Raises:
            LangprogError: What ``work`` raised, or the work could not be done anywhere.
        """

    async def __aenter__(self) -> Self:
        """Start what work runs on."""
        return self

    async def __aexit__(self, *error: object) -> None:
        """End it."""
        return


class LocalEngine(Engine):
    """Runs everything in this process."""

    async def run(self, work: Work[T], shared: tuple[Any, ...], *args: Any) -> T:
        """Return ``await work(*shared, *args)``."""
        return await work(*shared, *args)
