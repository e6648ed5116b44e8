"""A connection to a database, used off the event loop."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs
import trio

from trio_llm.blocking import in_virtual_time
from trio_llm.store.faults import UnreadableError, fault, shows_damage, unreadable

T = TypeVar("T")


@attrs.define(eq=False)
class Worker:
    """Runs what uses a connection in a thread, one after the other.

    It need not be the same thread each time: a connection of SQLite may go from one to
    another as long as only one uses it, and the limiter sees to that. What has begun is
    not abandoned: a task that is cancelled meanwhile waits for it, and leaves at its
    next checkpoint; what has not begun never does.

    Attributes:
        path: The file, for what an error says.
        connection: The connection.
        damaged: Whether it has been found to be damaged.
    """

    path: Path
    connection: sqlite3.Connection
    damaged: bool = attrs.field(default=False, init=False)
    _turn: trio.CapacityLimiter = attrs.field(factory=lambda: trio.CapacityLimiter(1), init=False)

    async def run(self, work: Callable[[], T]) -> T:
        """Run a function that uses the connection.

        Raises:
            StoreError: The database could not do it, or there is a row in it that nobody
                can have written.
        """
        if in_virtual_time():
            await trio.lowlevel.checkpoint()
            return self.guarded(work)
        return await trio.to_thread.run_sync(self.guarded, work, limiter=self._turn)

    def guarded(self, work: Callable[[], T]) -> T:
        """Run it here and now.

        Raises:
            StoreError: As with `run`.
        """
        try:
            return work()
        except sqlite3.Error as error:
            self.damaged = self.damaged or shows_damage(error)
            raise fault(self.path, error) from error
        except (UnicodeDecodeError, UnreadableError) as error:
            self.damaged = True
            raise unreadable(self.path, error) from error
