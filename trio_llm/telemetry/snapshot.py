"""Everything that was measured, at one instant."""

from collections.abc import Iterator
from decimal import Decimal

import attrs

from trio_llm.telemetry.records import Counter, Gauge, Histogram, Metric


@attrs.frozen
class ModelUse:
    """What one model was used for.

    Attributes:
        model: The model, as it was asked for.
        attempts: Physical attempts.
        input_tokens: Tokens read.
        output_tokens: Tokens written.
        cost: US dollars, as far as known.
    """

    model: str
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: Decimal


@attrs.frozen(kw_only=True)
class MetricsSnapshot:
    """What was measured since counting began; it changes no more.

    Every attribute is a `Counter`, a `Gauge` or a `Histogram`; its `what` says what it
    measures and by which labels. ``snapshot.requests.total(outcome="failed")`` is a number,
    ``snapshot.attempts.by("provider")`` a table. Iterating gives all of them.

    Attributes:
        requests: Calls that have ended.
        request_duration: Seconds from a call to its outcome.
        request_first_token: Seconds from a call to its first useful event; streams only.
        requests_in_flight: Calls under way.
        attempts: Physical attempts that have ended; probes are not among them.
        attempt_duration: Seconds of an attempt.
        attempt_first_token: Seconds from an attempt's start to its first useful event.
        attempt_per_token: Seconds for each token of a stream after the first.
        attempt_input: Tokens read by one attempt.
        attempt_output: Tokens written by one attempt.
        retries: Attempts that were not the first of their visit.
        input_tokens: Tokens read, those from a cache included.
        output_tokens: Tokens written, reasoning included.
        cached_tokens: Of the input, those read from the provider's cache.
        cache_write_tokens: Of the input, those written to it.
        reasoning_tokens: Of the output, those spent on reasoning.
        cost: US dollars of all attempts, by how sure they are.
        unpriced: Attempts whose price is not known.
        contests: Members of races and hedges that won, lost or were discarded.
        hedges: Hedges that were started, that won, or that were suppressed.
        fallbacks: Times a balancer went on to its next member.
        switches: Broken streams that another provider went on with.
        consensus: Votes of several members that came to a decision.
        cooldowns: Rests that began.
        breaker_changes: Changes of circuit breakers, by their new state.
        probes: Active probes, by whether they found the provider healthy.
        crashes: Lives of actors that ended in an exception.
        restarts: Times an actor was started anew.
        overruns: Jobs that did not leave in time when they were cancelled.
        budget_alerts: Alerts of budgets, by the share of the limit that was reached.
        budget_limits: Attempts for which a budget had no room, by what was done.
        cache_lookups: Lookups in the cache: hits, stale ones, misses.
        cache_stores: Answers that were kept.
        cache_bytes: Their size, as they are kept.
        cache_evictions: Answers that had to go for them.
        shared_flights: Callers who shared the call of another.
        degraded: Callers who got a stale reply or the default one in place of an error.
        store_failures: Times the store did not take something.
    """

    requests: Counter[int]
    request_duration: Histogram
    request_first_token: Histogram
    requests_in_flight: Gauge
    attempts: Counter[int]
    attempt_duration: Histogram
    attempt_first_token: Histogram
    attempt_per_token: Histogram
    attempt_input: Histogram
    attempt_output: Histogram
    retries: Counter[int]
    input_tokens: Counter[int]
    output_tokens: Counter[int]
    cached_tokens: Counter[int]
    cache_write_tokens: Counter[int]
    reasoning_tokens: Counter[int]
    cost: Counter[Decimal]
    unpriced: Counter[int]
    contests: Counter[int]
    hedges: Counter[int]
    fallbacks: Counter[int]
    switches: Counter[int]
    consensus: Counter[int]
    cooldowns: Counter[int]
    breaker_changes: Counter[int]
    probes: Counter[int]
    crashes: Counter[int]
    restarts: Counter[int]
    overruns: Counter[int]
    budget_alerts: Counter[int]
    budget_limits: Counter[int]
    cache_lookups: Counter[int]
    cache_stores: Counter[int]
    cache_bytes: Counter[int]
    cache_evictions: Counter[int]
    shared_flights: Counter[int]
    degraded: Counter[int]
    store_failures: Counter[int]

    def __iter__(self) -> Iterator[Metric]:
        for field in attrs.fields(type(self)):
            yield getattr(self, field.name)

    @property
    def distribution(self) -> dict[str, float]:
        """The share of all physical attempts that each provider made."""
        attempts = self.attempts.by("provider")
        total = sum(attempts.values())
        return {provider: count / total for provider, count in attempts.items()}

    @property
    def success_rate(self) -> float | None:
        """Successes per call that was not cancelled; ``None`` before the first."""
        outcomes = self.requests.by("outcome")
        succeeded = outcomes.get("succeeded", 0)
        ended = succeeded + outcomes.get("failed", 0)
        return succeeded / ended if ended else None

    def top_models(self, count: int = 10) -> tuple[ModelUse, ...]:
        """Give the models that were asked most often, the most used first."""
        attempts = self.attempts.by("model")
        read, written = self.input_tokens.by("model"), self.output_tokens.by("model")
        cost = self.cost.by("model")
        ranked = sorted(attempts, key=lambda model: (-attempts[model], model))
        return tuple(
            [
                ModelUse(
                    model,
                    attempts[model],
                    read.get(model, 0),
                    written.get(model, 0),
                    cost.get(model, Decimal(0)),
                )
                for model in ranked[:count]
            ]
        )
