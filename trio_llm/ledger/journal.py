"""The journal: what is booked goes to the store in the order of its booking, in batches.

Booking is synchronous and never waits. A store in memory takes each change at once. For a
durable one a task of the runtime writes what has gathered since its last write, so that a
hundred calls that end together cost one transaction. Two kinds of callers wait for it:
an attempt, until what is set aside for it is written (nobody is asked before that), and a
call, until its charges are (what a caller has been told of is on disk).

A store that fails loses nothing and stops nobody: the changes stay, and are written when it
works again; the events `StoreFailed` say so. Writing twice books once, since every charge
has an identifier of its own. Where the fault is with a change, and not with the store, the
batch is halved until that one stands alone; it is set aside, and the others are written.
"""

import logging
from collections import deque
from typing import Final

import attrs
import trio

from trio_llm.chat import Charge
from trio_llm.errors import StoreError
from trio_llm.events import EventStream, StoreFailed
from trio_llm.store import Change, MemoryStore, Store, UnwritableError

BATCH: Final = 1024
"""The most changes in one transaction."""

PENDING: Final = 100_000
"""So many changes are kept at most for a store that does not take them."""

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 30.0
"""Seconds between two tries at a store that fails; they double."""

_logger = logging.getLogger("trio_llm.ledger")


@attrs.define(eq=False)
class Journal:
    """Hands changes to a store.

    Args:
        store: Where they go; it is open.
        events: Where records go.

    Attributes:
        lost: Charges that could not be kept: the store failed for too long, or could not
            take them.
    """

    store: Store
    events: EventStream
    lost: int = attrs.field(default=0, init=False)
    _at_once: MemoryStore | None = attrs.field(init=False)
    _queue: deque[Change] = attrs.field(factory=deque[Change], init=False)
    _put: int = attrs.field(default=0, init=False)
    _written: int = attrs.field(default=0, init=False)
    _failing: bool = attrs.field(default=False, init=False)
    _closing: trio.Event = attrs.field(factory=trio.Event, init=False)
    _filled: trio.Event = attrs.field(factory=trio.Event, init=False)
    _progress: trio.Event = attrs.field(factory=trio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._at_once = self.store if isinstance(self.store, MemoryStore) else None

    @property
    def durable(self) -> bool:
        """Whether there is anything to wait for."""
        return self._at_once is None

    @property
    def failing(self) -> bool:
        """Whether the store does not take what is booked."""
        return self._failing

    @property
    def unwritten(self) -> tuple[Charge, ...]:
        """The charges that are not in the store yet."""
        return tuple([change for change in self._queue if isinstance(change, Charge)])

    def put(self, change: Change) -> None:
        """Book a change."""
        if self._at_once is not None:
            self._at_once.book(change)
            return
        if len(self._queue) >= PENDING:
            self._let_go()
        self._queue.append(change)
        self._put += 1
        self._filled.set()

    def _let_go(self) -> None:
        """Make room: the oldest goes, since the store has failed for that long."""
        gone = self._queue.popleft()
        self._written += 1
        if isinstance(gone, Charge):
            self.lost += 1
            if self.lost == 1:
                _logger.error("the store has failed for too long: charges are lost from now on")

    async def written(self) -> None:
        """Wait until all that has been put so far is written, or the store has failed.

        It does not wait for a store that fails already: that is known, and said.
        """
        wanted = self._put
        while self._written < wanted and not self._failing:
            await self._progress.wait()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until `close`."""
        task_status.started()
        pause, most = _FIRST_PAUSE, BATCH
        while self._queue or not self._closing.is_set():
            if not self._queue:
                self._filled = trio.Event()
                await self._filled.wait()
                continue
            batch = [self._queue[index] for index in range(min(most, len(self._queue)))]
            before = self._written
            try:
                await self.store.write(batch)
            except UnwritableError as error:
                if len(batch) == 1:
                    self._set_aside(batch[0], error, before)
                most = max(1, len(batch) // 2)
                continue
            except Exception as error:
                if not isinstance(error, StoreError):
                    _logger.exception("a store raised what is no StoreError")
                self._failed(error)
                if self._closing.is_set():
                    break
                with trio.move_on_after(pause):
                    await self._closing.wait()
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            pause, self._failing = _FIRST_PAUSE, False
            most = min(2 * most, BATCH)
            # Some of them may have been let go of meanwhile.
            for _ in range(len(batch) - (self._written - before)):
                self._queue.popleft()
                self._written += 1
            self._moved()

        if self._queue:
            _logger.error("%d changes could not be written at the end", len(self._queue))

    def _set_aside(self, change: Change, error: UnwritableError, before: int) -> None:
        """Do without one change that no store can hold; all others go on."""
        if self._written == before:  # or else it was let go of meanwhile
            self._queue.popleft()
            self._written += 1
            if isinstance(change, Charge):
                self.lost += 1
        self._failing = False
        _logger.error("%s %s is lost: %s", type(change).__name__, change.id, error)
        self._moved()
        self._tell(error)

    def _failed(self, error: Exception) -> None:
        if not self._failing:
            _logger.warning("the store does not take what is booked: %s", error)
        self._failing = True
        self._moved()
        self._tell(error)

    def _tell(self, error: Exception) -> None:
        if self.events.watched:
            now = trio.current_time()
            self.events.emit(StoreFailed(now, None, (), str(error), len(self._queue)))

    def complain(self, error: StoreError) -> None:
        """Say that the store has failed at something that can wait."""
        _logger.warning("the store does not fold old charges: %s", error)

    def _moved(self) -> None:
        """Have those who wait look again."""
        self._progress.set()
        self._progress = trio.Event()

    def close(self) -> None:
        """Write what is left, then end."""
        self._closing.set()
        self._filled.set()
