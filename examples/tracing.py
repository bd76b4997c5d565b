"""Tracing: OpenTelemetry spans of a program, and what each model cost, by a callback.

Spans hold no prompts and no replies, unless OpenTelemetry(content=True) asks for them.

    pip install 'langprog[otel]' opentelemetry-sdk
    python examples/tracing.py    # with OPENAI_API_KEY, or OPENAI_BASE_URL
"""

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import langprog as lp


class Costs(lp.Callback):
    def __init__(self):
        self.tokens = 0

    def on_model_end(self, event):
        self.tokens += event.completion.usage.total_tokens


def print_tree(spans, parent=None, depth=0):
    for span in spans:
        if (span.parent and span.parent.span_id) == parent:
            print(f"{'  ' * depth}{span.name}")
            print_tree(spans, span.context.span_id, depth + 1)


if __name__ == "__main__":
    exporter, provider, costs = InMemorySpanExporter(), TracerProvider(), Costs()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry = lp.OpenTelemetry(tracer_provider=provider)
    lp.configure(lm="openai/gpt-6-luna", callbacks=[telemetry, costs])
    support = lp.Pipeline(
        team=lp.Predict("ticket -> team"), reply=lp.ChainOfThought("ticket, team -> reply")
    )
    print(support(ticket="I was charged twice in May").reply)
    print_tree(exporter.get_finished_spans())
    print(f"{costs.tokens} tokens")
