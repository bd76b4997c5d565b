"""Values as text and back: forgiving in form at every depth, never in content.

A value is written plainly where reading it gives the very same value back, and as a JSON string
otherwise, so that blanks at the ends, an empty text or the text ``"null"`` survive. Inside JSON
the words null and none stand for no value where a type has one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from langprog.adapters.json_reader import Ambiguous, CutOff, Unquoted
from langprog.adapters.key_names import by_name, folded
from langprog.adapters.loose_json import Found, loose_json
from langprog.adapters.scalars import (
    Mismatch,
    chosen_from,
    decoded,
    formatted,
    is_null,
    mismatch,
    number,
    truth,
    unfenced,
)
from langprog.adapters.unions import Containers, union_from_json, union_from_text
from langprog.errors import InputError, ParseError
from langprog.media import Media
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
    whole_text,
    without_limits,
)

_BULLET = re.compile(r"(?:[-*\u2022]|\d+[.)])[ \t]+(\S.*)")
_BULLETED = re.compile(r"^[ \t]*+(?:[-*\u2022]|\d++[.)])[ \t]++\S", re.MULTILINE)
_NUMERIC = re.compile(r"-?(?:0|[1-9]\d*+)(\.\d++)?+([eE][+-]?\d++)?", re.ASCII)
_PADDED = re.compile(r"[+-]?0\d")
_WRITER = json.JSONEncoder(ensure_ascii=False)
_WORDS: Mapping[str, Any] = MappingProxyType(
    {"true": True, "false": False, "none": None, "null": None}
)
_TEXT = Plain(str)


# --- writing -------------------------------------------------------------------------------------


def encode(field: FieldSpec, value: Any) -> str:
    """Return ``value`` as it stands in a prompt.

    Raises:
        InputError: It does not fit the field.
    """
    data = prompt_data(field, value)
    return data if isinstance(data, str) and _reads_back(field, data) else json_text(data)


def prompt_data(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` as the plain data that is written into a prompt.

    Raises:
        InputError: It does not fit the field, or is no text: an image, or turns of a conversation.
    """
    if field.is_history:
        raise InputError(_ASKED.format(name=field.name, kind="History"))
    return (
        field.write(value, lambda media: _address(field, media))
        if field.special
        else field.plain(value)
    )


_ASKED = (
    "{name!r} is an lp.{kind}, which is not sent as text: an adapter that takes it writes its "
    "inputs with langprog.adapters.asked"
)


def _address(field: FieldSpec, media: Media) -> str:
    # Bytes would become base 64, which no model reads in a text and everybody pays for.
    if media.data is not None:
        raise InputError(_ASKED.format(name=field.name, kind=type(media).__name__))
    return media.url or ""


def json_text(data: Any) -> str:
    """Return plain data as JSON on one line, its letters as they are.

    Raises:
        InputError: A text in it holds half of a character.
    """
    text = _WRITER.encode(data)
    if not whole_text(text):
        raise InputError("a text in it holds half of a character")
    return text


def _reads_back(field: FieldSpec, text: str) -> bool:
    shape = without_limits(field.shape)
    if isinstance(shape, Plain):
        # By far the most frequent case, decided without a trial read.
        return text == text.strip() and (not text or text[0] not in '"`' or decoded(text) == text)
    try:
        again = _from_text(shape, text)
        if field.special:
            return bool(field.plain(again) == text)
    except (Mismatch, InputError):
        return False
    # A choice is known by its text, whatever type stands behind it.
    plain = getattr(again, "value", again)
    return type(plain) is str and bool(plain == text)


_KINDS: Mapping[type, str] = MappingProxyType(
    {str: "a text", bool: "true or false", int: "an integer", float: "a number"}
)


# --- reading a text ------------------------------------------------------------------------------


def decode(field: FieldSpec, text: str) -> Any:
    """Return the value that ``text`` stands for.

    Args:
        field: The field that is read.
        text: What the model wrote for it.

    Raises:
        ParseError: It is no value of the field, or breaks one of its constraints.
    """
    try:
        data = _from_text(field.shape, text)
    except Mismatch as error:
        raise ParseError(error.told(field.name)) from None
    return fitted(field, data)


def fitted(field: FieldSpec, value: Any) -> Any:
    """Return ``value`` validated as the field's type and constraints.

    Raises:
        ParseError: It does not fit.
    """
    try:
        return field.validate(value)
    except InputError as error:
        raise ParseError(str(error)) from None


def _from_text(shape: Shape, text: str) -> Any:
    match without_limits(shape):
        case Plain(type=kind):
            plain = decoded(text)
            if kind is str:
                return plain
            return truth(plain) if kind is bool else number(kind, plain)
        case Choice() as choice:
            return chosen_from(choice, decoded(text))
        case Maybe(of=of):
            return None if _says_null(of, text) else _from_text(of, text)
        case Formatted(type=kind):
            return formatted(kind, decoded(text))
        case OneOf() as union:
            return union_from_text(union, text, _CONTAINERS)
        case Attachment():
            return text.strip()
        case whole:
            return _container(whole, text)


def _says_null(of: Shape, text: str) -> bool:
    inner = without_limits(of)
    if isinstance(inner, Choice) and (text in inner.choices or text.strip() in inner.choices):
        return False
    takes_text = inner == _TEXT or (isinstance(inner, OneOf) and _TEXT in inner.of)
    return is_null(text, blank=not takes_text)


def _container(shape: Shape, text: str) -> Any:
    body = unfenced(text.strip())
    if isinstance(shape, (Listing, Fixed)):
        body = _bracketed(shape, body)
    if isinstance(shape, Listing) and body[:1] != "[":
        items = _bullets(shape, body)
        if items is not None:
            return items
    kind: type = list if isinstance(shape, (Listing, Fixed)) else dict
    try:
        found = loose_json(body, kind, closed=isinstance(shape, Record))
    except CutOff as error:
        raise Mismatch(f"is cut off: {error}") from None
    except Ambiguous as error:
        raise Mismatch(f"cannot be read: {error}") from None
    if found is None or (isinstance(shape, Listing) and _is_remark(shape, found)):
        raise mismatch(text, phrase(shape))
    return _from_json(shape, found.value)


def _bracketed(shape: Listing | Fixed, text: str) -> str:
    """Return a list in the brackets that Python has for a tuple or a set in those of JSON."""
    kind = shape.type if isinstance(shape, Listing) else tuple
    begin, end = {tuple: "()", set: "{}"}.get(kind, "[]")
    return f"[{text[1:-1]}]" if text[:1] == begin and text[-1:] == end else text


def _bullets(shape: Listing, text: str) -> list[Any] | None:
    # A list of plain values, one a line, each behind a dash or a number.
    if isinstance(without_limits(shape.of), (Listing, Fixed, Mapped, Record, Anything)):
        return None
    texts: list[str] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        item = _BULLET.fullmatch(line)
        if item is None:
            return None
        texts.append(item[1])
    return [_from_text(shape.of, item) for item in texts] if texts else None


def _is_remark(shape: Listing, found: Found) -> bool:
    """Return whether brackets in the middle of a text may be a mere part of it, as in [1]."""
    around = found.before.strip("` \t\r\n"), found.after.strip("` \t\r\n")
    if not any(around):
        return False
    if any(_BULLETED.search(words) for words in around):
        return True
    return without_limits(shape.of) == _TEXT and any(type(i) is Unquoted for i in found.value)


# --- reading JSON --------------------------------------------------------------------------------


def from_data(field: FieldSpec, value: Any) -> Any:
    """Return a field's value from what stood in a JSON reply.

    Raises:
        ParseError: It does not fit.
    """
    if type(value) is str and field.exact is str:
        return fitted(field, value)
    try:
        data = _from_json(field.shape, value)
    except Mismatch as error:
        raise ParseError(error.told(field.name)) from None
    except RecursionError:
        raise ParseError(f"{field.name!r} cannot be read: it is nested too deeply") from None
    return fitted(field, data)


def _from_json(shape: Shape, value: Any) -> Any:
    """Return plain data for the type's validator; what is not forgiven is left for it to refuse.

    Raises:
        Mismatch: The validator might take ``value`` for something else than it says.
    """
    bare = without_limits(shape)
    if isinstance(bare, Plain):  # by far the most frequent
        return _plain(bare.type, value)
    match bare:
        case Choice() as choice:
            return _choice(choice, value)
        case Maybe(of=of):
            nothing = isinstance(value, str) and _says_null(of, value)
            return None if value is None or nothing else _from_json(of, value)
        case Anything():
            return _anything(value)
        case Formatted(type=kind):
            if isinstance(value, str):
                return formatted(kind, value)
        case OneOf() as union:
            return union_from_json(union, value, _CONTAINERS)
        case Attachment():
            return value
    if isinstance(value, str) and type(value) is not Unquoted:
        return _container(bare, value)
    if isinstance(bare, Listing) and isinstance(value, list):
        return _listed(bare.of, value)
    if isinstance(bare, Mapped) and isinstance(value, dict):
        return _mapped(bare, value)
    if isinstance(bare, Fixed) and isinstance(value, list) and len(value) == len(bare.of):
        return [_inside(str(at), of, item) for at, (of, item) in enumerate(zip(bare.of, value))]
    if isinstance(bare, Record) and isinstance(value, list) and issubclass(bare.type, tuple):
        value = dict(zip([member.name for member in bare.members], value))
    if isinstance(bare, Record) and isinstance(value, dict):
        return _record(bare, value)
    raise mismatch(json.dumps(value, ensure_ascii=False), phrase(shape))


def _listed(shape: Shape, items: list[Any]) -> list[Any]:
    bare = without_limits(shape)
    if not isinstance(bare, Plain):
        return [_inside(str(at), shape, item) for at, item in enumerate(items)]
    values: list[Any] = []
    try:
        for item in items:
            values.append(_plain(bare.type, item))
    except Mismatch as error:
        error.path.insert(0, str(len(values)))
        raise
    return values


def _inside(where: str, shape: Shape, value: Any) -> Any:
    try:
        return _from_json(shape, value)
    except Mismatch as error:
        error.path.insert(0, where)
        raise


def _plain(kind: type, value: Any) -> Any:
    if isinstance(value, (list, dict)):
        # Said here and at once: the validator would first look at every other item.
        raise mismatch(json.dumps(value, ensure_ascii=False), _KINDS[kind])
    if kind is str:
        if isinstance(value, bool):
            return _written(value)
        # Without quotes, it says that there is no text.
        absent = type(value) is Unquoted and is_null(value, blank=False)
        return None if absent else str(value) if isinstance(value, str) else value
    if kind is bool:
        if type(value) is Unquoted and value in ("0", "1"):
            return value == "1"
        return truth(value) if isinstance(value, str) else value
    wanted = _KINDS[kind]
    if isinstance(value, bool):  # Python takes them for 1 and 0
        raise mismatch(_written(value), wanted)
    if type(value) is Unquoted and _PADDED.match(value):  # perhaps the rest of another one
        raise mismatch(value, wanted)
    return number(kind, value) if isinstance(value, str) else value


def _choice(choice: Choice, value: Any) -> Any:
    if isinstance(value, (list, dict)):
        wanted = f"one of: {', '.join(choice.choices)}"
        raise mismatch(json.dumps(value, ensure_ascii=False), wanted)
    return chosen_from(choice, value if isinstance(value, str) else _written(value))


def _written(value: bool | None) -> str:
    return json.dumps(value)


def _mapped(shape: Mapped, value: dict[str, Any]) -> dict[Any, Any]:
    entries: dict[Any, Any] = {}
    for name, item in value.items():
        key = name if shape.keys == _TEXT else _inside(name, shape.keys, name)
        if key in entries:
            raise Mismatch(f"cannot be read: the key {name!r} comes twice")
        entries[key] = _inside(name, shape.of, item)
    return entries


def _record(shape: Record, value: dict[str, Any]) -> dict[str, Any]:
    members = {member.name: member for member in shape.members}
    named = by_name(members, value)
    absent = {folded(name): name for name in members if name not in named}
    entries: dict[str, Any] = {}
    for name, item in named.items():
        member = members.get(name)
        if member is None:
            if absent and folded(name) in absent:
                meant = absent[folded(name)]
                raise Mismatch(f"cannot be read: several of its keys may mean {meant!r}")
            entries[name] = _anything(item)
        elif not _left_out(member, item):
            entries[name] = _inside(name, member.shape, item)
    return entries


def _left_out(member: Member, value: Any) -> bool:
    """Return whether null stands for a member that has a default and takes no null itself."""
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
        chosen_from(shape, text)
    except Mismatch:
        return False
    return True


def _anything(value: Any) -> Any:
    if isinstance(value, list):
        return [_anything(item) for item in value]
    if isinstance(value, dict):
        return {name: _anything(item) for name, item in value.items()}
    if type(value) is not Unquoted:
        return value
    numeric = _NUMERIC.fullmatch(value)
    if numeric is not None:
        return number(float if numeric[1] or numeric[2] else int, value)
    return _WORDS[value.casefold()] if value.casefold() in _WORDS else str(value)


_CONTAINERS = Containers(_container, _from_json, _record)
