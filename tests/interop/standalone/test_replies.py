"""A reply means to a standalone file what it means to the program, or is refused."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.errors import ParseError
from langprog.interop.standalone.replies import Unreadable, read_reply

SIGNATURES = [
    "a -> b",
    "a -> b: int",
    "a -> b: Literal['yes', 'No way', '3']",
    "a -> b: Optional[str]",
    "a -> b: list[str]",
    "a -> b, c: int",
    "a -> b: bool, c: float",
    "a -> b: Optional[int], c: list[int]",
    "a -> reasoning, b",
]
PROGRAMS = [
    lp.Predict(signature, model="openai/m", adapter=adapter)
    for signature in SIGNATURES
    for adapter in ("chat", "json")
] + [
    lp.PromptTemplate("{a}", output=output, model="openai/m")
    for output in ("b", "b: int", "b, c: int", "b: Literal['yes', 'No way']")
]
WORDS = [
    *("[[reasoning]]\n", "[[b]]\n", "[[b]]\n", "[[c]]\n", "<", "[reasoning]", "[/reasoning]"),
    *("[[b]]", "[[c]]", "[[a]]", "[[B]]", "[[ b ]]", "[[/b]]", "\\[[b]]", "[[completed]]"),
    *("\n", "\n", "\n\n", " ", "yes", "No way", "no way", "3", "-4.5", "1,000", "1.000", "1e3"),
    *("null", "None", "true", "NO", '"x"', "`x`", "```\n", "```", "text", "b:", "**b**:", "C: "),
    *("<think>", "</think>", "<b>", "</b>", "</s>", "<|im_end|>", "[/INST]", "analysis", "."),
    *("{", "}", "[", "]", ",", '"b": ', '"c": ', '"', "[1, 2]", '["x"]', "- x", "assistantfinal"),
    *('{"b": "x", "c": 1}', '{"b": 3}', '{"b": null, "c": [1]}', '{"b": true, "c": 2.0}'),
]
REPLIES = st.lists(st.sampled_from(WORDS), max_size=9).map("".join)


def step_of(program: lp.Module) -> dict[str, Any]:
    text = re.search(r'json\.loads\(r"""\n(.*?)\n"""\)', lp.to_python(program), re.DOTALL)
    assert text is not None
    step: dict[str, Any] = json.loads(text[1])["steps"][0]
    return step


STEPS = [step_of(program) for program in PROGRAMS]


def check(number: int, reply: str) -> bool:
    """Compare one reading with the program's; return whether there is a value."""
    predictor = PROGRAMS[number]
    try:
        read = read_reply(STEPS[number], reply)
    except Unreadable:
        return False
    try:
        wanted = predictor.adapter_in_force().parse(
            predictor.signature, lp.Completion((reply,), "m")
        )
    except ParseError as error:
        raise AssertionError(f"{reply!r} is {read} here, and unreadable there: {error}") from error
    assert (read, repr(read)) == (wanted, repr(wanted)), reply
    return True


@settings(max_examples=50, deadline=None)
@given(st.integers(0, len(PROGRAMS) - 1), REPLIES)
@example(0, "[[b]]\n<p>x</p>")
@example(0, "[[b]]\na < b and <think>c</think>")
@example(0, "<think>\n[[b]]\nx\n</think>\n[[b]]\ny")
@example(0, '[[b]]\n"quoted \\u00e9"')
@example(16, "[[reasoning]]\na < b\n[[b]]\nx <reasoning> y")
@example(16, "[[reasoning]]\na < b\n[[b]]\nx")
@example(3, "[[b]]\nNULL")
def test_a_reply_means_the_same_or_is_refused(number: int, reply: str) -> None:
    check(number, reply)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_a_reply_in_the_form_that_is_asked_for_is_read(number: int) -> None:
    values: dict[str, list[Any]] = {
        "str": ["x", "a\nb", "[[b]]", "null", '"q"', "<i>x</i>"],
        "int": [0, -12, 10**17],
        "float": [1.5, -2.0],
        "bool": [True, False],
        "choice": ["yes", "No way"],
        "optional": [None],
        "list": [[]],
    }
    predictor, step = PROGRAMS[number], STEPS[number]
    for turn in range(6):
        outputs = {
            field["name"]: (kinds := values[field["type"]["kind"]])[turn % len(kinds)]
            for field in step["outputs"]
        }
        demo = lp.Example(a="x", **outputs)
        with_demo = predictor.with_parameters({"predict.demos": [demo]})
        if step["form"] == "text":  # the demonstration is a part of the prompt
            reply = lp.to_python(with_demo) and _answer(with_demo)
        else:
            reply = str(with_demo.render({"a": "y"})[-2].content)
        assert check(number, reply), reply
        assert check(number, f"<think>hm\n</think>\n\n{reply}\n"), reply


def _answer(program: lp.Predict) -> str:
    (message,) = program.render({"a": "y"})
    text = str(message.content)
    return text.removeprefix("x\n").removesuffix("\n\ny")
