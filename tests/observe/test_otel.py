from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import langprog as lp
from langprog.errors import AuthError, InputError
from langprog.lm import Completion, ToolCall, Usage
from langprog.runtime import run_sync
from optimizers import LabeledFewShot
from tests.lm.endpoint import choice, endpoint_in_thread, good, says

pytest.importorskip(
    "opentelemetry.sdk", reason="opentelemetry-sdk is not installed: pip install opentelemetry-sdk"
)
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

KEY = "sk-" + "a1b2" * 8
CHAIN = lp.ChainOfThought("question -> answer")
REPLY = "[[reasoning]]\nIt is large.\n[[answer]]\nParis"


class Spans:
    """A tracer provider and what it exported."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def all(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        (span,) = [span for span in self.all() if span.name == name]
        return span

    def tree(self) -> set[tuple[str, str | None]]:
        """Return each span's name with that of its parent."""
        names = {span.context.span_id: span.name for span in self.all()}
        return {
            (span.name, None if span.parent is None else names[span.parent.span_id])
            for span in self.all()
        }


@pytest.fixture
def spans() -> Iterator[Spans]:
    spans = Spans()
    yield spans
    spans.provider.shutdown()


def test_a_call_of_an_endpoint_has_the_attributes_of_the_conventions(spans: Spans) -> None:
    usage = {"prompt_tokens": 70, "completion_tokens": 30, "total_tokens": 100}
    usage["prompt_tokens_details"] = {"cached_tokens": 50}  # type: ignore[assignment]
    reply = good(choice(REPLY), usage=usage)
    with endpoint_in_thread(says(reply)) as seen:
        model = lp.LM(
            "openai/gpt-x",
            base_url=seen.base_url,
            api_key=KEY,
            temperature=0.5,
            max_tokens=100,
            cache=False,
        )
        with lp.using(lm=model), lp.callbacks(lp.OpenTelemetry(tracer_provider=spans.provider)):
            CHAIN(question="Which city?")
        run_sync(model.aclose())
    span = spans.named("chat gpt-x")
    assert span.kind is SpanKind.CLIENT
    attributes = dict(span.attributes or {})
    port = attributes.pop("server.port")
    assert str(port) in seen.base_url
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.response.model": "gpt-x",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 70,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.cache_read.input_tokens": 50,
        "langprog.path": "predict",
        "langprog.cached": False,
        "server.address": "127.0.0.1",
    }
    assert spans.tree() == {
        ("ChainOfThought program", None),
        ("Predict predict", "ChainOfThought program"),
        ("chat gpt-x", "Predict predict"),
    }
    root = dict(spans.named("ChainOfThought program").attributes or {})
    assert root["gen_ai.operation.name"] == "invoke_workflow"


def test_content_is_off_unless_asked_for_and_never_holds_keys(spans: Spans) -> None:
    def run(**options: Any) -> str:
        replies = [f"[[reasoning]]\nhm\n[[answer]]\nParis {KEY}", AuthError(f"bad key {KEY}")]
        observer = lp.OpenTelemetry(tracer_provider=spans.provider, **options)
        with lp.using(lm=lp.ScriptedLM(replies)), lp.callbacks(observer):
            CHAIN(question=f"Which city? {KEY}")
            with pytest.raises(AuthError):
                CHAIN(question="Which city?")
        return "".join(span.to_json() for span in spans.all())

    plain = run()
    for word in ("Which city", "Paris", "a1b2", "bad key"):
        assert word not in plain
    assert "AuthError" in plain
    full = run(content=True)
    assert "a1b2" not in full
    assert "bad key [secret]" in full
    span = [span for span in spans.all() if "gen_ai.output.messages" in (span.attributes or {})][0]
    attributes: dict[str, Any] = dict(span.attributes or {})
    (told,) = json.loads(attributes["gen_ai.input.messages"])
    assert told["role"] == "user"
    assert told["parts"][0]["type"] == "text"
    assert "Which city? [secret]" in told["parts"][0]["content"]
    assert "Reply with the output fields" in attributes["gen_ai.system_instructions"]
    (answer,) = json.loads(attributes["gen_ai.output.messages"])
    assert answer["finish_reason"] == "stop"
    assert "Paris [secret]" in answer["parts"][0]["content"]


def test_a_failure_is_an_error_of_every_span_it_passes(spans: Spans) -> None:
    with (
        lp.using(lm=lp.ScriptedLM([AuthError("no")])),
        lp.callbacks(lp.OpenTelemetry(tracer_provider=spans.provider)),
        pytest.raises(AuthError),
    ):
        CHAIN(question="?")
    assert len(spans.all()) == 3
    for span in spans.all():
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "AuthError"
        assert span.status.description is None


class Threaded(lp.Module):
    """Calls its part in a thread that carries no context of OpenTelemetry's."""

    signature = "question -> title"

    def __init__(self) -> None:
        self.part = lp.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(self.part(question=question)))
        thread.start()
        thread.join()
        return {"title": answers[0].answer}


def test_parents_are_right_across_tasks_and_threads(spans: Spans) -> None:
    program = lp.Pipeline(one=Threaded(), two=lp.Vote(CHAIN, k=3))
    observer = lp.OpenTelemetry(tracer_provider=spans.provider)

    async def run() -> None:
        with lp.using(lm=lp.ScriptedLM(lambda request: REPLY)), lp.callbacks(observer):
            tracer = spans.provider.get_tracer("mine")
            with tracer.start_as_current_span("request"):
                await asyncio.gather(*(program.acall(question=str(n)) for n in range(3)))

    asyncio.run(run())
    assert spans.tree() == {
        ("request", None),
        ("Pipeline program", "request"),
        ("Threaded one", "Pipeline program"),
        ("Predict one.part", "Threaded one"),
        ("Vote two", "Pipeline program"),
        ("ChainOfThought two.module", "Vote two"),
        ("Predict two.module.predict", "ChainOfThought two.module"),
        ("chat lm", "Predict one.part"),
        ("chat lm", "Predict two.module.predict"),
    }
    assert len({span.context.trace_id for span in spans.all()}) == 1
    assert not observer._open


def test_spans_of_a_users_own_lie_between(spans: Spans) -> None:
    tracer = spans.provider.get_tracer("mine")

    class Own(lp.Module):
        def __init__(self) -> None:
            self.part = lp.Predict("question -> answer")

        async def aforward(self, question: str) -> Any:
            with tracer.start_as_current_span("lookup"):
                return await self.part.acall(question=question)

    with (
        lp.using(lm=lp.ScriptedLM([REPLY])),
        lp.callbacks(lp.OpenTelemetry(tracer_provider=spans.provider)),
    ):
        Own()(question="?")
    assert spans.tree() == {
        ("Own program", None),
        ("lookup", "Own program"),
        ("Predict part", "lookup"),
        ("chat lm", "Predict part"),
    }


def test_streams_tools_evaluations_and_compiles(spans: Spans) -> None:
    observer = lp.OpenTelemetry(tracer_provider=spans.provider, content=True)
    data = [lp.Example(question=f"q{n}", answer="Paris") for n in range(60)]

    def look_up(word: str) -> str:
        """Look a word up."""
        return word.upper()

    with lp.callbacks(observer), lp.using(lm=lp.ScriptedLM(lambda request: REPLY)):
        list(CHAIN.stream(question="?"))
        run_sync(lp.Tool(look_up).run({"word": "a"}))
        lp.evaluate(CHAIN, data[:3], lambda example, prediction: 0.5)
        LabeledFewShot(k=1).compile(CHAIN, data, metric=lambda example, prediction: 0.5)
    tool: dict[str, Any] = dict(spans.named("execute_tool look_up").attributes or {})
    assert tool == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look_up",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.arguments": '{"word": "a"}',
        "gen_ai.tool.call.result": "A",
    }
    tree = spans.tree()
    assert ("ChainOfThought program", None) in tree
    assert ("ChainOfThought program", "evaluate ChainOfThought") in tree
    evaluations = [span for span in spans.all() if span.name == "evaluate ChainOfThought"]
    (alone,) = [span.attributes or {} for span in evaluations if span.parent is None]
    assert (alone["langprog.examples"], alone["langprog.score"]) == (3, 0.5)
    assert ("evaluate ChainOfThought", "compile ChainOfThought") in tree
    compiled = spans.named("compile ChainOfThought").attributes or {}
    assert compiled["langprog.verdict"] == "original"
    assert not observer._open


def test_tool_calls_and_thinking_are_content(spans: Spans) -> None:
    program = lp.Predict("question -> answer", adapter="tools")
    calls = ((ToolCall("c1", "answer", '{"answer": "Paris"}'),),)
    reply = Completion(
        ("",), "m", Usage(1, 1), ("tool_calls",), tool_calls=calls, reasoning=("hm",)
    )
    with (
        lp.using(lm=lp.ScriptedLM([reply])),
        lp.callbacks(lp.OpenTelemetry(tracer_provider=spans.provider, content=True)),
    ):
        program(question="?")
    attributes: dict[str, Any] = dict(spans.named("chat lm").attributes or {})
    (answer,) = json.loads(attributes["gen_ai.output.messages"])
    assert answer["finish_reason"] == "tool_calls"
    assert answer["parts"] == [
        {"type": "reasoning", "content": "hm"},
        {"type": "tool_call", "id": "c1", "name": "answer", "arguments": '{"answer": "Paris"}'},
    ]


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(InputError, match=r"langprog\[otel\]"):
        lp.OpenTelemetry()


def test_it_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys, langprog as lp; lp.callbacks; lp.OpenTelemetry\n"
        "assert not any(name.startswith('opentelemetry') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
