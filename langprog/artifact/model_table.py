"""The models of a program in its artifact: what they cost, where they were, how they sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langprog.artifact.format import ModelData
from langprog.errors import ArtifactError, ModelError
from langprog.lm import (
    LanguageModel,
    ModelRef,
    Price,
    capabilities_of,
    dialect_of,
    model_from,
    price_of,
    same_model,
)
from langprog.modules import Module
from langprog.runtime import LM, keeps_to_schemas, may_hold_address, portable_address

Models = Mapping[str, str | ModelRef | LanguageModel]


def models_in(program: Module) -> Iterator[tuple[str, str | ModelRef]]:
    """Yield every model that a program names, with the parameter that does, predictor or not."""
    for key, parameter in program.parameters().items():
        value = parameter.value
        known = isinstance(value, (str, ModelRef, LanguageModel)) and value != ""
        if parameter.kind == "model" and known:
            yield key, model_from(value, key)


# --- writing -------------------------------------------------------------------------------------


def with_own_sampling(program: Module) -> Module:
    """Return ``program`` with the defaults of its models written into its predictors.

    An artifact's models are made anew, without the defaults that the present ones have.
    """
    values = {}
    for path, predictor in program.predictors().items():
        if isinstance(predictor.model, ModelRef):
            sampling = predictor.sampling.over(predictor.model.sampling)
            if sampling != predictor.sampling:
                values[f"{path}.sampling"] = sampling
    return program.with_parameters(values) if values else program


def model_table(program: Module) -> dict[str, dict[str, Any]]:
    """Return what is known of every model of a program, by name.

    What it says comes from the models that the program holds, wherever it is called.

    Raises:
        ArtifactError: Two different models have one name.
    """
    known: dict[str, ModelRef] = {}
    names = set()
    for _, model in models_in(program):
        names.add(str(model))
        if not isinstance(model, ModelRef):
            continue
        earlier = known.setdefault(model.name, model)
        if not _same(earlier, model):
            raise ArtifactError(
                f"the program holds two different models named {model.name!r}, at "
                f"{earlier.endpoint} and {model.endpoint}, and an artifact tells models apart by "
                "name: give one of them another name"
            )
        known[model.name] = model if earlier.lm is None else earlier
    return {name: _line(known.get(name) or _by_name(name)) for name in sorted(names)}


def _same(first: ModelRef, second: ModelRef) -> bool:
    if first.lm is not None and second.lm is not None:
        # Their sampling is written into each predictor.
        return same_model(first.lm, second.lm, defaults=False)
    return portable_address(first.endpoint) == portable_address(second.endpoint)


def _by_name(name: str) -> ModelRef:
    if name.startswith("pocket/"):
        try:
            return ModelRef.of(LM(name, cache=False))
        except ModelError:  # no such size here; the program can be written all the same
            pass
    return ModelRef(name, price=price_of(name), schema=keeps_to_schemas(name) or None)


def _line(ref: ModelRef) -> dict[str, Any]:
    price = ref.price
    dialect = None if ref.lm is None else dialect_of(ref.lm)
    return {
        "name": ref.name,
        "endpoint": portable_address(ref.endpoint),
        "input": None if price is None else price.input,
        "output": None if price is None else price.output,
        "cached_input": None if price is None else price.cached_input,
        "price_source": None if price is None else price.source or None,
        "schema": ref.schema if ref.lm is None else capabilities_of(ref.lm).schema,
        "refused": sorted(ref.refused if dialect is None else dialect.refused),
    }


# --- reading -------------------------------------------------------------------------------------


def with_models(program: Module, models: Models) -> Module:
    """Return ``program`` with models put in the place of those that it names.

    Args:
        program: A program.
        models: What to ask instead, by name.

    Raises:
        ModelError: The program names no such model, or what is to be asked is none.
    """
    _check_mapping(models)
    named = list(models_in(program))
    known = sorted({str(model) for _, model in named})
    for name in models:
        if name not in known:
            raise ModelError(
                f"the program names no model {name!r}; "
                + (f"it names {', '.join(map(repr, known))}" if known else "it names none")
            )
    taken = {name: model_from(model, f"models[{name!r}]") for name, model in models.items()}
    values = {key: taken[str(model)] for key, model in named if str(model) in taken}
    return program.with_parameters(values) if values else program


def with_recorded_models(
    program: Module, table: Mapping[str, ModelData], models: Models
) -> Module:
    """Return the program of an artifact with the models that it may ask.

    Args:
        program: The program, its models by name.
        table: What the artifact says of them.
        models: What the user says, by name.

    Raises:
        ArtifactError: A name that the user said nothing of holds an address, a price is none, or
            a line of the table is of another model.
        ModelError: As for :func:`with_models`.
    """
    _check_mapping(models)
    for name, line in table.items():
        if line.name != name:
            raise ArtifactError(f"the line of the model {name!r:.120} names {line.name!r:.120}")
    named = {str(model) for _, model in models_in(program)}
    check_names(named.difference(models))
    places = {
        name: _recorded(name, line)
        for name, line in table.items()
        if name in named and line.endpoint is not None
    }
    return with_models(program, {**places, **models})


def _check_mapping(models: object) -> None:
    if not isinstance(models, Mapping):
        raise ModelError(
            f"models= is a {type(models).__name__}: it says what to ask by name, "
            "models={'openai/m': lp.LM(...)}"
        )


def _recorded(name: str, line: ModelData) -> ModelRef:
    told: dict[str, Any] = {"schema": line.takes_schema, "refused": line.refused}
    return ModelRef(name, line.endpoint, price=_price(name, line), **told)


def _price(name: str, line: ModelData) -> Price | None:
    if line.input is None or line.output is None:
        return None
    try:
        source = line.price_source or ""
        return Price(line.input, line.output, line.cached_input, source=source)
    except ModelError as error:
        raise ArtifactError(f"the price of {name!r:.120}: {error}") from None


def check_names(names: Iterable[str]) -> None:
    """See to it that a model's name is a name and no address.

    Raises:
        ArtifactError: One is an address, or holds what no name has.
    """
    for name in names:
        if may_hold_address(name):
            raise ArtifactError(
                f"the model name {name!r:.120} holds what may be an address, and an artifact does "
                "not decide where prompts go: say what to ask instead, "
                f"lp.load(path, models={{{name!r:.120}: ...}})"
            )
