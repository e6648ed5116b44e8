"""Metrics by OpenTelemetry's API alone (the extra ``otel``).

Each physical attempt is an inference, or an embeddings operation, in the sense of the
conventions for generative AI (see `trio_llm.telemetry.conventions`), which give the names,
the units and the bounds of the histograms. What they have none for is under ``trio_llm.``.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from trio_llm import events
from trio_llm._version import __version__
from trio_llm.chat import NOTHING, Cost, Usage
from trio_llm.telemetry import conventions as words
from trio_llm.telemetry.attributes import AttemptEnd
from trio_llm.telemetry.buckets import SECONDS, TOKENS
from trio_llm.telemetry.extras import needs_extra

try:
    from opentelemetry import metrics
except ImportError as missing:
    raise needs_extra("OtelMetrics", "otel") from missing

_Labels: TypeAlias = dict[str, str]
_NO_USAGE: Final = Usage()


class OtelMetrics:
    """An observer that counts for OpenTelemetry; ``llm.subscribe(OtelMetrics())`` works, too.

    With ``telemetry.opentelemetry`` in the configuration a runtime has one of its own, with
    the provider that the application has made OpenTelemetry's global one. The number of
    combinations of attributes is bounded by the SDK.

    Args:
        meter_provider: Where the figures go; ``None`` means the global provider.

    Raises:
        ImportError: The extra ``otel`` is not installed.
    """

    def __init__(self, meter_provider: metrics.MeterProvider | None = None) -> None:
        self._meter = metrics.get_meter("trio_llm", __version__, meter_provider)
        self._durations = {
            "chat": self._seconds(
                "gen_ai.client.inference.duration", "GenAI client inference operation duration."
            ),
            "embeddings": self._seconds(
                "gen_ai.client.embeddings.duration", "GenAI client embeddings operation duration."
            ),
        }
        self._other_duration = self._seconds(
            "gen_ai.client.operation.duration", "GenAI operation duration."
        )
        self._first_chunk = self._seconds(
            "gen_ai.client.inference.time_to_first_chunk", "Time to receive the first chunk."
        )
        used, each = "gen_ai.client.inference.usage.", "gen_ai.client.inference.operation."
        self._input = self._count(used + "input_tokens", "{token}", "Input tokens used.")
        self._output = self._count(used + "output_tokens", "{token}", "Output tokens used.")
        self._parts = (
            self._count(
                used + "cache_read.input_tokens", "{token}", "Input tokens from a provider's cache."
            ),
            self._count(
                used + "cache_write.input_tokens", "{token}", "Input tokens to a provider's cache."
            ),
            self._count(
                used + "reasoning.output_tokens", "{token}", "Output tokens used for reasoning."
            ),
        )
        self._each_input = self._tokens(each + "input_tokens", "Input tokens of one operation.")
        self._each_output = self._tokens(each + "output_tokens", "Output tokens of one operation.")
        self._each_embedding = self._tokens(
            "gen_ai.client.embeddings.operation.input_tokens", "Input tokens of one operation."
        )
        self._cost = self._count(
            "trio_llm.cost", "{USD}", "What all attempts and probes cost, in US dollars."
        )
        self._calls = self._seconds("trio_llm.call.duration", "Time from a call to its outcome.")
        self._retries = self._count(
            "trio_llm.retries", "{attempt}", "Attempts that were not the first of their visit."
        )
        self._fallbacks = self._count(
            "trio_llm.fallbacks", "{fallback}", "Times a balancer went on to its next member."
        )
        self._hedges = self._count(
            "trio_llm.hedges", "{hedge}", "Members asked because others were late."
        )
        self._contests = self._count(
            "trio_llm.contests", "{contest}", "Races and hedges that were decided."
        )
        self._handlers: dict[type[events.Event], Callable[[Any], None]] = {
            events.RequestFinished: self._request_finished,
            events.AttemptStarted: self._attempt_started,
            events.AttemptSucceeded: self._attempt_succeeded,
            events.AttemptFailed: self._attempt_failed,
            events.AttemptCancelled: self._attempt_cancelled,
            events.ProbeFinished: self._probe_finished,
            events.FellBack: self._fell_back,
            events.HedgeStarted: self._hedge_started,
            events.WinnerChosen: self._winner_chosen,
        }

    def __call__(self, event: events.Event) -> None:
        """Count an event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def _seconds(self, name: str, says: str) -> metrics.Histogram:
        return self._meter.create_histogram(
            name, "s", says, explicit_bucket_boundaries_advisory=SECONDS
        )

    def _tokens(self, name: str, says: str) -> metrics.Histogram:
        return self._meter.create_histogram(
            name, "{token}", says, explicit_bucket_boundaries_advisory=TOKENS
        )

    def _count(self, name: str, unit: str, says: str) -> metrics.Counter:
        return self._meter.create_counter(name, unit, says)

    def _request_finished(self, event: events.RequestFinished) -> None:
        labels = {
            words.ENDPOINT: event.path[0],
            words.OPERATION: words.operation_name(event.operation),
            words.OUTCOME: event.outcome,
        }
        if event.error is not None:
            labels[words.ERROR_TYPE] = event.error
        self._calls.record(event.latency, labels)

    def _attempt_started(self, event: events.AttemptStarted) -> None:
        if event.number > 1:
            self._retries.add(1, {words.MEMBER: event.path[-1]})

    def _attempt_succeeded(self, event: events.AttemptSucceeded) -> None:
        labels = _labels(event, event.operation)
        if event.answered_by is not None:
            labels[words.RESPONSE_MODEL] = event.answered_by
        self._ended(event, labels, "succeeded", event.usage)
        if event.first_token is not None:
            self._first_chunk.record(event.first_token, labels)

    def _attempt_failed(self, event: events.AttemptFailed) -> None:
        labels = _labels(event, event.operation)
        self._ended(event, labels | {words.ERROR_TYPE: event.error}, "failed", None)

    def _attempt_cancelled(self, event: events.AttemptCancelled) -> None:
        self._ended(event, _labels(event, event.operation), "cancelled", None)

    def _ended(self, event: AttemptEnd, labels: _Labels, outcome: str, usage: Usage | None) -> None:
        duration = self._durations.get(labels[words.OPERATION], self._other_duration)
        duration.record(event.latency, labels | {words.OUTCOME: outcome})
        if event.operation == "chat":
            self._use(labels, usage)
        elif event.operation == "embed" and usage is not None:
            self._each_embedding.record(usage.input_tokens, labels)
        self._pay(labels, event.cost)

    def _probe_finished(self, event: events.ProbeFinished) -> None:
        """Count what a probe cost; it is no operation of the application's."""
        if event.cost is not NOTHING:
            self._pay(_labels(event, "probe"), event.cost)

    def _pay(self, labels: _Labels, cost: Cost | None) -> None:
        if cost is not None:
            certainty = {words.CERTAINTY: cost.certainty.name.lower()}
            self._cost.add(float(cost.amount), labels | certainty)

    def _use(self, labels: _Labels, usage: Usage | None) -> None:
        """Count tokens; the conventions want a 0 for those who gave none."""
        counted = usage or _NO_USAGE
        by_modality = labels | {words.TOKEN_MODALITY: "unknown"}
        self._input.add(counted.input_tokens, by_modality)
        self._output.add(counted.output_tokens, by_modality)
        if usage is None:
            return
        self._each_input.record(usage.input_tokens, labels)
        self._each_output.record(usage.output_tokens, labels)
        parts = (usage.cached_tokens, usage.cache_write_tokens, usage.reasoning_tokens)
        for counter, tokens in zip(self._parts, parts, strict=True):
            if tokens:
                counter.add(tokens, by_modality)

    def _fell_back(self, event: events.FellBack) -> None:
        self._fallbacks.add(1, {words.ENDPOINT: event.path[-1], words.MEMBER: event.failed})

    def _hedge_started(self, event: events.HedgeStarted) -> None:
        self._hedges.add(1, {words.ENDPOINT: event.path[-1], words.MEMBER: event.member})

    def _winner_chosen(self, event: events.WinnerChosen) -> None:
        self._contests.add(1, {words.ENDPOINT: event.path[-1], words.MEMBER: event.winner})


def _labels(event: AttemptEnd | events.ProbeFinished, operation: str) -> _Labels:
    labels = {
        words.OPERATION: words.operation_name(operation),
        words.PROVIDER: words.provider_name(event.provider_kind),
        words.MEMBER: event.path[-1],
    }
    if event.model:
        labels[words.REQUEST_MODEL] = event.model
    return labels
