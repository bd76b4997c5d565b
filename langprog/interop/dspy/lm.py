"""The model that a DSPy program sees: each of its calls is a call of ours."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import dspy
from dspy.clients.backend_selection import CLIENT_KEYS
from dspy.clients.call_result import attributes
from dspy.utils.callback import with_callbacks

from langprog.errors import InputError, LMError, ModelError
from langprog.interop.dspy.errors import as_both
from langprog.interop.dspy.models import settings_of
from langprog.interop.dspy.steps import OpenStep, open_step, record_step
from langprog.lm import (
    IN_PROCESS,
    BadBody,
    Completion,
    ModelRef,
    Request,
    Sampling,
    model_name,
    read_request,
)
from langprog.modules import find_cut
from langprog.runtime import ask, current, model_in_force, run_at_home, run_sync

# Settings of a call that steer DSPy's own client.
_OF_THE_CLIENT = CLIENT_KEYS | {"cache", "num_retries", "prompt_cache", "rollout_id"}
# Where a program calls a model itself, and not through a predictor.
DIRECT = "lm"


class Repeats:
    """Counts equal requests of one run, for models that are to answer each of them anew.

    A request is one in caches and journals, however often it is made. Where DSPy's own cache is
    off, a program that samples several answers expects different ones.
    """

    SETTING = "langprog_repeats"
    """DSPy's setting that holds it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Counter[str] = Counter()

    def count(self, body: Mapping[str, Any]) -> int:
        """Return how often a request was made before."""
        key = hashlib.sha256(repr(sorted(body.items())).encode()).hexdigest()
        with self._lock:
            self._seen[key] += 1
            return self._seen[key] - 1


class BridgeLM(dspy.BaseLM):
    """One of our models as a model of DSPy.

    Args:
        model: The model; ``None`` for the ambient one.
        settings: Settings that a call may override, as DSPy's ``lm.kwargs``.
        open: Whether the predictor that calls it decides which model answers.
        like: The user's own model of DSPy in whose place this one is.
    """

    def __init__(
        self,
        model: str | ModelRef | None,
        settings: Mapping[str, Any],
        *,
        open: bool = False,
        like: Any = None,
    ) -> None:
        super().__init__(model=model_name(model) or _ambient_name(), cache=False)
        self.ref = model
        self.open = open
        self.like = like
        self.kwargs.update(settings)
        # What copies were given, above the settings of the predictor that calls.
        self.changed: dict[str, Any] = {}

    def copy(self, **kwargs: Any) -> Self:
        """Return a copy with other settings, as BestOfN asks for with each rollout."""
        new: Self = super().copy(**kwargs)
        new.changed = {**self.changed, **kwargs}
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        # Deep copies of a module keep its models.
        return self.copy()

    def for_predictor(self, model: str | ModelRef | None, sampling: Sampling) -> BridgeLM:
        """Return the model that answers a predictor with these parameters."""
        if not self.open:
            return self
        settings = {**self.kwargs, **settings_of(sampling), **self.changed}
        return BridgeLM(model, settings, like=self.like)

    # --- what adapters ask ----------------------------------------------------------------------

    @property
    def supports_function_calling(self) -> bool:
        """Whether DSPy knows the model to call functions."""
        return bool(self._known("supports_function_calling", False))

    @property
    def supports_reasoning(self) -> bool:
        """Whether DSPy knows the model to reason natively."""
        return bool(self._known("supports_reasoning", False))

    @property
    def supports_response_schema(self) -> bool:
        """Whether DSPy knows the model to follow a schema."""
        return bool(self._known("supports_response_schema", False))

    @property
    def supported_params(self) -> set[str]:
        """The settings that DSPy knows the model to take."""
        return set(self._known("supported_params", ()))

    def _known(self, name: str, otherwise: Any) -> Any:
        """Return what DSPy says of the same model, so that it renders the same prompts."""
        if self.like is not None:
            return getattr(self.like, name, otherwise)
        try:
            lm = model_in_force(self.ref)
        except ModelError:  # a prompt is rendered where there is no model
            return otherwise
        if lm.endpoint == IN_PROCESS:
            return otherwise
        try:
            return getattr(dspy.LM(lm.name), name)
        except (dspy.LMError, ImportError, ValueError):  # a name that DSPy does not know
            return otherwise

    # --- calls ----------------------------------------------------------------------------------

    @with_callbacks
    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> list[Any]:
        """Answer as a model of DSPy does: with a list of texts, or of dicts."""
        return run_sync(self._answer(prompt, messages, kwargs))

    @with_callbacks
    async def acall(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> list[Any]:
        """Answer; the asynchronous form of calling it."""
        return await run_at_home(self._answer(prompt, messages, kwargs))

    async def _answer(self, prompt: Any, messages: Any, kwargs: Mapping[str, Any]) -> list[Any]:
        request = self._request(prompt, messages, kwargs)
        step = open_step.get()
        if step is not None:
            return await self._ask(request, step)
        step = OpenStep({"messages": [message.text for message in request.messages]})
        with record_step(DIRECT, step, listed=False):
            outputs = await self._ask(request, step)
            step.outputs = {"outputs": outputs}
        return outputs

    async def _ask(self, request: Request, step: OpenStep) -> list[Any]:
        try:
            completion = await ask(self.ref, request)
            step.add(request.messages, completion)
            _refuse_cut(completion)
        except LMError as error:
            both = as_both(error)
            if both is error:
                raise
            raise both from error
        _track_usage(self.model, completion)
        return _outputs_of(completion, logprobs=request.logprobs)

    def _request(self, prompt: Any, messages: Any, kwargs: Mapping[str, Any]) -> Request:
        if messages is None and not isinstance(prompt, str):
            raise InputError(
                f"a model was called with a {type(prompt).__name__}: here it takes a text, or "
                "messages= as DSPy's adapters write them"
            )
        merged = {**self.kwargs, **kwargs}
        body = {
            name: value
            for name, value in merged.items()
            if value is not None and name not in _OF_THE_CLIENT
        }
        body["messages"] = messages or [{"role": "user", "content": prompt}]
        if isinstance(body.get("response_format"), type):
            schema = body["response_format"].model_json_schema()
            body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
        try:
            request = read_request(body)
        except BadBody as error:
            raise InputError(f"DSPy's request cannot be sent: {error}") from error
        request = replace(request, accept=_refuse_cut)
        rollout = merged.get("rollout_id")
        if rollout is None and self._is_uncached(kwargs):
            repeats: Repeats | None = dspy.settings.get(Repeats.SETTING)
            again = 0 if repeats is None else repeats.count(body)
            rollout = f"again {again}" if again else None
        return request if rollout is None else _with_rollout(request, rollout)

    def _is_uncached(self, kwargs: Mapping[str, Any]) -> bool:
        """Return whether DSPy's cache is off, for this call or for the user's own model."""
        own = True if self.like is None else self.like.cache
        return kwargs.get("cache", own) is False


def _ambient_name() -> str:
    lm = current().lm
    return "langprog/ambient" if lm is None else lm.name


def _with_rollout(request: Request, rollout: Any) -> Request:
    """Return a request that is another one for each rollout, for caches and for the model."""
    text = f"{request.sampling.seed} rollout {rollout}"
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
    return replace(
        request,
        sampling=replace(request.sampling, seed=seed),
        optional=request.optional | {"seed"},
    )


def _refuse_cut(completion: Completion) -> None:
    """Refuse a reply that was cut off, filtered or interrupted; DSPy would go on with it."""
    error = find_cut(completion)
    if error is not None:
        raise error


def _outputs_of(completion: Completion, *, logprobs: bool) -> list[Any]:
    """Return a completion as DSPy's adapters take it."""
    outputs: list[Any] = []
    for place, text in enumerate(completion.texts):
        output: dict[str, Any] = {"text": text or None}
        if place < len(completion.reasoning) and completion.reasoning[place]:
            output["reasoning_content"] = completion.reasoning[place]
        if place < len(completion.tool_calls) and completion.tool_calls[place]:
            output["tool_calls"] = [
                attributes(
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.name, "arguments": call.arguments},
                    }
                )
                for call in completion.tool_calls[place]
            ]
        if logprobs and completion.logprobs is not None:
            tokens = [{"token": "", "logprob": value} for value in completion.logprobs[place]]
            output["logprobs"] = attributes({"content": tokens})
        outputs.append(output if len(output) > 1 else output["text"])
    return outputs


def _track_usage(name: str, completion: Completion) -> None:
    tracker = dspy.settings.usage_tracker
    if tracker:
        usage = completion.usage
        tracker.add_usage(
            name,
            {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.total_tokens,
            },
        )
