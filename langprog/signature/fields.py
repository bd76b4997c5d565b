"""One field of a signature: its name, role, type, description and constraints."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from functools import cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from langprog.errors import InputError, SignatureError

FieldRole = Literal["input", "output"]

CONSTRAINTS = {
    "ge": ">= {}",
    "gt": "> {}",
    "le": "<= {}",
    "lt": "< {}",
    "min_length": "at least {} long",
    "max_length": "at most {} long",
    "pattern": "matching {}",
}
RESERVED = frozenset(
    {
        "usage",
        "trace",
        "digest",
        "to_dict",
        "with_",
        "without",
        "of",
        "keys",
        "values",
        "items",
        "get",
    }
)
PLAIN = {str: "text", int: "integer", float: "number", bool: "true or false"}


@dataclass(frozen=True)
class FieldSpec:
    """A field, as a value.

    Args:
        name: The field's name, by which it is known everywhere.
        role: ``"input"`` or ``"output"``.
        annotation: The Python type.
        description: What the field means, in the user's words.
        constraints: ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``max_length``, ``pattern``.

    Raises:
        SignatureError: The name is reserved, or the type or a constraint is not known.
    """

    name: str
    role: FieldRole
    annotation: Any = str
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or self.name.startswith("_"):
            raise SignatureError(f"{self.name!r} is no field name: use a Python identifier")
        if self.name in RESERVED:
            raise SignatureError(f"the field name {self.name!r} is taken by langprog: rename it")
        for constraint in self.constraints:
            if constraint not in CONSTRAINTS:
                raise SignatureError(
                    f"field {self.name!r} has the unknown constraint {constraint!r}; "
                    f"known are {', '.join(CONSTRAINTS)}"
                )
        phrase_of(self.annotation, self.name)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The pydantic validator, with the constraints."""
        annotation = self.annotation
        if self.constraints:
            annotation = Annotated[annotation, Field(**self.constraints)]
        return TypeAdapter(annotation)

    def validate(self, value: Any) -> Any:
        """Return ``value`` as the field's type.

        Raises:
            InputError: It does not fit; the message names the field and what was expected.
        """
        if self.annotation is str and type(value) is str and not self.constraints:
            return value
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise InputError(f"{self.name!r} does not fit: {reason(error)}") from None

    @cached_property
    def type_phrase(self) -> str:
        """The type and its constraints in words, as a model reads them; empty for plain text."""
        words = phrase_of(self.annotation, self.name)
        limits = [CONSTRAINTS[key].format(value) for key, value in self.constraints.items()]
        if words == "text" and not limits:
            return ""
        return ", ".join([words, *limits])

    @cached_property
    def line(self) -> str:
        """The field's line in a prompt."""
        kind = f" ({self.type_phrase})" if self.type_phrase else ""
        meaning = f": {self.description}" if self.description else ""
        return f"- {self.name}{kind}{meaning}"


def reason(error: ValidationError) -> str:
    """Return the first thing that pydantic found wrong, in one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where + ': ' if where else ''}{first['msg']}"


def choices_of(annotation: Any) -> dict[str, Any] | None:
    """Return text -> value for a Literal or an Enum, else ``None``."""
    if get_origin(annotation) is Literal:
        return {str(value): value for value in get_args(annotation)}
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return {str(member.value): member for member in annotation}
    return None


def optional_of(annotation: Any) -> Any | None:
    """Return T for Optional[T], else ``None``."""
    if get_origin(annotation) in (Union, types.UnionType):
        inside = [arg for arg in get_args(annotation) if arg is not type(None)]
        if len(inside) == 1 and len(get_args(annotation)) == 2:
            return inside[0]
    return None


def phrase_of(annotation: Any, name: str) -> str:
    """Return the type in words.

    Raises:
        SignatureError: The type is none that a field can have.
    """
    if annotation in PLAIN:
        return PLAIN[annotation]
    choices = choices_of(annotation)
    if choices is not None:
        return f"one of: {', '.join(choices)}"
    inner = optional_of(annotation)
    if inner is not None:
        return f"{phrase_of(inner, name)}, or null"
    origin, args = get_origin(annotation) or annotation, get_args(annotation)
    if origin is list:
        return f"JSON list of {phrase_of(args[0], name)}" if args else "JSON list"
    if origin is dict:
        return "JSON object"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inside = ", ".join(
            f'"{key}": {phrase_of(info.annotation, name)}'
            for key, info in annotation.model_fields.items()
        )
        return f"JSON object {{{inside}}}"
    if isinstance(annotation, type) and is_dataclass(annotation):
        hints = get_type_hints(annotation)
        inside = ", ".join(f'"{key}": {phrase_of(hint, name)}' for key, hint in hints.items())
        return f"JSON object {{{inside}}}"
    raise SignatureError(
        f"field {name!r} has the type {annotation!r}; a field can be str, int, float, bool, "
        "Literal, Enum, Optional, list, dict, a dataclass or a pydantic model"
    )
