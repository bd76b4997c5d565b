"""DSPy's adapter, watched: what it is given and returns is a step of the trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import dspy

from langprog.interop.dspy.lm import BridgeLM
from langprog.interop.dspy.steps import OpenStep, record_step
from langprog.lm import ModelRef, Sampling

# The attribute of a predictor's copy with its path; deep copies of the predictor have it too.
PATH = "langprog_path"


class Bound(Protocol):
    """What decides which model answers a predictor."""

    def settings_of(self, path: str | None) -> tuple[str | ModelRef | None, Sampling]:
        """Return model and sampling of a predictor; ``None`` stands for one that is not listed."""
        ...

    def bridge(self, lm: Any) -> BridgeLM:
        """Return what takes the place of a user's own model of DSPy."""
        ...

    def take_answer(self, path: str | None, step: OpenStep, values: Mapping[str, Any]) -> None:
        """Take the outputs that a predictor got."""
        ...

    def take_failure(self, error: Exception) -> None:
        """Take what a predictor got in place of outputs."""
        ...


class WatchedAdapter:
    """Passes calls to an adapter of DSPy, and records them.

    Predictors reach their models through the adapter alone, so that here every call of theirs is
    seen, whichever model the program's code has chosen for it.

    Args:
        inner: The adapter.
        bound: Decides which model answers.
    """

    def __init__(self, inner: Any, bound: Bound) -> None:
        self._inner = inner
        self._bound = bound
        chat = isinstance(inner, dspy.ChatAdapter) and not isinstance(inner, dspy.JSONAdapter)
        self._may_fall_back = chat and bool(inner.use_json_adapter_fallback)

    def __call__(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[Any],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Call the adapter."""
        with self._step(signature, inputs) as (path, step):
            answering = self._answering(lm, path)
            values: list[dict[str, Any]] = self._inner(
                answering, lm_kwargs, signature, demos, inputs
            )
            self._take(path, step, values)
        return values

    async def acall(
        self,
        lm: Any,
        lm_kwargs: dict[str, Any],
        signature: Any,
        demos: list[Any],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Call the adapter; the asynchronous form."""
        with self._step(signature, inputs) as (path, step):
            answering = self._answering(lm, path)
            values: list[dict[str, Any]] = await self._inner.acall(
                answering, lm_kwargs, signature, demos, inputs
            )
            self._take(path, step, values)
        return values

    def _take(self, path: str | None, step: OpenStep, values: list[dict[str, Any]]) -> None:
        if values:
            step.set_outputs(values[0])
            self._bound.take_answer(path, step, values[0])

    @contextmanager
    def _step(
        self, signature: Any, inputs: Mapping[str, Any]
    ) -> Iterator[tuple[str | None, OpenStep]]:
        callers = dspy.settings.caller_modules or ()
        path = vars(callers[-1]).get(PATH) if callers else None
        step = OpenStep(inputs, may_fall_back=self._may_fall_back)
        # What a module of DSPy's own asks inside, no user could name otherwise.
        known = path is not None or str(signature.__module__).startswith("dspy.predict")
        with record_step(path or signature.__name__, step, listed=known):
            try:
                yield path, step
            except Exception as error:
                self._bound.take_failure(error)
                raise

    def _answering(self, lm: Any, path: str | None) -> Any:
        inside = getattr(lm, "_lm", None)  # of what DSPy puts around a model in a sandbox
        if isinstance(inside, BridgeLM):
            return lm
        bridge = lm if isinstance(lm, BridgeLM) else self._bound.bridge(lm)
        return bridge.for_predictor(*self._bound.settings_of(path))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @property  # type: ignore[misc]  # object itself lets it be set
    def __class__(self) -> Any:
        """The adapter's own class: DSPy's Refine derives another one from it."""
        return type(self._inner)
