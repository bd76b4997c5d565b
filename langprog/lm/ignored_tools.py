"""Noticing that an endpoint ignores tools without a word.

llama.cpp's server does, where the template of the model has no place for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from langprog.errors import BudgetExceeded, LangprogError
from langprog.lm.fallbacks import cut_at_stop, drop_settings, mark_without_tools
from langprog.lm.types import Completion, Request

# After as many requests that were no better without tools, a missing call is the model's mistake.
TRIES = 3


class ToolWatch:
    """Watches whether calls that are demanded come.

    An endpoint that never called a tool, and answers a demand for a call with text, ignores tools
    if the same request in its form without tools brings a usable answer. Once it has called one,
    a missing call is the model's mistake.

    Args:
        ask: Answers a request with this many completions.
        learn: Called with the request once the endpoint is known to ignore tools.
    """

    def __init__(
        self,
        ask: Callable[[Request, int], Awaitable[Completion]],
        learn: Callable[[Request], None],
    ) -> None:
        self._ask = ask
        self._learn = learn
        self._calls_tools = False
        self._tries = 0

    async def settle(self, completion: Completion, whole: Request, sent: Request) -> Completion:
        """Return the answer without tools where the endpoint ignores them, else the first one.

        Both were paid, so the one that is returned counts what the other one took.

        Args:
            completion: What it answered.
            whole: The original request.
            sent: The request as it was sent.

        Raises:
            BudgetExceeded: A budget cannot afford to find out.
        """
        if not sent.tools:
            return completion
        self._calls_tools = self._calls_tools or any(completion.tool_calls)
        if self._calls_tools or self._tries == TRIES or not _demands_call(sent):
            return completion
        if sent.without_tools is None or whole.accept is None:
            return completion
        plain = drop_settings(sent, {"tools"})
        answered: Completion | None = None
        try:
            answered = cut_at_stop(await self._ask(plain, whole.n), whole, plain)
            answered = mark_without_tools(answered, whole, plain)
            whole.accept(answered)
        except BudgetExceeded:
            raise
        except LangprogError:  # it is not better without tools
            self._tries += 1
            return completion if answered is None else _with_costs(completion, answered)
        self._learn(whole)
        return _with_costs(answered, completion)


def _demands_call(request: Request) -> bool:
    return request.tool_choice not in (None, "auto", "none")


def _with_costs(kept: Completion, discarded: Completion) -> Completion:
    """Return a completion that counts what another one took, which nobody gets to see."""
    dollars = (kept.dollars, discarded.dollars)
    return replace(
        kept,
        usage=kept.usage + discarded.usage,
        dollars=None if dollars[0] is None or dollars[1] is None else dollars[0] + dollars[1],
        latency=kept.latency + discarded.latency,
    )
