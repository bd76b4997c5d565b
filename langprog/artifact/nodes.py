"""Programs as data, and back.

Built-in modules carry their signatures in full, so they come back without the user's source. A
user's own class is named, with a digest of its source, and must be handed over or allowed.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.artifact.format import (
    ChainOfThoughtNode,
    Part,
    PipelineNode,
    PredictNode,
    SamplingData,
    UserNode,
)
from langprog.errors import ArtifactError, InputError
from langprog.example import Example
from langprog.lm import Sampling
from langprog.modules import ChainOfThought, Module, Pipeline, Predict
from langprog.signature import SignatureSpec

AnyNode = PredictNode | ChainOfThoughtNode | PipelineNode | UserNode
Known = Mapping[str, type[Module] | Module]


def program_to_json(program: Module) -> dict[str, Any]:
    """Return ``program`` as plain JSON data.

    Raises:
        ArtifactError: It holds something that an artifact cannot carry.
    """
    return _node(program).model_dump(mode="json", by_alias=True)


def _node(program: Module) -> AnyNode:
    if type(program) is Predict:
        return _predict(program)
    if type(program) is ChainOfThought:
        return ChainOfThoughtNode(module="ChainOfThought", predict=_predict(program.predict))
    parts = [Part(name=name, program=_node(part)) for name, part in program.children().items()]
    if type(program) is Pipeline:
        return PipelineNode(module="Pipeline", steps=parts)
    return UserNode.model_validate(
        {
            "module": "user",
            "class": class_name(type(program)),
            "source": source_digest(type(program)),
            "parts": parts,
        }
    )


def _predict(program: Predict) -> PredictNode:
    return PredictNode(
        module="Predict",
        signature=program.signature.to_json(),
        demos=[_demo(program.signature, demo) for demo in program.demos],
        model=program.model,
        adapter=program.adapter,
        sampling=SamplingData(**asdict(program.sampling)),
    )


def _demo(signature: SignatureSpec, demo: Example) -> dict[str, Any]:
    known = {field.name: field for field in signature.fields}
    data: dict[str, Any] = {}
    for name, value in demo.items():
        try:
            field = known.get(name)
            data[name] = to_jsonable_python(value) if field is None else field.plain(value)
        except (PydanticSerializationError, TypeError, ValueError) as error:
            raise ArtifactError(
                f"a demonstration of {signature.name} has a value of {name!r} that cannot be "
                f"written: {error}"
            ) from None
    return data


def class_name(cls: type) -> str:
    """Return ``package.module:Class``."""
    return f"{cls.__module__}:{cls.__qualname__}"


def source_digest(cls: type) -> str:
    """Return the digest of a class's source, so that a changed class is noticed.

    Raises:
        ArtifactError: The source cannot be found.
    """
    try:
        source = inspect.getsource(cls)
    except (OSError, TypeError):
        raise ArtifactError(
            f"the source of {class_name(cls)} cannot be found, so an artifact could not tell "
            "whether it changed: define the class in a file"
        ) from None
    return "sha256:" + hashlib.sha256(inspect.cleandoc(source).encode()).hexdigest()


def program_from_node(node: AnyNode, known: Known, allowed: Collection[str]) -> Module:
    """Rebuild a program.

    Args:
        node: The program as data.
        known: The user's classes, or instances to take over, by ``package.module:Class``.
        allowed: Modules that may be imported for the user's classes.

    Raises:
        ArtifactError: A class is missing or changed, or the data describes no program.
    """
    if isinstance(node, PredictNode):
        return _predict_from(node)
    if isinstance(node, ChainOfThoughtNode):
        inner = _predict_from(node.predict)
        return ChainOfThought(inner.signature).with_children({"predict": inner})
    parts = node.steps if isinstance(node, PipelineNode) else node.parts
    children = {part.name: program_from_node(part.program, known, allowed) for part in parts}
    if isinstance(node, PipelineNode):
        return Pipeline(**children)
    return _user_from(node, children, known, allowed)


def _predict_from(node: PredictNode) -> Predict:
    try:
        signature = SignatureSpec.from_json(node.signature)
    except (KeyError, TypeError, AttributeError, InputError) as error:
        raise ArtifactError(f"a signature cannot be read: {error!r}") from None
    fields = {field.name: field for field in signature.fields}
    demos = []
    for demo in node.demos:
        try:
            values = {
                name: fields[name].validate(value) if name in fields else value
                for name, value in demo.items()
            }
            demos.append(Example(**values))
        except InputError as error:
            raise ArtifactError(f"a demonstration of {signature.name}: {error}") from None
    try:
        return Predict(
            signature,
            demos=demos,
            model=node.model,
            adapter=node.adapter,
            sampling=Sampling(**node.sampling.model_dump()),
        )
    except InputError as error:
        raise ArtifactError(str(error)) from None


def _user_from(
    node: UserNode, children: Mapping[str, Module], known: Known, allowed: Collection[str]
) -> Module:
    name = node.class_name
    template = known.get(name) or _imported(name, allowed)
    cls = template if isinstance(template, type) else type(template)
    if source_digest(cls) != node.source:
        raise ArtifactError(
            f"the source of {name} is not what it was when the artifact was written: "
            "compile again, or load with the version that it was compiled with"
        )
    if isinstance(template, Module):
        program = template
    else:
        try:
            program = template()
        except TypeError:
            raise ArtifactError(
                f"{name} cannot be made without arguments: pass an instance in classes="
            ) from None
    if program.children().keys() != children.keys():
        raise ArtifactError(
            f"{name} has the parts {', '.join(program.children()) or 'none'}, "
            f"but the artifact has {', '.join(children) or 'none'}"
        )
    return program.with_children(children)


def _imported(name: str, allowed: Collection[str]) -> type[Module]:
    module, _, path = name.partition(":")
    if module not in allowed:
        raise ArtifactError(
            f"the artifact needs your class {name}: pass it, lp.load(path, classes=[...]), or "
            f"allow its import, lp.load(path, allow_modules=[{module!r}])"
        )
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ArtifactError(f"the artifact's class {name} cannot be imported: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Module)):
        raise ArtifactError(f"{name} is no lp.Module")
    return found


def known_classes(classes: Sequence[type[Module] | Module]) -> dict[str, type[Module] | Module]:
    """Return classes, or instances to take over, by name."""
    return {class_name(item if isinstance(item, type) else type(item)): item for item in classes}


def demos_of(node: BaseModel) -> list[dict[str, Any]]:
    """Return every demonstration in a node, in order."""
    if isinstance(node, PredictNode):
        return list(node.demos)
    if isinstance(node, ChainOfThoughtNode):
        return list(node.predict.demos)
    parts = node.steps if isinstance(node, PipelineNode) else []
    if isinstance(node, UserNode):
        parts = node.parts
    return [demo for part in parts for demo in demos_of(part.program)]
