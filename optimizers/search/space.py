"""The search space: a few values for every parameter, the current value first."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langprog import Module
from langprog.errors import InputError
from optimizers.evaluation.candidate import parameter_to_json

Assignment = tuple[int, ...]


@dataclass(frozen=True)
class Choice:
    """A parameter and the values it may take.

    Args:
        key: The parameter, as ``program.parameters()`` names it.
        values: Values to choose from; the first is the program's own.
        labels: A short label for each value.
    """

    key: str
    values: Sequence[Any]
    labels: Sequence[str] = field(default=())

    def label(self, index: int) -> str:
        """Return a short label of value ``index``."""
        return self.labels[index] if self.labels else str(index)


def list_module_choices(program: Module) -> list[Choice]:
    """List what the modules of a program offer to a search.

    Args:
        program: The program; a choice's first value is its own.

    Raises:
        InputError: A module offers values for something that is not its parameter, values that
            it refuses itself, or values that are not plain data.
    """
    choices = []
    frozen = program.frozen_parts()
    for path, module in program.named_modules().items():
        if path in frozen:
            continue
        known = module.own_parameters()
        place = f"the search space of {path} ({type(module).__name__})"
        space = module.search_space()
        if not isinstance(space, Mapping):
            raise InputError(f"{place} is a {type(space).__name__}: return a dict of lists")
        for name, offered in space.items():
            if name not in known:
                raise InputError(f"{place} has {name!r}, which is not in its own_parameters()")
            if known[name].kind == "structure":  # searched apart, and by the Compiler alone
                continue
            if isinstance(offered, str) or not isinstance(offered, Sequence):
                raise InputError(f"{place} needs a list of values for {name!r}, not {offered!r}")
            values = [known[name].value]
            for value in offered:
                _check_value(module, name, value, place)
                if value not in values:
                    values.append(value)
            labels = [module.value_label(name, value) for value in values]
            choices.append(Choice(f"{path}.{name}", values, labels))
    return choices


def _check_value(module: Module, name: str, value: Any, place: str) -> None:
    try:
        json.dumps(parameter_to_json(value))
    except (TypeError, ValueError):
        raise InputError(f"{place} offers {value!r:.80} for {name!r}: not plain data") from None
    try:
        module.with_own_parameters({name: value})
    except (TypeError, ValueError) as error:
        raise InputError(f"{place} offers {value!r:.80} for {name!r}: {error}") from None


@dataclass(frozen=True)
class SearchSpace:
    """The product of some choices; a point is an index for every choice."""

    choices: tuple[Choice, ...]

    @property
    def baseline(self) -> Assignment:
        """The point that changes nothing."""
        return (0,) * len(self.choices)

    @property
    def size(self) -> int:
        """Number of points."""
        size = 1
        for choice in self.choices:
            size *= len(choice.values)
        return size

    def values(self, point: Assignment) -> dict[str, Any]:
        """Return the parameters that ``point`` sets."""
        return {
            choice.key: choice.values[index]
            for choice, index in zip(self.choices, point, strict=True)
        }

    def label(self, point: Assignment) -> str:
        """Return a label of ``point`` that names what it changes."""
        parts = [
            f"{choice.key}={choice.label(index)}"
            for choice, index in zip(self.choices, point, strict=True)
            if index
        ]
        return ", ".join(parts) or "the program as it is"

    def to_json(self, point: Assignment) -> Mapping[str, int]:
        """Return ``point`` as a JSON object: parameter to index."""
        return {choice.key: index for choice, index in zip(self.choices, point, strict=True)}

    def draw_balanced(self, count: int, rng: random.Random) -> list[Assignment]:
        """Draw up to ``count`` different points that show every value about equally often.

        A Latin hypercube over categories: each column is a shuffled run through its values, so
        that ``count`` points say something about every value of every choice; ``count`` points
        drawn at random often do not.
        """
        columns = []
        for choice in self.choices:
            column: list[int] = []
            while len(column) < count:
                block = list(range(len(choice.values)))
                rng.shuffle(block)
                column.extend(block)
            columns.append(column[:count])
        return list(dict.fromkeys(zip(*columns, strict=True)))
