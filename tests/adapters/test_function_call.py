from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import pytest

import langprog as lp
from langprog.adapters import adapter_named
from langprog.errors import BadRequestError, LangprogWarning, ParseError
from langprog.lm import Message, Text, ToolCall, ToolResult, ToolSpec
from langprog.signature import signature_of
from tests.adapters.replies import said
from tests.lm.endpoint import choice, endpoint_in_thread, good, refuses, says

TOOLS = adapter_named("tools")


class Sort(lp.Signature):
    """Sort the parcel."""

    label: str = lp.Input()
    shelf: Literal["north", "south"] = lp.Output("where it goes")
    weight: float = lp.Output(gt=0)


SPEC = Sort.spec
ANSWER = {"shelf": "south", "weight": 2.5}
ARGUMENTS = json.dumps(ANSWER)


def called(*arguments: str, name: str = "Sort", text: str = "") -> lp.Completion:
    calls = tuple(ToolCall(f"c{place}", name, one) for place, one in enumerate(arguments))
    return said(text, calls=calls, reason="tool_calls")


def test_the_whole_prompt() -> None:
    demo = lp.Example(label="tea", **ANSWER)
    assert TOOLS.render(SPEC, [demo], {"label": "cups"}) == (
        Message(
            "system",
            "Sort the parcel.\n"
            "\n"
            "Input fields:\n"
            "- label\n"
            "Output fields:\n"
            "- shelf (one of: north, south): where it goes\n"
            "- weight (number, > 0)\n"
            "\n"
            "Answer by calling the function Sort with exactly these arguments, in this order: "
            "shelf, weight",
        ),
        Message("user", '{"label": "tea"}'),
        Message("assistant", (ToolCall("demo00001", "Sort", ARGUMENTS),)),
        Message("tool", (ToolResult("demo00001", "Accepted."),)),
        Message("user", '{"label": "cups"}'),
    )
    assert TOOLS.tools(SPEC) == (ToolSpec("Sort", "Takes the answer.", SPEC.json_schema()),)
    assert TOOLS.tool_choice(SPEC) == "Sort"
    assert TOOLS.response_schema(SPEC) is None


@pytest.mark.parametrize(
    ("name", "tool"),
    [("Sort", "Sort"), ("größe", "answer"), ("a -> b", "answer"), ("x" * 65, "answer")],
)
def test_a_tool_has_a_name_that_endpoints_take(name: str, tool: str) -> None:
    spec = dataclasses.replace(SPEC, name=name)
    assert TOOLS.tools(spec)[0].name == tool == TOOLS.tool_choice(spec)


@pytest.mark.parametrize(
    "completion",
    [
        called(ARGUMENTS),
        called(ARGUMENTS, text="I sort it."),
        called(ARGUMENTS, ARGUMENTS),
        called(ARGUMENTS, name="sort"),
        called(ARGUMENTS[:-1] + ",}"),
        called(f"```json\n{ARGUMENTS}\n```"),
        called('{"Shelf": "South", "weight": "2.5"}'),
        said(ARGUMENTS),
        said(f"Here: {ARGUMENTS}"),
    ],
)
def test_the_form_of_a_call_is_forgiven(completion: lp.Completion) -> None:
    assert TOOLS.parse(SPEC, completion) == ANSWER


@pytest.mark.parametrize(
    ("completion", "message"),
    [
        (called(ARGUMENTS, name="weigh"), "it calls the tool 'weigh'; there is only 'Sort'"),
        (called(ARGUMENTS, ARGUMENTS.replace("south", "north")), "several times, and differently"),
        (called("[1]"), "the arguments of the call are no JSON object"),
        (called(""), "no JSON object"),
        (called(ARGUMENTS[:-5]), "cut off"),
        (called('{"shelf": "east", "weight": 1}'), "'shelf' is 'east', but must be one of"),
        (called('{"shelf": "south"}'), "the key 'weight' is missing"),
        (said("It goes south."), "it does not call the function .*, and it holds no JSON object"),
    ],
)
def test_the_content_of_a_call_is_not_guessed(completion: lp.Completion, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        TOOLS.parse(SPEC, completion)


def test_a_call_is_sent_back_with_its_result() -> None:
    messages = TOOLS.render(SPEC, [], {"label": "x"})
    wrong = called("{}", '{"shelf": 1}', text="Hm.")
    assert TOOLS.repair(messages, wrong, "much is wrong")[len(messages) :] == (
        Message("assistant", (Text("Hm."), *wrong.first_tool_calls)),
        Message(
            "tool",
            (
                ToolResult("c0", "Not accepted: much is wrong."),
                ToolResult("c1", "Not accepted: much is wrong."),
            ),
        ),
        Message("user", "That call was not accepted: much is wrong. Call the function again."),
    )


def test_another_adapter_takes_no_call_for_an_answer() -> None:
    calls = called('{"answer": "x"}', name="answer")
    lm = lp.ScriptedLM([calls, calls])
    with lp.using(lm=lm, adapter="chat"), pytest.raises(ParseError, match="calls the tool"):
        lp.Predict("question -> answer")(question="why?")


# --- an endpoint ---------------------------------------------------------------------------------


def calls(arguments: str, text: str | None = None, **more: Any) -> dict[str, Any]:
    function = {"name": "Sort", "arguments": arguments}
    message = {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    return {"index": 0, "message": message, "finish_reason": "tool_calls", **more}


def sort(base_url: str, label: str = "cups") -> lp.Prediction:
    lm = lp.LM("test/model", base_url=base_url, cache=False, attempts=1)
    demo = lp.Example(label="tea", **ANSWER)
    return lp.Predict(Sort, model=lm, demos=[demo], adapter="tools")(label=label)


def test_an_endpoint_is_asked_to_call_and_its_call_read() -> None:
    with endpoint_in_thread(says(good(calls(ARGUMENTS)))) as seen:
        assert sort(seen.base_url).to_dict() == ANSWER
    (body,) = seen.requests
    assert body["tools"][0]["function"]["parameters"] == SPEC.json_schema()
    assert body["tool_choice"] == {"type": "function", "function": {"name": "Sort"}}
    assert "response_format" not in body
    roles = [message["role"] for message in body["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "user"]
    assert body["messages"][2]["tool_calls"][0]["id"] == body["messages"][3]["tool_call_id"]


def test_a_wrong_call_is_sent_back_to_an_endpoint_once() -> None:
    wrong, right = says(good(calls('{"shelf": "east"}'))), says(good(calls(ARGUMENTS)))
    with endpoint_in_thread(wrong, right) as seen:
        assert sort(seen.base_url).to_dict() == ANSWER
    assistant, result, user = seen.requests[1]["messages"][-3:]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"shelf": "east"}'
    assert result["role"] == "tool" and result["tool_call_id"] == "call_1"
    assert "'shelf' is 'east'" in result["content"] and user["role"] == "user"


def test_an_endpoint_may_answer_with_text() -> None:
    with endpoint_in_thread(says(good(choice(ARGUMENTS)))) as seen:
        assert sort(seen.base_url).to_dict() == ANSWER


@pytest.mark.parametrize(
    "message", ["this model does not support tools", "Unknown field: functions", "tools: no"]
)
def test_an_endpoint_without_tools_is_an_error_that_says_what_to_do(message: str) -> None:
    with endpoint_in_thread(refuses(400, message=message)) as seen:
        with pytest.raises(BadRequestError, match="use adapter='json' or adapter='chat'"):
            sort(seen.base_url)


def test_another_refusal_is_told_as_it_is() -> None:
    with endpoint_in_thread(refuses(400, message="there is no such model")) as seen:
        with pytest.raises(BadRequestError) as caught:
            sort(seen.base_url)
    assert "adapter=" not in str(caught.value)


def test_an_endpoint_that_takes_no_choice_is_asked_without_it() -> None:
    no_choice = refuses(400, message="tool_choice is not supported")
    with endpoint_in_thread(no_choice, says(good(calls(ARGUMENTS)))) as seen:
        with pytest.warns(LangprogWarning, match="tool_choice"):
            assert sort(seen.base_url).to_dict() == ANSWER
    assert "tool_choice" not in seen.requests[1] and "tools" in seen.requests[1]


def test_the_short_form_has_a_tool_too() -> None:
    spec = signature_of("question -> answer: int")
    lm = lp.ScriptedLM([called('{"answer": 4}', name="answer")])
    with lp.using(lm=lm, adapter="tools"):
        assert lp.Predict(spec)(question="2 + 2").answer == 4
