"""What every adapter does, whichever it is."""

import dataclasses
import json
import re
from enum import Enum
from typing import Any, Literal, Optional

import pydantic
import pytest

import langprog as lp
from langprog.adapters import ADAPTERS, Adapter, adapter_named, reference_of
from langprog.errors import InputError, ParseError
from langprog.lm import Message, ToolCall, ToolResult
from langprog.lm.openai_body import messages_of
from langprog.signature import SignatureSpec, signature_of
from tests.adapters.replies import completion_of, said


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


def reply(adapter: Adapter, spec: SignatureSpec, outputs: dict[str, Any]) -> lp.Completion:
    """What the assistant says in a demonstration with these outputs."""
    return reply_to(adapter, spec, {**INPUTS, **outputs})


def reply_to(adapter: Adapter, spec: SignatureSpec, values: dict[str, Any]) -> lp.Completion:
    demo = lp.Example(**values)
    rendered = adapter.render(spec, [demo], {name: demo[name] for name in spec.inputs})
    return completion_of(rendered[2])


def words_of(completion: lp.Completion) -> str:
    """The part of a completion that an adapter reads."""
    calls = completion.first_tool_calls
    return calls[0].arguments if calls else completion.text


def reworded(completion: lp.Completion, text: str) -> lp.Completion:
    """The same with another text, where the adapter reads it."""
    calls = completion.first_tool_calls
    if not calls:
        return said(text)
    return said("", calls=(dataclasses.replace(calls[0], arguments=text),), reason="tool_calls")


def shown_in(messages: tuple[Message, ...]) -> str:
    return json.dumps(messages_of(messages), ensure_ascii=False)


def test_known_by_its_name_and_version(adapter: Adapter) -> None:
    assert adapter_named(reference_of(adapter)) is adapter
    assert isinstance(adapter.version, int) and adapter.version >= 1


def test_system_then_demonstrations_as_turns_then_the_call(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demos = [lp.Example(**INPUTS, **OUTPUTS), lp.Example(**INPUTS, **OUTPUTS)]
    messages = adapter.render(spec, demos, INPUTS)
    roles = [message.role for message in messages]
    turn = roles[1 : 1 + (len(roles) - 2) // 2]
    assert roles == ["system", *turn * 2, "user"]
    assert turn in (["user", "assistant"], ["user", "assistant", "tool"])
    assert messages[1] == messages[1 + len(turn)] == messages[-1]
    for message in messages:
        assert message.text == message.text.strip()
        assert message.text or message.role in ("assistant", "tool")


def test_every_call_in_a_demonstration_has_its_result(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demos = [lp.Example(**INPUTS, **OUTPUTS)] * 3
    called: list[str] = []
    for message in adapter.render(spec, demos, INPUTS):
        parts = message.content if isinstance(message.content, tuple) else ()
        called += [part.id for part in parts if isinstance(part, ToolCall)]
        for part in parts:
            if isinstance(part, ToolResult):
                assert called.pop() == part.call_id
        if message.role == "user":
            assert not called
    assert not called


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
    told = adapter.render(spec, [], INPUTS)[0].text
    assert told.startswith("Read it all.\n\nInput fields:\n- ticket: what the customer wrote\n")
    for field in spec.fields:
        assert f"\n{field.line}\n" in told


def test_what_a_demonstration_lacks_is_left_out(adapter: Adapter, spec: SignatureSpec) -> None:
    demo = lp.Example(ticket="hello", note="fine")
    messages = adapter.render(spec, [demo], INPUTS)
    assert [message.role for message in messages[:3]] == ["system", "user", "assistant"]
    assert "hello" in shown_in(messages[1:2])
    assert "history" not in shown_in(messages[1:2])
    assert "fine" in shown_in(messages[2:3])
    assert "hours" not in shown_in(messages[2:3])


def test_what_a_demonstration_has_beyond_the_signature_is_not_shown(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    demo = lp.Example(**INPUTS, **OUTPUTS, secret="hidden")
    shown = shown_in(adapter.render(spec, [demo], INPUTS))
    assert "secret" not in shown
    assert "hidden" not in shown


def test_parse_gives_back_what_the_assistant_said(adapter: Adapter, spec: SignatureSpec) -> None:
    read = adapter.parse(spec, reply(adapter, spec, OUTPUTS))
    assert read == OUTPUTS
    assert list(read) == list(spec.outputs)
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in OUTPUTS.items()
    }


@pytest.mark.parametrize("lost", list(OUTPUTS))
def test_a_missing_output_is_named(adapter: Adapter, spec: SignatureSpec, lost: str) -> None:
    rest = {name: value for name, value in OUTPUTS.items() if name != lost}
    completion = reply(adapter, spec, rest)
    with pytest.raises(ParseError, match=rf"\b{lost}\b") as caught:
        adapter.parse(spec, completion)
    assert caught.value.text == words_of(completion)


@pytest.mark.parametrize("text", ["", " \n", "I cannot help with that.", "[]", "null", "{}"])
def test_a_reply_that_is_no_answer_is_a_parse_error(
    adapter: Adapter, spec: SignatureSpec, text: str
) -> None:
    with pytest.raises(ParseError) as caught:
        adapter.parse(spec, said(text))
    assert caught.value.text == text


def test_everything_that_is_wrong_is_said_at_once(adapter: Adapter) -> None:
    spec = signature_of("q -> team: Literal['a', 'b'], hours: int, note")
    free = signature_of("q -> team, hours").with_instruction(spec.instruction)
    wrong = reply_to(adapter, free, {"q": "", "team": "c", "hours": "many"})
    with pytest.raises(ParseError) as caught:
        adapter.parse(spec, wrong)
    message = str(caught.value)
    assert "note" in message
    assert "'team' is 'c', but must be one of: a, b" in message
    assert "'hours' is 'many', but must be an integer" in message
    assert "\n" not in message


def test_a_broken_constraint_is_a_parse_error(adapter: Adapter, spec: SignatureSpec) -> None:
    completion = reply(adapter, spec, OUTPUTS)
    broken = re.sub(r"(hours\W+)3", r"\1-3", words_of(completion), count=1)
    with pytest.raises(ParseError, match="'hours' does not fit: .*greater than or equal to 0"):
        adapter.parse(spec, reworded(completion, broken))


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


def test_the_repair_sends_a_text_back_with_the_reason(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    messages = adapter.render(spec, [], INPUTS)
    again = adapter.repair(messages, said("what I said"), "the key 'hours' is missing")
    assert again[:-2] == messages
    assert (again[-2].role, again[-2].content) == ("assistant", "what I said")
    assert (again[-1].role, again[-1].content) == (
        "user",
        "That reply could not be read: the key 'hours' is missing. "
        "Reply again in the form asked for.",
    )


def test_a_repair_has_no_empty_turn(adapter: Adapter, spec: SignatureSpec) -> None:
    messages = adapter.render(spec, [], INPUTS)
    for completion in (said(""), said(" \n"), reply(adapter, spec, {"hours": 3})):
        again = adapter.repair(messages, completion, "much is missing")
        assert again[-1].role == "user" and "much is missing" in again[-1].text
        for message in again:
            assert message.text.strip() or message.content
            assert not isinstance(message.content, str) or message.content.strip()


def test_what_is_thought_before_the_answer_is_passed_over(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    completion = reply(adapter, spec, OUTPUTS)
    if completion.first_tool_calls:
        thinking = dataclasses.replace(completion, texts=("<think>maybe 9</think>",))
        assert adapter.parse(spec, thinking) == OUTPUTS
        return
    answer = completion.text
    wrong = reply(adapter, spec, {**OUTPUTS, "hours": 9}).text
    assert adapter.parse(spec, said(f"<think>\nmaybe {wrong}\n</think>\n\n{answer}")) == OUTPUTS
    with pytest.raises(ParseError, match="it ends before the answer"):
        adapter.parse(spec, said(f"<think>\nmaybe {answer}"))


def test_schemas_and_tools_are_plain_json_and_closed(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    tools = adapter.tools(spec)
    for schema in (adapter.response_schema(spec), *(tool.parameters for tool in tools)):
        if schema is not None:
            assert json.loads(json.dumps(schema)) == schema
            assert schema["required"] == list(spec.outputs)
            assert schema["additionalProperties"] is False
    choice = adapter.tool_choice(spec)
    assert choice in (None, "auto", "required", *(tool.name for tool in tools))
    assert bool(tools) or choice is None


def test_an_enum_can_be_given_by_its_value(adapter: Adapter, spec: SignatureSpec) -> None:
    by_value = reply(adapter, spec, {**OUTPUTS, "team": "network"})
    assert by_value == reply(adapter, spec, OUTPUTS)
    assert adapter.parse(spec, by_value)["team"] is Team.NETWORK


def test_a_program_asks_in_its_form_and_sends_back_once(
    adapter: Adapter, spec: SignatureSpec
) -> None:
    wrong, right = reply(adapter, spec, {"hours": 3}), reply(adapter, spec, OUTPUTS)
    lm = lp.ScriptedLM([wrong, right])
    with lp.using(lm=lm, adapter=adapter):
        assert lp.Predict(spec)(**INPUTS).to_dict() == OUTPUTS
    first, second = lm.requests
    assert first.messages == adapter.render(spec, [], INPUTS)
    assert second.messages[: len(first.messages)] == first.messages
    for request in lm.requests:
        assert request.response_schema == adapter.response_schema(spec)
        assert request.tools == adapter.tools(spec)
        assert request.tool_choice == adapter.tool_choice(spec)
