"""One field of a signature: its name, role, type, description and constraints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError

from langprog.errors import InputError, SignatureError
from langprog.notebook import list_short
from langprog.signature.phrases import phrase, schema_of
from langprog.signature.shapes import (
    CLEANING,
    LIMITS,
    Bounded,
    Choice,
    Listing,
    Mapped,
    Maybe,
    Plain,
    Record,
    Shape,
    bounded,
    shape_of,
    without_limits,
)

FieldRole = Literal["input", "output"]

CONSTRAINTS = tuple(name for name in LIMITS if name not in CLEANING)
# What examples and predictions have of their own, and what a call of a program takes.
RESERVED = frozenset(
    {
        "digest",
        "get",
        "items",
        "keys",
        "of",
        "self",
        "to_dict",
        "trace",
        "usage",
        "values",
        "with_",
        "without",
    }
)


@dataclass(frozen=True, eq=False)
class FieldSpec:
    """A field, as a value.

    Args:
        name: The field's name, by which it is known everywhere.
        role: ``"input"`` or ``"output"``.
        annotation: The Python type.
        description: What the field means, in the user's words.
        constraints: ``ge``, ``gt``, ``le``, ``lt``, ``multiple_of`` for numbers, ``min_length``,
            ``max_length`` for text, lists and dicts, ``pattern`` for text.

    Raises:
        SignatureError: The name is reserved, or the type or a constraint is not known.
    """

    name: str
    role: FieldRole
    annotation: Any = str
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        name = self.name
        if not name.isidentifier() or name.startswith("_"):
            raise SignatureError(f"{name!r} is no field name: use a Python identifier")
        if name in RESERVED:
            raise SignatureError(f"the field name {name!r} is taken by langprog: rename it")
        if self.role not in ("input", "output"):
            raise SignatureError(f"field {name!r} is neither input nor output: {self.role!r}")
        if not isinstance(self.description, str):
            raise SignatureError(f"the description of field {name!r} must be text")
        for constraint in self.constraints:
            if constraint not in CONSTRAINTS:
                raise SignatureError(
                    f"field {name!r} has the unknown constraint {constraint!r}; "
                    f"known are {', '.join(CONSTRAINTS)}"
                )
        object.__setattr__(self, "constraints", dict(self.constraints))
        if isinstance(self.shape, Bounded):
            _ = self.adapter  # pydantic says now, not at the first call, what it cannot check

    def __eq__(self, other: object) -> bool:
        # Literals compare without their order, but the order is part of what a model reads.
        if not isinstance(other, FieldSpec):
            return NotImplemented
        return (
            self._text == other._text
            and self.constraints == other.constraints
            and self.annotation == other.annotation
        )

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        parts = [("role", self.role), ("annotation", self.annotation)]
        if self.description:
            parts.append(("description", self.description))
        if self.constraints:
            parts.append(("constraints", self.constraints))
        return f"FieldSpec({self.name!r}, {list_short(parts)})"

    def __getstate__(self) -> dict[str, Any]:
        # What is derived is derived again: a validator cannot be pickled.
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @cached_property
    def _text(self) -> tuple[str, ...]:
        return (self.name, self.role, self.description, self.type_phrase)

    @cached_property
    def shape(self) -> Shape:
        """What the type is made of, the constraints included."""
        return bounded(shape_of(self.annotation, self.name), self.constraints, (), self.name)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        """The pydantic validator, with the constraints."""
        annotation = self.annotation
        if self.constraints:
            annotation = Annotated[annotation, Field(**self.constraints)]
        # A record has settings of its own; elsewhere a number is a number.
        finite = (
            None
            if isinstance(without_limits(self.shape), Record)
            else ConfigDict(allow_inf_nan=False)
        )
        try:
            return TypeAdapter(annotation, config=finite)
        except (SchemaError, PydanticUserError, TypeError) as error:
            told = str(error).splitlines()
            raise SignatureError(f"field {self.name!r} cannot be checked: {told[-1]}") from None

    @cached_property
    def exact(self) -> type | None:
        """The type whose values need no check: they are what they should be already."""
        shape = self.shape
        return shape.type if isinstance(shape, Plain) and shape.type is not float else None

    def validate(self, value: Any) -> Any:
        """Return ``value`` as the field's type.

        Raises:
            InputError: It does not fit; the message names the field and what was expected.
        """
        kind = type(value)
        if kind is str and not whole_text(value):
            raise InputError(f"{self.name!r} does not fit: it holds half of a character")
        if kind is self.exact:
            return value
        try:
            return self.adapter.validate_python(value)
        except ValidationError as error:
            raise InputError(f"{self.name!r} does not fit: {reason(error)}") from None

    def plain(self, value: Any) -> Any:
        """Return ``value``, checked, as plain JSON data.

        Raises:
            InputError: It does not fit.
        """
        checked = self.validate(value)
        if type(checked) is self.exact:
            return checked
        return self.adapter.dump_python(checked, mode="json", round_trip=True)

    def from_text(self, text: str) -> Any:
        """Return what a cell of a table stands for; lists and objects are JSON.

        An empty cell of an optional field is None.

        Raises:
            InputError: It does not fit.
        """
        shape = without_limits(self.shape)
        if isinstance(shape, Maybe):
            if not text:
                return None
            shape = without_limits(shape.of)
        if isinstance(shape, Choice) and text in shape.choices:
            return self.validate(shape.choices[text])
        if not isinstance(shape, (Listing, Mapped, Record)):
            return self.validate(text)
        try:
            return self.validate(json.loads(text))
        except (json.JSONDecodeError, RecursionError) as error:
            raise InputError(f"{self.name!r} does not fit: not JSON: {error}") from None

    @cached_property
    def type_phrase(self) -> str:
        """The type and its constraints in words, as a model reads them; empty for plain text."""
        words = phrase(self.shape)
        return "" if words == "text" else words

    @cached_property
    def line(self) -> str:
        """The field's line in a prompt."""
        kind = f" ({self.type_phrase})" if self.type_phrase else ""
        meaning = f": {self.description}" if self.description else ""
        return f"- {self.name}{kind}{meaning}"

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the field's values."""
        schema = schema_of(self.shape)
        return {**schema, "description": self.description} if self.description else schema


def whole_text(text: str) -> bool:
    """Return whether ``text`` can be sent and saved: half a surrogate pair can not."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def reason(error: ValidationError) -> str:
    """Return what pydantic found wrong (at most three things), in one line."""
    found = []
    for item in error.errors(include_url=False, include_context=False)[:3]:
        where = ".".join(str(part) for part in item["loc"])
        found.append(f"{where + ': ' if where else ''}{item['msg']}")
    return "; ".join(" ".join(each.split()) for each in found)
