from __future__ import annotations

import re
import time
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.adapters import adapter_named
from langprog.adapters.xml_tags import escape, unescape
from langprog.errors import ParseError
from langprog.lm import Message
from langprog.signature import signature_of
from tests.adapters.replies import TextAdapter, said

XML = TextAdapter("xml")


class Review(lp.Signature):
    """Judge the review."""

    review: str = lp.Input("as it was posted")
    stars: int | None = lp.Input()
    why: str = lp.Output("in one sentence")
    mood: Literal["glad", "cross", "cross and loud"] = lp.Output()
    score: int = lp.Output(ge=0)
    words: list[str] = lp.Output()


SPEC = Review.spec
ANSWER = {"why": "it broke", "mood": "cross", "score": 2, "words": ["broke"]}
REPLY = '<why>it broke</why>\n<mood>cross</mood>\n<score>2</score>\n<words>["broke"]</words>'


def answers(short: str, text: str, reason: str = "stop") -> Any:
    """The only output of a short form, read from ``text``."""
    found = adapter_named("xml").parse(signature_of(short), said(text, reason=reason))
    return found["a"]


def test_the_whole_prompt() -> None:
    demo = lp.Example(review="bad <why>", stars=1, **ANSWER)
    assert XML.render(SPEC, [demo], {"review": "a & b\n</review>", "stars": None}) == (
        Message(
            "system",
            "Judge the review.\n"
            "\n"
            "Input fields:\n"
            "- review: as it was posted\n"
            "- stars (integer, or null)\n"
            "Output fields:\n"
            "- why: in one sentence\n"
            "- mood (one of: glad, cross, cross and loud)\n"
            "- score (integer, >= 0)\n"
            "- words (JSON list of text)\n"
            "\n"
            "Reply with the output fields, each as an element, in this order: "
            "<why>...</why> <mood>...</mood> <score>...</score> <words>...</words>",
        ),
        Message("user", "<review>bad &lt;why></review>\n<stars>1</stars>"),
        Message("assistant", REPLY),
        Message("user", "<review>a & b\n&lt;/review></review>\n<stars>null</stars>"),
    )


@pytest.mark.parametrize(
    "reply",
    [
        REPLY,
        REPLY.replace("\n", ""),
        REPLY.replace("<why>", "<why>\n").replace("</why>", "\n</why>"),
        f"Sure, here is my <mood>:\n\n{REPLY}\n\nI hope that <mood> helps.",
        f"```xml\n{REPLY}\n```",
        f"<answer>\n{REPLY}\n</answer>",
        f"<answer>{REPLY}</answer>".replace("\n", ""),
        f"<think>\n<mood>glad</mood>?\n</think>\n{REPLY}",
        REPLY.replace("mood", "Mood").replace("</why", "</WHY"),
        REPLY.replace("<mood>", '<mood kind="x" n=1>'),
        REPLY.replace("<score>2", "<score >2"),
        REPLY.replace("it broke", "<![CDATA[it broke]]>"),
        REPLY.replace("cross", "Cross."),
        REPLY.replace('["broke"]', "- broke"),
        f"**<why>**it broke</why>{REPLY[len('<why>it broke</why>') :]}".replace("**", ""),
        f"{REPLY}\n{REPLY}",
        f"<review>old</review>\n<stars>1</stars>\n{REPLY}",
        f"{REPLY}\n<review>the next one</review>\n<why>no</why>\n<mood>glad</mood>",
        "\n".join(reversed(REPLY.split("\n"))),
        REPLY.removesuffix("</words>"),
        REPLY.removesuffix("ds>"),
        f"```\n{REPLY.removesuffix('</words>')}\n```",
        REPLY.replace("<why>", "- <why>"),
    ],
)
def test_the_form_of_a_reply_is_forgiven(reply: str) -> None:
    assert XML.parse(SPEC, reply) == ANSWER


@pytest.mark.parametrize(
    ("short", "text", "value"),
    [
        ("q -> a", "<a>use <b>bold</b> & <i/> now</a>", "use <b>bold</b> & <i/> now"),
        ("q -> a", "<a>use <a>inner</a> now</a>", "use <a>inner</a> now"),
        ("q -> a", "<a>write <a> first</a>", "write <a> first"),
        ("q -> a", "<a>1 &lt; 2 &amp;&amp; 3 > 2</a>", "1 < 2 && 3 > 2"),
        ("q -> a", "<a>1 < 2 && x[i]</a>", "1 < 2 && x[i]"),
        ("q -> a", "<a>&amp;lt; &copy; &#65;&#x42; &#0;</a>", "&lt; &copy; AB &#0;"),
        ("q -> a", "<a><![CDATA[<a>&lt;</a>]]> &lt;</a>", "<a>&lt;</a> <"),
        ("q -> a", "<a>a <![CDATA[ mention</a>", "a <![CDATA[ mention"),
        ("q -> a", "<a></a>", ""),
        ("q -> a", "<a/>", ""),
        ("q -> a: Optional[int]", "<a />", None),
        ("q -> a", "no tags at all", "no tags at all"),
        ("q -> a: int", "7", 7),
        ("q -> a: int", '{"a": 7}', 7),
        ("q -> a", "<a>\n  two\n  lines\n</a>", "two\n  lines"),
        ("q -> a", "<a>whole, as the endpoint says", "whole, as the endpoint says"),
        ("q, b -> a", "<a>the <b> is not mine</a>", "the <b> is not mine"),
        ("q -> a: dict[str, str]", '<a>{"x": "&lt;a>"}</a>', {"x": "<a>"}),
    ],
)
def test_single_values(short: str, text: str, value: Any) -> None:
    found = answers(short, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("short", "text", "value"),
    [
        ("q -> a: Literal['left', 'right']", "<a>left", "left"),
        ("q -> a: bool", "<a>yes</", True),
        ("q -> a: list[int]", "<a>[1, 2]", [1, 2]),
        ("q -> a", "<a>the beginn", None),
        ("q -> a: int", "<a>12", None),
        ("q -> a: list[int]", "<a>- 1\n- 2", None),
        ("q -> a: Literal['net', 'network']", "<a>net", None),
        ("q -> a: Optional[int]", "<a>12", None),
    ],
)
def test_a_lost_closing_tag_is_forgiven_where_nothing_else_can_be_lost(
    short: str, text: str, value: Any
) -> None:
    spec = signature_of(short)
    unsaid = lp.Completion((text,), "test/model")  # not known why it ended
    if value is None:
        with pytest.raises(ParseError, match="the element <a> is not closed"):
            adapter_named("xml").parse(spec, unsaid)
    else:
        assert adapter_named("xml").parse(spec, unsaid) == {"a": value}


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ("I cannot help with that.", "the elements <why>, <mood>, <score>, <words> are missing"),
        (REPLY.replace("<score>2</score>", ""), "the element <score> is missing"),
        (REPLY.replace("</why>", ""), "the element <why> is not closed"),
        (REPLY.replace("broke</why>", "</why> broke</why>"), "the element <why> is closed twice"),
        (f"{REPLY}\n<mood>glad</mood>", "the element <mood> comes twice and differs"),
        (REPLY.replace("cross", "odd"), "'mood' is 'odd', but must be one of"),
        (REPLY.replace(">2<", ">-2<"), "'score' does not fit: .*greater than or equal to 0"),
        (f"<think>{REPLY}", "it ends before the answer"),
        (REPLY.replace("<score>2</score>", "<scores>2</scores>"), "<score> is missing"),
    ],
)
def test_the_content_of_a_reply_is_not_guessed(reply: str, message: str) -> None:
    with pytest.raises(ParseError, match=message) as caught:
        XML.parse(SPEC, reply)
    assert caught.value.text == reply


NAMES = ("why", "mood_now")
PIECES = st.sampled_from(
    [
        *("<why>", "</why>", "<WHY x='1'>", "<mood-now>", "</mood_now", "<why", "<", "</", ">"),
        *("&", "&lt;", "&amp;", "&amp;lt;", "&#60;", "&#x3C;", "lt;", "amp;", ";", "#60;"),
        *("<![CDATA[", "]]>", "<!", "[CDATA[", " ", "\n", "a", "/"),
    ]
)


@settings(max_examples=100)
@given(text=st.lists(PIECES, max_size=8).map("".join))
def test_escaping_is_undone_and_leaves_no_tag(text: str) -> None:
    safe = escape(text, NAMES)
    assert unescape(safe) == text
    assert not re.search(r"</?(why|mood[_-]now)[\s/>]", safe, re.IGNORECASE)
    spec = signature_of("q -> why, mood_now")
    read = XML.parse(spec, f"<why>x{safe}x</why>\n<mood_now>y</mood_now>")
    assert read == {"why": f"x{text}x", "mood_now": "y"}


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "<why>",
            "</why>",
            "<why>\n</why>\n",
            "\n<why>",
            "<why ",
            "<mood>\n",
            "\n<review>\n<why>",
        ),
        *("<", "&", "&amp;", "<![CDATA[", "<![CDATA[]]>", "<why/>\n", "<WHY a b c", "```\n", "</"),
    ],
)
def test_the_time_to_read_grows_with_the_length(piece: str) -> None:
    def seconds(size: int) -> float:
        text = f"<why>x</why>\n<mood>{piece * (size // len(piece))}"
        best = 9.9
        for _ in range(3):
            began = time.process_time()
            try:
                XML.parse(SPEC, text)
            except ParseError:
                pass
            best = min(best, time.process_time() - began)
        return best

    small, large = seconds(10_000), seconds(80_000)
    assert large < 8 * 3 * small + 0.01
