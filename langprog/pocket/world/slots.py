"""Tasks as values: fields, rows, episodes, and the messages that they become."""

from __future__ import annotations

from dataclasses import dataclass, field

Value = str | int | float | bool | list[str] | None


@dataclass(frozen=True)
class Slot:
    """A field: its name, its type phrase ("" for plain text) and its description."""

    name: str
    phrase: str = ""
    description: str = ""

    def line(self) -> str:
        """Return the field's line in the system message."""
        phrase = f" ({self.phrase})" if self.phrase else ""
        return f"- {self.name}{phrase}" + (f": {self.description}" if self.description else "")


@dataclass(frozen=True)
class Row:
    """One example: values by field name, and how much each output counts in training."""

    inputs: dict[str, Value]
    outputs: dict[str, Value]
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Episode:
    """A task as a prompt shows it: the signature and rows, of which the last is asked."""

    instruction: str
    inputs: tuple[Slot, ...]
    outputs: tuple[Slot, ...]
    rows: tuple[Row, ...]
    family: str = ""


@dataclass(frozen=True)
class Turn:
    """A message; ``weights`` are per section, given for assistant messages only."""

    role: str
    content: str
    weights: tuple[float, ...] = ()
