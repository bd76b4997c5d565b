"""Tasks as values, and their text in the prompt formats that programs really send.

The formats are those of the ``chat`` and ``json`` adapters, and a form with ``[[ ## name ## ]]``
markers that other programs use. A test holds this text equal to the adapters' own.
"""

from __future__ import annotations

import json
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


def plain(value: Value) -> str:
    """Return a value as the chat form writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def head(episode: Episode) -> str:
    """Return the instruction and the field lines."""
    lines = [episode.instruction, "", "Input fields:", *(s.line() for s in episode.inputs)]
    lines += ["Output fields:", *(s.line() for s in episode.outputs)]
    return "\n".join(lines)


def _sections(slots: tuple[Slot, ...], values: dict[str, Value], form: str) -> str:
    if form == "json":
        return json.dumps(
            {s.name: values[s.name] for s in slots if s.name in values}, ensure_ascii=False
        )
    left, right, gap = ("[[ ## ", " ## ]]", "\n\n") if form == "marks" else ("[[", "]]", "\n")
    return gap.join(
        f"{left}{s.name}{right}\n{plain(values[s.name])}" for s in slots if s.name in values
    )


def system(episode: Episode, form: str) -> str:
    """Return the system message in ``form``: "chat", "json" or "marks"."""
    names = [s.name for s in episode.outputs]
    if form == "json":
        ask = (
            "Reply with one JSON object that has exactly these keys, in this order: "
            + ", ".join(names)
        )
    elif form == "marks":
        slots = [*episode.inputs, *episode.outputs]
        lines = "\n\n".join(f"[[ ## {s.name} ## ]]\n{{{s.name}}}" for s in slots)
        ask = f"All interactions will be structured in the following way.\n\n{lines}"
    else:
        marks = " ".join(f"[[{n}]]" for n in names)
        ask = "Reply with the output fields, each under its marker, in this order: " + marks
    return f"{head(episode)}\n\n{ask}"


def turns(episode: Episode, form: str = "chat") -> list[Turn]:
    """Return the messages of ``episode``; the last one is the answer that is asked for."""
    out = [Turn("system", system(episode, form))]
    for row in episode.rows:
        out.append(Turn("user", _sections(episode.inputs, row.inputs, form)))
        weights = tuple(
            row.weights.get(s.name, 1.0) for s in episode.outputs if s.name in row.outputs
        )
        out.append(Turn("assistant", _sections(episode.outputs, row.outputs, form), weights))
    return out
