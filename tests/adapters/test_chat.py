from __future__ import annotations

from typing import Any, Literal

import pytest

import langprog as lp
from langprog.errors import InputError, ParseError
from langprog.lm import Message
from langprog.signature import FieldSpec, signature_of
from tests.adapters.replies import TextAdapter

CHAT = TextAdapter("chat")


class Triage(lp.Signature):
    """Route the support ticket to the team that owns it."""

    ticket: str = lp.Input("what the customer wrote")
    context: list[str] = lp.Input()
    reasoning: str = lp.Output("think step by step")
    team: Literal["billing", "network ops"] = lp.Output("the team that owns it")
    hours: int = lp.Output(ge=0)


SPEC = Triage.spec
INPUTS = {"ticket": "my invoice is wrong", "context": ["a", "b"]}
ANSWER = {"reasoning": "it is about money", "team": "billing", "hours": 3}
REPLY = "[[reasoning]]\nit is about money\n[[team]]\nbilling\n[[hours]]\n3"


def answers(short: str, text: str) -> Any:
    """The only output of a short form, read from ``text``."""
    (value,) = CHAT.parse(signature_of(short), text).values()
    return value


# --- writing -------------------------------------------------------------------------------------


def test_the_whole_prompt() -> None:
    demo = lp.Example(**INPUTS, **ANSWER)
    assert CHAT.render(SPEC, [demo], {**INPUTS, "context": []}) == (
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
            "Reply with the output fields, each under its marker, in this order: "
            "[[reasoning]] [[team]] [[hours]]",
        ),
        Message("user", '[[ticket]]\nmy invoice is wrong\n[[context]]\n["a", "b"]'),
        Message("assistant", REPLY),
        Message("user", "[[ticket]]\nmy invoice is wrong\n[[context]]\n[]"),
    )


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (str, "plain, with: marks", "plain, with: marks"),
        (str, "two\nlines", "two\nlines"),
        (str, "crlf\r\ninside", "crlf\r\ninside"),
        (str, "", ""),
        (str, " blank", '" blank"'),
        (str, '"quoted"', r'"\"quoted\""'),
        (str, '"half', '"half'),
        (str, "```\ncode\n```", r'"```\ncode\n```"'),
        (str, "see [[team]] and [[ Hours ]]", r"see \[[team]] and \[[ Hours ]]"),
        (str, r"\[[team]]", r"\\[[team]]"),
        (str, "[[other]] [team]", "[[other]] [team]"),
        (str | None, None, "null"),
        (str | None, "null", '"null"'),
        (str | None, "None", '"None"'),
        (bool, True, "true"),
        (float, 1, "1.0"),
        (int, "3", "3"),
        (Literal["a", 1, True, None], None, "null"),
        (Literal["a", 1, True, None], 1, "1"),
        (list[str], ["é", "[[team]]"], r'["é", "\[[team]]"]'),
        (dict[str, Any], {"a": None}, '{"a": null}'),
    ],
)
def test_how_values_are_written(annotation: Any, value: Any, text: str) -> None:
    spec = SPEC.with_field(FieldSpec("given", "input", annotation))
    assert CHAT.render(spec, [], {"given": value})[-1].content == f"[[given]]\n{text}"


def test_half_a_character_is_refused() -> None:
    with pytest.raises(InputError, match="half of a character"):
        CHAT.render(SPEC, [], {"ticket": "\ud83d"})
    with pytest.raises(InputError, match="half of a character"):
        CHAT.render(SPEC, [], {"context": ["\ud83d"]})


# --- reading: form is forgiven -------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        REPLY.replace("\n", " "),
        REPLY.replace("\n", "\r\n"),
        f"Sure, here it is!\n\n{REPLY}\n",
        f"```\n{REPLY}\n```",
        f"Here it is:\n```text\n{REPLY}\n```\nI hope that it helps.",
        REPLY.replace("]]\n", "]]\n\n") + "\n\n",
        REPLY.replace("[[", "**[[").replace("]]", "]]**"),
        REPLY.replace("[[", "**[[").replace("]]", "]]:**"),
        REPLY.replace("[[", "### [[").replace("]]", "]]:"),
        REPLY.replace("[[", "[[ ## ").replace("]]", " ## ]]") + "\n\n[[ ## completed ## ]]",
        REPLY.replace("[[team", "[[ TEAM "),
        REPLY.replace("billing", '"billing"').replace("\n3", "\n**3**"),
        REPLY.replace("billing", "**Billing**."),
        REPLY.replace("\n3", "\n3.0"),
        f"<think>\n[[team]]\nnetwork ops?\n</think>\n{REPLY}",
        f"{REPLY}\n[[team]]\nbilling",
        f"{REPLY}\n[[ticket]]\nanother one\n[[reasoning]]\nelse\n[[team]]\nbilling\n[[hours]]\n9",
        f"[[ticket]]\nmy invoice is wrong\n{REPLY}",
        "Reasoning: it is about money\nTeam: billing\nHours: 3",
        "```\nReasoning: it is about money\nTeam: billing\nHours: 3\n```",
        "- **Reasoning:** it is about money\n- **team**: billing\n- __Hours__: 3",
        '{"reasoning": "it is about money", "team": "billing", "hours": 3}',
        "```json\n{'Reasoning': 'it is about money', 'Team': 'Billing', 'HOURS': '3',}\n```",
        'So: {"reasoning": "it is about money", "team": "billing", "hours": 3} - done.',
    ],
)
def test_the_form_of_a_reply_is_forgiven(reply: str) -> None:
    assert CHAT.parse(SPEC, reply) == ANSWER


def test_a_marker_that_is_mentioned_is_no_section() -> None:
    reply = REPLY.replace("it is", "so [[team]] follows: it is")
    assert CHAT.parse(SPEC, reply)["reasoning"] == "so [[team]] follows: it is about money"
    assert CHAT.parse(SPEC, reply)["team"] == "billing"


def test_an_escaped_marker_is_text() -> None:
    reply = REPLY.replace("it is about money", "they wrote\n\\[[team]]\nnetwork ops")
    assert CHAT.parse(SPEC, reply) == {**ANSWER, "reasoning": "they wrote\n[[team]]\nnetwork ops"}


@pytest.mark.parametrize(
    ("short", "text", "value"),
    [
        ("q -> a", "just the answer", "just the answer"),
        ("q -> a", "b: this is part of it", "b: this is part of it"),
        ("q -> a", "a: this is its label", "this is its label"),
        ("q -> a", "braces {are} fine, { too", "braces {are} fine, { too"),
        ("q -> a", '{"a": "in an object"}', "in an object"),
        ("q -> a", "```python\n    x = {1: 2\n```", "    x = {1: 2"),
        ("q -> a", "```\none\n```\nand\n```\ntwo\n```", "```\none\n```\nand\n```\ntwo\n```"),
        ("q -> a", '{"a": "x", "b": "y"}', "x"),
        ("q -> a", '{"b": "y"}', '{"b": "y"}'),
        ("q -> n: int", "42", 42),
        ("q -> n: int", "N: 1,234,567", 1234567),
        ("q -> n: int", "+7.", 7),
        ("q -> n: int", "123456789012345678901234567890", 123456789012345678901234567890),
        ("q -> n: float", "-1,234.5e-1", -123.45),
        ("q -> n: float", ".5", 0.5),
        ("q -> b: bool", "Yes.", True),
        ("q -> b: bool", "**False**", False),
        ("q -> x: Literal['Not sure', 'A_B']", "not-sure", "Not sure"),
        ("q -> x: Literal['Not sure', 'A_B']", "`a b`", "A_B"),
        ("q -> x: Literal['a', 'A']", "A", "A"),
        ("q -> x: Literal[1, 2]", "2", 2),
        ("q -> x: Optional[int]", "None", None),
        ("q -> x: Optional[int]", "[[x]]\n", None),
        ("q -> x: Optional[str]", "[[x]]\n", ""),
        ("q -> x: Optional[str]", "null", None),
        ("q -> x: Optional[Literal['none', 'b']]", "none", "none"),
        ("q -> x: Optional[Literal['none', 'b']]", "null", None),
        ("q -> x: list[str]", '["a"]', ["a"]),
        ("q -> x: list[str]", "Here they are: ['a', 'b',]", ["a", "b"]),
        ("q -> x: list[str]", "- a\n* b\n\n1. c\n2) d\n\u2022 e", ["a", "b", "c", "d", "e"]),
        ("q -> x: list[int]", "- 1,000\n- 2", [1000, 2]),
        ("q -> x: list[str]", "```json\n[]\n```", []),
        ("q -> x: dict[str, int]", '{"a": 1}', {"a": 1}),
    ],
)
def test_single_values(short: str, text: str, value: Any) -> None:
    found = answers(short, text)
    assert found == value
    assert type(found) is type(value)


# --- reading: content is not ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            "[[reasoning]]\nit is about",
            r"the sections \[\[team\]\], \[\[hours\]\] are missing",
        ),
        ("it is about money\n[[team]]\nbilling\n[[hours]]\n3", r"\[\[reasoning\]\] is missing"),
        (
            REPLY.replace("billing", "bil"),
            "'team' is 'bil', but must be one of: billing, network ops",
        ),
        (REPLY.replace("billing", "billing or network ops"), "must be one of"),
        (REPLY.replace("\n3", "\nthree"), "'hours' is 'three', but must be an integer"),
        (REPLY.replace("\n3", "\n3.5"), "must be an integer"),
        (REPLY.replace("\n3", "\n3 hours"), "must be an integer"),
        (REPLY.replace("\n3", "\n3,5"), "must be an integer"),
        (REPLY.replace("\n3", "\n0,500"), "must be an integer"),
        (REPLY.replace("\n3", "\n1_000"), "must be an integer"),
        (REPLY.replace("\n3", "\n\u0663"), "must be an integer"),
        (REPLY.replace("\n3", "\n-3"), "'hours' does not fit: .*greater than or equal to 0"),
        (REPLY.replace("\n3", "\n"), "'hours' is '', but must be an integer"),
        (REPLY + "\n[[team]]\nnetwork ops", r"\[\[team\]\] comes twice and differs"),
        ("Team: billing\nHours: 3", "are missing"),
        ("reasoning: a\nteam: billing\nteam: network ops\nhours: 3", "are missing"),
        ('{"reasoning": "a", "team": "billing"', "the key 'hours' is missing"),
        ('{"reasoning": "a", "team": "billing", "hours": 3', "cut off"),
        ("<think>it is [[team]]\nbilling", "it ends before the answer"),
        ("", "are missing"),
    ],
)
def test_the_content_of_a_reply_is_not_guessed(reply: str, message: str) -> None:
    with pytest.raises(ParseError, match=message) as caught:
        CHAT.parse(SPEC, reply)
    assert caught.value.text == reply
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("short", "text", "message"),
    [
        ("q -> n: int", "The answer is 42", "'n' is 'The answer is 42', but must be an integer"),
        ("q -> n: float", "nan", "must be a number"),
        ("q -> n: float", "1e999", "'n' is '1e999', but must be a finite number"),
        ("q -> n: float", "85%", "must be a number"),
        ("q -> b: bool", "maybe", "'b' is 'maybe', but must be true or false"),
        ("q -> x: Literal['a b', 'a-b']", "A_B", "must be one of: a b, a-b"),
        ("q -> x: list[str]", "a, b", "'x' is 'a, b', but must be JSON list of text"),
        ("q -> x: list[str]", '["a", "b"', "'x' is cut off"),
        ("q -> x: list[str]", '["a"]\n["b"]', "'x' cannot be read: it holds several JSON"),
        ("q -> x: list[int]", '["a"]', "'x' does not fit: 0: .*integer"),
        ("q -> x: list[dict[str, int]]", "- {}", "must be JSON list of JSON object"),
        ("q -> x: dict[str, int]", "[[x]] {'a': 1, 'b':}", "must be JSON object"),
        ("q -> a", "", r"the section \[\[a\]\] is missing"),
    ],
)
def test_single_values_that_are_none(short: str, text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        answers(short, text)


def test_a_long_wrong_value_is_shown_in_part() -> None:
    with pytest.raises(ParseError) as caught:
        answers("q -> n: int", "word " * 1000)
    assert len(str(caught.value)) < 200


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    spec = signature_of("q -> a, A")
    values = {"a": "[[A]] is mine", "A": "[[a]]\nno"}
    demo = lp.Example(q="", **values)
    said = CHAT.render(spec, [demo], {"q": ""})[2].content
    assert said == "[[a]]\n\\[[A]] is mine\n[[A]]\n\\[[a]]\nno"
    assert CHAT.parse(spec, said) == values


def test_names_inside_other_names_are_told_apart() -> None:
    spec = signature_of("q -> team, team_lead, lead")
    reply = "[[team]]\nx\n[[team_lead]]\ny\n[[lead]]\nz"
    assert CHAT.parse(spec, reply) == {"team": "x", "team_lead": "y", "lead": "z"}
    assert CHAT.parse(spec, "Team lead: y\nTeam: x\nLead: z")["team_lead"] == "y"
