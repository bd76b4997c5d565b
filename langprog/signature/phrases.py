"""Types in words, as prompts describe them.

These words are part of certified prompts, so they never change for an existing field: each field
keeps the version of its wording (:data:`WORDING`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from langprog.signature.limits import CLEANING
from langprog.signature.shapes import (
    FORMATTED,
    PLAIN,
    REQUIRED,
    Again,
    Anything,
    Attachment,
    Bounded,
    Choice,
    Conversation,
    Fixed,
    Formatted,
    Listing,
    Mapped,
    Maybe,
    Member,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
)
from langprog.signature.unions import tags_of

# Version 2 adds the names of numbered choices, the descriptions of dataclass members, and the keys
# and values of a dict unless they are plain.
WORDING = 2

_LIMITS: Mapping[str, str] = MappingProxyType(
    {
        "ge": ">= {}",
        "gt": "> {}",
        "le": "<= {}",
        "lt": "< {}",
        "multiple_of": "a multiple of {}",
        "max_digits": "at most {} digits",
        "decimal_places": "at most {} decimal places",
        "min_length": "at least {} long",
        "max_length": "at most {} long",
        "pattern": "matching {}",
    }
)


def phrase(shape: Shape, wording: int = WORDING) -> str:
    """Return a field's type in words, its limits and rules after it: ``integer, >= 0``.

    Args:
        shape: The type.
        wording: The version of the wording.
    """
    return _Words(wording).phrase(shape)


def choice_text(choice: Choice, label: str, *, names: bool = True) -> str:
    """Return a label as a prompt shows it, with its name and description: ``2 (HIGH: ...)``.

    Args:
        choice: The choice.
        label: One of its labels.
        names: Whether to show the names of numbered labels.
    """
    name = choice.names.get(label, "") if names else ""
    told = ": ".join(filter(None, (name, choice.told.get(label, ""))))
    return f"{label} ({told})" if told else label


class _Words:
    """Puts types into words.

    Args:
        wording: The version of the wording.
    """

    def __init__(self, wording: int) -> None:
        self._wording = wording
        self._new = wording >= 2

    def phrase(self, shape: Shape) -> str:
        if isinstance(shape, Bounded):
            return ", ".join([self._inner(shape.of), *_conditions(shape)])
        return self._inner(shape)

    def _inner(self, shape: Shape) -> str:
        match shape:
            case Plain():
                return PLAIN[shape.type]
            case Choice():
                labels = (choice_text(shape, key, names=self._new) for key in shape.choices)
                return f"one of: {', '.join(labels)}"
            case Maybe():
                return f"{self._inner(shape.of)}, or null"
            case Listing() | Fixed():
                return self._list(shape)
            case Mapped():
                return self._dict(shape)
            case Record():
                return self._record(shape)
            case Bounded():
                return self._inner(shape.of) + _brackets(_conditions(shape))
            case _:
                return self._phrase_newer(shape)

    def _phrase_newer(self, shape: Shape) -> str:
        match shape:
            case Formatted():
                return FORMATTED[shape.type]
            case OneOf():
                tags = tags_of(shape)
                return ", or ".join(
                    self._phrase_tagged(part, tags.tag, tags.labels[at])
                    if at in tags.labels
                    else self._inner(part)
                    for at, part in enumerate(shape.of)
                )
            case Named():
                return f"{shape.name}: {self._inner(shape.of)}"
            case Again():
                return shape.name
            case Attachment():
                return shape.type.__name__.lower()
            case Conversation():
                return "earlier turns of this conversation, as messages"
            case _:
                return "any JSON value"

    def _phrase_tagged(self, shape: Shape, tag: str, label: str) -> str:
        match shape:
            case Record():
                return self._record(shape, tag, label)
            case Named():
                return f"{shape.name}: {self._phrase_tagged(shape.of, tag, label)}"
            case Bounded():
                return self._phrase_tagged(shape.of, tag, label) + _brackets(_conditions(shape))
            case _:
                return f'{self._inner(shape)} with "{tag}": "{label}"'

    def _list(self, shape: Listing | Fixed) -> str:
        if isinstance(shape, Fixed):
            return f"JSON list: [{', '.join(map(self._inner, shape.of))}]"
        if isinstance(shape.of, Anything):
            return "JSON list"
        once = ", each once" if shape.type in (set, frozenset) else ""
        return f"JSON list of {self._inner(shape.of)}{once}"

    def _dict(self, shape: Mapped) -> str:
        keys, of = _says_something(shape.keys), _says_something(shape.of)
        if not self._new or not (keys or of):
            return "JSON object"
        told = [f"each key {self._inner(shape.keys)}"] if keys else []
        told += [f"each value {self._inner(shape.of)}"] if of or keys else []
        return f"JSON object ({'; '.join(told)})"

    def _record(self, shape: Record, tag: str = "", label: str = "") -> str:
        members = [f'"{tag}": "{label}"'] if label else []
        members += [self._member(member) for member in shape.members]
        return f"JSON object: {{{', '.join(members)}}}" + _brackets(shape.rules)

    def _member(self, member: Member) -> str:
        limits = _conditions(member.shape) if isinstance(member.shape, Bounded) else []
        free = [] if member.default is REQUIRED else ["may be left out"]
        shown = member.description and self._wording >= member.worded
        told = [member.description] if shown else []
        shape = member.shape.of if isinstance(member.shape, Bounded) else member.shape
        return f'"{member.name}": {self._inner(shape)}' + _brackets([*limits, *free, *told])


def _says_something(shape: Shape) -> bool:
    """Return whether a value in a dict needs a description beyond "JSON"."""
    match shape:
        case Plain() | Anything():
            return False
        case Maybe():
            return _says_something(shape.of)
        case Listing():
            return shape.type is not list or _says_something(shape.of)
        case Mapped():
            return _says_something(shape.keys) or _says_something(shape.of)
    return True


def _conditions(shape: Bounded) -> list[str]:
    limits = shape.limits.items()
    return [*(_LIMITS[k].format(v) for k, v in limits if k not in CLEANING), *shape.rules]


def _brackets(parts: Iterable[str]) -> str:
    inside = "; ".join(parts)
    return f" ({inside})" if inside else ""
