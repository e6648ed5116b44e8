"""How a provider or balancer fares: one snapshot, and the counts behind it."""

import attrs

from trio_llm.chat import Usage


@attrs.frozen
class ProviderStatus:
    """A snapshot of one provider or balancer.

    Attributes:
        name: Its name.
        kind: The provider's kind, or the balancer's.
        state: ``ready``, ``occupied`` (no free place), ``cooling``, ``starting``,
            ``restarting``, ``draining`` or ``down``.
        occupied: Whether every place is taken.
        in_flight: Requests running now.
        queued: Requests waiting, in the mailbox or in line for a place.
        max_concurrency: Places; ``None`` for a balancer, which has no limit.
        cooldown_remaining: Seconds of rest left; 0 when there is none.
        cooldown_until: When the rest ends, in seconds since the epoch, or ``None``.
        failures: Charged failures in a row.
        last_used: When it was last asked, in seconds since the epoch, or ``None``.
        restarts: How often its actor was restarted.
        model: The model that it uses unless told otherwise.
        members: The members of a balancer.
    """

    name: str
    kind: str
    state: str
    occupied: bool = False
    in_flight: int = 0
    queued: int = 0
    max_concurrency: int | None = None
    cooldown_remaining: float = 0.0
    cooldown_until: float | None = None
    failures: int = 0
    last_used: float | None = None
    restarts: int = 0
    model: str | None = None
    members: tuple[str, ...] = ()


@attrs.frozen
class NodeStatistics:
    """Counts of one provider or balancer since the runtime began.

    Attributes:
        requests: Visits that were decided or given up.
        succeeded: Of these, the ones that gave an answer.
        failed: Of these, the ones that ended in an error.
        cancelled: Of these, the ones that were given up.
        attempts: Physical attempts.
        wins: Races, fallbacks and shares in which this node's answer was taken.
        average_latency: Mean seconds of the successes, or ``None`` without any.
        input_tokens: Tokens read by the successes.
        output_tokens: Tokens written by the successes.
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

    def snapshot(self) -> NodeStatistics:
        """Give the counts as they are now."""
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
        )
