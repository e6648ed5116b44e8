"""Spans for calls and attempts, by OpenTelemetry's API alone (the extra ``otel``).

A call is a span of kind INTERNAL, named after the operation and the model (or the endpoint
that was asked, where the caller named no model), below whatever span is current where the
caller asks. Each physical attempt is a span of kind CLIENT below it: that is what the
conventions call an inference, and it alone carries the tokens, so that sums over spans count
each of them once. While an attempt runs, its span is current in its task: what an
instrumented HTTP library records is below it. What balancers decide are events of the
call's span.

The names are those of the conventions for generative AI (see
`trio_llm.telemetry.conventions`); what they have none for is under ``trio_llm.``.
"""

from collections.abc import Callable
from contextvars import Token
from itertools import count
from typing import Any, Final, TypeAlias

import attrs

from trio_llm import events
from trio_llm._version import __version__
from trio_llm.telemetry import conventions as words
from trio_llm.telemetry.attributes import (
    AttemptEnd,
    attempt_begins,
    attempt_ends,
    call_begins,
    call_ends,
)
from trio_llm.telemetry.content import answer_content, request_content
from trio_llm.telemetry.extras import needs_extra
from trio_llm.telemetry.happenings import happening

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
except ImportError as missing:
    raise needs_extra("Tracing", "otel") from missing

MOST_SPANS: Final = 65_536
"""How many calls may have an open span; beyond that the oldest one is ended unfinished."""

_Context: TypeAlias = contexts.Context
_NANOSECONDS: Final = 1_000_000_000


@attrs.define(eq=False)
class _CallSpan:
    """The span of a call under way.

    Attributes:
        span: The span.
        streaming: Whether the caller wants a stream.
        attempts: How many attempts have begun.
        hedged: The ways to members that were asked because others were late.
        passed: The ways to members that a balancer has gone on from.
    """

    span: trace.Span
    streaming: bool
    attempts: int = 0
    hedged: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])
    passed: list[tuple[str, ...]] = attrs.field(factory=list[tuple[str, ...]])


@attrs.frozen(eq=False)
class _AttemptSpan:
    """The span of an attempt under way, and how it was made the current one."""

    serial: int
    started: events.AttemptStarted
    span: trace.Span
    token: Token[_Context]


class Tracing:
    """An observer that makes spans; ``llm.subscribe(Tracing())`` works with any runtime.

    With ``telemetry.opentelemetry`` in the configuration a runtime has one of its own, with
    the providers that the application has made OpenTelemetry's global ones.

    Args:
        tracer_provider: Where spans go; ``None`` means the global provider.
        content: Whether spans hold prompts and answers, and the words of errors and
            reasons, which may quote them. The events must carry them, too
            (``telemetry.content`` in the configuration).
        clock: Seconds since the epoch; ``None`` means the system's clock.

    Attributes:
        content: As given; it may be changed at any time.

    Raises:
        ImportError: The extra ``otel`` is not installed.
    """

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        *,
        content: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("trio_llm", __version__, tracer_provider)
        self.content = content
        self._clock = clock
        self._serials = count()
        self._calls: dict[int, _CallSpan] = {}
        self._attempts: dict[int, _AttemptSpan] = {}
        # What runs below an attempt finds it in its own context, whoever else runs.
        self._key = contexts.create_key("trio_llm-attempt")
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.RequestStarted: self._request_started,
            events.RequestFinished: self._request_finished,
            events.AttemptStarted: self._attempt_started,
            events.FirstToken: self._first_token,
            events.AttemptSucceeded: self._attempt_ended,
            events.AttemptFailed: self._attempt_ended,
            events.AttemptCancelled: self._attempt_ended,
        }

    def __call__(self, event: events.Event) -> None:
        """Begin, end or add to a span."""
        handler = self._handlers.get(type(event))
        if handler is None:
            self._happened(event)
        else:
            handler(event)

    def close(self) -> None:
        """End every span that is open; what comes later of their calls is not recorded."""
        for attempt in self._attempts.values():
            attempt.span.end(self._now())
        for call in self._calls.values():
            call.span.end(self._now())
        self._attempts.clear()
        self._calls.clear()

    def _now(self) -> int | None:
        return None if self._clock is None else int(self._clock() * _NANOSECONDS)

    # Calls.

    def _request_started(self, event: events.RequestStarted) -> None:
        if event.call is None:
            return
        attributes = call_begins(event)
        if self.content and event.content is not None:
            attributes |= request_content(event.content)
        span = self._tracer.start_span(
            f"{attributes[words.OPERATION]} {event.model or event.path[0]}",
            kind=trace.SpanKind.INTERNAL,
            attributes=attributes,
            start_time=self._now(),
        )
        if not span.get_span_context().is_valid:  # no SDK has been set up
            return
        if len(self._calls) >= MOST_SPANS:
            self._calls.pop(next(iter(self._calls))).span.end(self._now())
        self._calls[event.call] = _CallSpan(span, event.streaming)

    def _request_finished(self, event: events.RequestFinished) -> None:
        call = None if event.call is None else self._calls.pop(event.call, None)
        if call is None:
            return
        if call.span.is_recording():
            attributes = call_ends(event) | {words.ATTEMPTS: call.attempts}
            if self.content and event.content is not None:
                attributes |= answer_content(event.content)
            call.span.set_attributes(attributes)
            if event.outcome == "failed":
                call.span.set_status(trace.Status(trace.StatusCode.ERROR))
        call.span.end(self._now())

    # Attempts. They begin and end in one task, whose context is a copy of the caller's.

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        call = None if event.call is None else self._calls.get(event.call)
        if call is None:
            return
        call.attempts += 1
        attributes = attempt_begins(event)
        if call.streaming:
            attributes[words.REQUEST_STREAM] = True
        if any(event.path[: len(way)] == way for way in call.hedged):
            attributes[words.HEDGED] = True
        if any(
            event.path[: len(way) - 1] == way[:-1] and event.path[: len(way)] != way
            for way in call.passed
        ):
            attributes[words.FALLBACK] = True
        # Baggage and the like is the caller's, whose context was copied for this task.
        context = trace.set_span_in_context(call.span)
        span = self._tracer.start_span(
            f"{attributes[words.OPERATION]} {event.model or event.path[-1]}",
            context,
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=self._now(),
        )
        serial = next(self._serials)
        context = contexts.set_value(self._key, serial, trace.set_span_in_context(span, context))
        self._attempts[serial] = _AttemptSpan(serial, event, span, contexts.attach(context))

    def _first_token(self, event: events.FirstToken) -> None:
        attempt = self._current(event)
        if attempt is not None:
            attempt.span.set_attribute(words.FIRST_CHUNK, event.latency)

    def _attempt_ended(self, event: AttemptEnd) -> None:
        attempt = self._current(event)
        if attempt is None:  # it began before anybody looked
            return
        del self._attempts[attempt.serial]
        span = attempt.span
        if span.is_recording():
            span.set_attributes(attempt_ends(event))
            if isinstance(event, events.AttemptFailed):
                reason = event.reason if self.content else None
                span.set_status(trace.Status(trace.StatusCode.ERROR, reason))
        span.end(self._now())
        contexts.detach(attempt.token)

    def _current(self, event: AttemptEnd | events.FirstToken) -> _AttemptSpan | None:
        """Give the attempt that an event is about: that of the task in which it is emitted.

        A provider that asks a runtime itself hands its context on, so that has to be looked at.
        """
        serial = contexts.get_value(self._key)
        attempt = self._attempts.get(serial) if isinstance(serial, int) else None
        if attempt is None:
            return None
        started = attempt.started
        same = (started.call, started.number) == (event.call, event.number)
        return attempt if same and started.path == event.path else None

    # What happens to a call in between.

    def _happened(self, event: events.Event) -> None:
        call = None if event.call is None else self._calls.get(event.call)
        if call is None:
            return
        if isinstance(event, events.HedgeStarted):
            call.hedged.append((*event.path, event.member))
        elif isinstance(event, events.FellBack):
            call.passed.append((*event.path, event.failed))
        if call.span.is_recording():
            shown = happening(event, content=self.content)
            if shown is not None:
                call.span.add_event(shown.name, shown.attributes, self._now())
