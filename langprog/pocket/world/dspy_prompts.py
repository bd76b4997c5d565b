"""Tasks as DSPy 3.4's ChatAdapter and JSONAdapter write them, so that peers can be measured here.

A test holds this text equal to what DSPy sends, where DSPy is installed.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence

from langprog.pocket.world.slots import Episode, Row, Slot, Turn, Value

_TYPES = {"": "str", "true or false": "bool", "integer": "int"}
_NOTES = {
    "bool": "the value you produce must be True or False",
    "int": "the value you produce must be a single int value",
}
_GAP = " " * 8


def dspy_turns(episode: Episode, form: str) -> list[Turn]:
    """Return the messages of ``episode``; ``form``: "dspy" or "dspy-json"."""
    chat = form == "dspy"
    out = [Turn("system", _system(episode, chat))]
    for row in episode.rows:
        asked = _sections(episode.inputs, row.inputs)
        if row is episode.rows[-1]:
            asked += "\n\n" + _request(episode.outputs, chat)
        out.append(Turn("user", asked))
        out.append(_answer(episode, row, chat))
    return out


def _answer(episode: Episode, row: Row, chat: bool) -> Turn:
    slots = [s for s in episode.outputs if s.name in row.outputs]
    weights = tuple(row.weights.get(s.name, 1.0) for s in slots)
    if chat:
        text = _sections(slots, row.outputs) + "\n\n[[ ## completed ## ]]\n"
    else:
        values = {s.name: row.outputs[s.name] for s in slots}
        text = json.dumps(values, indent=2, ensure_ascii=False)
    return Turn("assistant", text, weights)


def _type(slot: Slot) -> str:
    if slot.phrase.startswith("one of: "):
        labels = slot.phrase.removeprefix("one of: ").split(", ")
        return f"Literal[{', '.join(repr(label) for label in labels)}]"
    return _TYPES.get(slot.phrase, "str")


def _note(slot: Slot) -> str:
    if slot.phrase.startswith("one of: "):
        labels = slot.phrase.removeprefix("one of: ").replace(", ", "; ")
        text = f"the value you produce must exactly match (no extra characters) one of: {labels}"
    else:
        text = _NOTES.get(_type(slot), "")
    return f"{_GAP}# note: {text}" if text else ""


def _fields(slots: Sequence[Slot]) -> str:
    lines = (
        f"{i}. `{s.name}` ({_type(s)}): {s.description}" for i, s in enumerate(slots, start=1)
    )
    return "\n".join(lines).strip()


def _sections(slots: Sequence[Slot], values: Mapping[str, Value]) -> str:
    return "\n\n".join(
        f"[[ ## {s.name} ## ]]\n{_plain(values[s.name])}" for s in slots if s.name in values
    )


def _plain(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def _system(episode: Episode, chat: bool) -> str:
    inputs = "\n\n".join(f"[[ ## {s.name} ## ]]\n{{{s.name}}}" for s in episode.inputs)
    if chat:
        outputs = "\n\n".join(
            f"[[ ## {s.name} ## ]]\n{{{s.name}}}{_note(s)}" for s in episode.outputs
        )
        shape = f"{inputs}\n\n{outputs}\n\n[[ ## completed ## ]]"
    else:
        outputs = json.dumps(
            {s.name: f"{{{s.name}}}{_note(s)}" for s in episode.outputs}, indent=2
        )
        shape = (
            f"Inputs will have the following structure:\n\n{inputs}\n\n"
            f"Outputs will be a JSON object with the following fields.\n\n{outputs}"
        )
    objective = f"\n{_GAP}".join(["", *inspect.cleandoc(episode.instruction).splitlines()])
    return (
        f"Your input fields are:\n{_fields(episode.inputs)}\n"
        f"Your output fields are:\n{_fields(episode.outputs)}\n"
        "All interactions will be structured in the following way, with the appropriate values "
        f"filled in.\n\n{shape}\n"
        f"In adhering to this structure, your objective is: {objective}"
    )


def _request(slots: Sequence[Slot], chat: bool) -> str:
    def named(slot: Slot) -> str:
        name = f"`[[ ## {slot.name} ## ]]`" if chat else f"`{slot.name}`"
        if _type(slot) == "str":
            return name
        return f"{name} (must be formatted as a valid Python {_type(slot)})"

    listed = ", then ".join(named(slot) for slot in slots)
    if not chat:
        return f"Respond with a JSON object in the following order of fields: {listed}."
    return (
        f"Respond with the corresponding output fields, starting with the field {listed}, and "
        "then ending with the marker for `[[ ## completed ## ]]`."
    )
