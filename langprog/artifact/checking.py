"""Types with validators, which cannot be stored as data.

A portable type keeps a validator's description but not its code, so a program restored without it
would accept answers that the original rejects. The artifact therefore refers to the Signature
class that declares such fields, and takes their types from it when it is loaded.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from langprog.artifact.classes import class_name, source_digest
from langprog.errors import ArtifactError
from langprog.signature import (
    FieldSpec,
    Signature,
    SignatureSpec,
    behind,
    is_alias,
    is_named_tuple,
    is_typed_dict,
    same_type,
)

# The module with the placeholders for validators in rebuilt types, which only describe them.
_STAND_INS = "langprog.signature.rebuilt_records"
_KINDS = ("validators", "field_validators", "root_validators", "model_validators")


def declaring_class(spec: SignatureSpec) -> type[Signature] | None:
    """Return the class that declares the fields validated with code, if there are any.

    Raises:
        ArtifactError: There is code, but no Signature class declares it.
    """
    coded = [field for field in spec.fields if code_in(field.annotation)]
    if not coded:
        return None
    candidates = [cls for cls in _subclasses(Signature) if _is_declared_in(cls, spec.name, coded)]
    if not candidates:
        names = ", ".join(_name(thing) for thing in code_in(coded[0].annotation))
        raise ArtifactError(
            f"the field {coded[0].name!r} of {spec.name} is validated by code ({names}), which "
            "an artifact cannot store: declare the signature as an lp.Signature class"
        )
    return min(candidates, key=class_name)


def _is_declared_in(cls: type[Signature], name: str, coded: list[FieldSpec]) -> bool:
    declared = {field.name: field for field in cls.spec.fields}
    return cls.__name__ == name and all(
        field.name in declared and declared[field.name].annotation == field.annotation
        for field in coded
    )


def _subclasses(cls: type[Signature]) -> Iterator[type[Signature]]:
    for sub in cls.__subclasses__():
        yield sub
        yield from _subclasses(sub)


def signature_digest(cls: type) -> str:
    """Return the digest of the source of a Signature class and of its validators."""
    assert issubclass(cls, Signature)
    code = {id(thing): thing for field in cls.spec.fields for thing in code_in(field.annotation)}
    return source_digest(cls, *sorted(code.values(), key=_name))


def with_types_of(spec: SignatureSpec, cls: type[Signature]) -> SignatureSpec:
    """Return ``spec`` with the types that ``cls`` declares, including validators.

    Raises:
        ArtifactError: The class declares another type than the artifact has.
    """
    declared = {field.name: field for field in cls.spec.fields}
    fields = []
    for field in spec.fields:
        original = declared.get(field.name)
        if original is None:  # added later, like the reasoning of a ChainOfThought
            fields.append(field)
        elif not same_type(original.annotation, field.annotation):
            raise ArtifactError(
                f"{class_name(cls)}.{field.name} has another type than in the artifact: compile "
                "again, or load with the version that it was compiled with"
            )
        else:
            fields.append(dataclasses.replace(field, annotation=original.annotation))
    return dataclasses.replace(spec, fields=tuple(fields))


# --- finding code --------------------------------------------------------------------------------


def code_in(annotation: Any) -> list[Any]:
    """Return the validators in a type, and classes that have some, sorted by name."""
    things = {id(thing): thing for thing in _code(annotation, set())}
    return sorted(things.values(), key=_name)


def _name(thing: Any) -> str:
    return f"{thing.__module__}:{getattr(thing, '__qualname__', type(thing).__qualname__)}"


def _code(annotation: Any, seen: set[Any]) -> Iterator[Any]:
    while is_alias(annotation) or isinstance(annotation, typing.NewType):
        if annotation in seen:
            return
        seen.add(annotation)
        annotation = behind(annotation)
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return
    if origin is Annotated:
        yield from _code_in_metadata(annotation.__metadata__)
    for inner in typing.get_args(annotation)[: 1 if origin is Annotated else None]:
        yield from _code(inner, seen)
    if isinstance(annotation, type) and annotation not in seen:
        seen.add(annotation)
        yield from _code_of_class(annotation, seen)


def _code_in_metadata(metadata: typing.Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from _code_in_metadata(item.metadata)
            continue
        func = getattr(item, "func", None)  # of pydantic's AfterValidator and the like
        if callable(func) and _is_own(func):
            yield func


def _code_of_class(cls: type, seen: set[Any]) -> Iterator[Any]:
    decorators = getattr(cls, "__pydantic_decorators__", None)
    funcs = [
        decorator.func
        for kind in _KINDS
        if decorators
        for decorator in getattr(decorators, kind).values()
    ]
    if dataclasses.is_dataclass(cls) and "__post_init__" in dir(cls):
        funcs.append(cls.__post_init__)  # type: ignore[attr-defined]  # just looked up
    if any(_is_own(getattr(func, "__func__", func)) for func in funcs):
        yield cls
    infos = cls.model_fields if issubclass(cls, BaseModel) else None
    infos = getattr(cls, "__pydantic_fields__", None) if infos is None else infos
    if infos is not None:
        for info in infos.values():
            yield from _code_in_metadata(info.metadata)
            yield from _code(info.annotation, seen)
    elif dataclasses.is_dataclass(cls) or is_typed_dict(cls) or is_named_tuple(cls):
        names = {cls.__name__: cls}
        for hint in typing.get_type_hints(cls, localns=names, include_extras=True).values():
            if typing.get_origin(hint) is not typing.ClassVar:  # settings, and no member
                yield from _code(hint, seen)


def _is_own(func: Any) -> bool:
    return getattr(func, "__module__", None) != _STAND_INS
