"""Writing to disk: what a full disk, a lock, a cancelled task or an absurd figure does to it."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from tests.store.store_pieces import attempts, charge, virtually
from trio_llm.chat import Certainty, Cost, Subject, Usage
from trio_llm.errors import StoreError
from trio_llm.store import CachedAnswer, SQLiteStore, UsageQuery
from trio_llm.testing import seeds


def test_a_full_disk_loses_nothing_that_was_written(tmp_path: Path) -> None:
    """A batch is in the file or is not; when there is room again, all goes on."""
    store = SQLiteStore(tmp_path / "store.db")
    users = [Subject("one", "openai", "small", f"user {number}") for number in range(40)]
    batches = [
        [charge(50 * number + n, subject=user) for n in range(50)]
        for number, user in enumerate(users)
    ]

    async def scenario() -> None:
        async with store.opened():
            connection = store._writing.worker.connection  # type: ignore[union-attr]
            connection.execute("PRAGMA max_page_count = 40")
            written: list[int] = []

            async def write() -> None:
                for number, batch in enumerate(batches, 1):
                    await store.write(batch)
                    written.append(number * 50)

            with pytest.raises(StoreError, match="the disk is full"):
                await write()
            assert 0 < written[-1] < 2000
            assert await attempts(store) == written[-1]
            connection.execute("PRAGMA max_page_count = 100000")
            await write()
            rows = await store.usage(UsageQuery(("user",)))
            assert {row.key[0]: row.attempts for row in rows} == {user.user: 50 for user in users}

    virtually(scenario)


def test_a_full_disk_takes_no_answer_and_keeps_those_that_are_there(tmp_path: Path) -> None:
    """And counts them right: the next one that fits makes the right one go."""
    store = SQLiteStore(tmp_path / "store.db")

    def answer(key: bytes, size: int) -> CachedAnswer:
        return CachedAnswer(key, 0, 1, bytes(size))

    async def scenario() -> None:
        async with store.opened():
            connection = store._writing.worker.connection  # type: ignore[union-attr]
            for key in (b"one", b"two"):
                await store.keep(answer(key, 10), entries=2, size=10**6)
            connection.execute("PRAGMA max_page_count = 40")
            with pytest.raises(StoreError, match="the disk is full"):
                await store.keep(answer(b"two", 200_000), entries=2, size=10**6)
            assert await store.cache_size() == (2, 20)
            assert await store.keep(answer(b"three", 10), entries=2, size=10**6) == 1
            assert await store.cached(b"one") is None
            assert await store.cached(b"two") == answer(b"two", 10)

    virtually(scenario)


def test_space_is_given_back(tmp_path: Path) -> None:
    """A file does not stay as large as its cache once was."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            for number in range(40):
                new = CachedAnswer(b"%d" % number, 0, 1, bytes(50_000))
                await store.keep(new, entries=99, size=10**8)
            assert await store.forget() == 40

    virtually(scenario)
    assert path.stat().st_size < 200_000


def test_a_program_that_locks_the_file_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shell in the middle of a transaction, say; afterwards the write succeeds."""
    monkeypatch.setattr("trio_llm.store.inspection.PATIENCE", 0.01)
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            with closing(sqlite3.connect(path, isolation_level=None)) as shell:
                shell.execute("BEGIN IMMEDIATE")
                with pytest.raises(StoreError, match="another program has locked it"):
                    await store.write([charge(1)])
                shell.execute("ROLLBACK")
            await store.write([charge(1)])
            assert await attempts(store) == 1

    virtually(scenario)


def test_a_file_that_stays_locked_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the first failure waits a tenth of the time, until a write succeeds."""
    monkeypatch.setattr("trio_llm.store.inspection.PATIENCE", 0.5)
    monkeypatch.setattr("trio_llm.store.worker.PATIENCE", 0.5)
    path = tmp_path / "store.db"

    def patience(store: SQLiteStore) -> int:
        connection = store._writing.worker.connection  # type: ignore[union-attr]
        (milliseconds,) = connection.execute("PRAGMA busy_timeout").fetchone()
        return int(milliseconds)

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            assert patience(store) == 500
            with closing(sqlite3.connect(path, isolation_level=None)) as shell:
                shell.execute("BEGIN IMMEDIATE")
                for _ in range(2):
                    with pytest.raises(StoreError, match="another program has locked it"):
                        await store.write([charge(1)])
                    assert patience(store) == 50
                shell.execute("ROLLBACK")
            await store.write([charge(1)])
            assert patience(store) == 500

    virtually(scenario)


def test_absurd_figures_are_kept_as_at_least_something(tmp_path: Path) -> None:
    """Neither is anything wrapped around, nor does a sum overflow."""
    absurd = Cost(Decimal(10) ** 30)

    async def scenario() -> None:
        async with (store := SQLiteStore(tmp_path / "store.db")).opened():
            million = Cost(Decimal("12_000_000.000000000001"))
            await store.write([charge(1, cost=million)])
            (row,) = await store.usage(UsageQuery())
            assert row.cost == million
            await store.write(
                [
                    charge(n, cost=absurd, usage=Usage(10**30, 1), latency=1e300)
                    for n in range(2, 20_000)
                ]
            )
            await store.prune(0.0)
            (row,) = await store.usage(UsageQuery())
            assert row.cost.certainty is Certainty.AT_LEAST
            assert row.cost.amount == million.amount + 19_998 * 10**9
            assert row.input_tokens == 100 + 19_998 * 10**12

    virtually(scenario)


def test_a_power_failure_costs_nothing_where_that_is_asked_for(tmp_path: Path) -> None:
    """Every commit waits for the disk then; other words are refused."""

    async def scenario() -> None:
        for word, number in (("normal", 1), ("full", 2)):
            async with (store := SQLiteStore(tmp_path / word, word)).opened():
                connection = store._writing.worker.connection  # type: ignore[union-attr]
                assert connection.execute("PRAGMA synchronous").fetchone() == (number,)

    virtually(scenario)
    with pytest.raises(ValueError, match="synchronous"):
        SQLiteStore("x", "off; DROP TABLE charges")


@pytest.mark.parametrize("seed", seeds(200, share=20))
async def test_a_cancelled_write_is_there_or_is_not(seed: int, tmp_path: Path) -> None:
    """Off the event loop: what has begun is waited for, and what has not never begins."""
    store = SQLiteStore(tmp_path / "store.db")
    written: list[int] = []

    async def write(first: int) -> None:
        await store.write([charge(first + n) for n in range(200)])
        written.append(first)

    async with store.opened():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                for first in range(0, 2000, 200):
                    nursery.start_soon(write, first)
                for _ in range(seed):
                    await trio.lowlevel.checkpoint()
                while len(written) < seed % 7:
                    await trio.lowlevel.checkpoint()
                scope.cancel()
        numbers = {row.key[0] for row in await store.usage(UsageQuery(("tag:x", "user")))}
        assert len(numbers) <= 1
        assert await attempts(store) == 200 * len(written)


async def test_the_event_loop_goes_on_while_a_store_works(tmp_path: Path) -> None:
    """A long sum holds up neither other tasks nor what is written."""
    store, ticks = SQLiteStore(tmp_path / "store.db"), 0

    async with store.opened():
        await store.write([charge(n) for n in range(20_000)])
        done = trio.Event()

        async def ask() -> None:
            await store.usage(UsageQuery(("day", "user", "outcome")))
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            while not done.is_set():
                await trio.lowlevel.checkpoint()
                ticks += 1
    assert ticks > 10


async def test_sums_may_be_asked_for_while_others_write(tmp_path: Path) -> None:
    """Each answer is one of a moment between two writes."""
    store = SQLiteStore(tmp_path / "store.db")
    seen: list[int] = []

    async with store.opened(), trio.open_nursery() as nursery:

        async def ask() -> None:
            seen.extend([await attempts(store) for _ in range(20)])

        async def write() -> None:
            for first in range(0, 2000, 100):
                await store.write([charge(first + n) for n in range(100)])
                await store.prune(charge(first).time)

        nursery.start_soon(ask)
        nursery.start_soon(write)
    assert seen == sorted(seen)
    assert all(count % 100 == 0 for count in seen)
