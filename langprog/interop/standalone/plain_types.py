"""The types that a standalone program knows, as plain data."""

from __future__ import annotations

from typing import Any

from langprog.adapters import encode
from langprog.errors import InputError
from langprog.signature import REQUIRED, Choice, FieldSpec, Listing, Maybe, Plain, Shape

_KNOWN = "str, int, float, bool, Literal, Optional and lists of them, without limits"


def field_data(field: FieldSpec, path: str) -> dict[str, Any]:
    """Return a field as data of a standalone program.

    Raises:
        InputError: Its type, its limits or its default are not among those that such a program
            knows.
    """
    kind = None if field.special or field.constraints else _kind(field.shape)
    if kind is None:
        raise InputError(
            f"the field {field.name!r} of {path} is {field.type_phrase or 'text'}: a standalone "
            f"file knows {_KNOWN}"
        )
    _check_choices(field, field.shape, path)
    data: dict[str, Any] = {
        "name": field.name,
        "type": {**kind, "words": field.type_phrase or "text"},
    }
    if field.role == "input" and not field.required:
        if field.default_factory is not None:
            raise InputError(
                f"the default of {field.name!r} of {path} is made by code, which is not exported"
            )
        default = None if field.default is REQUIRED else field.plain(field.default)
        data["default"] = default
    return data


def _kind(shape: Shape) -> dict[str, Any] | None:
    match shape:
        case Plain(type=kind):
            return {"kind": kind.__name__, "words": kind.__name__}
        case Choice(choices=choices, enum=None):
            values = list(choices.values())
            if any(type(value) not in (str, int) for value in values):
                return None
            return {"kind": "choice", "choices": values, "words": f"one of {values}"}
        case Maybe(of=of):
            inner = _kind(of)
            return (
                None
                if inner is None or inner["kind"] in ("optional", "list")
                else _with("optional", inner)
            )
        case Listing(of=of, type=kind) if kind is list:
            inner = _kind(of)
            return (
                None
                if inner is None or inner["kind"] in ("optional", "list")
                else _with("list", inner)
            )
    return None


def _with(kind: str, inner: dict[str, Any]) -> dict[str, Any]:
    return {"kind": kind, "of": inner, "words": f"{kind} of {inner['words']}"}


def _check_choices(field: FieldSpec, shape: Shape, path: str) -> None:
    """Refuse choices that a prompt does not show as they are."""
    if isinstance(shape, Maybe):
        shape = shape.of
    if isinstance(shape, Choice):
        for value in shape.choices.values():
            if encode(field, value) != str(value) or str(value) != str(value).strip():
                raise InputError(
                    f"the choice {value!r:.60} of {field.name!r} of {path} is not written as it "
                    "is, which a standalone file cannot do"
                )
