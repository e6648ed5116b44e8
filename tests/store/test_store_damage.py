"""A file of a store that is damaged never keeps a runtime from starting, and is never deleted.

One that was never a store is neither opened nor moved.
"""

import logging
import random
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.store.store_pieces import charge, reservation, virtually
from tests.store.store_scenes import NAMES
from trio_llm.errors import StoreError
from trio_llm.store import CachedAnswer, SQLiteStore, UsageQuery, inspection, opening
from trio_llm.testing import seeds

Mutation = Callable[[random.Random, bytes], bytes]

CLOSED = b"closed\n"
"""What the lock says after an orderly end."""


def _noise(rng: random.Random, _content: bytes) -> bytes:
    return rng.randbytes(rng.choice([1, 50, 100, 5000]))


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flipped(rng: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 3, 30])):
        reach = rng.choice([100, 4096, len(changed)])
        changed[rng.randrange(min(reach, len(changed)))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _overwritten(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content))
    length = rng.choice([16, 512, 4096])
    filling = rng.choice([bytes(length), b"\xff" * length, rng.randbytes(length)])
    return content[:start] + filling + content[start + length :]


def _swapped(rng: random.Random, content: bytes) -> bytes:
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    rng.shuffle(pages)
    return b"".join(pages)


MUTATIONS: tuple[Mutation, ...] = (_noise, _cut, _flipped, _flipped, _overwritten, _swapped)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the files of a store as a kill leaves them: much in the file, some in the log."""
    folder = tmp_path_factory.mktemp("killed")

    async def scenario() -> None:
        store = SQLiteStore(folder / "store.db")
        async with store.opened():
            await store.write([charge(number) for number in range(300)])
            for number in range(8):
                key = b"%d" % number
                await store.keep(CachedAnswer(key, 0, 9, bytes(3000)), entries=9, size=10**6)
            await store.prune(charge(150).time + 900)
        async with store.opened():
            await store.write([reservation(number) for number in range(1000, 1040)])
            await store.write([charge(number, time=4e9 + number) for number in range(300, 400)])
            shutil.copytree(folder, folder / "copy")

    virtually(scenario)
    return folder / "copy"


async def _use(store: SQLiteStore) -> int:
    """Do everything that a runtime does with a store; give how often it could not."""
    failed = 0
    calls: list[Callable[[], Awaitable[object]]] = [
        store.outstanding,
        *[partial(store.usage, UsageQuery((name, "day"))) for name in NAMES],
        store.cache_size,
        lambda: store.cached(b"1"),
        lambda: store.write([charge(9000), reservation(9001)]),
        lambda: store.keep(CachedAnswer(b"new", 5, 9, b"x"), entries=3, size=5000),
        lambda: store.prune(5e9),
        store.forget,
    ]
    for call in calls:
        try:
            await call()
        except StoreError:
            failed += 1
    return failed


@pytest.mark.parametrize("seed", seeds(2000, share=50))
def test_whatever_is_in_the_files_a_start_succeeds(seed: int, killed: Path, tmp_path: Path) -> None:
    """And what is set aside has the very bytes that were found."""
    rng = random.Random(seed)
    path = tmp_path / "store.db"
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    victim = rng.choice(["", "", "", "-wal", "-shm"])
    if rng.random() < 0.5 and not victim:  # as after an orderly end
        for suffix in ("-wal", "-shm"):
            Path(f"{path}{suffix}").unlink()
        Path(f"{path}.lock").write_bytes(CLOSED)
    target = Path(f"{path}{victim}")
    found = rng.choice(MUTATIONS)(rng, target.read_bytes())
    target.write_bytes(found)

    async def scenario() -> None:
        store = SQLiteStore(path)
        async with store.opened():
            await _use(store)
        async with store.opened():
            await _use(store)

    virtually(scenario)
    aside = [each.read_bytes() for each in tmp_path.glob(f"*.damaged-*Z{victim}")]
    assert not aside or found in aside or victim == "-shm"  # which SQLite mends by itself


def test_a_damaged_file_is_set_aside_with_its_log(
    killed: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning names both files; the new one works, and nothing has been deleted."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "store.db"
    path.write_bytes(b"no database" * 1000)
    log = Path(f"{path}-wal").read_bytes()
    store = SQLiteStore(path, wall_clock=lambda: 1_800_000_000.0)

    async def scenario() -> None:
        async with store.opened():
            await store.write([charge(1)])
            (row,) = await store.usage(UsageQuery())
            assert row.attempts == 1

    with caplog.at_level(logging.WARNING, "trio_llm.store"):
        virtually(scenario)
    aside = tmp_path / "store.db.damaged-20270115T080000Z"
    assert aside.read_bytes() == b"no database" * 1000
    assert Path(f"{aside}-wal").read_bytes() == log
    assert str(path) in caplog.text
    assert str(aside) in caplog.text


@pytest.mark.parametrize(
    ("place", "content"),
    [
        (18, b"\x09"),  # a version of the format that is not known, to write it
        (19, b"\x09"),  # and to read it
        (60, b"\0\0\0\x01"),  # the library's own version, without its double
        (68, b"abcd"),  # the mark of the application
        (4096 * 2, bytes(4096)),  # a page of a table
    ],
)
def test_damage_to_a_file_that_was_closed_is_found(
    tmp_path: Path, place: int, content: bytes
) -> None:
    """In its head, and in its pages while it is small."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        store = SQLiteStore(path)
        async with store.opened():
            await store.write([charge(number) for number in range(200)])
        whole = path.read_bytes()
        path.write_bytes(whole[:place] + content + whole[place + len(content) :])
        async with store.opened():
            assert await store.usage(UsageQuery()) == ()
            await store.write([charge(1)])

    virtually(scenario)
    assert len(list(tmp_path.glob("store.db.damaged-*Z"))) == 1


def test_one_second_has_room_for_several_damaged_files(tmp_path: Path) -> None:
    """None takes the place of one that was set aside before."""
    store = SQLiteStore(tmp_path / "store.db", wall_clock=lambda: 1_800_000_000.0)

    async def scenario() -> None:
        async with store.opened():
            pass
        for number in range(3):
            store.path.write_bytes(b"%d is no database" % number)
            async with store.opened():
                pass

    virtually(scenario)
    aside = sorted(tmp_path.glob("store.db.damaged-*"))
    assert {each.read_bytes()[:1] for each in aside} == {b"0", b"1", b"2"}


def test_a_large_file_is_checked_only_after_a_disorderly_end(
    killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check takes a second for each 500 MB; a mark in the lock tells of the end."""
    monkeypatch.setattr("trio_llm.store.opening._SMALL", 0)
    thorough: list[bool] = []
    plain = inspection.inspect

    def watched(connection: sqlite3.Connection, **given: bool) -> int:
        thorough.append(given["thorough"])
        return plain(connection, **given)

    monkeypatch.setattr(opening, "inspect", watched)
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)

    async def scenario() -> None:
        for _ in range(2):
            async with SQLiteStore(tmp_path / "store.db").opened():
                pass

    virtually(scenario)
    assert thorough == [True, False, False, False]


def test_damage_that_shows_later_is_found_at_the_next_start(killed: Path, tmp_path: Path) -> None:
    """Also in a large file: the mark in the lock stays."""
    shutil.copytree(killed, tmp_path, dirs_exist_ok=True)
    path, mark = tmp_path / "store.db", tmp_path / "store.db.lock"
    marks: list[bytes] = []

    async def scenario() -> None:
        store = SQLiteStore(path)
        async with store.opened():
            content = bytearray(path.read_bytes())
            content[4096:] = b"\x5a" * (len(content) - 4096)
            path.write_bytes(content)
            store._writing.worker.connection.execute("PRAGMA shrink_memory")  # type: ignore[union-attr]
            store._reader.connection.execute("PRAGMA shrink_memory")  # type: ignore[union-attr]
            assert await _use(store) > 0
        marks.append(mark.read_bytes())
        async with store.opened():
            assert await _use(store) == 0

    virtually(scenario)
    assert marks == [b"in use\n"]
    assert mark.read_bytes() == CLOSED
    assert list(tmp_path.glob("store.db.damaged-*"))


def test_a_reader_names_a_damaged_file_and_leaves_it(tmp_path: Path) -> None:
    """The command line moves nothing while it looks."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with SQLiteStore(path).opened():
            pass
        path.write_bytes(b"no database" * 1000)
        with pytest.raises(StoreError, match="damaged"):
            async with SQLiteStore(path, read_only=True).opened():
                pass

    virtually(scenario)
    assert path.read_bytes() == b"no database" * 1000


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("lock", [None, b"", b"[[package]]\n"], ids=["no", "empty", "other"])
@pytest.mark.parametrize(
    "content",
    [b"[providers.p]\nkind = 'openai'\n" * 50, b"\x89PNG\r\n\x1a\n" + bytes(5000), b"short", b"S"],
    ids=["text", "picture", "short", "one"],
)
def test_a_file_that_was_never_a_store_is_left_alone(
    tmp_path: Path, content: bytes, lock: bytes | None, read_only: bool
) -> None:
    """A wrong path moves nobody's file away, at the second try neither; nothing is made."""
    path = tmp_path / "notes"
    path.write_bytes(content)
    if lock is not None:
        Path(f"{path}.lock").write_bytes(lock)
    before = {each: each.read_bytes() for each in tmp_path.iterdir()}

    async def scenario() -> None:
        for _ in range(2):
            with pytest.raises(StoreError, match=r"no store of this library.*give another"):
                async with SQLiteStore(path, read_only=read_only).opened():
                    pass

    virtually(scenario)
    assert {each: each.read_bytes() for each in tmp_path.iterdir()} == before


def test_the_database_of_another_program_takes_no_mark(tmp_path: Path) -> None:
    """Whoever was refused leaves nothing that makes the file look like a store later."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")

    async def scenario() -> None:
        with pytest.raises(StoreError, match="another program"):
            async with SQLiteStore(path).opened():
                pass
        path.write_bytes(b"a diary")
        with pytest.raises(StoreError, match="no store of this library"):
            async with SQLiteStore(path).opened():
                pass

    virtually(scenario)
    assert path.read_bytes() == b"a diary"


@pytest.mark.parametrize("content", [b"", b"short", b"no database at all" * 100])
def test_what_was_a_store_once_is_set_aside_whatever_it_is_now(
    tmp_path: Path, content: bytes
) -> None:
    """The lock of an orderly end says that; of an empty file there is nothing to keep."""
    path = tmp_path / "store.db"

    async def scenario() -> None:
        async with SQLiteStore(path).opened():
            pass
        path.write_bytes(content)
        async with (store := SQLiteStore(path)).opened():
            await store.write([charge(1)])

    virtually(scenario)
    assert [each.read_bytes() for each in tmp_path.glob("*.damaged-*")] == [content] * bool(content)
