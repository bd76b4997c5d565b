"""Train, validation and holdout: who sees which examples.

Demonstrations and proposals come from train, the search is steered by validation, the holdout is
kept by the compile itself and used once, after the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from langprog import Example
from langprog.errors import InputError
from optimizers.identity import random_stream

# Parts of a trainset, where it is all there is; where a valset or a holdout is given, the parts
# that are still wanted keep their proportions to one another.
TRAIN, VALIDATION, HOLDOUT = 0.3, 0.4, 0.3
SMALLEST = 2


@dataclass(frozen=True, slots=True)
class Split:
    """Three parts without a common example.

    Args:
        train: For demonstrations and proposals.
        validation: For choosing among candidates.
        holdout: For the certificate alone.
        moved: Examples that were given in two parts and kept in only one of them.
    """

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    holdout: tuple[Example, ...]
    moved: int = 0


def split(
    trainset: Sequence[Example],
    valset: Sequence[Example] | None,
    holdout: Sequence[Example] | None,
    seed: int,
) -> Split:
    """Divide the examples.

    Equal examples stay together, so that none is on both sides of a border. An example of the
    holdout that was handed over as train or validation as well is taken out there.

    Args:
        trainset: Divided into the parts that are not given.
        valset: The validation part, where the user has one.
        holdout: The holdout, where the user has one.
        seed: Decides who goes where.

    Raises:
        InputError: There are too few examples for the parts.
    """
    shares = [("train", TRAIN)]
    if valset is None:
        shares.append(("validation", VALIDATION))
    if holdout is None:
        shares.append(("holdout", HOLDOUT))
    parts = _divided(trainset, shares, seed)
    held = parts["holdout"] if holdout is None else _mixed(holdout, seed, "holdout")
    validation = parts["validation"] if valset is None else _mixed(valset, seed, "validation")
    secret = {example.digest for example in held}
    kept_validation = tuple(one for one in validation if one.digest not in secret)
    steering = secret | {example.digest for example in kept_validation}
    train = tuple(one for one in parts["train"] if one.digest not in steering)
    moved = len(validation) - len(kept_validation) + len(parts["train"]) - len(train)
    result = Split(train, kept_validation, held, moved)
    for name in ("train", "validation", "holdout"):
        part: tuple[Example, ...] = getattr(result, name)
        if len(part) < SMALLEST:
            raise InputError(
                f"too few examples: {len(trainset)} in the trainset leave {len(part)} for {name}; "
                "give more (a few dozen make a compile worth while, a few hundred a good one)"
            )
    return result


def _mixed(examples: Sequence[Example], seed: int, name: str) -> tuple[Example, ...]:
    """Return a part that was given in an order of its own: a file may be sorted by label."""
    order = sorted(examples, key=lambda example: example.digest)
    random_stream(seed, "order", name).shuffle(order)
    return tuple(order)


def _divided(
    examples: Sequence[Example], shares: Sequence[tuple[str, float]], seed: int
) -> dict[str, tuple[Example, ...]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.digest, []).append(example)
    # Sorted first, so that the order of the file does not decide who goes where.
    order = sorted(groups)
    random_stream(seed, "split").shuffle(order)
    whole = sum(share for _, share in shares)
    parts: dict[str, tuple[Example, ...]] = {}
    begun, taken = 0, 0.0
    for name, share in shares:
        taken += share
        end = round(len(order) * taken / whole)
        parts[name] = tuple(one for digest in order[begun:end] for one in groups[digest])
        begun = end
    return parts
