"""What every wrapper shares: it looks like the model inside it."""

from __future__ import annotations

from langprog.lm.types import Completion, LanguageModel, Request, Sampling


class Wrapper:
    """A language model around another one; a subclass adds one idea to ``complete``."""

    def __init__(self, inner: LanguageModel) -> None:
        self.inner = inner

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

    async def aclose(self) -> None:
        """Close the model inside."""
        await self.inner.aclose()
