"""What happened, as frozen records, and the one place that emits them.

Every record has `time` (seconds on Trio's clock), `call` (the number of the call
in its runtime, or ``None``) and `path` (the way through the call tree, or the
actor's name alone). Records arrive in the order in which things happened.
"""

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

import attrs

from trio_llm.chat.cost import NOTHING

if TYPE_CHECKING:
    from trio_llm.chat import AnyRequest, AnyResult, Cost, Usage

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
    """A caller asked.

    Attributes:
        streaming: Whether it wants the answer as it is written.
        operation: What it asks for: ``chat``, ``embed``, ...
        model: The model, if it named one.
        content: The request itself; only where `EventStream.content` says so.
    """

    streaming: bool
    operation: str = "chat"
    model: str | None = None
    content: "AnyRequest | None" = attrs.field(default=None, repr=False)


@attrs.frozen
class RequestFinished(Event):
    """A caller got its outcome.

    Attributes:
        outcome: ``succeeded``, ``failed`` or ``cancelled``.
        latency: Seconds from the call to that.
        provider: Who answered.
        error: The class name of the error.
        model: The model that answered.
        usage: Tokens of the exchange that won.
        cost: What the call cost, all its attempts together.
        finish_reason: Why the answer ended.
        first_token: Seconds to the first useful event, for a stream.
        operation: What was asked for.
        content: The answer itself; only where `EventStream.content` says so.
    """

    outcome: str
    latency: float
    provider: str | None = None
    error: str | None = None
    model: str | None = None
    usage: "Usage | None" = None
    cost: "Cost" = NOTHING
    finish_reason: str | None = None
    first_token: float | None = None
    operation: str = "chat"
    content: "AnyResult | None" = attrs.field(default=None, repr=False)


@attrs.frozen
class AttemptStarted(Event):
    """A physical attempt begins; `provider_kind` is the provider's, as in the catalogue."""

    number: int
    model: str | None
    provider_kind: str = ""
    operation: str = "chat"


@attrs.frozen
class FirstToken(Event):
    """The first useful event of a stream arrived, `latency` seconds into the attempt."""

    number: int
    latency: float


@attrs.frozen
class AttemptSucceeded(Event):
    """A physical attempt gave a whole answer after `latency` seconds.

    `model` was asked for, `answered_by` is what the provider calls the one that answered;
    `first_token` is in seconds from the start of the attempt.
    """

    number: int
    latency: float
    model: str | None = None
    provider_kind: str = ""
    operation: str = "chat"
    answered_by: str | None = None
    usage: "Usage | None" = None
    cost: "Cost | None" = None
    finish_reason: str | None = None
    response_id: str | None = None
    first_token: float | None = None


@attrs.frozen
class AttemptFailed(Event):
    """A physical attempt failed after `latency` seconds."""

    number: int
    latency: float
    error: str
    reason: str
    model: str | None = None
    provider_kind: str = ""
    operation: str = "chat"
    status: int | None = None
    cost: "Cost | None" = None


@attrs.frozen
class AttemptCancelled(Event):
    """A physical attempt was given up after `latency` seconds."""

    number: int
    latency: float
    reason: str
    model: str | None = None
    provider_kind: str = ""
    operation: str = "chat"
    cost: "Cost | None" = None


@attrs.frozen
class WinnerChosen(Event):
    """A race or a hedge was decided; `stamp` is the winner's completion at the leaf.

    `hedged` says that a hedge asked the winner because others were late.
    """

    winner: str
    stamp: float
    hedged: bool = False


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
    """A provider rests until `until` (Trio's clock); `error` is the class of what led to it."""

    until: float
    reason: str
    error: str = ""


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
    """That has ended after `latency` seconds; `error` says why it is not healthy.

    `cost` is what it cost, as far as known; ``None`` where the price is not known.
    """

    number: int
    healthy: bool
    latency: float
    error: str | None = None
    model: str | None = None
    provider_kind: str = ""
    cost: "Cost | None" = NOTHING


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


@attrs.frozen
class BudgetAlert(Event):
    """A budget was used up to a share of its limit.

    Attributes:
        budget: Its name.
        account: Whose it is, where each has its own; empty otherwise.
        threshold: The share of the limit that was reached.
        spent: US dollars spent in the period.
        limit: Its limit in US dollars.
    """

    budget: str
    account: str
    threshold: float
    spent: Decimal
    limit: Decimal


@attrs.frozen
class BudgetExceeded(Event):
    """A budget has no room for an attempt, which is refused, passed on, or made with a warning.

    Attributes:
        budget: Its name.
        account: Whose it is, where each has its own; empty otherwise.
        how: ``refuse``, ``fall_on`` or ``warn``.
        expected: US dollars that the attempt may cost; ``None`` where that is not known.
        spent: US dollars spent in the period, and set aside.
        limit: Its limit in US dollars.
    """

    budget: str
    account: str
    how: str
    expected: Decimal | None
    spent: Decimal
    limit: Decimal


@attrs.frozen
class CacheHit(Event):
    """An answer was given from the cache; `age` is in seconds, `stale` past its time."""

    age: float
    stale: bool = False


@attrs.frozen
class CacheMissed(Event):
    """The cache had no answer."""


@attrs.frozen
class CacheStored(Event):
    """An answer was kept, in so many bytes; so many others had to go."""

    size: int
    evicted: int


@attrs.frozen
class FlightJoined(Event):
    """A caller shares the call of another who asked the same; `waiters` share it now."""

    waiters: int


@attrs.frozen
class StoreFailed(Event):
    """The store did not take something; `pending` changes wait to be written."""

    error: str
    pending: int


@attrs.frozen
class StoreRecovered(Event):
    """Attempts that were under way when an earlier process ended were booked, by estimate."""

    charges: int
    cost: "Cost"


@attrs.frozen
class HistorySetAside(Event):
    """The performance file could not be read; it was renamed, and the history begins anew."""

    file: str
    reason: str


Observer: TypeAlias = Callable[[Event], None]


@attrs.define(eq=False)
class EventStream:
    """Hands every record to every observer, in order.

    Observers are synchronous and isolated: one that raises is logged, keeps its
    place, and harms neither the others nor the call.

    Attributes:
        content: Whether records may hold what is asked and answered.
    """

    content: bool = False
    _observers: tuple[Observer, ...] = attrs.field(default=(), init=False)
    _watchers: tuple[Observer, ...] = attrs.field(default=(), init=False)

    @property
    def watched(self) -> bool:
        """Whether anybody looks at all that happens; such records need not be made otherwise."""
        return bool(self._watchers)

    @property
    def heard(self) -> bool:
        """Whether anybody hears of what is rare: what has failed, is used up, or rests."""
        return bool(self._observers)

    def emit(self, event: Event, *, usual: bool = False) -> None:
        """Hand a record to every observer.

        Args:
            event: The record.
            usual: Whether it is one that every call has; those who are content with what is
                rare are not told then.
        """
        for observer in self._watchers if usual else self._observers:
            try:
                observer(event)
            except Exception:
                _logger.exception("an event observer raised on %s", event.kind)

    def subscribe(self, observer: Observer, *, passive: bool = False) -> Callable[[], None]:
        """Add an observer; give the function that removes it.

        Args:
            observer: Who is told.
            passive: Whether it is content with the records that are made anyway: of what
                is rare, and while somebody else watches of all but what every call has.
        """
        self._observers = (*self._observers, observer)
        if not passive:
            self._watchers = (*self._watchers, observer)

        def unsubscribe() -> None:
            self._observers = tuple(o for o in self._observers if o is not observer)
            self._watchers = tuple(o for o in self._watchers if o is not observer)

        return unsubscribe
