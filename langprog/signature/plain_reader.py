"""Reads plain JSON data as values of types that JSON does not have; see ``plain_data``.

pydantic reads most types well. This module reads what pydantic would mistake for something else: a
number for a date, a dict for the wrong one of two models.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from langprog.errors import InputError
from langprog.media import Media
from langprog.signature.formats import read_formatted
from langprog.signature.plain_data import is_of
from langprog.signature.records import is_named_tuple
from langprog.signature.shapes import (
    Attachment,
    Choice,
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
    label_of,
    without_limits,
)
from langprog.signature.unions import any_typed_dict, record_fitting, records_by_label, tags_of
from langprog.signature.validators import validator_of

_INTEGER = re.compile(r"[+-]?\d{1,4000}", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,6})?", re.ASCII)


class Unfit(ValueError):
    """A value does not fit its type.

    Args:
        said: What is wrong, as the continuation of a sentence that starts with the value's name.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said
        self.path: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: it {self.said}" if self.path else f"it {self.said}"


class PlainReader:
    """Reads what pydantic would misread, and leaves the rest to it.

    Args:
        folder: Where a text may name a file of this machine: in the current folder or, if it is
            not there, in this one. ``None`` where the data may not come from its user.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def read(self, shape: Shape, value: Any) -> Any:
        """Return plain data, or a value, with the special parts read.

        Raises:
            Unfit: A part does not fit its type.
        """
        match without_limits(shape):
            case Formatted(type=kind):
                return _read_formatted(kind, value)
            case Maybe(of=of):
                return None if value is None else self.read(of, value)
            case Listing(of=of):
                return self._items(value, lambda at: of)
            case Fixed(of=parts):
                fits = isinstance(value, (list, tuple)) and len(value) == len(parts)
                return self._items(value, lambda at: parts[at]) if fits else value
            case Mapped(keys=keys, of=of):
                if not isinstance(value, Mapping):
                    return value
                return {
                    self._inside(str(name), keys, name): self._inside(str(name), of, item)
                    for name, item in value.items()
                }
            case Record() as record:
                return self._members(record, value)
            case OneOf() as union:
                return self._one_of(union, value)
            case Attachment(type=kind):
                return self._attachment(kind, value)
        return value

    def _items(self, value: Any, of: Callable[[int], Shape]) -> Any:
        if isinstance(value, (set, frozenset)):
            return type(value)(self._inside(str(at), of(at), v) for at, v in enumerate(value))
        if not isinstance(value, (list, tuple)):
            return value
        items = [self._inside(str(at), of(at), item) for at, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items  # a set may hold it

    def _inside(self, where: str, shape: Shape, value: Any) -> Any:
        try:
            return self.read(shape, value)
        except Unfit as error:
            error.path.insert(0, where)
            raise

    def _members(self, record: Record, value: Any) -> Any:
        if is_named_tuple(record.type) and isinstance(value, (list, tuple)):
            if type(value) is record.type or len(value) > len(record.members):
                return value
            value = {m.name: item for m, item in zip(record.members, value, strict=False)}
        if not isinstance(value, Mapping):
            return value
        members: dict[str, Member] = {}
        for member in record.members:
            members[member.name] = members[member.attribute or member.name] = member
        return {
            name: self._inside(str(name), members[name].shape, item) if name in members else item
            for name, item in value.items()
        }

    def _one_of(self, union: OneOf, value: Any) -> Any:
        if isinstance(value, str):
            return _text(union, value)
        parts = [without_limits(part) for part in union.of]
        if any(is_of(part, value) for part in parts if isinstance(part, (Choice, Formatted))):
            return value
        if isinstance(value, Mapping):
            mapped = next((part for part in parts if isinstance(part, Mapped)), None)
            if mapped is not None:
                return self.read(mapped, value)
            record, rest = find_record(union, value)
            return value if record is None else build_record(record, self._members(record, rest))
        several = isinstance(value, (list, tuple, set, frozenset))
        listed = next((part for part in parts if isinstance(part, (Listing, Fixed))), None)
        if several and listed is not None and not is_named_tuple(type(value)):
            return self.read(listed, value)
        return value

    def _attachment(self, kind: type[Media], value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.startswith(("https://", "http://", "data:")) or self._folder is None:
            return value
        path = Path(value)
        try:
            return kind(path if path.exists() else self._folder / path)
        except InputError as error:
            raise Unfit(f"cannot be used: {error}") from None

    def cell(self, union: OneOf, text: str) -> Any:
        """Return the value of a table cell whose column is a union.

        Raises:
            Unfit: It fits none of the types.
        """
        for part in map(without_limits, union.of):
            if isinstance(part, Choice) and text in part.choices:
                return part.choices[text]
        kinds = [part.type for part in map(without_limits, union.of) if isinstance(part, Plain)]
        if bool in kinds and text in ("true", "false"):
            return text == "true"
        if int in kinds and _INTEGER.fullmatch(text):
            return int(text)
        if float in kinds and _NUMBER.fullmatch(text):
            return float(text)
        if text[:1] in ("[", "{"):
            try:
                return self.read(union, json.loads(text))
            except (ValueError, RecursionError):
                if str not in kinds:
                    raise Unfit(f"is {text!r:.60}, which is not JSON") from None
        return self.read(union, text)


def _read_formatted(kind: type, value: Any) -> Any:
    if isinstance(value, str):
        try:
            return read_formatted(kind, value)
        except ValueError as error:
            raise Unfit(str(error)) from None
    # pydantic would take a number for seconds or a timestamp, and a bool for a number.
    number = isinstance(value, (int, float))
    if number and (isinstance(value, bool) or kind.__module__ == "datetime"):
        raise Unfit(f"is {value!r:.40}, but must be a {kind.__name__}")
    return value


def _text(union: OneOf, value: str) -> Any:
    for part in map(without_limits, union.of):
        if isinstance(part, Choice) and value in part.choices:
            choice = part.choices[value]
            if type(choice.value if isinstance(choice, Enum) else choice) is str:
                return choice
    for part in map(without_limits, union.of):
        if isinstance(part, Formatted):
            try:
                return read_formatted(part.type, value)
            except ValueError:
                continue
    return value


def find_record(union: OneOf, value: Mapping[str, Any]) -> tuple[Record | None, Mapping[str, Any]]:
    """Return the record of a union that an object belongs to, and the object without our tag.

    Raises:
        Unfit: Its tag names no record, or it has no tag and several fit.
    """
    tags = tags_of(union)
    tagged = records_by_label(union)
    if not tags.tag:
        records = [part for part in map(without_limits, union.of) if isinstance(part, Record)]
        return (records[0] if records else None), value
    if tags.tag in value:
        label = value[tags.tag]
        record = tagged.get(label_of(label))
        if record is None:
            raise Unfit(f"has {tags.tag}={label!r:.40}, but it can be {', '.join(tagged)}")
        rest = {key: item for key, item in value.items() if key != tags.tag}
        return record, rest if tags.labels else value
    record = record_fitting(union, value)
    if record is None and any_typed_dict(union, value):
        return None, value  # a dict need not say which TypedDict it is
    if record is None:
        raise Unfit(f"must say which type it is: {tags.tag!r} is missing, {', '.join(tagged)}")
    return record, value


def build_record(record: Record, data: Any) -> Any:
    """Return an instance of a record, so that a union cannot mistake its data for another.

    Raises:
        Unfit: The data does not fit.
    """
    try:
        return validator_of(record.type).validate_python(data)
    except ValueError as error:
        details = getattr(error, "errors", None)
        first = details(include_url=False)[0] if details else {"loc": (), "msg": str(error)}
        unfit = Unfit(f"does not fit {record.type.__name__}: {first['msg']}")
        unfit.path = [str(part) for part in first["loc"]]
        raise unfit from None
