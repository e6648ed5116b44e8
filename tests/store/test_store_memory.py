"""The store in memory: bounded, and no charge is lost to its sums."""

import random

import pytest
import trio

from tests.store.store_pieces import EPOCH, charge, virtually
from tests.store.store_scenes import Model
from trio_llm.chat import Subject
from trio_llm.store import MemoryStore, UsageQuery, UsageRow
from trio_llm.testing import seeds


@pytest.mark.parametrize("seed", seeds(100, share=20, least=3))
def test_rows_are_bounded_and_every_sum_is_kept(seed: int) -> None:
    """Users, tags, days, models go first from what is oldest; never an attempt or a cent."""
    rng = random.Random(seed)
    limit = rng.choice([40, 200])
    store, model = MemoryStore(rows=limit), Model()

    def sums(rows: tuple[UsageRow, ...]) -> UsageRow:
        return sum(rows, UsageRow())

    async def scenario() -> None:
        for number in range(1500):
            change = charge(
                number,
                time=EPOCH + number * rng.uniform(0, 5000),
                subject=Subject(
                    rng.choice("ab"),
                    "openai",
                    rng.choice(["small", "large"]),
                    f"user {rng.randrange(50)}",
                    tags=(("call", str(number)),),
                ),
                outcome=rng.choice(["succeeded", "failed"]),
            )
            store.book(change)
            model.charges[change.id] = change
            assert len(store._sums) <= limit  # pyright: ignore[reportPrivateUsage]
        for by in ((), ("outcome",)):
            query = UsageQuery(by)
            assert await store.usage(query) == model.usage(query)
        if limit == 200:  # it needs no coarser step than that
            query = UsageQuery(("provider",))
            assert await store.usage(query) == model.usage(query)
        detailed = await store.usage(UsageQuery(("day", "user", "tag:call")))
        assert sums(detailed) == sums(model.usage(UsageQuery()))

    virtually(scenario)


def test_what_is_recent_keeps_its_users_and_tags() -> None:
    """Only the older half is folded."""
    store = MemoryStore(rows=100)
    for number in range(101):
        store.book(charge(number, subject=Subject("one", "openai", "small", f"user {number}")))

    async def scenario() -> None:
        rows = await store.usage(UsageQuery(("user",)))
        assert [row.key[0] for row in rows if row.attempts == 1] == sorted(
            f"user {number}" for number in range(50, 101)
        )
        assert [row.attempts for row in rows if row.key == ("",)] == [50]

    virtually(scenario)


@pytest.mark.parametrize("turns", range(1, 7))
def test_a_fold_during_a_query_counts_nothing_twice(turns: int) -> None:
    """A query goes on with the rows that it began with, whatever becomes of them."""
    store = MemoryStore(rows=4000)
    for number in range(4000):  # the newest first, so that the oldest is looked at last
        store.book(charge(number, time=EPOCH - 900.0 * number))

    async def scenario() -> None:
        found: list[UsageRow] = []

        async def ask() -> None:
            found.extend(await store.usage(UsageQuery()))

        async def fold() -> None:
            for _ in range(turns):
                await trio.lowlevel.checkpoint()
            store.book(charge(4000, time=EPOCH + 900.0))
            assert len(store._sums) < 4000  # pyright: ignore[reportPrivateUsage]

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(fold)
        assert found[0].attempts in {4000, 4001}

    virtually(scenario)


def test_identifiers_are_remembered_long_enough_and_not_for_ever() -> None:
    """The last ten thousand at least, and twice that at most."""
    store = MemoryStore()
    for number in range(35_000):
        store.book(charge(number))
    for number in range(25_000, 35_000):
        store.book(charge(number))

    async def scenario() -> None:
        (row,) = await store.usage(UsageQuery())
        assert row.attempts == 35_000
        remembered = (store._booked, store._booked_before)  # pyright: ignore[reportPrivateUsage]
        assert sum(map(len, remembered)) <= 20_000

    virtually(scenario)


def test_what_is_in_memory_outlives_a_runtime() -> None:
    """One store given to two runtimes, one after the other, is the same store."""
    store = MemoryStore()

    async def scenario() -> None:
        async with store.opened():
            await store.write([charge(1)])
        async with store.opened():
            await store.write([charge(2)])
            (row,) = await store.usage(UsageQuery())
        assert row.attempts == 2

    virtually(scenario)
