"""The served model as a language model of DSPy's, with calls counted as ours are."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from langprog.errors import ContextWindowError
from langprog.lm import Completion, LanguageModel, Message, Request, Sampling
from langprog.runtime import run_sync


class CallsUsedUp(Exception):
    """As many calls are paid as there may be."""


class Metered:
    """Answers DSPy's requests with a model of ours, from memory where it is the same request.

    Args:
        model: The model.
        most: Calls that may be paid; ``None`` for no limit.
    """

    def __init__(self, model: LanguageModel, most: int | None) -> None:
        self.model = model
        self.most = most
        self.paid = 0
        self.dollars = 0.0
        self._known: dict[str, Completion] = {}
        self._lock = threading.Lock()

    def answer(
        self, messages: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> Completion:
        """Answer a request of DSPy's.

        Raises:
            CallsUsedUp: It is a new one, and the calls are used up.
        """
        form = options.get("response_format")
        schema = form["json_schema"]["schema"] if isinstance(form, dict) else None
        request = Request(
            tuple(Message(each["role"], _text(each["content"])) for each in messages),
            # With a temperature above zero, every rollout is a new sample, as with a seed.
            Sampling(
                temperature=options.get("temperature"),
                max_tokens=options.get("max_tokens"),
                seed=options.get("rollout_id"),
            ),
            response_schema=schema,
        )
        key = repr(request)
        with self._lock:
            if key in self._known:
                return self._known[key]
            if self.most is not None and self.paid >= self.most:
                raise CallsUsedUp(f"{self.most} calls are paid")
            self.paid += 1
        completion = run_sync(self.model.complete(request))
        with self._lock:
            self._known[key] = completion
            self.dollars += completion.dollars or 0.0
        return completion


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def as_dspy(metered: Metered, max_tokens: int) -> Any:
    """Return a model of DSPy's that answers with ``metered``.

    Args:
        metered: The model.
        max_tokens: Longest reply, in tokens.
    """
    import dspy  # noqa: PLC0415 - the peer is loaded where it is measured
    from dspy.utils.exceptions import ContextWindowExceededError  # noqa: PLC0415 - as above

    class Served(dspy.BaseLM):  # type: ignore[misc]  # DSPy has no types
        def __init__(self, **options: Any) -> None:
            super().__init__(model=metered.model.name, cache=False, **options)

        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            asked = messages or [{"role": "user", "content": prompt}]
            try:
                completion = metered.answer(asked, {**self.kwargs, **options})
            except ContextWindowError as error:  # as DSPy's own clients say it
                raise ContextWindowExceededError(model=self.model, message=str(error)) from error
            message = SimpleNamespace(content=completion.text, role="assistant", tool_calls=None)
            usage = completion.usage
            return SimpleNamespace(
                choices=[SimpleNamespace(message=message, finish_reason="stop", index=0)],
                usage={
                    "prompt_tokens": usage.prompt_tokens,
                    "completion_tokens": usage.completion_tokens,
                    "total_tokens": usage.total_tokens,
                },
                model=self.model,
            )

    return Served(temperature=0.0, max_tokens=max_tokens)


def written_proposer(instructions: Sequence[str]) -> Any:
    """Return a model of DSPy's that proposes these instructions, one after another.

    MIPROv2 puts the program's own instruction in the place of the first proposal, so that comes
    last.
    """
    import dspy  # noqa: PLC0415 - as above

    class Written(dspy.BaseLM):  # type: ignore[misc]  # DSPy has no types
        def __init__(self, **options: Any) -> None:
            super().__init__(model="written", cache=False, **options)
            self.asked = 0

        def copy(self, **options: Any) -> Any:
            return self  # a copy would start from the first instruction again

        def forward(self, prompt: Any = None, messages: Any = None, **options: Any) -> Any:
            text = instructions[self.asked - 1]
            self.asked = (self.asked + 1) % len(instructions)
            reply = json.dumps({"proposed_instruction": text})
            message = SimpleNamespace(content=reply, role="assistant", tool_calls=None)
            return SimpleNamespace(
                choices=[SimpleNamespace(message=message, finish_reason="stop", index=0)],
                usage={"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
                model=self.model,
            )

    return Written()
