"""What the cache, and others who ask the same, have to do with one call."""

import math
from collections.abc import Callable, Hashable
from contextlib import nullcontext
from functools import partial

import attrs
import trio

from trio_llm import events
from trio_llm.cache import EventLog, Found, Origin, Seat
from trio_llm.chat import Cost, Reply, Request
from trio_llm.degradation import might_have_been_mended
from trio_llm.errors import LLMError
from trio_llm.providers.node import Node
from trio_llm.providers.visit import Ask, Call
from trio_llm.switchboard import Switchboard


@attrs.frozen
class Terms:
    """On what terms a call is handled.

    Attributes:
        key: The key of its answer.
        reads: Whether it may be answered by what is kept.
        writes: Whether its answer may be kept.
        shares: Whether it may share a call with others.
    """

    key: bytes = b""
    reads: bool = False
    writes: bool = False
    shares: bool = False


def terms_of(board: Switchboard, node: Node, request: Request) -> Terms | None:
    """Say on what terms a request is handled; ``None`` if it simply goes to the node.

    So does what has side effects: each caller means its own to happen.
    """
    answers = board.answers
    reads, writes = answers.reads(request), answers.writes(request)
    shares = answers.settings.single_flight
    if request.side_effects or not (reads or writes or shares):
        return None
    key = answers.key_of(node.name, request)
    return None if key is None else Terms(key, reads, writes, shares)


class Handling:
    """One call on its way through the cache and into a flight.

    Args:
        board: What opens and ends calls.
        look_up: Gives who is asked, each time anew.
        node: Who that is now.
        request: What is asked.
        terms: How it is handled.
        streaming: Whether it is a stream.
    """

    def __init__(
        self,
        board: Switchboard,
        look_up: Callable[[], Node],
        node: Node,
        request: Request,
        terms: Terms,
        *,
        streaming: bool,
    ) -> None:
        self.board = board
        self.request = request
        self.terms = terms
        self.node = node
        self.look_up = look_up
        self._streaming = streaming
        self._started = math.inf
        self._call: Call | None = None
        self._guest: Call | None = None

    def begin(self) -> Call:
        """Begin the call, and record that.

        Raises:
            ConfigError: `prefer` names nobody.
            InvalidRequestError: `extra` is for a dialect that there is not.
        """
        call = self._call = self.board.begin(self.node, self.request, streaming=self._streaming)
        self._started = min(self._started, call.started)
        return call

    async def find(self, call: Call) -> Found | None:
        """Look for an answer to a call that has begun."""
        # Who asks a runtime that is being closed is told so.
        if not self.terms.reads or self.board.supervisor.stopping:
            return None
        try:
            found = await self.board.answers.find(self.terms.key)
        except BaseException:
            self.board.given_up(call, self.node)
            raise
        if found is None:
            self._emit(events.CacheMissed, call)
        else:
            self._emit(events.CacheHit, call, found.age)
        return found

    def given(self, call: Call, found: Found) -> Reply:
        """Make a reply of an answer that was found."""
        latency = trio.current_time() - call.started
        reply = _reply_of(found, latency)
        return attrs.evolve(reply, time_to_first_token=latency) if self._streaming else reply

    async def keep(self, call: Call, reply: Reply) -> None:
        """Keep a reply, if that is wanted, and if it is a whole and good one."""
        if not self.terms.writes:
            return
        board, stored = self.board, partial(self._emit, events.CacheStored, call)
        kept = await board.answers.keep(self.terms.key, reply, board.closing_time, stored)
        if kept is not None:
            stored(*kept)

    async def stale(self, error: LLMError) -> Reply | None:
        """Give a kept answer past its time in place of an error; ``None`` if it stands."""
        board = self.board
        # Who asks a runtime that is being closed is told so.
        if board.supervisor.stopping or not (self.terms.reads and might_have_been_mended(error)):
            return None
        found = await board.answers.find_stale(self.terms.key)
        if found is None:
            return None
        now, head = trio.current_time(), (error.call_number, (self.node.name,))
        if board.events.watched:
            board.events.emit(events.CacheHit(now, *head, found.age, stale=True))
            board.events.emit(events.Degraded(now, *head, "stale", type(error).__name__))
        reply = _reply_of(found, now - self._started)
        marks = {"degraded": "stale", "degraded_error": str(error)}
        return attrs.evolve(
            reply,
            metadata={**reply.metadata, **marks},
            attempts=error.attempts,
            degraded="stale",
            cost=Cost.total(attempt.cost for attempt in error.attempts),
        )

    def seat(self) -> Seat | None:
        """Take a seat in a flight of those who ask the same, if there is one to be joined.

        Without one, `ask` is what to do, in the same step.
        """
        flights, call = self.board.flights, self._ready()
        flight = flights.find(self.flight_key) if self.terms.shares else None
        if flight is None:
            return None
        self._call, self._guest = None, call
        seat = flights.join(flight, call.started)
        self._emit(events.FlightJoined, call, len(flight.seats))
        return seat

    def origin(self) -> Origin | None:
        """Give where a flight would begin, after `seat`; ``None`` if the call is the caller's."""
        return Origin() if self.terms.shares and self.board.flights.open else None

    def ask(self, origin: Origin | None) -> Ask:
        """Ask the node, after `seat` has found nobody who does.

        Raises:
            ProviderUnavailableError: It cannot take the call.
        """
        call, self._call, self._guest = self._call or self._ready(), None, None
        with nullcontext() if origin is None else origin.asking():
            return self.board.open_call(
                self.node, self.request, streaming=self._streaming, call=call
            )

    def _ready(self) -> Call:
        """Give the call, which has begun, and see that the node is still who it is for."""
        call = self._call
        try:
            node = self.look_up()
        except LLMError as error:
            raise error if call is None else self.board.finished(call, self.node, error) from None
        if node is not self.node:
            self.node = node
            self.terms = terms_of(self.board, node, self.request) or Terms()
        return self.begin() if call is None else call

    def log(self) -> EventLog:
        """Give a log for the events of a flight."""
        return EventLog(self.board.answers.settings.flight_events)

    @property
    def flight_key(self) -> Hashable:
        """What callers have in common who may share one call, for as long as it is under way."""
        request, terms = self.request, self.terms
        return (
            terms.key,
            self._streaming,
            self.node,
            terms.reads,
            terms.writes,
            request.max_attempts,
            request.on_interrupt,
        )

    def taken(self, seat: Seat) -> Reply:
        """Give what came of a flight to one who has a seat in it, and record that.

        Raises:
            LLMError: What the flight failed with.
        """
        if seat.flight.reply is None:
            raise self.failed(seat)
        reply, guest = seat.reply(seat.flight.reply), self._guest
        return reply if guest is None else self.board.given(guest, self.node, reply)

    def failed(self, seat: Seat) -> LLMError:
        """Give the error of a flight to one who has a seat in it, and record that."""
        error, guest = seat.error(), self._guest
        if guest is not None:
            attempts = error.attempts
            self.board.finished(guest, self.node, error)
            error.attempts = attempts
        return error

    def left(self) -> None:
        """Record that the caller has left a flight that is the call of another."""
        if self._guest is not None:
            self.board.given_up(self._guest, self.node)

    def closing(self) -> float:
        """Tell until when a flight that is given up now must be gone, on Trio's clock.

        That is a step of the clock later than the call itself, which reports who overran.
        """
        until = self.board.closing_time()
        for _ in range(self.node.height + 1):
            until = math.nextafter(until, math.inf)
        return until

    async def outcome(self, seat: Seat) -> Reply:
        """Wait for the end of a flight; give the reply.

        Raises:
            LLMError: What the flight failed with.
        """
        try:
            await seat.flight.outcome(seat, self.closing)
        except BaseException:
            self.left()
            raise
        return self.taken(seat)

    def _emit(self, record: type[events.Event], call: Call, *fields: object) -> None:
        if self.board.events.watched:
            head = (trio.current_time(), call.number, (self.node.name,))
            self.board.events.emit(record(*head, *fields), usual=True)


def _reply_of(found: Found, latency: float) -> Reply:
    kept = found.kept
    return Reply(
        message=kept.message,
        finish_reason=kept.finish_reason,
        usage=kept.usage,
        provider=kept.provider,
        model=kept.model,
        latency=latency,
        metadata={**kept.metadata, "cache_age": found.age},
        cached="hit",
    )
