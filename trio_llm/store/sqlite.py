"""The durable store of one process: a file, by the SQLite of the standard library."""

import logging
import os
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from trio_llm.blocking import off_the_loop
from trio_llm.chat import Reservation
from trio_llm.errors import StoreError
from trio_llm.store.booking import Booking, outstanding
from trio_llm.store.file_lock import FileLock
from trio_llm.store.identity import Identity, check_may_be_ours, lock_of
from trio_llm.store.inspection import connect
from trio_llm.store.kept import KeptAnswers, find, measure
from trio_llm.store.opening import Opening
from trio_llm.store.protocol import CachedAnswer, Change, UsageQuery, UsageRow
from trio_llm.store.quarters import span
from trio_llm.store.schema import give_back
from trio_llm.store.summing import fold, usage
from trio_llm.store.worker import Worker

_logger = logging.getLogger("trio_llm.store")

_USES: Final = 4096
"""Of so many cached answers it is remembered in which order they were used, until an answer
is kept and the order is written with it."""


_LEAVING: Final = 5.0
"""Seconds that a close waits for its disk."""


@attrs.frozen(eq=False)
class _Writing:
    """What is needed to write.

    Attributes:
        worker: The connection that writes, and reads what is short.
        looking: The one that finds cached answers, which neither what is written nor what is
            summed up holds up.
        booking: Charges and reservations.
        answers: Cached answers.
        lock: Keeps other processes out.
        identity: The file that was opened.
    """

    worker: Worker
    looking: Worker
    booking: Booking
    answers: KeptAnswers
    lock: FileLock
    identity: Identity

    def write(self, changes: Sequence[Change]) -> None:
        """Write changes, if the file is still there to be found again."""
        self.identity.check()
        self.booking.write(changes)

    def close(self, uses: Sequence[bytes]) -> None:
        """Write what is left, and close the connection."""
        try:
            if uses:
                self.answers.note_use(uses)
        finally:
            self.worker.connection.close()


@attrs.define(eq=False)
class SQLiteStore:
    """Usage, reservations and cached answers in a file.

    What `write` returned from is there after the process has been killed. A power failure
    may take the last moments, and never damages the file; with ``synchronous="full"`` it
    takes nothing, and each write waits for the disk.

    One runtime has the file at a time (``<path>.lock`` sees to that); any number of others
    may read it. It must be on a local disk. A damaged file is set aside when the store is
    opened, as ``<path>.damaged-<time>``, and a new one is begun, with a warning on the logger
    ``trio_llm.store``; a file that was never a store is refused, and left as it is. Only its
    owner can read the file: cached answers are in it.

    A figure that no attempt can have (more than a trillion tokens, a billion dollars) is
    kept as that, *at least*.

    Args:
        path: The file; its folder must be there.
        synchronous: ``normal``, or ``full`` to be safe from power failures, too.
        read_only: Whether to read alone, also while a runtime has the file open.
        wall_clock: Gives the time of day in seconds since the epoch, for the name of a file
            that is set aside.
    """

    path: Path = attrs.field(converter=Path)
    synchronous: str = attrs.field(
        default="normal", validator=attrs.validators.in_(("normal", "full"))
    )
    read_only: bool = False
    wall_clock: Callable[[], float] = time.time
    _reader: Worker | None = attrs.field(default=None, init=False)
    _writing: _Writing | None = attrs.field(default=None, init=False)
    _uses: dict[bytes, None] = attrs.field(factory=dict[bytes, None], init=False)

    @property
    def durable(self) -> bool:
        """What is written outlives the process."""
        return True

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None, None]:
        """Open the file; leaving the block closes it.

        Raises:
            StoreError: It cannot be opened, or another runtime has it open.
        """
        if self._reader is not None:
            raise StoreError(f"{self.path}: this store is open already")
        await off_the_loop(self._open)
        try:
            yield
        finally:
            with trio.CancelScope(shield=True):
                await self._close()

    def _open(self) -> None:
        try:
            path = Path(os.path.realpath(self.path))
            check_may_be_ours(path)
            if self.read_only:
                self._reader = Worker(path, Opening(path).read())
                return
            lock = lock_of(path)
            orderly = lock.acquire()
        except BlockingIOError:
            raise StoreError(
                f"{self.path}: another process, or another runtime in this one, has it open; "
                "give each a file of its own, or open it with read_only"
            ) from None
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{self.path}: it cannot be opened ({error}); see that its folder is there, and "
                "who may write to it"
            ) from error
        with ExitStack() as failed:
            failed.callback(lock.release, orderly=False)
            connection = Opening(path, self.synchronous, self.wall_clock).write(orderly=orderly)
            failed.callback(connection.close)
            worker = Worker(path, connection)
            answers = worker.guarded(partial(KeptAnswers, connection))
            reader = Worker(path, worker.guarded(partial(connect, path, "ro")))
            failed.callback(reader.connection.close)
            looking = Worker(path, worker.guarded(partial(connect, path, "ro")))
            failed.callback(looking.connection.close)
            try:
                lock.mark()
                identity = Identity.of(path)
            except OSError as error:
                raise StoreError(
                    f"{self.path}: it cannot be opened ({error}); see that there is room on its "
                    "disk, and that nobody moves it"
                ) from error
            failed.pop_all()
        self._writing = _Writing(worker, looking, Booking(connection), answers, lock, identity)
        self._reader = reader

    async def _close(self) -> None:
        """Close both connections, the writing one last: the log goes with it."""
        reader, self._reader = self._reader, None
        writing, self._writing = self._writing, None
        uses, self._uses = tuple(self._uses), {}
        whole = False
        try:
            with trio.move_on_after(_LEAVING):
                if reader is not None:
                    await reader.run(reader.connection.close, may_abandon=True)
                if writing is not None:
                    looking = writing.looking
                    looking.connection.interrupt()  # nobody waits for what was abandoned
                    await looking.run(looking.connection.close, may_abandon=True)
                    await writing.worker.run(partial(writing.close, uses), may_abandon=True)
                whole = True
            if not whole:
                _logger.warning("%s was not closed in time: its disk is slow", self.path)
        except StoreError:
            # All that was written is there, and the next one to open the file finds it.
            whole = True
            _logger.warning("%s was not closed as it should be", self.path, exc_info=True)
        finally:
            if reader is not None and writing is not None:
                workers = (reader, writing.looking, writing.worker)
                damaged = any(each.damaged for each in workers)
                writing.lock.release(orderly=whole and not damaged)

    def _reading(self) -> Worker:
        if self._reader is None:
            raise StoreError(f"{self.path}: this store is not open")
        return self._reader

    def _for_writing(self) -> _Writing:
        self._reading()
        if self._writing is None:
            raise StoreError(f"{self.path}: this store is open for reading alone")
        return self._writing

    def _at_hand(self) -> Worker:
        """Give the connection that never does anything long, if there is one."""
        reader = self._reading()
        return reader if self._writing is None else self._writing.worker

    async def write(self, changes: Sequence[Change], /) -> None:
        """Write changes: all of them, once this returns, or none.

        Nothing is written to a file that was deleted, moved or replaced since it was opened.
        A task that is cancelled while they are being written is told when they are there.
        """
        writing, batch = self._for_writing(), tuple(changes)
        await writing.worker.run(lambda: writing.write(batch))

    async def outstanding(self) -> tuple[Reservation, ...]:
        """Give the reservations that no charge and no release has ended."""
        worker = self._at_hand()
        return await worker.run(lambda: outstanding(worker.connection))

    async def usage(self, query: UsageQuery, /) -> tuple[UsageRow, ...]:
        """Sum charges up; rows in the order of their keys."""
        worker = self._reading()
        return await worker.run(lambda: usage(worker.connection, query))

    async def prune(self, before: float, /) -> None:
        """Fold old charges, an hour of them at a time, and let others write in between."""
        worker, (end, _) = self._for_writing().worker, span(before, None)
        while await worker.run(lambda: fold(worker.connection, end)):
            pass
        await worker.run(lambda: give_back(worker.connection))

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        """Give a cached answer, expired ones included; ``None`` if there is none.

        A caller who is cancelled leaves at once, however slow the disk is.
        """
        worker = self._reading() if self._writing is None else self._for_writing().looking
        answer = await worker.run(lambda: find(worker.connection, key), may_abandon=True)
        if answer is not None and self._writing is not None:
            self._uses.pop(key, None)
            self._uses[key] = None
            if len(self._uses) > _USES:
                del self._uses[next(iter(self._uses))]
        return answer

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        """Keep an answer; give how many were let go of.

        A caller who is cancelled leaves at once; the answer may be kept all the same.
        """
        writing = self._for_writing()
        uses, self._uses = tuple(self._uses), {}
        return await writing.worker.run(
            lambda: writing.answers.keep(answer, uses, entries=entries, size=size),
            may_abandon=True,
        )

    async def forget(self, *, expired_before: float | None = None) -> int:
        """Forget cached answers; give how many."""
        writing = self._for_writing()
        gone = await writing.worker.run(lambda: writing.answers.forget(expired_before))
        await writing.worker.run(lambda: give_back(writing.worker.connection))
        return gone

    async def cache_size(self) -> tuple[int, int]:
        """Give the number of cached answers and of the bytes in them."""
        worker = self._at_hand()
        return await worker.run(lambda: measure(worker.connection))
