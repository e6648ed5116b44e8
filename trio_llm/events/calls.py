"""Calls and their physical attempts: how they began and ended."""

from typing import TYPE_CHECKING

import attrs

from trio_llm.chat.cost import NOTHING
from trio_llm.events.record import Event

if TYPE_CHECKING:
    from trio_llm.chat import AnyRequest, AnyResult, Cost, Usage


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
