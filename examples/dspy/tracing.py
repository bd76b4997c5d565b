"""Tracing in DSPy 3.4.1: `pip install openinference-instrumentation-dspy opentelemetry-sdk`.

The package of spans is not DSPy's own; its spans hold prompts and replies.
"""

import dspy
from openinference.instrumentation.dspy import DSPyInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class Support(dspy.Module):
    def __init__(self):
        super().__init__()
        self.team = dspy.Predict("ticket -> team")
        self.reply = dspy.ChainOfThought("ticket, team -> reply")

    def forward(self, ticket):
        team = self.team(ticket=ticket).team
        return self.reply(ticket=ticket, team=team)


def print_tree(spans, parent=None, depth=0):
    for span in spans:
        if (span.parent and span.parent.span_id) == parent:
            print(f"{'  ' * depth}{span.name}")
            print_tree(spans, span.context.span_id, depth + 1)


if __name__ == "__main__":
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    DSPyInstrumentor().instrument(tracer_provider=provider)
    dspy.configure(lm=dspy.LM("openai/gpt-6-luna"), track_usage=True)
    result = Support()(ticket="I was charged twice in May")
    print(result.reply)
    print_tree(exporter.get_finished_spans())
    print(f"{sum(usage['total_tokens'] for usage in result.get_lm_usage().values())} tokens")
