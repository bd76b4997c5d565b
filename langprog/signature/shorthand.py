"""The short form of a signature: ``"question, context: list[str] -> answer: int"``."""

from __future__ import annotations

import ast
from typing import Any, Literal, Optional, Union

from langprog.errors import SignatureError
from langprog.signature.fields import FieldRole, FieldSpec

NAMES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "None": type(None),
}


def parse_short_form(text: str) -> tuple[FieldSpec, ...]:
    """Return the fields of a short form; types are read, never evaluated.

    Raises:
        SignatureError: There is not exactly one ``->``, a name is wrong, or a type is unknown.
    """
    sides = text.split("->")
    if len(sides) != 2:
        raise SignatureError(f"{text!r} is no signature: write inputs -> outputs, with one '->'")
    return (*_side(sides[0], "input", text), *_side(sides[1], "output", text))


def _side(side: str, role: FieldRole, text: str) -> list[FieldSpec]:
    fields = []
    for part in _split(side):
        name, _, annotation = part.partition(":")
        if not name.strip():
            raise SignatureError(f"{text!r} has an empty field among its {role}s")
        fields.append(FieldSpec(name.strip(), role, _type(annotation.strip() or "str", text)))
    return fields


def _split(side: str) -> list[str]:
    parts, depth, quote, start = [], 0, "", 0
    for index, char in enumerate(side):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "[(":
            depth += 1
        elif char in "])":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(side[start:index])
            start = index + 1
    parts.append(side[start:])
    return parts


def _type(annotation: str, text: str) -> Any:
    try:
        tree = ast.parse(annotation, mode="eval").body
    except SyntaxError:
        raise SignatureError(f"{text!r}: the type {annotation!r} cannot be read") from None
    return _read(tree, annotation, text)


def _read(node: ast.expr, annotation: str, text: str) -> Any:
    if isinstance(node, ast.Constant) and node.value is None:
        return type(None)
    if isinstance(node, ast.Name) and node.id in NAMES:
        return NAMES[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_read(node.left, annotation, text), _read(node.right, annotation, text)]  # noqa: UP007 - built from values
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        inside = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Literal" and all(isinstance(item, ast.Constant) for item in inside):
            return Literal[tuple(item.value for item in inside)]  # type: ignore[attr-defined]  # checked above
        args = [_read(item, annotation, text) for item in inside]
        if node.value.id == "Optional" and len(args) == 1:
            return Optional[args[0]]  # noqa: UP045 - built from values
        if node.value.id == "list" and len(args) == 1:
            return list[args[0]]  # type: ignore[valid-type]  # built from values
        if node.value.id == "dict" and len(args) == 2:
            return dict[args[0], args[1]]  # type: ignore[valid-type]  # built from values
    raise SignatureError(
        f"{text!r}: the type {annotation!r} is not known in the short form, which has str, int, "
        "float, bool, list[...], dict[...], Optional[...] and Literal[...]; "
        "write a Signature class for others"
    )
