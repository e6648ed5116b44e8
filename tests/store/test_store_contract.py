"""What every store does, whatever it is made of: it knows what a plain model knows."""

from decimal import Decimal

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.store_pieces import EPOCH, KINDS, charge, reservation, with_store
from tests.store.store_scenes import Model, batches, queries
from trio_llm.chat import Certainty, Cost, Subject, Usage
from trio_llm.errors import StoreError
from trio_llm.store import Change, MemoryStore, Release, SQLiteStore, Store, UsageQuery
from trio_llm.testing import seeds

EXAMPLES = len(seeds(1000, share=40))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=EXAMPLES, deadline=None)
@given(
    first=batches("first"),
    second=batches("second"),
    again=st.integers(0, 3),
    asked=st.lists(queries(), min_size=1, max_size=4),
    before=st.sampled_from([0.0, 1_774_700_000.0, 1_790_000_000.5, 4e9]),
)
def test_sums_are_those_of_a_plain_model(
    kind: str,
    first: list[list[Change]],
    second: list[list[Change]],
    again: int,
    asked: list[UsageQuery],
    before: float,
) -> None:
    """By every dimension, in every time zone, after replays and folding."""
    model = Model()

    async def scenario(store: Store) -> None:
        async def agree() -> None:
            for query in asked:
                assert await store.usage(query) == model.usage(query)
            assert await store.outstanding() == model.outstanding()

        for batch in first:
            await store.write(batch)
            model.write(batch)
        await agree()
        for batch in first[-again:] if again else []:
            await store.write(batch)
        await agree()
        await store.prune(before)
        await agree()
        for batch in second:
            await store.write(batch)
            model.write(batch)
        await store.prune(before + 40_000)
        await agree()

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_late_is_folded_into_what_has_been_folded(kind: str) -> None:
    """One quarter of an hour, one subject, again and again: every figure adds up."""
    model = Model()

    async def scenario(store: Store) -> None:
        for number in range(1, 8):
            cost = None if number == 3 else Cost(Decimal(f"0.{number}00000000003"))
            late = charge(number, usage=Usage(*range(number, number + 5)), cost=cost)
            await store.write([late])
            model.write([late])
            await store.prune(EPOCH + 900)
            assert await store.usage(UsageQuery()) == model.usage(UsageQuery())

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_charged_gives_no_row(kind: str) -> None:
    """Neither in all nor by anything."""

    async def scenario(store: Store) -> None:
        assert await store.usage(UsageQuery()) == ()
        assert await store.usage(UsageQuery(("day", "provider"))) == ()
        await store.write([reservation(1)])
        assert await store.usage(UsageQuery()) == ()

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_charge_takes_the_place_of_its_reservation(kind: str) -> None:
    """And a reservation that comes after its charge is none."""

    async def scenario(store: Store) -> None:
        await store.write([reservation(1), reservation(2), reservation(3)])
        await store.write([charge(1), Release("run-2")])
        await store.write([reservation(1)])
        assert await store.outstanding() == (reservation(3),)
        await store.write([charge(4), reservation(4)])
        assert await store.outstanding() == (reservation(3),)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_the_weakest_mark_is_that_of_the_sum(kind: str) -> None:
    """An attempt whose price is not known costs nothing, at least."""

    async def scenario(store: Store) -> None:
        await store.write([charge(1)])
        (row,) = await store.usage(UsageQuery())
        assert row.cost.certainty is Certainty.EXACT
        guess = Cost(row.cost.amount, Certainty.ESTIMATED)
        await store.write([charge(2, cost=guess)])
        (row,) = await store.usage(UsageQuery())
        assert row.cost.certainty is Certainty.ESTIMATED
        await store.write([charge(3, cost=None)])
        (row,) = await store.usage(UsageQuery())
        assert row.cost == Cost(2 * guess.amount, Certainty.AT_LEAST)
        assert (row.attempts, row.unpriced) == (3, 1)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_a_span_counts_each_quarter_of_an_hour_that_it_touches(kind: str) -> None:
    """So the answer does not depend on whether charges have been folded."""

    async def scenario(store: Store) -> None:
        assert EPOCH % 900 == 0
        await store.write([charge(1)])
        for since, until, found in (
            (EPOCH + 899, None, 1),
            (EPOCH + 900, None, 0),
            (0.0, EPOCH, 0),
            (0.0, EPOCH + 0.5, 1),
            (float("-inf"), float("inf"), 1),
            (float("inf"), None, 0),
        ):
            assert len(await store.usage(UsageQuery((), since, until))) == found
            await store.prune(EPOCH + 900)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "named"),
    [
        (UsageQuery(("colour",)), "'colour'"),
        (UsageQuery(only=(("id; --", ""),)), "'id; --'"),
        (UsageQuery(time_zone="Mars/Olympus"), "'Mars/Olympus'"),
        (UsageQuery(time_zone="../etc/passwd"), "'../etc/passwd'"),
    ],
)
def test_what_does_not_exist_is_named(kind: str, query: UsageQuery, named: str) -> None:
    """A dimension or a time zone, before anything is read."""

    async def scenario(store: Store) -> None:
        with pytest.raises(StoreError, match=named):
            await store.usage(query)

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_broken_clock_or_upstream_says_is_booked_all_the_same(kind: str) -> None:
    """One absurd figure must not keep all others from being written."""
    strange = float("nan")
    half = Subject("half \ud800", "", "", "", "", (("\udfff", "\ud800"),))

    async def scenario(store: Store) -> None:
        await store.write(
            [
                charge(1, time=strange, latency=strange),
                charge(2, time=float("inf"), latency=float("-inf")),
                charge(3, cost=Cost(Decimal("NaN"))),
                charge(4, time=1e300, subject=half),
                charge(5),
            ]
        )
        (row,) = await store.usage(UsageQuery(since=float("-inf")))
        assert (row.attempts, row.unpriced, row.latency) == (5, 1, 0.75)
        assert len(await store.usage(UsageQuery(("day", "user"), since=float("-inf")))) >= 2

    with_store(kind, scenario)


@pytest.mark.parametrize("kind", KINDS)
def test_every_asynchronous_name_is_a_checkpoint(kind: str) -> None:
    """Others have their turn, and a cancelled caller leaves before anything is done."""

    async def scenario(store: Store) -> None:
        for call in (
            lambda: store.write([charge(1)]),
            lambda: store.write([]),
            store.outstanding,
            lambda: store.usage(UsageQuery()),
            lambda: store.prune(0.0),
            lambda: store.cached(b"key"),
            store.forget,
            store.cache_size,
        ):
            with trio.testing.assert_checkpoints():
                await call()
        with trio.CancelScope() as scope:
            scope.cancel()
            await store.write([charge(2)])
        assert scope.cancelled_caught
        (row,) = await store.usage(UsageQuery())
        assert row.attempts == 1

    with_store(kind, scenario)


def test_only_the_store_on_disk_is_durable() -> None:
    """The one in memory is not, and says so."""
    assert not MemoryStore().durable
    assert SQLiteStore("x").durable
