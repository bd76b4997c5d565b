from __future__ import annotations

import dataclasses

import pytest

from langprog.errors import SignatureError
from langprog.signature import FieldSpec, SignatureSpec, signature_of

SPEC = signature_of("ticket, context: list[str] -> team, hours: int", "Route it.")
WHY = FieldSpec("why", "output", str, "think")
NOTE = FieldSpec("note", "input")


def names(spec: SignatureSpec) -> list[str]:
    return [field.name for field in spec.fields]


def test_fields_by_role() -> None:
    assert list(SPEC.inputs) == ["ticket", "context"]
    assert list(SPEC.outputs) == ["team", "hours"]
    assert SPEC.inputs["context"].annotation == list[str]


def test_changes_return_new_values() -> None:
    assert SPEC.with_instruction("Else.").instruction == "Else."
    assert names(SPEC.with_field(WHY)) == ["ticket", "context", "team", "hours", "why"]
    assert names(SPEC.with_field(WHY, first=True)) == ["ticket", "context", "why", "team", "hours"]
    assert names(SPEC.with_field(NOTE)) == ["ticket", "context", "note", "team", "hours"]
    assert names(SPEC.with_field(NOTE, first=True))[0] == "note"
    assert names(SPEC.without_field("context")) == ["ticket", "team", "hours"]
    assert names(SPEC) == ["ticket", "context", "team", "hours"]
    assert SPEC.instruction == "Route it."


def test_a_signature_cannot_be_changed_in_place() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPEC.instruction = "Else."  # type: ignore[misc]  # the mistake
    with pytest.raises(TypeError):
        SPEC.inputs["more"] = NOTE  # type: ignore[index]  # the mistake


def test_equality_and_digest_are_by_value() -> None:
    same = signature_of("ticket, context: list[str] -> team, hours: int", "Route it.")
    assert same == SPEC
    assert hash(same) == hash(SPEC)
    assert same.digest == SPEC.digest
    changed = [
        SPEC.with_instruction("Else."),
        SPEC.with_field(WHY),
        SPEC.without_field("context"),
        dataclasses.replace(SPEC, fields=SPEC.fields[::-1]),
    ]
    assert SPEC not in changed
    assert len({SPEC.digest, *(spec.digest for spec in changed)}) == 5


def test_the_order_of_choices_makes_another_signature() -> None:
    one, other = (
        signature_of("a -> b: Literal['x', 'y']"),
        signature_of("a -> b: Literal['y', 'x']"),
    )
    assert dataclasses.replace(other, name=one.name) != one
    assert one.digest != other.digest


def test_the_schema_has_exactly_the_outputs() -> None:
    assert SPEC.json_schema() == {
        "type": "object",
        "properties": {"team": {"type": "string"}, "hours": {"type": "integer"}},
        "required": ["team", "hours"],
        "additionalProperties": False,
    }
    SPEC.json_schema()["required"].append("more")
    assert SPEC.json_schema()["required"] == ["team", "hours"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ((), "S has no input field"),
        ((NOTE,), "S has no output field: add at least one"),
        ((WHY,), "S has no input field"),
        ((NOTE, WHY, WHY), "S has two fields named 'why': rename one"),
    ],
)
def test_a_wrong_set_of_fields_is_refused(fields: tuple[FieldSpec, ...], message: str) -> None:
    with pytest.raises(SignatureError, match=message):
        SignatureSpec("S", "Do it.", fields)


def test_wrong_changes_are_refused() -> None:
    with pytest.raises(SignatureError, match="has two fields named 'team'"):
        SPEC.with_field(FieldSpec("team", "output"))
    with pytest.raises(SignatureError, match="has no field 'why'"):
        SPEC.without_field("why")
    with pytest.raises(SignatureError, match="has no output field"):
        SPEC.without_field("team").without_field("hours")
    with pytest.raises(SignatureError, match="must be text"):
        SPEC.with_instruction(None)  # type: ignore[arg-type]  # the mistake
