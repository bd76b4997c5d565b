"""Models of a compile: which objects its names stand for, and the programs that keep them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from langprog import Module, Predict
from langprog.artifact import check_writable
from langprog.errors import ModelError
from langprog.lm import LanguageModel, ModelRef, public_address, same_model
from langprog.runtime import adapter_for, current, model_in_force

Model = str | ModelRef | None


class KnownModels:
    """The models that a compile asks: a journal knows an answer by its model's name and place."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], LanguageModel] = {}

    def add(self, lm: LanguageModel) -> None:
        """Take in a model.

        Raises:
            ModelError: A different one has its name and its place.
        """
        earlier = self._known.setdefault((lm.name, lm.endpoint), lm)
        if not same_model(earlier, lm, defaults=False):
            raise ModelError(
                f"two different models are named {lm.name!r} and answer at "
                f"{public_address(lm.endpoint)}, so that a journal would take the answers of one "
                "for those of the other: give one of them another name or endpoint"
            )


def check_models(
    program: Module, offered: Sequence[str | ModelRef], needed: Iterable[str | ModelRef]
) -> None:
    """See to it that models can be told apart, in the journal and in all programs of a search.

    Args:
        program: The program that is compiled.
        offered: The models that the search may put into it.
        needed: All models that the search asks beside the program's.

    Raises:
        ModelError: A name stands for two different models, or for none.
        ArtifactError: An artifact could not hold the program, or a model that is offered.
    """
    known: dict[str, LanguageModel] = {}
    asked = KnownModels()
    for predictor in program.predictors().values():
        if predictor.model is not None or current().lm is not None:
            asked.add(model_in_force(predictor.model))
            _keep(known, model_in_force(predictor.model), defaults=False)
    for model in offered:
        _keep(known, model_in_force(model), defaults=True)
    for model in needed:
        asked.add(model_in_force(model))
    # What no artifact can hold is told now, and not once it has been compiled.
    check_writable(bind_program(program))
    for model in offered:
        check_writable(Predict("question -> answer", model=model))


def _keep(known: dict[str, LanguageModel], lm: LanguageModel, *, defaults: bool) -> None:
    earlier = known.setdefault(lm.name, lm)
    if not same_model(earlier, lm, defaults=defaults):
        raise ModelError(
            f"two different models are named {lm.name!r} here ({public_address(earlier.endpoint)} "
            f"and {public_address(lm.endpoint)}), and a compile tells models apart by name: give "
            "one of them another name, or offer the very object that the program asks already"
        )


def bind_program(program: Module) -> Module:
    """Return ``program`` frozen, with what is in force here written into it.

    Every predictor gets the very model that it asks here, the adapter and the sampling, the
    model's own defaults among it. What was compiled is what runs later, wherever that is.
    """
    settings = current()
    values: dict[str, Any] = {}
    for path, predictor in program.predictors().items():
        sampling = predictor.sampling.over(settings.sampling)
        if predictor.model is not None or settings.lm is not None:
            ref = _bind(predictor.model)
            values[f"{path}.model"] = ref
            sampling = sampling.over(ref.sampling)
        # What "auto" stands for is settled here; an artifact says what was used.
        values[f"{path}.adapter"] = adapter_for(predictor.adapter, predictor.model)
        values[f"{path}.sampling"] = sampling
    return program.with_parameters(values).freeze()


def _bind(model: Model) -> ModelRef:
    """Return the model that is asked here, with what was found out about it."""
    ref = _bound(model)
    lm = ref.lm
    proven = None if lm is None else current().schemas.get((lm.name, lm.endpoint))
    return ref if proven is None else replace(ref, schema=proven)


def _bound(model: Model) -> ModelRef:
    if isinstance(model, ModelRef) and model.lm is None:
        # Its own defaults stand above those of the object that is found by its name.
        ref = ModelRef.of(model_in_force(model))
        return replace(ref, sampling=model.sampling.over(ref.sampling))
    return model if isinstance(model, ModelRef) else ModelRef.of(model_in_force(model))
