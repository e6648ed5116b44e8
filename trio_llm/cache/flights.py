"""Single flight: callers who ask the same at the same time share one call.

A *flight* is a call to a provider or balancer that belongs to no caller: it runs in a task
of the runtime's own, and goes on for as long as anybody waits for it. Each caller has a
*seat*, and may leave at any time; the last one to leave cancels the call, and stays until
nothing of it runs. While it runs, others who ask the same may join.

The deadline of a flight is the latest of those of its callers; it grows when callers join,
and does not shrink when they leave. It is only planned by, as the deadline of any call is:
what ends a flight is that the last of its callers has left, also one that extends its own
deadline while it waits.

A call that is made on behalf of a flight does not share one that waits for it in turn: it
is made by itself. Otherwise a provider that asks its own runtime could wait for itself.

The first of the callers who are still there when a flight ends gets its reply or error as
if the call were its own, with the attempts and what they cost; the others get it for
nothing, so that sums over replies are right. Each gets it with times of its own.
"""

from collections.abc import Hashable

import attrs
import trio

from trio_llm.cache.event_log import EventLog
from trio_llm.cache.flight import Flight, Origin, Seat, Work, waits_for_who_asks
from trio_llm.providers.visit import Ask


@attrs.define(eq=False)
class Flights:
    """The flights of one runtime.

    Attributes:
        shared: How many callers have joined the call of another.
    """

    shared: int = attrs.field(default=0, init=False)
    _joinable: dict[Hashable, Flight] = attrs.field(factory=dict[Hashable, Flight], init=False)
    _alive: list[Flight] = attrs.field(factory=list[Flight], init=False)
    _nursery: trio.Nursery | None = attrs.field(default=None, init=False)
    _stopped: trio.Event = attrs.field(factory=trio.Event, init=False)

    @property
    def under_way(self) -> int:
        """How many there are now."""
        return len(self._alive)

    @property
    def open(self) -> bool:
        """Whether one may begin."""
        return self._nursery is not None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Let flights run, until they are stopped and the last one has ended."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await self._stopped.wait()
            finally:
                self._nursery = None

    async def stop(self, deadline: float) -> None:
        """Let no more begin; cut those that have not ended by a deadline (Trio's clock)."""
        with trio.move_on_at(deadline):
            for flight in list(self._alive):
                await flight.over.wait()
        self.cut()

    def cut(self) -> None:
        """Let no more begin, and end those that there are."""
        self._nursery = None
        for flight in self._alive:
            flight.cut()
        self._stopped.set()

    def find(self, key: Hashable) -> Flight | None:
        """Give the flight that somebody who asks now, in this task, may join."""
        flight = self._joinable.get(key)
        if flight is None or not flight.may_be_joined or waits_for_who_asks(flight):
            return None
        return flight

    def join(self, flight: Flight, since: float) -> Seat:
        """Let somebody share a flight."""
        self.shared += 1
        return flight.board(since)

    def begin(
        self, key: Hashable, ask: Ask, work: Work, origin: Origin, log: EventLog | None = None
    ) -> Seat:
        """Make a flight of a call that its caller has opened; `open` must be true.

        The task has the context variables of that caller.

        Args:
            key: What those who share it have in common.
            ask: The call.
            work: What the flight does.
            origin: Where the call was opened from; it is the flight's own.
            log: The events, if it is a stream.
        """
        if self._nursery is None:
            raise trio.ClosedResourceError("no flight may begin any more")
        flight = Flight(key, ask, log)
        origin.begin(flight)
        self._joinable[key] = flight
        self._alive.append(flight)
        self._nursery.start_soon(self._fly, flight, work, name="trio_llm shared call")
        return flight.board(ask.payload.call.started)

    async def _fly(self, flight: Flight, work: Work) -> None:
        try:
            await flight.fly(work)
        finally:
            self._alive.remove(flight)
            if self._joinable.get(flight.key) is flight:
                del self._joinable[flight.key]
