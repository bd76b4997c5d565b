"""Loads what a command line names: programs, metrics, data."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from langprog.artifact import HandedTools, read_artifact
from langprog.cli.models import NamedModels
from langprog.errors import InputError, LangprogError, SignatureError
from langprog.evaluation import (
    Metric,
    check_metric,
    contains,
    exact,
    f1,
    kappa,
    macro_f1,
    matthews,
    numeric,
)
from langprog.example import Example, examples_of, load_examples
from langprog.interop import from_dspy, fuzzy_match, includes, is_dspy, match, promptfoo
from langprog.modules import Module, Node, Predict
from langprog.retrieval import load_corpus
from langprog.signature import Signature

RETRIEVER_HELP = (
    "NAME=package.module:name, file.py:name or corpus.jsonl: what searches for the artifact's "
    "queries; may be repeated."
)

READY: Mapping[str, Callable[[str | None], Metric]] = MappingProxyType(
    {
        "exact": exact,
        "contains": contains,
        "numeric": numeric,
        "f1": f1,
        "match": match,
        "includes": includes,
        "fuzzy_match": fuzzy_match,
        "promptfoo": promptfoo,
    }
)
# Scores of a whole data set, which need the name of a field.
SET_LEVEL: Mapping[str, Callable[[str], Metric]] = MappingProxyType(
    {"kappa": kappa, "macro_f1": macro_f1, "matthews": matthews}
)
METRIC_NAMES = f"module:name, file.py:name, or one of {', '.join((*READY, *SET_LEVEL))} (:FIELD)"
METRIC_HELP = f"{METRIC_NAMES}; by default the program's own, if its file has a metric."
ROW_METRIC_HELP = f"module:name, file.py:name, or one of {', '.join(READY)} (:FIELD)"
DATA_HELP = (
    "Examples: JSONL, JSON, CSV or Parquet, or a function, package.module:name; by default the "
    "program's own, if its file has examples()."
)
# What a file with a program may define besides it.
OWN_METRIC, OWN_EXAMPLES = "metric", "examples"


def load_object(reference: str, what: str) -> Any:
    """Import the object named by ``package.module:name`` or ``file.py:name``.

    Raises:
        InputError: There is no such file, module or name, or it cannot be imported.
    """
    place, _, name = reference.rpartition(":")
    if not place or not name:
        raise InputError(
            f"{what} {reference!r}: write package.module:name or path/to/file.py:name"
        )
    module = _load_file(place, what) if place.endswith(".py") else _load_module(place, what)
    value: Any = module
    for part in name.split("."):
        if part not in vars(value):
            known = [key for key in vars(module) if not key.startswith("_")]
            raise InputError(
                f"{what}: {place} has no {name!r}; it has {', '.join(known[:12]) or 'nothing'}"
            )
        value = vars(value)[part]
    return value


def _load_file(place: str, what: str) -> ModuleType:
    path = Path(place).resolve()
    if not path.is_file():
        raise InputError(f"{what}: there is no file {place}")
    known = sys.modules.get(path.stem)
    if known is not None and known.__spec__ is not None and known.__spec__.origin == str(path):
        return known  # a program and its metric may share a file, which must run once
    if known is not None or path.stem in sys.stdlib_module_names:
        raise InputError(
            f"{what}: {place} would hide the Python module {path.stem!r}: rename the file"
        )
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{what}: {place} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Signatures and artifacts look up a class's module by name.
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a user's file may raise anything
        del sys.modules[path.stem]
        raise InputError(_import_failure(what, place, error)) from error
    return module


def _load_module(place: str, what: str) -> ModuleType:
    _look_here()
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError as error:
        if error.name and (place == error.name or place.startswith(f"{error.name}.")):
            raise InputError(f"{what}: there is no module {place}") from None
        raise InputError(_import_failure(what, place, error)) from error
    except (Exception, SystemExit) as error:  # as for files
        raise InputError(_import_failure(what, place, error)) from error


def _look_here() -> None:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)


def allowed_modules(allow: list[str] | None) -> list[str]:
    """Return the modules of ``--allow``, which may lie in the current folder, as programs do."""
    if allow:
        _look_here()
    return allow or []


def _import_failure(what: str, place: str, error: BaseException) -> str:
    line = ""
    trace = error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).name == Path(place).name:
            line = f" at line {trace.tb_lineno}"
        trace = trace.tb_next
    return f"{what}: {place} cannot be imported{line}: {type(error).__name__}: {error}"


def load_program(reference: str) -> Module:
    """Load a program: a module or a class of one, also of DSPy, a Signature, or an artifact.

    Raises:
        InputError: The object is something else.
    """
    if Path(reference).is_file() and not reference.endswith(".py"):
        return read_artifact(reference).program()
    value = load_object(reference, "PROGRAM")
    if isinstance(value, type) and issubclass(value, Signature):
        return Predict(value)
    if isinstance(value, type) and issubclass(value, Module):
        try:
            value = value()
        except TypeError as error:
            raise InputError(f"PROGRAM {reference} cannot be created: {error}") from None
    if isinstance(value, Module):
        return value
    if is_dspy(value):
        return from_dspy(value)
    raise InputError(
        f"PROGRAM {reference} is a {type(value).__name__}: it must be a program of langprog "
        "or of DSPy"
    )


def load_program_or_artifact(
    reference: str,
    allow_modules: list[str],
    asked: NamedModels,
    retrievers: list[str],
    tools: HandedTools = (),
) -> Module:
    """Return the program of an artifact file, or a named one, with the requested models.

    Raises:
        InputError: ``--retriever`` or ``--tool`` is given, but the program is not an artifact.
    """
    if ":" in reference and not Path(reference).is_file():
        if retrievers or tools:
            option = "retriever" if retrievers else "tool"
            raise InputError(
                f"--{option} applies to artifacts, but {reference} has its own {option}s"
            )
        return asked.apply_to(load_program(reference))
    if not Path(reference).exists():
        raise InputError(
            f"{reference}: there is no such file; a program that is not an artifact is written "
            "package.module:name or path/to/file.py:name"
        )
    artifact = read_artifact(reference)
    return artifact.program(
        allow_modules=allow_modules,
        models=asked.replacements_for(artifact.model_names),
        retrievers=read_retrievers(retrievers),
        tools=tools,
    )


def load_both(
    references: tuple[str, str],
    allow_modules: list[str],
    asked: NamedModels,
    retrievers: list[str],
    tools: HandedTools,
) -> list[Module]:
    """Return two programs; what is handed over goes to each artifact that needs it.

    Raises:
        InputError: As for :func:`load_program_or_artifact`, or neither needs what is handed over.
    """
    handed = read_retrievers(retrievers)
    named: Collection[str] = tools if isinstance(tools, Mapping) else ()
    programs: list[Module] = []
    needed: set[str] = set()
    for reference in references:
        if ":" in reference and not Path(reference).is_file():
            programs.append(asked.apply_to(load_program(reference)))
            continue
        artifact = read_artifact(reference)
        names = set(names_handed_over(artifact.data.program))
        needed |= names
        programs.append(
            artifact.program(
                allow_modules=allow_modules,
                models=asked.replacements_for(artifact.model_names),
                retrievers=keep_named(handed, names),
                tools=keep_named(tools, names) if isinstance(tools, Mapping) else tools,
            )
        )
    for option, given in (("retriever", handed), ("tool", named)):
        if unknown := sorted({*given} - needed):
            raise InputError(f"--{option}: neither artifact needs {', '.join(unknown)}")
    return programs


def keep_named(handed: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return those of what is handed over that have one of these names."""
    return {name: each for name, each in handed.items() if name in names}


def names_handed_over(node: Node) -> Iterator[str]:
    """Yield the names of the retrievers, embedders and tools that a program is loaded with."""
    data = node.model_dump()
    for name, key in (("retriever", "name"), ("nearest", "embedder")):
        if (data.get(name) or {}).get(key):
            yield data[name][key]
    yield from (tool["name"] for tool in data.get("tools") or ())
    for part in node.children().values():
        yield from names_handed_over(part)


def read_retrievers(options: list[str]) -> dict[str, Any]:
    """Return the retrievers of ``--retriever`` options, by their names in the artifact.

    Raises:
        InputError: An option is not of the form NAME=..., a name is repeated, or there is no such
            file, module or name.
    """
    handed: dict[str, Any] = {}
    for option in options:
        name, _, place = (part.strip() for part in option.partition("="))
        if not name or not place:
            raise InputError(
                f"--retriever {option!r}: write NAME=package.module:name, NAME=file.py:name or "
                "NAME=corpus.jsonl"
            )
        if name in handed:
            raise InputError(f"--retriever: {name!r} is given twice")
        is_file = ":" not in place or Path(place).is_file()
        handed[name] = load_corpus(place) if is_file else load_object(place, "--retriever")
    return handed


def is_ready(metric: str) -> bool:
    """Return whether a metric's name is that of a built-in one."""
    return metric.partition(":")[0] in {*READY, *SET_LEVEL}


def load_metric(reference: str) -> Metric:
    """Load a metric: a built-in one (``exact``, ``f1:answer``, ``macro_f1:team``) or a named one.

    Raises:
        InputError: There is no such metric, or it cannot be called as one.
    """
    name, _, field = reference.partition(":")
    if name in READY:
        return READY[name](field or None)
    if name in SET_LEVEL:
        if not field:
            raise InputError(
                f"METRIC {reference!r}: write {name}:FIELD, the output that is scored"
            )
        return SET_LEVEL[name](field)
    value = load_object(reference, "METRIC") if ":" in reference else None
    if value is None:
        raise InputError(
            f"METRIC {reference!r}: write module:name, file.py:name or one of "
            f"{', '.join((*READY, *SET_LEVEL))} (with :field)"
        )
    check_metric(value)
    metric: Metric = value
    return metric


def reference_or_own(given: str | None, own: str, program: str, option: str) -> str:
    """Return what an option names or, where it is left out, what the program's file defines.

    Args:
        given: The option's value.
        own: The name in the program's file.
        program: The program, as on the command line.
        option: The option.

    Raises:
        InputError: The option is left out, and the program's file does not define it.
    """
    if given is not None:
        return given
    place, _, name = program.rpartition(":")
    if not place or not name or Path(program).is_file():
        raise InputError(
            f"{option} is missing: only a program that is written package.module:name or "
            f"file.py:name may have {own} of its own, beside it"
        )
    reference = f"{place}:{own}"
    try:
        load_object(reference, "PROGRAM")
    except InputError as error:
        raise InputError(f"{option} is left out, and {error}") from None
    return reference


def read_examples(source: str, option: str, program: Module) -> list[Example]:
    """Read examples in the program's types, from a file or a function; errors name the option."""
    types = program if _has_signature(program) else None
    if ":" in source and not Path(source).is_file():
        return _call_for_examples(source, option, types)
    try:
        return load_examples(source, types)
    except LangprogError as error:
        raise type(error)(f"{option}: {error}") from None


def _call_for_examples(source: str, option: str, types: Module | None) -> list[Example]:
    make = load_object(source, option)
    if not callable(make):
        raise InputError(f"{option}: {source} must be a function that returns examples")
    try:
        rows = examples_of(make(), option)
        return rows if types is None else load_examples([row.to_dict() for row in rows], types)
    except LangprogError as error:
        raise type(error)(f"{option}: {source}: {error}") from None


def _has_signature(program: Module) -> bool:
    """Return whether a program declares inputs and outputs; custom modules need not."""
    try:
        return bool(program.inputs)
    except SignatureError:
        return False
