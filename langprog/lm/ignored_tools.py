"""Noticing that an endpoint ignores tools without a word.

llama.cpp's server does, where the template of the model has no place for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

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

    async def answer_without(
        self, completion: Completion, whole: Request, sent: Request
    ) -> Completion | None:
        """Return a usable answer without tools, where the endpoint ignores them.

        Args:
            completion: What it answered.
            whole: The original request.
            sent: The request as it was sent.

        Raises:
            BudgetExceeded: A budget cannot afford to find out.
        """
        if not sent.tools:
            return None
        self._calls_tools = self._calls_tools or any(completion.tool_calls)
        if self._calls_tools or self._tries == TRIES or not _demands_call(sent):
            return None
        if sent.without_tools is None or whole.accept is None:
            return None
        plain = drop_settings(sent, {"tools"})
        try:
            answered = cut_at_stop(await self._ask(plain, whole.n), whole, plain)
            answered = mark_without_tools(answered, whole, plain)
            whole.accept(answered)
        except BudgetExceeded:
            raise
        except LangprogError:  # it is not better without tools
            self._tries += 1
            return None
        self._learn(whole)
        return answered


def _demands_call(request: Request) -> bool:
    return request.tool_choice not in (None, "auto", "none")
