"""A store that is slow holds nobody up: answers are written behind, and found meanwhile."""

import logging
import math
import sqlite3
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from tests.cache.cache_values import Bench, reply
from tests.store.store_pieces import attempts, charge
from trio_llm.cache import AnswerCache
from trio_llm.cache.write_behind import MOMENT, WAITING
from trio_llm.store import CachedAnswer, MemoryStore, SQLiteStore
from trio_llm.testing import World, run

KEY = b"k" * 32


def _key(number: int) -> bytes:
    return number.to_bytes(32, "big")


class _Slow(MemoryStore):
    """A store that takes so many seconds to keep or to find an answer."""

    keeping = 0.0
    finding = 0.0

    async def keep(self, answer: CachedAnswer, /, *, entries: int, size: int) -> int:
        await trio.sleep(self.keeping)
        return await super().keep(answer, entries=entries, size=size)

    async def cached(self, key: bytes, /) -> CachedAnswer | None:
        await trio.sleep(self.finding)
        return await super().cached(key)


def _behind(scenario: Callable[[AnswerCache, _Slow], Awaitable[None]]) -> None:
    """Play something with a cache whose answers are written behind."""

    async def play(_world: World) -> None:
        store = _Slow()
        cache = Bench(store).cache()
        async with trio.open_nursery() as nursery:
            await nursery.start(cache.behind.run)
            await scenario(cache, store)
            await cache.behind.stop(math.inf)

    run(play)


def _never() -> float:
    return -math.inf


def test_a_store_that_works_has_the_answer_when_the_call_returns() -> None:
    """Nobody sees that another task has written it."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = MOMENT / 2
        kept = await cache.keep(KEY, reply("fine"), _never)
        assert kept is not None
        assert await store.cache_size() == (1, kept[0])
        assert cache.statistics().stores == 1

    _behind(scenario)


def test_a_slow_store_holds_a_caller_for_a_moment_and_is_found_in_meanwhile() -> None:
    """The answer is given to the next who asks; that it is kept is told when it is."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = 10.0
        told: list[tuple[int, int]] = []

        def late(size: int, gone: int) -> None:
            told.append((size, gone))

        kept = await cache.keep(KEY, reply("fine"), _never, late)
        assert (kept, trio.current_time()) == (None, MOMENT)
        found = await cache.find(KEY)
        assert found is not None
        assert found.kept.message.text == "fine"
        assert not told
        await trio.sleep(10.0)
        assert [gone for _, gone in told] == [0]
        assert await store.cached(KEY) is not None

    _behind(scenario)


@pytest.mark.parametrize("deadline", [-math.inf, MOMENT / 2])
def test_no_caller_is_held_beyond_its_deadline(deadline: float) -> None:
    """Also one that has passed already; the answer is kept all the same."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = 1.0
        with trio.move_on_at(deadline):
            assert await cache.keep(KEY, reply(), _never) is None
        assert trio.current_time() == max(deadline, 0.0)
        await trio.sleep(2.0)
        assert await store.cached(KEY) is not None

    _behind(scenario)


def test_of_too_many_answers_some_are_dropped_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A store that never catches up takes a bounded amount of memory."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = 1.0
        async with trio.open_nursery() as nursery:
            for number in range(WAITING + 10):
                nursery.start_soon(cache.keep, _key(number), reply(), _never)
        await trio.sleep(2.0 * WAITING)
        count, _ = await store.cache_size()
        assert WAITING <= count <= WAITING + 1

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        _behind(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        f"answers are not kept: {WAITING} wait for the store already"
    ]


def test_what_waits_when_it_is_stopped_is_given_up_at_the_deadline(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No close waits for longer; a store that is quick enough gets all of it."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = 1.0
        for number in range(5):
            await cache.keep(_key(number), reply(), _never)
        await cache.behind.stop(2.5)
        assert trio.current_time() == 2.5
        assert (await store.cache_size())[0] == 2
        assert not cache.behind.running

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        _behind(scenario)
    assert [record.getMessage() for record in caplog.records] == [
        "an answer is not kept: the store takes too long",
        "2 answers are not kept: the store takes too long",
    ]


def test_a_store_that_raises_anything_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The next answer is written as any."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = math.nan  # which no sleep takes
        assert await cache.keep(_key(0), reply(), _never) is None
        store.keeping = 0.0
        assert await cache.keep(_key(1), reply(), _never) is not None

    with caplog.at_level(logging.ERROR, "trio_llm.cache"):
        _behind(scenario)
    assert "an answer could not be kept" in caplog.text


def test_what_waits_is_forgotten_with_the_rest() -> None:
    """Clearing reaches what is not written yet."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        store.keeping = 1.0
        for number in range(3):
            await cache.keep(_key(number), reply(), _never)
        assert await cache.clear() == 2  # the first is being written
        await trio.sleep(5.0)
        assert [await cache.find(_key(number)) is None for number in (1, 2)] == [True, True]

    _behind(scenario)


def test_a_look_that_takes_too_long_finds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """It is a miss and a warning."""

    async def scenario(cache: AnswerCache, store: _Slow) -> None:
        await cache.keep(KEY, reply(), _never)
        store.finding = 100.0
        assert await cache.find(KEY) is None
        assert trio.current_time() == 1.0

    with caplog.at_level(logging.WARNING, "trio_llm.cache"):
        _behind(scenario)
    assert "is not waited for" in caplog.text


def test_a_deadline_is_kept_to_while_a_disk_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-up goes on by itself, and the next one comes after it."""
    released = threading.Event()

    def find(_connection: sqlite3.Connection, _key: bytes) -> None:
        released.wait(30.0)

    async def scenario() -> None:
        async with (store := SQLiteStore(tmp_path / "store.db")).opened():
            began = time.monotonic()
            with monkeypatch.context() as patched, trio.move_on_after(0.05) as scope:
                patched.setattr("trio_llm.store.sqlite.find", find)
                await store.cached(KEY)
            assert scope.cancelled_caught
            assert time.monotonic() - began < 10.0
            released.set()
            assert await store.cached(KEY) is None

    trio.run(scenario)


def test_a_write_that_waits_for_a_lock_holds_no_look_up(tmp_path: Path) -> None:
    """Another program that writes keeps nobody from reading."""
    path = tmp_path / "store.db"
    answer = CachedAnswer(KEY, 0.0, 9.0, b"content")

    async def scenario() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            async with (store := SQLiteStore(path)).opened(), trio.open_nursery() as nursery:
                await store.keep(answer, entries=9, size=99)
                other.execute("BEGIN IMMEDIATE")
                nursery.start_soon(store.write, [charge(1)])
                await wait_all_tasks_blocked()
                began = time.monotonic()
                assert await store.cached(KEY) == answer
                assert time.monotonic() - began < 2.0
                other.execute("ROLLBACK")
            assert await attempts_in(path) == 1

    trio.run(scenario)


async def attempts_in(path: Path) -> int:
    """Give how many attempts a file has."""
    async with (store := SQLiteStore(path)).opened():
        return await attempts(store)
