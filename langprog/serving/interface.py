"""What a program takes and returns, as JSON: reading requests, writing answers, schemas.

Requests come from strangers. A value is read with the field's own validator, never as a cell of a
user's data file, which may name a file of this machine. Media come as ``data:`` URLs: another
address would be fetched by the model's endpoint, from inside its network, so only hosts that the
operator named are accepted.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from pydantic_core import PydanticSerializationError, to_jsonable_python

from langprog.errors import InputError, SignatureError
from langprog.media import History, Media
from langprog.modules import Module, Prediction
from langprog.serving.refusals import Refusal, wrong_input
from langprog.serving.tags import find_missing_tag
from langprog.signature import FieldSpec, Maybe, argument_schema, without_limits


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a program.

    Args:
        program: The program.
        media_hosts: Hosts whose ``https://`` addresses are accepted as images, sounds and files.
    """

    program: Module
    media_hosts: frozenset[str] = frozenset()

    @cached_property
    def inputs(self) -> Mapping[str, FieldSpec]:
        """The declared input fields; empty if the program declares none."""
        try:
            return self.program.inputs
        except SignatureError:
            return {}

    @cached_property
    def outputs(self) -> Mapping[str, FieldSpec]:
        """The declared output fields; empty if the program declares none."""
        try:
            return self.program.outputs
        except SignatureError:
            return {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all inputs."""
        return self.program.input_names()

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The names of the inputs that a request must have."""
        return tuple(name for name in self.names if self.program.needs_input(name))

    # --- schemas ---

    @cached_property
    def input_schema(self) -> dict[str, Any]:
        """The JSON schema of a request's body."""
        if not self.inputs:
            return {**_object(self.names), "required": list(self.required)}
        schema = argument_schema(self.inputs, self._part_schema)
        for name, field in self.inputs.items():
            if field.is_history:
                may_lack = isinstance(without_limits(field.shape), Maybe)
                turns = {"anyOf": [_TURNS, {"type": "null"}]} if may_lack else _TURNS
                schema["properties"][name] = {**schema["properties"][name], **turns}
        return {**_precise(schema), "required": list(self.required)}

    def _part_schema(self, kind: type[Media]) -> dict[str, Any]:
        """Return the schema of an image, a sound or a file."""
        hosts = "|".join(re.escape(host) for host in sorted(self.media_hosts))
        there = [{"type": "string", "pattern": f"^https://({hosts})(:[0-9]+)?/"}] if hosts else []
        forms = [_data_url(kind.family), *there]
        named = [
            _object_of({"url": _any_of(forms), "media_type": {"type": "string"}}, "url"),
            _object_of(
                # What it is counts more than what the address says.
                {"url": _any_of([_data_url(""), *there]), "media_type": _NON_EMPTY},
                "url",
                "media_type",
            ),
        ]
        return {"title": f"part:{kind.__name__}", "anyOf": [*forms, *named]}

    @cached_property
    def output_schema(self) -> dict[str, Any]:
        """The JSON schema of the outputs."""
        return argument_schema(self.outputs) if self.outputs else {"type": "object"}

    def same_as(self, other: Interface) -> bool:
        """Return whether both take and return the same, descriptions apart."""
        mine, theirs = (_bare([each.input_schema, each.output_schema]) for each in (self, other))
        return bool(mine == theirs)

    # --- values ---

    def read(self, data: Any) -> dict[str, Any]:
        """Return a program's inputs from the JSON of a request.

        Raises:
            Refusal: It is not an object, or an input is missing, unknown or of the wrong type.
        """
        if not isinstance(data, dict):
            raise Refusal(422, "invalid_input", "the body must be a JSON object of the inputs")
        for name in data:
            if name not in self.names:
                known = ", ".join(self.names)
                message = f"there is no input {name!r:.80}; the inputs are {known}"
                raise Refusal(422, "unknown_input", message, field=name[:80])
        for name in self.required:
            if name not in data:
                message = f"the input {name!r} is missing"
                raise Refusal(422, "missing_input", message, field=name)
        try:
            return {name: self._read_value(name, value) for name, value in data.items()}
        except RecursionError:
            raise Refusal(422, "invalid_input", "the body is nested too deeply") from None

    def _read_value(self, name: str, value: Any) -> Any:
        field = self.inputs.get(name)
        if field is None:
            return value
        try:
            read = field.validate(value)
            if field.special:
                plain = field.write(read, media=self._check_media)
                self._check_history(read)
            else:
                plain = field.plain(read)
        except InputError as error:
            raise wrong_input(error, name) from None
        if not _same_kind(value, plain):
            message = f"{name!r} does not fit: it has a type or a member that the schema lacks"
            raise Refusal(422, "invalid_input", message, field=name)
        tag = find_missing_tag(field.shape, value)
        if tag:
            message = f"{name!r} does not say which of its types it is: its {tag!r} is missing"
            raise Refusal(422, "invalid_input", message, field=name)
        return read

    def _check_media(self, media: Media) -> Any:
        """Return a part as plain data.

        Raises:
            InputError: It is an address that the operator did not allow.
        """
        if media.data is None:
            if _host_of(media.url or "") not in self.media_hosts:
                allowed = ", ".join(sorted(self.media_hosts))
                raise InputError(
                    "an image, sound or file is sent as a data: URL"
                    + (f", or as an https:// address at {allowed}" if allowed else "")
                )
        return media.to_plain()

    def _check_history(self, value: Any) -> None:
        if not isinstance(value, History):
            return
        for turn in value.turns:
            for name, item in turn.items():
                for piece in item if isinstance(item, tuple) else (item,):
                    if isinstance(piece, Media):
                        self._check_media(piece)
                field = self.inputs.get(name)
                if field is not None and field.holds_media:
                    field.write(field.validate(item), media=self._check_media)

    def write(self, prediction: Prediction) -> dict[str, Any]:
        """Return a program's outputs as JSON data.

        Raises:
            Refusal: A value has no JSON form, or an output is missing.
        """
        values = prediction.to_dict()
        try:
            if not self.outputs:
                plain: dict[str, Any] = to_jsonable_python(values)
                return plain
            return {name: field.plain(values[name]) for name, field in self.outputs.items()}
        except (InputError, PydanticSerializationError, KeyError):
            message = "the program's outputs are not what its signature declares"
            raise Refusal(500, "internal", message) from None


_NON_EMPTY = {"type": "string", "minLength": 1}


def _data_url(family: str) -> dict[str, Any]:
    """Return the schema of a ``data:`` URL whose type begins like this, or tells nothing."""
    kind = f"({family}[A-Za-z0-9.+/-]*|[A-Za-z0-9.+/-]*/octet-stream)"
    return {
        "type": "string",
        "pattern": f"^data:{kind if family else '[A-Za-z0-9.+/-]+'};base64,([A-Za-z0-9+/]{{4}})*"
        "([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$",
    }


def _any_of(forms: list[dict[str, Any]]) -> dict[str, Any]:
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def _object_of(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


_TURNS = {
    "type": "array",
    "items": {
        "type": "object",
        "description": "A message; or values of the program's inputs and outputs by name.",
        "required": ["role", "content"],
        "properties": {
            "role": {"type": "string", "enum": ["user", "assistant"]},
            "content": {"type": "string"},
        },
        "additionalProperties": False,
    },
}
_DAY = (
    r"((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)"
    r"|02-(0[1-9]|1\d|2[0-9]))"
)
_TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?$"
_DURATION = (
    r"^P(\d{1,5}D|(\d{1,5}D)?T"
    r"(\d{1,5}H(\d{1,5}M)?(\d{1,5}S)?|\d{1,5}M(\d{1,5}S)?|\d{1,5}S))$"
)
# Prompts show a form; a document says what is accepted.
_PRECISE: Mapping[str, str] = MappingProxyType(
    {
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}": rf"^[1-9]\d{{3}}-{_DAY}T{_TIME}",
        r"^\d{2}:\d{2}": f"^{_TIME}",
        r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$": r"^-?\d+(\.\d+)?([eE][+-]?\d{1,3})?$",
    }
)


def _precise(schema: Any) -> Any:
    """Return a schema with precise patterns for dates and times."""
    if isinstance(schema, dict):
        if schema.get("format") == "duration":  # years and months have no fixed length
            rest = {key: value for key, value in schema.items() if key != "format"}
            return {**rest, "pattern": _DURATION}
        return {
            key: _PRECISE.get(value, value)
            if key == "pattern" and isinstance(value, str)
            else _precise(value)
            for key, value in schema.items()
        }
    return [_precise(item) for item in schema] if isinstance(schema, list) else schema


def _host_of(address: str) -> str:
    """Return the host of an ``https://`` address; empty for any other."""
    try:
        place = urlsplit(address)
    except ValueError:
        return ""
    return place.hostname or "" if place.scheme == "https" else ""


def _object(names: Collection[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: {} for name in names},
        "additionalProperties": False,
    }


def _bare(schema: Any) -> Any:
    if isinstance(schema, dict):
        # A field may be named "description", too; then this is a schema and not a text.
        return {
            key: _bare(value)
            for key, value in schema.items()
            if not (key == "description" and isinstance(value, str))
        }
    return [_bare(item) for item in schema] if isinstance(schema, list) else schema


_KINDS = (bool, (int, float), str, list, dict, type(None))


def _same_kind(given: Any, plain: Any) -> bool:
    """Return whether JSON data has the JSON types of what was read from it.

    Validators forgive more than schemas: text where a number is declared, say.
    """
    for kind in _KINDS:
        if isinstance(given, kind):
            if not isinstance(plain, kind) or (kind is not bool and isinstance(plain, bool)):
                # A part with a name or a media type has two forms.
                return {type(given), type(plain)} == {str, dict} and _is_part(given, plain)
            break
    if isinstance(given, list):
        if len(given) != len(plain):  # a set, and a value was there twice
            return False
        # Sets are sorted, so their values of several types are elsewhere.
        kinds = _kinds_in(given)
        sorted_alike = kinds is not None and kinds == _kinds_in(plain)
        return sorted_alike or all(map(_same_kind, given, plain))
    if isinstance(given, dict):
        return all(key in plain and _same_kind(value, plain[key]) for key, value in given.items())
    return True


def _kinds_in(values: list[Any]) -> list[str] | None:
    """Return the types of a list's values, sorted; ``None`` if it holds lists or objects."""
    if any(isinstance(value, (list, dict)) for value in values):
        return None
    kinds = {bool: "bool", int: "number", float: "number", str: "text"}
    return sorted(kinds.get(type(value), "null") for value in values)


def _is_part(given: Any, plain: Any) -> bool:
    form = given if isinstance(given, dict) else plain
    return form.keys() <= {"url", "media_type", "name"}
