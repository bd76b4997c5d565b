"""What every adapter does, whichever it is."""

import dataclasses
import json
from enum import Enum
from typing import Any, Literal, Optional

import pydantic
import pytest

import langprog as lp
from langprog.adapters import ADAPTERS, Adapter, adapter_named
from langprog.errors import InputError, ParseError
from langprog.signature import SignatureSpec, signature_of


class Team(Enum):
    BILLING = "billing"
    NETWORK = "network"


class Person(pydantic.BaseModel):
    name: str
    age: int = pydantic.Field(ge=0)


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Everything(lp.Signature):
    """Read it all."""

    ticket: str = lp.Input("what the customer wrote")
    history: list[str] = lp.Input()
    note: str = lp.Output()
    hours: int = lp.Output(ge=0)
    share: float = lp.Output()
    urgent: bool = lp.Output()
    label: Literal["a", "b"] = lp.Output()
    team: Team = lp.Output()
    maybe: Optional[int] = lp.Output()  # noqa: UP045 - one of the ways to write it
    names: list[str] = lp.Output()
    counts: dict[str, int] = lp.Output()
    person: Person = lp.Output()
    point: Point = lp.Output()


INPUTS = {"ticket": "my invoice is wrong", "history": ["a", "b"]}
OUTPUTS: dict[str, Any] = {
    "note": "it is about money",
    "hours": 3,
    "share": 0.25,
    "urgent": True,
    "label": "b",
    "team": Team.NETWORK,
    "maybe": None,
    "names": ["x", "y"],
    "counts": {"x": 1},
    "person": Person(name="Ada", age=36),
    "point": Point(1.5),
}


@pytest.fixture(params=sorted(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    return adapter_named(request.param)


@pytest.fixture
def spec() -> SignatureSpec:
    return Everything.spec


def assistant_text(adapter: Adapter, spec: SignatureSpec, outputs: dict[str, Any]) -> str:
    """What the assistant says in a demonstration with these outputs."""
    demo = lp.Example(**{name: INPUTS.get(name, "") for name in spec.inputs}, **outputs)
    return adapter.render(spec, [demo], {name: demo[name] for name in spec.inputs})[2].content


def test_known_by_its_name(adapter: Adapter) -> None:
    assert adapter_named(adapter.name) is adapter


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(InputError, match="'xml'; there are chat, json"):
        adapter_named("xml")


def test_system_then_demonstrations_as_turns_then_the_call(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demos = [lp.Example(**INPUTS, **OUTPUTS), lp.Example(**INPUTS, **OUTPUTS)]
    messages = adapter.render(spec, demos, INPUTS)
    assert [message.role for message in messages] == [
        "system",
        *["user", "assistant"] * 2,
        "user",
    ]
    assert messages[1] == messages[3] == messages[-1]
    assert all(message.content == message.content.strip() for message in messages)


def test_only_the_last_message_depends_on_the_inputs(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demos = [lp.Example(**INPUTS, **OUTPUTS)]
    one = adapter.render(spec, demos, INPUTS)
    other = adapter.render(spec, demos, {"ticket": "else", "history": []})
    assert one[:-1] == other[:-1]
    assert one[-1] != other[-1]


def test_the_demonstrations_come_after_what_is_the_same_for_all(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    assert (
        adapter.render(spec, [lp.Example(**INPUTS, **OUTPUTS)], INPUTS)[0]
        == (adapter.render(spec, [], INPUTS)[0])
    )


def test_the_order_of_the_inputs_does_not_matter(adapter: Adapter, spec: SignatureSpec) -> None:
    turned = dict(reversed(INPUTS.items()))
    assert adapter.render(spec, [], turned) == adapter.render(spec, [], INPUTS)


def test_the_instruction_and_every_field_are_told(adapter: Adapter, spec: SignatureSpec) -> None:
    told = adapter.render(spec, [], INPUTS)[0].content
    assert told.startswith("Read it all.\n\nInput fields:\n- ticket: what the customer wrote\n")
    for field in spec.fields:
        assert f"\n{field.line}\n" in told


def test_what_a_demonstration_lacks_is_left_out(adapter: Adapter, spec: SignatureSpec) -> None:
    demo = lp.Example(ticket="hello", note="fine")
    messages = adapter.render(spec, [demo], INPUTS)
    assert [message.role for message in messages] == ["system", "user", "assistant", "user"]
    assert "hello" in messages[1].content
    assert "history" not in messages[1].content
    assert "fine" in messages[2].content
    assert "hours" not in messages[2].content


def test_what_a_demonstration_has_beyond_the_signature_is_not_shown(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demo = lp.Example(**INPUTS, **OUTPUTS, secret="hidden")
    shown = "".join(message.content for message in adapter.render(spec, [demo], INPUTS))
    assert "secret" not in shown
    assert "hidden" not in shown


def test_parse_gives_back_what_the_assistant_said(adapter: Adapter, spec: SignatureSpec) -> None:
    read = adapter.parse(spec, assistant_text(adapter, spec, OUTPUTS))
    assert read == OUTPUTS
    assert list(read) == list(spec.outputs)
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in OUTPUTS.items()
    }


@pytest.mark.parametrize("lost", list(OUTPUTS))
def test_a_missing_output_is_named(adapter: Adapter, spec: SignatureSpec, lost: str) -> None:
    rest = {name: value for name, value in OUTPUTS.items() if name != lost}
    text = assistant_text(adapter, spec, rest)
    with pytest.raises(ParseError, match=rf"\b{lost}\b") as caught:
        adapter.parse(spec, text)
    assert caught.value.text == text


@pytest.mark.parametrize("text", ["", " \n", "I cannot help with that.", "[]", "null", "{}"])
def test_a_reply_that_is_no_answer_is_a_parse_error(
    adapter: Adapter, spec: SignatureSpec, text: str
) -> None:
    with pytest.raises(ParseError) as caught:
        adapter.parse(spec, text)
    assert caught.value.text == text


def test_everything_that_is_wrong_is_said_at_once(adapter: Adapter) -> None:
    spec = signature_of("q -> team: Literal['a', 'b'], hours: int, note")
    wrong = {
        "chat": "[[team]]\nc\n[[hours]]\nmany",
        "json": '{"team": "c", "hours": "many"}',
    }
    with pytest.raises(ParseError) as caught:
        adapter.parse(spec, wrong[adapter.name])
    message = str(caught.value)
    assert "note" in message
    assert "'team' is 'c', but must be one of: a, b" in message
    assert "'hours' is 'many', but must be an integer" in message
    assert "\n" not in message


def test_a_broken_constraint_is_a_parse_error(adapter: Adapter, spec: SignatureSpec) -> None:
    text = assistant_text(adapter, spec, OUTPUTS)
    broken = {
        "chat": text.replace("[[hours]]\n3", "[[hours]]\n-3"),
        "json": text.replace('"hours": 3', '"hours": -3'),
    }
    with pytest.raises(ParseError, match="'hours' does not fit: .*greater than or equal to 0"):
        adapter.parse(spec, broken[adapter.name])


def test_an_input_of_the_wrong_type_is_an_input_error(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    with pytest.raises(InputError, match="'history' does not fit"):
        adapter.render(spec, [], {"ticket": "x", "history": "no list"})


def test_a_wrong_demonstration_is_named_by_its_number(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    good = lp.Example(**INPUTS, **OUTPUTS)
    bad = good.with_(hours=-1)
    with pytest.raises(InputError, match="demonstration 2 of Everything: 'hours' does not fit"):
        adapter.render(spec, [good, bad], INPUTS)


def test_the_repair_sends_the_reply_back_with_the_reason(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    messages = adapter.render(spec, [], INPUTS)
    again = adapter.repair(messages, "what I said", "the key 'hours' is missing")
    assert again[:-2] == messages
    assert (again[-2].role, again[-2].content) == ("assistant", "what I said")
    assert (again[-1].role, again[-1].content) == (
        "user",
        "That reply could not be read: the key 'hours' is missing. "
        "Reply again in the form asked for.",
    )


def test_what_is_thought_before_the_answer_is_passed_over(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    answer = assistant_text(adapter, spec, OUTPUTS)
    wrong = assistant_text(adapter, spec, {**OUTPUTS, "hours": 9})
    assert adapter.parse(spec, f"<think>\nmaybe {wrong}\n</think>\n\n{answer}") == OUTPUTS
    with pytest.raises(ParseError, match="it ends before the answer"):
        adapter.parse(spec, f"<think>\nmaybe {answer}")


def test_a_response_schema_is_plain_json_and_closed(adapter: Adapter, spec: SignatureSpec) -> None:
    schema = adapter.response_schema(spec)
    if schema is not None:
        assert json.loads(json.dumps(schema)) == schema
        assert schema["required"] == list(spec.outputs)
        assert schema["additionalProperties"] is False


def test_an_enum_can_be_given_by_its_value(adapter: Adapter, spec: SignatureSpec) -> None:
    by_value = assistant_text(adapter, spec, {**OUTPUTS, "team": "network"})
    assert by_value == assistant_text(adapter, spec, OUTPUTS)
    assert adapter.parse(spec, by_value)["team"] is Team.NETWORK
