"""Traces: a span for every call and every attempt, below the application's own span.

Needs the extra `otel` and an SDK (`opentelemetry-sdk`), which the application sets up as for
everything else that it traces. Here its spans are kept and printed as a tree; an exporter
would send them to a collector.
"""

import trio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import trio_llm

TOLD = (
    "trio_llm.provider",
    "trio_llm.outcome",
    "trio_llm.cancel.reason",
    "trio_llm.attempt.hedged",
    "error.type",
    "gen_ai.usage.output_tokens",
)


def show(spans: list[ReadableSpan], parent: int | None = None, depth: int = 0) -> None:
    """Print the spans below one, each with a few of its attributes and its events."""
    for span in sorted(spans, key=lambda span: span.start_time or 0):
        if (span.parent.span_id if span.parent else None) != parent or span.context is None:
            continue
        attributes = span.attributes or {}
        facts = "".join(
            f" {name.split('.')[-1]}={attributes[name]!s}" for name in TOLD if name in attributes
        )
        events = "".join(f" [{event.name.removeprefix('trio_llm.')}]" for event in span.events)
        print(f"{'  ' * depth}{span.name}:{facts}{events}".rstrip(":"))
        show(spans, span.context.span_id, depth + 1)


async def main() -> None:
    """Trace a hedge behind a member that fails."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)

    def simulated(latency: float, failure_rate: float = 0.0) -> trio_llm.Provider:
        return trio_llm.Provider(
            "simulated", simulation=trio_llm.Simulation(latency=latency, failure_rate=failure_rate)
        )

    config = trio_llm.Config(
        {
            "broken": simulated(0.01, 1.0),
            "slow": simulated(2.0),
            "quick": simulated(0.05),
        },
        default=trio_llm.Fallback(
            ["broken", trio_llm.Hedge(["slow", "quick"], delay=0.1, name="hedge")],
            name="reliable",
        ),
        telemetry=trio_llm.TelemetrySettings(
            opentelemetry=True
        ),  # content=True would record the words
    )
    async with trio_llm.open_runtime(config) as llm:
        with trace.get_tracer("shop").start_as_current_span("answer a customer"):
            await llm.generate("Where is my parcel?")
    show(list(kept.get_finished_spans()))


if __name__ == "__main__":
    trio.run(main)
