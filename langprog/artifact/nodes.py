"""Programs as data, and back.

Every kind of module has its own node with full signatures, so it is restored without the user's
source. A user's own class is stored as its name and a digest of its source, and must be passed or
allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from langprog.artifact.classes import Classes, class_name, source_digest
from langprog.artifact.own_types import ClassTypes
from langprog.errors import ArtifactError, InputError
from langprog.modules import (
    Module,
    Node,
    SameNode,
    UserNode,
    is_kind,
    module_type,
    own_parameter_from_data,
    own_parameters_to_data,
)

# What building a module from its node or a user's class may raise.
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
        ArtifactError: It contains something that an artifact cannot store.
    """
    return _node_of(program, "", {})


def _node_of(program: Module, prefix: str, seen: dict[int, str]) -> dict[str, Any]:
    path = prefix or program.root_name()
    if id(program) in seen:
        return {"module": "same", "path": seen[id(program)]}
    seen[id(program)] = path
    parts = {
        name: _node_of(part, f"{prefix}.{name}" if prefix else name, seen)
        for name, part in program.children().items()
    }
    if is_kind(type(program)):
        return program.to_node(parts, ClassTypes(Classes()))
    return {
        "module": "user",
        "class": class_name(type(program)),
        "source": source_digest(type(program)),
        "settings": program.plain_settings(),
        "parameters": own_parameters_to_data(program),
        "parts": [{"name": name, "program": part} for name, part in parts.items()],
    }


# --- from data -----------------------------------------------------------------------------------


def program_from_node(node: Node, classes: Classes) -> Module:
    """Rebuild a program.

    Args:
        node: The program as data.
        classes: The user's classes.

    Raises:
        ArtifactError: A class is missing or has changed, or the data is not a valid program.
    """
    program = _make_program(node, "", classes, {})
    try:
        program.named_modules()
    except InputError as error:  # two parts with the same path, say
        raise ArtifactError(str(error)) from None
    return program


def _make_program(node: Node, prefix: str, classes: Classes, made: dict[str, Module]) -> Module:
    if isinstance(node, SameNode):
        if node.path not in made:
            raise ArtifactError(
                f"{prefix or 'the program'} refers to {node.path!r}, which does not exist"
            )
        return made[node.path]
    parts = {
        name: _make_program(part, f"{prefix}.{name}" if prefix else name, classes, made)
        for name, part in node.children().items()
    }
    try:
        program = (
            _make_user_module(node, parts, classes)
            if isinstance(node, UserNode)
            else _make_module(node, parts, classes)
        )
    except (ArtifactError, RecursionError):
        raise
    except InputError as error:
        place = f"{prefix}: " if prefix else ""
        raise ArtifactError(f"{place}{error}") from None
    except _MAKING as error:
        raise ArtifactError(
            f"{prefix or 'the program'}, a {node.module} module, cannot be built from its data "
            f"in the artifact ({type(error).__name__}: {error})"
        ) from None
    made[prefix or program.root_name()] = program
    return program


def _make_module(node: Node, parts: Mapping[str, Module], classes: Classes) -> Module:
    cls = module_type(node.module)
    assert cls is not None  # otherwise the node would not have been parsed
    return cls.from_node(node, parts, ClassTypes(classes))


def model_names(node: Node) -> Iterator[str]:
    """Yield the name of every model in a program, with repetitions."""
    yield from node.model_names()
    for part in node.children().values():
        yield from model_names(part)


def user_classes(node: Node) -> Iterator[str]:
    """Yield the class of every user-defined module, ``package.module:Class``."""
    if isinstance(node, UserNode):
        yield node.class_name
    for part in node.children().values():
        yield from user_classes(part)


def _make_user_module(node: UserNode, parts: Mapping[str, Module], classes: Classes) -> Module:
    instances_or_classes = classes.find(node.class_name, node.source, Module)
    alike = [
        each
        for each in instances_or_classes
        if isinstance(each, Module) and each.plain_settings() == node.settings
    ]
    template = (alike or instances_or_classes)[0]
    program = template if isinstance(template, Module) else _instantiate(template, node)
    if program.children().keys() != parts.keys():
        raise ArtifactError(
            f"{node.class_name} has the parts {', '.join(program.children()) or 'none'}, "
            f"but the artifact has {', '.join(parts) or 'none'}"
        )
    program = program.with_children(parts)
    if isinstance(template, type):
        vars(program).update(node.settings)
    values = {
        name: own_parameter_from_data(program, parameter, ClassTypes(classes))
        for name, parameter in node.parameters.items()
    }
    return program.with_own_parameters(values) if values else program


def _instantiate(cls: type[Module], node: UserNode) -> Module:
    try:
        return cls()
    except _MAKING as error:
        raise ArtifactError(
            f"{node.class_name} cannot be created without arguments ({error}): "
            "pass an instance, lp.load(path, classes=[instance])"
        ) from None
