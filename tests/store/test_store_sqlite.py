"""The file of a durable store: who may open it, what becomes of it, what a full disk does."""

import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
import trio
import trio.lowlevel

from tests.store.store_pieces import charge, reservation, virtually
from trio_llm.chat import Certainty, Cost, Subject, Usage
from trio_llm.errors import StoreError
from trio_llm.store import CachedAnswer, SQLiteStore, UsageQuery, inspection, opening, schema
from trio_llm.testing import seeds

ANSWER = CachedAnswer(b"key", 0.0, 9.0, bytes(2000))


async def attempts(store: SQLiteStore) -> int:
    """Give how many attempts are booked."""
    rows = await store.usage(UsageQuery())
    return rows[0].attempts if rows else 0


def listed(folder: Path) -> list[os.stat_result]:
    """Look at the files in a folder."""
    return [path.stat() for path in folder.iterdir()]


def refused(store: SQLiteStore, match: str) -> None:
    """Expect that a store cannot be opened, for a reason."""

    async def scenario() -> None:
        with pytest.raises(StoreError, match=match) as caught:
            async with store.opened():
                pass
        assert str(store.path.name) in str(caught.value)

    virtually(scenario)


def test_one_runtime_has_a_file_and_readers_may_look(tmp_path: Path) -> None:
    """A second one is told so; it has the file as soon as the first has closed it."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        first, second = SQLiteStore(path), SQLiteStore(path)
        async with first.opened():
            await first.write([charge(1)])
            with pytest.raises(StoreError, match="has it open"):
                async with second.opened():
                    pass
            reader = SQLiteStore(path, read_only=True)
            async with reader.opened():
                assert await attempts(reader) == 1
                await first.write([charge(2)])
                assert await attempts(reader) == 2
        async with second.opened():
            assert await attempts(second) == 2

    virtually(scenario)


def test_another_name_of_the_file_is_the_same_file(tmp_path: Path) -> None:
    """The lock goes by where a link leads."""
    (tmp_path / "link.db").symlink_to(tmp_path / "store.db")

    async def scenario() -> None:
        async with SQLiteStore(tmp_path / "store.db").opened():
            with pytest.raises(StoreError, match="has it open"):
                async with SQLiteStore(tmp_path / "link.db").opened():
                    pass

    virtually(scenario)


def test_a_store_is_opened_once_at_a_time(tmp_path: Path) -> None:
    """And used only while it is open."""

    async def scenario() -> None:
        store = SQLiteStore(tmp_path / "store.db")
        with pytest.raises(StoreError, match="not open"):
            await store.write([charge(1)])
        async with store.opened():
            with pytest.raises(StoreError, match="open already"):
                async with store.opened():
                    pass
        with pytest.raises(StoreError, match="not open"):
            await store.usage(UsageQuery())

    virtually(scenario)


def test_a_store_is_closed_whatever_is_cancelled(tmp_path: Path) -> None:
    """The next one has the file at once, and the log is in it."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        store = SQLiteStore(path)
        with trio.CancelScope() as scope:
            async with store.opened():
                await store.write([charge(1)])
                scope.cancel()
                await trio.sleep_forever()
        async with SQLiteStore(path).opened():
            pass

    virtually(scenario)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["store.db", "store.db.lock"]


def test_a_reader_changes_nothing(tmp_path: Path) -> None:
    """It answers every question, and refuses to write."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1), reservation(2)])
            await store.keep(ANSWER, entries=9, size=9000)
        content = path.read_bytes()
        async with (reader := SQLiteStore(path, read_only=True)).opened():
            assert await attempts(reader) == 1
            assert await reader.outstanding() == (reservation(2),)
            assert await reader.cached(b"key") == ANSWER
            assert await reader.cache_size() == (1, 2000)
            writes: list[Callable[[], Awaitable[object]]] = [
                lambda: reader.write([charge(2)]),
                lambda: reader.prune(9e9),
                lambda: reader.keep(ANSWER, entries=9, size=9000),
                reader.forget,
            ]
            for write in writes:
                with pytest.raises(StoreError, match="for reading alone"):
                    await write()
        assert path.read_bytes() == content

    virtually(scenario)


def test_a_reader_needs_a_file_that_is_there(tmp_path: Path) -> None:
    """It makes none, not even beside it."""
    refused(SQLiteStore(tmp_path / "missing.db", read_only=True), "cannot be opened")
    (tmp_path / "empty.db").touch()
    refused(SQLiteStore(tmp_path / "empty.db", read_only=True), "let a runtime open it first")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.db"]


def test_a_reader_looks_into_a_place_where_nothing_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a mounted backup: the file lies still then."""
    path = tmp_path / "store.db"
    plain = inspection.connect

    def connect(path: Path, mode: str) -> sqlite3.Connection:
        if mode != "ro":
            return plain(path, mode)
        # Root may write everywhere, so what SQLite would say is played.
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
        monkeypatch.setattr(opening, "connect", connect)
        async with (reader := SQLiteStore(path, read_only=True)).opened():
            assert await attempts(reader) == 1

    virtually(scenario)


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("missing/store.db", "its folder is there"),
        ("folder", "no regular file"),
        ("file/store.db", "cannot be opened"),
        ("nul\0.db", "cannot be opened"),
        ("x" * 300, "cannot be opened"),
    ],
)
def test_a_place_where_no_file_can_be_is_named(tmp_path: Path, name: str, match: str) -> None:
    """With what to look at."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    refused(SQLiteStore(tmp_path / name), match)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no such place here")
def test_a_place_that_may_not_be_written_is_named() -> None:
    """With what to look at; even root can make no file there."""
    refused(SQLiteStore("/proc/store.db"), "who may write to it")


def test_only_its_owner_reads_a_file(tmp_path: Path) -> None:
    """There are answers in it, and in what lies beside it."""
    path = tmp_path / "store.db"
    modes: list[int] = []

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
            modes.extend([stat.S_IMODE(each.st_mode) for each in listed(tmp_path)])

    virtually(scenario)
    assert modes == [0o600] * 4


def test_the_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    """A path given by mistake costs nobody anything."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    content = path.read_bytes()
    refused(SQLiteStore(path), "of another program")
    refused(SQLiteStore(path, read_only=True), "of another program")
    assert path.read_bytes() == content


def _touch(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_file_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """And left as it is, for the library that knows it."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with SQLiteStore(path).opened():
            pass

    virtually(scenario)
    _touch(path, f"PRAGMA user_version = {schema.stamp(7)}")
    refused(SQLiteStore(path), "of version 7")
    refused(SQLiteStore(path, read_only=True), "of version 7")


def test_a_new_file_is_of_the_newest_version(tmp_path: Path) -> None:
    """An empty one that somebody made is as good as none."""
    path = tmp_path / "store.db"
    path.touch()

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])

    virtually(scenario)
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("PRAGMA user_version").fetchone()
        assert schema.version_of(found) == len(schema.MIGRATIONS)
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_migration_is_done_once_and_keeps_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader does not do it, and says who does."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
        longer = (*schema.MIGRATIONS, ("ALTER TABLE charges ADD COLUMN note TEXT",))
        for module in ("schema", "inspection", "opening"):
            monkeypatch.setattr(f"trio_llm.store.{module}.MIGRATIONS", longer)
        with pytest.raises(StoreError, match="older version"):
            async with SQLiteStore(path, read_only=True).opened():
                pass
        for number in (2, 3):
            async with (store := SQLiteStore(path)).opened():
                await store.write([charge(number)])
                assert await attempts(store) == number

    virtually(scenario)


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a step, or none of it; the older library still opens the file."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])
        with monkeypatch.context() as patched:
            steps = ("ALTER TABLE charges ADD COLUMN note TEXT", "no statement")
            for module in ("schema", "inspection", "opening"):
                longer = (*schema.MIGRATIONS, steps)
                patched.setattr(f"trio_llm.store.{module}.MIGRATIONS", longer)
            with pytest.raises(StoreError, match="syntax error"):
                async with SQLiteStore(path).opened():
                    pass
        async with (store := SQLiteStore(path)).opened():
            assert await attempts(store) == 1

    virtually(scenario)
    with closing(sqlite3.connect(path)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(charges)")]
    assert "note" not in columns
    assert not list(tmp_path.glob("*damaged*"))


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
    monkeypatch.setattr("trio_llm.store.inspection._PATIENCE", 0.01)
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
