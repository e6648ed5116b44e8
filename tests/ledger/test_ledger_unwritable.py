"""The journal sets aside what no store can hold, and nothing else."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.ledger.test_ledger_journal import SUBJECT, SlowStore, charge, running
from trio_llm.errors import StoreError
from trio_llm.events import Event, EventStream, StoreFailed
from trio_llm.ledger import Journal
from trio_llm.ledger import journal as journal_room
from trio_llm.store import Change, Release, SQLiteStore, UnwritableError, UsageQuery


@attrs.define(eq=False)
class ChoosyStore(SlowStore):
    """Cannot hold some of the changes, by their identifiers."""

    refused: frozenset[str] = frozenset()
    asked: int = 0

    async def write(self, changes: Sequence[Change]) -> None:
        self.asked += 1
        await trio.sleep(0.001)
        if self.failing:
            raise StoreError("the disk is full")
        if self.refused.intersection([change.id for change in changes]):
            raise UnwritableError("a change has what no store can hold")
        self.batches.append(list(changes))

    @property
    def written(self) -> list[str]:
        """What it holds, in the order in which it was written."""
        return [change.id for batch in self.batches for change in batch]


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
def test_all_others_are_written_in_their_order(count: int, odd: set[int]) -> None:
    """However many cannot be, and wherever they stand."""

    async def scenario() -> None:
        store = ChoosyStore(refused=frozenset(f"run-{number}" for number in odd))
        async with running(store, []) as journal:
            for number in range(count):
                journal.put(charge(number))
            await journal.written()
            assert journal.lost == len([number for number in odd if number < count])
            assert not journal.failing
        assert store.written == [f"run-{n}" for n in range(count) if n not in odd]

    trio.run(scenario, clock=MockClock(autojump_threshold=0))


async def test_one_of_a_thousand_is_found_in_few_writes(autojump_clock: MockClock) -> None:
    """And the journal goes back to large batches."""
    store = ChoosyStore(refused=frozenset(["run-700"]))
    async with running(store, []) as journal:
        for number in range(5000):
            journal.put(charge(number))
        await journal.written()
    assert len(store.written) == 4999
    assert store.asked < 40
    assert max(len(batch) for batch in store.batches) == journal_room.BATCH
    assert autojump_clock.current_time() < 1.0


async def test_what_is_set_aside_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """By a record and a line that names it; a release is set aside, too, but is no loss."""
    store, seen = ChoosyStore(refused=frozenset(["run-1", "gone"])), list[Event]()
    with caplog.at_level(logging.ERROR, "trio_llm.ledger"):
        async with running(store, seen) as journal:
            for change in (charge(0), charge(1), Release("gone"), charge(2)):
                journal.put(change)
            await journal.written()
            assert journal.lost == 1
    assert [(type(each), getattr(each, "error", "")) for each in seen] == [
        (StoreFailed, "a change has what no store can hold")
    ] * 2
    assert [record.getMessage().split(" is lost")[0] for record in caplog.records] == [
        "Charge run-1",
        "Release gone",
    ]
    assert autojump_clock.current_time() < 1.0


async def test_a_store_that_fails_besides_loses_nothing_more(autojump_clock: MockClock) -> None:
    """A full disk in the midst of it is waited for."""
    store = ChoosyStore(refused=frozenset(["run-2"]))
    async with running(store, []) as journal:
        for number in range(5):
            journal.put(charge(number))
        await wait_all_tasks_blocked()
        await trio.sleep(0.0015)
        store.failing = True
        await trio.sleep(100.0)
        assert journal.failing
        assert journal.lost == 0
        store.failing = False
        await trio.sleep(100.0)
        assert (journal.lost, journal.failing) == (1, False)
    assert store.written == ["run-0", "run-1", "run-3", "run-4"]
    assert autojump_clock.current_time() > 200.0


async def test_one_that_stands_alone_holds_nobody_up(autojump_clock: MockClock) -> None:
    """Who waits for it goes on, and a store that has failed before is known to work again."""
    store = ChoosyStore(refused=frozenset(["run-0", "run-1"]))
    async with running(store, []) as journal:
        journal.put(charge(0))
        with trio.fail_after(1.0):
            await journal.written()
        store.failing = True
        journal.put(charge(1))
        await journal.written()
        assert journal.failing
        store.failing = False
        await trio.sleep(100.0)
        assert (journal.lost, journal.failing) == (2, False)
    assert autojump_clock.current_time() > 100.0


async def test_what_was_let_go_of_meanwhile_is_not_lost_twice(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be written may be the oldest of too many, while it is being tried."""
    monkeypatch.setattr(journal_room, "PENDING", 1)
    store = ChoosyStore(refused=frozenset(["run-0"]))
    async with running(store, []) as journal:
        journal.put(charge(0))
        await wait_all_tasks_blocked()
        journal.put(charge(1))
        await journal.written()
        assert journal.lost == 1
    assert store.written == ["run-1"]
    assert autojump_clock.current_time() > 0.0


async def test_closing_sets_aside_what_cannot_be_written(autojump_clock: MockClock) -> None:
    """The rest of the last batch is written all the same."""
    store = ChoosyStore(refused=frozenset(["run-0", "run-2"]))
    async with running(store, []) as journal:
        for number in range(3):
            journal.put(charge(number))
    assert (store.written, journal.lost) == (["run-1"], 2)
    assert autojump_clock.current_time() > 0.0


async def test_a_charge_that_a_file_cannot_hold_keeps_no_other_out_of_it(tmp_path: Path) -> None:
    """The store says whose fault it is, and the journal goes by that."""
    tags: Any = (("team", object()),)
    odd = attrs.evolve(charge(1), subject=attrs.evolve(SUBJECT, tags=tags))
    async with (store := SQLiteStore(tmp_path / "store.db")).opened():
        journal = Journal(store, EventStream())
        async with trio.open_nursery() as nursery:
            await nursery.start(journal.run)
            for change in (charge(0), odd, charge(2)):
                journal.put(change)
            journal.close()
        (row,) = await store.usage(UsageQuery())
        assert (row.attempts, journal.lost) == (2, 1)
