"""Unions: checks that a reply can tell which of their types it means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog.errors import SignatureError
from langprog.signature.records import is_typed_dict
from langprog.signature.shapes import (
    REQUIRED,
    Anything,
    Attachment,
    Choice,
    Conversation,
    Fixed,
    Listing,
    Mapped,
    Maybe,
    Member,
    OneOf,
    Record,
    Shape,
    without_limits,
)

_TAGS = ("type", "kind", "type_name", "kind_name")


@dataclass(frozen=True)
class Tags:
    """What distinguishes the records of a union.

    Args:
        tag: The key that distinguishes them; empty unless there are several records.
        labels: For each record, by its place in the union, the value of a tag that is not one of
            its members; empty if a member distinguishes them.
    """

    tag: str = ""
    labels: Mapping[int, str] = field(default_factory=dict)


def one_of(parts: Sequence[Shape]) -> Shape:
    """Return a union of types, flattening nested unions."""
    flat: list[Shape] = []
    for part in parts:
        for each in part.of if isinstance(part, OneOf) else [part]:
            if each not in flat:  # two names of the same type
                flat.append(each)
    return flat[0] if len(flat) == 1 else OneOf(tuple(flat))


def tags_of(union: OneOf) -> Tags:
    """Return what distinguishes the records of a union.

    The tag is a member that every record has, each with choices of its own; otherwise, it is a key
    ``type`` that no record has, whose value is the name of the class.
    """
    if not union.tags:
        union.tags.append(_tags(union))
    tags: Tags = union.tags[0]
    return tags


def _tags(union: OneOf) -> Tags:
    records = {
        at: part
        for at, part in enumerate(map(without_limits, union.of))
        if isinstance(part, Record)
    }
    if len(records) < 2:
        return Tags()
    tag = _own_tag(list(records.values()))
    if tag:
        return Tags(tag)
    taken = {member.name for record in records.values() for member in record.members}
    tag = next(key for key in (*_TAGS, *(f"type_{n}" for n in range(1000))) if key not in taken)
    return Tags(tag, {at: record.type.__name__ for at, record in records.items()})


def check_union(union: OneOf, name: str) -> None:
    """Check that a reply can tell which type of a union it means.

    Raises:
        SignatureError: Two of the types look the same in JSON.
    """
    parts = [without_limits(part) for part in union.of]
    if any(isinstance(part, (Anything, Attachment, Conversation, Maybe)) for part in parts):
        raise SignatureError(
            f"field {name!r}: Any, lp.Image, lp.Audio, lp.File and lp.History cannot be in a Union"
        )
    lists = [part for part in parts if isinstance(part, (Listing, Fixed))]
    dicts = [part for part in parts if isinstance(part, Mapped)]
    records = any(isinstance(part, Record) for part in parts)
    if len(lists) > 1 or len(dicts) + records > 1:
        kind = "lists" if len(lists) > 1 else "objects"
        raise SignatureError(
            f"field {name!r}: two types of its Union are {kind} in JSON, so that a reply cannot "
            "say which one it means: use models, which are told apart by a tag"
        )
    labels = [key for part in parts if isinstance(part, Choice) for key in part.choices]
    if len(set(labels)) < len(labels):
        raise SignatureError(f"field {name!r}: two of its choices read alike: {labels}")
    names = list(tags_of(union).labels.values())
    if len(set(names)) < len(names):
        raise SignatureError(
            f"field {name!r}: two types of its Union have the same name, so that a reply cannot "
            "say which one it means: rename one, or give them a Literal field that differs"
        )


def _own_tag(records: Sequence[Record]) -> str:
    for member in records[0].members:
        sets = [_choices_under(record, member.name) for record in records]
        total = [label for labels in sets for label in labels]
        if all(sets) and len(set(total)) == len(total):
            return member.name
    return ""


def _choices_under(record: Record, name: str) -> list[str]:
    member = member_named(record, name)
    shape = None if member is None else without_limits(member.shape)
    return list(shape.choices) if isinstance(shape, Choice) else []


def member_named(record: Record, name: str) -> Member | None:
    """Return the member of that name, if there is one."""
    return next((member for member in record.members if member.name == name), None)


def records_by_label(union: OneOf) -> dict[str, Record]:
    """Return the records of a union by the value of its tag."""
    tags = tags_of(union)
    tagged = {}
    for at, part in enumerate(union.of):
        record = without_limits(part)
        if isinstance(record, Record):
            labels = [tags.labels[at]] if tags.labels else _choices_under(record, tags.tag)
            tagged.update(dict.fromkeys(labels, record))
    return tagged


def record_fitting(union: OneOf, keys: Mapping[str, Any]) -> Record | None:
    """Return the only record of a union that fits an object with these keys and no tag."""
    records = [part for part in map(without_limits, union.of) if isinstance(part, Record)]
    fitting = [record for record in records if _fits(record, keys)]
    return fitting[0] if len(fitting) == 1 else None


def any_typed_dict(union: OneOf, keys: Mapping[str, Any]) -> bool:
    """Return whether a dict with these keys fits a TypedDict of a union."""
    records = [part for part in map(without_limits, union.of) if isinstance(part, Record)]
    return any(is_typed_dict(record.type) and _fits(record, keys) for record in records)


def _fits(record: Record, keys: Mapping[str, Any]) -> bool:
    names = {member.name for member in record.members}
    needed = {member.name for member in record.members if member.default is REQUIRED}
    return needed <= keys.keys() <= names
