"""A program with other models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from langprog import Module
from langprog.artifact import with_models
from langprog.errors import InputError, ModelError
from langprog.lm import LanguageModel, ModelRef, model_from, model_name, public_address
from langprog.runtime import current, model_in_force

To = str | ModelRef | LanguageModel


def move_program(program: Module, to: To | Mapping[str, To]) -> Module:
    """Return a program with its models replaced.

    Args:
        program: The program.
        to: The model for every module, if all of them call the same one now, or replacements by
            the names of the present ones.

    Raises:
        InputError: The program calls several models, and it is not said which becomes which.
        ModelError: A name is not one of the program's, or a replacement cannot be used.
    """
    if isinstance(to, Mapping):
        return with_models(program, to)
    model = model_from(to, "to")
    keys = [key for key, each in program.parameters().items() if each.kind == "model"]
    names = sorted({model_name(program.parameters()[key].value) or "" for key in keys})
    if len(names) > 1:
        listed = ", ".join(name or "the ambient one" for name in names)
        raise InputError(
            f"the program calls {len(names)} models ({listed}): say which becomes which, as in "
            f"to={{{names[-1]!r}: {str(model)!r}}} (on the command line: --to {names[-1]}={model})"
        )
    return program.with_parameters(dict.fromkeys(keys, model))


def pair_models(old: Module, new: Module) -> dict[str, str]:
    """Return the name of each model that was replaced, with that of the new one."""
    return {
        model_name(before) or _ambient_name(): model_name(after) or _ambient_name()
        for _, before, after in _changed_models(old, new)
    }


def find_unchanged(old: Module, new: Module) -> str | None:
    """Return the name of a model that was replaced by itself, else ``None``.

    Raises:
        ModelError: A model cannot be called; the message says why.
    """
    for _, before, after in _changed_models(old, new):
        first, second = model_in_force(before), model_in_force(after)
        if (first.name, first.endpoint) == (second.name, second.endpoint):
            return f"{second.name} at {public_address(second.endpoint)}"
    return None


def check_callable(program: Module) -> None:
    """Check that every model of a program can be called as far as is known here.

    Raises:
        ModelError: One cannot: its name is unknown, or the user has not set its endpoint.
    """
    for predictor in program.predictors().values():
        model_in_force(predictor.model)


def _changed_models(
    old: Module, new: Module
) -> Iterator[tuple[str, str | ModelRef | None, str | ModelRef | None]]:
    replaced = new.parameters()
    for key, parameter in old.parameters().items():
        if parameter.kind == "model":
            before, after = parameter.value, replaced[key].value
            if before is not after:
                yield key, before, after


def _ambient_name() -> str:
    ambient = current().lm
    if ambient is None:
        raise ModelError("no model is configured for a module that names none: pass lm=")
    return ambient.name
