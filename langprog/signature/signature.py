"""A signature as a value: its inputs, its outputs and its instruction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from langprog.errors import SignatureError
from langprog.hints import Hinted, Words
from langprog.notebook import list_short, short_repr
from langprog.signature.fields import FieldSpec
from langprog.signature.marks import ATTRIBUTES, Marked
from langprog.signature.phrases import WORDING
from langprog.signature.portable import field_to_json
from langprog.signature.rebuilt import field_from_json
from langprog.signature.schemas import Definitions, object_schema
from langprog.signature.shapes import REQUIRED


@dataclass(frozen=True)
class SignatureSpec(Hinted):
    """A signature, as a value; every change returns a new one.

    Args:
        name: Name of the signature, for people.
        instruction: What the model is to do.
        fields: Input and output fields, identified by name, never by position.

    Raises:
        SignatureError: Two fields have the same name, or there is no input or no output.
    """

    _elsewhere: ClassVar[Words] = ATTRIBUTES

    name: str
    instruction: str
    fields: tuple[FieldSpec, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise SignatureError(f"the name of a signature must be text, not {self.name!r:.60}")
        if not isinstance(self.instruction, str):
            raise SignatureError(f"the instruction of {self.name} must be text")
        names: set[str] = set()
        for spec in self.fields:
            if spec.name in names:
                raise SignatureError(f"{self.name} has two fields named {spec.name!r}: rename one")
            names.add(spec.name)
        for role in ("input", "output"):
            if not any(spec.role == role for spec in self.fields):
                raise SignatureError(f"{self.name} has no {role} field: add at least one")

    def __hash__(self) -> int:
        return self._hash

    def __getstate__(self) -> dict[str, Any]:
        # Derived attributes are computed again: views cannot be pickled.
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @cached_property
    def _hash(self) -> int:
        # Every call looks up prompts by signature, so hash the tree only once.
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
    def asks_in_text(self) -> bool:
        """Whether all inputs are text: none is an image, a file or a conversation."""
        return not any(field.holds_media or field.is_history for field in self.inputs.values())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the signature's canonical JSON."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def __repr__(self) -> str:
        arrow = f"{', '.join(self.inputs)} -> {', '.join(self.outputs)}"
        parts = [("fields", arrow), ("instruction", self.instruction)]
        return f"SignatureSpec({short_repr(self.name)}, {list_short(parts)})"

    def with_instruction(self, instruction: str) -> SignatureSpec:
        """Return a copy with this instruction."""
        return replace(self, instruction=instruction)

    def with_field(
        self,
        field: FieldSpec | str,
        mark: Any = None,
        annotation: Any = str,
        *,
        first: bool = False,
    ) -> SignatureSpec:
        """Return a copy with one more field, first or last among those of its role.

        Args:
            field: The field, or its name: ``with_field("reasoning", lp.Output("step by step"))``.
            mark: ``lp.Input(...)`` or ``lp.Output(...)``, where ``field`` is a name.
            annotation: Its type, where ``field`` is a name.
            first: Whether it comes before the others of its role.

        Raises:
            SignatureError: A field of that name exists, or the mark is missing.
        """
        if isinstance(field, str):
            field = field_from_mark(field, mark, annotation)
        same = tuple(f for f in self.fields if f.role == field.role)
        other = tuple(f for f in self.fields if f.role != field.role)
        same = (field, *same) if first else (*same, field)
        return replace(self, fields=(*other, *same) if field.role == "output" else (*same, *other))

    def with_order(self, *names: str) -> SignatureSpec:
        """Return a copy with its fields in another order, which prompts and replies follow.

        Args:
            *names: All outputs, all inputs, or all of both; inputs stay before outputs.

        Raises:
            SignatureError: A name is missing, unknown or repeated.
        """
        known = {f.name: f for f in self.fields}
        unknown = [name for name in names if name not in known]
        if unknown or len(set(names)) < len(names):
            what = f"has no field {unknown[0]!r}" if unknown else "is given a field twice"
            raise SignatureError(f"with_order: {self.name} {what}; it has {', '.join(known)}")
        fields: list[FieldSpec] = []
        for role, own in (("input", self.inputs), ("output", self.outputs)):
            ordered = [known[name] for name in names if known[name].role == role]
            if ordered and len(ordered) < len(own):
                missing = ", ".join(name for name in own if name not in names)
                raise SignatureError(
                    f"with_order: {missing} of the {role}s of {self.name} is missing: name all "
                    f"{role}s, or none"
                )
            fields += ordered or own.values()
        return replace(self, fields=tuple(fields))

    def without_field(self, name: str) -> SignatureSpec:
        """Return a copy without that field.

        Raises:
            SignatureError: There is no such field, or it is the only one of its role.
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
        """Rebuild a signature from ``to_json``, with new enums, dataclasses and models.

        Raises:
            SignatureError: The JSON does not describe a signature.
        """
        try:
            parts = tuple(field_from_json(item) for item in data["fields"])
            return cls(name=data["name"], instruction=data["instruction"], fields=parts)
        except KeyError as error:
            raise SignatureError(f"a signature's JSON lacks {error}") from None
        except (TypeError, AttributeError) as error:
            raise SignatureError(f"a signature's JSON cannot be read: {error}") from None

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of an object with exactly the outputs."""
        definitions = Definitions(WORDING)
        fields = {n: field.schema_within(definitions) for n, field in self.outputs.items()}
        return definitions.attach_to(object_schema(fields, self.outputs))


def argument_schema(
    fields: Mapping[str, FieldSpec], part: Callable[[type], dict[str, Any]] = lambda kind: {}
) -> dict[str, Any]:
    """Return the JSON schema of an object with these members; one with a default may be missing.

    Args:
        fields: The members by name, which may differ from those of the fields.
        part: Returns the schema of images, sounds and files, by their class.
    """
    definitions = Definitions(WORDING, part)
    members = {}
    for name, field in fields.items():
        schema = field.schema_within(definitions)
        default = {} if field.default is REQUIRED else {"default": field.plain(field.default)}
        members[name] = {**schema, **default}
    required = [name for name, field in fields.items() if field.default is REQUIRED]
    return definitions.attach_to(object_schema(members, required))


def field_from_mark(name: str, mark: Any, annotation: Any) -> FieldSpec:
    """Return the field that ``name: annotation = mark`` declares.

    Raises:
        SignatureError: The mark is neither ``lp.Input(...)`` nor ``lp.Output(...)``, or the field
            is invalid.
    """
    if not isinstance(mark, Marked):
        raise SignatureError(
            f"field {name!r} must be lp.Input(...) or lp.Output(...), not {mark!r:.40}"
        )
    return FieldSpec(
        name,
        mark.role,
        annotation if mark.labels is None else Annotated[annotation, mark.labels],
        mark.description,
        mark.constraints,
        mark.default,
        mark.default_factory,
    )


def default_instruction(parts: Iterable[FieldSpec]) -> str:
    """Return the default instruction of a signature."""
    known = list(parts)
    given = _join_names([f.name for f in known if f.role == "input"])
    wanted = _join_names([f.name for f in known if f.role == "output"])
    return f"Given {given}, produce {wanted}."


def _join_names(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
