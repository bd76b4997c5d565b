"""Which examples the compiles behind a program have used.

A program remembers the compiles that it has been through, also in an artifact, after edits and as
a part of another program. Examples that one of them chose by (train and validation) prove nothing
about a program that was chosen by them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langprog.evaluation.clusters import InputKeys
from langprog.example import Example
from langprog.modules import Module, list_compiles

Use = Literal["choosing", "holdout"]


def salted_digest(salt: str, key: str) -> str:
    """Return sixteen hexadecimal digits for a row, which only the salt makes comparable.

    Args:
        salt: Hashed with the row.
        key: A digest of the row.
    """
    return hashlib.sha256(f"{salt} {key}".encode()).hexdigest()[:16]


@dataclass(frozen=True)
class UsedRows:
    """The examples that one compile has used.

    Args:
        record: The compile, as an artifact says it.
        keys: The inputs that the program had then.
    """

    record: Mapping[str, Any]
    keys: InputKeys
    _choosing: frozenset[str] = field(init=False)
    _holdout: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        record = self.record
        choosing = {*record["train"].split(), *record["validation"].split()}
        object.__setattr__(self, "_choosing", frozenset(choosing))
        object.__setattr__(self, "_holdout", frozenset(record["holdout"].split()))

    @classmethod
    def of(cls, program: Module) -> list[UsedRows]:
        """Return the examples of every compile that a program has been through, newest first.

        They are recognized by the inputs that the program had then, if written almost alike; also
        if the present program has others, as long as the examples still hold them.
        """
        records = list_compiles(program)
        # One instance for all compiles with the same inputs.
        keys = {tuple(each["inputs"]): InputKeys(program, each["inputs"]) for each in records}
        return [cls(each, keys[tuple(each["inputs"])]) for each in records]

    def use_of(self, example: Example) -> Use | None:
        """Return what an example was used for."""
        digest = salted_digest(self.record["salt"], self.keys.of_similar(example))
        if digest in self._choosing:
            return "choosing"
        return "holdout" if digest in self._holdout else None


def count_chosen_by(program: Module, examples: Iterable[Example]) -> int:
    """Return how many examples a compile has used to choose a program."""
    compiles: Sequence[UsedRows] = UsedRows.of(program)
    if not compiles:
        return 0
    return sum(any(each.use_of(row) == "choosing" for each in compiles) for row in examples)
