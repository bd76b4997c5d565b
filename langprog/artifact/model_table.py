"""The models of a program in its artifact: prices, endpoints and sampling."""

from __future__ import annotations

import re
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

# Body members that may tell a gateway where to send a request or its result.
_PLACE = re.compile(r"(?:^|_)(?:api_base|url|uri|urls|host|endpoint|proxy|webhook|callback)$")

Models = Mapping[str, str | ModelRef | LanguageModel]


def models_in(program: Module) -> Iterator[tuple[str, str | ModelRef]]:
    """Yield every model that a program names, with the key of its parameter."""
    for key, parameter in program.parameters().items():
        value = parameter.value
        known = isinstance(value, (str, ModelRef, LanguageModel)) and value != ""
        if parameter.kind == "model" and known:
            yield key, model_from(value, key)


# --- writing -------------------------------------------------------------------------------------


def with_own_sampling(program: Module) -> Module:
    """Return ``program`` with its models' sampling defaults written into its predictors.

    Models are rebuilt when an artifact is loaded, without the present ones' defaults.
    """
    values = {}
    for path, predictor in program.predictors().items():
        if isinstance(predictor.model, ModelRef):
            sampling = predictor.sampling.over(predictor.model.sampling)
            if sampling != predictor.sampling:
                values[f"{path}.sampling"] = sampling
    return program.with_parameters(values) if values else program


def model_keys(program: Module) -> dict[str, str]:
    """Return the keys of models that share their name with another one, by parameter key.

    The key of any other model is its name.

    Raises:
        ArtifactError: It is ambiguous which of several models is meant.
    """
    known = _different_models(program)
    keys = {}
    for parameter, model in models_in(program):
        several = known[str(model)]
        if len(several) < 2:
            continue
        if isinstance(model, str):
            raise ArtifactError(
                f"{parameter} names {model!r}, and the program has two different models of that "
                f"name, at {several[0].endpoint} and {several[1].endpoint}: pass the model "
                "itself, or rename one of them"
            )
        place = next(at for at, each in enumerate(several) if _is_same(each, model))
        keys[parameter] = _key(model.name, place)
    taken = sorted(known.keys() & set(keys.values()))
    if taken:
        raise ArtifactError(
            f"the program has two different models named {taken[0].rpartition('#')[0]!r}, and one "
            f"named {taken[0]!r}, which is an artifact's key for one of the two: rename it"
        )
    return keys


def model_table(program: Module) -> dict[str, dict[str, Any]]:
    """Return what is known about every model of a program, by name.

    If several have the same name, their keys are ``name#1``, ``name#2``. The table depends only on
    the models in the program, not on the settings in force.
    """
    table = {}
    for name, several in sorted(_different_models(program).items()):
        if len(several) < 2:
            table[name] = _line(several[0] if several else _by_name(name))
        else:
            table |= {_key(name, place): _line(ref) for place, ref in enumerate(several)}
    return table


def _key(name: str, place: int) -> str:
    return f"{name}#{place + 1}"


def _different_models(program: Module) -> dict[str, list[ModelRef]]:
    """Return a program's model objects by name; an empty list for a plain name."""
    known: dict[str, list[ModelRef]] = {}
    for _, model in models_in(program):
        several = known.setdefault(str(model), [])
        if isinstance(model, str):
            continue
        place = next((at for at, each in enumerate(several) if _is_same(each, model)), None)
        if place is None:
            several.append(model)
        elif several[place].lm is None:
            several[place] = model
    return known


def _is_same(first: ModelRef, second: ModelRef) -> bool:
    if first.lm is not None and second.lm is not None:
        # Their sampling is stored in each predictor.
        return same_model(first.lm, second.lm, defaults=False)
    return portable_address(first.endpoint) == portable_address(second.endpoint)


def _by_name(name: str) -> ModelRef:
    if name.startswith("pocket/"):
        try:
            return ModelRef.of(LM(name, cache=False))
        except ModelError:  # an unknown size, which can be saved nonetheless
            pass
    return ModelRef(name, price=price_of(name), schema=keeps_to_schemas(name) or None)


def _line(ref: ModelRef) -> dict[str, Any]:
    price = ref.price
    dialect = None if ref.lm is None else dialect_of(ref.lm)
    declared = None if ref.lm is None else capabilities_of(ref.lm).schema
    return {
        "name": ref.name,
        "endpoint": portable_address(ref.endpoint),
        "input": None if price is None else price.input,
        "output": None if price is None else price.output,
        "cached_input": None if price is None else price.cached_input,
        "price_source": None if price is None else price.source or None,
        "schema": ref.schema if declared is None else declared,
        "refused": sorted(ref.refused if dialect is None else dialect.refused),
    }


# --- reading -------------------------------------------------------------------------------------


def with_models(program: Module, models: Models) -> Module:
    """Return ``program`` with models replaced by name.

    Args:
        program: A program.
        models: The replacements, by name.

    Raises:
        ModelError: The program names no such model, or a replacement is not a model.
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
    program: Module, table: Mapping[str, ModelData], models: Models, *, proving: bool = False
) -> Module:
    """Return an artifact's program with the models that it may call.

    Args:
        program: The program, with models by name.
        table: The artifact's model table.
        models: The user's replacements, by name (for all models of that name) or by key.
        proving: Whether the program is only compared, not run.

    Raises:
        ArtifactError: A name that the user did not replace, or a member of ``extra``, may contain
            an address; a price is invalid; an entry of the table is for another model; or several
            models share a name and the user did not replace each of them.
        ModelError: As for :func:`with_models`.
    """
    _check_mapping(models)
    for key, line in table.items():
        if key != line.name and not _is_numbered(key, line.name):
            raise ArtifactError(f"the entry for the model {key!r:.120} names {line.name!r:.120}")
    named = {str(model) for _, model in models_in(program)}
    shared = {key: table[key].name for key in sorted(named & table.keys() - _names_in(table))}
    given = {
        name: model for name, model in models.items() if name not in set(shared.values()) - named
    }
    given |= {key: models[name] for key, name in shared.items() if name in models} | given
    left = named.difference(given)
    check_names(shared.get(name, name) for name in left)
    check_extra(program)
    for key in shared:
        if key in left and not proving:
            raise _ambiguous_model(key, table[key])
    places = {
        key: _recorded_ref(line)
        for key, line in table.items()
        if key in left and (line.endpoint is not None or key in shared)
    }
    return with_models(program, {**places, **given})


def _is_numbered(key: str, name: str) -> bool:
    start, _, number = key.rpartition("#")
    return start == name and number.isdecimal()


def _names_in(table: Mapping[str, ModelData]) -> set[str]:
    return {key for key, line in table.items() if key == line.name}


def _ambiguous_model(key: str, line: ModelData) -> ArtifactError:
    return ArtifactError(
        f"the program uses different models named {line.name!r:.120}, and the name does not tell "
        f"them apart: pass a model for {key!r:.130}, which was at {line.endpoint!r:.120}, "
        f"lp.load(path, models={{{key!r:.130}: lp.LM(...)}})"
    )


def _check_mapping(models: object) -> None:
    if not isinstance(models, Mapping):
        raise ModelError(
            f"models= is a {type(models).__name__}: it takes a dict of models by name, "
            "models={'openai/m': lp.LM(...)}"
        )


def _recorded_ref(line: ModelData) -> ModelRef:
    known: dict[str, Any] = {"schema": line.takes_schema, "refused": line.refused}
    return ModelRef(line.name, line.endpoint, price=_price(line), **known)


def _price(line: ModelData) -> Price | None:
    if line.input is None or line.output is None:
        return None
    try:
        source = line.price_source or ""
        return Price(line.input, line.output, line.cached_input, source=source)
    except ModelError as error:
        raise ArtifactError(f"the price of {line.name!r:.120}: {error}") from None


def check_names(names: Iterable[str]) -> None:
    """Check that model names contain no addresses.

    Raises:
        ArtifactError: One may contain an address.
    """
    for name in names:
        if may_hold_address(name):
            raise ArtifactError(
                f"the model name {name!r:.120} may contain an address, and an artifact does not "
                "decide where prompts go: pass a replacement, "
                f"lp.load(path, models={{{name!r:.120}: ...}})"
            )


def check_extra(program: Module) -> None:
    """Check that no member of ``extra`` tells a gateway where to send a prompt.

    Raises:
        ArtifactError: One may.
    """
    for path, predictor in program.predictors().items():
        name = _address_in(predictor.sampling.extra or {})
        if name is not None:
            raise ArtifactError(
                f"extra of {path} contains {name!r:.80}, which may be an address, and an artifact "
                "does not decide where prompts go: pass it to lp.LM where the program runs"
            )


def _address_in(data: Any) -> str | None:
    if isinstance(data, Mapping):
        for key, value in data.items():
            plain = str(key).casefold().replace("-", "_")
            if _PLACE.search(plain) and isinstance(value, str):
                return str(key)
    inside = data.values() if isinstance(data, Mapping) else data
    if isinstance(data, (Mapping, list, tuple)):
        return next(filter(None, map(_address_in, inside)), None)
    return None
