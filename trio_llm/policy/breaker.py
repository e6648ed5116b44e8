"""Whether a provider may be asked: the circuit breaker around its cooldown.

===================  ==================================  ============================
state                begins with                         ends
===================  ==================================  ============================
closed               the first day                       with any of the rows below
open                 failures in a row, a share of       half-open, by the clock
                     failures, or a failed probe
throttled            a rate limit, or a wait that the    by the clock: closed, or
                     provider asked for                  half-open if it was that
quota_exhausted      a used-up quota                     half-open, by the clock
authentication_dead  a key that is not accepted          half-open, by the clock;
                                                         closed, by a new key
half_open            the end of a rest that needs proof  closed, by a probe that
                                                         succeeds; a rest, by one
                                                         that fails
===================  ==================================  ============================

Half-open lets one request through, the probe. It is a lease: whatever happens to its
request resolves it. Requests that were under way when a rest began are stragglers:
what becomes of them is old news. They neither close nor open anything, and count for
nothing but a wait that the provider asks them for.
"""

import math
import random

import attrs

from trio_llm.policy.cooldown import LONGEST_WAIT, Cooldown
from trio_llm.policy.failure_share import FailureShare
from trio_llm.policy.permit import BreakerState as BreakerState
from trio_llm.policy.permit import FailureKind as FailureKind
from trio_llm.policy.permit import Permit as Permit

LONGEST_REST = 3600.0
"""Seconds to which the rests of a quota and of a key double, unless the cooldown's own
maximum, or their first one, is longer: once an hour is often enough to see whether
somebody has paid, and seldom enough to disturb nobody."""


@attrs.define(eq=False)
class Breaker:
    """Opens after failures, lets one request try after the rest, closes when it succeeds.

    A rest ends by the clock, and nothing that happens while it runs makes it end
    earlier (guarantee G8). The one exception ends for its own reason: a new key is not
    the key that was dead.

    Args:
        cooldown: The rests after faults and rate limits: lengths, escalation, and how
            many charged failures in a row are too many.
        ratio: Share of failures in the window, 0 to 1, that opens it too. It is looked
            at when a failure is charged; failures that are not, do not count at all.
        window: Length of the window, in seconds.
        minimum_calls: Outcomes in the window below which the share says nothing.
        jitter: A rest that the provider did not ask for is longer by a share drawn
            from 0 to this, so that those that failed together do not return together.
        quota_rest: First rest after a used-up quota, in seconds; each in a row is
            twice as long, see `LONGEST_REST`.
        authentication_rest: The same after a key that is not accepted.
    """

    cooldown: Cooldown
    ratio: float = 0.5
    window: float = 60.0
    minimum_calls: int = 20
    jitter: float = 0.1
    quota_rest: float = 600.0
    authentication_rest: float = 300.0
    _share: FailureShare = attrs.field(init=False)
    _epoch: int = attrs.field(default=0, init=False)
    _resting: BreakerState = attrs.field(default=BreakerState.CLOSED, init=False)
    """Why the cooldown rests, or last did."""
    _unproven: BreakerState | None = attrs.field(default=None, init=False)
    """Since which state no probe has proved that it works again."""
    _probe: Permit | None = attrs.field(default=None, init=False)
    _dead_until: float = attrs.field(default=-math.inf, init=False)
    _quota_rests: int = attrs.field(default=0, init=False)
    _dead_rests: int = attrs.field(default=0, init=False)
    _new_key_epoch: int = attrs.field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        self._share = FailureShare(self.window)

    # What it says.

    @property
    def until(self) -> float:
        """When the rest ends; minus infinity when there was none."""
        return max(self.cooldown.until, self._dead_until)

    @property
    def failures(self) -> int:
        """Charged failures in a row."""
        return self.cooldown.failures

    @property
    def epoch(self) -> int:
        """What tells a request that begins now from those before a rest."""
        return self._epoch

    def remaining(self, now: float) -> float:
        """Seconds of rest left; 0 when there is none."""
        return max(0.0, self.until - now)

    def state(self, now: float) -> BreakerState:
        """Give the state at an instant."""
        if now < self._dead_until:
            return BreakerState.AUTHENTICATION_DEAD
        if now < self.cooldown.until:
            return self._resting
        return BreakerState.CLOSED if self._unproven is None else BreakerState.HALF_OPEN

    def is_half_open(self, now: float) -> bool:
        """Whether a probe is under way or is to be the next request."""
        return self.state(now) is BreakerState.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Whether a request may begin: no rest runs, and no probe if one is needed."""
        if now < self.cooldown.until or now < self._dead_until:
            return False
        return self._unproven is None or self._probe is None

    # What it is told.

    def admit(self, now: float) -> Permit | None:
        """Let a request begin, as the probe where one is needed; ``None`` if it must not."""
        if now < self.cooldown.until or now < self._dead_until:
            return None
        if self._unproven is None:
            return Permit(self._epoch, False)
        if self._probe is not None:
            return None
        self._probe = Permit(self._epoch, True)
        return self._probe

    def begin(self, now: float) -> Permit:
        """Let a request begin that it is known to admit.

        Raises:
            RuntimeError: It does not admit one.
        """
        permit = self.admit(now)
        if permit is None:
            msg = f"a request began although the breaker is {self.state(now).value}"
            raise RuntimeError(msg)
        return permit

    def succeeded(self, permit: Permit, now: float) -> bool:
        """Note a success; give whether it closed a half-open breaker."""
        if not (permit.resolve() and self._is_news(permit)):
            return False
        self._share.count(now, failed=False)
        self.cooldown.succeeded(now)
        self._quota_rests = self._dead_rests = 0
        if permit.probe:
            self._probe = self._unproven = None
        return permit.probe

    def failed(
        self,
        permit: Permit,
        now: float,
        *,
        charge: bool,
        at_once: bool,
        retry_after: float | None,
        kind: FailureKind,
        rng: random.Random,
    ) -> bool:
        """Note a failure; give whether a rest began or was prolonged.

        A quota and a key begin their rest whenever they count at all, a rate limit
        when it is to begin at once. Any other failure opens the breaker when it is to
        do so at once, or when it is charged and one too many. A probe whose failure
        does neither is given up.

        Args:
            permit: What the request got when it began.
            now: The present instant.
            charge: Whether it counts against the provider.
            at_once: Whether to rest even after a single one.
            retry_after: Seconds that the provider asked for; made an absolute instant
                here and now.
            kind: What it says of the provider.
            rng: Source of the jitter.
        """
        if not permit.resolve():
            return False
        news = self._is_news(permit)
        if news and permit.probe:
            self._probe = None
        if kind is FailureKind.NEUTRAL or permit.epoch < self._new_key_epoch:
            return False
        if not news:
            charge = at_once = False
        if charge:
            self._share.count(now, failed=True)
        before = self.until
        stretch = 1.0 + self.jitter * rng.random()
        if kind is FailureKind.AUTHENTICATION and (charge or at_once):
            self._die(now, charge, retry_after, stretch)
        elif kind is FailureKind.QUOTA and (charge or at_once):
            self._exhaust(now, charge, retry_after, stretch)
        else:
            opens = charge and self._is_one_too_many(permit, now)
            if at_once:
                opens = kind is not FailureKind.THROTTLE
            if opens:
                self._needs_proof(BreakerState.OPEN)
                self._resting = BreakerState.OPEN
            elif now >= self.cooldown.until:
                self._resting = BreakerState.THROTTLED
            self.cooldown.failed(
                now,
                charge=charge,
                at_once=at_once,
                retry_after=retry_after,
                due=opens,
                stretch=stretch,
            )
        if self.until <= before:
            return False
        self._epoch += 1
        return True

    def abandoned(self, permit: Permit) -> None:
        """Note an outcome that says nothing of the provider; a probe is free again."""
        if permit.resolve() and permit is self._probe:
            self._probe = None

    def revived(self) -> None:
        """Note that it has a new key: only the old one was dead.

        What is still under way was begun with the old key, so it is old news.
        """
        self._epoch += 1
        self._new_key_epoch = self._epoch
        self._probe = None
        self._dead_until = -math.inf
        self._dead_rests = 0
        if self._unproven is BreakerState.AUTHENTICATION_DEAD:
            self._unproven = None
            self.cooldown.failures = 0

    def has_the_rules_of(self, other: "Breaker") -> bool:
        """Whether both come from the same settings."""
        return (
            self.cooldown.has_the_rules_of(other.cooldown)
            and (self.ratio, self.window, self.minimum_calls, self.jitter)
            == (other.ratio, other.window, other.minimum_calls, other.jitter)
            and (self.quota_rest, self.authentication_rest)
            == (other.quota_rest, other.authentication_rest)
        )

    def inherit(self, other: "Breaker") -> None:
        """Take over what another knows of the same provider, as after a reload.

        Rests, escalation, failures in a row and what is still to be proved come over
        where they are greater than its own; the window begins anew. Requests that the
        other let begin are stragglers here, its probe among them.
        """
        if other.cooldown.until > self.cooldown.until:
            self._resting = other._resting  # noqa: SLF001 - another of its kind
        if self._unproven is None or other.until > self.until:
            self._unproven = other._unproven or self._unproven  # noqa: SLF001
        self.cooldown.inherit(other.cooldown)
        self._dead_until = max(self._dead_until, other._dead_until)  # noqa: SLF001
        self._quota_rests = max(self._quota_rests, other._quota_rests)  # noqa: SLF001
        self._dead_rests = max(self._dead_rests, other._dead_rests)  # noqa: SLF001
        self._new_key_epoch = max(self._new_key_epoch, other._new_key_epoch)  # noqa: SLF001
        self._epoch = max(self._epoch, other.epoch) + 1

    # What follows.

    def _is_news(self, permit: Permit) -> bool:
        return permit is self._probe if permit.probe else permit.epoch == self._epoch

    def _is_one_too_many(self, permit: Permit, now: float) -> bool:
        """Whether a charged failure, already in the window, opens the breaker."""
        return (
            permit.probe
            or self.failures + 1 >= self.cooldown.after_failures
            or self._share.reaches(now, self.ratio, self.minimum_calls)
        )

    def _needs_proof(self, state: BreakerState) -> None:
        self._unproven = state
        self._epoch += 1
        self._share.clear()

    def _exhaust(self, now: float, charge: bool, retry_after: float | None, stretch: float) -> None:
        self._needs_proof(BreakerState.QUOTA_EXHAUSTED)
        self._resting = BreakerState.QUOTA_EXHAUSTED
        self.cooldown.failures += charge
        # A wait of 0 says nothing of when somebody will have paid.
        if retry_after:
            self.cooldown.rest_as_asked(now, retry_after)
        else:
            self.cooldown.rest(now, self._doubled(self.quota_rest, self._quota_rests) * stretch)
            self._quota_rests += 1

    def _die(self, now: float, charge: bool, retry_after: float | None, stretch: float) -> None:
        """Rest beside the cooldown, so that a new key ends this rest and no other."""
        self._needs_proof(BreakerState.AUTHENTICATION_DEAD)
        self.cooldown.failures += charge
        own = self._doubled(self.authentication_rest, self._dead_rests) * stretch
        self._dead_rests += 1
        asked = min(retry_after or 0.0, LONGEST_WAIT)
        self._dead_until = max(self._dead_until, now + max(own, asked))

    def _doubled(self, first: float, before: int) -> float:
        """Give the length of the next of several rests in a row."""
        longest = max(first, self.cooldown.maximum, LONGEST_REST)
        return min(first * 2.0 ** min(before, 64), longest)
