"""Connections that a test need not close, and clocks that do not make it wait."""

from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeAlias

import pytest
from trio.testing import MockClock

from trio_llm.transport import Connections

Connect: TypeAlias = Callable[..., Connections]


@pytest.fixture
async def connect() -> AsyncGenerator[Connect, None]:
    """Give a maker of connections, and check at the end that none stays open."""
    made: list[Connections] = []

    def make(**settings: Any) -> Connections:
        settings.setdefault("trust_env", False)
        connections = Connections(**settings)
        made.append(connections)
        return connections

    yield make
    for connections in made:
        await connections.aclose()
        counts = connections.statistics()
        assert (counts.in_use, counts.idle, counts.overdue) == (0, 0, 0)


@pytest.fixture
def fast_clock() -> MockClock:
    """Let fifty seconds of a test pass in one."""
    return MockClock(rate=50)
