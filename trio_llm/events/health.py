"""How providers and their actors fare, whoever asks them."""

from typing import TYPE_CHECKING

import attrs

from trio_llm.chat.cost import NOTHING
from trio_llm.events.record import Event

if TYPE_CHECKING:
    from trio_llm.chat import Cost


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
