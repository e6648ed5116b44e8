"""One call that several callers share, and the seats that they have in it.

See `trio_llm.cache.flights` for what is promised.
"""

import math
from collections.abc import Awaitable, Callable, Generator, Hashable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, TypeAlias
from weakref import ReferenceType, ref

import attrs
import trio

from trio_llm.cache.event_log import Cursor, EventLog
from trio_llm.cache.twins import twin_of
from trio_llm.chat import NOTHING, Reply
from trio_llm.errors import LLMError, ProviderCrashedError, ProviderUnavailableError
from trio_llm.providers.visit import Answer, Ask

_CLOSING: Final = "the runtime is being closed"

Work: TypeAlias = Callable[["Flight"], Awaitable[None]]
"""What a flight does: it sees the call to its end, and notes the reply or raises the error."""


@attrs.define(eq=False)
class Origin:
    """What a call is made for: a flight, which is there once the call has been opened.

    The reference to it is a weak one, since tasks that the call begins may outlive it.
    """

    _flight: "ReferenceType[Flight] | None" = attrs.field(default=None, init=False)

    def begin(self, flight: "Flight") -> None:
        """Note the flight."""
        self._flight = ref(flight)

    @property
    def flight(self) -> "Flight | None":
        """The flight, while it is under way."""
        flight = None if self._flight is None else self._flight()
        return None if flight is None or flight.over.is_set() else flight

    @contextmanager
    def asking(self) -> Generator[None, None, None]:
        """Have what is asked in the block, and what follows from it, come from here."""
        before = _origin.set(self)
        try:
            yield
        finally:
            _origin.reset(before)


_origin: ContextVar[Origin | None] = ContextVar("trio_llm_origin", default=None)


@attrs.define(eq=False)
class Seat:
    """One caller of a flight.

    Attributes:
        flight: The flight.
        since: When the caller asked, on Trio's clock.
        within: The flight that the caller works for, if any: it waits for this one.
        ended: Called in the step in which the flight ends.
        cursor: Where the caller reads the events of a stream.
    """

    flight: "Flight"
    since: float
    within: "Flight | None" = None
    ended: Callable[[], None] | None = attrs.field(default=None, init=False)
    cursor: Cursor | None = attrs.field(default=None, init=False)

    @property
    def leads(self) -> bool:
        """Whether this is who the call counts for: the first caller that is still there."""
        flight = self.flight
        return flight.counts_for in (None, self) and flight.seats[:1] == [self]

    def _lead(self) -> bool:
        """Take what the flight came to as one's own, if that is one's due."""
        leads = self.leads
        if leads:
            self.flight.counts_for = self
        return leads

    def error(self) -> LLMError:
        """Give the error of the flight as one for this caller alone."""
        error = twin_of(self.flight.error or _without_outcome(self.flight))
        if not self._lead():
            error.attempts = ()
        return error

    def reply(self, reply: Reply) -> Reply:
        """Give the reply of the flight as this caller gets it."""
        flight, first = self.flight, reply.time_to_first_token
        leads = self._lead()
        if leads and self.since == flight.started:
            return reply
        own = attrs.evolve(
            reply,
            latency=max(0.0, flight.finished - self.since),
            time_to_first_token=(
                None if first is None else max(0.0, flight.started + first - self.since)
            ),
            metadata=dict(reply.metadata),
        )
        if leads:
            return own
        return attrs.evolve(own, attempts=(), cost=NOTHING, cached="shared")


def _without_outcome(flight: "Flight") -> LLMError:
    return ProviderCrashedError(
        "the shared call ended without an outcome", provider=flight.ask.payload.path[0]
    )


@attrs.define(eq=False)
class Flight:
    """A call that several callers share.

    Attributes:
        key: What those who share it have in common.
        ask: The call.
        log: The events, if it is a stream.
        seats: The callers that are there, in the order in which they came.
        answer: The answer, from the commit of a stream on.
        reply: The reply, once there is one.
        error: The error, once there is one.
        finished: When the last byte of the reply came, on Trio's clock.
        counts_for: Who was given the reply or the error as its own.
        committed: Set when a stream begins, or the flight has ended before that.
        over: Set when nothing of it runs any more.
    """

    key: Hashable
    ask: Ask
    log: EventLog | None
    seats: list[Seat] = attrs.field(factory=list[Seat], init=False)
    answer: Answer | None = attrs.field(default=None, init=False)
    reply: Reply | None = attrs.field(default=None, init=False)
    error: LLMError | None = attrs.field(default=None, init=False)
    finished: float = attrs.field(default=math.inf, init=False)
    counts_for: Seat | None = attrs.field(default=None, init=False)
    committed: trio.Event = attrs.field(factory=trio.Event, init=False)
    over: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _left: bool = attrs.field(default=False, init=False)

    @property
    def started(self) -> float:
        """When its call began, on Trio's clock."""
        return self.ask.payload.call.started

    @property
    def may_be_joined(self) -> bool:
        """Whether somebody who asks now may share it."""
        if self._left or self.ask.error is not None:
            return False
        if self.log is None or self.answer is None:
            return True
        # A stream that broke is not over while another provider may go on with it.
        failed = self.log.closed and self.answer.result is None
        return self.log.whole and not failed

    def board(self, since: float) -> Seat:
        """Give a caller a seat, from whose deadline on it is planned for."""
        seat = Seat(self, since, _present())
        self.seats.append(seat)
        self.ask.deadline = max(self.ask.deadline, trio.current_effective_deadline())
        if self.log is not None:
            seat.cursor = self.log.join()
        return seat

    def commit(self, answer: Answer) -> None:
        """Note that the stream begins."""
        self.answer = answer
        self.committed.set()

    def land(self, reply: Reply, finished: float) -> None:
        """Note the reply, and when its last byte came."""
        self.reply, self.finished = reply, finished

    async def outcome(self, seat: Seat, closing: Callable[[], float]) -> None:
        """Wait until nothing of the flight runs any more; a caller who is cancelled leaves.

        Args:
            seat: The caller's.
            closing: Tells until when a call that is given up now must be gone.
        """
        try:
            await self.over.wait()
        except trio.Cancelled:
            if self.ask.stamp >= trio.current_time():
                await self.leave(seat, closing())
                raise
            # Decided before the cancellation: see `Switchboard.outcome`.
            with trio.CancelScope(shield=True):
                await self.over.wait()
        except BaseException:
            await self.leave(seat, closing())
            raise

    async def leave(self, seat: Seat, until: float) -> None:
        """Give a seat up; the last one cancels the call, and waits until it is gone.

        Args:
            seat: The seat.
            until: How long to wait at most, on Trio's clock.
        """
        if seat not in self.seats:
            return
        self.seats.remove(seat)
        if seat.cursor is not None and self.log is not None:
            self.log.leave(seat.cursor)
        if not self.seats and not self.over.is_set():
            self._left = True
            self._scope.cancel(reason="everyone who shared the call has left")
            with trio.CancelScope(deadline=until, shield=True):
                await self.over.wait()

    def cut(self) -> None:
        """End it, whoever waits for it: the runtime is being closed."""
        self._left = True
        self._scope.cancel(reason=_CLOSING)

    async def fly(self, work: Work) -> None:
        """See the call to its end, in a task that is no caller's."""
        try:
            with self._scope:
                await work(self)
            if self._scope.cancelled_caught:
                name = self.ask.payload.path[0]
                self.error = ProviderUnavailableError(_CLOSING, provider=name, code="draining")
        except LLMError as error:
            self.error = error.with_traceback(None)  # its frames hold this flight
        except Exception as error:  # noqa: BLE001 - a fault of ours harms these callers alone
            self.error = ProviderCrashedError(f"the shared call crashed: {error!r}")
            self.error.__cause__ = error
        finally:
            self._end()

    def _end(self) -> None:
        if self.log is not None:
            self.log.close()
        self.over.set()
        self.committed.set()
        for seat in self.seats:
            if seat.ended is not None:
                seat.ended()


def _present() -> Flight | None:
    """Give the flight that the present task works for, if that is under way."""
    origin = _origin.get()
    return None if origin is None else origin.flight


def waits_for_who_asks(flight: Flight) -> bool:
    """Tell whether a flight waits, by way of whichever others, for the present task."""
    present = _present()
    waiting = [] if present is None else [present]
    for each in waiting:
        if each is flight:
            return True
        further = [seat.within for seat in each.seats]
        waiting += [one for one in further if one is not None and one not in waiting]
    return False
