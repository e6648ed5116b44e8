"""The breaker of one provider, and the records of how it changes.

A rest ends by the clock, and nobody is woken for that: its end is recorded when it is
noticed, by the next request or probe.
"""

import math
import random
from typing import Final

import attrs

from trio_llm import events
from trio_llm.errors import (
    AuthenticationError,
    Blame,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    StaleConnectionError,
)
from trio_llm.policy import Breaker, BreakerState, FailureKind, Permit, blame_for
from trio_llm.providers.lease import Refusal

_RESTS: Final = {
    BreakerState.OPEN: "it is cooling down after failures",
    BreakerState.THROTTLED: "it is cooling down, since it takes no requests for now",
    BreakerState.QUOTA_EXHAUSTED: "it is cooling down, since its quota is used up",
    BreakerState.AUTHENTICATION_DEAD: "it is cooling down, since its key was not accepted",
}


def failure_kind(error: ProviderError, blame: Blame, *, fixed_key: bool) -> FailureKind:
    """Tell what a failure says of the provider.

    Args:
        error: The failure.
        blame: What follows from it there.
        fixed_key: Whether its key is always the same one.
    """
    if isinstance(error, StaleConnectionError) or not (blame.charges or blame.cools):
        return FailureKind.NEUTRAL
    if isinstance(error, RateLimitError):
        return FailureKind.THROTTLE
    if isinstance(error, QuotaExceededError):
        return FailureKind.QUOTA
    if isinstance(error, AuthenticationError) and fixed_key:
        return FailureKind.AUTHENTICATION
    return FailureKind.FAULT


@attrs.define(eq=False)
class Circuit:
    """Lets requests begin, is told how they end, and records what changes by it.

    Args:
        name: The provider's name.
        breaker: Its breaker.
        stream: Where records go.
        seed: The runtime's seed, for the jitter of rests.
        fixed_key: Whether its key is always the same one, so that one that is refused
            will be refused again.

    Attributes:
        quiet: Whether it records nothing any more: another one speaks for the provider.
    """

    name: str
    breaker: Breaker
    stream: events.EventStream
    seed: int = 0
    fixed_key: bool = False
    quiet: bool = attrs.field(default=False, init=False)
    _shown: BreakerState = attrs.field(default=BreakerState.CLOSED, init=False)
    _left_closed: float = attrs.field(default=-math.inf, init=False)

    def state(self, now: float) -> BreakerState:
        """Give the state at an instant."""
        return self.breaker.state(now)

    def rest(self, now: float) -> Refusal | None:
        """Say that it rests, if it does."""
        breaker = self.breaker
        if now >= breaker.until:
            return None
        return Refusal("cooling", _RESTS[breaker.state(now)], breaker.remaining(now))

    def admit(self, now: float) -> Permit | None:
        """Let a request begin; ``None`` if it must not."""
        permit = self.breaker.admit(now)
        if self._shown is not BreakerState.CLOSED and permit is not None:
            self.notice(now, "its rest is over")
        return permit

    def begin(self, now: float) -> Permit:
        """Let a request begin; the caller has seen that the breaker admits one."""
        permit = self.admit(now)
        return self.breaker.begin(now) if permit is None else permit

    def succeeded(self, permit: Permit, now: float) -> None:
        """Note a success."""
        closed = self.breaker.succeeded(permit, now)
        if closed or self._shown is not BreakerState.CLOSED:
            self.notice(now, "a request succeeded")

    def failed(
        self, permit: Permit, error: ProviderError, now: float, *, key: str, call: int | None
    ) -> bool:
        """Note a failure; give whether that says anything of the provider.

        Where it does not, the permit is still good, for another attempt of the same
        request or to be given up.

        Args:
            permit: What the request began with.
            error: The failure; what its provider's own rows say of it is known.
            now: The present instant.
            key: What tells this attempt from all others, for the jitter.
            call: The number of the call, for the records.
        """
        blame = blame_for(error)
        kind = failure_kind(error, blame, fixed_key=self.fixed_key)
        if kind is FailureKind.NEUTRAL:
            return False
        rests = self.breaker.failed(
            permit,
            now,
            charge=blame.charges,
            at_once=blame.cools,
            retry_after=error.retry_after,
            kind=kind,
            rng=random.Random(f"{self.seed}/{key}/rest"),  # noqa: S311 - jitter
        )
        if rests and self.breaker.until > now:
            self._rests(now, error.message, call, type(error).__name__)
        self.notice(now, error.message, call)
        return True

    def abandoned(self, permit: Permit) -> None:
        """Note an outcome that says nothing of the provider."""
        self.breaker.abandoned(permit)

    def revived(self, now: float, reason: str) -> None:
        """Note that its key is accepted after all."""
        self.breaker.revived()
        self.notice(now, reason)

    def goes_by_the_rules_of(self, other: "Circuit") -> bool:
        """Whether another one would have come to the same conclusions, under the same name."""
        return (self.name, self.fixed_key) == (
            other.name,
            other.fixed_key,
        ) and self.breaker.has_the_rules_of(other.breaker)

    def inherit(self, other: "Circuit", now: float) -> None:
        """Take over what an earlier actor of the same account knows; it falls silent."""
        other.quiet = True
        before = self.breaker.until
        self.breaker.inherit(other.breaker)
        reason = "known from before the reload"
        if self.breaker.until > max(before, now):
            self._rests(now, reason, None)
        self.notice(now, reason)

    def _rests(self, now: float, reason: str, call: int | None, error: str = "") -> None:
        if self.stream.heard and not self.quiet:
            until = self.breaker.until
            self.stream.emit(events.CooldownStarted(now, call, (self.name,), until, reason, error))

    def notice(self, now: float, reason: str, call: int | None = None) -> None:
        """Record how the state has changed since it was last looked at."""
        state, shown = self.breaker.state(now), self._shown
        if state is shown:
            return
        self._shown = state
        if shown is BreakerState.CLOSED:
            self._left_closed = now
        if self.quiet or not self.stream.heard:
            return
        head = (now, call, (self.name,))
        self.stream.emit(events.BreakerChanged(*head, shown.value, state.value, reason))
        if state is BreakerState.CLOSED:
            self.stream.emit(events.ProviderRecovered(*head, now - self._left_closed))
