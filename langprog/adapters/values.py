"""Values of what a model wrote: lenient about form at every depth, never about content.

Inside JSON the words null and none mean null if the type allows it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from langprog.adapters.json_reader import Ambiguous, CutOff, Unquoted
from langprog.adapters.json_scalars import anything_from, choice_from, plain_from
from langprog.adapters.key_names import fold_key, match_keys
from langprog.adapters.loose_json import LooseValue, loose_json
from langprog.adapters.scalars import (
    Mismatch,
    is_null,
    make_mismatch,
    match_label,
    parse_formatted,
    parse_number,
    parse_truth,
    strip_fence,
    unquote_text,
)
from langprog.adapters.unions import Containers, union_from_json, union_from_text
from langprog.errors import InputError, ParseError
from langprog.signature import (
    REQUIRED,
    Anything,
    Attachment,
    Choice,
    FieldSpec,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Member,
    OneOf,
    Plain,
    Record,
    Shape,
    phrase,
    without_limits,
)

_BULLET = re.compile(r"(?:[-*\u2022]|\d+[.)])[ \t]+(\S.*)")
_BULLETED = re.compile(r"^[ \t]*+(?:[-*\u2022]|\d++[.)])[ \t]++\S", re.MULTILINE)
_TEXT = Plain(str)


# --- reading text --------------------------------------------------------------------------------


def decode(field: FieldSpec, text: str) -> Any:
    """Return the value of ``text``.

    Args:
        field: The field.
        text: What the model wrote for it.

    Raises:
        ParseError: It is not a value of the field, or violates one of its constraints.
    """
    if field.exact is str:  # the most frequent case
        return fit_output(field, unquote_text(text))
    try:
        data = text_data(field.shape, text)
    except Mismatch as error:
        raise ParseError(error.describe(field.name)) from None
    except RecursionError:  # only recursive types are that deep
        raise ParseError(f"{field.name!r} cannot be read: it is nested too deeply") from None
    return fit_output(field, data)


def fit_output(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` validated as the field's type and constraints.

    Raises:
        ParseError: It does not fit.
    """
    try:
        return field.validate(value)
    except InputError as error:
        raise ParseError(str(error)) from None


def text_data(shape: Shape, text: str) -> Any:
    """Return plain data for the type's validator, which rejects what is still wrong.

    Raises:
        Mismatch: The validator might misread ``text``.
    """
    match without_limits(shape):
        case Plain(type=kind):
            plain = unquote_text(text)
            if kind is str:
                return plain
            return parse_truth(plain) if kind is bool else parse_number(kind, plain)
        case Choice() as choice:
            return match_label(choice, unquote_text(text))
        case Maybe(of=of):
            return None if _says_null(of, text) else text_data(of, text)
        case Formatted(type=kind):
            return parse_formatted(kind, unquote_text(text))
        case OneOf() as union:
            return union_from_text(union, text, _CONTAINERS)
        case Attachment():
            return text.strip()
        case whole:
            return _container(whole, text)


def _says_null(of: Shape, text: str) -> bool:
    inner = without_limits(of)
    kinds = [without_limits(kind) for kind in inner.of] if isinstance(inner, OneOf) else [inner]
    labels = [kind.choices for kind in kinds if isinstance(kind, Choice)]
    if any(text in choices or text.strip() in choices for choices in labels):
        return False
    takes_text = _TEXT in kinds
    return is_null(text, blank=not takes_text)


def _container(shape: Shape, text: str) -> Any:
    body = strip_fence(text.strip())
    body = _use_json_brackets(shape, body)
    if isinstance(shape, Listing) and body[:1] != "[":
        items = _bullets(shape, body)
        if items is not None:
            return items
    listed = isinstance(shape, (Listing, Fixed)) or (_is_tuple(shape) and body[:1] == "[")
    kind: type = list if listed else dict
    try:
        parsed = loose_json(body, kind, closed=isinstance(shape, Record))
    except CutOff as error:
        raise Mismatch(f"is cut off: {error}") from None
    except Ambiguous as error:
        raise Mismatch(f"cannot be read: {error}") from None
    if parsed is None or (isinstance(shape, Listing) and _is_remark(shape, parsed)):
        raise make_mismatch(text, phrase(shape))
    return _from_json(shape, parsed.value)


def _is_tuple(shape: Shape) -> bool:
    return isinstance(shape, Record) and issubclass(shape.type, tuple)


def _use_json_brackets(shape: Shape, text: str) -> str:
    """Return a list in the brackets of a Python tuple or set with those of JSON."""
    if isinstance(shape, Listing):
        kind: Any = shape.type
    else:
        kind = tuple if isinstance(shape, Fixed) or _is_tuple(shape) else None
    brackets: Mapping[Any, str] = {tuple: "()", set: "{}"}
    written = text[:1] + text[-1:] == brackets.get(kind)
    return f"[{text[1:-1]}]" if written else text


def _bullets(shape: Listing, text: str) -> list[Any] | None:
    # A list of plain values, one per line, each after a dash or a number.
    if isinstance(without_limits(shape.of), (Listing, Fixed, Mapped, Record, Anything)):
        return None
    texts: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        item = _BULLET.fullmatch(line)
        if item is None:
            return None
        texts.append(item[1])
    return [text_data(shape.of, item) for item in texts] if texts else None


def _is_remark(shape: Listing, parsed: LooseValue) -> bool:
    """Return whether brackets in the middle of a text may just be part of it, as in [1]."""
    around = parsed.before.strip("` \t\r\n"), parsed.after.strip("` \t\r\n")
    if not any(around):
        return False
    if any(_BULLETED.search(words) for words in around):
        return True
    return without_limits(shape.of) == _TEXT and any(type(i) is Unquoted for i in parsed.value)


# --- reading JSON --------------------------------------------------------------------------------


def from_data(field: FieldSpec, value: Any) -> Any:
    """Return a field's value from the data of a JSON reply.

    Raises:
        ParseError: It does not fit.
    """
    if type(value) is str and field.exact is str:
        return fit_output(field, value)
    try:
        data = _from_json(field.shape, value)
    except Mismatch as error:
        raise ParseError(error.describe(field.name)) from None
    except RecursionError:
        raise ParseError(f"{field.name!r} cannot be read: it is nested too deeply") from None
    return fit_output(field, data)


def _from_json(shape: Shape, value: Any) -> Any:
    """Return plain data for the type's validator, which rejects what is still wrong.

    Raises:
        Mismatch: The validator might misread ``value``.
    """
    bare = without_limits(shape)
    if isinstance(bare, Plain):  # the most frequent case
        return plain_from(bare.type, value)
    match bare:
        case Choice() as choice:
            return choice_from(choice, value)
        case Maybe(of=of):
            nothing = isinstance(value, str) and _says_null(of, value)
            return None if value is None or nothing else _from_json(of, value)
        case Anything():
            return anything_from(value)
        case OneOf() as union:
            return union_from_json(union, value, _CONTAINERS)
        case Formatted(type=kind) if isinstance(value, str):
            return parse_formatted(kind, value)
        case Attachment():
            return value
    if isinstance(value, str) and type(value) is not Unquoted:
        return _container(bare, value)
    return _parts(shape, bare, value)


def _parts(shape: Shape, bare: Shape, value: Any) -> Any:
    """Return a list or an object with its parts read."""
    match bare:
        case Listing(of=of) if isinstance(value, list):
            return _read_items(of, value)
        case Fixed(of=parts) if isinstance(value, list) and len(value) == len(parts):
            places = zip(parts, value, strict=True)
            return [_read_part(str(at), of, item) for at, (of, item) in enumerate(places)]
        case Mapped() if isinstance(value, dict):
            return _read_mapping(bare, value)
        case Record() if isinstance(value, dict):
            return _record(bare, value)
        case Record(members=members) if isinstance(value, list):
            if _is_tuple(bare) and len(value) <= len(members):  # in Python notation
                names = [member.name for member in members[: len(value)]]
                return _record(bare, dict(zip(names, value, strict=True)))
    raise make_mismatch(json.dumps(value, ensure_ascii=False), phrase(shape))


def _read_items(shape: Shape, items: list[Any]) -> list[Any]:
    bare = without_limits(shape)
    if not isinstance(bare, Plain):
        return [_read_part(str(at), shape, item) for at, item in enumerate(items)]
    values: list[Any] = []
    try:
        for item in items:
            values.append(plain_from(bare.type, item))
    except Mismatch as error:
        error.path.insert(0, str(len(values)))
        raise
    return values


def _read_part(where: str, shape: Shape, value: Any) -> Any:
    try:
        return _from_json(shape, value)
    except Mismatch as error:
        error.path.insert(0, where)
        raise


def _read_mapping(shape: Mapped, value: dict[str, Any]) -> dict[Any, Any]:
    entries: dict[Any, Any] = {}
    for name, item in value.items():
        key = name if shape.keys == _TEXT else _read_part(name, shape.keys, name)
        if key in entries:
            raise Mismatch(f"cannot be read: the key {name!r} comes twice")
        entries[key] = _read_part(name, shape.of, item)
    return entries


def _record(shape: Record, value: dict[str, Any]) -> dict[str, Any]:
    members = {member.name: member for member in shape.members}
    named = match_keys(members, value)
    absent = {fold_key(name): name for name in members if name not in named}
    entries: dict[str, Any] = {}
    for name, item in named.items():
        member = members.get(name)
        if member is None:
            if absent and fold_key(name) in absent:
                meant = absent[fold_key(name)]
                raise Mismatch(f"cannot be read: several of its keys may mean {meant!r}")
            entries[name] = anything_from(item)
        elif not _is_left_out(member, item):
            entries[name] = _read_part(name, member.shape, item)
    return entries


def _is_left_out(member: Member, value: Any) -> bool:
    """Return whether null means the default of a member that does not accept null."""
    shape = without_limits(member.shape)
    if member.default is REQUIRED or isinstance(shape, (Maybe, Anything)):
        return False
    if isinstance(shape, Choice) and "null" in shape.choices:
        return False
    if not isinstance(value, str):
        return value is None
    if not is_null(value, blank=False) or (shape == _TEXT and type(value) is not Unquoted):
        return False
    return not (isinstance(shape, Choice) and _names_choice(shape, value))


def _names_choice(shape: Choice, text: str) -> bool:
    try:
        match_label(shape, text)
    except Mismatch:
        return False
    return True


_CONTAINERS = Containers(_container, _from_json, _record)
