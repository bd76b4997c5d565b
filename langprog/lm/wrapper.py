"""The base class of wrappers: a model that looks like the model inside it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from langprog.errors import InputError
from langprog.hints import Hinted, Words
from langprog.lm.sampling import Sampling
from langprog.lm.streaming import Delta, replay_completion, stream_completion
from langprog.lm.types import Completion, LanguageModel, Request


class Wrapper(Hinted):
    """A language model around another one; a subclass adds one feature.

    Override ``complete``, and ``stream`` too if the feature concerns streams::

        class Logged(Wrapper):
            async def complete(self, request):
                completion = await self.inner.complete(request)
                print(self.name, completion.usage.total_tokens)
                return completion
    """

    # What models of other libraries have, and what there is here instead.
    _elsewhere: ClassVar[Words] = MappingProxyType(
        {
            "acall": "write await model.complete(lp.Request(...))",
            "copy": "write lp.LM(name, ...) with the other settings",
            "forward": "write await model.complete(lp.Request(...))",
            "history": "look at prediction.trace, or set LANGPROG_LOG and run `langprog show "
            "--last 3`",
            "inspect_history": "look at prediction.trace, or set LANGPROG_LOG and run `langprog "
            "show --last 3`",
            "kwargs": "write .defaults",
            "model": "write .name",
        }
    )

    def __init__(self, inner: LanguageModel) -> None:
        self.inner = inner

    if not TYPE_CHECKING:  # type checkers refuse the call by themselves

        def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
            """Say how a model is asked; models of other libraries are called."""
            raise InputError(
                "a model is asked through a program, lp.Predict('question -> answer')"
                "(question=...), or by await model.complete(lp.Request(...))"
            )

    @property
    def name(self) -> str:
        """Name of the model inside."""
        return self.inner.name

    @property
    def endpoint(self) -> str:
        """Endpoint of the model inside."""
        return self.inner.endpoint

    @property
    def defaults(self) -> Sampling:
        """Sampling defaults of the model inside."""
        return self.inner.defaults

    async def complete(self, request: Request) -> Completion:
        """Answer ``request``."""
        return await self.inner.complete(request)

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Stream the answer to ``request``.

        If a subclass overrides only ``complete``, the answer comes as a whole, so that the
        feature still applies.
        """
        if type(self).complete is Wrapper.complete:
            deltas = stream_completion(self.inner, request)
        else:
            deltas = replay_completion(await self.complete(request))
        async with aclosing(deltas):
            async for delta in deltas:
                yield delta

    async def aclose(self) -> None:
        """Close the model inside."""
        await self.inner.aclose()


def layers_of(model: LanguageModel) -> Iterator[LanguageModel]:
    """Yield a model and the models it wraps, outermost first."""
    yield model
    while isinstance(model, Wrapper):
        model = model.inner
        yield model
