"""A wrapped program as the DSPy program that it was, with the parameters that were chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dspy

from langprog.errors import InputError
from langprog.interop.dspy.copying import copy_program
from langprog.interop.dspy.describing import rollout_modules
from langprog.interop.dspy.models import KnownModels, settings_of
from langprog.interop.dspy.predictor import DSPyPredict
from langprog.lm import IN_PROCESS, LanguageModel, ModelRef, model_name
from langprog.runtime import model_in_force, provider_named


class Exporter:
    """Makes models of DSPy for the predictors of a program.

    Args:
        models: Our models for those of DSPy that the program holds.
        lm: What DSPy is to call, whatever the program's models; ``None`` for those.
    """

    def __init__(self, models: KnownModels, lm: Any) -> None:
        self._models = models
        self._lm = lm
        # DSPy compares models by identity where it needs one for several predictors.
        self._made: dict[str, Any] = {}

    def export(self, source: Any, predictors: Mapping[str, DSPyPredict]) -> Any:
        """Return a copy of a DSPy program with these parameters of its predictors.

        Raises:
            InputError: Predictors inside a BestOfN or Refine have different models.
        """
        program = copy_program(source)
        for path, predictor in program.named_predictors():
            predictors[path].set_up(predictor)
            predictor.lm = self._model_for(predictors[path], predictor)
        for module in rollout_modules(program):
            if len({id(each.lm) for each in module.module.predictors()}) > 1:
                raise InputError(
                    f"DSPy's {type(module).__name__} needs one model for all predictors inside "
                    "it, and here they have several: compile without models=, or pass "
                    "to_dspy(..., lm=...)"
                )
        return program

    def _model_for(self, predictor: DSPyPredict, theirs: Any) -> Any:
        """Return the model of an exported predictor, and give it the settings in force."""
        before, own = theirs.lm, predictor.own_model
        settings = settings_of(predictor.sampling)
        known = self._lm or before or dspy.settings.lm
        if known is not None and (self._lm or self._is_same(known, own)):
            model = self._with(known, settings)
            return model if model is not known or self._lm else before
        lm = None if own is None else model_in_force(own)
        if lm is not None and lm.endpoint != IN_PROCESS:
            return self._make(lm, settings)
        # DSPy calls what it is configured with, where the settings have to be those of the call.
        if predictor.retries:  # whose rollouts have a temperature of their own
            settings.pop("temperature", None)
        theirs.config = {**theirs.config, **settings}
        return before

    def _is_same(self, known: Any, own: str | ModelRef | None) -> bool:
        return own is None or own == self._models.ref_of(known) or model_name(own) == known.model

    def _with(self, lm: Any, settings: Mapping[str, Any]) -> Any:
        changed = {name: each for name, each in settings.items() if lm.kwargs.get(name) != each}
        key = f"{id(lm)} {changed}"
        return self._made.setdefault(key, lm.copy(**changed)) if changed else lm

    def _make(self, lm: LanguageModel, settings: Mapping[str, Any]) -> Any:
        provider, _, rest = lm.name.partition("/")
        known = provider_named(lm.name)
        connection = {}
        name = lm.name
        if lm.endpoint.startswith("http") and (known is None or known.base_url != lm.endpoint):
            # DSPy's name for any endpoint that is compatible with OpenAI's.
            name = f"openai/{rest if known is not None else lm.name}"
            connection = {"api_base": lm.endpoint}
        key = f"{name} {connection} {settings}"
        if key not in self._made:
            self._made[key] = dspy.LM(name, **connection, **settings)
        return self._made[key]
