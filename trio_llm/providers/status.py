"""How a provider or balancer fares: one snapshot, and the counts behind it."""

import attrs

from trio_llm.chat import NOTHING, Cost, Usage
from trio_llm.chat.cost import Sum
from trio_llm.policy.vitals import VitalsSnapshot


@attrs.frozen
class ProviderStatus:
    """A snapshot of one provider or balancer.

    Attributes:
        name: Its name.
        kind: The provider's kind, or the balancer's.
        state: ``ready``, ``occupied`` (no free place), ``cooling``, ``probing`` (one
            request tries whether it works again), ``starting``, ``restarting``,
            ``draining`` or ``down``.
        occupied: Whether every place is taken.
        in_flight: Requests running now.
        held: Places that stay taken for a while after a cancel.
        queued: Requests waiting, in the mailbox or in line for a place.
        max_concurrency: Places; ``None`` for a balancer, which has no limit.
        cooldown_remaining: Seconds of rest left; 0 when there is none.
        cooldown_until: When the rest ends, in seconds since the epoch, or ``None``.
        failures: Charged failures in a row.
        last_used: When it was last asked, in seconds since the epoch, or ``None``.
        restarts: How often its actor was restarted.
        model: The model that it uses unless told otherwise.
        members: The members of a balancer.
        breaker: What its circuit breaker says, by the words of `BreakerState`:
            ``closed``, ``open``, ``half_open``, ``throttled``, ``quota_exhausted`` or
            ``authentication_dead``. A balancer has none: ``closed``.
        retry_after: Seconds until it may take a request, as far as its rest and its rate
            limits say; 0 when that is now.
        requests_available: Requests that its configured rate limits would let begin now;
            ``None`` without such a limit.
        tokens_available: The same for tokens.
        latency: Mean seconds of a call, recent ones weighing most and peaks standing out;
            ``None`` before the first answer.
        p50: Median seconds to the first token of a stream, or to the answer of a plain
            call, over the last minutes; ``None`` without any.
        p95: The same, not exceeded by 95 % of the calls.
        success_rate: Share of calls that succeeded, recent ones first, those left out
            that say nothing of the provider; ``None`` before the first.
    """

    name: str
    kind: str
    state: str
    occupied: bool = False
    in_flight: int = 0
    held: int = 0
    queued: int = 0
    max_concurrency: int | None = None
    cooldown_remaining: float = 0.0
    cooldown_until: float | None = None
    failures: int = 0
    last_used: float | None = None
    restarts: int = 0
    model: str | None = None
    members: tuple[str, ...] = ()
    breaker: str = "closed"
    retry_after: float = 0.0
    requests_available: float | None = None
    tokens_available: float | None = None
    latency: float | None = None
    p50: float | None = None
    p95: float | None = None
    success_rate: float | None = None

    def with_vitals(self, vitals: VitalsSnapshot) -> "ProviderStatus":
        """Add how fast and how sound it was lately."""
        return attrs.evolve(
            self,
            latency=vitals.latency,
            p50=vitals.p50,
            p95=vitals.p95,
            success_rate=vitals.success_rate,
        )


@attrs.frozen
class NodeStatistics:
    """Counts of one provider or balancer since the runtime began.

    The percentiles and the win rate are of the recent past.

    Attributes:
        requests: Visits that were decided or given up.
        succeeded: Of these, the ones that gave an answer.
        failed: Of these, the ones that ended in an error.
        cancelled: Of these, the ones that were given up.
        attempts: Physical attempts; probes are not among them.
        wins: Races, fallbacks and shares in which this node's answer was taken.
        average_latency: Mean seconds of the successes, or ``None`` without any.
        input_tokens: Tokens read by the successes.
        output_tokens: Tokens written by the successes.
        retries: Of the attempts, those that were not the first of their visit.
        probes: Active probes, checks included.
        hedges: Members that a hedge asked beside others because those were late.
        hedges_won: Of these, the ones that answered first.
        hedges_suppressed: Calls of a hedge that were late and could not be hedged.
        cost: What all its visits have cost, and its probes; as sure as the least sure of
            the attempts in it. One of unknown price counts as nothing, *at least*.
        races: How many races the win rate stands for, older ones counting for less.
        win_rate: Share of these that it won, or ``None`` without any.
        p50: Median seconds to the first token of a stream, or to the answer of a plain
            call; ``None`` without any.
        p95: The same, not exceeded by 95 % of the calls.
        p99: The same, not exceeded by 99 % of the calls.
    """

    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    attempts: int = 0
    wins: int = 0
    average_latency: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    probes: int = 0
    hedges: int = 0
    hedges_won: int = 0
    hedges_suppressed: int = 0
    cost: Cost = NOTHING
    races: float = 0.0
    win_rate: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @property
    def success_rate(self) -> float | None:
        """Successes per finished visit, cancelled ones left out; ``None`` without any."""
        finished = self.succeeded + self.failed
        return self.succeeded / finished if finished else None


@attrs.define
class Tally:
    """The counters behind `NodeStatistics`."""

    requests: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    attempts: int = 0
    wins: int = 0
    latency: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    probes: int = 0
    hedges: int = 0
    hedges_won: int = 0
    hedges_suppressed: int = 0
    paid: Sum = attrs.field(factory=Sum)

    def success(self, latency: float, usage: Usage | None) -> None:
        """Count a visit that gave an answer after `latency` seconds."""
        self.requests += 1
        self.succeeded += 1
        self.latency += latency
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens

    def failure(self) -> None:
        """Count a visit that ended in an error."""
        self.requests += 1
        self.failed += 1

    def cancel(self) -> None:
        """Count a visit that was given up."""
        self.requests += 1
        self.cancelled += 1

    def snapshot(self, vitals: VitalsSnapshot) -> NodeStatistics:
        """Give the counts as they are now, and what is known of the recent past."""
        return NodeStatistics(
            self.requests,
            self.succeeded,
            self.failed,
            self.cancelled,
            self.attempts,
            self.wins,
            self.latency / self.succeeded if self.succeeded else None,
            self.input_tokens,
            self.output_tokens,
            self.retries,
            self.probes,
            self.hedges,
            self.hedges_won,
            self.hedges_suppressed,
            self.paid.cost,
            vitals.races,
            vitals.win_rate,
            vitals.p50,
            vitals.p95,
            vitals.p99,
        )
