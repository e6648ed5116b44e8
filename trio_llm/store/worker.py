"""A connection to a database, used off the event loop."""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from trio_llm.blocking import in_virtual_time
from trio_llm.store.faults import UnreadableError, fault, shows_damage, shows_lock, unreadable
from trio_llm.store.inspection import PATIENCE

T = TypeVar("T")


@attrs.define(eq=False)
class Worker:
    """Runs what uses a connection in a thread, one after the other.

    It need not be the same thread each time: a connection of SQLite may go from one to
    another as long as only one uses it, and the limiter sees to that. What has begun is
    not abandoned, unless it may be: a task that is cancelled meanwhile waits for it, and
    leaves at its next checkpoint; what has not begun never does.

    The first work that finds the file locked waits `PATIENCE` seconds for that to end. Until
    a work has succeeded again those after it wait a tenth of that, so that a file that stays
    locked does not cost so much for each thing that is still to be done.

    Attributes:
        path: The file, for what an error says.
        connection: The connection.
        damaged: Whether it has been found to be damaged.
    """

    path: Path
    connection: sqlite3.Connection
    damaged: bool = attrs.field(default=False, init=False)
    _locked: bool = attrs.field(default=False, init=False)
    _turn: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)

    async def run(self, work: Callable[[], T], *, may_abandon: bool = False) -> T:
        """Run a function that uses the connection.

        Args:
            work: The function.
            may_abandon: Whether a caller who is cancelled leaves at once. The work then goes
                on by itself, and nothing else uses the connection until it has ended.

        Raises:
            StoreError: The database could not do it, or there is a row in it that nobody
                can have written.
        """
        if in_virtual_time():
            await trio.lowlevel.checkpoint()
            return self.guarded(work)
        return await trio.to_thread.run_sync(
            self.guarded, work, abandon_on_cancel=may_abandon, limiter=self._turn
        )

    def guarded(self, work: Callable[[], T]) -> T:
        """Run it here and now.

        Raises:
            StoreError: As with `run`.
        """
        try:
            done = work()
        except sqlite3.Error as error:
            self.damaged = self.damaged or shows_damage(error)
            if not self._locked and shows_lock(error):
                self._wait_at_most(PATIENCE / 10, locked=True)
            raise fault(self.path, error) from error
        except (UnicodeDecodeError, UnreadableError) as error:
            self.damaged = True
            raise unreadable(self.path, error) from error
        if self._locked:
            self._wait_at_most(PATIENCE, locked=False)
        return done

    def _wait_at_most(self, patience: float, *, locked: bool) -> None:
        self._locked = locked
        with contextlib.suppress(sqlite3.Error):  # it may have been closed just now
            self.connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
