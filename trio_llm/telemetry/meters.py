"""What is counted: every metric with its name, what it says, and its labels."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import attrs

from trio_llm.telemetry.buckets import SECONDS, SECONDS_PER_TOKEN, TOKENS
from trio_llm.telemetry.records import Description
from trio_llm.telemetry.snapshot import MetricsSnapshot
from trio_llm.telemetry.tallies import CounterTally, GaugeTally, HistogramTally

_CALL: Final = ("endpoint", "operation", "outcome")
_MODEL: Final = ("provider", "model")


def _count(name: str, says: str, *labels: str, unit: str = "") -> Callable[[], CounterTally[int]]:
    what = Description(name, says, labels, unit)
    return lambda: CounterTally(what, 0)


def _dollars(name: str, says: str, *labels: str) -> Callable[[], CounterTally[Decimal]]:
    what = Description(name, says, labels, "dollars")
    return lambda: CounterTally(what, Decimal(0))


def _gauge(name: str, says: str, *labels: str) -> Callable[[], GaugeTally]:
    what = Description(name, says, labels)
    return lambda: GaugeTally(what)


def _spread(
    name: str,
    says: str,
    *labels: str,
    unit: str = "seconds",
    bounds: tuple[float, ...] = SECONDS,
) -> Callable[[], HistogramTally]:
    what = Description(name, says, labels, unit)
    return lambda: HistogramTally(what, bounds)


@attrs.frozen(eq=False, kw_only=True)
class Meters:
    """Every metric, growing; the names are those of `MetricsSnapshot`."""

    requests: CounterTally[int] = attrs.field(
        factory=_count("requests", "Calls that have ended.", *_CALL, "error")
    )
    request_duration: HistogramTally = attrs.field(
        factory=_spread("request_duration", "Time from a call to its outcome.", *_CALL)
    )
    request_first_token: HistogramTally = attrs.field(
        factory=_spread(
            "request_first_token",
            "Time from a call to its first useful event; streams only.",
            "endpoint",
        )
    )
    requests_in_flight: GaugeTally = attrs.field(
        factory=_gauge("requests_in_flight", "Calls under way.", "endpoint")
    )
    attempts: CounterTally[int] = attrs.field(
        factory=_count(
            "attempts",
            "Physical attempts that have ended.",
            *_MODEL,
            "operation",
            "outcome",
            "error",
        )
    )
    attempt_duration: HistogramTally = attrs.field(
        factory=_spread(
            "attempt_duration", "Time from an attempt's start to its end.", *_MODEL, "outcome"
        )
    )
    attempt_first_token: HistogramTally = attrs.field(
        factory=_spread(
            "attempt_first_token",
            "Time from an attempt's start to its first useful event; streams only.",
            *_MODEL,
        )
    )
    attempt_per_token: HistogramTally = attrs.field(
        factory=_spread(
            "attempt_per_token",
            "Time for each token of a stream after the first.",
            *_MODEL,
            bounds=SECONDS_PER_TOKEN,
        )
    )
    attempt_input: HistogramTally = attrs.field(
        factory=_spread(
            "attempt_input", "Tokens read by one attempt.", *_MODEL, unit="tokens", bounds=TOKENS
        )
    )
    attempt_output: HistogramTally = attrs.field(
        factory=_spread(
            "attempt_output",
            "Tokens written by one attempt.",
            *_MODEL,
            unit="tokens",
            bounds=TOKENS,
        )
    )
    retries: CounterTally[int] = attrs.field(
        factory=_count("retries", "Attempts that were not the first of their visit.", "provider")
    )
    input_tokens: CounterTally[int] = attrs.field(
        factory=_count("input", "Tokens read, those from a cache included.", *_MODEL, unit="tokens")
    )
    output_tokens: CounterTally[int] = attrs.field(
        factory=_count("output", "Tokens written, reasoning included.", *_MODEL, unit="tokens")
    )
    cached_tokens: CounterTally[int] = attrs.field(
        factory=_count(
            "cached_input",
            "Tokens read from the provider's cache; a part of the input.",
            *_MODEL,
            unit="tokens",
        )
    )
    cache_write_tokens: CounterTally[int] = attrs.field(
        factory=_count(
            "cache_write_input",
            "Tokens written to the provider's cache; a part of the input.",
            *_MODEL,
            unit="tokens",
        )
    )
    reasoning_tokens: CounterTally[int] = attrs.field(
        factory=_count(
            "reasoning_output",
            "Tokens spent on reasoning; a part of the output.",
            *_MODEL,
            unit="tokens",
        )
    )
    cost: CounterTally[Decimal] = attrs.field(
        factory=_dollars("cost", "What all attempts cost, as far as known.", *_MODEL, "certainty")
    )
    unpriced: CounterTally[int] = attrs.field(
        factory=_count("unpriced_attempts", "Attempts whose price is not known.", *_MODEL)
    )
    contests: CounterTally[int] = attrs.field(
        factory=_count(
            "contest_results",
            "Members of races and hedges that won, lost or were discarded.",
            "balancer",
            "member",
            "result",
        )
    )
    hedges: CounterTally[int] = attrs.field(
        factory=_count(
            "hedges",
            "Hedges that were started, that won, or were suppressed.",
            "balancer",
            "result",
        )
    )
    fallbacks: CounterTally[int] = attrs.field(
        factory=_count(
            "fallbacks", "Times a balancer went on to its next member.", "balancer", "failed"
        )
    )
    switches: CounterTally[int] = attrs.field(
        factory=_count(
            "stream_switches", "Broken streams that another provider went on with.", "failed"
        )
    )
    consensus: CounterTally[int] = attrs.field(
        factory=_count("consensus", "Votes that came to a decision.", "balancer", "winner")
    )
    cooldowns: CounterTally[int] = attrs.field(
        factory=_count("cooldowns", "Rests that began.", "provider")
    )
    breaker_changes: CounterTally[int] = attrs.field(
        factory=_count(
            "breaker_changes", "Changes of circuit breakers, by the new state.", "provider", "state"
        )
    )
    probes: CounterTally[int] = attrs.field(
        factory=_count("probes", "Active probes.", "provider", "result")
    )
    crashes: CounterTally[int] = attrs.field(
        factory=_count("actor_crashes", "Lives of actors that ended in an exception.", "actor")
    )
    restarts: CounterTally[int] = attrs.field(
        factory=_count("actor_restarts", "Times an actor was started anew.", "actor")
    )
    overruns: CounterTally[int] = attrs.field(
        factory=_count("cleanup_overruns", "Cancelled jobs that did not leave in time.", "actor")
    )
    budget_alerts: CounterTally[int] = attrs.field(
        factory=_count(
            "budget_alerts", "Shares of a budget that were reached.", "budget", "threshold"
        )
    )
    budget_limits: CounterTally[int] = attrs.field(
        factory=_count("budget_limits", "Attempts for which a budget had no room.", "budget", "how")
    )
    cache_lookups: CounterTally[int] = attrs.field(
        factory=_count("cache_lookups", "Lookups in the cache.", "result")
    )
    cache_stores: CounterTally[int] = attrs.field(
        factory=_count("cache_stores", "Answers that were kept.")
    )
    cache_bytes: CounterTally[int] = attrs.field(
        factory=_count("cache_stored", "The size of the answers that were kept.", unit="bytes")
    )
    cache_evictions: CounterTally[int] = attrs.field(
        factory=_count("cache_evictions", "Answers that had to go for others.")
    )
    shared_flights: CounterTally[int] = attrs.field(
        factory=_count("shared_flights", "Callers who shared the call of another.")
    )
    degraded: CounterTally[int] = attrs.field(
        factory=_count(
            "degraded_replies", "Callers who got a stand-in in place of an error.", "how"
        )
    )
    store_failures: CounterTally[int] = attrs.field(
        factory=_count("store_failures", "Times the store did not take something.")
    )

    def snapshot(self) -> MetricsSnapshot:
        """Give everything as it is now."""
        names = [field.name for field in attrs.fields(MetricsSnapshot)]
        return MetricsSnapshot(**{name: getattr(self, name).snapshot() for name in names})
