"""A model that answers from a script, for tests."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from langprog.errors import ModelError
from langprog.hints import with_hints
from langprog.lm.elsewhere import OF_SCRIPTED
from langprog.lm.sampling import Sampling
from langprog.lm.types import Completion, Request, Usage

Reply = str | Sequence[str] | Completion | Exception
Script = Callable[[Request], Reply] | Sequence[Reply]


class ScriptedLM:
    """A language model that answers from a script, in this process.

    Args:
        script: Replies in order, or a function of the request. A reply is a text, several texts
            (for ``n`` > 1), a Completion (with tool calls, reasoning or log-probabilities) or an
            exception to raise. Streams yield the same replies in pieces.
        name: ``provider/model``.
        dollars: Price of each call; 0 by default.
        defaults: Sampling for what a request leaves open.
    """

    endpoint = "in-process"

    @with_hints(OF_SCRIPTED, by_name="write name=")
    def __init__(
        self,
        script: Script,
        *,
        name: str = "scripted/lm",
        dollars: float | None = 0.0,
        defaults: Sampling = Sampling(),
    ) -> None:
        if isinstance(script, str) or not (callable(script) or isinstance(script, Sequence)):
            raise ModelError(
                f"ScriptedLM({script!r:.60}): give a list of replies, lp.ScriptedLM([...]), or a "
                "function of the request"
            )
        self.name = name
        self.defaults = defaults
        self.requests: list[Request] = []
        self._script = script
        self._dollars = dollars
        self._lock = threading.Lock()

    @property
    def calls(self) -> int:
        """Number of requests received."""
        return len(self.requests)

    async def complete(self, request: Request) -> Completion:
        """Answer with the script's next reply.

        Raises:
            ModelError: The script has no reply left, or the reply does not fit the request.
            Exception: The reply is an exception.
        """
        with self._lock:
            index = len(self.requests)
            self.requests.append(request)
        if callable(self._script):
            reply = self._script(request)
        elif index < len(self._script):
            reply = self._script[index]
        else:
            raise ModelError(
                f"{self.name} has {len(self._script)} replies, and one more was requested"
            )
        if isinstance(reply, Exception):
            raise reply
        if isinstance(reply, Completion):
            return reply
        texts = (reply,) * request.n if isinstance(reply, str) else self._texts(reply, request)
        prompt = sum(len(message.text.split()) for message in request.messages)
        return Completion(
            texts=texts,
            model=self.name,
            usage=Usage(prompt, sum(len(text.split()) for text in texts)),
            finish_reasons=("stop",) * len(texts),
            dollars=self._dollars,
        )

    def _texts(self, reply: Sequence[str], request: Request) -> tuple[str, ...]:
        if not isinstance(reply, (list, tuple)) or not all(
            isinstance(text, str) for text in reply
        ):
            raise ModelError(f"the script of {self.name} replied {reply!r}, which is not a text")
        if len(reply) < request.n:
            raise ModelError(
                f"the script of {self.name} replied with {len(reply)} texts to n={request.n}"
            )
        return tuple(reply)

    async def aclose(self) -> None:
        """Do nothing: there are no connections."""
