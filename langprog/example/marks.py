"""Rows that may be trained on, but prove nothing: their labels are weak, or they were chosen.

The mark is a field of the row, so that it stays in a file. Whatever certifies or compares refuses
marked rows, and a compile takes them into its train part alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langprog.errors import InputError
from langprog.example.value import Example

# The field that marks a row; its value says why.
TRAIN_ONLY = "train_only"
# What a table has instead of an empty cell.
_NOT_MARKED = frozenset({"", "0", "false", "no", "none", "null"})


def why_train_only(example: Example) -> str | None:
    """Return why a row may only be trained on; ``None`` if it may be used for everything."""
    value = example.get(TRAIN_ONLY)
    if value is None or value is False or value == 0:
        return None
    text = " ".join(str(value).split())
    if text.casefold() in _NOT_MARKED:
        return None
    return "it says so" if value is True else text


def refuse_train_only(
    examples: Sequence[Example], what: str, name_row: Callable[[int], str]
) -> None:
    """Refuse rows that may only be trained on.

    Args:
        examples: The rows.
        what: What they would be used for, as in "the holdout".
        name_row: The name of a row in messages, by its place.

    Raises:
        InputError: There is such a row.
    """
    marked = [(place, why_train_only(row)) for place, row in enumerate(examples)]
    whys = [(place, why) for place, why in marked if why is not None]
    if not whys:
        return
    place, why = whys[0]
    raise InputError(
        f"{name_row(place)} is marked {TRAIN_ONLY!r} ({why:.80}), as are {len(whys)} of the "
        f"{len(examples)} rows of {what}: such rows may be trained on, and prove nothing; take "
        "them out"
    )
