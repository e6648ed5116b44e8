"""What travels through the actors: a call, its visits, and the answer.

A *call* is one request of one caller; it exists once. A *visit* is the call at
one node of the tree: the payload of an envelope. An *answer* is what a visit is
decided with.
"""

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import attrs
import trio

from trio_llm import events
from trio_llm.actors import Envelope
from trio_llm.chat import (
    NOTHING,
    UNKNOWN,
    AnyRequest,
    AnyResult,
    Attempt,
    AttemptOutcome,
    Cost,
)
from trio_llm.chat.cost import Sum
from trio_llm.errors import LLMError
from trio_llm.events import EventStream
from trio_llm.policy.blame import is_fault
from trio_llm.policy.vitals import Vitals
from trio_llm.providers.feed import Feed
from trio_llm.providers.status import Tally


@attrs.define(eq=False)
class Answer:
    """A provider's answer on its way up; every level adds its metadata.

    Attributes:
        provider: Who answered.
        model: The model that was asked.
        result: The whole answer; for a stream, known once it has finished.
        error: How a stream failed after its commit point.
        feed: The events of a stream.
        metadata: What balancers add.
        first_token: When the first useful event came, on Trio's clock.
        finished: When the last byte came, on Trio's clock.
        guards: How many levels above may go on with the stream should it break.
        predecessor: The stream that broke, if this one goes on with another.
    """

    provider: str
    model: str
    result: AnyResult | None = None
    error: LLMError | None = None
    feed: Feed | None = None
    metadata: dict[str, Any] = attrs.field(factory=dict[str, Any])
    first_token: float = math.inf
    finished: float = math.inf
    guards: int = attrs.field(default=0, init=False)
    predecessor: "Answer | None" = attrs.field(default=None, init=False, repr=False)

    def end(self, error: LLMError | None = None) -> None:
        """End the stream; one that broke stays open to its consumer while it is guarded."""
        self.error = error
        self.finished = trio.current_time()
        if self.feed is not None and (error is None or not self.guards):
            self.feed.tail.close()

    def guard(self) -> None:
        """Say, before anybody consumes it, that the stream will be gone on with if it breaks."""
        self.guards += 1
        if self.feed is not None and self.error is not None:
            self.feed.reopen()

    def follow(self, broken: "Answer") -> None:
        """Go on with a stream that broke, and with all that it had gone on with itself."""
        failed, since = broken.provider, self.metadata.get("switched_from", ())
        self.predecessor = broken
        part: Answer | None = broken
        while part is not None:
            switched_from = (*part.metadata.get("switched_from", ()), failed, *since)
            part.metadata = {**part.metadata, **self.metadata, "switched_from": switched_from}
            part.provider, part.model = self.provider, self.model
            part = part.predecessor

    def unguard(self) -> None:
        """Say that it will not any more."""
        self.guards -= 1
        if self.feed is not None and self.error is not None and not self.guards:
            self.feed.tail.close()


@attrs.define(eq=False)
class Call:
    """One request of one caller, shared by all its visits.

    Attributes:
        number: Its number in the runtime, from 1.
        streaming: Whether events are wanted as they come.
        started: When the caller asked, on Trio's clock.
        events: Where records go.
        attempts_left: How many physical attempts it may still make.
        overran: Called for each job of it that was still running after `close_deadline`.
            That may be after its caller has left.
        operation: What is asked for: ``chat``, ``embed``, ...
        written: Waits until what it was booked with is on disk; ``None`` where it does not go
            there.
        concluded: Whether its outcome has been recorded; that is done once.
    """

    number: int
    streaming: bool
    started: float
    events: EventStream
    attempts_left: int
    overran: Callable[[], None]
    operation: str = "chat"
    written: Callable[[], Awaitable[None]] | None = None
    concluded: bool = attrs.field(default=False, init=False)
    _attempts: list[tuple[tuple[int, ...], Attempt]] = attrs.field(
        factory=list[tuple[tuple[int, ...], Attempt]], init=False
    )

    def record(self, rank: tuple[int, ...], attempt: Attempt) -> None:
        """Keep the record of an attempt that has ended."""
        self._attempts.append((rank, attempt))

    def book(self) -> bool:
        """Take one of the attempts that are left; false if there is none."""
        if self.attempts_left <= 0:
            return False
        self.attempts_left -= 1
        return True

    def discard(self, path: tuple[str, ...], reason: str, rank: tuple[int, ...] = ()) -> None:
        """Note that what succeeded under this path, and this rank, was not taken."""
        for index, (place, attempt) in enumerate(self._attempts):
            if (
                attempt.path[: len(path)] == path
                and place[: len(rank)] == rank
                and attempt.outcome is AttemptOutcome.SUCCEEDED
            ):
                self._attempts[index] = (
                    place,
                    attrs.evolve(attempt, outcome=AttemptOutcome.DISCARDED, reason=reason),
                )

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every attempt that has ended, in the order of the call tree."""
        if len(self._attempts) == 1:
            return (self._attempts[0][1],)
        ordered = sorted(self._attempts, key=lambda item: (item[0], item[1].started))
        return tuple([attempt for _, attempt in ordered])

    @property
    def cost(self) -> Cost:
        """What its attempts have cost so far."""
        if len(self._attempts) == 1:
            return self._attempts[0][1].cost or UNKNOWN
        return Cost.total(attempt.cost for _, attempt in self._attempts)

    def add_cost(self, total: Sum, path: tuple[str, ...], rank: tuple[int, ...]) -> None:
        """Add to a sum what the attempts under a path and a rank have cost so far."""
        depth, height = len(path), len(rank)
        for place, attempt in self._attempts:
            if attempt.path[:depth] == path and place[:height] == rank:
                total.add(attempt.cost)


@attrs.define(eq=False)
class Visit:
    """A call at one node of the tree.

    Attributes:
        call: The call.
        request: What this node is asked; a balancer may have narrowed the model.
        path: Names from the outermost node to this one.
        rank: Declared positions along the same way, for the order of records.
        may_wait: Whether a balancer may put it into a member's line. Not on the first
            try of a member whose siblings may be free.
        booked: Whether its first attempt has been taken from those of the call. The
            level above does that in declared order, so that who may attempt does not
            depend on the order of tasks.
    """

    call: Call
    request: AnyRequest
    path: tuple[str, ...]
    rank: tuple[int, ...] = ()
    may_wait: bool = True
    booked: bool = False

    def book(self) -> bool:
        """Use the attempt that was booked, or book one; false if none is left."""
        if self.booked:
            self.booked = False
            return True
        return self.call.book()

    def unbook(self) -> None:
        """Give back an attempt that was booked and not made."""
        if self.booked:
            self.booked = False
            self.call.attempts_left += 1

    def discard(self, reason: str) -> None:
        """Note that its success was not taken; other visits of the same path stand."""
        self.call.discard(self.path, reason, self.rank)

    def attempted(
        self,
        *,
        number: int,
        model: str,
        started: float,
        ended: float,
        outcome: AttemptOutcome,
        result: AnyResult | None = None,
        reason: str | None = None,
        error: BaseException | None = None,
        first_token: float = math.inf,
        kind: str = "",
        cost: Cost | None = NOTHING,
    ) -> None:
        """Record how a physical attempt of this visit ended."""
        call, latency = self.call, ended - started
        call.record(
            self.rank,
            Attempt(
                self.path[-1],
                self.path,
                model,
                number,
                outcome,
                started - call.started,
                latency,
                reason,
                None if error is None else type(error).__name__,
                getattr(error, "status", None),
                None if first_token == math.inf else first_token - started,
                None if result is None else result.usage,
                cost,
            ),
        )
        if not call.events.watched:
            return
        head = (ended, call.number, self.path, number, latency)
        asked = (model, kind, call.operation)
        record: events.Event
        if outcome is AttemptOutcome.SUCCEEDED:
            record = events.AttemptSucceeded(
                *head,
                *asked,
                None if result is None else result.model,
                None if result is None else result.usage,
                cost,
                getattr(result, "finish_reason", None),
                getattr(result, "response_id", None),
                None if first_token == math.inf else first_token - started,
            )
        elif outcome is AttemptOutcome.CANCELLED:
            record = events.AttemptCancelled(*head, reason or "", *asked, cost)
        else:
            record = events.AttemptFailed(
                *head,
                type(error).__name__,
                reason or "",
                *asked,
                getattr(error, "status", None),
                cost,
            )
        call.events.emit(record, usual=True)


Ask: TypeAlias = Envelope[Visit, Answer]


def count(tally: Tally, vitals: Vitals, ask: Ask, began: float) -> None:
    """Count how a visit ended, now.

    Args:
        tally: Where to count it.
        vitals: What a balancer judges by. A cancelled visit says nothing there, nor does
            an error that is the caller's own.
        ask: The envelope of the visit.
        began: When its job began, on Trio's clock.
    """
    now = trio.current_time()
    vitals.ended()
    visit = ask.payload
    visit.call.add_cost(tally.paid, visit.path, visit.rank)
    answer = ask.value
    if answer is not None and answer.result is not None:
        tally.success(now - began, answer.result.usage)
        first = answer.first_token
        vitals.answered(now, now - began, None if first == math.inf else first - began)
    elif ask.cancel_reason is not None:
        tally.cancel()
    else:
        tally.failure()
        error = ask.error if answer is None else answer.error
        if error is not None and is_fault(error):
            vitals.failed(now, now - began)
