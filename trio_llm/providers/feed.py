"""The hand-over of stream events from a job to its consumer.

The producer appends without a checkpoint while there is room, so that all events
of one read cross in one hand-over; it waits as soon as the buffer is full, which
is how a slow consumer slows the reads from its provider.

When a stream breaks and another provider goes on with it, the feed of that one is
spliced onto the first: the consumer takes from the one that it has, and gets what
both hold, in order.
"""

import sys
from collections.abc import Iterable
from typing import TypeAlias

import attrs
import trio

from trio_llm.chat import AnyEvent, Switched, TextDelta

ROOM = 64
"""How many events a feed holds before its producer must wait."""

FedEvent: TypeAlias = AnyEvent | Switched


@attrs.define(eq=False)
class Feed:
    """A bounded buffer between one producer and one consumer."""

    room: int = ROOM
    _delivered: bool = attrs.field(default=False, init=False)
    _buffer: list[FedEvent] = attrs.field(factory=list[FedEvent], init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _withheld: bool = attrs.field(default=False, init=False)
    _taker: trio.Event | None = attrs.field(default=None, init=False)
    _giver: trio.Event | None = attrs.field(default=None, init=False)
    _successor: "Feed | None" = attrs.field(default=None, init=False)
    _repeated: int = attrs.field(default=0, init=False)

    @property
    def tail(self) -> "Feed":
        """The feed into which events now come: itself, or the last one spliced onto it."""
        return self if self._successor is None else self._successor.tail

    @property
    def has_delivered(self) -> bool:
        """Whether the consumer has been given anything, out of this one or a following one."""
        if self._delivered or self._successor is None:
            return self._delivered
        return self._successor.has_delivered

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

    async def take(self) -> list[FedEvent]:
        """Take everything that is there, waiting for the first; empty means the end."""
        while True:
            if self._buffer and not self._withheld:
                taken, self._buffer = self._buffer, []
                self._delivered = True
                if self._giver is not None:
                    self._giver.set()
                    self._giver = None
                return taken
            if self._successor is not None:
                taken = await self._successor.take()
                if not taken or not self._repeated:
                    return taken
                taken = self._without_repeated(taken)
                if taken:
                    return taken
            elif self._closed:
                return []
            else:
                self._taker = trio.Event()
                await self._taker.wait()

    def close(self) -> None:
        """Say that nothing more comes; what is buffered can still be taken."""
        self._closed = True
        self._withheld = False
        for waiting in (self._taker, self._giver):
            if waiting is not None:
                waiting.set()
        self._taker = self._giver = None

    def hold(self) -> None:
        """Take in everything, however much: it is given to a consumer only as a whole."""
        self.room = sys.maxsize
        if self._giver is not None:
            self._giver.set()
            self._giver = None
        if self._successor is not None:
            self._successor.hold()

    def reopen(self) -> None:
        """Take the end back, before any consumer has seen it: somebody may go on."""
        if self._successor is None:
            self._closed = False
        else:
            self._successor.reopen()

    def withhold(self) -> None:
        """Give nothing more, until another one follows or the end comes: it may be void by then."""
        if self._successor is None:
            self._withheld = True
        else:
            self._successor.withhold()

    def discard(self) -> None:
        """Drop what has not been taken, here and in those that follow."""
        self._buffer.clear()
        if self._successor is not None:
            self._successor.discard()

    def splice(self, successor: "Feed", event: Switched | None, repeated: int) -> None:
        """Let another feed follow this one.

        Args:
            successor: Whose events follow.
            event: What the consumer is told in between.
            repeated: How many letters of white space the consumer has already that
                the successor's text may begin with; they are left out there.
        """
        if event is not None:
            self._buffer.append(event)
        self._successor = successor
        self._repeated = repeated
        if self.room == sys.maxsize:
            successor.hold()
        self.close()

    def _without_repeated(self, events: list[FedEvent]) -> list[FedEvent]:
        kept: list[FedEvent] = []
        for event in events:
            if self._repeated and type(event) is TextDelta and event.text:
                text = without_repeated(event.text, self._repeated)
                self._repeated = 0 if text else self._repeated - len(event.text)
                if not text:
                    continue
                kept.append(TextDelta(text))
            else:
                kept.append(event)
        return kept


def without_repeated(text: str, most: int) -> str:
    """Take white space off the beginning of a text, at most so many letters of it."""
    spaces = len(text) - len(text.lstrip())
    return text[min(spaces, most) :]
