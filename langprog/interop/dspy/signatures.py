"""DSPy's signatures as ours, for search, trace and artifact; the prompts are DSPy's own."""

from __future__ import annotations

from typing import Annotated, Any

import dspy

from langprog.errors import SignatureError
from langprog.signature import FieldSpec, SignatureSpec


def spec_of(signature: Any) -> SignatureSpec:
    """Return what a search has to know of a DSPy signature.

    A field whose type is none of ours (an image of DSPy, say) is described as text, and one that
    no demonstration can hold (a tool, or a name that examples cannot have) is left out.

    Raises:
        SignatureError: No input or no output is left.
    """
    fields = [
        spec
        for name, field in signature.fields.items()
        if (spec := _field_of(name, field)) is not None
    ]
    return SignatureSpec(str(signature.__name__), str(signature.instructions), tuple(fields))


def is_exact(signature: Any, spec: SignatureSpec) -> bool:
    """Return whether every field of a DSPy signature has its own type in ours."""
    return all(
        name in declared and declared[name].annotation == _annotation_of(field)
        for declared in [{field.name: field for field in spec.fields}]
        for name, field in signature.fields.items()
    )


def _field_of(name: str, field: Any) -> FieldSpec | None:
    extra = field.json_schema_extra or {}
    role = extra.get("__dspy_field_type", "input")
    said = str(extra.get("desc") or "")
    description = "" if said == f"${{{name}}}" else said
    if _holds_tool(field.annotation):
        return None
    for annotation in (_annotation_of(field), field.annotation, str):
        try:
            spec = FieldSpec(name, role, annotation, description)
            _ = spec.shape
        except SignatureError:
            continue
        return spec
    return None


def _annotation_of(field: Any) -> Any:
    limits = tuple(field.metadata)
    return Annotated[field.annotation, *limits] if limits else field.annotation


def _holds_tool(annotation: Any) -> bool:
    inside = getattr(annotation, "__args__", ())
    return annotation is dspy.Tool or any(each is dspy.Tool for each in inside)
