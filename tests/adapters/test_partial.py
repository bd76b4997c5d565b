from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from langprog.adapters import ADAPTERS, Adapter
from langprog.errors import ParseError
from langprog.example import Example
from langprog.lm import Completion, ToolCall
from langprog.signature import SignatureSpec, signature_of

SPEC = signature_of("question -> reasoning, answer, count: int, tags: list[str]")
CHAT, JSON, XML, TOOLS = (ADAPTERS[name] for name in ("chat", "json", "xml", "tools"))

# Texts full of what the adapters mean something by.
SIGNS = st.sampled_from(
    [
        *("[[", "]]", "[[answer]]", "\\[[count]]", "[[other]]", "<answer>", "</answer>", "<b>"),
        *("<![CDATA[", "]]>", "&lt;", "&", "<", "\\", '"', "{", "}", "\n", "\n\n", " ", "#", "**"),
        *("```", "- ", "\U0001f600", "a", "Paris", "<think>", "</think>", ":", "_"),
    ]
)
TEXT = st.lists(SIGNS, max_size=12).map("".join) | st.text(max_size=12)


def written(adapter: Adapter, spec: SignatureSpec, values: dict[str, Any]) -> Completion:
    """Return the reply that a demonstration shows: what a perfect model writes."""
    demo = Example(**dict.fromkeys(spec.inputs, "q"), **values)
    for message in reversed(adapter.render(spec, [demo], dict.fromkeys(spec.inputs, "q"))):
        if message.role != "assistant":
            continue
        if isinstance(message.content, str):
            return Completion((message.content,), "m")
        calls = tuple(part for part in message.content if isinstance(part, ToolCall))
        return Completion(("",), "m", tool_calls=(calls,))
    raise AssertionError("no answer")


def cut(text: str, seed: int, longest: int = 7) -> Iterator[str]:
    draw = random.Random(seed)
    while text:
        size = draw.randint(1, longest)
        yield text[:size]
        text = text[size:]


def read(adapter: Adapter, spec: SignatureSpec, reply: Completion, seed: int) -> dict[str, str]:
    reader = adapter.stream_reader(spec)
    assert reader is not None
    texts: dict[str, str] = {}
    calls = reply.first_tool_calls
    whole = calls[0].arguments if calls else reply.text
    for piece in cut(whole, seed):
        for field, text in reader.feed_call(0, "", piece) if calls else reader.feed(piece):
            assert text
            texts[field] = texts.get(field, "") + text
    return texts


@pytest.mark.parametrize("adapter", [CHAT, JSON, XML, TOOLS], ids=lambda adapter: adapter.name)
@given(
    reasoning=TEXT,
    answer=TEXT,
    count=st.integers(),
    tags=st.lists(TEXT, max_size=3),
    seed=st.integers(0, 1000),
)
@example(reasoning="", answer="<[[answer]]]]>[[", count=0, tags=[], seed=0)
@settings(max_examples=100, deadline=None)
def test_pieces_are_the_beginning_of_each_value_however_the_reply_is_cut(
    adapter: Adapter, reasoning: str, answer: str, count: int, tags: list[str], seed: int
) -> None:
    values = {"reasoning": reasoning, "answer": answer, "count": count, "tags": tags}
    reply = written(adapter, SPEC, values)
    try:
        values = adapter.parse(SPEC, reply)
    except ParseError:
        return
    texts = read(adapter, SPEC, reply, seed)
    assert texts == read(adapter, SPEC, reply, seed + 1)
    for name in ("reasoning", "answer"):
        assert values[name].startswith(texts.get(name, ""))


@pytest.mark.parametrize("adapter", [CHAT, JSON, XML, TOOLS], ids=lambda adapter: adapter.name)
def test_a_plain_reply_comes_in_full(adapter: Adapter) -> None:
    values = {
        "reasoning": "See *this*:\n\n- a < b\n- [x] snake_case & <b>bold</b>\n\n\\[[answer]]",
        "answer": 'It is "Paris", \U0001f600 [[other]].',
        "count": -12,
        "tags": ["a, b", 'c"d', "e]"],
    }
    reply = written(adapter, SPEC, values)
    reader = adapter.stream_reader(SPEC)
    assert reader is not None
    for seed in range(200):
        texts = read(adapter, SPEC, reply, seed)
        assert texts["reasoning"] == values["reasoning"]
        assert texts["answer"] == values["answer"]
        assert texts["count"] == "-12"
        # The end of the last field may be kept back, as nothing follows it.
        tags = texts["tags"]
        assert '["a, b", "c\\"d", "e]"]'.startswith(tags)
        assert len(tags) >= 15


@pytest.mark.parametrize(
    ("adapter", "reply", "texts"),
    [
        (CHAT, "Sure!\n\n[[answer]]\nParis\n", {"answer": "Paris"}),
        (CHAT, "**[[ ANSWER ]]**:\n**Paris**\n", {"answer": "**Paris**"}),
        (CHAT, "## [[ ## Answer ## ]]\n\n  Paris \n\n > [[count]]", {"answer": "Paris"}),
        (CHAT, "[[answer]]: Paris", {"answer": "Paris"}),
        (CHAT, "[[answer]]\nParis\n\n[[ ## completed ## ]]\nmore", {"answer": "Paris"}),
        (CHAT, "[[answer]]\nParis\n\n[[question]]\nWhich?\n[[answer]]\nRome", {"answer": "Paris"}),
        (CHAT, "```\n[[answer]]\nParis\n```", {"answer": "Paris"}),
        (CHAT, "[[answer]]\nSo:\n```py\nx\n```\nyes", {"answer": "So:\n```py\nx\n```\nyes"}),
        (CHAT, "[[answer]]\n```py\nx\n```\n[[count]]\n3", {"count": "3"}),
        (CHAT, "<think>\n[[answer]]\nRome</think>\n[[answer]]\nParis", {"answer": "Paris"}),
        (CHAT, "[THINK]hm[/THINK][[answer]]\nParis", {"answer": "Paris"}),
        (CHAT, "[[answer]]\nParis<|im_end|>", {"answer": "Paris"}),
        (CHAT, "[[answer]]\nParis [[count]] 3", {"answer": "Paris"}),
        (CHAT, "no marker at all", {}),
        (CHAT, "[[answer]]\n- a\n- b", {"answer": "- a\n- b"}),
        (CHAT, "[[answer]]\nx\\\\[[count]] y", {"answer": "x\\[[count]] y"}),
        (
            JSON,
            '```json\n{"answer": "Pa\\u0072is", "other": {"a": "}"}, "count": 3}',
            {"answer": "Paris", "count": "3"},
        ),
        (JSON, '<think>{"answer": "Rome"}</think>{"answer": "Paris"}', {"answer": "Paris"}),
        (JSON, '{"Answer" : "\\ud83d\\ude00!"}', {"answer": "\U0001f600!"}),
        (JSON, "{'answer': 'Paris'}", {}),
        (JSON, '{"answer": "a\\qb"}', {"answer": "a"}),
        (
            JSON,
            '{"tags": ["a\\"]", {"b": 1}] , "count": 1}',
            {"tags": '["a\\"]", {"b": 1}]', "count": "1"},
        ),
        (XML, "Here:\n<answer>\n Paris </answer>", {"answer": "Paris"}),
        (XML, "<answer>a &lt; b &amp; c & d</answer>", {"answer": "a < b & c & d"}),
        (XML, "<answer><![CDATA[</answer> ]] > ]]></answer>", {"answer": "</answer> ]] > "}),
        (
            XML,
            "<Answer class='x'>Paris</Answer><count>3</count>",
            {"answer": "Paris", "count": "3"},
        ),
        (
            XML,
            "<answer>use <answers> and <count></answer>",
            {"answer": "use <answers> and <count>"},
        ),
        (
            XML,
            "<answer>Paris</answer>\n<question>?</question><count>1</count>",
            {"answer": "Paris"},
        ),
        (
            XML,
            "<thinking><answer>Rome</answer></thinking><answer>Paris</answer>",
            {"answer": "Paris"},
        ),
    ],
)
def test_replies_as_models_write_them(adapter: Adapter, reply: str, texts: dict[str, str]) -> None:
    for seed in range(100):
        assert read(adapter, SPEC, Completion((reply,), "m"), seed) == texts


@pytest.mark.parametrize("adapter", [CHAT, XML, JSON], ids=lambda adapter: adapter.name)
@pytest.mark.parametrize("filler", [" ", "\n", "\\", "[", "[[", "<", "-", "&", '"', "`", "a[["])
def test_what_is_kept_back_stays_short(adapter: Adapter, filler: str) -> None:
    reader = adapter.stream_reader(signature_of("question -> answer"))
    assert reader is not None
    begin = {"chat": "[[answer]]\nx", "xml": "<answer>x", "json": '{"answer": "x'}[adapter.name]
    sent = "".join(text for _, text in reader.feed(begin))
    total = 0
    for _ in range(5000):
        total += len(filler)
        sent += "".join(text for _, text in reader.feed(filler))
    assert sent.startswith("x")
    if adapter.name == "json" and filler in ('"', "\\"):
        return  # the text has ended, or is no JSON
    assert len(sent) > total / 2 - 1200


def test_an_adapter_without_a_reader_has_none() -> None:
    class Plain(Adapter):
        name = "plain"

        def render(self, signature: Any, demos: Any, inputs: Any) -> Any:
            return ()

        def parse(self, signature: Any, completion: Completion) -> dict[str, Any]:
            return {}

    assert Plain().stream_reader(SPEC) is None
