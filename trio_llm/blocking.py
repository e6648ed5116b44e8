"""Work that blocks, such as that with files, without holding the event loop up."""

import sys
from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


def in_virtual_time() -> bool:
    """Whether the present run has a virtual clock, which runs away while a thread works."""
    testing = sys.modules.get("trio.testing")
    return testing is not None and isinstance(trio.lowlevel.current_clock(), testing.MockClock)


async def off_the_loop(work: Callable[[], T], *, may_abandon: bool = False) -> T:
    """Do work in a thread; in virtual time, do it in place.

    Args:
        work: What blocks.
        may_abandon: Whether a cancelled caller leaves at once; the work then goes on by
            itself, and what it gives or raises is lost. Otherwise it is waited for.
    """
    if in_virtual_time():
        await trio.lowlevel.checkpoint()
        return work()
    return await trio.to_thread.run_sync(work, abandon_on_cancel=may_abandon)
