"""The events of a shared stream, for several consumers who each read at their own pace.

Events stay in the log until there is no more room. Then those go that every consumer has
been given; while there are none, whoever writes waits for the slowest consumer. As long as
none has gone, a consumer who comes late is given all from the beginning.
"""

from collections.abc import Iterable

import attrs
import trio

from trio_llm.chat import Switched
from trio_llm.providers.feed import ROOM, FedEvent, Feed
from trio_llm.providers.visit import Answer


@attrs.define(eq=False)
class EventLog:
    """A bounded log with one writer and any number of readers.

    Args:
        capacity: How many events it holds.

    Attributes:
        whole: Whether its beginning is still there.
        closed: Whether nothing more comes.
    """

    capacity: int
    whole: bool = attrs.field(default=True, init=False)
    closed: bool = attrs.field(default=False, init=False)
    _events: list[FedEvent] = attrs.field(factory=list[FedEvent], init=False)
    _gone: int = attrs.field(default=0, init=False)
    _cursors: "list[Cursor]" = attrs.field(factory=list["Cursor"], init=False)
    _news: trio.Event = attrs.field(factory=trio.Event, init=False)
    _progress: trio.Event | None = attrs.field(default=None, init=False)

    def __len__(self) -> int:
        return len(self._events)

    def join(self) -> "Cursor":
        """Give a reader that begins at the beginning; `whole` must be true."""
        cursor = Cursor(log=self)
        self._cursors.append(cursor)
        return cursor

    def leave(self, cursor: "Cursor") -> None:
        """Wait for a reader no more."""
        if cursor in self._cursors:
            self._cursors.remove(cursor)
            self.advanced()

    async def put(self, events: Iterable[FedEvent]) -> None:
        """Add events; no checkpoint while there is room."""
        waiting = list(events)
        while waiting:
            room = self.capacity - len(self._events)
            if room <= 0:
                if not self._let_go():
                    self._progress = trio.Event()
                    await self._progress.wait()
                continue
            self._events += waiting[:room]
            del waiting[:room]
            self._tell()

    def close(self) -> None:
        """Say that nothing more comes."""
        self.closed = True
        self._tell()

    async def taken(self, cursor: "Cursor") -> list[FedEvent]:
        """Give a reader what it has not been given yet, waiting for it; empty means the end."""
        while True:
            start = cursor.position - self._gone
            some = self._events[start : start + ROOM]
            if some:
                cursor.position += len(some)
                self.advanced()
                return some
            if self.closed:
                return []
            await self._news.wait()

    def advanced(self) -> None:
        """Let the writer look again whether there is room."""
        if self._progress is not None:
            self._progress.set()
            self._progress = None

    def _let_go(self) -> bool:
        """Let go of the events that every reader has been given; false if there are none."""
        slowest = min(
            [cursor.position for cursor in self._cursors], default=self._gone + len(self._events)
        )
        gone = slowest - self._gone
        if gone <= 0:
            return False
        del self._events[:gone]
        self._gone += gone
        self.whole = False
        return True

    def _tell(self) -> None:
        news, self._news = self._news, trio.Event()
        news.set()


@attrs.define(eq=False)
class Cursor(Feed):
    """A feed out of a log.

    Attributes:
        log: The log.
        position: How many events it has been given.
        answer: The answer whose events they are, as this reader knows it.
    """

    log: EventLog = attrs.field(kw_only=True)
    position: int = attrs.field(default=0, init=False)
    answer: Answer | None = attrs.field(default=None, init=False)

    async def take(self) -> list[FedEvent]:
        """Take what is there, waiting for the first; empty means the end."""
        taken = await self.log.taken(self)
        for event in taken:
            if type(event) is Switched and self.answer is not None:
                self.answer.provider, self.answer.model = event.provider, event.model
        return taken
