"""The models that a DSPy program names, as ours."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import dspy
from dspy.clients._deprecation import adapter_message_call
from dspy.clients.backend_selection import CLIENT_KEYS

from langprog.errors import InputError, ModelError
from langprog.interop.dspy.errors import as_lm_error
from langprog.lm import (
    Completion,
    LanguageModel,
    ModelRef,
    Request,
    Sampling,
    Usage,
    body_of,
)
from langprog.runtime import LM, call_in_worker

# Attributes of a DSPy model that are settings of a call, by our names.
_SAMPLING = ("temperature", "max_tokens", "top_p", "stop", "seed", "reasoning_effort")
_CONNECTION: Mapping[str, str] = MappingProxyType(
    {
        "api_base": "base_url",
        "base_url": "base_url",
        "api_key": "api_key",
        "api_version": "api_version",
        "headers": "headers",
        "extra_headers": "headers",
        "timeout": "timeout",
    }
)


class KnownModels:
    """The models of a program in DSPy, each with one of ours, shared by all copies."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By id; the DSPy model is kept alive beside ours.
        self._known: dict[int, tuple[Any, ModelRef]] = {}

    def ref_of(self, lm: Any) -> ModelRef:
        """Return our model for one of DSPy's."""
        with self._lock:
            known = self._known.get(id(lm))
            if known is None:
                known = self._known[id(lm)] = (lm, ModelRef.of(_convert(lm)))
            return known[1]


def sampling_of(lm: Any) -> Sampling:
    """Return the sampling settings of a DSPy model."""
    values = {name: lm.kwargs.get(name) for name in _SAMPLING}
    if values["max_tokens"] is None:
        values["max_tokens"] = lm.kwargs.get("max_completion_tokens")
    stop = values["stop"]
    values["stop"] = (stop,) if isinstance(stop, str) else tuple(stop or ())
    return Sampling(**values)


def settings_of(sampling: Sampling) -> dict[str, Any]:
    """Return sampling as the settings of a DSPy model."""
    values = {name: getattr(sampling, name) for name in _SAMPLING}
    values["stop"] = list(sampling.stop) or None
    given = {name: value for name, value in values.items() if value is not None}
    return {**given, **(sampling.extra or {})}


def _convert(lm: Any) -> LanguageModel:
    """Return one of our clients for the same model, or else one that calls the DSPy model."""
    plain = type(lm) is dspy.LM and isinstance(lm.engine, str) and lm.model_type == "chat"
    given = {name: value for name, value in lm.kwargs.items() if value is not None}
    unknown = (CLIENT_KEYS & given.keys()) - _CONNECTION.keys()
    if not plain or unknown:
        return DSPyModel(lm)
    options: dict[str, Any] = {
        ours: given[theirs] for theirs, ours in _CONNECTION.items() if theirs in given
    }
    try:
        return LM(lm.model, cache=bool(lm.cache), **options)
    except (ModelError, InputError):
        return DSPyModel(lm)


class DSPyModel:
    """A model of DSPy that only DSPy can call: one with an engine or a class of its own.

    Args:
        lm: The model.
    """

    defaults = Sampling()

    def __init__(self, lm: Any) -> None:
        self._lm = lm
        self.name = str(lm.model)
        self.endpoint = f"dspy:{type(lm).__name__}"

    async def complete(self, request: Request) -> Completion:
        """Call the model in a worker thread, past DSPy's own cache."""
        body = body_of(request, request.sampling)
        try:
            outputs, usage = await call_in_worker(self._call, body)
        except dspy.LMError as error:
            raise as_lm_error(error, self.name) from error
        texts = tuple(_text_of(output) for output in outputs)
        return Completion(texts or ("",), self.name, usage)

    def _call(self, body: dict[str, Any]) -> tuple[list[Any], Usage]:
        messages = body.pop("messages")
        with (
            dspy.context(disable_history=True),
            dspy.track_usage() as tracker,
            adapter_message_call(self._lm, messages),
        ):
            outputs: list[Any] = self._lm(messages=messages, **body, cache=False)
        used = tracker.get_total_tokens().values()
        return outputs, Usage(
            sum(each.get("prompt_tokens") or 0 for each in used),
            sum(each.get("completion_tokens") or 0 for each in used),
        )

    async def aclose(self) -> None:
        """Do nothing: DSPy keeps the connections."""


def _text_of(output: Any) -> str:
    text = output.get("text") if isinstance(output, dict) else output
    return "" if text is None else str(text)
