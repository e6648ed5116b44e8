"""What the tests of hedges look at."""

from collections.abc import Sequence

import trio

from tests.guarantees.scenes import field, kinds
from trio_llm import Reply, ReplyStream, Runtime
from trio_llm.testing import Entry


def started(log: Sequence[Entry]) -> list[tuple[float, str]]:
    """Give when which member was asked beside others."""
    return [(entry.time, field(entry, "member")) for entry in kinds(log, "HedgeStarted")]


def suppressed(log: Sequence[Entry]) -> list[str]:
    """Give why nobody was asked beside a late member, each time."""
    return [field(entry, "reason") for entry in kinds(log, "HedgeSuppressed")]


def now() -> float:
    """Give the time without the steps of the clock that a barrier takes."""
    return round(trio.current_time(), 9)


async def many(llm: Runtime, calls: int) -> list[Reply]:
    """Ask again and again, one call after the other."""
    return [await llm.generate("hi") for _ in range(calls)]


async def consume(stream: ReplyStream) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass
