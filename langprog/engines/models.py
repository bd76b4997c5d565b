"""The models of a run, as a driver describes them to workers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from langprog.engines.messages import ModelId
from langprog.engines.worker import Described
from langprog.errors import ModelError
from langprog.lm import (
    IN_PROCESS,
    Capabilities,
    LanguageModel,
    LiteLLM,
    ModelRef,
    OpenAICompatible,
    capabilities_of,
    layers_of,
)
from langprog.modules import Module
from langprog.runtime import may_call_tools, model_in_force, refuses_tools


class ModelTable:
    """Numbers models, so that workers can name them."""

    def __init__(self) -> None:
        self._refs: dict[int, ModelRef] = {}
        self._numbers: dict[int, int] = {}

    def describe(self, model: LanguageModel) -> Described:
        """Return what a worker has to know about a model."""
        number = self._numbers.get(id(model))
        if number is None:
            number = self._numbers[id(model)] = len(self._refs) + 1
            self._refs[number] = ModelRef.of(model)  # keeps it, so that its id is not used again
        ref = self._refs[number]
        known = Capabilities(
            schema=capabilities_of(model).schema,
            tools=may_call_tools(ref) and not refuses_tools(ref),
        )
        return number, model.name, model.endpoint, model.defaults, known

    def find(self, described: Described) -> LanguageModel:
        """Return the model that a worker means."""
        ref = self.ref(described[0])
        return model_in_force(ref)

    def ref(self, model: ModelId) -> str | ModelRef:
        """Return a model by its number, or the name itself if a worker has only that."""
        return self._refs[model] if isinstance(model, int) else model


def named_models(values: Iterable[Any]) -> Mapping[str, LanguageModel]:
    """Return the models that programs refer to by name only.

    Workers may have neither the keys nor the environment to make them.
    """
    named = {}
    for program in values:
        if not isinstance(program, Module):
            continue
        for predictor in program.predictors().values():
            model = predictor.model
            if isinstance(model, str) or (isinstance(model, ModelRef) and model.lm is None):
                try:
                    named[str(model)] = model_in_force(model)
                except ModelError:
                    continue  # it fails where it is called, as it would here
    return named


def travels(model: LanguageModel) -> bool:
    """Return whether a worker can make the calls of a model: those of users stay here."""
    *_, client = layers_of(model)
    embedded = client.endpoint == IN_PROCESS and client.name.startswith("pocket/")
    return embedded or isinstance(client, (OpenAICompatible, LiteLLM))
