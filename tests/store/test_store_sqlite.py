"""The file of a durable store: who may open it, where it may be, and its versions."""

import os
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio

from tests.store.store_pieces import attempts, charge, reservation, virtually
from trio_llm.errors import StoreError
from trio_llm.store import CachedAnswer, SQLiteStore, UsageQuery, inspection, opening, schema

ANSWER = CachedAnswer(b"key", 0.0, 9.0, bytes(2000))


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
