"""Whether a request says which record of a union it means, as the document asks for.

A data file of the user's may leave the tag out where only one record fits; a document that said so
could not say where that is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from langprog.signature import (
    Fixed,
    Listing,
    Mapped,
    Maybe,
    OneOf,
    Record,
    Shape,
    records_by_label,
    tags_of,
    without_limits,
)


def find_missing_tag(shape: Shape, given: Any) -> str:
    """Return the tag that JSON data lacks somewhere; empty if it lacks none.

    Args:
        shape: The shape that it was read as.
        given: The data.
    """
    shape = without_limits(shape)
    if isinstance(shape, Maybe):
        return "" if given is None else find_missing_tag(shape.of, given)
    if isinstance(shape, OneOf):
        tag = tags_of(shape).tag
        if tags_of(shape).labels and isinstance(given, dict) and tag not in given:
            return tag
        labelled = records_by_label(shape)
        if tag and isinstance(given, dict):
            record = labelled.get(str(given.get(tag)))
            return "" if record is None else find_missing_tag(record, given)
    missing = (find_missing_tag(part, value) for part, value in _inside(shape, given))
    return next(filter(None, missing), "")


def _inside(shape: Shape, given: Any) -> Iterator[tuple[Shape, Any]]:
    """Yield the parts of data together with their shapes."""
    if isinstance(shape, OneOf):
        for part in map(without_limits, shape.of):
            fits = (Listing, Fixed) if isinstance(given, list) else (Mapped, Record)
            if isinstance(part, fits):
                yield from _inside(part, given)
    elif isinstance(shape, Listing) and isinstance(given, list):
        yield from ((shape.of, value) for value in given)
    elif isinstance(shape, Fixed) and isinstance(given, list):
        yield from zip(shape.of, given, strict=False)
    elif isinstance(shape, Mapped) and isinstance(given, dict):
        yield from ((shape.of, value) for value in given.values())
    elif isinstance(shape, Record) and isinstance(given, dict):
        for member in shape.members:
            if member.name in given:
                yield member.shape, given[member.name]
