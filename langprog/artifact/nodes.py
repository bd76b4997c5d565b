"""Programs as data, and back.

Built-in modules carry their signatures in full, so they come back without the user's source. A
user's own class is named, with a digest of its source, and must be handed over or allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from langprog.artifact.checking import declared_by, signature_digest
from langprog.artifact.classes import Classes, class_name, source_digest
from langprog.artifact.format import (
    BestOfNode,
    CascadeNode,
    ChainOfThoughtNode,
    ParameterData,
    PipelineNode,
    PredictNode,
    RouteNode,
    SameNode,
    SamplingData,
    UserNode,
    VoteNode,
)
from langprog.artifact.own_types import with_own_types
from langprog.artifact.several import SeveralNode, several_data, several_from, several_parts
from langprog.errors import ArtifactError, InputError
from langprog.example import Example
from langprog.lm import LanguageModel, ModelRef, Sampling, model_name
from langprog.modules import ROOT, ChainOfThought, Module, Pipeline, Predict
from langprog.signature import SignatureSpec

AnyNode = PredictNode | ChainOfThoughtNode | PipelineNode | SeveralNode | SameNode | UserNode

_SEVERAL = (VoteNode, BestOfNode, CascadeNode, RouteNode)

# What went wrong when a user's class was made; nothing of it is a bug of ours.
_MAKING = (
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

# --- to data -------------------------------------------------------------------------------------


def program_to_json(program: Module) -> dict[str, Any]:
    """Return ``program`` as plain JSON data.

    Raises:
        ArtifactError: It holds something that an artifact cannot carry.
    """
    return _data(program, "", {})


def _data(program: Module, prefix: str, seen: dict[int, str]) -> dict[str, Any]:
    path = prefix or program.root_name()
    if id(program) in seen:
        return {"module": "same", "path": seen[id(program)]}
    seen[id(program)] = path
    if type(program) is Predict:
        return _predict_data(program)
    parts = {
        name: _data(part, f"{prefix}.{name}" if prefix else name, seen)
        for name, part in program.children().items()
    }
    named = [{"name": name, "program": part} for name, part in parts.items()]
    if type(program) is ChainOfThought:
        return {"module": "ChainOfThought", "predict": parts["predict"]}
    if type(program) is Pipeline:
        return {"module": "Pipeline", "steps": named}
    several = several_data(program, parts)
    if several is not None:
        return several
    return {
        "module": "user",
        "class": class_name(type(program)),
        "source": source_digest(type(program)),
        "settings": settings_of(program),
        "parameters": _own_parameters(program),
        "parts": named,
    }


def _predict_data(program: Predict) -> dict[str, Any]:
    signature = program.signature
    data = {
        "module": "Predict",
        "signature": signature.to_json(),
        "demos": [_demo(signature, demo) for demo in program.demos],
        "model": model_name(program.model),
        "adapter": program.adapter,
        "sampling": _sampling_data(program.sampling),
    }
    declared = declared_by(signature)
    if declared is not None:
        data["checked_by"] = {"class": class_name(declared), "source": signature_digest(declared)}
    return data


def _sampling_data(sampling: Sampling) -> dict[str, Any]:
    # The later settings stand there only where they are set, as files without them came first.
    later = ("reasoning_effort", "extra")
    return {
        name: value
        for name, value in asdict(sampling).items()
        if name not in later or value is not None
    }


def _demo(signature: SignatureSpec, demo: Example) -> dict[str, Any]:
    # Only what stands in the prompt: other columns of the data are nobody else's business.
    data: dict[str, Any] = {}
    for field in signature.fields:
        if field.name in demo:
            try:
                data[field.name] = field.plain(demo[field.name])
            except (TypeError, ValueError) as error:
                raise ArtifactError(
                    f"a demonstration of {signature.name} has a value that cannot be written: "
                    f"{error}"
                ) from None
    return data


def settings_of(program: Module) -> dict[str, Any]:
    """Return the attributes of a user's module that are plain data.

    Private ones are kept only where they are a text, a number or a truth value: others are mostly
    what a program found out on the way.
    """
    own = {*program.own_parameters(), "_frozen"}
    if isinstance(program, (Predict, Pipeline)):
        return {}
    return {
        name: value
        for name, value in sorted(vars(program).items())
        if name not in own and _is_plain(value, deep=not name.startswith("_"))
    }


def _is_plain(value: Any, *, deep: bool) -> bool:
    if value is None or type(value) in (str, int, float, bool):
        return True
    if deep and type(value) is list:
        return all(_is_plain(item, deep=True) for item in value)
    if deep and type(value) is dict:
        return all(type(key) is str and _is_plain(item, deep=True) for key, item in value.items())
    return False


def _own_parameters(program: Module) -> dict[str, Any]:
    found = {}
    for name, parameter in program.own_parameters().items():
        value = parameter.value
        if parameter.kind == "sampling":
            value = _sampling_data(value)
        elif isinstance(value, (ModelRef, LanguageModel)):
            value = value.name
        elif parameter.kind == "demos":
            if not isinstance(program, Predict):
                raise ArtifactError(
                    f"{class_name(type(program))} has demonstrations but is no lp.Predict: "
                    "keep a Predict inside it"
                )
            value = [_demo(program.signature, demo) for demo in value]
        found[name] = {"kind": parameter.kind, "value": value}
    return found


# --- from data -----------------------------------------------------------------------------------


def program_from_node(node: AnyNode, classes: Classes) -> Module:
    """Rebuild a program.

    Args:
        node: The program as data.
        classes: What may stand for the user's classes.

    Raises:
        ArtifactError: A class is missing or changed, or the data describes no program.
    """
    return _program(node, "", classes, {})


def _program(node: AnyNode, prefix: str, classes: Classes, made: dict[str, Module]) -> Module:
    if isinstance(node, SameNode):
        if node.path not in made:
            raise ArtifactError(f"{prefix} is said to be the same as {node.path!r}, which is none")
        return made[node.path]
    parts = {
        name: _program(part, f"{prefix}.{name}" if prefix else name, classes, made)
        for name, part in parts_of(node).items()
    }
    try:
        if isinstance(node, PredictNode):
            program: Module = _predict_from(node, classes)
        elif isinstance(node, ChainOfThoughtNode):
            program = _chain_of_thought_from(parts["predict"])
        elif isinstance(node, PipelineNode):
            program = Pipeline(**parts)
        elif isinstance(node, _SEVERAL):
            program = several_from(node, parts)
        else:
            program = _user_from(node, parts, classes)
    except ArtifactError:
        raise
    except InputError as error:
        place = f"{prefix}: " if prefix else ""
        raise ArtifactError(f"{place}{error}") from None
    made[prefix or program.root_name()] = program
    return program


def parts_of(node: AnyNode) -> dict[str, AnyNode]:
    """Return the nodes directly inside a node, by name.

    Raises:
        ArtifactError: A name comes twice.
    """
    if isinstance(node, ChainOfThoughtNode):
        return {"predict": node.predict}
    if isinstance(node, _SEVERAL):
        return several_parts(node)
    listed = node.steps if isinstance(node, PipelineNode) else ()
    listed = node.parts if isinstance(node, UserNode) else listed
    parts = {part.name: part.program for part in listed}
    if len(parts) != len(listed):
        raise ArtifactError(f"two parts of a module have the same name: {', '.join(parts)}")
    return parts


def predict_nodes(node: AnyNode, prefix: str = "") -> Iterator[tuple[str, PredictNode]]:
    """Yield every predictor's node by its path, as ``program.predictors()`` names them."""
    if isinstance(node, PredictNode):
        yield prefix or "predict", node
    for name, part in parts_of(node).items():
        yield from predict_nodes(part, f"{prefix}.{name}" if prefix else name)


def model_names(node: AnyNode) -> Iterator[str]:
    """Yield the name of every model in a program, as often as it comes."""
    if isinstance(node, PredictNode) and node.model is not None:
        yield node.model
    if isinstance(node, UserNode):
        own = (each.value for each in node.parameters.values() if each.kind == "model")
        yield from (value for value in own if isinstance(value, str))
    for part in parts_of(node).values():
        yield from model_names(part)


def user_classes(node: AnyNode) -> Iterator[str]:
    """Yield the class of every module of the user's own, ``package.module:Class``."""
    if isinstance(node, UserNode):
        yield node.class_name
    for part in parts_of(node).values():
        yield from user_classes(part)


def several_nodes(node: AnyNode, prefix: str = "") -> Iterator[tuple[str, SeveralNode]]:
    """Yield the node of every module that asks several samples, steps or models, by its path."""
    if isinstance(node, _SEVERAL):
        yield prefix or ROOT, node
    for name, part in parts_of(node).items():
        yield from several_nodes(part, f"{prefix}.{name}" if prefix else name)


def _predict_from(node: PredictNode, classes: Classes) -> Predict:
    try:
        signature = SignatureSpec.from_json(node.signature)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"a signature cannot be read: {error}") from None
    signature = with_own_types(signature, node.checked_by, classes)
    return Predict(
        signature,
        demos=[_demo_from(signature, demo) for demo in node.demos],
        model=node.model,
        adapter=node.adapter,
        sampling=_sampling_from(node.sampling),
    )


def _sampling_from(data: SamplingData) -> Sampling:
    return Sampling(**data.model_dump())


def _demo_from(signature: SignatureSpec, demo: Mapping[str, Any]) -> Example:
    fields = {field.name: field for field in signature.fields}
    unknown = demo.keys() - fields.keys()
    if unknown:
        raise ArtifactError(
            f"a demonstration of {signature.name} has the field {min(unknown)!r}, "
            "which the signature lacks"
        )
    try:
        return Example(**{name: fields[name].validate(value) for name, value in demo.items()})
    except InputError as error:
        raise ArtifactError(f"a demonstration of {signature.name}: {error}") from None


def _chain_of_thought_from(inner: Module) -> ChainOfThought:
    if not isinstance(inner, Predict):
        raise ArtifactError(f"a ChainOfThought holds a Predict, not a {type(inner).__name__}")
    return ChainOfThought(inner.signature).with_children({"predict": inner})


def _user_from(node: UserNode, parts: Mapping[str, Module], classes: Classes) -> Module:
    found = classes.find(node.class_name, node.source, Module)
    alike = [one for one in found if isinstance(one, Module) and settings_of(one) == node.settings]
    template = (alike or found)[0]
    program = template if isinstance(template, Module) else _made(template, node)
    if program.children().keys() != parts.keys():
        raise ArtifactError(
            f"{node.class_name} has the parts {', '.join(program.children()) or 'none'}, "
            f"but the artifact has {', '.join(parts) or 'none'}"
        )
    program = program.with_children(parts)
    if isinstance(template, type):
        vars(program).update(node.settings)
    values = {
        name: _parameter_value(program, parameter) for name, parameter in node.parameters.items()
    }
    return program.with_own_parameters(values) if values else program


def _made(cls: type[Module], node: UserNode) -> Module:
    try:
        return cls()
    except _MAKING as error:
        raise ArtifactError(
            f"{node.class_name} cannot be made without arguments ({error}): "
            "pass an instance, lp.load(path, classes=[instance])"
        ) from None


def _parameter_value(program: Module, parameter: ParameterData) -> Any:
    value = parameter.value
    if parameter.kind == "sampling":
        return _sampling_from(SamplingData.model_validate(value))
    if parameter.kind == "demos" and isinstance(program, Predict):
        return [_demo_from(program.signature, demo) for demo in value]
    return value
