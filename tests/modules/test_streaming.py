from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

import langprog as lp
from langprog.cli.main import run as main
from langprog.errors import (
    BudgetExceeded,
    InputError,
    LangprogError,
    ParseError,
    TruncatedError,
)
from langprog.lm import (
    Cached,
    Capabilities,
    Completed,
    Completion,
    Declared,
    Delta,
    MemoryCache,
    OpenAICompatible,
    Request,
    Retry,
    ScriptedLM,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from langprog.modules.streaming import ROOM, Event
from langprog.observe import ToolStarted
from langprog.runtime import run_sync
from tests.lm.endpoint import Answer, at_once, client, endpoint_in_thread


class Chunked(ScriptedLM):
    """Writes its reply in pieces of random sizes."""

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        completion = await self.complete(request)
        text, draw = completion.text, random.Random(1)
        while text:
            size = draw.randint(1, 5)
            yield TextDelta(text[:size])
            text = text[size:]
            await asyncio.sleep(0)
        yield Completed(completion)


def collect(program: lp.Module, lm: Any = None, **inputs: Any) -> list[Event]:
    async def run() -> list[Event]:
        with lp.using(lm=lm):
            return [event async for event in program.astream(**inputs)]

    return run_sync(run())


def fields_of(events: list[Event]) -> dict[tuple[str, int], dict[str, str]]:
    """Return the texts of all fields by path and call, as a consumer puts them together."""
    texts: dict[tuple[str, int], dict[str, str]] = {}
    for event in events:
        if isinstance(event, lp.StepReset):
            texts.pop((event.path, event.call), None)
        elif isinstance(event, lp.FieldDelta):
            fields = texts.setdefault((event.path, event.call), {})
            fields[event.field] = fields.get(event.field, "") + event.text
    return texts


def check(events: list[Event]) -> lp.Prediction:
    """Check what holds for every stream, and return the prediction at its end."""
    texts = fields_of(events)
    started: dict[int, lp.StepStarted] = {}
    ended: set[int] = set()
    for event in events[:-1]:
        assert not isinstance(event, lp.Prediction)
        if isinstance(event, lp.StepStarted):
            assert event.call not in started
            assert event.parent is None or event.parent in started.keys() - ended
            started[event.call] = event
            continue
        assert event.call in started.keys() - ended
        assert event.path == started[event.call].path
        if isinstance(event, (lp.StepFinished, lp.StepFailed)):
            ended.add(event.call)
        if isinstance(event, lp.StepFinished) and started[event.call].module == "Predict":
            told = texts[event.path, event.call]
            assert {name: told.get(name, "") for name in event.outputs} == {
                name: value if isinstance(value, str) else told[name]
                for name, value in event.outputs.items()
            }
            for name, value in event.outputs.items():
                assert isinstance(value, str) or json.loads(told[name]) == value
    assert ended == started.keys()
    last = events[-1]
    assert isinstance(last, lp.Prediction)
    return last


def event_stream(*pieces: str | None, reason: str = "stop", end: bool = True) -> Answer:
    """Answer with a stream; at ``None``, it waits for ever."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for piece in pieces:
            if piece is None:
                await asyncio.Event().wait()
            delta = {"choices": [{"index": 0, "delta": {"content": piece}}]}
            await response.write(f"data: {json.dumps(delta)}\n\n".encode())
        if not end:
            assert request.transport is not None
            request.transport.close()
            return response
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage}
        await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        return response

    return answer


REPLY = "[[reasoning]]\nIt is large.\n\n[[answer]]\nParis"
CHAIN = lp.ChainOfThought("question -> answer")


# --- every adapter, every module -----------------------------------------------------------------

REPLIES = {
    "chat": "[[reasoning]]\nA [[small]] step.\n[[answer]]\nParis\n[[count]]\n3",
    "json": '{"reasoning": "A [[small]] step.", "answer": "Paris", "count": 3}',
    "xml": "<reasoning>A [[small]] step.</reasoning>\n<answer>Paris</answer><count>3</count>",
}


@pytest.mark.parametrize("adapter", REPLIES)
def test_every_adapter_streams_its_fields(adapter: str) -> None:
    program = lp.ChainOfThought("question -> answer, count: int", adapter=adapter)
    lm = Chunked([REPLIES[adapter]])
    events = collect(program, lm, question="?")
    assert check(events).to_dict() == program_outputs
    assert fields_of(events)["predict", 2] == {**program_outputs, "count": "3"}
    assert sum(isinstance(event, lp.FieldDelta) for event in events) > 5
    for event in events:
        if isinstance(event, lp.FieldDelta):
            # No part of a marker is in any piece.
            assert (
                program_outputs[event.field].find(event.text) >= 0
                if isinstance(program_outputs[event.field], str)
                else event.text == "3"
            )


program_outputs: dict[str, Any] = {"reasoning": "A [[small]] step.", "answer": "Paris", "count": 3}


def test_arguments_of_tool_calls_stream() -> None:
    pieces = ['{"reasoning": "A [[sm', 'all]] step.", "ans', 'wer": "Paris", "count": 3', "}"]

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number, piece in enumerate(pieces):
            call = {"index": 0, "function": {"arguments": piece}}
            if not number:
                call = {"index": 0, "id": "c1", "function": {"name": "answer", "arguments": piece}}
            delta = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
            await response.write(f"data: {json.dumps(delta)}\n\n".encode())
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
        await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        return response

    async def run() -> list[Event]:
        program = lp.Predict("question -> reasoning, answer, count: int", adapter="tools")
        async with client(answer) as (model, _):
            with lp.using(lm=model):
                return [event async for event in program.astream(question="?")]

    events = asyncio.run(run())
    assert check(events).to_dict() == program_outputs
    assert [event.text for event in events if isinstance(event, lp.FieldDelta)] == [
        *("A [[sm", "all]] step."),
        *("Paris", "3"),
    ]


class Written(lp.Module):
    """A user's module, in plain Python."""

    def __init__(self) -> None:
        self.first = lp.Predict("question -> answer")
        self.parts = [lp.Predict("question -> answer")]

    def forward(self, question: str) -> dict[str, Any]:
        answers = [self.first(question=question).answer]
        answers += [
            each.answer for each in lp.parallel(self.parts[0], [{"question": "a"}] * 3, width=2)
        ]
        return {"answer": " ".join(answers)}


class Nested(lp.Module):
    """A user's module that streams a part of itself."""

    def __init__(self) -> None:
        self.part = lp.Predict("question -> answer")
        self.seen: list[Any] = []

    async def aforward(self, question: str) -> Any:
        events = [event async for event in self.part.astream(question=question)]
        return events[-1]


ANSWER = lp.Predict("question -> answer")
OTHER = lp.Predict("question -> answer")
JUDGE = lp.Predict("question, answer -> right: bool")
MODULES: dict[str, tuple[lp.Module, dict[str, Any], set[str]]] = {
    "Predict": (ANSWER, {}, {"predict"}),
    "ChainOfThought": (CHAIN, {}, {"program", "predict"}),
    "Pipeline": (
        lp.Pipeline(one=ANSWER, two=lp.Predict("answer -> verdict")),
        {},
        {"program", "one", "two"},
    ),
    "Vote": (lp.Vote(ANSWER, k=3), {}, {"program", "module"}),
    "BestOf": (lp.BestOf(ANSWER, judge=JUDGE, k=2), {}, {"program", "generators[0]", "judge"}),
    "Refine": (lp.Refine(ANSWER, JUDGE, rounds=1), {}, {"program", "module", "judge"}),
    "Cascade": (lp.Cascade([ANSWER, OTHER]), {}, {"program", "steps[1]"}),
    "Route": (lp.Route([ANSWER, OTHER]), {}, {"program", "steps[1]"}),
    "Map": (
        lp.Map(ANSWER, over="questions"),
        {"questions": ["a", "b", "c"]},
        {"program", "module"},
    ),
    "StepSearch": (
        lp.StepSearch(
            "question -> answer",
            judge=lp.Predict("question, steps: list[str] -> promise: float"),
            width=1,
            depth=1,
        ),
        {},
        {"program", "step", "judge", "answer"},
    ),
    "Retrieve": (
        lp.Retrieve(lp.BM25Retriever(["Paris is large.", "Rome is old."]), k=1),
        {"query": "Paris"},
        {"program"},
    ),
    "Written": (Written(), {}, {"program", "first", "parts[0]"}),
    "Nested": (Nested(), {}, {"program", "part"}),
}

ANYTHING = {
    "reasoning": "so",
    "answer": "Paris",
    "verdict": "fine",
    "right": "true",
    "step": "go",
    "finished": "true",
    "promise": "0.5",
}


def answer_all(request: Request) -> str:
    system = str(request.messages[0].content)
    asked = system.rpartition("in this order: ")[2].split()
    return "\n\n".join(f"{mark}\n{ANYTHING[mark.strip('[]')]}" for mark in asked)


@pytest.mark.parametrize("kind", MODULES)
def test_every_module_streams(kind: str) -> None:
    program, inputs, paths = MODULES[kind]
    inputs = inputs or {"question": "Which city?"}
    lm = Chunked(answer_all)
    events = collect(program, lm, **inputs)
    with lp.using(lm=lm):
        assert check(events) == program(**inputs)
    assert paths <= {event.path for event in events if isinstance(event, lp.StepStarted)}
    first = events[0]
    assert isinstance(first, lp.StepStarted)
    assert (first.parent, first.inputs) == (None, inputs)


def test_samples_and_elements_have_an_index() -> None:
    for program, inputs in (
        (lp.Vote(ANSWER, k=3), {"question": "?"}),
        (lp.Map(ANSWER, over="questions"), {"questions": ["a", "b", "c"]}),
    ):
        events = collect(program, Chunked(answer_all), **inputs)
        starts = [event for event in events if isinstance(event, lp.StepStarted)]
        indices = [event.index for event in starts if event.path == "module"]
        assert sorted(indices)[:2] == [0, 1]  # type: ignore[type-var]
        assert starts[0].index is None


def test_a_loaded_artifact_streams(tmp_path: Path) -> None:
    lp.save(CHAIN, tmp_path / "chain.json")
    program = lp.load(tmp_path / "chain.json")
    events = collect(program, Chunked([REPLY]), question="?")
    assert check(events).answer == "Paris"


# --- agents --------------------------------------------------------------------------------------


def look_up(word: str) -> str:
    """Look a word up."""
    if word == "bad":
        raise ValueError("there is no such word")
    return f"found {word}"


AGENT = lp.ReAct("question -> answer, count: int", tools=[look_up])


class Native(ScriptedLM):
    """Calls tools, its arguments in pieces."""

    async def stream(self, request: Request) -> AsyncIterator[Delta]:
        completion = await self.complete(request)
        for begin in range(0, len(completion.text), 3):
            yield TextDelta(completion.text[begin : begin + 3])
        for place, call in enumerate(completion.first_tool_calls):
            yield ToolCallDelta(place, call.id, call.name)
            for begin in range(0, len(call.arguments), 3):
                yield ToolCallDelta(place, arguments=call.arguments[begin : begin + 3])
        yield Completed(completion)


def calling(text: str, *calls: tuple[str, dict[str, Any]]) -> Completion:
    made = tuple(
        ToolCall(f"c{place}", name, json.dumps(arguments))
        for place, (name, arguments) in enumerate(calls)
    )
    return Completion((text,), "m", finish_reasons=("tool_calls",), tool_calls=(made,))


ANSWER_AT_LAST = {"answer": 'It is "Paris".', "count": 3}


def test_an_agent_streams_its_thoughts_its_tools_and_its_answer() -> None:
    replies = [
        calling(" I look. \n", ("look_up", {"word": "Paris"}), ("look_up", {"word": "bad"})),
        calling("", ("submit", {"answer": "no", "count": "many"})),
        calling("", ("submit", ANSWER_AT_LAST)),
    ]
    lm = Declared(Native(replies), Capabilities(tools=True))
    events = collect(AGENT, lm, question="?")
    prediction = check(events)
    assert prediction.to_dict() == ANSWER_AT_LAST
    texts = [fields for (path, _), fields in fields_of(events).items() if path == "step"]
    assert [fields.get("thought") for fields in texts] == ["I look.", None, None]
    assert [fields.get("answer") for fields in texts] == [None, "no", prediction.answer]
    assert texts[2]["count"] == "3"
    told = [event for event in events if isinstance(event, lp.FieldDelta)]
    assert sum(event.field == "answer" for event in told) > 3
    tools = {
        event.call: event
        for event in events
        if isinstance(event, lp.StepStarted) and event.module == "Tool"
    }
    assert {event.parent for event in tools.values()} == {1}
    ends = {
        tools[event.call].inputs["word"]: type(event)
        for event in events
        if isinstance(event, (lp.StepFinished, lp.StepFailed)) and event.call in tools
    }
    assert ends == {"Paris": lp.StepFinished, "bad": lp.StepFailed}


@pytest.mark.parametrize("adapter", ["chat", "json"])
def test_an_agent_without_native_calls_streams_as_well(adapter: str) -> None:
    calls = [{"tool": "submit", "arguments": ANSWER_AT_LAST}]
    if adapter == "chat":
        reply = f"[[thought]]\nI know.\n\n[[tool_calls]]\n{json.dumps(calls)}"
    else:
        reply = json.dumps({"thought": "I know.", "tool_calls": calls})
    with lp.using(adapter=adapter):
        events = collect(AGENT, Chunked([reply]), question="?")
    assert check(events).to_dict() == ANSWER_AT_LAST
    (fields,) = fields_of(events).values()
    assert fields == {
        "thought": "I know.",
        "tool_calls": json.dumps(calls),
        "answer": ANSWER_AT_LAST["answer"],
        "count": "3",
    }


# --- what is not as it seems ---------------------------------------------------------------------


def test_an_unreadable_reply_is_void_before_the_next_comes() -> None:
    program = lp.Predict("question -> answer, count: int")
    lm = Chunked(["[[answer]]\nRome\n[[count]]\nmany", "[[answer]]\nParis\n[[count]]\n3"])
    events = collect(program, lm, question="?")
    prediction = check(events)
    assert prediction.to_dict() == {"answer": "Paris", "count": 3}
    (reset,) = [event for event in events if isinstance(event, lp.StepReset)]
    assert "'count' is 'many'" in reset.reason
    before = fields_of(events[: events.index(reset)])
    assert before["predict", 1] == {"answer": "Rome", "count": "many"}
    assert prediction.usage.calls == 2


def test_two_unreadable_replies_end_in_the_parse_error() -> None:
    events: list[Event] = []

    async def run() -> None:
        with lp.using(lm=Chunked(["[[count]]\nmany", "[[count]]\nmore"])):
            async for event in lp.Predict("question -> count: int").astream(question="?"):
                events.append(event)

    with pytest.raises(ParseError, match="more"):
        run_sync(run())
    assert isinstance(events[-1], lp.StepFailed)
    assert isinstance(events[-1].error, ParseError)


@pytest.mark.parametrize(
    "reply",
    [
        '[[answer]]\n"Paris"',
        "[[answer]]\n```\nParis\n```",
        "Paris",
        "**Answer:** Paris",
        '{"answer": "Paris"}',
        "<think>[[answer]]\nRome</think>Paris",
        "analysis [[x]]\n[[answer]]\nRome\nassistantfinal[[answer]]\nParis",
    ],
)
def test_a_reply_in_another_form_comes_out_right(reply: str) -> None:
    events = collect(ANSWER, Chunked([reply]), question="?")
    assert check(events).answer == "Paris"


SIGNS = ["[[answer]]\n", "[[count]]\n", "\n", "Paris", "3", "```", '"', " ", "<think>", "</think>"]


@given(st.lists(st.sampled_from([*SIGNS, "{", "}", "**", ":", "[[", "answer"]), max_size=12))
@settings(max_examples=50, deadline=None)
def test_whatever_the_reply_the_fields_are_those_of_the_prediction(parts: list[str]) -> None:
    program = lp.Predict("question -> answer, count: int")
    lm = Chunked(["".join(parts)] * 2)
    try:
        events = collect(program, lm, question="?")
    except ParseError:
        return
    check(events)


def test_a_broken_connection_is_retried_and_said() -> None:
    async def run() -> list[Event]:
        broken = event_stream("[[reasoning]]\nIt is", " small", end=False)
        async with client(broken, event_stream(REPLY[:20], REPLY[20:])) as (model, _):
            with lp.using(lm=Retry(model, sleep=at_once)):
                return [event async for event in CHAIN.astream(question="?")]

    events = asyncio.run(run())
    assert check(events).reasoning == "It is large."
    (reset,) = [event for event in events if isinstance(event, lp.StepReset)]
    assert "cut off" in reset.reason or "early" in reset.reason


def test_a_reply_that_is_cut_off_ends_in_its_error() -> None:
    events: list[Event] = []

    async def run() -> None:
        async with client(event_stream(REPLY, reason="length")) as (model, _):
            with lp.using(lm=model):
                async for event in CHAIN.astream(question="?"):
                    events.append(event)

    with pytest.raises(TruncatedError, match="cut off"):
        asyncio.run(run())
    failed = [event for event in events if isinstance(event, lp.StepFailed)]
    assert [event.path for event in failed] == ["predict", "program"]
    assert fields_of(events)["predict", 2]["reasoning"] == "It is large."


def test_thinking_that_the_endpoint_reports_comes_apart() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for delta in ({"reasoning_content": "hm"}, {"content": "[[answer]]\nParis"}):
            data = {"choices": [{"index": 0, "delta": delta}]}
            await response.write(f"data: {json.dumps(data)}\n\n".encode())
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        await response.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        return response

    async def run() -> list[Event]:
        async with client(answer) as (model, _):
            with lp.using(lm=model):
                return [event async for event in ANSWER.astream(question="?")]

    events = asyncio.run(run())
    assert lp.ThinkingDelta("predict", 1, "hm") in events
    assert check(events).answer == "Paris"


def test_a_failed_run_raises_what_a_call_raises() -> None:
    with pytest.raises(InputError, match="lacks question"):
        collect(ANSWER, Chunked([REPLY]))
    with pytest.raises(InputError, match="by name"):
        ANSWER.astream("?")
    with pytest.raises(InputError, match="by name"):
        ANSWER.stream("?")


# --- leaving early -------------------------------------------------------------------------------


class Leaving:
    """An endpoint that writes a little, and notes when its client has left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        delta = {"choices": [{"index": 0, "delta": {"content": "[[answer]]\nIt is"}}]}
        await response.write(f"data: {json.dumps(delta)}\n\n".encode())
        transport = request.transport
        assert transport is not None
        while not transport.is_closing():
            await asyncio.sleep(0.001)
        self.left.set()
        return response


class Simple(lp.Module):
    def __init__(self) -> None:
        self.part = lp.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        return self.part(question=question)


@pytest.mark.parametrize("program", [ANSWER, lp.Vote(ANSWER, k=2), Simple()], ids=repr)
@pytest.mark.parametrize("way", ["break", "aclose", "cancel"])
def test_leaving_the_loop_stops_the_calls(program: lp.Module, way: str) -> None:
    async def run() -> None:
        leaving = Leaving()
        async with client(leaving) as (model, seen):
            began = asyncio.Event()

            async def consume() -> None:
                with lp.using(lm=model):
                    stream = program.astream(question="?")
                async for event in stream:
                    if isinstance(event, lp.FieldDelta):
                        began.set()
                        if way != "cancel":
                            break
                if way == "aclose":
                    await stream.aclose()

            task = asyncio.ensure_future(consume())
            await began.wait()
            if way == "cancel":
                task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() == (way == "cancel")
            del task
            await asyncio.wait_for(leaving.left.wait(), 10)
            assert seen.calls >= 1

    asyncio.run(run())


# --- what it shares with calls -------------------------------------------------------------------


def test_cached_answers_stream_as_well() -> None:
    lm = Cached(Chunked([REPLY]), MemoryCache())
    first, second = (collect(CHAIN, lm, question="?") for _ in range(2))
    assert check(first) == check(second)
    assert fields_of(first) == fields_of(second)
    assert check(second).usage.cached_calls == 1


def test_budgets_hold_and_usage_counts() -> None:
    lm = Chunked([REPLY] * 3)
    with lp.using(budget=lp.Budget(calls=2)) as inside:
        for _ in range(2):
            prediction = check(collect(CHAIN, lm, question="?"))
            assert prediction.usage.calls == 1
            assert [step.path for step in prediction.trace] == ["predict"]
        assert inside.ledgers[-1].paid.calls == 2
        with pytest.raises(BudgetExceeded):
            collect(CHAIN, lm, question="?")


def test_the_settings_are_those_of_the_call_not_of_the_loop() -> None:
    async def run() -> list[Event]:
        with lp.using(lm=Chunked([REPLY])):
            stream = CHAIN.astream(question="?")
        with lp.using(lm=Chunked(["no"])):
            return [event async for event in stream]

    assert check(run_sync(run())).answer == "Paris"


def test_streams_at_the_same_time_do_not_mix() -> None:
    async def run() -> list[list[Event]]:
        async def consume(answer: str) -> list[Event]:
            with lp.using(lm=Chunked(lambda request: f"[[answer]]\n{answer}")):
                return [event async for event in lp.Vote(ANSWER, k=3).astream(question=answer)]

        return list(await asyncio.gather(*(consume(f"city {n}") for n in range(20))))

    for number, events in enumerate(asyncio.run(run())):
        assert check(events).answer == f"city {number}"
        for fields in fields_of(events).values():
            assert fields == {"answer": f"city {number}"}


def test_a_slow_consumer_holds_the_model_up() -> None:
    class Endless(ScriptedLM):
        written = 0

        async def stream(self, request: Request) -> AsyncIterator[Delta]:
            yield TextDelta("[[answer]]\n")
            while True:
                self.written += 1
                yield TextDelta("word ")
                await asyncio.sleep(0)

    async def run() -> None:
        lm = Endless([])
        with lp.using(lm=lm):
            stream = ANSWER.astream(question="?")
        async with aclosing(stream):
            count = 0
            async for event in stream:
                count += isinstance(event, lp.FieldDelta)
                for _ in range(20):  # the model could write far more in the meantime
                    await asyncio.sleep(0)
                assert lm.written <= count + ROOM + 3
                if count == 2 * ROOM:
                    break

    asyncio.run(run())


def test_the_first_elements_stream_before_the_last_is_known() -> None:
    async def run() -> list[Event]:
        known = asyncio.Event()
        events: list[Event] = []

        async def questions() -> AsyncIterator[str]:
            yield "a"
            yield "bad"
            await known.wait()
            yield "c"

        def answer(request: Request) -> str:
            text = str(request.messages[-1].content).split("\n")[1]
            return f"[[answer]]\n{text}" if text != "bad" else ""

        with lp.using(lm=Chunked(answer)):
            program = lp.Map(ANSWER, over="questions")
            async for event in program.astream(questions=questions()):
                events.append(event)
                if isinstance(event, lp.ElementFinished) and event.index == 1:
                    known.set()
        return events

    events = asyncio.run(run())
    results = [event.result for event in events if isinstance(event, lp.ElementFinished)]
    assert results[0].answer == "a"
    assert isinstance(results[1], lp.ElementFailure)
    prediction = check(events)
    assert prediction.answer == ["a", results[1], "c"]


# --- from synchronous code -----------------------------------------------------------------------


def test_a_stream_in_synchronous_code() -> None:
    with lp.using(lm=Chunked([REPLY])):
        events = list(CHAIN.stream(question="?"))
    assert check(events).answer == "Paris"


def in_a_thread(work: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result(timeout=20)


def test_a_synchronous_stream_has_the_settings_of_the_code_that_made_it() -> None:
    with lp.using(lm=lp.ScriptedLM(["[[a]]\nx"]), budget=lp.Budget(calls=5)) as settings:
        events = lp.Predict("q -> a").stream(q="q")
    *_, answer = in_a_thread(lambda: list(events))
    assert answer.a == "x" and settings.ledgers[-1].paid.calls == 1


def test_each_event_of_a_synchronous_stream_may_be_taken_in_another_thread() -> None:
    with lp.using(lm=lp.ScriptedLM(["[[a]]\nx"])):
        events = lp.Predict("q -> a").stream(q="q")
    taken = [in_a_thread(lambda: next(events))]
    taken += events  # here, on the main thread
    assert taken[-1].a == "x"


def test_a_synchronous_stream_of_the_main_thread_is_closed_in_another_one() -> None:
    asked = lp.ScriptedLM(["[[a]]\nx", "[[a]]\ny"])
    with lp.using(lm=asked):
        events = lp.Predict("q -> a").stream(q="q")
        next(events)
        in_a_thread(events.close)
        assert lp.Predict("q -> a")(q="q").a in ("x", "y")
        events = lp.Predict("q -> a").stream(q="q")
        next(events)
        with pytest.raises(LangprogError, match="begun on the main thread.*astream"):
            in_a_thread(lambda: next(events))


def test_closing_a_synchronous_stream_stops_the_calls() -> None:
    leaving = Leaving()
    with endpoint_in_thread(leaving) as seen:
        model = OpenAICompatible("test/model", base_url=seen.base_url)
        with lp.using(lm=model):
            for event in ANSWER.stream(question="?"):
                if isinstance(event, lp.FieldDelta):
                    break
        assert seen.loop is not None
        asyncio.run_coroutine_threadsafe(leaving.left.wait(), seen.loop).result(10)
        run_sync(model.aclose())


def test_the_embedded_model_streams() -> None:
    program = lp.Predict("text -> label: Literal['positive', 'negative']")
    events = collect(program, lp.LM("pocket/small"), text="good")
    assert check(events).label in ("positive", "negative")


@pytest.mark.parametrize(
    ("level", "last", "answer"), [("require", "xx", "xx"), ("suggest", "z", "xxx")]
)
def test_an_answer_that_fails_a_check_is_void_before_the_next_comes(
    level: Any, last: str, answer: str
) -> None:
    checks = [lp.checks.regex("b", "x+"), lp.checks.length("b", most=2, level=level)]
    lm = Chunked([f"[[b]]\n{text}" for text in ("xxx", "yy", last)])
    events = collect(lp.Predict("a -> b", checks=checks), lm, a="1")
    resets = [event.reason for event in events if isinstance(event, lp.StepReset)]
    assert resets[0].startswith("b must have at most 2 characters")
    assert check(events).b == answer


def test_the_command_line_prints_the_events(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lp.save(CHAIN, tmp_path / "chain.json")
    lp.configure(lm=Chunked([REPLY]))
    arguments = ["run", str(tmp_path / "chain.json"), "--input", '{"question": "?"}', "--stream"]
    assert main(arguments) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0]["event"] == "StepStarted" and events[0]["inputs"] == {"question": "?"}
    answer = [event["text"] for event in events if event.get("field") == "answer"]
    assert "".join(answer) == "Paris"
    assert events[-1] == {
        "event": "Prediction",
        "outputs": {"reasoning": "It is large.", "answer": "Paris"},
    }
    assert main(["run", "chain.json", "--batch", "in.jsonl", "--stream"]) == 2
    assert "--stream is for --input" in capsys.readouterr().err


def test_callbacks_and_streams_know_the_call_of_a_tool_by_the_same_number() -> None:
    inner = lp.Predict("word -> meaning")

    def look(word: str) -> str:
        """Look up a word."""
        return str(inner(word=word).meaning)

    calls = '[{"tool": "look", "arguments": {"word": "a"}}]'
    submit = '[{"tool": "submit", "arguments": {"answer": "x"}}]'
    replies = [
        f"[[thought]]\nt\n[[tool_calls]]\n{calls}",
        "[[meaning]]\nm",
        f"[[thought]]\nt\n[[tool_calls]]\n{submit}",
    ]
    told: list[Any] = []
    with lp.using(lm=lp.ScriptedLM(replies)), lp.callbacks(told.append):
        streamed = list(lp.ReAct("question -> answer", [look]).stream(question="?"))
    [tool] = [each.call for each in told if isinstance(each, ToolStarted)]
    started = {each.module: each for each in streamed if isinstance(each, lp.StepStarted)}
    assert started["Tool"].call == started["Predict"].parent == tool
    for events in (told, streamed):
        numbers = {each.call for each in events if "Started" in type(each).__name__}
        parents = {each.parent for each in events if "Started" in type(each).__name__}
        assert parents <= {None, *numbers}
