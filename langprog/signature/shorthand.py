"""The short form of a signature: ``"question, context: list[str] -> answer: int"``."""

from __future__ import annotations

import ast
import datetime
import uuid
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, Optional, Union

from langprog.errors import SignatureError
from langprog.media import Audio, File, History, Image
from langprog.signature.fields import FieldSpec
from langprog.signature.marks import FieldRole

_NAMES: Mapping[str, Any] = MappingProxyType(
    {
        "str": str,
        "int": int,
        "float": float,
        "bool": bool,
        "list": list,
        "List": list,
        "dict": dict,
        "Dict": dict,
        "Any": Any,
        "None": type(None),
        "UUID": uuid.UUID,
        "Decimal": Decimal,
        "Image": Image,
        "Audio": Audio,
        "File": File,
        "History": History,
        "date": datetime.date,
        "datetime": datetime.datetime,
        "time": datetime.time,
        "timedelta": datetime.timedelta,
        "frozenset": frozenset,
        "set": set,
        "tuple": tuple,
    }
)
# What is written for the words of other notations.
_OTHER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("string", "text"), "str"),
        **dict.fromkeys(("integer", "long"), "int"),
        **dict.fromkeys(("boolean", "yes/no"), "bool"),
        **dict.fromkeys(("number", "double"), "float"),
        **dict.fromkeys(("array", "strings"), "list[str]"),
        **dict.fromkeys(("object", "json", "map"), "dict"),
    }
)
# Prefixes to ignore: `datetime.date` is the same as `date`, `lp.Image` as `Image`.
_MODULES = frozenset({"datetime", "decimal", "dspy", "lp", "typing", "uuid"})


def parse_short_form(text: str) -> tuple[FieldSpec, ...]:
    """Return the fields of a short form; types are read, never evaluated.

    Raises:
        SignatureError: There is not exactly one ``->``, a name is invalid, or a type is unknown.
    """
    sides = _split(text, "->")
    if len(sides) != 2:
        raise SignatureError(
            f"{text!r} is not a signature: write inputs -> outputs, with one '->'"
        )
    return (*_side(sides[0], "input", text), *_side(sides[1], "output", text))


def _side(side: str, role: FieldRole, text: str) -> list[FieldSpec]:
    fields = []
    for part in _split(side, ","):
        name, _, annotation = (piece.strip() for piece in part.partition(":"))
        if not name:
            raise SignatureError(f"{text!r} has an empty field among its {role}s")
        fields.append(FieldSpec(name, role, _type(annotation or "str", name, text)))
    return fields


def _split(text: str, mark: str) -> list[str]:
    # Split only at marks outside brackets and quotes.
    parts, depth, quote, start, index = [], 0, "", 0, 0
    while index < len(text):
        char = text[index]
        if quote:
            index += char == "\\"
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
        elif depth == 0 and text.startswith(mark, index):
            parts.append(text[start:index])
            start = index + len(mark)
            index = start - 1
        index += 1
    return [*parts, text[start:]]


def _type(annotation: str, name: str, text: str) -> Any:
    try:
        tree = ast.parse(annotation, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SignatureError(
            f"{text!r}: the type {annotation!r} of {name!r} cannot be read"
        ) from None
    read = _read(tree)
    if read is None and annotation.lower() in _OTHER_WORDS:
        raise SignatureError(
            f"{text!r}: the type {annotation!r} of {name!r} is not known: write "
            f"{name}: {_OTHER_WORDS[annotation.lower()]}"
        )
    if read is None:
        raise SignatureError(
            f"{text!r}: the type {annotation!r} of {name!r} is not known in the short form, which "
            "has str, int, float, bool, date, datetime, time, timedelta, Decimal, UUID, Image, "
            "Audio, File, History, list[...], dict[...], tuple[...], set[...], Optional[...], "
            "Union[...] and Literal[...]; write a Signature class for others"
        )
    return read


def _read(node: ast.expr) -> Any:
    """Return the type that ``node`` names, or ``None``."""
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, (ast.Name, ast.Attribute)):
        return _NAMES.get(_name(node))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, right = _read(node.left), _read(node.right)
        return None if left is None or right is None else Union[left, right]  # noqa: UP007 - built from values
    if isinstance(node, ast.Subscript):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return _generic(_name(node.value), inside)
    return None


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return node.attr if node.value.id in _MODULES else ""
    return node.id if isinstance(node, ast.Name) else ""


def _generic(name: str, inside: list[ast.expr]) -> Any:
    if name == "Literal":
        values = [_constant(item) for item in inside]
        return None if ... in values else Literal[tuple(values)]
    several = name in ("tuple", "Tuple") and len(inside) == 2 and _is_dots(inside[1])
    args = [_read(item) for item in (inside[:1] if several else inside)]
    if None in args:
        return None
    if name in ("tuple", "Tuple"):
        return tuple[args[0], ...] if several else tuple[tuple(args)]  # type: ignore[misc,valid-type]  # built from values
    if name == "Union":
        return Union[tuple(args)]  # noqa: UP007 - built from values
    if name in ("set", "Set", "frozenset") and len(args) == 1:
        return (frozenset if name == "frozenset" else set)[args[0]]
    if name == "Optional" and len(args) == 1:
        return Optional[args[0]]  # noqa: UP045 - built from values
    if name in ("list", "List") and len(args) == 1:
        return list[args[0]]  # type: ignore[valid-type]  # built from values
    if name in ("dict", "Dict") and len(args) == 2:
        return dict[args[0], args[1]]  # type: ignore[valid-type]  # built from values
    return None


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _constant(node: ast.expr) -> Any:
    """Return the value of a literal (text, number, true, false, None), or ``...``."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return ...
    return value if value is None or isinstance(value, (str, int, float)) else ...
