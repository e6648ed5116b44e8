"""What happened, as frozen records, and the one place that emits them.

Every record has `time` (seconds on Trio's clock), `call` (the number of the call
in its runtime, or ``None``) and `path` (the way through the call tree, or the
actor's name alone). Records arrive in the order in which things happened.
"""

import logging
from collections.abc import Callable
from typing import TypeAlias

import attrs

_logger = logging.getLogger("trio_llm.events")


@attrs.frozen
class Event:
    """The root of all records."""

    time: float
    call: int | None
    path: tuple[str, ...]

    @property
    def actor(self) -> str:
        """The name of the actor that it is about."""
        return self.path[-1] if self.path else ""

    @property
    def kind(self) -> str:
        """The record's class name, for logs."""
        return type(self).__name__


@attrs.frozen
class RequestStarted(Event):
    """A caller asked."""

    streaming: bool


@attrs.frozen
class RequestFinished(Event):
    """A caller got its outcome: ``succeeded``, ``failed`` or ``cancelled``."""

    outcome: str
    latency: float
    provider: str | None = None
    error: str | None = None


@attrs.frozen
class AttemptStarted(Event):
    """A physical attempt begins."""

    number: int
    model: str | None


@attrs.frozen
class FirstToken(Event):
    """The first useful event of a stream arrived, `latency` seconds into the attempt."""

    number: int
    latency: float


@attrs.frozen
class AttemptSucceeded(Event):
    """A physical attempt gave a whole answer after `latency` seconds."""

    number: int
    latency: float


@attrs.frozen
class AttemptFailed(Event):
    """A physical attempt failed after `latency` seconds."""

    number: int
    latency: float
    error: str
    reason: str


@attrs.frozen
class AttemptCancelled(Event):
    """A physical attempt was given up after `latency` seconds."""

    number: int
    latency: float
    reason: str


@attrs.frozen
class WinnerChosen(Event):
    """A race or a hedge was decided; `stamp` is the winner's completion at the leaf."""

    winner: str
    stamp: float


@attrs.frozen
class LoserCancelled(Event):
    """A racer that had not finished was cancelled."""

    loser: str
    reason: str


@attrs.frozen
class LoserDiscarded(Event):
    """A racer that had finished in the winner's instant was not taken."""

    loser: str
    reason: str


@attrs.frozen
class RaceScored(Event):
    """The answers of a race were scored: name and score of each, in declared order.

    ``None`` stands for one that could not be scored.
    """

    scores: tuple[tuple[str, float | None], ...]


@attrs.frozen
class AdviceMissing(Event):
    """A ``scorer``, or the judge or embedder of that name, gave nothing for an answer.

    Something simpler took its place, or the answer counts as the worst.
    """

    adviser: str
    member: str
    reason: str


@attrs.frozen
class VoteCast(Event):
    """A member's answer was counted; `group` is whose answer it agrees with, or its own."""

    member: str
    group: str


@attrs.frozen
class ConsensusReached(Event):
    """More votes can change nothing: who wins, and who voted together with what weight."""

    winner: str
    votes: tuple[tuple[tuple[str, ...], float], ...]


@attrs.frozen
class HedgeStarted(Event):
    """A member was asked beside those under way, `after` seconds being too long to wait."""

    member: str
    after: float


@attrs.frozen
class HedgeSuppressed(Event):
    """An answer was late, and nobody was asked beside it; `reason` says why.

    ``calls`` or ``spend`` (the share of either is used up), ``no_member`` (no other one
    can take the call now), ``attempts_spent`` or ``mailbox_full``.
    """

    reason: str


@attrs.frozen
class FellBack(Event):
    """A balancer goes on to its next member."""

    failed: str
    reason: str


@attrs.frozen
class StreamSwitched(Event):
    """A stream broke, and another provider goes on with it, by the policy named."""

    failed: str
    provider: str
    policy: str


@attrs.frozen
class CooldownStarted(Event):
    """A provider rests until `until` (Trio's clock)."""

    until: float
    reason: str


@attrs.frozen
class BreakerChanged(Event):
    """A provider's circuit breaker changed, from one `BreakerState` to another, by value.

    A change that the clock makes is recorded when it is noticed, by the next request or
    probe.
    """

    old: str
    new: str
    reason: str


@attrs.frozen
class ProviderRecovered(Event):
    """A provider is asked as usual again, so many seconds after its breaker left ``closed``."""

    after_seconds: float


@attrs.frozen
class ProbeStarted(Event):
    """A provider is asked for its health alone; no caller waits for an answer."""

    number: int


@attrs.frozen
class ProbeFinished(Event):
    """That has ended after `latency` seconds; `error` says why it is not healthy."""

    number: int
    healthy: bool
    latency: float
    error: str | None = None


@attrs.frozen
class ActorCrashed(Event):
    """An actor's life ended in an exception."""

    error: str


@attrs.frozen
class ActorRestarted(Event):
    """An actor lives again after `delay` seconds."""

    delay: float


@attrs.frozen
class ActorDown(Event):
    """An actor crashed too often and stays down."""


@attrs.frozen
class ActorDrained(Event):
    """An actor stopped; `unfinished` of its requests were cut."""

    unfinished: int


@attrs.frozen
class CleanupOverran(Event):
    """A cancelled job of this provider was still running after `close_deadline`.

    Only code that shields itself from cancellation can do that.
    """

    reason: str


@attrs.frozen
class ConfigReloaded(Event):
    """Another configuration runs from now on; providers and balancers by name."""

    generation: int
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]


@attrs.frozen
class Degraded(Event):
    """A caller got a ``stale`` reply, or the ``default`` one, in place of an error."""

    how: str
    error: str


Observer: TypeAlias = Callable[[Event], None]


@attrs.define(eq=False)
class EventStream:
    """Hands every record to every observer, in order.

    Observers are synchronous and isolated: one that raises is logged, keeps its
    place, and harms neither the others nor the call.
    """

    _observers: tuple[Observer, ...] = attrs.field(default=(), init=False)

    @property
    def watched(self) -> bool:
        """Whether anybody looks; records need not be made otherwise."""
        return bool(self._observers)

    def emit(self, event: Event) -> None:
        """Hand a record to every observer."""
        for observer in self._observers:
            try:
                observer(event)
            except Exception:
                _logger.exception("an event observer raised on %s", event.kind)

    def subscribe(self, observer: Observer) -> Callable[[], None]:
        """Add an observer; give the function that removes it."""
        self._observers = (*self._observers, observer)

        def unsubscribe() -> None:
            self._observers = tuple(o for o in self._observers if o is not observer)

        return unsubscribe
