"""What the tests of stores are made of: a charge, its reservation, and a store to put them in."""

import tempfile
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import attrs
import trio
from trio.testing import MockClock

from trio_llm.chat import Charge, Cost, Reservation, Subject, Usage
from trio_llm.store import MemoryStore, SQLiteStore, Store, UsageQuery

T = TypeVar("T")

KINDS = ("memory", "sqlite")
EPOCH = 1_800_000_000.0


def charge(number: int, **fields: Any) -> Charge:
    """Give a charge of a cent and a half."""
    plain = Charge(
        f"run-{number}",
        EPOCH + number,
        Subject("one", "openai", "small", "ann"),
        number,
        "succeeded",
        Usage(100, 20),
        Cost(Decimal("0.015")),
        0.25,
    )
    return attrs.evolve(plain, **fields)


def reservation(number: int) -> Reservation:
    """Give the reservation of that charge."""
    subject = Subject("one", "openai", "small", "ann")
    return Reservation(f"run-{number}", EPOCH + number, subject, number, Decimal("0.02"))


def virtually(scenario: Callable[[], Awaitable[T]]) -> T:
    """Run a scenario in virtual time, in which a store works without threads."""

    async def main() -> T:
        return await scenario()

    return trio.run(main, clock=MockClock(autojump_threshold=0))


def with_store(kind: str, scenario: Callable[[Store], Awaitable[T]]) -> T:
    """Run a scenario with a new store of a kind, in virtual time."""

    async def main(store: Store) -> T:
        async with store.opened():
            return await scenario(store)

    if kind == "memory":
        return virtually(lambda: main(MemoryStore()))
    with tempfile.TemporaryDirectory() as folder:
        store = SQLiteStore(Path(folder, "store.db"))
        return virtually(lambda: main(store))


async def attempts(store: Store) -> int:
    """Give how many attempts are booked."""
    rows = await store.usage(UsageQuery())
    return rows[0].attempts if rows else 0
