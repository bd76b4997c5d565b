"""Replies of OpenAI-compatible endpoints, whole and in pieces: read right, or an error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from langprog.errors import (
    AuthError,
    BadRequestError,
    ContentFilterError,
    LMError,
    RateLimitError,
    ServerError,
)
from langprog.lm import Completion, ReasoningDelta, Request, Sampling, TextDelta, ToolCall, Usage
from langprog.lm.finish import finish_reason_of
from langprog.lm.openai_reply import read_completion
from langprog.lm.openai_stream import Assembly, data_of
from tests.lm.endpoint import asking, choice, good


def read(data: Any, request: Request | None = None) -> Completion:
    text = data if isinstance(data, str) else json.dumps(data)
    return read_completion(text, request or asking(), "test/model", 0.5, secrets=("sekret-key",))


def message(**members: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", **members}, "finish_reason": "stop"}


def stream(*events: Any, request: Request | None = None) -> Completion:
    assembly = Assembly(request or asking(), "test/model", ("sekret-key",))
    for event in events:
        assembly.add(json.dumps(event))
    return assembly.completion(0.5)


def piece(finish: str | None = None, index: int = 0, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, Usage()),
        ({}, Usage()),
        ({"prompt_tokens": None, "completion_tokens": 3}, Usage(0, 3)),
        ({"prompt_tokens": 10.0, "completion_tokens": "12"}, Usage(10, 12)),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "prompt_tokens_details": None,
                "completion_tokens_details": {"reasoning_tokens": None},
            },
            Usage(5, 7),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 12,
                "prompt_tokens_details": {"cached_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 6},
            },
            Usage(5, 7, 4, 6),
        ),
        # What was thought is in the total alone.
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 7,
                "total_tokens": 42,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
            Usage(5, 37, 0, 30),
        ),
    ],
)
def test_counts_of_tokens(usage: Any, expected: Usage) -> None:
    assert read({**good(), "usage": usage}).usage == expected
    assert stream(piece("stop", content="x"), {"choices": [], "usage": usage}).usage == expected


@pytest.mark.parametrize(
    "usage",
    [
        '{"prompt_tokens": -1}', '{"completion_tokens": true}', '{"completion_tokens": NaN}',
        '{"prompt_tokens": Infinity}', '{"prompt_tokens": 1.5}', '{"prompt_tokens": "many"}',
        '{"prompt_tokens": 1' + "0" * 400 + "}", '{"prompt_tokens": 1' + "0" * 5000 + "}",
        '{"prompt_tokens": [1]}', '"12"', "[1, 2]", '{"prompt_tokens_details": 5}',
        '{"prompt_tokens": "1' + "0" * 30 + '"}',
    ],
)  # fmt: skip
def test_counts_that_cannot_be_are_the_endpoints_fault(usage: str) -> None:
    text = json.dumps({"choices": [choice()]})[:-1] + f', "usage": {usage}}}'
    with pytest.raises(ServerError) as caught:
        read(text)
    assert caught.value.charge == "everything"


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *[(word, "stop") for word in (None, "", "stop", "STOP", "end_turn", "eos", "eos_token",
                                      "stop_sequence", "COMPLETE", "null", "FinishReason.STOP")],
        *[(word, "length") for word in ("length", "MAX_TOKENS", "max_tokens", "model_length",
                                        "FinishReason.MAX_TOKENS", "max_output_tokens",
                                        "model_context_window_exceeded", "incomplete")],
        *[(word, "tool_calls") for word in ("tool_calls", "function_call", "tool_use",
                                            "TOOL_CALL")],
        *[(word, "content_filter") for word in ("content_filter", "SAFETY", "RECITATION",
                                                "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
                                                "refusal", "guardrail_intervened", "sensitive",
                                                "content_filtered", "IMAGE_SAFETY", "ERROR_TOXIC",
                                                "LANGUAGE")],
        *[(word, "error") for word in ("error", "abort", "insufficient_system_resource", "ERROR",
                                       "MALFORMED_FUNCTION_CALL", "network_error", "USER_CANCEL",
                                       "TIMEOUT", "OTHER", "UNEXPECTED_TOOL_CALL", "pause_turn",
                                       "malformed_model_output")],
    ],
)  # fmt: skip
def test_the_words_of_every_provider_for_why_a_completion_ended(
    word: str | None, reason: str
) -> None:
    assert finish_reason_of(word) == reason
    assert Completion(("x",), "m", finish_reasons=(word,)).finish_reason == reason  # type: ignore[arg-type]  # as a user's own model may


@pytest.mark.parametrize(
    ("members", "text", "thoughts"),
    [
        ({"content": "x"}, "x", ""),
        ({"content": None}, "", ""),
        ({"content": [{"type": "text", "text": "a"}, {"type": "output_text", "text": "b"}]}, "ab",
         ""),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                      {"type": "text", "text": "a"}]}, "a", "hm"),
        ({"content": "x", "reasoning_content": "hm"}, "x", "hm"),
        ({"content": "x", "reasoning": "hm"}, "x", "hm"),
        ({"reasoning": "hm"}, "", "hm"),
    ],
)  # fmt: skip
def test_contents_of_a_message(members: Any, text: str, thoughts: str) -> None:
    completion = read(good(message(**members)))
    assert completion.text == text
    assert "".join(completion.reasoning) == thoughts
    streamed = stream(piece(**members), piece("stop"))
    assert (streamed.text, "".join(streamed.reasoning)) == (text, thoughts)


def test_a_message_that_was_cut_off_before_its_text_is_no_outage() -> None:
    cut = {"index": 0, "message": {"role": "assistant"}, "finish_reason": "length"}
    assert (read(good(cut)).text, read(good(cut)).finish_reason) == ("", "length")
    with pytest.raises(ServerError):
        read(good({**cut, "finish_reason": "stop"}))


@pytest.mark.parametrize("content", [5, {"text": "x"}, [5], [{"text": "x"}], [{"type": "text"}],
                                     [{"type": "text", "text": 5}], True])  # fmt: skip
def test_contents_that_are_no_text(content: Any) -> None:
    with pytest.raises(ServerError):
        read(good(message(content=content)))
    with pytest.raises(ServerError):
        stream(piece("stop", content=content))


def test_a_refusal_is_no_empty_answer() -> None:
    with pytest.raises(ContentFilterError):
        read(good(message(content=None, refusal="I cannot help with that.")))
    with pytest.raises(ContentFilterError):
        stream(piece(refusal="I cannot"), piece(refusal=" help."), piece("stop"))
    assert read(good(message(content="x", refusal=None))).text == "x"


def test_a_refusal_among_the_parts_is_no_empty_answer() -> None:
    parts = [{"type": "refusal", "refusal": "I cannot help with that."}]
    with pytest.raises(ContentFilterError):
        read(good(message(content=parts)))
    with pytest.raises(ContentFilterError):
        stream(piece(content=parts), piece("stop"))


def test_choices_are_read_in_the_order_of_their_numbers() -> None:
    late, early = message(content="second"), message(content="first")
    assert read(good({**late, "index": 1}, {**early, "index": 0})).text == "first"
    assert read(good({**late, "index": 7}, {**early, "index": 0})).text == "second"


@pytest.mark.parametrize(
    "says",
    [
        {"status": "incomplete"},
        {"incomplete_details": {"reason": "max_output_tokens"}},
    ],
)
def test_a_body_that_says_of_itself_that_it_was_cut_off(says: Any) -> None:
    assert read({**good(message(content="x")), **says}).finish_reason == "length"
    last = {**piece("stop"), **says}
    assert stream(piece(content="x"), last).finish_reason == "length"


@pytest.mark.parametrize(
    ("native", "reason"),
    [("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("end_turn", "stop"), (None, "stop")],
)
def test_what_a_gateway_says_of_the_provider_behind_it(native: Any, reason: str) -> None:
    choice = {**message(content="x"), "native_finish_reason": native}
    two = good(choice, {**message(content="y"), "index": 1})
    assert read(two, asking(n=2)).finish_reasons[0] == reason
    pieces = (
        piece(content="x"),
        {"choices": [{**piece("stop")["choices"][0], "native_finish_reason": native}]},
    )
    if reason == "content_filter":
        with pytest.raises(ContentFilterError):
            stream(*pieces)
    else:
        assert stream(*pieces).finish_reason == reason


@pytest.mark.parametrize(("limit", "reason"), [(50, "length"), (51, "stop"), (None, "stop")])
def test_a_reply_as_long_as_the_limit_that_says_nothing_of_its_end_was_cut_off(
    limit: int | None, reason: str
) -> None:
    request = asking(sampling=Sampling(max_tokens=limit))
    usage = {"prompt_tokens": 5, "completion_tokens": 50}
    silent = {**message(content="x"), "finish_reason": None}
    assert read({**good(silent), "usage": usage}, request).finish_reason == reason
    assert read({**good(message(content="x")), "usage": usage}, request).finish_reason == "stop"
    whole = stream(piece(content="x"), {"choices": [], "usage": usage}, request=request)
    assert whole.finish_reason == reason


def test_tool_calls_with_and_without_ids_and_with_data_for_arguments() -> None:
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
        {"function": {"name": "g", "arguments": {"y": 2}}},
        {"id": None, "function": {"name": "h"}},
    ]
    expected = (
        ToolCall("a", "f", '{"x": 1}'),
        ToolCall("call_1", "g", '{"y": 2}'),
        ToolCall("call_2", "h", "{}"),
    )
    completion = read(good(message(tool_calls=calls)))
    assert (completion.first_tool_calls, completion.finish_reason) == (expected, "tool_calls")
    assert stream(piece("stop", tool_calls=calls)).first_tool_calls == expected


def test_a_function_call_of_an_older_server_is_a_tool_call() -> None:
    older = {"name": "f", "arguments": '{"x": 1}'}
    expected = (ToolCall("call_0", "f", '{"x": 1}'),)
    completion = read(good(message(content=None, function_call=older)))
    assert (completion.first_tool_calls, completion.finish_reason) == (expected, "tool_calls")
    streamed = stream(
        piece(function_call={"name": "f", "arguments": '{"x"'}),
        piece("function_call", function_call={"arguments": ": 1}"}),
    )
    assert (streamed.first_tool_calls, streamed.finish_reason) == (expected, "tool_calls")


@pytest.mark.parametrize(
    "call",
    [{}, {"function": None}, {"function": {"name": None}}, {"function": {"name": ""}}, "f",
     {"function": {"name": 5}}],
)  # fmt: skip
def test_a_tool_call_that_names_no_tool(call: Any) -> None:
    with pytest.raises(ServerError):
        read(good(message(content=None, tool_calls=[call])))
    with pytest.raises(ServerError):
        stream(piece("tool_calls", tool_calls=[call]))


def test_tool_calls_in_pieces() -> None:
    def more(index: int | None, **call: Any) -> dict[str, Any]:
        return piece(tool_calls=[{"index": index, **call}])

    completion = stream(
        more(0, id="a", function={"name": "f", "arguments": ""}),
        more(0, function={"arguments": '{"x"'}),
        more(1, id="b", function={"name": "g", "arguments": "{}"}),
        more(0, function={"arguments": ": 1}"}),
        piece("tool_calls"),
    )
    assert completion.first_tool_calls == (
        ToolCall("a", "f", '{"x": 1}'),
        ToolCall("b", "g", "{}"),
    )
    # Some give each call the same index, or none.
    for index in (0, None):
        completion = stream(
            more(index, id="a", function={"name": "f", "arguments": '{"x": 1}'}),
            more(index, id="b", function={"name": "f", "arguments": '{"x": 2}'}),
            piece("stop"),
        )
        assert [call.arguments for call in completion.first_tool_calls] == ['{"x": 1}', '{"x": 2}']


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"error": {"message": "m", "code": 429}}, RateLimitError),
        ({"error": {"message": "m", "code": "503"}}, ServerError),
        ({"error": {"message": "m", "status": 401}}, AuthError),
        ({"error": "overloaded"}, ServerError),
        ({"error": {"message": "m", "code": "rate_limit_exceeded"}}, ServerError),
        ({"object": "error", "message": "no seed", "code": 400}, BadRequestError),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, ServerError),
        ({"detail": "Internal Server Error"}, ServerError),
        ({"message": "upstream is gone"}, ServerError),
        ({"choices": [{"error": {"message": "m", "code": 429}, "index": 0}]}, RateLimitError),
        ({**good(), "error": {"message": "m", "code": 502}}, ServerError),
        ({**good(), "errors": [{"message": "m"}]}, ServerError),
        ({**good(), "success": False, "message": "m"}, ServerError),
        (
            {"choices": [{**message(content="x"), "message": {"error": {"code": 429}}}]},
            RateLimitError,
        ),
        ({"choices": [{"index": 0, "delta": {"error": {"message": "m"}}}]}, ServerError),
    ],
)
def test_an_error_inside_a_200(data: Any, kind: type[LMError]) -> None:
    with pytest.raises(kind) as whole:
        read(data)
    with pytest.raises(kind) as streamed:
        stream(piece(content="begun"), data)
    for caught in (whole, streamed):
        assert type(caught.value) is kind
        assert kind is not ServerError or caught.value.charge == "everything"


def test_an_error_inside_a_200_does_not_repeat_the_key() -> None:
    for data in ({"error": "bad key sekret-key"}, {"detail": "sekret-key"}):
        with pytest.raises(LMError) as caught:
            read(data)
        assert "sekret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "5", '"x"', "{", "{}", '{"choices": null}', '{"choices": []}',
     '{"choices": {}}', '{"choices": [null]}', '{"choices": [{}]}',
     '{"choices": [{"message": 5}]}',
     "[" * 200_000, '{"a":' * 200_000, "\ufeff{}", "<html>", '{"choices": [{"message": null}]}'],
)  # fmt: skip
def test_what_is_no_completion(text: str) -> None:
    with pytest.raises(ServerError):
        read(text)
    with pytest.raises(ServerError):
        assembly = Assembly(asking(), "test/model")
        assembly.add(text)
        assembly.completion(0.0)


def test_a_stream_of_two_completions_keeps_them_apart() -> None:
    request = asking(n=2, logprobs=True)
    assembly = Assembly(request, "test/model")
    deltas = []
    for index, text in ((0, "a"), (1, "x"), (0, "b"), (1, "y"), (5, "stray")):
        event = piece(index=index, content=text)
        event["choices"][0]["logprobs"] = {"content": [{"logprob": -index}]}
        deltas += assembly.add(json.dumps(event))
    assert [(delta.text, delta.index) for delta in deltas if isinstance(delta, TextDelta)] == [
        ("a", 0), ("x", 1), ("b", 0), ("y", 1),
    ]  # fmt: skip
    assert not assembly.has_ended
    assembly.add(json.dumps(piece("stop", 0)))
    assembly.add(json.dumps(piece("length", 1)))
    assert assembly.has_ended
    completion = assembly.completion(0.0)
    assert completion.texts == ("ab", "xy")
    assert completion.finish_reasons == ("stop", "length")
    assert completion.logprobs == ((0.0, 0.0), (-1.0, -1.0))


def test_a_stream_that_leaves_completions_out_says_so() -> None:
    with pytest.raises(BadRequestError) as caught:
        stream(piece("stop", content="x"), request=asking(n=3))
    assert caught.value.params == ("n",)


def test_a_reason_that_is_none_yet_does_not_end_a_stream() -> None:
    assembly = Assembly(asking(), "test/model")
    for nothing in (None, "", "null"):
        assembly.add(json.dumps(piece(nothing, content="x")))
        assert not assembly.has_ended


def test_a_thought_comes_as_a_thought() -> None:
    assembly = Assembly(asking(), "test/model")
    [delta] = assembly.add(json.dumps(piece(reasoning_content="hm")))
    assert delta == ReasoningDelta("hm")


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ('data: {"a": 1}\r', '{"a": 1}'),
        ('data:{"a": 1}', '{"a": 1}'), ("data: [DONE]", "[DONE]"),
        ("data:[DONE]\r", "[DONE]"),
        (": a comment", ""), ("event: ping", ""), ("", ""), ("\r", ""),
        ("id: 5", ""), ("retry: 100", ""), ('{"error": "x"}', '{"error": "x"}'),
    ],
)  # fmt: skip
def test_lines_of_a_stream(line: str, data: str) -> None:
    assert data_of(line) == data
