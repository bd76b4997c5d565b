"""Signatures: what goes in, what comes out, and the instruction between the two."""

from __future__ import annotations

import hashlib
import json
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, ClassVar

from langprog.errors import SignatureError
from langprog.signature.fields import FieldSpec
from langprog.signature.portable import field_from_json, field_to_json
from langprog.signature.shorthand import parse_short_form


@dataclass(frozen=True)
class SignatureSpec:
    """A signature, as a value; every change returns a new one.

    Args:
        name: Name of the signature, for people.
        instruction: What the model is told to do.
        fields: Input and output fields; known by name, never by position.

    Raises:
        SignatureError: A name comes twice, or there is no input or no output.
    """

    name: str
    instruction: str
    fields: tuple[FieldSpec, ...]

    def __post_init__(self) -> None:
        names = [spec.name for spec in self.fields]
        for name in names:
            if names.count(name) > 1:
                raise SignatureError(f"{self.name} has two fields named {name!r}: rename one")
        for role in ("input", "output"):
            if not any(spec.role == role for spec in self.fields):
                raise SignatureError(f"{self.name} has no {role} field: add at least one")

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Prompts are looked up by signature on every call, so the tree is hashed only once.
        return hash((self.name, self.instruction, self.fields))

    @cached_property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """Input fields by name."""
        return MappingProxyType({f.name: f for f in self.fields if f.role == "input"})

    @cached_property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """Output fields by name."""
        return MappingProxyType({f.name: f for f in self.fields if f.role == "output"})

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the signature's canonical JSON."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def with_instruction(self, instruction: str) -> SignatureSpec:
        """Return a copy with this instruction."""
        return replace(self, instruction=instruction)

    def with_field(self, field: FieldSpec, *, first: bool = False) -> SignatureSpec:
        """Return a copy with one more field, first or last among those of its role."""
        same = tuple(f for f in self.fields if f.role == field.role)
        other = tuple(f for f in self.fields if f.role != field.role)
        same = (field, *same) if first else (*same, field)
        return replace(self, fields=(*other, *same) if field.role == "output" else (*same, *other))

    def without_field(self, name: str) -> SignatureSpec:
        """Return a copy without that field.

        Raises:
            SignatureError: There is no such field, or it is the last one of its role.
        """
        if all(f.name != name for f in self.fields):
            raise SignatureError(f"{self.name} has no field {name!r}")
        return replace(self, fields=tuple(f for f in self.fields if f.name != name))

    def to_json(self) -> dict[str, Any]:
        """Return the signature as plain JSON, types in full."""
        return {
            "name": self.name,
            "instruction": self.instruction,
            "fields": [field_to_json(f) for f in self.fields],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SignatureSpec:
        """Rebuild what ``to_json`` gave; enums, dataclasses and models are built anew."""
        fields = tuple(field_from_json(item) for item in data["fields"])
        return cls(name=data["name"], instruction=data["instruction"], fields=fields)

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of an object with exactly the outputs."""
        properties: dict[str, Any] = {}
        definitions: dict[str, Any] = {}
        for name, field in self.outputs.items():
            schema = field.adapter.json_schema()
            definitions.update(schema.pop("$defs", {}))
            if field.description:
                schema["description"] = field.description
            properties[name] = schema
        schema = {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
        return {**schema, "$defs": definitions} if definitions else schema


@dataclass(frozen=True)
class Marked:
    """What ``Input(...)`` and ``Output(...)`` leave in a class body."""

    role: typing.Literal["input", "output"]
    description: str
    constraints: Mapping[str, Any]


def Input(description: str = "", **constraints: Any) -> Any:
    """Declare an input field in a Signature class.

    Args:
        description: What the field means.
        **constraints: ``ge``, ``gt``, ``le``, ``lt``, ``min_length``, ``max_length``, ``pattern``.
    """
    return Marked("input", description, constraints)


def Output(description: str = "", **constraints: Any) -> Any:
    """Declare an output field in a Signature class; arguments as for :func:`Input`."""
    return Marked("output", description, constraints)


class Signature:
    """Base class of signatures that are written as classes.

    The docstring is the instruction::

        class Triage(lp.Signature):
            \"\"\"Route the support ticket to the team that owns it.\"\"\"

            ticket: str = lp.Input("what the customer wrote")
            team: Literal["billing", "network"] = lp.Output("the team that owns it")
    """

    spec: ClassVar[SignatureSpec]

    def __init_subclass__(cls) -> None:
        cls.spec = _spec_of(cls)

    @classmethod
    def with_instruction(cls, instruction: str) -> SignatureSpec:
        """Return the signature's value with this instruction."""
        return cls.spec.with_instruction(instruction)

    @classmethod
    def with_field(cls, field: FieldSpec, *, first: bool = False) -> SignatureSpec:
        """Return the signature's value with one more field."""
        return cls.spec.with_field(field, first=first)


def _spec_of(cls: type[Signature]) -> SignatureSpec:
    marked: dict[str, Marked] = {}
    for base in reversed(cls.__mro__):
        own = {k: v for k, v in vars(base).items() if isinstance(v, Marked)}
        for name in base.__dict__.get("__annotations__", {}):
            if issubclass(base, Signature) and base is not Signature and name not in own:
                raise SignatureError(
                    f"{cls.__name__}.{name} is neither lp.Input(...) nor lp.Output(...)"
                )
        marked.update(own)
    hints = _hints(cls)
    fields = []
    for name, mark in marked.items():
        if name not in hints:
            raise SignatureError(f"{cls.__name__}.{name} has no type: write {name}: str = ...")
        fields.append(FieldSpec(name, mark.role, hints[name], mark.description, mark.constraints))
    fields.sort(key=lambda f: f.role != "input")
    doc = (cls.__doc__ or "").strip()
    return SignatureSpec(cls.__name__, _dedent(doc) or default_instruction(fields), tuple(fields))


def _hints(cls: type[Signature]) -> dict[str, Any]:
    # Classes made inside functions name types that only that function knows.
    frame = sys._getframe(3)
    local = {**frame.f_globals, **frame.f_locals}
    try:
        return typing.get_type_hints(cls, localns=local)
    except (NameError, TypeError) as error:
        raise SignatureError(f"a type of {cls.__name__} cannot be resolved: {error}") from None


def _dedent(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())


def default_instruction(fields: typing.Iterable[FieldSpec]) -> str:
    """Return the instruction of a signature that has none of its own."""
    known = list(fields)
    given = ", ".join(f.name for f in known if f.role == "input")
    wanted = ", ".join(f.name for f in known if f.role == "output")
    return f"Given {given}, produce {wanted}."


def signature_of(
    signature: str | type[Signature] | SignatureSpec, instruction: str | None = None
) -> SignatureSpec:
    """Return the value of a signature in any of its forms.

    Args:
        signature: The short form, a Signature class, or a value already.
        instruction: Replaces the signature's own.

    Raises:
        SignatureError: The short form cannot be read.
    """
    if isinstance(signature, str):
        fields = parse_short_form(signature)
        spec = SignatureSpec(" ".join(signature.split()), default_instruction(fields), fields)
    elif isinstance(signature, SignatureSpec):
        spec = signature
    elif isinstance(signature, type) and issubclass(signature, Signature):
        if signature is Signature:
            raise SignatureError("Signature itself has no fields: subclass it")
        spec = signature.spec
    else:
        raise SignatureError(
            f"{signature!r} is no signature: write 'ticket -> team' or a Signature class"
        )
    return spec if instruction is None else spec.with_instruction(instruction)
