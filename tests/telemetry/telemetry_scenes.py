"""What the tests of telemetry share: an SDK in memory, and a look at what came of it."""

from collections.abc import Mapping
from typing import Any

import attrs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

PROMPT = "the secret of the pyramid"
ANSWER = "a chamber below the sand"


@attrs.define(eq=False)
class Recorder:
    """Keeps the spans of a scene.

    Attributes:
        provider: Where spans are made.
    """

    provider: TracerProvider = attrs.field(factory=TracerProvider)
    _kept: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)

    def __attrs_post_init__(self) -> None:
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))

    @property
    def spans(self) -> list[ReadableSpan]:
        """Every span that has ended, in the order in which they did."""
        return list(self._kept.get_finished_spans())

    @property
    def calls(self) -> list[ReadableSpan]:
        """Those of calls."""
        return [span for span in self.spans if "trio_llm.endpoint" in facts(span)]

    @property
    def attempts(self) -> list[ReadableSpan]:
        """Those of attempts."""
        return [span for span in self.spans if span.kind is SpanKind.CLIENT]

    def attempt(self, provider: str, number: int = 1) -> ReadableSpan:
        """Give the only span of an attempt."""
        (found,) = [
            span
            for span in self.attempts
            if facts(span)["trio_llm.provider"] == provider
            and facts(span)["trio_llm.attempt.number"] == number
        ]
        return found


def facts(span: ReadableSpan) -> Mapping[str, Any]:
    """Give the attributes of a span."""
    return span.attributes or {}


def happened(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    """Give the events of a span, without the name before each attribute."""
    return [
        (
            event.name.removeprefix("trio_llm."),
            {
                name.removeprefix("trio_llm."): value
                for name, value in (event.attributes or {}).items()
                if name != "trio_llm.actor"
            },
        )
        for event in span.events
    ]


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Tell whether a span is right below another."""
    return (
        span.parent is not None
        and span.parent.span_id == parent.context.span_id
        and span.context.trace_id == parent.context.trace_id
    )


def everything_said(span: ReadableSpan) -> str:
    """Give all the words of a span in one string."""
    return repr((span.name, dict(facts(span)), happened(span), span.status.description))


@attrs.define(eq=False)
class Figures:
    """Keeps what is measured through OpenTelemetry.

    Attributes:
        provider: Where instruments are made.
    """

    _reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    provider: MeterProvider = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.provider = MeterProvider(metric_readers=[self._reader], shutdown_on_exit=False)

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """Give the data points of a metric by their attributes, sorted by name."""
        data = self._reader.get_metrics_data()
        found: dict[tuple[tuple[str, Any], ...], Any] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == name:
                        for point in metric.data.data_points:
                            found[tuple(sorted((point.attributes or {}).items()))] = point
        return found
