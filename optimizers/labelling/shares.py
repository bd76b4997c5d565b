"""Known shares of labels, and probabilities that keep to them."""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from langprog.errors import InputError
from langprog.signature import FieldSpec

ROUNDS, ENOUGH = 500, 1e-9


def label_key(field: FieldSpec, value: Any) -> str:
    """Return a text that is the same for equal labels."""
    return json.dumps(field.plain(value), sort_keys=True, ensure_ascii=False)


def read_shares(shares: Mapping[Any, float], field: FieldSpec) -> dict[str, float]:
    """Return shares by the keys of their labels.

    Raises:
        InputError: A label is not of the field's type, or the shares do not add up to 1.
    """
    read: dict[str, float] = {}
    for label, share in shares.items():
        known = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not known or not 0 < share <= 1:
            raise InputError(f"the share of {label!r:.40} is {share!r:.40}: give a number up to 1")
        read[label_key(field, field.from_row(label))] = float(share)
    if not math.isclose(sum(read.values()), 1.0, abs_tol=0.01):
        raise InputError(
            f"the shares add up to {sum(read.values()):.3f}: give that of every label, 1 in all"
        )
    return read


def keep_to_shares(
    chances: Sequence[Mapping[str, float]], shares: Mapping[str, float]
) -> list[dict[str, float]]:
    """Return probabilities by row whose means are the shares, as near to those given as can be.

    Follows: Sinkhorn's algorithm, as in Sinkhorn Label Allocation (Tai et al., 2021): rows and
    columns are scaled in turn.

    Raises:
        InputError: A label that rows may have is in no share.
    """
    numpy: Any = importlib.import_module("numpy")
    labels = list(chances[0])
    if missing := [label for label in labels if label not in shares]:
        raise InputError(f"the shares lack the label {missing[0]}, which was voted for")
    # A label that nobody voted for keeps its share to itself.
    wanted = numpy.array([shares[label] for label in labels])
    wanted /= wanted.sum()
    matrix = numpy.array([[max(row[label], 1e-9) for label in labels] for row in chances])
    for _ in range(ROUNDS):
        scale = wanted * len(matrix) / matrix.sum(axis=0)
        matrix *= scale
        matrix /= matrix.sum(axis=1, keepdims=True)
        if abs(scale - 1).max() < ENOUGH:
            break
    return [dict(zip(labels, map(float, row), strict=True)) for row in matrix]
