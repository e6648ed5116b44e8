"""What the tests of telemetry share: an SDK in memory, and a look at what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import pytest
from opentelemetry.context import Context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, SpanKind

from trio_llm import Config, LLMError, Runtime
from trio_llm.config.schema import Member
from trio_llm.telemetry import Tracing
from trio_llm.testing import World, run

PROMPT = "the secret of the pyramid"
ANSWER = "a chamber below the sand"


@attrs.define(eq=False)
class _Open(SpanProcessor):
    """Counts the spans that have begun and not ended."""

    count: int = 0

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Count one in."""
        self.count += 1

    def on_end(self, span: ReadableSpan) -> None:  # noqa: ARG002 - the SDK gives it
        """Count one out."""
        self.count -= 1


@attrs.define(eq=False)
class Recorder:
    """Keeps the spans of a scene.

    Attributes:
        provider: Where spans are made.
    """

    provider: TracerProvider = attrs.field(factory=TracerProvider)
    _kept: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter, init=False)
    _open: _Open = attrs.field(factory=_Open, init=False)

    def __attrs_post_init__(self) -> None:
        self.provider.add_span_processor(SimpleSpanProcessor(self._kept))
        self.provider.add_span_processor(self._open)

    @property
    def open(self) -> int:
        """How many spans have begun and not ended."""
        return self._open.count

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


def place(span: ReadableSpan) -> SpanContext:
    """Give the identity of a span."""
    found: SpanContext | None = span.context
    if found is None:
        raise TypeError("a span of the SDK has a context")
    return found


def is_child(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Tell whether a span is right below another."""
    return (
        span.parent is not None
        and span.parent.span_id == place(parent).span_id
        and span.parent.trace_id == place(parent).trace_id
        and place(span).trace_id == place(parent).trace_id
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

    def _metrics(self) -> list[Metric]:
        data = self._reader.get_metrics_data()
        return [
            metric
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        ]

    @property
    def units(self) -> dict[str, str | None]:
        """The unit of each metric that has a value, by name."""
        return {metric.name: metric.unit for metric in self._metrics()}

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """Give the data points of a metric by their attributes, sorted by name."""
        return {
            tuple(sorted((point.attributes or {}).items())): point
            for metric in self._metrics()
            if metric.name == name
            for point in metric.data.data_points
        }


async def ask(llm: Runtime) -> None:
    """Ask once."""
    await llm.generate(PROMPT)


async def fail(llm: Runtime) -> None:
    """Ask, and fail."""
    with pytest.raises(LLMError):
        await llm.generate(PROMPT)


async def listen(llm: Runtime) -> None:
    """Hear a stream to its end."""
    async with llm.stream(PROMPT) as stream:
        async for _ in stream:
            pass


def traced(member: Member, asking: Callable[[Runtime], Awaitable[None]] = ask) -> Recorder:
    """Trace a scene in virtual time; whatever it was, every attempt is below a call."""
    recorder = Recorder()

    async def scene(world: World) -> None:
        async with world.open(Config(default=member)) as llm:
            llm.subscribe(Tracing(recorder.provider, clock=world.wall_clock))
            await asking(llm)
            assert recorder.open == 0

    run(scene)
    for attempt in recorder.attempts:
        assert any(is_child(attempt, call) for call in recorder.calls)
    return recorder
