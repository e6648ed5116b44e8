"""Starts and stops a row of actors in order."""

from collections.abc import Sequence

import trio

from trio_llm.actors.cell import AnyCell


class Supervisor:
    """Actors that start left to right and stop right to left.

    An actor may use those to its left. Restarts are one for one: each cell
    restarts by itself and disturbs no other.
    """

    def __init__(self, cells: Sequence[AnyCell]) -> None:
        self._cells = tuple(cells)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Start every actor, then stay until the last has ended."""
        async with trio.open_nursery() as nursery:
            for cell in self._cells:
                await nursery.start(cell.run)
            task_status.started()

    async def stop(self, deadline: float) -> None:
        """Stop every actor; what is unfinished at the deadline (Trio's clock) is cut."""
        for cell in reversed(self._cells):
            await cell.stop(deadline)

    def cut(self) -> None:
        """Have every actor stop now, whatever is unfinished."""
        for cell in reversed(self._cells):
            cell.cut("the stop was interrupted")
