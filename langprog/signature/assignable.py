"""Whether every value of one type is a value of another, so that a step can hand it on."""

from __future__ import annotations

from langprog.signature.shapes import (
    Again,
    Anything,
    Choice,
    Fixed,
    Listing,
    Mapped,
    Maybe,
    Named,
    OneOf,
    Plain,
    Record,
    Shape,
    without_limits,
)


def is_assignable(given: Shape, taken: Shape) -> bool:
    """Return whether a field of type ``taken`` takes every value of type ``given``.

    Limits are left out: whether a value keeps them shows when it is there.
    """
    if isinstance(given, (Named, Again)) and isinstance(taken, (Named, Again)):
        return bool(given.type == taken.type)
    given, taken = without_limits(given), without_limits(taken)
    match given, taken:
        case _, Anything():
            return True
        case Maybe(), Maybe():
            return is_assignable(given.of, taken.of)
        case Maybe(), _:
            return False
        case _, Maybe():
            return is_assignable(given, taken.of)
        case OneOf(), _:
            return all(is_assignable(part, taken) for part in given.of)
        case _, OneOf():
            return any(is_assignable(given, part) for part in taken.of)
        case _:
            return _is_one(given, taken)


def _is_one(given: Shape, taken: Shape) -> bool:
    match given, taken:
        case Plain(), Plain():
            return given == taken or (given.type is int and taken.type is float)
        case Choice(), Plain():
            # Of Enums, only members of a StrEnum are texts; true is not a number here.
            values = given.choices.values()
            return all(
                isinstance(value, taken.type) and isinstance(value, bool) == (taken.type is bool)
                for value in values
            )
        case Choice(), Choice():
            labels = given.choices.items() <= taken.choices.items()
            return given.enum is taken.enum and labels
        case Listing(), Listing():
            return given.type is taken.type and is_assignable(given.of, taken.of)
        case Mapped(), Mapped():
            return given.keys == taken.keys and is_assignable(given.of, taken.of)
        case Fixed(), Fixed():
            pairs = zip(given.of, taken.of, strict=False)
            return len(given.of) == len(taken.of) and all(is_assignable(*pair) for pair in pairs)
        case Record(), Record():
            return given.type is taken.type
    return given == taken
