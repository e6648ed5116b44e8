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
    """A race was decided; `stamp` is the winner's completion at the leaf."""

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
