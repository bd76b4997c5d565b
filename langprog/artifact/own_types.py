"""The user's own types in a loaded program: the originals, or an error.

An artifact describes an Enum, a dataclass, a model or the like in full, so that the type can be
rebuilt. To a language model the rebuilt type looks the same, but ``is``, ``match``, dict lookups
and methods tell the difference. So if user code runs, or classes were passed, a program gets the
user's own classes, provided that they describe the same types.
"""

from __future__ import annotations

import dataclasses
import itertools
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, NoReturn

from langprog.adapters import Adapter
from langprog.artifact.checking import code_in, declaring_class, signature_digest, with_types_of
from langprog.artifact.classes import Classes, class_name
from langprog.artifact.functions import find_function, refer_to
from langprog.artifact.namespaces import own_types, signatures_among, types_among
from langprog.artifact.retrievers import find_embedder, find_retriever
from langprog.checks import Check
from langprog.errors import ArtifactError, InputError
from langprog.modules import ClassData, ToolData
from langprog.retrieval import Embedder, Retriever, RetrieverSpec
from langprog.signature import (
    FieldSpec,
    Signature,
    SignatureSpec,
    Unavailable,
    factory_name,
    same_type,
)
from langprog.tools import Tool


@dataclasses.dataclass(frozen=True, slots=True)
class ClassTypes:
    """Writes and restores a signature's types that involve the user's classes.

    Args:
        classes: The user's classes.
    """

    classes: Classes

    def checking_class(self, signature: SignatureSpec) -> dict[str, Any] | None:
        """Return a reference to the class whose types validate with code; ``None`` if none do.

        Raises:
            ArtifactError: There is code, but no Signature class declares it.
        """
        cls = declaring_class(signature)
        if cls is None:
            return None
        return {"class": class_name(cls), "source": signature_digest(cls)}

    def adapter(self, reference: str) -> str | Adapter:
        """Return the adapter that an artifact names.

        Raises:
            ArtifactError: There is none.
        """
        return self.classes.adapter(reference)

    def retriever(
        self, spec: RetrieverSpec, documents: Sequence[Mapping[str, Any]] | None
    ) -> Retriever:
        """Return the retriever that an artifact describes.

        Raises:
            ArtifactError: It is missing, or is not what the artifact describes.
        """
        return find_retriever(spec, documents, self.classes.retrievers)

    def embedder(self, name: str) -> Embedder:
        """Return the function that embeds texts under this name.

        Raises:
            ArtifactError: It is missing.
        """
        return find_embedder(name, self.classes.retrievers)

    def refer_to(self, check: Check) -> tuple[str, str]:
        """Return a reference to a check's function, and the digest of its source.

        Raises:
            ArtifactError: Its source is not available.
        """
        return refer_to(check)

    def check_function(self, name: str, reference: str, source: str) -> Callable[..., Any]:
        """Return the function of a check.

        Raises:
            ArtifactError: It is missing or has changed.
        """
        return find_function(name, reference, source, self.classes)

    def tool(self, data: ToolData) -> Tool:
        """Return the tool that an artifact describes.

        Raises:
            ArtifactError: It is missing, or takes other arguments.
        """
        return self.classes.tool(data)

    def given(self) -> Iterator[Any]:
        """Yield what was passed, then what is in the modules that may be imported."""
        return self.classes.given()

    def restore_types(
        self, signature: SignatureSpec, checked_by: ClassData | None
    ) -> SignatureSpec:
        """Return a signature with the user's own types.

        Raises:
            ArtifactError: A class is missing or has changed.
        """
        return with_own_types(signature, checked_by, self.classes)


def with_own_types(
    spec: SignatureSpec, checked_by: ClassData | None, classes: Classes
) -> SignatureSpec:
    """Return a signature with the user's classes in place of rebuilt ones.

    Args:
        spec: The signature as rebuilt from an artifact.
        checked_by: The Signature class whose types validate values with code.
        classes: What the caller of ``load`` passes or allows.

    Raises:
        ArtifactError: A class is missing, has changed, or is ambiguous.
    """
    spec = _with_factories(spec, classes)
    done: frozenset[str] = frozenset()
    if checked_by is not None:
        name, source = checked_by.class_name, checked_by.source
        declared = classes.find(name, source, Signature, signature_digest)[0]
        spec = with_types_of(spec, declared)
        done = frozenset(field.name for field in declared.spec.fields)
    if not classes.decide_types:
        return spec
    _check_handed(spec, classes)
    fields = tuple(
        field if field.name in done else _with_own_types(field, spec, classes)
        for field in spec.fields
    )
    return dataclasses.replace(spec, fields=fields)


def _with_factories(spec: SignatureSpec, classes: Classes) -> SignatureSpec:
    """Return a signature with the functions that make defaults, where they can be had."""
    if not any(isinstance(field.default_factory, Unavailable) for field in spec.fields):
        return spec
    declared = {
        (field.name, factory_name(field.default_factory)): field.default_factory
        for things in classes.groups()
        for other in signatures_among(things)
        if other.name == spec.name
        for field in other.fields
        if field.default_factory is not None
    }
    fields = []
    for field in spec.fields:
        if isinstance(field.default_factory, Unavailable):
            key = (field.name, field.default_factory.name)
            factory = declared.get(key, field.default_factory)
            field = dataclasses.replace(field, default_factory=factory)
        fields.append(field)
    return dataclasses.replace(spec, fields=tuple(fields))


def _check_handed(spec: SignatureSpec, classes: Classes) -> None:
    """Refuse a Signature class of this name whose types differ from the artifact's."""
    handed = [thing for thing in classes.signatures if thing.__name__ == spec.name]
    wrong = [name for cls in handed if (name := _first_difference(spec, cls)) is not None]
    if handed and len(wrong) == len(handed) and not classes.proving:
        raise ArtifactError(
            f"{class_name(handed[0])}.{wrong[0]} has another type than in the artifact: "
            "compile again, or load with the version that it was compiled with"
        )


def _first_difference(spec: SignatureSpec, cls: type[Signature]) -> str | None:
    declared = {field.name: field for field in cls.spec.fields}
    for field in spec.fields:
        other = declared.get(field.name)
        if other is not None and not _alike(other.annotation, field.annotation):
            return field.name
    return None


def _with_own_types(field: FieldSpec, spec: SignatureSpec, classes: Classes) -> FieldSpec:
    if not own_types(field.annotation):
        return field
    annotation = _declared_annotation(field, spec, classes)
    if annotation is None:
        annotation = _replace_types(field.annotation, field, spec, classes)
    changed = dataclasses.replace(field, annotation=annotation)
    if changed.line != field.line or changed.json_schema() != field.json_schema():
        _refuse_changed(own_types(annotation)[0])
    return changed


def _declared_annotation(field: FieldSpec, spec: SignatureSpec, classes: Classes) -> Any:
    """Return the field's annotation in a signature of the same name, if there is one."""
    groups = classes.groups()
    # The classes passed and those in the modules' own files must not contradict each other.
    nearest = [thing for things in itertools.islice(groups, 3) for thing in things]
    for things in itertools.chain([nearest], groups):
        annotations = [
            declared.annotation
            for other in signatures_among(things)
            if other.name == spec.name
            for declared in other.fields
            if declared.name == field.name and _fits(declared.annotation, field.annotation)
        ]
        if annotations:
            return _choose_only(annotations, field, spec, classes)
    return None


def _replace_types(
    annotation: Any, field: FieldSpec, spec: SignatureSpec, classes: Classes
) -> Any:
    """Return ``annotation`` with the user's classes in place of rebuilt ones."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if not own_types(annotation):
        return annotation
    if isinstance(annotation, type) and origin is None:
        return _own_type(annotation, field, spec, classes)
    parts = args[:1] if origin is Annotated else args
    inside = [_replace_types(part, field, spec, classes) for part in parts]
    if origin is Annotated:
        return Annotated[(inside[0], *annotation.__metadata__)]
    if origin in (list, dict, tuple, set, frozenset):
        return origin[tuple(inside)]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(inside)]  # noqa: UP007 - built from values
    return annotation


def _own_type(rebuilt: type, field: FieldSpec, spec: SignatureSpec, classes: Classes) -> type:
    changed: type | None = None
    for things in classes.groups():
        named = types_among(things, rebuilt.__name__)
        fitting = [cls for cls in named if _fits(cls, rebuilt)]
        if fitting:
            return typing.cast(type, _choose_only(fitting, field, spec, classes))
        changed = changed or next(iter(named), None)
    if classes.proving:
        return rebuilt
    if changed is not None:
        _refuse_changed(changed)
    raise ArtifactError(
        f"the field {field.name!r} of {spec.name} has your own type {rebuilt.__name__}, which "
        "your code could tell from a copy: pass the class, "
        f"lp.load(path, classes=[..., {rebuilt.__name__}]), or allow its module, "
        "lp.load(path, allow_modules=[...])"
    )


def _refuse_changed(cls: type) -> NoReturn:
    raise ArtifactError(
        f"{class_name(cls)} is not the type that the artifact was written with (its members, "
        "limits, checks or descriptions differ): compile again, or load with the version that it "
        "was compiled with"
    )


def _choose_only(
    annotations: Sequence[Any], field: FieldSpec, spec: SignatureSpec, classes: Classes
) -> Any:
    first = annotations[0]
    other = next((each for each in annotations if each != first), None)
    if other is None or classes.proving:
        return first
    both = {class_name(cls) for cls in (*own_types(first), *own_types(other))}
    names = " and ".join(sorted(both))
    raise ArtifactError(
        f"{names} both match the field {field.name!r} of {spec.name}, and an artifact tells types "
        "apart by name: pass only one of them, or give them different names"
    )


def _fits(candidate: Any, rebuilt: Any) -> bool:
    # A type with validators would have been saved with the class that declares it.
    return _alike(candidate, rebuilt) and not code_in(candidate)


def _alike(first: Any, second: Any) -> bool:
    try:
        return same_type(first, second)
    except (InputError, TypeError, ValueError, AttributeError, RecursionError):
        return False
