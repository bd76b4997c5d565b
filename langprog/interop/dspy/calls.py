"""One call of a DSPy program: a copy of the program, and the settings of DSPy around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dspy
from dspy.dsp.utils.settings import thread_local_overrides

from langprog.interop.dspy.adapter import PATH, WatchedAdapter
from langprog.interop.dspy.copying import copy_program
from langprog.interop.dspy.lm import BridgeLM, Repeats
from langprog.interop.dspy.models import KnownModels
from langprog.interop.dspy.predictor import DSPyPredict
from langprog.interop.dspy.steps import OpenStep
from langprog.lm import ModelRef, Sampling
from langprog.modules import carry_along


class DSPyCall:
    """A call of a DSPy program, or of a metric written for one.

    Args:
        adapter: DSPy's adapter, which is copied.
        predictors: The parameters of its predictors, by path.
        models: Our models for those of DSPy that the program holds.
        otherwise: The model of predictors that are not listed; ``None`` for the ambient one.
    """

    def __init__(
        self,
        adapter: Any,
        predictors: Mapping[str, DSPyPredict],
        models: KnownModels,
        otherwise: str | ModelRef | None,
    ) -> None:
        self._predictors = predictors
        self._models = models
        self._otherwise = otherwise
        self._bridges: dict[int, tuple[Any, BridgeLM]] = {}
        # Answers of predictors that are called again for the same answer of the program.
        self._attempts: list[tuple[OpenStep, Mapping[str, Any]]] = []
        self.failure: Exception | None = None
        """What happened to the last predictor that got no outputs."""
        self._adapter = WatchedAdapter(copy_program(adapter, self._replace), self)

    def copy(self, source: Any) -> Any:
        """Return a copy of the program with the parameters of its predictors, to be run."""
        program = copy_program(source, self._replace)
        for path, predictor in program.named_predictors():
            vars(predictor)[PATH] = path
            self._predictors[path].set_up(predictor)
            if isinstance(predictor.lm, BridgeLM):
                predictor.lm = self._open(predictor.lm)
        return program

    @contextmanager
    def running(self) -> Iterator[None]:
        """Make DSPy call our models inside the block, in every thread that it starts."""
        ambient = BridgeLM(self._otherwise, {}, open=True)
        # DSPy adds the calls whose answers were used: of several attempts, those of the best.
        used: list[tuple[Any, Any, Any]] = []
        settings = {"disable_history": True, Repeats.SETTING: Repeats()}
        with (
            dspy.context(lm=ambient, adapter=self._adapter, trace=used, **settings),
            carry_along(thread_local_overrides),
        ):
            yield
        predictions = [prediction for _, _, prediction in used]
        for step, values in self._attempts:
            if not any(_is_made_of(prediction, values) for prediction in predictions):
                step.give_up()

    def take_answer(self, path: str | None, step: OpenStep, values: Mapping[str, Any]) -> None:
        """Remember an answer that another attempt may replace."""
        if path is not None and self._predictors[path].retries:
            self._attempts.append((step, values))

    def take_failure(self, error: Exception) -> None:
        """Remember a failure, which DSPy's BestOfN and Refine do not raise."""
        self.failure = error

    def settings_of(self, path: str | None) -> tuple[str | ModelRef | None, Sampling]:
        """Return model and sampling of a predictor; ``None`` stands for one that is not listed."""
        predictor = None if path is None else self._predictors.get(path)
        if predictor is None:
            return self._otherwise, Sampling()
        return predictor.model, predictor.sampling

    def bridge(self, lm: Any) -> BridgeLM:
        """Return what takes the place of a user's own model of DSPy."""
        known = self._bridges.get(id(lm))
        if known is None:
            bridge = BridgeLM(self._models.ref_of(lm), _settings_of(lm), like=lm)
            known = self._bridges[id(lm)] = (lm, bridge)
        return known[1]

    def _replace(self, value: Any) -> Any:
        return self.bridge(value) if isinstance(value, dspy.BaseLM) else None

    def _open(self, bridge: BridgeLM) -> BridgeLM:
        """Return one bridge for all predictors with the same model, for those that compare it."""
        known = self._bridges.get(-id(bridge))
        if known is None:
            opened = BridgeLM(bridge.ref, bridge.kwargs, open=True, like=bridge.like)
            known = self._bridges[-id(bridge)] = (bridge, opened)
        return known[1]


def _is_made_of(prediction: Any, values: Mapping[str, Any]) -> bool:
    return all(name in prediction and prediction[name] is values[name] for name in values)


def _settings_of(lm: Any) -> dict[str, Any]:
    return {name: value for name, value in lm.kwargs.items() if value is not None}
