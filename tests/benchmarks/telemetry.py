"""What metrics and traces add to a call: CPU alone, over providers that answer at once."""

from collections.abc import Sequence

from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import trio_llm
from tests.benchmarks.measure import Row, cpu_of, cpu_per_call
from trio_llm import Completion, Config, Fallback, Message, PriceSettings, Provider, Request, Usage
from trio_llm.events import Event, Observer
from trio_llm.telemetry import Metrics, OtelMetrics, Tracing, prometheus_text

CALLS = 500
ROUNDS = 12
MODELS = 50
_ANSWER = Completion(Message("assistant", "hi"), usage=Usage(900, 100, 500))


class _Answers:
    """A provider that answers at once."""

    async def generate(self, _request: Request) -> Completion:
        """Give the same completion every time."""
        return _ANSWER


class _Drops(SpanExporter):
    """Sends spans nowhere, so that what is measured is making them."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:  # noqa: ARG002
        """Forget them."""
        return SpanExportResult.SUCCESS


def _ignore(_event: Event) -> None:
    """Look at nothing."""


def _member() -> Fallback:
    price = PriceSettings(input=2.0, output=10.0)
    members = [
        Provider("custom", name, cls=_Answers(), model="bench", price=price)
        for name in ("one", "two")
    ]
    return Fallback(members, name="safe")


async def added() -> list[Row]:
    """Measure a call with each observer, beside the same call that nobody looks at."""
    recording = TracerProvider()
    recording.add_span_processor(SimpleSpanProcessor(_Drops()))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()], shutdown_on_exit=False)
    nothing = trace.NoOpTracerProvider()
    cases: dict[str, list[Observer]] = {
        "nobody": [],
        "an observer that ignores all": [_ignore],
        "metrics": [Metrics()],
        "OpenTelemetry without an SDK": [Tracing(nothing), OtelMetrics(NoOpMeterProvider())],
        "spans, not sampled": [Tracing(TracerProvider(sampler=ALWAYS_OFF))],
        "spans, recorded by the SDK": [Tracing(recording)],
        "metrics, recorded by the SDK": [OtelMetrics(meters)],
        "all of it": [Metrics(), Tracing(recording), OtelMetrics(meters)],
    }
    async with trio_llm.open_runtime(Config(default=_member())) as llm:

        async def call() -> None:
            await llm.generate("hi")

        # They take turns, so that a machine that slows down slows all of them.
        costs = dict.fromkeys(cases, float("inf"))
        for _ in range(ROUNDS):
            for name, observers in cases.items():
                stops = [llm.subscribe(observer) for observer in observers]
                cost = await cpu_per_call(call, calls=CALLS, concurrency=1, rounds=1)
                costs[name] = min(costs[name], cost)
                for stop in stops:
                    stop()
    alone = costs["nobody"]
    return [(name, f"{cost:.0f}", f"{cost - alone:.1f}") for name, cost in costs.items()]


async def scrapes() -> list[Row]:
    """Measure a snapshot, and a page for Prometheus, with many models counted."""
    metrics = Metrics()
    async with trio_llm.open_runtime(Config(default=_member())) as llm:
        llm.subscribe(metrics)
        for model in range(MODELS):
            await llm.provider("one").generate("hi", model=f"model-{model}")
    page = prometheus_text(metrics)
    return [
        ("snapshot", f"{cpu_of(metrics.snapshot):.0f}", "-"),
        (
            "page for Prometheus",
            f"{cpu_of(lambda: prometheus_text(metrics)):.0f}",
            f"{len(page) / 1000:.0f}",
        ),
    ]
