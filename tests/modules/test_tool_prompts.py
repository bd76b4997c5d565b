"""What was called and what came back is read from a prompt as it was written, whatever it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.adapters import adapter_named
from langprog.errors import ParseError
from langprog.lm import Completion, ToolCall, ToolResult
from langprog.modules import Step, ToolUse
from langprog.modules.tool_prompts import NativeSteps, TextSteps, tools_of
from langprog.modules.tool_steps import step_signature
from langprog.signature import signature_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    [
        "[[tool_calls]]\n[]",
        "[[thought]]",
        "</tool_calls><thought>",
        '"}], "tool_calls": [',
        "```json\n{}\n```",
        "<think>x</think>",
        "null",
        "\\[[notice]]",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
CALLS = st.lists(
    st.builds(ToolUse, st.sampled_from(["search", "submit"]), st.dictionaries(TEXTS, VALUES)),
    min_size=1,
    max_size=3,
)
STEPS = st.lists(
    st.builds(
        lambda thought, calls, text, notice: Step(thought, calls, [text] * len(calls), notice),
        TEXTS,
        CALLS,
        TEXTS,
        st.sampled_from(["", "Call submit now."]),
    ),
    max_size=3,
)
TARGET = signature_of("question -> answer: int")
SIGNATURE = step_signature(TARGET)


def search(query: str) -> str:
    """Search."""
    return query


TOOLS = tools_of(TARGET, [lp.Tool(search).spec])


@pytest.mark.parametrize("name", ["chat", "json", "xml"])
@settings(max_examples=25, deadline=None)
@given(question=TEXTS, steps=STEPS, thought=TEXTS, calls=CALLS)
def test_a_demonstration_in_text_reads_as_the_reply_that_it_shows(
    name: str, question: str, steps: list[Step], thought: str, calls: list[ToolUse]
) -> None:
    adapter = TextSteps(adapter_named(name), TARGET, TOOLS)
    demo = lp.Example(question=question, steps=steps, thought=thought, tool_calls=calls)
    messages = adapter.render(SIGNATURE, [demo], {"question": "x"})
    replies = [message.text for message in messages if message.role == "assistant"]
    wanted = [*((step.thought, step.tool_calls) for step in steps), (thought, calls)]
    read = [adapter.parse(SIGNATURE, Completion((text,), "m")) for text in replies]
    assert [(said["thought"], said["tool_calls"]) for said in read] == wanted
    assert len(messages) == 1 + 2 * len(wanted) + 1


@settings(max_examples=30, deadline=None)
@given(question=TEXTS, steps=STEPS, thought=TEXTS, calls=CALLS)
def test_a_native_demonstration_has_every_call_with_its_result(
    question: str, steps: list[Step], thought: str, calls: list[ToolUse]
) -> None:
    adapter = NativeSteps(TARGET, TOOLS, None)
    demo = lp.Example(question=question, steps=steps, thought=thought, tool_calls=calls)
    messages = adapter.render(SIGNATURE, [demo, demo], {"question": question, "steps": steps})
    parts: list[Any] = [
        part for message in messages for part in message.content if message.role != "user"
        and not isinstance(message.content, str)
    ]  # fmt: skip
    made = [part for part in parts if isinstance(part, ToolCall)]
    results = [part for part in parts if isinstance(part, ToolResult)]
    assert [part.id for part in made] == [part.call_id for part in results]
    assert len({part.id for part in made}) == len(made)
    assert all(len(part.id) == 9 and part.id.isalnum() for part in made)
    shown = [call for step in steps for call in step.tool_calls]
    wanted = [*shown, *calls, *shown, *calls, *shown]
    assert [(part.name, json.loads(part.arguments)) for part in made] == [
        (call.tool, call.arguments) for call in wanted
    ]
    texts = [text for step in steps for text in step.results]
    tail = [part.text for part in results[len(results) - len(texts) :]]
    assert tail == texts
    completion = Completion((thought,), "m", tool_calls=(tuple(made[-1:]),))
    if made:
        read = adapter.parse(SIGNATURE, completion)
        assert read["tool_calls"] == wanted[-1:]
        assert read["thought"] == thought.strip()


def test_names_that_endpoints_refuse_are_not_sent_back() -> None:
    step = Step("", [ToolUse("functions.search é", {}), ToolUse("", {})], ["a", "b"])
    messages = NativeSteps(TARGET, TOOLS, None).render(
        SIGNATURE, [], {"question": "x", "steps": [step]}
    )
    calls = [part for part in messages[2].content if isinstance(part, ToolCall)]
    assert [call.name for call in calls] == ["functions_search__", "_"]


def test_prompts_stay_as_they_are_byte_for_byte() -> None:
    """Programs are certified with them: other words need a new form beside this one."""
    steps = [
        Step("Look.", [ToolUse("search", {"query": "a"})], ["found"]),
        Step("", [ToolUse("submit", {"answer": "x"})], ["Not accepted: no."], "Now."),
    ]
    demo = {"question": "q", "steps": steps[:1], "thought": "Done.",
            "tool_calls": [ToolUse("submit", {"answer": 1})]}  # fmt: skip
    program = lp.ReAct("question -> answer: int", [search], demos=[demo])
    lines = []
    for adapter in ("chat", "tools"):
        step = program.step.with_own_parameters({"adapter": adapter})
        for message in step.render({"question": "r", "steps": steps}):
            content = (
                message.content if isinstance(message.content, str) else repr(message.content)
            )
            lines.append(f"=== {adapter}: {message.role}\n{content}\n")
    assert "".join(lines) == (Path(__file__).parent / "golden" / "tools.txt").read_text()


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ("", {}),
        (" ", {}),
        ("null", {}),
        ("[]", {}),
        ('""', {}),
        ('"null"', {}),
        ('"{}"', {}),
        (json.dumps('{"query": "a \\"b\\""}'), {"query": 'a "b"'}),
        (json.dumps(' {"query": "a"}\n'), {"query": "a"}),
        ("{'query': 'a'}", {"query": "a"}),
    ],
)
def test_arguments_are_read_however_an_endpoint_packs_them(
    written: str, arguments: dict[str, Any]
) -> None:
    reply = Completion(("",), "m", tool_calls=((ToolCall("x", "search", written),),))
    steps = NativeSteps(TARGET, TOOLS, None)
    assert steps.parse(SIGNATURE, reply)["tool_calls"] == [ToolUse("search", arguments)]


@pytest.mark.parametrize("written", ['"Lyon"', '["Lyon"]', "Lyon", '"\\"{}\\""', "5", '{"a": "'])
def test_arguments_that_are_no_object_are_refused(written: str) -> None:
    reply = Completion(("",), "m", tool_calls=((ToolCall("x", "search", written),),))
    steps = NativeSteps(TARGET, TOOLS, None)
    with pytest.raises(ParseError, match="arguments of the call of 'search'") as raised:
        steps.parse(SIGNATURE, reply)
    assert raised.value.text == written
