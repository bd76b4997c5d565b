"""Models of a compile: which objects its names refer to, and writing them into programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from langprog import Module, Predict
from langprog.artifact import check_writable
from langprog.errors import ModelError
from langprog.lm import LanguageModel, ModelRef, public_address, same_model
from langprog.runtime import current, model_in_force

Model = str | ModelRef | None


class KnownModels:
    """The models that a compile calls; a journal identifies each by name and endpoint."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], LanguageModel] = {}

    def add(self, lm: LanguageModel) -> None:
        """Add a model.

        Raises:
            ModelError: A different model has the same name and endpoint.
        """
        earlier = self._known.setdefault((lm.name, lm.endpoint), lm)
        if not same_model(earlier, lm, defaults=False):
            raise ModelError(
                f"two different models are named {lm.name!r} and answer at "
                f"{public_address(lm.endpoint)}, so a journal could not tell their answers apart: "
                "give one of them another name or endpoint"
            )


def check_models(
    program: Module, offered: Sequence[str | ModelRef], needed: Iterable[str | ModelRef]
) -> None:
    """Check that models are distinguishable in the journal and in all programs of a search.

    Args:
        program: The program that is compiled.
        offered: The models that the search may assign in it.
        needed: Other models that the search calls.

    Raises:
        ModelError: A name refers to two different models, or to none.
        ArtifactError: An artifact could not hold the program, or an offered model.
    """
    known: dict[str, LanguageModel] = {}
    models = KnownModels()
    for predictor in program.predictors().values():
        if predictor.model is not None or current().lm is not None:
            models.add(model_in_force(predictor.model))
            _register(known, model_in_force(predictor.model), defaults=False)
    for model in offered:
        _register(known, model_in_force(model), defaults=True)
    for model in needed:
        models.add(model_in_force(model))
    # Fail now on what no artifact can hold, not after the compile.
    check_writable(bind_program(program))
    for model in offered:
        check_writable(Predict("question -> answer", model=model))


def _register(known: dict[str, LanguageModel], lm: LanguageModel, *, defaults: bool) -> None:
    earlier = known.setdefault(lm.name, lm)
    if not same_model(earlier, lm, defaults=defaults):
        raise ModelError(
            f"two different models are named {lm.name!r} here ({public_address(earlier.endpoint)} "
            f"and {public_address(lm.endpoint)}), and a compile identifies models by name: give "
            "one of them another name, or offer the same object that the program already uses"
        )


def bind_program(program: Module) -> Module:
    """Return ``program`` frozen, with the settings in force written into it.

    Every predictor gets its model, adapter and sampling (including the model's defaults), so that
    the compiled program runs the same way elsewhere.
    """
    settings = current()
    values: dict[str, Any] = {}
    for path, predictor in program.predictors().items():
        sampling = predictor.sampling.over(settings.sampling)
        if predictor.model is not None or settings.lm is not None:
            ref = _resolve_with_schema(predictor.model)
            values[f"{path}.model"] = ref
            sampling = sampling.over(ref.sampling)
        # Resolves "auto", so that an artifact says which adapter was used.
        if "adapter" in predictor.own_parameters():
            values[f"{path}.adapter"] = predictor.adapter_in_force()
        values[f"{path}.sampling"] = sampling
    return program.with_parameters(values).freeze()


def _resolve_with_schema(model: Model) -> ModelRef:
    """Return the model in force, and whether it was seen to follow a response schema."""
    ref = _resolve(model)
    lm = ref.lm
    proven = None if lm is None else current().schemas.get((lm.name, lm.endpoint))
    return ref if proven is None else replace(ref, schema=proven)


def _resolve(model: Model) -> ModelRef:
    if isinstance(model, ModelRef) and model.lm is None:
        # The reference's sampling takes precedence over that of the object with its name.
        ref = ModelRef.of(model_in_force(model))
        return replace(ref, sampling=model.sampling.over(ref.sampling))
    return model if isinstance(model, ModelRef) else ModelRef.of(model_in_force(model))
