"""Starts, retires and stops actors in order.

An actor may use others; those were started before it. Whoever uses must be able to
ask for as long as a request of its own runs, so an actor that is retired drains only
when nobody uses it any more: of two that are retired together, first the one that
asks, then the one that is asked. Nothing waits for that, and no task does it: the end
of one actor is the step in which the next one drains.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import attrs
import trio

from trio_llm.actors.cell import AnyCell, Refused

_NOBODY: Mapping[AnyCell, Sequence[AnyCell]] = MappingProxyType({})


@attrs.define(eq=False)
class _Post:
    """An actor that is alive.

    Attributes:
        cell: Its cell.
        uses: The cells that it asks.
        holders: How many actors and callers may still ask it.
        retired: Whether it is to drain when that is nobody.
        ended: Called in the step in which it ends.
    """

    cell: AnyCell
    uses: tuple[AnyCell, ...]
    holders: int = 0
    retired: bool = False
    ended: Callable[[], None] | None = None


class Supervisor:
    """Actors that start left to right and stop right to left.

    An actor may use those to its left. Restarts are one for one: each cell
    restarts by itself and disturbs no other.

    Args:
        cells: The first actors.
        uses: Whom each of them asks.
    """

    def __init__(
        self, cells: Sequence[AnyCell], uses: Mapping[AnyCell, Sequence[AnyCell]] = _NOBODY
    ) -> None:
        self._first = tuple(cells)
        self._first_uses = uses
        self._posts: dict[AnyCell, _Post] = {}
        self._nursery: trio.Nursery | None = None
        self._over = trio.Event()
        self._stopping = False

    @property
    def stopping(self) -> bool:
        """Whether it has been told to stop; then nothing new starts."""
        return self._stopping

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start the first actors, then stay until it is stopped and the last has ended."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            first, uses = self._first, self._first_uses
            self._first, self._first_uses = (), _NOBODY  # nothing outlives its retirement
            await self.start(first, uses)
            del first, uses
            task_status.started()
            await self._over.wait()

    async def start(
        self, cells: Sequence[AnyCell], uses: Mapping[AnyCell, Sequence[AnyCell]] = _NOBODY
    ) -> None:
        """Start actors, one after the other, to the right of those that there are.

        When this is cancelled, or refused, those that it has started are retired.

        Args:
            cells: The actors.
            uses: Whom each of them asks.

        Raises:
            Refused: It does not run, or it is stopping.
        """
        try:
            for cell in cells:
                nursery = self._open_nursery()
                post = self._posts[cell] = _Post(cell, tuple(uses.get(cell, ())))
                for used in post.uses:
                    self.hold(used)
                await nursery.start(self._live, post)
            self._open_nursery()
        except BaseException:
            self.retire(cells)
            raise

    def _open_nursery(self) -> trio.Nursery:
        """Give the nursery, while something new may start in it."""
        if self._nursery is None or self._stopping:
            raise Refused("draining")
        return self._nursery

    async def _live(
        self, post: _Post, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        try:
            await post.cell.run(task_status)
        finally:
            del self._posts[post.cell]
            for used in post.uses:
                self.let_go(used)
            if post.ended is not None:
                post.ended()

    def hold(self, cell: AnyCell) -> None:
        """Keep an actor from draining, however retired, until it is let go of."""
        post = self._posts.get(cell)
        if post is not None:
            post.holders += 1

    def let_go(self, cell: AnyCell) -> None:
        """Say that one who held an actor will not ask it any more."""
        post = self._posts.get(cell)
        if post is not None:
            post.holders -= 1
            _drain_if_due(post)

    def retire(
        self, cells: Iterable[AnyCell], ended: Callable[[AnyCell], None] | None = None
    ) -> None:
        """Have actors end as soon as nobody uses them; those that have ended stay so.

        What they were asked, and what they are asked until then, they finish.

        Args:
            cells: The actors.
            ended: Called for each of them, in the step in which it ends.
        """
        for cell in cells:
            post = self._posts.get(cell)
            if post is None:
                if ended is not None:
                    ended(cell)
                continue
            post.retired = True
            if ended is not None:
                post.ended = _bound(ended, cell)
            _drain_if_due(post)

    async def stop(self, deadline: float) -> None:
        """Stop every actor; what is unfinished at the deadline (Trio's clock) is cut."""
        self._stopping = True
        while self._posts:
            await next(reversed(self._posts)).stop(deadline)
        self._over.set()

    def cut(self) -> None:
        """Have every actor stop now, whatever is unfinished."""
        self._stopping = True
        for cell in reversed(self._posts):
            cell.cut("the stop was interrupted")
        self._over.set()


def _drain_if_due(post: _Post) -> None:
    if post.retired and not post.holders:
        post.cell.drain()


def _bound(ended: Callable[[AnyCell], None], cell: AnyCell) -> Callable[[], None]:
    return lambda: ended(cell)
