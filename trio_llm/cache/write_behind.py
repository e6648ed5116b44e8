"""Answers on their way to a store, written one after the other by a task of the runtime's own.

Whoever has an answer to keep hands it over, and waits for no longer than a moment: a store
that is slow, or locked by another program, holds nobody up. What waits can be found already,
so the next caller who asks the same has it. A store that is slower than its answers come
loses some of them, which only costs the calls that they would have saved.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import attrs
import trio

from trio_llm.store import CachedAnswer

_logger = logging.getLogger("trio_llm.cache")

WAITING: Final = 64
"""So many answers wait at most for the one before them."""

MOMENT: Final = 0.1
"""Seconds that a caller waits for its answer to be written: a store that works needs a few
milliseconds, and then what is kept and counted is there when the call returns."""

Kept: TypeAlias = tuple[int, int]
"""How many bytes an answer has, and how many others had to go."""

Told: TypeAlias = Callable[[int, int], None]
"""Is told the same of an answer that is written after its caller has left."""


@attrs.define(eq=False)
class _Job:
    """An answer that is to be written.

    Attributes:
        answer: The answer.
        write: Writes it; gives ``None`` if that failed.
        over: Set when it has been written, or given up.
        kept: What came of it.
        late: Is told of it, once its caller has left.
    """

    answer: CachedAnswer
    write: Callable[[CachedAnswer], Awaitable[int | None]]
    over: trio.Event = attrs.field(factory=trio.Event, init=False)
    kept: Kept | None = attrs.field(default=None, init=False)
    late: Told | None = attrs.field(default=None, init=False)


@attrs.define(eq=False)
class WriteBehind:
    """Writes answers in the order in which they were handed over.

    Attributes:
        running: Whether it takes any.
        stopped: Whether it has been told to stop.
    """

    running: bool = attrs.field(default=False, init=False)
    stopped: bool = attrs.field(default=False, init=False)
    _queue: deque[_Job] = attrs.field(factory=deque[_Job], init=False)
    _latest: dict[bytes, _Job] = attrs.field(factory=dict[bytes, _Job], init=False)
    _filled: trio.Event = attrs.field(factory=trio.Event, init=False)
    _over: trio.Event = attrs.field(factory=trio.Event, init=False)
    _scope: trio.CancelScope = attrs.field(factory=trio.CancelScope, init=False)
    _complained: bool = attrs.field(default=False, init=False)

    def waiting(self, key: bytes) -> CachedAnswer | None:
        """Give an answer that is not written yet."""
        job = self._latest.get(key)
        return None if job is None else job.answer

    async def hand_over(
        self,
        answer: CachedAnswer,
        write: Callable[[CachedAnswer], Awaitable[int | None]],
        late: Told | None = None,
    ) -> Kept | None:
        """Have an answer written; wait a moment for that, and no longer than the caller may.

        Args:
            answer: The answer.
            write: Writes it; gives how many others it let go of, ``None`` if it failed.
            late: Is told of what is written after that moment.

        Returns:
            How many bytes it has, and how many others had to go; ``None`` if it is not
            written, or not yet.
        """
        if len(self._queue) >= WAITING:
            self._complain()
            return None
        job = _Job(answer, write)
        self._queue.append(job)
        self._latest[answer.key] = job
        self._filled.set()
        until = min(trio.current_time() + MOMENT, trio.current_effective_deadline())
        with trio.CancelScope(deadline=until, shield=True):
            await job.over.wait()
        if not job.over.is_set():
            job.late = late
        return job.kept

    def _complain(self) -> None:
        """Say once that answers are dropped, until one is written in time again."""
        if not self._complained:
            self._complained = True
            _logger.warning("answers are not kept: %d wait for the store already", WAITING)

    def drop(self) -> int:
        """Let go of all that waits; give how many that were."""
        gone = len(self._queue)
        while self._queue:
            self._end(self._queue.popleft())
        return gone

    def _end(self, job: _Job) -> None:
        if self._latest.get(job.answer.key) is job:
            del self._latest[job.answer.key]
        job.over.set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Write until it is stopped."""
        self.running = True
        task_status.started()
        try:
            with self._scope:
                while self._queue or not self.stopped:
                    if self._queue:
                        await self._write(self._queue.popleft())
                    else:
                        self._complained = False
                        self._filled = trio.Event()
                        await self._filled.wait()
        finally:
            self.running = False
            self.stopped = True
            lost = self.drop()
            if lost:
                _logger.warning("%d answers are not kept: the store takes too long", lost)
            self._over.set()

    async def _write(self, job: _Job) -> None:
        try:
            gone = await job.write(job.answer)
            if gone is not None:
                job.kept = len(job.answer.content), gone
        except Exception:
            _logger.exception("an answer could not be kept")
        except trio.Cancelled:
            _logger.warning("an answer is not kept: the store takes too long")
            raise
        finally:
            self._end(job)
        if job.kept is not None and job.late is not None:
            job.late(*job.kept)

    async def stop(self, deadline: float) -> None:
        """Take no more; write what waits until a deadline (Trio's clock), then give it up."""
        self.stopped = True
        self._filled.set()
        if self.running:
            with trio.move_on_at(deadline):
                await self._over.wait()
            self.cut()
            await self._over.wait()

    def cut(self) -> None:
        """Take no more, and give up what waits."""
        self.stopped = True
        self._scope.cancel(reason="the runtime is being closed")
