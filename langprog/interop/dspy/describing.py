"""What a DSPy program is: its inputs, what it costs, and what tells it apart from another one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import FunctionType
from typing import Any

import dspy

from langprog.artifact import class_name, source_digest
from langprog.errors import ArtifactError, SignatureError

_PARAMETERS = frozenset(
    {"callbacks", "demos", "history", "lm", "signature", "stage", "traces", "train"}
)
_PLAIN = (str, int, float, bool, type(None))


def input_names(program: Any) -> tuple[tuple[str, ...], frozenset[str]]:
    """Return the names of a program's inputs, and which of them may be left out.

    Raises:
        SignatureError: ``forward`` takes ``**inputs``, and nothing says which.
    """
    written = inspect.signature(forward_of(program))
    parameters = [each for each in written.parameters.values() if each.name != "self"]
    if not any(each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL) for each in parameters):
        names = tuple(each.name for each in parameters)
        return names, frozenset(p.name for p in parameters if p.default is not p.empty)
    signature = signature_of(program)
    if signature is None:
        raise SignatureError(
            f"{type(program).__name__}.forward takes {written}, so its inputs are unknown: name "
            "them there, or pass lp.from_dspy(program, inputs=['question'])"
        )
    fields = signature.input_fields
    return tuple(fields), frozenset(
        name for name, each in fields.items() if not each.is_required()
    )


def forward_of(program: Any) -> Any:
    """Return what runs a module: its ``forward``, or else its ``aforward``."""
    kind = type(program)
    if "forward" in vars(program):
        return vars(program)["forward"]
    return getattr(kind, "forward", None) or getattr(kind, "aforward", None) or program.__call__


def runs_in_sync(program: Any) -> bool:
    """Return whether a module has a synchronous ``forward``, which is what DSPy calls."""
    return "forward" in dir(program)


def signature_of(program: Any) -> Any:
    """Return the signature of a module that has one, or of the module inside; else ``None``."""
    inside = vars(program)
    signature = inside.get("signature")
    if isinstance(signature, type) and issubclass(signature, dspy.Signature):
        return signature
    if "ChainOfThought" in kinds_of(program):
        return inside["predict"].signature
    inner = inside.get("module")
    return signature_of(inner) if isinstance(inner, dspy.Module) else None


def count_calls(program: Any) -> int:
    """Return how many calls of a model a module makes at most, as far as can be seen."""
    kinds = kinds_of(program)
    if "Predict" in kinds:
        return 1
    if "BestOfN" in kinds:
        return int(program.N) * count_calls(program.module)
    if "Refine" in kinds:  # with advice between its attempts
        return int(program.N) * (count_calls(program.module) + 1) - 1
    if kinds & {"ReAct", "ProgramOfThought"}:
        return int(program.max_iters) + 1
    if "RLM" in kinds:  # the code that it writes calls models, too
        return int(program.max_iters) + 1 + int(program.max_llm_calls)
    inside = [count_calls(module) for module in _modules_in(list(vars(program).values()))]
    return max(1, sum(inside)) * int(vars(program).get("max_iters", 1) or 1)


def kinds_of(module: Any) -> set[str]:
    """Return the names of DSPy's own classes that a module is of."""
    return {kind.__name__ for kind in type(module).__mro__ if is_from_dspy(kind)}


def _modules_in(value: Any) -> list[Any]:
    if isinstance(value, dspy.Module):
        return [value]
    items = list(value.values()) if isinstance(value, dict) else value
    if isinstance(items, (list, tuple)):
        return [module for item in items for module in _modules_in(item)]
    return []


def rollout_modules(program: Any) -> list[Any]:
    """Return the modules that call another one several times for one answer."""
    modules = [module for _, module in program.named_sub_modules(dspy.Module)]
    return [module for module in modules if kinds_of(module) & {"BestOfN", "Refine"}]


def retried_predictors(program: Any) -> set[int]:
    """Return the ids of predictors that such a module calls again."""
    modules = rollout_modules(program)
    return {id(each) for module in modules for each in module.module.predictors()}


def describe(program: Any) -> dict[str, Any]:
    """Return what tells a module or an adapter apart from others, as plain JSON data.

    Its parameters (instructions, demonstrations, models) do not count: a search sets them.
    """
    if not isinstance(program, dspy.Module):
        return _describe_object(program)
    return {
        path: _describe_object(module) for path, module in program.named_sub_modules(dspy.Module)
    }


def _describe_object(value: Any) -> dict[str, Any]:
    kind = type(value)
    described: dict[str, Any] = {"class": class_name(kind)}
    if not is_from_dspy(kind):
        described["source"] = code_digest(kind)
    settings = {
        name: _describe_value(inside)
        for name, inside in sorted(vars(value).items())
        if name not in _PARAMETERS and not name.startswith("_")
    }
    known = {name: each for name, each in settings.items() if each is not None}
    return {**described, "settings": known} if known else described


def _describe_value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, _PLAIN):
        return _describe_other(value)
    return value


def _describe_other(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    if isinstance(value, FunctionType):
        return f"{value.__qualname__} {code_digest(value)}"
    if isinstance(value, dspy.Tool):
        return {"tool": value.name, "does": value.desc, "args": str(value.args)}
    if isinstance(value, Mapping):
        items = {str(key): _describe_value(each) for key, each in value.items()}
        return {key: each for key, each in items.items() if each is not None} or None
    if isinstance(value, (list, tuple)):
        listed = [_describe_value(each) for each in value]
        return listed if any(each is not None for each in listed) else None
    return None


def is_from_dspy(kind: type) -> bool:
    """Return whether a class is one of DSPy's own."""
    return kind.__module__.partition(".")[0] == "dspy"


def code_digest(thing: Any) -> str:
    """Return the digest of the source of a class or function; empty if there is none."""
    try:
        return source_digest(thing)
    except ArtifactError:
        return ""
