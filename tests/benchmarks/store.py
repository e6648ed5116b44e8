"""What a store takes to keep a charge, beside a bare ``executemany`` of SQLite, and to sum up."""

import itertools
import math
import sqlite3
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from tests.benchmarks.measure import Row, cpu_per_call, ratio
from trio_llm import Usage
from trio_llm.chat import Charge, Cost, Subject
from trio_llm.store import CachedAnswer, MemoryStore, SQLiteStore, Store, UsageQuery

Write: TypeAlias = Callable[[list[Charge]], Awaitable[object]]

BATCHES = {1: 1024, 64: 32_768, 1024: 65_536}
"""The sizes of a batch, and how many charges are written in batches of that size."""

ROUNDS = 3
ANSWERS = 1000


def charge(number: int) -> Charge:
    """Give a charge as a runtime books it: two a second, of fifty users."""
    return Charge(
        f"3f9ab2c4d5e6-{number}",
        1_800_000_000 + number * 0.5,
        Subject("openai", "openai", "small", f"user {number % 50}", "chat", (("team", "a"),)),
        number,
        "succeeded",
        Usage(100, 20),
        Cost(Decimal("0.001234567891")),
        0.34,
    )


CHARGES = [charge(number) for number in range(max(BATCHES.values()))]
_ROWS = [(c.id, c.time, 1, c.outcome, c.call, 100, 20, 1234, 567891, 0) for c in CHARGES]


@asynccontextmanager
async def _bare(path: Path) -> AsyncGenerator[Write, None]:
    """Rows of the same size into a table without a key, in this thread."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE charges (id, time, subject, outcome, a, b, c, d, e, f)")

        async def write(batch: list[Charge]) -> None:
            rows = _ROWS[batch[0].call : batch[0].call + len(batch)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO charges VALUES (?,?,?,?,?,?,?,?,?,?)", rows)
            connection.execute("COMMIT")

        yield write


@asynccontextmanager
async def _stored(store: Store) -> AsyncGenerator[Write, None]:
    async with store.opened():
        yield store.write


async def _rate(write: Write, size: int) -> tuple[float, float]:
    """Give microseconds for one charge: of CPU of all threads, and by the clock."""
    count = BATCHES[size]
    work = [CHARGES[at : at + size] for at in range(0, count, size)]
    cpu, wall = time.process_time(), time.perf_counter()
    for batch in work:
        await write(batch)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / count * 1e6, wall / count * 1e6


async def throughput() -> list[Row]:
    """Measure charges in batches; the stores take turns, each round with new ones."""
    best: dict[tuple[str, int], tuple[float, float]] = {}
    for _ in range(ROUNDS):
        for size in BATCHES:
            with TemporaryDirectory() as folder:
                cases = {
                    "bare executemany": _bare(Path(folder, "bare.db")),
                    "in memory": _stored(MemoryStore()),
                    "SQLite": _stored(SQLiteStore(Path(folder, "normal.db"))),
                    "SQLite, full": _stored(SQLiteStore(Path(folder, "full.db"), "full")),
                }
                for name, case in cases.items():
                    async with case as write:
                        cpu, wall = await _rate(write, size)
                    old = best.get((name, size), (math.inf, math.inf))
                    best[name, size] = min(cpu, old[0]), min(wall, old[1])
    return [
        (
            name,
            f"{size:,}",
            f"{cpu:.1f}",
            f"{1e6 / cpu:,.0f}",
            f"{1e6 / wall:,.0f}",
            ratio(cpu, best["bare executemany", size][0]),
        )
        for (name, size), (cpu, wall) in best.items()
    ]


async def questions() -> list[Row]:
    """Measure what is asked of a store that has 65,536 charges, and of one with answers."""
    with TemporaryDirectory() as folder:
        return [
            ("in memory", *await _answers(MemoryStore())),
            ("SQLite", *await _answers(SQLiteStore(Path(folder, "store.db")))),
        ]


async def _answers(store: Store) -> Row:
    numbers = itertools.count()

    async def keep() -> None:
        number = next(numbers)
        new = CachedAnswer(b"%032d" % number, number, number + 1e9, bytes(2000))
        await store.keep(new, entries=ANSWERS, size=2**30)

    async def milliseconds(query: UsageQuery) -> float:
        return await cpu_per_call(lambda: store.usage(query), calls=1, concurrency=1) / 1000

    by_day = UsageQuery(("day", "user"), time_zone="Europe/Berlin")
    async with store.opened():
        for at in range(0, len(CHARGES), 1024):
            await store.write(CHARGES[at : at + 1024])
        sums = [await milliseconds(UsageQuery()), await milliseconds(by_day)]
        await store.prune(math.inf)
        sums.append(await milliseconds(by_day))
        kept = await cpu_per_call(keep, calls=3 * ANSWERS, concurrency=1)
        newest = b"%032d" % (next(numbers) - 1)
        found = await cpu_per_call(lambda: store.cached(newest), calls=ANSWERS, concurrency=1)
    return (*[f"{figure:.1f}" for figure in sums], f"{found:.0f}", f"{kept:.0f}")
