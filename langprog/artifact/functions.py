"""The functions of a program's checks: those that were certified, or a refusal."""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from langprog.artifact.classes import (
    IMPORT_FAILURES,
    Classes,
    class_of,
    module_name,
)
from langprog.artifact.function_digest import earlier_digests, function_digest, is_importable
from langprog.checks import Check
from langprog.errors import ArtifactError
from langprog.modules import Module


def checks_of(program: Module) -> dict[str, Callable[..., Any]]:
    """Return the functions of a program's checks, by the names of the checks.

    Raises:
        ArtifactError: Two different ones have the same name.
    """
    named: dict[str, Callable[..., Any]] = {}
    for predictor in program.predictors().values():
        for check in predictor.checks:
            if check.function is None:
                continue
            other = named.setdefault(check.name, check.function)
            if other is not check.function and refer_to(check) != _refer(other):
                raise ArtifactError(
                    f"two different checks of the program are called {check.name!r}, and an "
                    "artifact tells them apart by name: lp.Check(..., name=...)"
                )
    return named


def refer_to(check: Check) -> tuple[str, str]:
    """Return ``package.module:function`` of a check's function, and its digest.

    Raises:
        ArtifactError: Its source is not available.
    """
    try:
        return _refer(check.function)
    except ArtifactError as error:
        raise ArtifactError(f"the check {check.name!r}: {error}") from None


def _refer(function: Any) -> tuple[str, str]:
    bare = function.func if isinstance(function, functools.partial) else function
    named = bare if inspect.isroutine(bare) else type(bare)
    path = named.__qualname__
    # What was made from it cannot be imported under its name.
    path = path if is_importable(function) else f"<{path}>"
    return f"{module_name(named.__module__)}:{path}", function_digest(function)


def check_names_of_checks(program: Module, handed: Mapping[str, Any]) -> None:
    """Refuse a function that no check of a program uses.

    Raises:
        ArtifactError: The program has no check of that name.
    """
    names = checks_of(program)
    for name in handed:
        if name not in names:
            raise ArtifactError(
                f"checks= has {name!r:.60}, but the artifact has {', '.join(names) or 'none'}"
            )


def find_function(name: str, reference: str, source: str, classes: Classes) -> Callable[..., Any]:
    """Return the function of a check: the one handed over, else the one that is allowed.

    Args:
        name: The check's name.
        reference: ``package.module:function``.
        source: The expected digest.
        classes: What the caller of ``load`` passes or allows.

    Raises:
        ArtifactError: It is missing or has changed.
    """
    function = classes.checks.get(name) or _import(name, reference, classes)
    if not callable(function):
        raise ArtifactError(f"the check {name!r} is a {type(function).__name__}, not a function")
    if source not in (function_digest(function), *earlier_digests(function)):
        raise ArtifactError(
            f"the check {name!r} ({reference}), or a value that it was made with, has changed "
            "since the artifact was written: compile again, or load with what it was compiled with"
        )
    return function


def _import(name: str, reference: str, classes: Classes) -> Any:
    module, _, path = reference.partition(":")
    can_import = "<" not in path  # no lambda, nothing inside a function, no method of an object
    loaded = next(
        (
            sys.modules.get(cls.__module__)
            for cls in map(class_of, classes.handed)
            if module_name(cls.__module__) == module
        ),
        None,
    )
    if not can_import or (loaded is None and not classes.allows(module)):
        allow = (
            f", or allow its import, lp.load(path, allow_modules=[{module!r}]) or --allow {module}"
        )
        raise ArtifactError(
            f"the artifact needs your check {name!r} ({reference}): pass the function, "
            f"lp.load(path, checks={{{name!r}: ...}}){allow if can_import else ''}"
        )
    try:
        place = importlib.import_module(module) if loaded is None else loaded
        return functools.reduce(getattr, path.split("."), place)
    except IMPORT_FAILURES as error:
        raise ArtifactError(
            f"the artifact's check {name!r} ({reference}) cannot be imported: {error}"
        ) from None
