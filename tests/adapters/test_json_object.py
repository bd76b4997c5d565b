from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pytest

import langprog as lp
from langprog.errors import InputError, ParseError
from langprog.lm import Message
from langprog.signature import signature_of
from tests.adapters.replies import TextAdapter

JSON = TextAdapter("json")


@dataclass
class Place:
    city: str
    zip: int | None = None


class Triage(lp.Signature):
    """Route the support ticket to the team that owns it."""

    ticket: str = lp.Input("what the customer wrote")
    context: list[str] = lp.Input()
    reasoning: str = lp.Output("think step by step")
    team: Literal["billing", "network ops"] = lp.Output("the team that owns it")
    hours: int = lp.Output(ge=0)


SPEC = Triage.spec
INPUTS = {"ticket": 'my "invoice" is\nwröng', "context": ["[[team]]", "b"]}
ANSWER = {"reasoning": "it is about money", "team": "billing", "hours": 3}
REPLY = '{"reasoning": "it is about money", "team": "billing", "hours": 3}'


def answers(short: str, text: str) -> Any:
    """The only output of a short form, read from ``text``."""
    (value,) = JSON.parse(signature_of(short), text).values()
    return value


def test_the_whole_prompt() -> None:
    user = '{"ticket": "my \\"invoice\\" is\\nwröng", "context": ["[[team]]", "b"]}'
    assert JSON.render(SPEC, [lp.Example(**INPUTS, **ANSWER)], INPUTS) == (
        Message(
            "system",
            "Route the support ticket to the team that owns it.\n"
            "\n"
            "Input fields:\n"
            "- ticket: what the customer wrote\n"
            "- context (JSON list of text)\n"
            "Output fields:\n"
            "- reasoning: think step by step\n"
            "- team (one of: billing, network ops): the team that owns it\n"
            "- hours (integer, >= 0)\n"
            "\n"
            "Reply with one JSON object that has exactly these keys, in this order: "
            "reasoning, team, hours",
        ),
        Message("user", user),
        Message("assistant", REPLY),
        Message("user", user),
    )


def test_the_schema_says_the_limits() -> None:
    assert JSON.response_schema(SPEC) == {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string", "description": "think step by step"},
            "team": {
                "type": "string",
                "enum": ["billing", "network ops"],
                "description": "the team that owns it",
            },
            "hours": {"type": "integer", "minimum": 0},
        },
        "required": ["reasoning", "team", "hours"],
        "additionalProperties": False,
    }


def test_half_a_character_is_refused_both_ways() -> None:
    with pytest.raises(InputError, match="half of a character"):
        JSON.render(SPEC, [], {"context": ["\ud83d"]})
    with pytest.raises(ParseError, match="half of a character"):
        JSON.parse(SPEC, REPLY.replace("money", "\\ud83d"))


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        f"```json\n{REPLY}\n```",
        f"Here it is:\n\n```\n{REPLY}\n```\nI hope that it helps.",
        f"Sure: {REPLY} - anything else?",
        f"{REPLY}\n{REPLY}",
        f"<think>{{hm}}</think>{REPLY}",
        REPLY.replace("}", ",}"),
        REPLY.replace('"', "'"),
        "{reasoning: 'it is about money', team: 'billing', hours: 3}",
        REPLY.replace("reasoning", "Reasoning").replace("hours", " HOURS"),
        REPLY.replace("billing", "Billing"),
        REPLY.replace("3", '"3"'),
        REPLY.replace("3", "3.0"),
        REPLY.replace("3", '3, "more": [1]'),
        REPLY.replace(", ", ",\n  "),
        REPLY.replace("3}", '3, "Team": "network ops"}'),
    ],
)
def test_the_form_of_a_reply_is_forgiven(reply: str) -> None:
    assert JSON.parse(SPEC, reply) == ANSWER


@pytest.mark.parametrize(
    ("short", "text", "value"),
    [
        ("q -> a", '{"a": " [[a]] \\n"}', " [[a]] \n"),
        ("q -> a", '{"a": "line\nbreak"}', "line\nbreak"),
        ("q -> a", '{"a": "he said "yes" to me"}', 'he said "yes" to me'),
        ("q -> a", '{"a": "\\"quoted\\""}', '"quoted"'),
        ("q -> a", '{"a": "```\\nx\\n```"}', "```\nx\n```"),
        ("q -> a", '{"a": 5}', "5"),
        ("q -> a", '{"a": true}', "true"),
        ("q -> a: Optional[str]", '{"a": "null"}', None),
        ("q -> a: Optional[str]", '{"a": null}', None),
        ("q -> a: Optional[int]", '{"a": "none"}', None),
        ("q -> a: int", '{"a": "1,000"}', 1000),
        ("q -> a: float", '{"a": 3}', 3.0),
        ("q -> a: bool", '{"a": "Yes"}', True),
        ("q -> a: list[int]", '{"a": "[1, 2]"}', [1, 2]),
        ("q -> a: list[str]", '{"a": "- x\\n- y"}', ["x", "y"]),
        ("q -> a: Literal[1, True, None]", '{"a": true}', True),
        ("q -> a: Literal[1, True, None]", '{"a": "1"}', 1),
        ("q -> a: Literal['1', '2']", '{"a": 1}', "1"),
        ("q -> a: Optional[Literal['x']]", '{"a": null}', None),
        ("q -> a: Optional[Literal['x']]", '{"a": "X"}', "x"),
    ],
)
def test_single_values(short: str, text: str, value: Any) -> None:
    found = answers(short, text)
    assert found == value
    assert type(found) is type(value)


def test_records_lose_nothing_where_the_last_brace_is_missing() -> None:
    spec = SPEC.without_field("hours").without_field("team")
    assert JSON.parse(spec, '{"reasoning": "whole"') == {"reasoning": "whole"}
    with pytest.raises(ParseError, match="cut off"):
        JSON.parse(spec, '{"reasoning": "cut')


def test_a_record_inside() -> None:
    class Find(lp.Signature):
        text: str = lp.Input()
        places: list[Place] = lp.Output()

    found = JSON.parse(
        Find.spec, '{"places": [{"city": "Ulm"}, {"city": "Bonn", "zip": "53111"}]}'
    )
    assert found == {"places": [Place("Ulm"), Place("Bonn", 53111)]}
    with pytest.raises(ParseError, match="'places' does not fit: 0.city: it is missing"):
        JSON.parse(Find.spec, '{"places": [{"town": "Ulm"}]}')


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("I cannot help with that.", "it holds no JSON object"),
        ("[1, 2]", "it holds no JSON object"),
        ("{}", "the keys 'reasoning', 'team', 'hours' are missing"),
        ('{"reasoning": "a", "team": "billing"}', "the key 'hours' is missing"),
        (REPLY.replace("billing", "sales"), "'team' is 'sales', but must be one of: billing"),
        (REPLY.replace("3}", "-3}"), "'hours' does not fit: .*greater than or equal to 0"),
        (REPLY.replace("3}", "true}"), "'hours' is 'true', but must be an integer"),
        (REPLY.replace("3}", "3.5}"), "'hours' is '3.5', but must be an integer"),
        (REPLY.replace("3}", "null}"), "'hours' does not fit"),
        (REPLY.replace("3}", "}"), "no JSON object"),
        (REPLY.replace('"it is about money"', "null"), "'reasoning' does not fit"),
        (REPLY.replace('"it is about money"', '["it"]'), "'reasoning' is .* but must be a text"),
        (REPLY.replace("3}", '3, "hours": 4}'), "the key 'hours' comes twice"),
        (REPLY[:-1], "cut off"),
        (REPLY[:40], "cut off"),
        (REPLY + REPLY.replace("3", "4"), "several JSON values that differ"),
        (f"<think>{REPLY}", "it ends before the answer"),
        ("{" * 100_000, "JSON object"),
    ],
)
def test_the_content_of_a_reply_is_not_guessed(reply: str, message: str) -> None:
    with pytest.raises(ParseError, match=message) as caught:
        JSON.parse(SPEC, reply)
    assert caught.value.text == reply
    assert "\n" not in str(caught.value)
