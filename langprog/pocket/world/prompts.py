"""Tasks in the prompt formats that programs really send.

The formats are those of the ``chat`` and ``json`` adapters, and DSPy's. A test holds this text
equal to the adapters' own.
"""

from __future__ import annotations

import json

from langprog.pocket.world.dspy_prompts import dspy_turns
from langprog.pocket.world.slots import Episode, Row, Slot, Turn, Value

__all__ = ["Episode", "Row", "Slot", "Turn", "Value", "plain", "turns"]


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
    return "\n".join(f"[[{s.name}]]\n{plain(values[s.name])}" for s in slots if s.name in values)


def system(episode: Episode, form: str) -> str:
    """Return the system message in ``form``: "chat" or "json"."""
    names = [s.name for s in episode.outputs]
    if form == "json":
        ask = (
            "Reply with one JSON object that has exactly these keys, in this order: "
            + ", ".join(names)
        )
    else:
        marks = " ".join(f"[[{n}]]" for n in names)
        ask = "Reply with the output fields, each under its marker, in this order: " + marks
    return f"{head(episode)}\n\n{ask}"


def turns(episode: Episode, form: str = "chat") -> list[Turn]:
    """Return the messages of ``episode``; the last one is the answer that is asked for.

    Args:
        episode: The task and its rows.
        form: "chat", "json", "dspy" or "dspy-json".
    """
    if form.startswith("dspy"):
        return dspy_turns(episode, form)
    out = [Turn("system", system(episode, form))]
    for row in episode.rows:
        out.append(Turn("user", _sections(episode.inputs, row.inputs, form)))
        weights = tuple(
            row.weights.get(s.name, 1.0) for s in episode.outputs if s.name in row.outputs
        )
        out.append(Turn("assistant", _sections(episode.outputs, row.outputs, form), weights))
    return out
