"""A union of records is read as the document says, which asks for a tag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest
from jsonschema_rs import validator_for

import langprog as lp
from langprog.serving.interface import Interface
from langprog.serving.refusals import Refusal


@dataclass
class Click:
    x: int
    y: int = 0


@dataclass
class Key:
    code: str
    inner: list[Click | Key] | None = None


@dataclass
class Open:
    kind: Literal["open"]


@dataclass
class Close:
    kind: Literal["close"] = "close"


EVENTS: list[Any] = [
    {"type": "Click", "x": 1},
    {"x": 1},
    {"type": "Key", "code": "a"},
    {"code": "a"},
    {"type": "Key", "x": 1},
    {"type": "Key", "code": "a", "inner": [{"type": "Click", "x": 1}]},
    {"type": "Key", "code": "a", "inner": [{"x": 1}]},
    {"kind": "open"},
    {"kind": "close"},
    {},
    "text",
    ["text", {"code": "a"}],
    ["text", {"type": "Key", "code": "a"}],
    {"a": {"code": "a"}},
    {"a": {"type": "Click", "x": 1}},
    [1, {"x": 1}],
    [1, {"type": "Click", "x": 1}],
    None,
]


@pytest.mark.parametrize(
    "kind",
    [
        Click | Key,
        Click | Key | None,
        Click | str | list[str | Key],
        Open | Close,
        list[str | Click | Key],
        dict[str, Click | Key],
        tuple[int, Click | Key],
    ],
    ids=str,
)
def test_what_is_read_is_what_the_document_accepts(kind: Any) -> None:
    program = lp.Predict(
        lp.Predict("question -> answer").signature.with_field("event", lp.Input(), kind)
    )
    interface = Interface(program)
    fits = validator_for(interface.input_schema).is_valid
    accepted = 0
    for event in EVENTS:
        body = {"question": "q", "event": event}
        try:
            interface.read(body)
            read = True
        except Refusal:
            read = False
        assert read == fits(body), event
        accepted += read
    assert 0 < accepted < len(EVENTS)


def test_a_missing_tag_is_named() -> None:
    program = lp.Predict(
        lp.Predict("question -> answer").signature.with_field("event", lp.Input(), Click | Key)
    )
    with pytest.raises(Refusal, match=r"'event' does not say .* its 'type' is missing"):
        Interface(program).read({"question": "q", "event": {"x": 1}})
