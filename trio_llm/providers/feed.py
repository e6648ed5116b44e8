"""The hand-over of stream events from a job to its consumer.

The producer appends without a checkpoint while there is room, so that all events
of one read cross in one hand-over; it waits as soon as the buffer is full, which
is how a slow consumer slows the reads from its provider.
"""

from collections.abc import Iterable

import attrs
import trio

from trio_llm.chat import AnyEvent

ROOM = 64
"""How many events a feed holds before its producer must wait."""


@attrs.define(eq=False)
class Feed:
    """A bounded buffer between one producer and one consumer."""

    room: int = ROOM
    _buffer: list[AnyEvent] = attrs.field(factory=list[AnyEvent], init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _taker: trio.Event | None = attrs.field(default=None, init=False)
    _giver: trio.Event | None = attrs.field(default=None, init=False)

    def offer(self, deltas: Iterable[AnyEvent]) -> bool:
        """Append events at once; false says that the producer must now wait for room."""
        self._buffer.extend(deltas)
        if self._taker is not None:
            self._taker.set()
            self._taker = None
        return len(self._buffer) < self.room

    async def room_made(self) -> None:
        """Wait until the consumer has taken what is there."""
        if len(self._buffer) >= self.room and not self._closed:
            self._giver = trio.Event()
            await self._giver.wait()

    async def take(self) -> list[AnyEvent]:
        """Take everything that is there, waiting for the first; empty means the end."""
        if not self._buffer and not self._closed:
            self._taker = trio.Event()
            await self._taker.wait()
        taken, self._buffer = self._buffer, []
        if self._giver is not None:
            self._giver.set()
            self._giver = None
        return taken

    def close(self) -> None:
        """Say that nothing more comes; what is buffered can still be taken."""
        self._closed = True
        for waiting in (self._taker, self._giver):
            if waiting is not None:
                waiting.set()
        self._taker = self._giver = None
